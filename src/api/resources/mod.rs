//! The resources, one file each.
//!
//! To add one: a file here with `pub(super) fn routes(routes: &mut Routes)`, and its line below. A kind of document is a
//! [`StoredResource`](super::resource::StoredResource) value,
//!
//! ```ignore
//! const MENUS: StoredResource = StoredResource {
//!     summary: |_, row| Ok(Some(pick(row, &["id", "name", "flags"]))),
//!     rules: |request, draft| { ... draft.fault("numbers", "required", "..."); Ok(()) },
//!     ..StoredResource::plain(DocumentType::Menu, "menus")
//! };
//!
//! pub(super) fn routes(routes: &mut Routes) {
//!     MENUS.routes(routes, "/accounts/{account}/menus", "/accounts/{account}/menus/{menu}");
//!     routes.at("/accounts/{account}/menus/{menu}/x").get(On::new("What it does, in a line", x).gives(Gives::Rows));
//! }
//!
//! async fn x(asked: Asked) -> Outcome {
//!     let menu = asked.document(DocumentType::Menu, "menu")?;   // 404 if there is none
//!     Ok(Reply::rows(vec![]))                                   // Reply::ok, created (201), accepted (202), bytes
//! }
//! ```
//!
//! Path parameters are `{account}` (always this name: the protocol checks it against the caller), `{user}`, `{device}` and
//! so on; the same place in a path must have the same name in every file.

mod about;
mod accounts;
mod api_auth;
mod attaching;
mod callflows;
mod carriers;
mod channel_actions;
mod channels;
mod conferences;
mod connectivity;
mod contact;
mod device_data;
mod devices;
mod directories;
mod expressions;
mod flags;
mod gateways;
mod groups;
mod intercept;
mod limits;
mod lists;
mod media;
mod menus;
mod messages;
mod metadata;
mod number_collection;
mod openapi;
mod ownership;
mod phone_numbers;
mod phones;
mod photos;
mod pivot;
mod private_networks;
mod quickcall;
mod recordings;
mod registrations;
mod ringing;
mod schemas;
mod temporal_rules;
mod token_auth;
mod tree;
mod user_auth;
mod user_login;
mod users;
mod vmboxes;
mod webhooks;

use super::routes::Routes;

/// All routes.
#[must_use]
pub fn routes() -> Routes {
    let mut routes = Routes::default();
    let resources: &[fn(&mut Routes)] = &[
        about::routes,
        accounts::routes,
        api_auth::routes,
        callflows::routes,
        carriers::routes,
        channels::routes,
        conferences::routes,
        connectivity::routes,
        devices::routes,
        directories::routes,
        gateways::routes,
        groups::routes,
        limits::routes,
        lists::routes,
        media::routes,
        menus::routes,
        messages::routes,
        openapi::routes,
        number_collection::routes,
        phone_numbers::routes,
        photos::routes,
        pivot::routes,
        quickcall::routes,
        recordings::routes,
        registrations::routes,
        schemas::routes,
        temporal_rules::routes,
        token_auth::routes,
        user_auth::routes,
        users::routes,
        vmboxes::routes,
        webhooks::routes,
    ];
    for add in resources {
        add(&mut routes);
    }
    routes
}
