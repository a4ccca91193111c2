//! Which country a number is in, by the ITU's list of calling codes (E.164, annex).

/// Codes of two digits; 1 and 7 stand alone, and every other code has three.
const TWO_DIGITS: [u8; 43] = [
    20, 27, 30, 31, 32, 33, 34, 36, 39, 40, 41, 43, 44, 45, 46, 47, 48, 49, 51, 52, 53, 54, 55, 56,
    57, 58, 60, 61, 62, 63, 64, 65, 66, 81, 82, 84, 86, 90, 91, 92, 93, 94, 95,
];
const IRAN: u8 = 98;

/// The calling code of an E.164 number; for the North American plan with its area code where
/// `caribbean` says that the number is in one of its islands, since each has tariffs of its own.
pub(super) fn of(number: &str, caribbean: bool) -> Option<&str> {
    let digits = number.strip_prefix('+')?;
    if !digits.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let length = match digits.as_bytes() {
        [b'1', ..] if caribbean => 4,
        [b'1' | b'7', ..] => 1,
        [a, b, ..] => {
            let two = (a - b'0') * 10 + (b - b'0');
            if TWO_DIGITS.contains(&two) || two == IRAN {
                2
            } else {
                3
            }
        }
        _ => return None,
    };
    digits.get(..length)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calling_codes() {
        for (number, code) in [
            ("+12125550100", Some("1")),
            ("+442071234567", Some("44")),
            ("+493012345", Some("49")),
            ("+3545812345", Some("354")),
            ("+78121234567", Some("7")),
            ("+989121234567", Some("98")),
            ("+2521234567", Some("252")),
            ("+4", None),
            ("911", None),
            ("+44x", None),
        ] {
            assert_eq!(of(number, false), code, "{number}");
        }
        assert_eq!(of("+18765550100", true), Some("1876"));
        assert_eq!(of("+187", true), None);
    }
}
