//! What follows a literal, and which part of the number is sent.

use super::capture::Part;

/// Many rules have the same shape, so that each is kept once. All positions are in bytes from the number's start; they
/// are right for numbers of ASCII characters only.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Shape {
    /// Place among the alternatives of its rule; the first that fits counts.
    pub(super) order: u8,
    /// Length of the literal.
    pub(super) literal: u16,
    pub(super) run: Option<Run>,
    /// Nothing may follow.
    pub(super) to_end: bool,
    pub(super) sent: Sent,
}

/// So many characters of a class, as many as there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Run {
    pub(super) class: Class,
    pub(super) min: u16,
    pub(super) max: Option<u16>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Class {
    Digit,
    /// All but a line's end.
    Any,
}

/// The captured groups that may be the longest.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub(super) struct Sent {
    /// The longest whose place is known; never an empty one.
    pub(super) fixed: Option<(u16, u16)>,
    /// Start of the longest that ends where the run ends.
    pub(super) open: Option<u16>,
    /// The open one stands later in the rule, which counts if both are as long.
    pub(super) open_wins: bool,
}

impl Class {
    const fn has(self, byte: u8) -> bool {
        match self {
            Class::Digit => byte.is_ascii_digit(),
            Class::Any => byte != b'\n',
        }
    }
}

impl Shape {
    /// What is sent of a number that begins with the literal; None: it does not match.
    pub(super) fn part(&self, number: &[u8]) -> Option<Part> {
        let literal = usize::from(self.literal);
        let rest = number.get(literal..)?;
        let length = match self.run {
            None => 0,
            Some(run) => run.length(rest)?,
        };
        if self.to_end && length != rest.len() {
            return None;
        }
        Some(self.sent.part(literal + length))
    }
}

impl Run {
    fn length(self, rest: &[u8]) -> Option<usize> {
        let most = self.max.map_or(usize::MAX, usize::from);
        let fit = rest.iter().take(most);
        let length = fit.take_while(|byte| self.class.has(**byte)).count();
        (length >= usize::from(self.min)).then_some(length)
    }
}

impl Sent {
    /// `end` is where the match ends.
    fn part(self, end: usize) -> Part {
        let whole = Part { start: 0, end };
        let fixed = self.fixed.map(|(start, end)| Part {
            start: start.into(),
            end: end.into(),
        });
        let open = self.open.map(|start| Part {
            start: start.into(),
            end,
        });
        match (fixed, open.filter(|open| open.length() > 0)) {
            (None, None) => whole,
            (Some(part), None) | (None, Some(part)) => part,
            (Some(fixed), Some(open)) => match fixed.length().cmp(&open.length()) {
                std::cmp::Ordering::Less => open,
                std::cmp::Ordering::Equal if self.open_wins => open,
                _ => fixed,
            },
        }
    }
}
