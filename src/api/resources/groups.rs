//! Groups of users and devices that ring together.

use super::flags;
use crate::api::resource::StoredResource;
use crate::api::routes::Routes;
use crate::documents::DocumentType;

const GROUPS: StoredResource = StoredResource {
    summary: |_, row| Ok(Some(flags::with(row, &["id", "name", "endpoints"]))),
    ..StoredResource::plain(DocumentType::Group, "groups")
};

pub(super) fn routes(routes: &mut Routes) {
    GROUPS.routes(
        routes,
        "/accounts/{account}/groups",
        "/accounts/{account}/groups/{group}",
    );
}
