//! The query of a URL.

use std::borrow::Cow;

use percent_encoding::percent_decode;

/// Names and values in their order, decoded; `+` is a blank, as browsers and curl's `-G` write it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Query(Vec<(String, String)>);

impl Query {
    #[must_use]
    pub fn parse(text: &str) -> Query {
        let pairs = text.split('&').filter(|pair| !pair.is_empty());
        let pairs = pairs.map(|pair| match pair.split_once('=') {
            Some((name, value)) => (decoded(name), decoded(value)),
            // `?paginate` alone says yes.
            None => (decoded(pair), "true".to_owned()),
        });
        Query(pairs.collect())
    }

    /// The last value of this name.
    #[must_use]
    pub fn last(&self, name: &str) -> Option<&str> {
        let found = self.0.iter().rev().find(|(known, _)| known == name);
        found.map(|(_, value)| value.as_str())
    }

    /// The same without these names.
    #[must_use]
    pub fn without(&self, names: &[&str]) -> Query {
        let kept = self
            .0
            .iter()
            .filter(|(name, _)| !names.contains(&name.as_str()));
        Query(kept.cloned().collect())
    }

    pub fn pairs(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()))
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

fn decoded(text: &str) -> String {
    let blanks: Cow<'_, [u8]> = if text.contains('+') {
        Cow::Owned(text.replace('+', " ").into_bytes())
    } else {
        Cow::Borrowed(text.as_bytes())
    };
    percent_decode(&blanks).decode_utf8_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pairs_are_decoded() {
        let query = Query::parse("filter_name=a+b&x=%2B1&&paginate&x=2&=v&bad=%4");
        assert_eq!(query.last("filter_name"), Some("a b"));
        assert_eq!(query.last("x"), Some("2"));
        assert_eq!(query.last("paginate"), Some("true"));
        assert_eq!(query.last("bad"), Some("%4"));
        assert_eq!(query.last("nothing"), None);
    }
}
