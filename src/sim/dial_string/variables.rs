//! Blocks of variables.

use super::scan::{end_paren, separate, skip_blanks};
use super::{Fault, lossy};

/// FreeSWITCH's bound of the variables in a block.
const MAX_VARIABLES: usize = 1024;

/// What the blocks in front of an endpoint, or of the whole, have set so far.
#[derive(Debug, Default)]
pub(super) struct Block {
    pub(super) variables: Vec<(String, String)>,
    pub(super) faults: Vec<Fault>,
}

impl Block {
    /// Takes the block that the text starts with; returns what is behind it.
    pub(super) fn take<'a>(
        &mut self,
        brackets: [u8; 2],
        separator: u8,
        text: &'a [u8],
    ) -> Result<&'a [u8], Fault> {
        let end = end_paren(text, brackets).ok_or_else(|| Fault::Unbalanced(lossy(text)))?;
        let (block, rest) = text.split_at(end);
        let rest = rest.get(1..).unwrap_or_default();
        // FreeSWITCH looks for a second block behind an opening bracket of its own, `[a][[b]`, and
        // then takes what follows the inner end for variables, the endpoint included.
        let second = skip_blanks(rest).strip_prefix(&[brackets[0]]);
        if second.is_some_and(|second| end_paren(second, brackets).is_some()) {
            return Err(Fault::Overrun);
        }
        let (text, separator) = match block.get(1..).unwrap_or_default() {
            [b'^', b'^', named, text @ ..] => (text, *named),
            [b'^', b'^'] => {
                self.faults.push(Fault::Overrun);
                (&[][..], separator)
            }
            text => (text, separator),
        };
        for variable in separate(text, separator, MAX_VARIABLES, &mut self.faults) {
            if let [name, value] = separate(&variable, b'=', 2, &mut self.faults).as_slice() {
                self.set(&lossy(name), lossy(value));
            }
        }
        Ok(rest)
    }

    /// The last value of a name counts, whatever its case; an empty one removes it.
    fn set(&mut self, name: &str, value: String) {
        let (name, index) = name
            .split_once('[')
            .map_or((name, None), |(n, i)| (n, Some(i)));
        self.variables
            .retain(|(n, _)| !n.eq_ignore_ascii_case(name));
        let list = value.strip_prefix("ARRAY::");
        if index.is_some() || list.is_some() {
            self.faults.push(Fault::List(name.to_owned()));
        }
        // A list of one is stored as its only item.
        let value = match list {
            Some(item) if !item.contains("|:") => item.to_owned(),
            _ => value,
        };
        if !value.is_empty() {
            self.variables.push((name.to_owned(), value));
        }
    }
}

/// Takes all the blocks that the text starts with.
pub(super) fn take_blocks<'a>(
    mut text: &'a [u8],
    brackets: [u8; 2],
    separator: u8,
    block: &mut Block,
) -> Result<&'a [u8], Fault> {
    while text.first() == Some(&brackets[0]) {
        text = block.take(brackets, separator, text)?;
    }
    Ok(text)
}

pub(super) fn find<'a>(variables: &'a [(String, String)], name: &str) -> Option<&'a str> {
    let found = variables.iter().find(|(n, _)| n.eq_ignore_ascii_case(name));
    found.map(|(_, value)| value.as_str())
}

/// What FreeSWITCH takes for true: its words, or a number other than 0.
#[must_use]
pub fn is_true(text: &str) -> bool {
    let words = ["yes", "on", "true", "t", "enabled", "active", "allow"];
    words.iter().any(|word| text.eq_ignore_ascii_case(word))
        || text.parse::<i64>().is_ok_and(|number| number != 0)
}
