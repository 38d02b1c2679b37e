//! Event rules: what a project demands of its events in addition to what every event must meet.
//!
//! There are two rules. The properties of an event type may have to match a JSON Schema (`schema`, `project_schemas`),
//! and a project that has as many event types as it may gets no further ones (`known_types`). Most projects have
//! neither. A grant says whether its project has rules, and in which version ([`RulesVersion`]), because that is read
//! together with the key. So the events of most projects are not even looked at here, and a change of the rules is seen
//! as soon as a change of a key.
//!
//! [`RuleBook`] keeps the rules of projects in memory, and reads them when their version is new (`latest`).
//! [`Checking`] applies them to the events of one request. `violations` counts what does not match a schema, and
//! writes the counts to the database.

mod book;
mod check;
mod known_types;
mod latest;
mod project_schemas;
mod schema;
mod version;
mod violations;

pub(crate) use self::book::{EventRules, RuleBook};
pub(crate) use self::check::{Check, Checking, MAX_LOCATED, Subject};
pub(crate) use self::project_schemas::Mode;
pub(crate) use self::schema::{CompiledSchema, Flaw};
pub(crate) use self::version::RulesVersion;
pub(crate) use self::violations::Violations;
