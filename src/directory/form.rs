//! The fields of a posted question.

use std::borrow::Cow;

use percent_encoding::percent_decode;

/// First field of the stamp that FreeSWITCH puts before a question's own fields.
const STAMP: &[u8] = b"Event-Name";

/// Fields by name.
///
/// FreeSWITCH does not encode the first five fields. The last of them, `key_value`, is the realm in a peer's
/// Authorization header, so that `x&user=admin` there adds fields (event socket specification 6.1). Hence:
/// `section` is the first of its name, as it stands before that realm; any other field is looked for behind the stamp,
/// and the last of its name counts.
#[derive(Debug, Clone)]
pub struct Form<'a> {
    fields: Vec<(&'a [u8], &'a [u8])>,
    /// Where the fields behind the stamp begin.
    own: usize,
}

impl<'a> Form<'a> {
    #[must_use]
    pub fn parse(body: &'a [u8]) -> Self {
        let pairs = body.split(|byte| *byte == b'&');
        let fields: Vec<_> = pairs.filter(|pair| !pair.is_empty()).map(split).collect();
        let own = fields.iter().rposition(|(name, _)| *name == STAMP);
        Self {
            own: own.unwrap_or(0),
            fields,
        }
    }

    /// The last field of this name, decoded; an empty one is none.
    #[must_use]
    pub fn last(&self, name: &str) -> Option<Cow<'a, str>> {
        let mut own = self.fields.get(self.own..).unwrap_or_default().iter();
        own.rfind(|(known, _)| *known == name.as_bytes())
            .map(|(_, value)| decoded(value))
            .filter(|value| !value.is_empty())
    }

    /// The fields behind the stamp, decoded.
    pub fn own(&self) -> impl Iterator<Item = (Cow<'a, str>, Cow<'a, str>)> {
        let own = self.fields.get(self.own..).unwrap_or_default().iter();
        own.map(|(name, value)| (String::from_utf8_lossy(name), decoded(value)))
    }

    /// The first field of this name: for what FreeSWITCH writes before anything of a peer's.
    #[must_use]
    pub fn first(&self, name: &str) -> Option<Cow<'a, str>> {
        let mut all = self.fields.iter();
        all.find(|(known, _)| *known == name.as_bytes())
            .map(|(_, value)| decoded(value))
            .filter(|value| !value.is_empty())
    }
}

fn split(pair: &[u8]) -> (&[u8], &[u8]) {
    match pair.iter().position(|byte| *byte == b'=') {
        Some(at) => {
            let (name, value) = pair.split_at(at);
            (name, value.get(1..).unwrap_or_default())
        }
        None => (pair, &[]),
    }
}

/// `+` is itself: FreeSWITCH writes a space as `%20`, and numbers begin with `+` in forms of other senders.
fn decoded(value: &[u8]) -> Cow<'_, str> {
    match Cow::<[u8]>::from(percent_decode(value)) {
        Cow::Borrowed(bytes) => String::from_utf8_lossy(bytes),
        Cow::Owned(bytes) => Cow::Owned(String::from_utf8_lossy(&bytes).into_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_field_of_a_name_counts() {
        let form =
            Form::parse(b"user=1&Event-Name=REQUEST_PARAMS&user=2&user=3&domain=a%2eb&empty=");
        assert_eq!(form.last("user").as_deref(), Some("3"));
        assert_eq!(form.last("domain").as_deref(), Some("a.b"));
        assert_eq!(form.last("empty"), None);
        assert_eq!(form.last("absent"), None);
    }

    #[test]
    fn a_realm_that_brings_fields_along_changes_nothing() {
        let body = b"hostname=fs1&section=directory&tag_name=domain&key_name=name&key_value=x&section=configuration\
            &purpose=network-list&user=admin&Event-Name=a&Event-Name=REQUEST_PARAMS&action=sip_auth&user=1001";
        let form = Form::parse(body);
        assert_eq!(form.first("section").as_deref(), Some("directory"));
        assert_eq!(form.last("purpose"), None);
        assert_eq!(form.last("user").as_deref(), Some("1001"));
    }

    #[test]
    fn odd_bytes_are_kept_where_they_can_be() {
        let form = Form::parse(b"&&=x&a&plus=+1%2B2&bad=%4&latin=%E9&user=%");
        assert_eq!(form.last("plus").as_deref(), Some("+1+2"));
        assert_eq!(form.last("bad").as_deref(), Some("%4"));
        assert_eq!(form.last("latin").as_deref(), Some("\u{fffd}"));
        assert_eq!(form.last("user").as_deref(), Some("%"));
    }
}
