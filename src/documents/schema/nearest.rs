//! The known name that a misspelt one was probably meant to be.

/// How alike two names are before one is taken for the other misspelt (Jaro-Winkler, 1 is equal).
const ALIKE: f64 = 0.88;

/// The known name nearest to `given`, if one is near and none is the same.
pub(super) fn nearest<'a>(given: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let mut best: Option<(f64, &str)> = None;
    for name in known {
        if name == given {
            return None;
        }
        let likeness = strsim::jaro_winkler(&given.to_lowercase(), &name.to_lowercase());
        if likeness >= ALIKE && best.is_none_or(|(least, _)| likeness > least) {
            best = Some((likeness, name));
        }
    }
    best.map(|(_, name)| name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_typo_is_known_and_a_name_of_ones_own_is_left_alone() {
        let known = ["name", "enabled", "owner_id", "mac_address", "call_forward"];
        let meant = |given| nearest(given, known.iter().copied());
        assert_eq!(meant("nmae"), Some("name"));
        assert_eq!(meant("Enabled"), Some("enabled"));
        assert_eq!(meant("owner-id"), Some("owner_id"));
        assert_eq!(meant("call_foward"), Some("call_forward"));
        assert_eq!(meant("name"), None);
        assert_eq!(meant("colour"), None);
        assert_eq!(meant(""), None);
    }
}
