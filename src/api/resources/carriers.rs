//! `/resources`: carriers, the installation's and those of accounts.

use std::sync::Arc;

use super::expressions;
use crate::api::reply::Refusal;
use crate::api::request::{Asked, Request};
use crate::api::resource::{Draft, Mode, StoredResource, create, fetch, pick, remove, rows, save};
use crate::api::routes::{Access, Gives, On, Routes, Takes};
use crate::documents::DocumentType;

const LOCAL: StoredResource = StoredResource {
    summary: |_, row| {
        let fields = ["id", "name", "enabled", "weight_cost", "classifiers"];
        Ok(Some(pick(row, &fields)))
    },
    rules,
    ..StoredResource::plain(DocumentType::Resource, "resources")
};

const GLOBAL: StoredResource = StoredResource {
    read: Access::Superduper,
    write: Access::Superduper,
    ..LOCAL
};

pub(super) fn routes(routes: &mut Routes) {
    LOCAL.routes(
        routes,
        "/accounts/{account}/resources",
        "/accounts/{account}/resources/{resource}",
    );
    // the older names
    LOCAL.routes(
        routes,
        "/accounts/{account}/local_resources",
        "/accounts/{account}/local_resources/{resource}",
    );
    GLOBAL.routes(routes, "/resources", "/resources/{resource}");
    GLOBAL.routes(routes, "/global_resources", "/global_resources/{resource}");
    within_an_account(routes);
}

/// The installation's carriers under an account's path, as an older client asks for them.
fn within_an_account(routes: &mut Routes) {
    let gives = |on: On| {
        on.access(Access::Superduper)
            .gives(Gives::Item("resources"))
    };
    routes
        .at("/accounts/{account}/global_resources")
        .get(
            On::new("List", |asked| async move {
                rows(&GLOBAL, &installation(&asked)).await
            })
            .access(Access::Superduper)
            .gives(Gives::Rows),
        )
        .put(
            gives(On::new("Create", |asked| async move {
                create(&GLOBAL, installation(&asked)).await
            }))
            .takes(Takes::Data("resources"))
            .status(201),
        );
    routes
        .at("/accounts/{account}/global_resources/{resource}")
        .get(gives(On::new("Fetch", |asked| async move {
            fetch(&GLOBAL, &installation(&asked), "resource")
        })))
        .post(
            gives(On::new("Replace", |asked| async move {
                save(&GLOBAL, installation(&asked), Mode::Replace("resource")).await
            }))
            .takes(Takes::Data("resources")),
        )
        .patch(
            gives(On::new("Change some fields", |asked| async move {
                save(&GLOBAL, installation(&asked), Mode::Patch("resource")).await
            }))
            .takes(Takes::Anything),
        )
        .delete(gives(On::new("Delete", |asked| async move {
            remove(&GLOBAL, installation(&asked), "resource").await
        })));
}

/// The same request, for documents that belong to no account.
fn installation(asked: &Asked) -> Asked {
    let mut request = Request::clone(asked);
    request.account = None;
    Arc::new(request)
}

fn rules(_: &Request, draft: &mut Draft) -> Result<(), Refusal> {
    for field in ["rules", "cid_rules", "rules_test"] {
        expressions::check(draft, field);
    }
    Ok(())
}
