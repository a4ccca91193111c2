//! The two readings of a dialled string that finding an account and a callflow needs.

use crate::documents::Account;
use crate::routing::dialing::normalizer;
use crate::routing::numbers::Normalizer;

/// E.164 of what can be somebody's number in the world; None for extensions and feature codes.
pub(super) fn did(dialed: &str) -> Option<String> {
    let number = Normalizer::us().e164(dialed);
    let digits = number.strip_prefix('+')?;
    let is_number = !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit());
    is_number.then_some(number)
}

/// E.164 by the account's rules, or the system's if it has none; None when that is what was dialled.
pub(super) fn normalized(account: &Account, dialed: &str) -> Option<String> {
    if dialed.starts_with('+') {
        return None;
    }
    let number = normalizer(account).e164(dialed);
    (number != dialed).then_some(number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn extensions_are_nobodys_number_in_the_world() {
        for dialed in ["100", "1002", "*98", "alice", "", "+", "+1a"] {
            assert_eq!(did(dialed), None, "{dialed}");
        }
        assert_eq!(did("4155550100").as_deref(), Some("+14155550100"));
        assert_eq!(did("+493012345").as_deref(), Some("+493012345"));
    }

    #[test]
    fn an_accounts_rules_replace_the_systems() {
        let json = serde_json::json!({"e164_converters": {"^0([1-9]\\d+)$": {"prefix": "+49"}}});
        let account: Account = serde_json::from_value(json).unwrap();
        let of = |dialed| normalized(&account, dialed);
        assert_eq!(of("030123456").as_deref(), Some("+4930123456"));
        assert_eq!(of("4155550100"), None);
        assert_eq!(of("100"), None);
        assert_eq!(of("+4930123456"), None);
    }
}
