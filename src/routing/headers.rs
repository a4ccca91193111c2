//! Custom SIP headers of a leg (devices specification 2.3).

use std::borrow::Cow;

use indexmap::IndexMap;

use super::Variables;
use super::caller_id::Shown;
use super::clean;
use super::formatters::Format;
use super::plan::Explain;
use crate::documents::{CustomHeaders, Device, Table};
use crate::types::AccountId;

/// Who names a header.
type Source = &'static str;

/// Headers in the order in which they are to be set; a name occurs once, whatever its case.
#[derive(Debug, Default)]
pub struct Headers<'a>(Vec<(&'a str, &'a str, Source)>);

impl<'a> Headers<'a> {
    /// The headers of a call from one device to another; later sources win.
    #[must_use]
    pub fn of_call(
        calling: Option<&'a Device>,
        called: Option<&'a Device>,
        action: &'a IndexMap<String, String>,
    ) -> Self {
        let mut headers = Self::default();
        if let Some(custom) = calling.and_then(|device| device.sip.custom_headers()) {
            headers.add_both(custom, custom.from_device.as_deref(), "calling device");
        }
        if let Some(custom) = called.and_then(|device| device.sip.custom_headers()) {
            headers.add_both(custom, custom.to_device.as_deref(), "called device");
        }
        for (name, value) in action {
            headers.set(name, value, "action");
        }
        headers
    }

    /// Headers that name a direction beat those for both.
    fn add_both(
        &mut self,
        custom: &'a CustomHeaders,
        directed: Option<&'a Table<Box<str>>>,
        source: Source,
    ) {
        for table in [custom.both.as_deref(), directed].into_iter().flatten() {
            for (name, value) in table {
                self.set(name, value, source);
            }
        }
    }

    fn set(&mut self, name: &'a str, value: &'a str, source: Source) {
        if !clean::is_header_name(name) {
            return;
        }
        let same = |known: &&mut (&str, &str, Source)| known.0.eq_ignore_ascii_case(name);
        match self.0.iter_mut().find(same) {
            Some(slot) => *slot = (name, value, source),
            None => self.0.push((name, value, source)),
        }
    }

    /// Writes them into a leg, placeholders replaced and formatters run.
    pub fn write(
        &self,
        variables: &mut Variables,
        shown: &Shown<'_>,
        account: &AccountId,
        format: Option<&Format<'_>>,
        explain: &mut dyn Explain,
    ) {
        for (name, value, source) in &self.0 {
            explain.note("custom_sip_headers", format_args!("{name} of the {source}"));
            let value = placeholder(value, shown, account);
            let value = match format {
                Some(format) => format.apply(name, value),
                None => Some(value),
            };
            if let Some(value) = value {
                variables.set_header(name, &value);
            }
        }
    }
}

/// The three values that a header may ask for. The daemon puts them in itself: FreeSWITCH's own
/// `${...}` would also run commands.
fn placeholder<'v>(value: &'v str, shown: &'v Shown<'_>, account: &'v AccountId) -> Cow<'v, str> {
    Cow::Borrowed(match value {
        "{caller_id_name}" if shown.name == clean::NO_NAME => "",
        "{caller_id_name}" => &*shown.name,
        "{caller_id_number}" => &*shown.number,
        "{account_id}" => account.as_str(),
        other => other,
    })
}

#[cfg(test)]
mod tests {
    use super::super::plan::Silent;
    use super::*;
    use serde_json::{Value, json};

    fn device(headers: Value) -> Device {
        serde_json::from_value(json!({"sip": {"custom_sip_headers": headers}})).unwrap()
    }

    fn written(calling: Value, called: Value, action: &[(&str, &str)]) -> Vec<(String, String)> {
        let (calling, called) = (device(calling), device(called));
        let own = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        let action = action.iter().map(own).collect();
        let shown = Shown {
            name: "Bob".into(),
            number: "2002".into(),
        };
        let mut variables = Variables::default();
        let account = AccountId::new("acct1").unwrap();
        Headers::of_call(Some(&calling), Some(&called), &action).write(
            &mut variables,
            &shown,
            &account,
            None,
            &mut Silent,
        );
        let owned = |(name, value): (&str, &str)| (name.to_owned(), value.to_owned());
        variables.iter().map(owned).collect()
    }

    fn pairs(list: &[(&str, &str)]) -> Vec<(String, String)> {
        let own = |(name, value): &(&str, &str)| (format!("sip_h_{name}"), (*value).to_owned());
        list.iter().map(own).collect()
    }

    #[test]
    fn later_sources_win_whatever_the_case() {
        let calling =
            json!({"in": {"X-A": "1", "X-B": "1", "X-C": "1"}, "out": {"X-No": "1"}, "X-A": "0"});
        let called = json!({"out": {"x-b": "2", "x-c": "2"}, "in": {"X-No": "1"}});
        assert_eq!(
            written(calling, called, &[("X-c", "3")]),
            pairs(&[("X-A", "1"), ("x-b", "2"), ("X-c", "3")])
        );
    }

    #[test]
    fn placeholders_are_exact() {
        let called = json!({"out": {"X-1": "{caller_id_name}", "X-2": "{caller_id_number}",
            "X-3": "{account_id}", "X-4": "a {account_id}", "X-5": "${account_id}"}});
        assert_eq!(
            written(json!({}), called, &[]),
            pairs(&[
                ("X-1", "Bob"),
                ("X-2", "2002"),
                ("X-3", "acct1"),
                ("X-4", "a account_id"),
                ("X-5", "account_id"),
            ])
        );
    }

    #[test]
    fn a_calls_own_headers_obey_the_same_names() {
        assert_eq!(
            written(
                json!({}),
                json!({}),
                &[("Via", "x"), ("X Bad", "x"), ("X-Ok", "1")]
            ),
            pairs(&[("X-Ok", "1")])
        );
    }
}
