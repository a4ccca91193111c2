//! The path of a URL, segment by segment.

use percent_encoding::percent_decode_str;

/// Segments of a path; the deepest that means something has eight.
const SEGMENTS_MAX: usize = 32;

/// Which API a path asks for, and what of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Path {
    /// `/v2/...`: the decoded segments behind it.
    Current(Vec<String>),
    /// `/v1/...`.
    Gone,
    /// `/v2/accounts//...`: an account is meant, and none is named.
    Nobody,
    /// Anything else, and what can't be decoded.
    Unknown,
}

impl Path {
    /// Percent-decoding goes segment by segment, so that an id may hold an encoded slash. One slash at the end is
    /// ignored; an empty segment within names nothing.
    #[must_use]
    pub fn parse(path: &str) -> Path {
        let Some(path) = path.strip_prefix('/') else {
            return Path::Unknown;
        };
        let path = path.strip_suffix('/').unwrap_or(path);
        let mut segments = path.split('/');
        match segments.next() {
            Some("v1") => return Path::Gone,
            Some("v2") => {}
            _ => return Path::Unknown,
        }
        let mut named = segments.clone();
        if named.next() == Some("accounts") && named.next() == Some("") {
            return Path::Nobody;
        }
        let decoded: Option<Vec<String>> = segments.take(SEGMENTS_MAX + 1).map(decoded).collect();
        let decoded = decoded.filter(|segments| segments.len() <= SEGMENTS_MAX);
        decoded.map_or(Path::Unknown, Path::Current)
    }
}

fn decoded(segment: &str) -> Option<String> {
    let text = percent_decode_str(segment).decode_utf8().ok()?;
    (!text.is_empty() && !text.contains('\0')).then(|| text.into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn segments(path: &str) -> Option<Vec<String>> {
        match Path::parse(path) {
            Path::Current(segments) => Some(segments),
            _ => None,
        }
    }

    #[test]
    fn segments_are_decoded_one_by_one() {
        let found = segments("/v2/accounts/a/phone_numbers/%2B1415+5").unwrap();
        assert_eq!(found, ["accounts", "a", "phone_numbers", "+1415+5"]);
        assert_eq!(
            segments("/v2/media/fr%2Fenter").unwrap(),
            ["media", "fr/enter"]
        );
        assert_eq!(segments("/v2/devices/").unwrap(), ["devices"]);
        assert_eq!(segments("/v2/").unwrap(), Vec::<String>::new());
    }

    #[test]
    fn other_versions_and_holes() {
        assert_eq!(Path::parse("/v1/accounts"), Path::Gone);
        for unknown in [
            "/v3/x",
            "/",
            "*",
            "/v2//devices",
            "/v2/a//",
            "/v2/%FF",
            "/v2/%00",
            "/x/v2",
        ] {
            assert_eq!(Path::parse(unknown), Path::Unknown, "{unknown}");
        }
    }
}
