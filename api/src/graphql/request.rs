//! A GraphQL request, as clients send it over HTTP and in WebSocket messages.

use async_graphql::{Request, Variables};
use serde::Deserialize;
use utoipa::ToSchema;

/// A GraphQL query. Extensions are ignored.
#[derive(Deserialize, ToSchema)]
#[schema(as = GraphQlRequest)]
pub(super) struct SentRequest {
    query: String,
    /// Which operation of the query to run, if there are several.
    #[serde(rename = "operationName")]
    operation_name: Option<String>,
    /// The values of the query's variables, by name.
    #[serde(default)]
    #[schema(value_type = Option<Object>)]
    variables: Variables,
}

/// The response to a GraphQL query.
#[derive(ToSchema)]
#[schema(as = GraphQlResponse)]
#[expect(dead_code, reason = "async-graphql makes the answer")]
pub(super) struct DescribedResponse {
    /// What the query selects, by name; null if it was not run.
    #[schema(value_type = Option<Object>)]
    data: (),
    errors: Option<Vec<DescribedError>>,
}

#[derive(ToSchema)]
#[schema(as = GraphQlError)]
#[expect(dead_code, reason = "async-graphql makes the answer")]
pub(super) struct DescribedError {
    message: String,
    /// The part of `data` that the error belongs to; absent if the query was not run.
    #[schema(value_type = Option<Vec<Object>>)]
    path: (),
    /// `code` as in the errors of other requests, and `errors` if arguments are wrong.
    #[schema(value_type = Object)]
    extensions: (),
}

impl From<SentRequest> for Request {
    fn from(sent: SentRequest) -> Self {
        let mut request = Self::new(sent.query).variables(sent.variables);
        request.operation_name = sent.operation_name;
        request
    }
}
