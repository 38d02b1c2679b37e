//! `/mcp`: the questions as tools for assistants, by the Model Context Protocol over streamable HTTP.
//!
//! `endpoint` takes the HTTP request, `server` answers its message, `tool` makes a tool of each question
//! with the schemas of `schema`, `arguments` turns the arguments of a call into parameters, and `refusal`
//! is why a call fails.
//!
//! Nothing is kept between requests, so that any replica can answer any of them.

mod arguments;
mod endpoint;
mod refusal;
mod schema;
mod server;
mod tool;

pub(crate) use self::endpoint::endpoint;
