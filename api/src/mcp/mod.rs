//! `/mcp`: the questions as tools for assistants, by the Model Context Protocol over streamable HTTP.
//!
//! `endpoint` handles the HTTP request, `server` answers its message, `tool` offers each question as a tool
//! with the schemas of `schema`, `arguments` turns the arguments of a call into parameters, and `refusal`
//! defines the errors of a call.
//!
//! The API keeps no state between requests, so any replica can answer any request.

mod arguments;
mod endpoint;
mod refusal;
mod schema;
mod server;
mod tool;

pub(crate) use self::endpoint::endpoint;
