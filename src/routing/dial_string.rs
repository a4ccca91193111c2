//! A dial string is a value; this is the one writer that turns it into FreeSWITCH's text.

/// Ordered variables of one block; setting a name again replaces its value (names of
/// `sip_h_*` compare without case).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Variables(Vec<(String, String)>);

impl Variables {
    /// Sets a variable whose value is made safe as free text (device specification 2.2, rule 3);
    /// an empty result drops it.
    pub fn set(&mut self, _name: impl Into<String>, _value: impl AsRef<str>) {
        unimplemented!()
    }
    pub fn remove(&mut self, _name: &str) {
        unimplemented!()
    }
    #[must_use]
    pub fn get(&self, _name: &str) -> Option<&str> {
        unimplemented!()
    }
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(n, v)| (n.as_str(), v.as_str()))
    }
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// What a leg dials: built by checked constructors only, so that rendering can't fail.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Endpoint {
    /// `sofia/PROFILE/URI`; the URI is checked (rule 5) when the endpoint is made.
    Sofia { profile: String, uri: String },
    /// `loopback/NUMBER/CONTEXT`.
    Loopback { number: String, context: String },
    /// `sofia/gateway/NAME/NUMBER`.
    Gateway { name: String, number: String },
    /// `error/CAUSE`.
    Error(crate::types::HangupCause),
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DialLeg {
    pub variables: Variables,
    pub endpoint: Endpoint,
}

/// Global variables, then groups tried in order, each of legs rung together.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DialString {
    pub global: Variables,
    pub groups: Vec<Vec<DialLeg>>,
}

impl DialString {
    /// FreeSWITCH's text of it.
    #[must_use]
    pub fn render(&self) -> String {
        unimplemented!()
    }
}
