//! The variables of one block.

use crate::routing::clean;

use super::uri::{self, InvalidUri};

/// FreeSWITCH's limit of variables in a block.
pub const MAX_VARIABLES: usize = 1024;

/// Ordered variables of one block; setting a name again replaces its value.
///
/// Names compare without case, as FreeSWITCH's do: of two spellings in a block it keeps the last.
/// Every setter makes its value safe, so that nothing can be put in that leaves its place in the
/// rendered text; pick the one for the kind of value. A name that is not 1 to 128 characters out of
/// letters, digits and `_ - .`, and any variable beyond the 1024th, is left out.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Variables(Vec<(String, String)>);

impl Variables {
    /// Sets a variable whose value is made safe as free text (device specification 2.2, rule 3);
    /// an empty result drops it.
    ///
    /// Names and numbers of caller and callee are cleaned as what they are, and `sip_h_*` goes
    /// through [`Variables::set_header`], whatever setter was chosen.
    pub fn set(&mut self, name: impl Into<String>, value: impl AsRef<str>) {
        let name = name.into();
        let value = value.as_ref();
        if let Some(header) = header_of(&name) {
            self.put_header(header, value);
        } else if is_identity(&name, "_id_name") {
            self.set_display_name(name, value);
        } else if is_identity(&name, "_id_number") {
            self.set_number(name, value);
        } else {
            self.put(name, clean::free_text(value).into_owned());
        }
    }

    /// Sets a caller's or callee's name (rule 1). An empty name drops the variable; one of which
    /// nothing may stay becomes `_undef_`, no display name.
    pub fn set_display_name(&mut self, name: impl Into<String>, value: &str) {
        self.put(name.into(), clean::display_name(value).unwrap_or_default());
    }

    /// Sets a caller's or callee's number (rule 2); an empty result drops it.
    pub fn set_number(&mut self, name: impl Into<String>, value: &str) {
        self.put(name.into(), clean::number(value));
    }

    /// Sets `sip_h_HEADER`, an additional SIP header of the leg. False if the header's name is not
    /// allowed (rule 4): it is ill-formed, or the SIP stack writes that header itself.
    pub fn set_header(&mut self, header: &str, value: &str) -> bool {
        self.put_header(header, value)
    }

    /// Sets seconds, counts and the like.
    pub fn set_raw_number(&mut self, name: impl Into<String>, value: i64) {
        self.put(name.into(), value.to_string());
    }

    /// Sets `true` or `false`.
    pub fn set_bool(&mut self, name: impl Into<String>, value: bool) {
        self.put(name.into(), value.to_string());
    }

    /// Sets a URI with its scheme, which is taken as it is or not at all (rule 5); an IPv6 literal
    /// keeps its brackets.
    ///
    /// # Errors
    /// There is no `sip:` or `sips:` in front (a text that starts `ARRAY::` would be stored as a
    /// list), or the URI holds something that could leave its place.
    pub fn set_uri(&mut self, name: impl Into<String>, value: &str) -> Result<(), InvalidUri> {
        uri::without_scheme(value).ok_or(InvalidUri::Missing("sip: or sips:"))?;
        uri::check(value)?;
        self.put(name.into(), value.to_owned());
        Ok(())
    }

    /// Removes a variable, whatever the case of its name.
    pub fn remove(&mut self, name: &str) {
        self.0.retain(|(n, _)| !n.eq_ignore_ascii_case(name));
    }

    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        let found = self.iter().find(|(n, _)| n.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value)
    }

    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(n, v)| (n.as_str(), v.as_str()))
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    fn put_header(&mut self, header: &str, value: &str) -> bool {
        let allowed = clean::is_header_name(header);
        if allowed {
            let value = clean::free_text(value).into_owned();
            self.put(format!("sip_h_{header}"), value);
        }
        allowed
    }

    /// The one door. Values come here clean; an empty one is a removal, as in FreeSWITCH.
    fn put(&mut self, name: String, value: String) {
        if value.is_empty() {
            return self.remove(&name);
        }
        if let Some(slot) = self
            .0
            .iter_mut()
            .find(|(n, _)| n.eq_ignore_ascii_case(&name))
        {
            *slot = (name, value);
        } else if is_variable_name(&name) && self.0.len() < MAX_VARIABLES {
            self.0.push((name, value));
        }
    }
}

fn is_variable_name(name: &str) -> bool {
    let allowed = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.');
    // `_body` is no variable for FreeSWITCH but the body of an event.
    (1..=128).contains(&name.len()) && name.bytes().all(allowed) && name != "_body"
}

fn header_of(name: &str) -> Option<&str> {
    let (prefix, header) = name.split_at_checked("sip_h_".len())?;
    prefix.eq_ignore_ascii_case("sip_h_").then_some(header)
}

/// `origination_caller_id_name` and its kin; mod_sofia decodes `%XX` in them once more.
fn is_identity(name: &str, suffix: &str) -> bool {
    let Some(start) = name.len().checked_sub(suffix.len()) else {
        return false;
    };
    let Some((rest, end)) = name.split_at_checked(start) else {
        return false;
    };
    let ends = |text: &str| {
        let at = rest.len().checked_sub(text.len());
        let tail = at.and_then(|at| rest.get(at..));
        tail.is_some_and(|tail| tail.eq_ignore_ascii_case(text))
    };
    end.eq_ignore_ascii_case(suffix) && (ends("caller") || ends("callee"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pairs(variables: &Variables) -> Vec<(&str, &str)> {
        variables.iter().collect()
    }

    #[test]
    fn a_name_is_set_once_in_any_spelling() {
        let mut v = Variables::default();
        v.set("sip_h_X-A", "1");
        v.set("b", "2");
        v.set("SIP_H_x-a", "3");
        assert_eq!(pairs(&v), [("sip_h_x-a", "3"), ("b", "2")]);
        assert_eq!(v.get("Sip_H_X-A"), Some("3"));
        v.remove("SIP_h_X-A");
        assert_eq!(pairs(&v), [("b", "2")]);
        v.set("B", "'");
        assert!(v.is_empty(), "an empty value is no value");
    }

    #[test]
    fn values_are_cleaned_as_what_their_name_says() {
        let mut v = Variables::default();
        v.set("origination_caller_id_name", "a%0d]b");
        v.set("effective_callee_id_NUMBER", "1%0d;2");
        v.set("origination_callee_id_name", "'");
        v.set("alert_info", "a%0d]b");
        assert_eq!(v.get("origination_caller_id_name"), Some("a0db"));
        assert_eq!(v.get("effective_callee_id_NUMBER"), Some("10d2"));
        assert_eq!(v.get("origination_callee_id_name"), Some("_undef_"));
        assert_eq!(v.get("alert_info"), Some("a%0db"));
    }

    #[test]
    fn headers_of_the_stack_are_refused_through_every_setter() {
        let mut v = Variables::default();
        assert!(!v.set_header("Via", "x"));
        assert!(!v.set_header("X Y", "x"));
        v.set("sip_h_Contact", "x");
        v.set("sip_h_", "x");
        v.set("Sip_H_Route", "x");
        assert!(v.is_empty());
        assert!(v.set_header("X-Y", "x\r\nVia: 1"));
        assert_eq!(pairs(&v), [("sip_h_X-Y", "xVia: 1")]);
    }

    #[test]
    fn odd_names_and_too_many_are_left_out() {
        let mut v = Variables::default();
        for name in ["", "a=b", "a]", "a b", "a[0]", "_body", "ä", "^^!a"] {
            v.set(name, "1");
        }
        assert!(v.is_empty());
        for n in 0..2000 {
            v.set(format!("v{n}"), "1");
        }
        assert_eq!(v.len(), MAX_VARIABLES);
    }

    #[test]
    fn a_uri_is_taken_as_it_is_or_not_at_all() {
        let mut v = Variables::default();
        v.set_uri("sip_route_uri", "sip:[2001:db8::1]:5060;lr")
            .unwrap();
        assert_eq!(v.get("sip_route_uri"), Some("sip:[2001:db8::1]:5060;lr"));
        for bad in ["sip:a]b", "ARRAY::sip:a", "a@b", ""] {
            assert!(v.set_uri("sip_route_uri", bad).is_err(), "{bad}");
        }
        assert_eq!(v.get("sip_route_uri"), Some("sip:[2001:db8::1]:5060;lr"));
    }
}
