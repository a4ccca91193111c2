//! Directories: names that callers may spell.

use super::flags;
use crate::api::resource::StoredResource;
use crate::api::routes::Routes;
use crate::documents::DocumentType;

const DIRECTORIES: StoredResource = StoredResource {
    summary: |_, row| Ok(Some(flags::with(row, &["id", "name"]))),
    ..StoredResource::plain(DocumentType::Directory, "directories")
};

pub(super) fn routes(routes: &mut Routes) {
    DIRECTORIES.routes(
        routes,
        "/accounts/{account}/directories",
        "/accounts/{account}/directories/{directory}",
    );
}
