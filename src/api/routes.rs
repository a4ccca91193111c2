//! Which path is whose: the routes of all resources in one tree.

use std::collections::BTreeMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use super::reply::Outcome;
use super::request::{Asked, Verb};

pub type Answering = Pin<Box<dyn Future<Output = Outcome> + Send>>;
type Handler = Arc<dyn Fn(Asked) -> Answering + Send + Sync>;

/// Who may.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Access {
    /// Whoever has a token that reaches the account in the path.
    #[default]
    Token,
    /// Everybody, without a token.
    Open,
    /// Admins of the account in the path, and everybody from above it.
    Admin,
    /// The master account.
    Superduper,
}

/// What a verb takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Takes {
    #[default]
    Nothing,
    /// Data of a schema.
    Data(&'static str),
    /// Data of no schema.
    Anything,
    /// A file as well.
    Upload,
}

/// What a verb answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Gives {
    #[default]
    Anything,
    /// A document of a schema.
    Item(&'static str),
    /// Rows, which may be wanted as CSV.
    Rows,
    /// Bytes of whatever type is stored.
    Bytes,
}

/// One verb of a route.
#[derive(Clone)]
pub struct On {
    handler: Handler,
    pub access: Access,
    pub takes: Takes,
    pub gives: Gives,
    /// Status of success.
    pub status: u16,
    /// Another status of success, which comes with data of no schema.
    pub also: Option<u16>,
    /// One line for the OpenAPI document.
    pub says: &'static str,
}

impl On {
    /// `says`: what it does, in one line.
    pub fn new<F, R>(says: &'static str, handler: F) -> On
    where
        F: Fn(Asked) -> R + Send + Sync + 'static,
        R: Future<Output = Outcome> + Send + 'static,
    {
        On {
            handler: Arc::new(move |asked| Box::pin(handler(asked))),
            access: Access::default(),
            takes: Takes::default(),
            gives: Gives::default(),
            status: 200,
            also: None,
            says,
        }
    }

    /// The same, answering what is of no schema.
    pub(super) fn plainly(on: &On) -> On {
        on.clone().gives(Gives::Anything)
    }

    #[must_use]
    pub fn also(mut self, status: u16) -> On {
        self.also = Some(status);
        self
    }

    #[must_use]
    pub fn access(mut self, access: Access) -> On {
        self.access = access;
        self
    }

    #[must_use]
    pub fn takes(mut self, takes: Takes) -> On {
        self.takes = takes;
        self
    }

    #[must_use]
    pub fn gives(mut self, gives: Gives) -> On {
        self.gives = gives;
        self
    }

    /// 201 and 202 where success is told so; for the OpenAPI document, and for the reply's own status see `Reply`.
    #[must_use]
    pub fn status(mut self, status: u16) -> On {
        self.status = status;
        self
    }

    /// Whether it does anything: 501 is the status of what is left to a later version.
    #[must_use]
    pub fn is_provided(&self) -> bool {
        self.status != 501
    }

    pub fn answer(&self, asked: Asked) -> impl Future<Output = Outcome> + Send + 'static {
        (self.handler)(asked)
    }
}

/// A path and its verbs.
pub struct Route {
    /// As `/accounts/{account}/devices/{device}`, without `/v2`.
    pub path: String,
    /// The last segment that is no parameter: what rates and the log call it.
    pub endpoint: &'static str,
    pub verbs: BTreeMap<Verb, On>,
}

impl Route {
    /// The verbs, as the Allow header lists them.
    #[must_use]
    pub fn allow(&self) -> String {
        let verbs: Vec<&str> = self.verbs.keys().map(|verb| verb.as_str()).collect();
        verbs.join(", ")
    }

    pub fn get(&mut self, on: On) -> &mut Self {
        self.on(Verb::Get, on)
    }

    pub fn on(&mut self, verb: Verb, on: On) -> &mut Self {
        self.verbs.insert(verb, on);
        self
    }

    pub fn put(&mut self, on: On) -> &mut Self {
        self.on(Verb::Put, on)
    }

    pub fn post(&mut self, on: On) -> &mut Self {
        self.on(Verb::Post, on)
    }

    pub fn patch(&mut self, on: On) -> &mut Self {
        self.on(Verb::Patch, on)
    }

    pub fn delete(&mut self, on: On) -> &mut Self {
        self.on(Verb::Delete, on)
    }
}

/// A step of the tree.
#[derive(Default)]
struct Step {
    literal: BTreeMap<&'static str, Step>,
    parameter: Option<(&'static str, Box<Step>)>,
    route: Option<usize>,
}

/// All routes.
#[derive(Default)]
pub struct Routes {
    routes: Vec<Route>,
    tree: Step,
}

/// A path's route, and what stands for its parameters.
pub type Match<'a> = (&'a Route, Vec<(&'static str, String)>);

impl Routes {
    /// The route of this path, made if there is none yet. Two resources may give verbs to one path.
    pub fn at(&mut self, path: &'static str) -> &mut Route {
        self.below(path, "")
    }

    /// The route of what lies below a path.
    pub fn below(&mut self, path: &'static str, tail: &'static str) -> &mut Route {
        let mut step = &mut self.tree;
        let mut endpoint = "";
        let segments = path.split('/').chain(tail.split('/'));
        let mut whole = String::new();
        for segment in segments.filter(|segment| !segment.is_empty()) {
            whole.push('/');
            whole.push_str(segment);
            let name = segment
                .strip_prefix('{')
                .and_then(|name| name.strip_suffix('}'));
            step = match name {
                Some(name) => {
                    let (_, below) = step.parameter.get_or_insert_with(|| (name, Box::default()));
                    below
                }
                None => {
                    endpoint = segment;
                    step.literal.entry(segment).or_default()
                }
            };
        }
        let index = *step.route.get_or_insert(self.routes.len());
        if index == self.routes.len() {
            self.routes.push(Route {
                path: whole,
                endpoint,
                verbs: BTreeMap::new(),
            });
        }
        #[expect(
            clippy::indexing_slicing,
            reason = "the route was pushed above if it was not there"
        )]
        &mut self.routes[index]
    }

    /// Segment by segment, a name before a parameter.
    #[must_use]
    pub fn find(&self, path: &[String]) -> Option<Match<'_>> {
        let mut parameters = Vec::new();
        let index = walk(&self.tree, path, &mut parameters)?;
        Some((self.routes.get(index)?, parameters))
    }

    pub fn iter(&self) -> impl Iterator<Item = &Route> {
        self.routes.iter()
    }
}

fn walk(step: &Step, path: &[String], found: &mut Vec<(&'static str, String)>) -> Option<usize> {
    let Some((segment, rest)) = path.split_first() else {
        return step.route;
    };
    let literal = step.literal.get(segment.as_str());
    if let Some(index) = literal.and_then(|below| walk(below, rest, found)) {
        return Some(index);
    }
    let (name, below) = step.parameter.as_ref()?;
    let before = found.len();
    found.push((name, segment.clone()));
    let index = walk(below, rest, found);
    if index.is_none() {
        found.truncate(before);
    }
    index
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::reply::Reply;

    fn on() -> On {
        On::new("", |_| async { Ok(Reply::ok(true)) })
    }

    fn path(text: &str) -> Vec<String> {
        text.split('/')
            .filter(|part| !part.is_empty())
            .map(str::to_owned)
            .collect()
    }

    #[test]
    fn names_come_before_parameters() {
        let mut routes = Routes::default();
        routes
            .at("/accounts/{account}/devices/{device}")
            .on(Verb::Get, on());
        routes
            .at("/accounts/{account}/devices/status")
            .on(Verb::Get, on());
        routes
            .at("/accounts/{account}/devices/{device}/sync")
            .post(on());
        routes.at("/accounts/{account}/devices/{device}").put(on());
        let find = |text: &str| {
            let found = routes.find(&path(text));
            found.map(|(route, parameters)| (route.path.clone(), parameters))
        };
        let (route, parameters) = find("accounts/a/devices/status").unwrap();
        assert_eq!(route, "/accounts/{account}/devices/status");
        assert_eq!(parameters, [("account", "a".to_owned())]);
        let (route, parameters) = find("accounts/a/devices/status/sync").unwrap();
        assert_eq!(route, "/accounts/{account}/devices/{device}/sync");
        assert_eq!(parameters[1], ("device", "status".to_owned()));
        assert!(find("accounts/a/devices").is_none());
        assert!(find("accounts/a/devices/d/sync/x").is_none());
        assert!(find("").is_none());
        let (found, _) = routes.find(&path("accounts/a/devices/d")).unwrap();
        assert_eq!(found.allow(), "GET, PUT");
        assert_eq!(found.endpoint, "devices");
    }
}
