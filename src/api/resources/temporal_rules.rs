//! Temporal rules: spans of time that come again.

use super::flags;
use crate::api::resource::StoredResource;
use crate::api::routes::Routes;
use crate::documents::DocumentType;

const TEMPORAL_RULES: StoredResource = StoredResource {
    summary: |_, row| Ok(Some(flags::with(row, &["id", "name", "type"]))),
    ..StoredResource::plain(DocumentType::TemporalRule, "temporal_rules")
};

pub(super) fn routes(routes: &mut Routes) {
    TEMPORAL_RULES.routes(
        routes,
        "/accounts/{account}/temporal_rules",
        "/accounts/{account}/temporal_rules/{temporal_rule}",
    );
}
