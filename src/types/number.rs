//! Telephone numbers by the built-in rules (North American, as those of trunkstore 1.3): what needs no configuration and no regular expression.

/// E.164 by the built-in rules; a number that none of them knows, or that has a `+` in front, comes back as it is.
#[must_use]
pub fn e164(number: &str) -> String {
    if number.starts_with('+') {
        return number.to_owned();
    }
    known_e164(number).unwrap_or_else(|| number.to_owned())
}

/// The same; `None` if no rule knows the number.
#[must_use]
pub fn known_e164(number: &str) -> Option<String> {
    if let Some(ten) = north_american(number) {
        return Some(format!("+1{ten}"));
    }
    if !is_digits(number) {
        return None;
    }
    let dialled_out = ["011", "00"]
        .into_iter()
        .find_map(|prefix| number.strip_prefix(prefix).filter(|n| n.len() >= 5));
    let whole = || {
        let long = number.len() >= 8;
        (long && number.starts_with(|c| ('2'..='9').contains(&c))).then_some(number)
    };
    dialled_out.or_else(whole).map(|rest| format!("+{rest}"))
}

/// The ten digits of a North American number, if area code and exchange both start with 2 to 9.
#[must_use]
pub fn north_american(number: &str) -> Option<&str> {
    let ten = match number.len() {
        10 => number,
        11 => number.strip_prefix('1')?,
        12 => number.strip_prefix("+1")?,
        _ => return None,
    };
    let leads = |at: usize| {
        ten.as_bytes()
            .get(at)
            .is_some_and(|b| (b'2'..=b'9').contains(b))
    };
    (is_digits(ten) && leads(0) && leads(3)).then_some(ten)
}

fn is_digits(number: &str) -> bool {
    number.bytes().all(|b| b.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_normal_form_for_all_ways_to_write_a_number() {
        for number in ["2125551234", "12125551234", "+12125551234"] {
            assert_eq!(e164(number), "+12125551234");
        }
        assert_eq!(e164("011442071234567"), "+442071234567");
        assert_eq!(e164("00442071234567"), "+442071234567");
        assert_eq!(e164("442071234567"), "+442071234567");
        for number in ["911", "5551234", "1001", "", "alice", "+1"] {
            assert_eq!(e164(number), number);
        }
    }
}
