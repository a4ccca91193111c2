//! Lists of numbers and names for callflows to compare with.

use super::flags;
use crate::api::resource::StoredResource;
use crate::api::routes::Routes;
use crate::documents::DocumentType;

const LISTS: StoredResource = StoredResource {
    summary: |_, row| Ok(Some(flags::with(row, &["id", "name"]))),
    ..StoredResource::plain(DocumentType::List, "lists")
};

pub(super) fn routes(routes: &mut Routes) {
    LISTS.routes(
        routes,
        "/accounts/{account}/lists",
        "/accounts/{account}/lists/{list}",
    );
}
