//! Call restrictions: who has a say about a class of numbers.

/// What one document says about a class: `call_restriction.CLASS.action`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Restriction {
    /// Nothing of its own; also what absent and unknown words mean.
    #[default]
    Inherit,
    Allow,
    Deny,
}

impl From<Option<&str>> for Restriction {
    fn from(action: Option<&str>) -> Self {
        match action.map(str::trim) {
            Some(word) if word.eq_ignore_ascii_case("deny") => Self::Deny,
            Some(word) if word.eq_ignore_ascii_case("allow") => Self::Allow,
            _ => Self::Inherit,
        }
    }
}

/// What the owner's side says, from the owner's document, or from those of the users that are
/// hotdesked to the device.
///
/// Hotdesking is explicit either way: a class is denied only if every such user denies it, and
/// otherwise allowed, which overrides the device.
#[must_use]
pub fn owner_restriction(users: &[Restriction], hotdesked: bool) -> Restriction {
    match users {
        [] => Restriction::Inherit,
        _ if hotdesked => {
            if users.iter().all(|user| *user == Restriction::Deny) {
                Restriction::Deny
            } else {
                Restriction::Allow
            }
        }
        [owner, ..] => *owner,
    }
}

/// Whether a class is denied: by the account (or one above it) or the owner; else, unless the owner
/// allows it, by the device.
#[must_use]
pub fn restricted(accounts: &[Restriction], owner: Restriction, device: Restriction) -> bool {
    match owner {
        _ if accounts.contains(&Restriction::Deny) => true,
        Restriction::Deny => true,
        Restriction::Allow => false,
        Restriction::Inherit => device == Restriction::Deny,
    }
}

#[cfg(test)]
mod tests {
    use super::Restriction::{Allow, Deny, Inherit};
    use super::*;

    #[test]
    fn words() {
        assert_eq!(Restriction::from(Some("Deny")), Deny);
        assert_eq!(Restriction::from(Some("allow")), Allow);
        for word in [None, Some("inherit"), Some("perhaps")] {
            assert_eq!(Restriction::from(word), Inherit);
        }
    }

    #[test]
    fn the_table_of_precedence() {
        for (accounts, owner, device, denied) in [
            ([Inherit, Inherit], Inherit, Inherit, false),
            ([Inherit, Inherit], Inherit, Deny, true),
            ([Inherit, Inherit], Allow, Deny, false),
            ([Inherit, Inherit], Deny, Allow, true),
            ([Inherit, Deny], Allow, Allow, true),
            ([Allow, Allow], Inherit, Deny, true),
        ] {
            let result = restricted(&accounts, owner, device);
            assert_eq!(result, denied, "{accounts:?} {owner:?} {device:?}");
        }
    }

    #[test]
    fn hotdesked_users_replace_the_device() {
        assert_eq!(owner_restriction(&[], true), Inherit);
        assert_eq!(owner_restriction(&[], false), Inherit);
        assert_eq!(owner_restriction(&[Inherit], false), Inherit);
        assert_eq!(owner_restriction(&[Inherit], true), Allow);
        assert_eq!(owner_restriction(&[Deny], true), Deny);
        assert_eq!(owner_restriction(&[Deny, Inherit], true), Allow);
        assert_eq!(owner_restriction(&[Deny, Deny], true), Deny);
    }
}
