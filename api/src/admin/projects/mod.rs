//! Projects: `/admin/projects` makes, lists and changes them. Nothing deletes one.

pub(crate) mod change;
pub(crate) mod create;
pub(crate) mod list;
mod name;
mod project;
mod zone;

pub(super) use self::project::id_of;
