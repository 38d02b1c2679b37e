//! The description of the header and the body of `POST /events`.

use rollcall_shared::field::Field;
use serde_json::{Value, json};
use utoipa::openapi::path::{Parameter, ParameterBuilder, ParameterIn};
use utoipa::openapi::schema::{AdditionalProperties, AnyOfBuilder, SchemaType};
use utoipa::openapi::{ArrayBuilder, ObjectBuilder, Ref, RefOr, Required, Schema, Type};
use utoipa::{IntoParams, PartialSchema, ToSchema};

pub(super) const ABOUT: &str = "\
The answer 202 means that every event of the request is safe and will be stored. An event that has an `event_id` is stored once, \
however often it is sent: after an error, send the whole request again.";

pub(super) const BODY: &str = "\
One event, a list of events, `{\"events\":[…]}`, or one event on each line (`application/x-ndjson`, also `application/ndjson` and \
`application/jsonl`). A body without a `Content-Type` is JSON. The body may be compressed: `Content-Encoding` gzip, deflate, br \
or zstd.";

/// The header from which events without ids get their ids.
pub(super) struct IdempotencyKey;

impl IntoParams for IdempotencyKey {
    fn into_params(_: impl Fn() -> Option<ParameterIn>) -> Vec<Parameter> {
        let text = ObjectBuilder::new().schema_type(Type::String).min_length(Some(1)).max_length(Some(200));
        let about = "Events without an id get ids that are made from this key, so that they are stored once however often the \
                     same batch is sent with it.";
        let header = ParameterBuilder::new()
            .name("Idempotency-Key")
            .parameter_in(ParameterIn::Header)
            .required(Required::False)
            .description(Some(about))
            .schema(Some(text));
        vec![header.build()]
    }
}

/// The request body.
pub(super) struct Body;

impl PartialSchema for Body {
    fn schema() -> RefOr<Schema> {
        let event = || Ref::from_schema_name(NewEvent::name());
        let list = || ArrayBuilder::new().items(event()).min_items(Some(1));
        let envelope = ObjectBuilder::new()
            .property("events", list())
            .required("events")
            .additional_properties(Some(AdditionalProperties::FreeForm(false)));
        AnyOfBuilder::new().item(envelope).item(list()).item(event()).into()
    }
}

impl ToSchema for Body {
    fn name() -> std::borrow::Cow<'static, str> {
        "NewEvents".into()
    }

    fn schemas(schemas: &mut Vec<(String, RefOr<Schema>)>) {
        schemas.push((NewEvent::name().into_owned(), NewEvent::schema()));
    }
}

/// An event as clients send it. Its fields are those that [`Field`] names.
struct NewEvent;

impl PartialSchema for NewEvent {
    fn schema() -> RefOr<Schema> {
        let fields = [
            Field::EventId,
            Field::EventType,
            Field::UserId,
            Field::AnonymousId,
            Field::SessionId,
            Field::AccountId,
            Field::OccurredAt,
            Field::Properties,
        ];
        let about =
            "An event. It needs at least one of user id, anonymous id and session id. Unknown fields are kept in `properties`.";
        let event = ObjectBuilder::new().description(Some(about));
        fields.into_iter().fold(event, |event, field| event.property(field.name(), of_field(field))).into()
    }
}

impl ToSchema for NewEvent {}

/// The schema of one field.
fn of_field(field: Field) -> ObjectBuilder {
    let (types, about): (&[Type], _) = match field {
        Field::EventId => (&[Type::String], "Identifies the event. The service generates an id if it is absent."),
        Field::EventType => (&[Type::String], "What happened. The default is `properties.action`."),
        Field::UserId => (&[Type::String, Type::Integer], "Who did it."),
        Field::AnonymousId => (&[Type::String, Type::Integer], "Who did it, if nobody is signed in."),
        Field::SessionId => (&[Type::String, Type::Integer], "The visit during which it happened."),
        Field::AccountId => (&[Type::String, Type::Integer], "The customer or group on whose behalf it happened."),
        Field::OccurredAt => (
            &[Type::String, Type::Number],
            "When it happened: RFC 3339, or seconds or milliseconds since 1970. The default is the time of receipt.",
        ),
        Field::Properties => (&[Type::Object], "Any other data, at most 64 KiB and 32 levels."),
    };
    let others = &field.names()[1..];
    let schema = ObjectBuilder::new()
        .schema_type(types.iter().cloned().chain([Type::Null]).collect::<SchemaType>())
        .description(Some(format!("{about} Also accepted as `{}`.", others.join("`, `"))));
    match field {
        Field::OccurredAt | Field::Properties => schema,
        _ => schema.min_length(Some(1)).max_length(Some(200)),
    }
}

pub(super) fn one() -> Value {
    json!({ "event_type": "page_view", "user_id": "123", "payload": { "page": "/home", "referrer": "google.com" } })
}

pub(super) fn list() -> Value {
    json!([
        { "event_id": "evt_005", "event_type": "login", "user_id": 42, "occurred_at": "2025-11-01T10:00:00Z" },
        { "event_id": "evt_006", "event_type": "logout", "user_id": 42, "occurred_at": "2025-11-01T10:30:00Z" },
    ])
}

pub(super) fn other_names() -> Value {
    json!({ "userId": "12345", "eventType": "bet", "jsonDetails": { "ip": "192.168.1.1", "device": "Chrome" } })
}

pub(super) fn no_type() -> Value {
    json!({ "session_id": "user-123", "payload": { "action": "login", "user": "demo" } })
}

pub(super) fn lines() -> String {
    "{\"event_type\":\"login\",\"user_id\":\"ada\"}\n{\"event_type\":\"logout\",\"user_id\":\"ada\"}\n".to_owned()
}
