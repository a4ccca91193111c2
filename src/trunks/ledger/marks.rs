//! The units of a call as a channel variable: nothing in memory outlives the daemon, live calls do.

use std::fmt;

use super::unit::Direction;
use crate::types::AccountId;

/// One unit, as the leg carries it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Mark {
    pub(super) direction: Direction,
    pub(super) account: AccountId,
    pub(super) reseller: Option<AccountId>,
    pub(super) counted: bool,
    pub(super) consuming: bool,
    pub(super) number: String,
}

/// The units that one call holds. As text: `DIRECTION/ACCOUNT/RESELLER/FLAGS/NUMBER`, several
/// joined by `;`. Neither character occurs in an id, and a number is reduced to what numbers have.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Marks(pub(super) Vec<Mark>);

impl Marks {
    /// The variable of the caller's leg that carries them.
    pub const VARIABLE: &'static str = "lf_units";

    /// Reads the variable; entries that can't be read are left out.
    #[must_use]
    pub fn read(text: &str) -> Self {
        Self(text.split(';').filter_map(mark).collect())
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl fmt::Display for Marks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, mark) in self.0.iter().enumerate() {
            let reseller = mark.reseller.as_ref().map_or("", AccountId::as_str);
            let flag = |set: bool, letter: &'static str| if set { letter } else { "" };
            write!(
                f,
                "{}{}/{}/{reseller}/{}{}/",
                if at == 0 { "" } else { ";" },
                mark.direction,
                mark.account,
                flag(mark.counted, "c"),
                flag(mark.consuming, "r"),
            )?;
            let is_kept = |c: &char| c.is_ascii_alphanumeric() || "+*#".contains(*c);
            mark.number
                .chars()
                .filter(is_kept)
                .try_for_each(|c| fmt::Write::write_char(f, c))?;
        }
        Ok(())
    }
}

fn mark(text: &str) -> Option<Mark> {
    let mut parts = text.splitn(5, '/');
    let direction = match parts.next()? {
        "in" => Direction::In,
        "out" => Direction::Out,
        _ => return None,
    };
    let account = AccountId::new(parts.next()?).ok()?;
    let reseller = match parts.next()? {
        "" => None,
        text => Some(AccountId::new(text).ok()?),
    };
    let flags = parts.next()?;
    Some(Mark {
        direction,
        account,
        reseller,
        counted: flags.contains('c'),
        consuming: flags.contains('r'),
        number: parts.next()?.to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn any_mark() -> impl Strategy<Value = Mark> {
        let id = "[A-Za-z0-9._~@+-]{1,20}";
        (
            any::<(bool, bool, bool)>(),
            id,
            proptest::option::of(id),
            "\\+?[0-9]{0,15}",
        )
            .prop_map(
                |((out, counted, consuming), account, reseller, number)| Mark {
                    direction: if out { Direction::Out } else { Direction::In },
                    account: AccountId::new(&account).unwrap(),
                    reseller: reseller.map(|id| AccountId::new(&id).unwrap()),
                    counted,
                    consuming,
                    number,
                },
            )
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(marks in proptest::collection::vec(any_mark(), 1..4)) {
            let marks = Marks(marks);
            prop_assert_eq!(Marks::read(&marks.to_string()), marks);
        }

        #[test]
        fn anything_can_be_read(text in "\\PC{0,80}") {
            let _ = Marks::read(&text);
        }
    }

    #[test]
    fn a_number_cannot_leave_its_place() {
        let marks = Marks::read("in/a//c/1;out/b/r/cr/+49");
        assert_eq!(marks.0.len(), 2);
        let mut forged = marks;
        forged.0[0].number = "1;out/b//c/2".to_owned();
        assert_eq!(forged.to_string(), "in/a//c/1outbc2;out/b/r/cr/+49");
        assert!(Marks::read("").is_empty());
        assert!(Marks::read("_undef_").is_empty());
    }
}
