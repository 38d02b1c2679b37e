//! The schema: every question as a field, and the three lists of events that the contract names.

use std::sync::Arc;

use async_graphql::dynamic::{Field, FieldFuture, FieldValue, Object, ResolverContext, Schema, SchemaError, TypeRef};
use async_graphql::{Error, Value};
use serde::Serialize;

use super::argument::{Argument, pairs};
use super::limits::Limits;
use super::name::camel_case;
use super::room::Room;
use super::subscription::{LIVE_EVENT, MISSED_BEFORE, SUBSCRIPTION, subscription};
use super::{error, output};
use crate::auth::{KeyHash, Project, Zone};
use crate::error::ApiError;
use crate::live::Live;
use crate::parameters::Parameters;
use crate::query::Events;
use crate::query::question::{self, Answering, Question, Visitor};

const QUERY: &str = "Query";
const EVENT: &str = "Event";
const ABOUT_MISSED: &str = "How many events were not sent just before this one, because the client did not keep up; null if nobody \
                            knows how many.";

/// Lists of events without pages: the field, its arguments, and its description.
const EVENT_LISTS: [(&str, &[&str], &str); 3] = [
    ("latestEvents", &["limit"], "The latest events."),
    ("eventsByType", &["event_type", "limit"], "The latest events of a type."),
    ("eventsByUser", &["user_id", "limit"], "The latest events of a user."),
];

/// Maximum number of pages that are read for one of these lists.
const MAX_PAGES: usize = 8;

/// The client of a request, and the resources that the request may use.
#[derive(Clone)]
pub(super) struct Caller {
    pub(super) answering: Answering,
    pub(super) live: Live,
    pub(super) project: Arc<Project>,
    pub(super) key: KeyHash,
    /// For the answers of the request.
    pub(super) room: Arc<Room>,
}

/// Builds the schema, with the limits of its lists.
///
/// # Errors
/// Only if two types have the same name.
pub(super) fn build(has_introspection: bool) -> Result<(Schema, Limits), SchemaError> {
    let mut fields = Fields { types: output::Types::default(), query: Object::new(QUERY), limits: Limits::default() };
    question::each(&mut fields);
    fields.add_event_lists();
    fields.types.extend(EVENT, LIVE_EVENT, (MISSED_BEFORE, ABOUT_MISSED));
    let (objects, scalars) = fields.types.into_parts();
    let mut schema = Schema::build(QUERY, None, Some(SUBSCRIPTION)).register(fields.query).register(subscription());
    for object in objects {
        schema = schema.register(object);
    }
    for scalar in scalars {
        schema = schema.register(scalar);
    }
    if !has_introspection {
        // Suggestions in error messages would reveal names of the hidden schema.
        schema = schema.disable_introspection().disable_suggestions();
    }
    Ok((schema.finish()?, fields.limits))
}

/// Collects the fields of the type `Query`.
struct Fields {
    types: output::Types,
    query: Object,
    limits: Limits,
}

impl Visitor for Fields {
    fn visit<Q: Question>(&mut self) {
        let ty = self.types.answer::<Q::Answer>();
        let arguments = arguments::<Q>();
        let name = camel_case(Q::ID);
        let limit = arguments.iter().find(|argument| argument.parameter() == "limit");
        if <Q::Answer as question::Answer>::IS_TABLE {
            self.limits.add_list(&name, limit.and_then(Argument::default));
        }
        let about = format!("{}. {}", Q::SUMMARY, Q::ABOUT);
        self.add(&name, ty, arguments, &about, |arguments, context| {
            FieldFuture::new(async move {
                let answer = answer::<Q>(&arguments, &context).await;
                Ok::<_, Error>(or_null(&context, answer.map(output::whole)))
            })
        });
    }
}

impl Fields {
    fn add_event_lists(&mut self) {
        let ty = TypeRef::named_nn_list(EVENT);
        for (name, parameters, about) in EVENT_LISTS {
            let is_taken = |argument: &Argument| parameters.contains(&argument.parameter());
            let arguments: Vec<Argument> = arguments::<Events>()
                .into_iter()
                .filter(is_taken)
                .map(|argument| if argument.parameter() == "limit" { argument } else { argument.required() })
                .collect();
            let limit = arguments.iter().find(|argument| argument.parameter() == "limit");
            self.limits.add_list(name, limit.and_then(Argument::default));
            self.add(name, ty.clone(), arguments, about, |arguments, context| {
                FieldFuture::new(async move {
                    let list = event_list(&arguments, &context).await;
                    let list = list.map(|(events, error)| {
                        error.into_iter().for_each(|error| report(&context, error));
                        output::entries(events)
                    });
                    Ok::<_, Error>(or_null(&context, list))
                })
            });
        }
    }

    fn add<R>(&mut self, name: &str, ty: TypeRef, arguments: Vec<Argument>, about: &str, resolve: R)
    where
        R: for<'a> Fn(Arc<[Argument]>, ResolverContext<'a>) -> FieldFuture<'a> + Send + Sync + 'static,
    {
        let inputs: Vec<_> = arguments.iter().map(Argument::input).collect();
        let arguments: Arc<[Argument]> = arguments.into();
        let field = Field::new(name, ty, move |context| resolve(arguments.clone(), context)).description(about);
        let field = inputs.into_iter().fold(field, Field::argument);
        self.query = std::mem::replace(&mut self.query, Object::new(QUERY)).field(field);
    }
}

/// The arguments of a question. Variable parts of its path are required.
fn arguments<Q: Question>() -> Vec<Argument> {
    // The parameters do not depend on the time zone.
    let Ok(zone) = Zone::named("UTC".to_owned()) else { return Vec::new() };
    let parameters = Parameters::describe(|parameters| Q::take(parameters, &zone));
    let is_in_path = |name: &str| Q::PATH.contains(&format!("{{{name}}}"));
    parameters
        .iter()
        .map(|described| Argument::of(described, described.is_required || is_in_path(described.param.name())))
        .collect()
}

async fn answer<Q: Question>(arguments: &[Argument], context: &ResolverContext<'_>) -> Result<Value, ApiError> {
    value_of(&answer_to::<Q>(pairs(arguments, &context.args), context).await?)
}

fn value_of(answer: &impl Serialize) -> Result<Value, ApiError> {
    async_graphql::to_value(answer).map_err(ApiError::internal)
}

async fn answer_to<Q: Question>(pairs: Vec<(String, String)>, context: &ResolverContext<'_>) -> Result<Q::Answer, ApiError> {
    let caller = context.data::<Caller>().map_err(|error| ApiError::internal(error.message))?;
    let parameters = Parameters::of_pairs(pairs);
    let answer = question::answer::<Q>(caller.answering.clone(), caller.project.clone(), parameters).await?;
    caller.room.take(&answer)?;
    Ok(answer)
}

/// As many events as the client asks for, or all that there are; or else those up to an error, with the error. A page may
/// have fewer, for example because they are large, and a list without a cursor could not say so; therefore this reads
/// on.
async fn event_list(arguments: &[Argument], context: &ResolverContext<'_>) -> Result<(Value, Option<ApiError>), ApiError> {
    let mut parameters = pairs(arguments, &context.args);
    let mut page = answer_to::<Events>(parameters.clone(), context).await?;
    let mut events = std::mem::take(&mut page.data);
    let sent = parameters.iter().find(|(name, _)| name == "limit").and_then(|(_, limit)| limit.parse().ok());
    let default = || arguments.iter().find(|argument| argument.parameter() == "limit")?.default();
    let limit = sent.or_else(default).and_then(|limit: u64| usize::try_from(limit).ok()).unwrap_or(events.len());
    for _ in 1..MAX_PAGES {
        let Some(cursor) = page.next_cursor.take().filter(|_| events.len() < limit) else { break };
        parameters.retain(|(name, _)| !["limit", "cursor"].contains(&name.as_str()));
        parameters.push(("limit".to_owned(), (limit - events.len()).to_string()));
        parameters.push(("cursor".to_owned(), cursor));
        match answer_to::<Events>(parameters.clone(), context).await {
            Ok(next) => page = next,
            Err(error) => return Ok((value_of(&events)?, Some(error))),
        }
        events.append(&mut page.data);
    }
    let is_cut = events.len() < limit && page.next_cursor.is_some();
    let error = is_cut.then(|| {
        let message = format!("the list is longer than {MAX_PAGES} pages; read them one by one with `events` and its `cursor`");
        ApiError::QueryTooComplex(message)
    });
    Ok((value_of(&events)?, error))
}

/// The value of a field, or null and an error, so that the answers to the other questions of the request
/// remain. async-graphql itself would omit the field from the answer and its path from the error.
fn or_null<'a>(context: &ResolverContext<'a>, value: Result<FieldValue<'a>, ApiError>) -> Option<FieldValue<'a>> {
    value.map_err(|error| report(context, error)).ok()
}

/// Adds the error of a field to the response.
fn report(context: &ResolverContext<'_>, error: ApiError) {
    let error = error::of_field(error).into_server_error(context.ctx.item.pos);
    context.ctx.add_error(context.ctx.set_error_path(error));
}
