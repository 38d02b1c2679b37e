//! One parameter: the names under which clients may send it, and what it means.

/// A query or path parameter. It is declared once, next to the code that reads it, and the API's description
/// is generated from the same declaration.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Param {
    /// The name in the description, and further names that are accepted.
    pub(crate) names: &'static [&'static str],
    /// Its meaning, in one or two sentences for the description.
    pub(crate) about: &'static str,
}

impl Param {
    /// A parameter of these names.
    pub(crate) const fn new(names: &'static [&'static str], about: &'static str) -> Self {
        Self { names, about }
    }

    /// The name in the description.
    pub(crate) const fn name(self) -> &'static str {
        self.names[0]
    }
}
