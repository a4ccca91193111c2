//! Menus: what callers hear, and how often they may choose.

use super::flags;
use crate::api::resource::StoredResource;
use crate::api::routes::Routes;
use crate::documents::DocumentType;

const MENUS: StoredResource = StoredResource {
    summary: |_, row| Ok(Some(flags::with(row, &["id", "name", "type"]))),
    ..StoredResource::plain(DocumentType::Menu, "menus")
};

pub(super) fn routes(routes: &mut Routes) {
    MENUS.routes(
        routes,
        "/accounts/{account}/menus",
        "/accounts/{account}/menus/{menu}",
    );
}
