//! The five verbs.

use std::fmt;

use hyper::Method;

/// What is wanted of a path. A POST may carry another one (API specification 1.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Verb {
    Get,
    Put,
    Post,
    Patch,
    Delete,
}

impl Verb {
    pub const ALL: [Verb; 5] = [Verb::Get, Verb::Put, Verb::Post, Verb::Patch, Verb::Delete];

    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Verb::Get => "GET",
            Verb::Put => "PUT",
            Verb::Post => "POST",
            Verb::Patch => "PATCH",
            Verb::Delete => "DELETE",
        }
    }

    /// None for HEAD and the rest, which no path knows.
    #[must_use]
    pub fn of(method: &Method) -> Option<Verb> {
        Verb::ALL
            .into_iter()
            .find(|verb| verb.as_str() == method.as_str())
    }

    /// The verb that a POST carries, if it may.
    #[must_use]
    pub fn tunnelled(text: &str) -> Option<Verb> {
        [Verb::Put, Verb::Delete, Verb::Patch]
            .into_iter()
            .find(|verb| verb.as_str().eq_ignore_ascii_case(text))
    }

    /// Whether a body means anything.
    #[must_use]
    pub const fn takes_body(self) -> bool {
        matches!(self, Verb::Put | Verb::Post | Verb::Patch)
    }

    #[must_use]
    pub const fn writes(self) -> bool {
        !matches!(self, Verb::Get)
    }
}

impl fmt::Display for Verb {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
