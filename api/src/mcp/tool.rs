//! The tools: one for each question, with its name, its parameters and its answer.

use std::sync::Arc;

use futures::FutureExt;
use futures::future::BoxFuture;
use rmcp::model::{Tool, ToolAnnotations};
use serde_json::Value;

use super::refusal::Refusal;
use super::schema;
use crate::auth::{Project, Zone};
use crate::error::ApiError;
use crate::parameters::{Described, Parameters};
use crate::query::Answering;
use crate::query::question::{self, Question, Visitor};

/// Maximum size of an answer in bytes. A token of an assistant has about four bytes, and few assistants
/// accept more tokens in one result.
const MAX_ANSWER_BYTES: usize = 100_000;

/// Answers the question of a tool for a project.
pub(super) type Ask = fn(Answering, Arc<Project>, Vec<(String, String)>) -> BoxFuture<'static, Result<Value, Refusal>>;

/// The descriptions of all tools, for a project in this time zone.
pub(super) fn all(zone: &Zone) -> Vec<Tool> {
    struct Tools<'z>(&'z Zone, Vec<Tool>);

    impl Visitor for Tools<'_> {
        fn visit<Q: Question>(&mut self) {
            self.1.push(tool::<Q>(self.0));
        }
    }

    let mut tools = Tools(zone, Vec::new());
    question::each(&mut tools);
    tools.1
}

/// The function of the tool with this name, if there is one.
pub(super) fn named(name: &str) -> Option<Ask> {
    struct Named<'n>(&'n str, Option<Ask>);

    impl Visitor for Named<'_> {
        fn visit<Q: Question>(&mut self) {
            if Q::ID == self.0 {
                self.1 = Some(ask::<Q>);
            }
        }
    }

    let mut named = Named(name, None);
    question::each(&mut named);
    named.1
}

fn tool<Q: Question>(zone: &Zone) -> Tool {
    let about =
        format!("{} Days begin and end in the time zone {}; instants are in UTC unless they say otherwise.", Q::ABOUT, zone.name);
    let annotations = ToolAnnotations::new().read_only(true).open_world(false);
    let tool = Tool::new(Q::ID, about, Arc::new(schema::of_arguments(&parameters::<Q>(zone))))
        .with_title(Q::SUMMARY)
        .with_annotations(annotations);
    match schema::of_answer::<Q::Answer>() {
        Some(schema) => tool.with_raw_output_schema(Arc::new(schema)),
        None => tool,
    }
}

fn ask<Q: Question>(
    answering: Answering,
    project: Arc<Project>,
    mut pairs: Vec<(String, String)>,
) -> BoxFuture<'static, Result<Value, Refusal>> {
    async move {
        let zone = project.zone()?;
        if let Some(limit) = schema::default_limit(&parameters::<Q>(zone))
            && !pairs.iter().any(|(name, _)| name == schema::LIMIT)
        {
            pairs.push((schema::LIMIT.to_owned(), limit.to_string()));
        }
        let answer = question::answer::<Q>(answering, project.clone(), Parameters::of_pairs(pairs)).await?;
        let text = serde_json::to_string(&answer).map_err(ApiError::internal)?;
        if text.len() > MAX_ANSWER_BYTES {
            return Err(Refusal::TooLarge { bytes: text.len(), limit: MAX_ANSWER_BYTES });
        }
        let mut answer: Value = serde_json::from_str(&text).map_err(ApiError::internal)?;
        answer[schema::TIME_ZONE] = Value::from(zone.name.as_str());
        Ok(answer)
    }
    .boxed()
}

fn parameters<Q: Question>(zone: &Zone) -> Vec<Described> {
    Parameters::describe(|parameters| Q::take(parameters, zone))
}
