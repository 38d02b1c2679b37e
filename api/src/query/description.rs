//! The routes of a question with their descriptions.

use axum::extract::{FromRef, FromRequestParts};
use axum::http::HeaderMap;
use axum::routing::get;
use utoipa::openapi::header::HeaderBuilder;
use utoipa::openapi::path::{HttpMethod, OperationBuilder, Paths, PathsBuilder};
use utoipa::openapi::{
    ContentBuilder, PathItem, Ref, RefOr, Response, ResponseBuilder, ResponsesBuilder, Schema, SecurityRequirement,
};
use utoipa::{PartialSchema, ToSchema};
use utoipa_axum::router::OpenApiRouter;

use super::format::{Format, NEXT_CURSOR};
use super::question::{Answer, Answering, Question, ask};
use crate::auth::{KeyCheck, Zone};
use crate::error::ApiError;
use crate::openapi::{example, parameter, refusal};
use crate::parameters::{Described, Parameters};

/// The routes of a question, with their descriptions.
pub(crate) fn routes<Q: Question, S>() -> OpenApiRouter<S>
where
    S: Clone + Send + Sync + 'static,
    Answering: FromRef<S>,
    KeyCheck: FromRequestParts<S, Rejection = ApiError>,
{
    let paths = std::iter::once(&Q::PATH).chain(Q::OTHER_PATHS).enumerate();
    paths.fold(OpenApiRouter::new(), |router, (index, path)| {
        let mut schemas = vec![(Q::Answer::name().into_owned(), Q::Answer::schema())];
        Q::Answer::schemas(&mut schemas);
        router.routes((schemas, described::<Q>(path, index), get(ask::<Q>)))
    })
}

/// All parameters of a question.
pub(crate) fn parameters<Q: Question>() -> Vec<Described> {
    // The parameters do not depend on the time zone.
    let Ok(zone) = Zone::named("UTC".to_owned()) else { return Vec::new() };
    Parameters::describe(|parameters| {
        Q::take(parameters, &zone);
        if Q::Answer::IS_TABLE {
            Format::take(parameters, &HeaderMap::new());
        }
    })
}

/// The description of one path of the question.
fn described<Q: Question>(path: &str, index: usize) -> Paths {
    let parameters = parameters::<Q>();
    let is_paged = parameters.iter().any(|described| described.param.name() == "cursor");
    let is_about_one = path.contains('{');
    let responses =
        ResponsesBuilder::new().response("200", answer::<Q>(is_paged)).responses_from_into_responses::<refusal::WithKey>();
    let responses = if Q::READS_ROWS { responses.responses_from_into_responses::<refusal::Conflicting>() } else { responses };
    let responses = if is_about_one { responses.responses_from_into_responses::<refusal::NoSuch>() } else { responses };
    let responses =
        if Q::NEEDS_WHOLE_PERIOD { responses.responses_from_into_responses::<refusal::OfPeriod>() } else { responses };
    let operation = OperationBuilder::new()
        .operation_id(Some(if index == 0 { Q::ID.to_owned() } else { format!("{}_{}", Q::ID, index + 1) }))
        .tag("questions")
        .summary(Some(Q::SUMMARY))
        .description(Some(Q::ABOUT))
        .parameters(Some(parameter::listed(path, &parameters)))
        .securities(Some(["api_key", "bearer"].map(|scheme| SecurityRequirement::new(scheme, ["read"]))))
        .responses(responses.build());
    PathsBuilder::new().path(path, PathItem::new(HttpMethod::Get, operation)).build()
}

fn answer<Q: Question>(is_paged: bool) -> Response {
    let schema = RefOr::<Schema>::Ref(Ref::from_schema_name(Q::Answer::name()));
    let json = ContentBuilder::new().schema(Some(schema)).example(example::of_answer(Q::ID)).build();
    let response = ResponseBuilder::new().description("The answer.").content("application/json", json);
    if !Q::Answer::IS_TABLE {
        return response.build();
    }
    let csv = ContentBuilder::new().schema(Some(String::schema())).build();
    let response = response.content("text/csv", csv);
    if !is_paged {
        return response.build();
    }
    let cursor = HeaderBuilder::new().description(Some("The next page, where the answer is CSV.")).schema(Some(String::schema()));
    response.header(NEXT_CURSOR, cursor.build()).build()
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::query::question::{Visitor, each};

    /// Compares the document's description of each question with the question.
    struct Comparison(Value);

    impl Visitor for Comparison {
        fn visit<Q: Question>(&mut self) {
            let mut schemas = vec![(Q::Answer::name().into_owned(), Q::Answer::schema())];
            Q::Answer::schemas(&mut schemas);
            for (name, schema) in schemas {
                assert_eq!(self.0["components"]["schemas"][&name], json!(schema), "two schemas have the name {name}");
            }
            let listed = &self.0["paths"][Q::PATH]["get"]["parameters"];
            let parameters = parameters::<Q>();
            assert_eq!(listed.as_array().unwrap().len(), parameters.len(), "{}", Q::ID);
            for (listed, described) in listed.as_array().unwrap().iter().zip(parameters) {
                assert_eq!(listed["name"], described.param.name());
                assert_eq!(listed["schema"], described.schema, "{} of {}", described.param.name(), Q::ID);
            }
        }
    }

    #[test]
    fn schemas_of_answers_and_parameters_are_those_of_the_code() {
        let document = serde_json::from_str(&crate::openapi()).unwrap();
        each(&mut Comparison(document));
    }
}
