//! One parameter: the names under which clients may send it, and what it means.

/// A query or path parameter. Declared once, beside the code that takes it; the API's description is
/// made from the same declaration.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Param {
    /// The name in the description, and further names that are accepted.
    pub(crate) names: &'static [&'static str],
    /// What it means, in one or two sentences for the description.
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
