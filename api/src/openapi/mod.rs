//! The description of the API as an OpenAPI 3.1 document.
//!
//! It is generated from the code: the router registers each handler together with its description, the
//! parameters are those that the code reads (`parameter`), and the schemas are those of the types of the
//! answers. `refusal` describes the errors, and `example` has the examples of requests.

pub(crate) mod example;
pub(crate) mod parameter;
pub(crate) mod refusal;

use axum::http::header;
use axum::response::IntoResponse;
use axum::{Extension, http::HeaderValue};
use bytes::Bytes;
use utoipa::openapi::security::{ApiKey, ApiKeyValue, HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::openapi::{Components, OpenApi};
use utoipa::{Modify, OpenApi as _};

use self::refusal::Refusal;
use crate::problem::ProblemDetails;

const ABOUT: &str = "\
Rollcall stores events and answers queries about them.

**Keys.** Send an API key in `X-API-Key`, or in `Authorization` as a Bearer token. A key belongs to one project, and every \
answer is about that project only. The scope `ingest` allows sending events, and `read` allows queries; `admin` allows \
everything.

**Time zones.** Days, weeks and months begin and end in the project's time zone. Instants in answers are in UTC.

**Pages.** A list that does not fit into one answer has a `next_cursor`. Send the same request with it as `cursor` to get the next \
page, until `next_cursor` is null. In CSV answers, the header `X-Next-Cursor` contains it.

**Errors** are `application/problem+json` (RFC 9457). Programs should rely on `code`, which does not change. An unknown parameter \
is an error too. If there is a `Retry-After` header, the same request may succeed after that number of seconds.

Every answer has an `X-Request-Id`; a client may send its own.";

/// The parts of the document that all operations share.
#[derive(utoipa::OpenApi)]
#[openapi(
    info(title = "Rollcall", description = ABOUT, license(name = "Apache-2.0", identifier = "Apache-2.0")),
    servers((url = "/", description = "The service that serves this description")),
    tags(
        (name = "events", description = "Send events."),
        (name = "questions", description = "Query the events. Scope `read`."),
        (name = "pipeline", description = "The state of the queue, the workers and single events. Scope `read`."),
        (name = "administration", description = "Projects, keys, and what was changed in them. Scope `admin`."),
        (name = "dead letters", description = "Events that could not be stored: list, redrive and purge them. Scope `admin`."),
        (name = "service", description = "The state of the service, and this description. These paths need no key."),
    ),
    components(schemas(ProblemDetails)),
    modifiers(&Additions),
)]
struct Frame;

/// Additions that the macro cannot express.
struct Additions;

impl Modify for Additions {
    fn modify(&self, openapi: &mut OpenApi) {
        let components = openapi.components.get_or_insert_with(Components::default);
        let api_key = ApiKey::Header(ApiKeyValue::new("X-API-Key"));
        components.security_schemes.insert("api_key".to_owned(), SecurityScheme::ApiKey(api_key).into());
        let bearer = HttpBuilder::new().scheme(HttpAuthScheme::Bearer).build();
        components.security_schemes.insert("bearer".to_owned(), SecurityScheme::Http(bearer).into());
        for refusal in Refusal::all() {
            components.responses.insert(refusal.name().to_owned(), refusal.response().into());
        }
    }
}

/// The document as it is served.
#[derive(Clone)]
pub(crate) struct Document(Bytes);

impl Document {
    /// The document of these operations.
    pub(crate) fn of(operations: impl IntoIterator<Item = OpenApi>) -> Self {
        let mut openapi = Frame::openapi();
        for operations in operations {
            openapi.merge(operations);
        }
        // All types of a document can be written as JSON.
        Self(openapi.to_pretty_json().unwrap_or_default().into())
    }

    /// Its text.
    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.0).into_owned()
    }
}

/// `GET /openapi.json`
#[utoipa::path(
    get,
    path = "/openapi.json",
    operation_id = "openapi_document",
    tag = "service",
    summary = "This description",
    responses((status = 200, description = "An OpenAPI 3.1 document.", body = Object)),
)]
pub(crate) async fn openapi_document(Extension(document): Extension<Document>) -> impl IntoResponse {
    ([(header::CONTENT_TYPE, HeaderValue::from_static("application/json"))], document.0)
}
