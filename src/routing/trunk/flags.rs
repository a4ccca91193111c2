//! Flags that a carrier has to have for a call (trunkstore specification 3.6).

use super::hosted::Calling;
use super::leaving::Behalf;
use super::request::Request;
use crate::documents::Account;
use crate::routing::Explain;
use crate::types::AccountId;

/// A call as dynamic flags and invite parameters look at it.
#[derive(Clone, Copy)]
pub struct Facts<'a, 'r> {
    pub request: &'a Request<'r>,
    pub account_id: &'a AccountId,
    /// The server that calls, or that the call was for; or the account's device.
    pub behalf: Behalf<'a>,
    /// The number that is called.
    pub number: &'a str,
}

impl Facts<'_, '_> {
    /// The value of a name; None: nobody knows it, or it is empty.
    #[must_use]
    pub fn lookup(&self, name: &str) -> Option<String> {
        let request = self.request;
        let value = match name {
            "zone" => request.trunk().zone.as_deref(),
            "from_user" => Some(request.from_user),
            "to_user" => Some(request.to_user),
            "caller_id_number" => Some(&*request.caller.number),
            "callee_id_number" => Some(self.number),
            "account_id" => Some(self.account_id.as_str()),
            "authorizing_id" => Some(self.behalf.authorizing_id()),
            "owner_id" => (request.variable)("lf_owner_id"),
            _ => name.strip_prefix("custom_channel_vars.").and_then(|key| {
                let ours = (request.variable)(&format!("lf_{key}"));
                // Kazoo's own spelling: `Account-ID`.
                let spelt = || {
                    let plain = key.to_ascii_lowercase().replace('-', "_");
                    (request.variable)(&format!("lf_{plain}"))
                };
                ours.or_else(|| (request.variable)(key)).or_else(spelt)
            }),
        };
        value.filter(|value| !value.is_empty()).map(str::to_owned)
    }
}

/// The flags of a call; each once.
#[must_use]
pub fn of_call(facts: &Facts<'_, '_>, account: &Account, explain: &mut dyn Explain) -> Vec<String> {
    let mut flags: Vec<String> = Vec::new();
    let mut add = |flag: String| {
        if !flag.is_empty() && !flags.contains(&flag) {
            flags.push(flag);
        }
    };
    let (fixed, dynamic): (Vec<&str>, Vec<&str>) = match facts.behalf {
        Behalf::Server(calling) => {
            let (fixed, dynamic) = own(calling);
            (texts(fixed), texts(dynamic))
        }
        Behalf::Account(leaving) => (texts(leaving.flags), texts(leaving.dynamic_flags)),
    };
    let wide = account.attributes.outbound_flags.as_deref();
    let wide_fixed = wide.iter().flat_map(|wide| texts(&wide.fixed));
    let fixed = fixed.into_iter().chain(wide_fixed);
    fixed.for_each(|flag| add(flag.to_string()));
    let system = &facts.request.trunk().outbound_flags;
    system.iter().for_each(|flag| add(flag.clone()));
    let dynamic = dynamic
        .into_iter()
        .chain(wide.iter().flat_map(|wide| texts(&wide.dynamic)));
    for name in dynamic {
        match facts.lookup(name) {
            Some(flag) => add(flag),
            None => explain.note("flags", format_args!("{name}: unknown or empty, skipped")),
        }
    }
    if !flags.is_empty() {
        explain.note("flags", format_args!("{}", flags.join(", ")));
    }
    flags
}

fn texts<T: AsRef<str>>(list: &[T]) -> Vec<&str> {
    list.iter().map(AsRef::as_ref).collect()
}

/// Of each kind the first list that has something; lists are not merged.
fn own(calling: &Calling) -> (&[Box<str>], &[Box<str>]) {
    let entry = calling.entry().map(|entry| &*entry.flags);
    let options = calling.server.server().map(|server| &server.options);
    let server = options.map(|options| &*options.flags);
    let account = &calling.server.document().account;
    let dynamic = options.map(|options| &*options.dynamic_flags);
    (
        first([entry, server, Some(&account.flags)]),
        first([None, dynamic, Some(&account.dynamic_flags)]),
    )
}

fn first(lists: [Option<&[Box<str>]>; 3]) -> &[Box<str>] {
    let mut lists = lists.into_iter().flatten();
    lists.find(|list| !list.is_empty()).unwrap_or_default()
}
