//! A stored resource: what all kinds of documents have in common under the API.
//!
//! A kind of document is a [`StoredResource`] value in its own file of `resources/`; [`StoredResource::routes`] gives it
//! a collection (GET, PUT) and items (GET, POST, PATCH, DELETE) with everything that the protocol wants: schema and
//! defaults, uniqueness, revisions, `If-Match`, filters, pages.

mod draft;
mod history;
mod public;
mod read;
mod remove;
mod revision;
mod save;

use std::future::Future;
use std::pin::Pin;

use serde_json::{Map, Value};

pub use draft::{Draft, Saved};
pub use public::{merged, pick, private, public, shown, stored_name};
pub use read::{fetch, rows};
pub use remove::remove;
pub use revision::{matches, revision};
pub use save::{Mode, create, fresh_id, insert, save};

use super::listing::Row;
use super::reply::Refusal;
use super::request::{Asked, Request, Verb};
use super::routes::{Access, Gives, On, Routes, Takes};
use crate::documents::DocumentType;
use crate::store::Stored;

/// What is to be done once a change is on disk.
pub type After = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Adds to what is shown of a document, or takes from it.
pub type View = fn(&Request, &Stored, shown: &mut Map<String, Value>) -> Result<(), Refusal>;

/// A kind of document under the API: its schema, and hooks that do nothing unless they are given. A value of it is a
/// `const` with the fields that differ and `..StoredResource::plain(KIND, SCHEMA)`.
#[derive(Clone, Copy)]
pub struct StoredResource {
    pub kind: DocumentType,
    /// Name of the schema that data must fit and defaults come from.
    pub schema: &'static str,
    /// The verbs that items have.
    pub verbs: &'static [Verb],
    /// Who may write; reading wants a token only.
    pub write: Access,
    /// Who may read.
    pub read: Access,
    /// The row of a listing.
    pub summary: fn(&Request, &Row<'_>) -> Result<Option<Value>, Refusal>,
    /// Before the schema: brings what was sent into the form that is stored (API specification 5.2, step 3). `data` is
    /// whatever a client sent, of any type.
    pub normalise: fn(&Request, data: &mut Map<String, Value>),
    /// After the schema: what one schema can't say (step 6). Complaints go into [`Draft::faults`], together with the
    /// schema's own; when there are any of those, `body` is what was sent and may have any shape.
    pub rules: fn(&Request, &mut Draft) -> Result<(), Refusal>,
    /// What is shown beyond or instead of the stored public fields.
    pub view: View,
    /// Whether a document may go.
    pub deletable: fn(&Request, &Stored) -> Result<(), Refusal>,
    /// What follows a change that is on disk: phones to be told, registrations to drop. The answer waits for it.
    pub saved: fn(Asked, Saved) -> After,
}

impl StoredResource {
    /// A resource without hooks; its summary is id and name.
    #[must_use]
    pub const fn plain(kind: DocumentType, schema: &'static str) -> Self {
        Self {
            kind,
            schema,
            verbs: &[Verb::Get, Verb::Post, Verb::Patch, Verb::Delete],
            write: Access::Token,
            read: Access::Token,
            summary: |_, row| Ok(Some(pick(row, &["id", "name"]))),
            normalise: |_, _| {},
            rules: |_, _| Ok(()),
            view: |_, _, _| Ok(()),
            deletable: |_, _| Ok(()),
            saved: |_, _| Box::pin(std::future::ready(())),
        }
    }

    /// Gives the resource its paths: `collection` as `/accounts/{account}/devices`, `item` as
    /// `/accounts/{account}/devices/{device}`. Paths without an account are the installation's own documents.
    pub fn routes(
        &'static self,
        routes: &mut Routes,
        collection: &'static str,
        item: &'static str,
    ) {
        let parameter = item
            .rsplit('{')
            .next()
            .unwrap_or_default()
            .trim_end_matches('}');
        routes
            .at(collection)
            .get(
                On::new("List", move |asked| async move { rows(self, &asked).await })
                    .access(self.read)
                    .gives(Gives::Rows),
            )
            .put(
                On::new(
                    "Create",
                    move |asked| async move { create(self, asked).await },
                )
                .access(self.write)
                .takes(Takes::Data(self.schema))
                .gives(Gives::Item(self.schema))
                .status(201),
            );
        self.history_routes(routes, item, parameter);
        for verb in self.verbs {
            let on = match verb {
                Verb::Get => On::new("Fetch", move |asked| async move {
                    fetch(self, &asked, parameter)
                })
                .access(self.read),
                Verb::Post => On::new("Replace", move |asked| async move {
                    save(self, asked, Mode::Replace(parameter)).await
                })
                .access(self.write)
                .takes(Takes::Data(self.schema)),
                Verb::Patch => On::new("Change some fields", move |asked| async move {
                    save(self, asked, Mode::Patch(parameter)).await
                })
                .access(self.write)
                .takes(Takes::Anything),
                Verb::Delete => On::new("Delete", move |asked| async move {
                    remove(self, asked, parameter).await
                })
                .access(self.write),
                Verb::Put => continue,
            };
            routes
                .at(item)
                .on(*verb, on.gives(Gives::Item(self.schema)));
        }
    }
}
