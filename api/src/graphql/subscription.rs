//! The subscription `events`: live events, one by one, as `GET /live` sends them.

use std::collections::BTreeMap;

use async_graphql::dynamic::{FieldValue, ResolverContext, Subscription, SubscriptionField, SubscriptionFieldFuture, TypeRef};
use async_graphql::{Name, Value};
use futures::Stream;
use serde_json::value::RawValue;

use super::argument::{Argument, pairs};
use super::error;
use super::output::whole;
use super::schema::Caller;
use crate::error::ApiError;
use crate::live::{LiveEvents, Seen};
use crate::parameters::Parameters;

pub(super) const SUBSCRIPTION: &str = "Subscription";
/// The type of a live event, with the number of events missed before it.
pub(super) const LIVE_EVENT: &str = "LiveEvent";
/// The additional field of such an event.
pub(super) const MISSED_BEFORE: &str = "missed_before";

/// The type `Subscription`.
pub(super) fn subscription() -> Subscription {
    let described = Parameters::describe(LiveEvents::take);
    let arguments: Vec<Argument> = described.iter().map(|described| Argument::of(described, false)).collect();
    let inputs: Vec<_> = arguments.iter().map(Argument::input).collect();
    let field = SubscriptionField::new("events", TypeRef::named_nn(LIVE_EVENT), move |context| {
        let arguments = arguments.clone();
        SubscriptionFieldFuture::new(async move { events(&arguments, &context).await.map_err(error::of_field) })
    });
    let field = field.description("Events as they are accepted.");
    Subscription::new(SUBSCRIPTION).field(inputs.into_iter().fold(field, SubscriptionField::argument))
}

async fn events<'a>(
    arguments: &[Argument],
    context: &ResolverContext<'a>,
) -> Result<impl Stream<Item = async_graphql::Result<FieldValue<'a>>> + use<'a>, ApiError> {
    let caller = context.data::<Caller>().map_err(|error| ApiError::internal(error.message))?;
    let mut parameters = Parameters::of_pairs(pairs(arguments, &context.args));
    let wanted = LiveEvents::take(&mut parameters);
    parameters.finish()?;
    let subscription = caller.live.subscribe(caller.key, caller.project.id, &wanted).await?;
    Ok(futures::stream::unfold(subscription, async |subscription| {
        let seen = subscription.next().await;
        let event = event(&seen).map(whole).map_err(error::of_field);
        Some((event, subscription))
    }))
}

/// An event as a value that keeps its JSON byte for byte.
fn event(seen: &Seen) -> Result<Value, ApiError> {
    let parts: BTreeMap<&str, &RawValue> = serde_json::from_str(seen.json()).map_err(ApiError::internal)?;
    let mut event = async_graphql::to_value(parts).map_err(ApiError::internal)?;
    if let Value::Object(event) = &mut event {
        event.insert(Name::new(MISSED_BEFORE), seen.missed_before().map_or(Value::Null, Value::from));
    }
    Ok(event)
}
