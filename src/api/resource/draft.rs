//! A document on its way into the store.

use serde_json::{Map, Value};

use crate::documents::DocumentKey;
use crate::documents::schema::FieldError;
use crate::store::{Stored, Write};

/// What is about to be stored, for a resource's rules.
pub struct Draft {
    pub key: DocumentKey,
    /// What is stored now; None: the document is new.
    pub before: Option<Stored>,
    /// The public fields.
    pub body: Map<String, Value>,
    /// The private ones, `pvt_*`: those of before, to be changed here.
    pub private: Map<String, Value>,
    /// Writes that go along with this one, all or none.
    pub also: Vec<Write>,
    /// What is wrong; with any of these nothing is stored.
    pub faults: Vec<FieldError>,
}

impl Draft {
    #[must_use]
    pub fn is_new(&self) -> bool {
        self.before.is_none()
    }

    /// A text of the public fields, by a dotted path.
    #[must_use]
    pub fn text(&self, path: &str) -> Option<&str> {
        text_at(&self.body, path)
    }

    /// The same as it is stored now.
    #[must_use]
    pub fn text_before(&self, path: &str) -> Option<&str> {
        text_at(&self.before.as_ref()?.document.body, path)
    }

    /// Complains about a field.
    pub fn fault(&mut self, field: &str, code: &'static str, message: &str) {
        self.faults.push(FieldError::new(field, code, message));
    }

    /// Complains about a field, naming the value that is wrong.
    pub fn fault_about(
        &mut self,
        field: &str,
        code: &'static str,
        message: &str,
        cause: impl Into<Value>,
    ) {
        self.faults
            .push(FieldError::new(field, code, message).with("cause", cause));
    }
}

fn text_at<'a>(body: &'a Map<String, Value>, path: &str) -> Option<&'a str> {
    let mut parts = path.split('.');
    let first = parts.next().and_then(|part| body.get(part));
    parts.fold(first, |found, part| found?.get(part))?.as_str()
}

/// A change that is on disk.
pub struct Saved {
    /// None: the document is new.
    pub before: Option<Stored>,
    /// None: it was deleted.
    pub after: Option<Stored>,
}
