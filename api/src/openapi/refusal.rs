//! Error responses in the description.
//!
//! Each status is described once, among the components. A handler names the sets that apply to it.

use std::collections::BTreeMap;

use strum::VariantArray;
use utoipa::openapi::{ContentBuilder, HeaderBuilder, Ref, RefOr, Response, ResponseBuilder};
use utoipa::{IntoResponses, PartialSchema};

/// The status of an error response.
#[derive(Debug, Clone, Copy, PartialEq, Eq, strum::IntoStaticStr, strum::VariantArray)]
pub(crate) enum Refusal {
    BadRequest,
    Unauthorized,
    Forbidden,
    NotFound,
    BodyTimeout,
    Conflict,
    TooLarge,
    UnsupportedMediaType,
    InvalidEvents,
    InvalidFields,
    Expired,
    TooManyRequests,
    InternalError,
    Unavailable,
}

impl Refusal {
    pub(super) fn all() -> &'static [Self] {
        Self::VARIANTS
    }

    /// Its name among the components.
    pub(super) fn name(self) -> &'static str {
        self.into()
    }

    fn status(self) -> &'static str {
        match self {
            Self::BadRequest => "400",
            Self::Unauthorized => "401",
            Self::Forbidden => "403",
            Self::NotFound => "404",
            Self::BodyTimeout => "408",
            Self::Conflict => "409",
            Self::TooLarge => "413",
            Self::UnsupportedMediaType => "415",
            Self::InvalidEvents | Self::InvalidFields | Self::Expired => "422",
            Self::TooManyRequests => "429",
            Self::InternalError => "500",
            Self::Unavailable => "503",
        }
    }

    fn about(self) -> &'static str {
        match self {
            Self::BadRequest => {
                "The parameters, or the body as a whole, cannot be read. `errors` lists every parameter that is wrong."
            }
            Self::Unauthorized => "The key is missing or unknown.",
            Self::Forbidden => "The key lacks the scope, or governs another project.",
            Self::NotFound => "Nothing has this id.",
            Self::BodyTimeout => "The body did not arrive in time.",
            Self::Conflict => {
                "The state of the project or the key does not allow this, or rows that the answer needs are archived and not in the \
                 database; `code` says why."
            }
            Self::TooLarge => {
                "The body has too many bytes or events, with the limit in `limit_bytes` or `limit_events`, or its events take too \
                 long to check against their schemas."
            }
            Self::UnsupportedMediaType => "The content type or encoding is not supported.",
            Self::InvalidEvents => {
                "At least one event is invalid, and no event of the batch was queued. `errors` lists the problems."
            }
            Self::InvalidFields => "Fields of the body are invalid, and nothing was changed. `errors` lists them.",
            Self::Expired => {
                "Events or counts of the first days of the period were deleted. The first day that can be asked about is in \
                 `kept_from`."
            }
            Self::TooManyRequests => {
                "The key or the project sends more in a second than it may, or has too many requests in progress. `limit` names the \
                 limit on a rate. Try again after `Retry-After` seconds."
            }
            Self::InternalError => "Something went wrong in the service. Its log has the details under the request id.",
            Self::Unavailable => {
                "The database or the queue is away, busy or full, or the answer takes too long. If there is a `Retry-After`, try \
                 again after so many seconds."
            }
        }
    }

    /// Its description among the components.
    pub(super) fn response(self) -> Response {
        let schema = Ref::from_schema_name("Problem");
        let content = ContentBuilder::new().schema(Some(schema)).build();
        let response = ResponseBuilder::new().description(self.about()).content("application/problem+json", content);
        match self {
            Self::TooManyRequests | Self::Unavailable => {
                let seconds = HeaderBuilder::new().description(Some("Seconds after which to try again."));
                response.header("Retry-After", seconds.schema(Some(u32::schema())).build()).build()
            }
            _ => response.build(),
        }
    }
}

macro_rules! sets {
    ($($(#[$about:meta])* $set:ident: [$($refusal:ident),+];)+) => {
        $(
            $(#[$about])*
            pub(crate) struct $set;

            impl IntoResponses for $set {
                fn responses() -> BTreeMap<String, RefOr<Response>> {
                    [$(Refusal::$refusal),+]
                        .map(|refusal| (refusal.status().to_owned(), Ref::from_response_name(refusal.name()).into()))
                        .into()
                }
            }
        )+
    };
}

sets! {
    /// For every request that needs a key.
    WithKey: [BadRequest, Unauthorized, Forbidden, TooManyRequests, InternalError, Unavailable];
    /// For requests about one thing.
    NoSuch: [NotFound];
    /// For requests with a query in the body.
    WithQuery: [BodyTimeout, TooLarge, UnsupportedMediaType];
    /// For requests with fields in the body.
    WithFields: [BodyTimeout, TooLarge, UnsupportedMediaType, InvalidFields];
    /// For changes that the state of something may not allow, and answers that need rows.
    Conflicting: [Conflict];
    /// For questions about a period.
    OfPeriod: [Expired];
    /// For requests with events in the body.
    WithBody: [BodyTimeout, TooLarge, UnsupportedMediaType, InvalidEvents];
}
