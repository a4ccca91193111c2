//! The rules that are no prefix: regular expressions proper.

use std::collections::HashMap;
use std::sync::OnceLock;

use regex::{Regex, RegexBuilder, RegexSet, RegexSetBuilder};

use super::capture::{self, Part};

/// Bytes that one compiled expression may take; the same bound as for every number rule.
const EXPRESSION_BYTES: usize = 256 * 1024;

/// Expressions in one set. Larger sets compile slower and are no faster to ask.
const SET: usize = 128;

/// Characters that a number has to begin with for an expression to be tried by itself: a country's code with its `+`.
const TELLING: usize = 3;

/// Expressions by place; equal texts are one.
#[derive(Debug, Clone, Default)]
pub(super) struct Expressions {
    all: Vec<Expression>,
    sets: Vec<(RegexSet, Vec<u32>)>,
}

#[derive(Debug, Clone)]
struct Expression {
    text: Box<str>,
    /// Compiled when it is first needed: few are, and each takes some kB. None: it is no regular expression.
    compiled: OnceLock<Option<Regex>>,
    /// Carrier and rule, of those that are asked for every number.
    users: Vec<(u32, u32)>,
}

impl Expressions {
    /// Carrier, rule and place of each expression in the sets that matches.
    pub(super) fn matching(&self, number: &str) -> impl Iterator<Item = (u32, u32, u32)> {
        let places = self.sets.iter().flat_map(move |(set, places)| {
            let matches = set.matches(number);
            let at = places.iter().enumerate();
            at.filter(move |(at, _)| matches.matched(*at))
                .map(|(_, place)| *place)
        });
        places.flat_map(|place| {
            let users = self.all.get(place as usize).map(|found| found.users.iter());
            users
                .into_iter()
                .flatten()
                .map(move |(carrier, rule)| (*carrier, *rule, place))
        })
    }

    /// What an expression sends of a number; None: it does not match.
    pub(super) fn sent(&self, place: u32, number: &str) -> Option<Part> {
        let expression = self.all.get(place as usize)?;
        let compiled = expression
            .compiled
            .get_or_init(|| compiled(&expression.text));
        capture::sent(compiled.as_ref()?, number)
    }
}

fn compiled(text: &str) -> Option<Regex> {
    let compiled = RegexBuilder::new(text).size_limit(EXPRESSION_BYTES).build();
    if let Err(error) = &compiled {
        tracing::warn!(rule = text, %error, "a carrier's rule is no regular expression and is skipped");
    }
    compiled.ok()
}

/// Collects expressions.
#[derive(Debug, Default)]
pub(super) struct Collected {
    all: Vec<Expression>,
    places: HashMap<Box<str>, u32>,
}

impl Collected {
    /// The place of an expression that is tried by itself.
    pub(super) fn alone(&mut self, text: &str) -> Option<u32> {
        if let Some(place) = self.places.get(text) {
            return Some(*place);
        }
        let place = u32::try_from(self.all.len()).ok()?;
        self.all.push(Expression {
            text: text.into(),
            compiled: OnceLock::new(),
            users: Vec::new(),
        });
        self.places.insert(text.into(), place);
        Some(place)
    }

    /// An expression that is asked for every number.
    pub(super) fn always(&mut self, text: &str, carrier: u32, rule: u32) {
        let expression = self
            .alone(text)
            .and_then(|at| self.all.get_mut(at as usize));
        if let Some(expression) = expression {
            expression.users.push((carrier, rule));
        }
    }

    pub(super) fn finish(self) -> Expressions {
        let always = (0..)
            .zip(&self.all)
            .filter(|(_, expression)| !expression.users.is_empty());
        let always: Vec<(u32, &str)> = always.map(|(at, found)| (at, &*found.text)).collect();
        let mut sets = Vec::new();
        for some in always.chunks(SET) {
            add_set(some, &mut sets);
        }
        Expressions {
            all: self.all,
            sets,
        }
    }
}

/// One set of all that are regular expressions: a bad one makes the others be tried in halves.
fn add_set(some: &[(u32, &str)], sets: &mut Vec<(RegexSet, Vec<u32>)>) {
    let (places, texts): (Vec<u32>, Vec<&str>) = some.iter().copied().unzip();
    let size = EXPRESSION_BYTES * texts.len();
    match (RegexSetBuilder::new(&texts).size_limit(size).build(), some) {
        (Ok(set), _) => sets.push((set, places)),
        // Alone it is measured by the bound of one.
        (Err(_), [(_, text)]) => drop(compiled(text)),
        (Err(_), _) => {
            let (left, right) = some.split_at(some.len() / 2);
            add_set(left, sets);
            add_set(right, sets);
        }
    }
}

/// What a number has to begin with to match an expression that is anchored; None: anything, or so little that it tells
/// few numbers apart.
pub(super) fn demanded(text: &str) -> Option<Vec<u8>> {
    let mut rest = text.as_bytes().strip_prefix(b"^")?;
    if alternates(rest) {
        return None;
    }
    let mut literal = Vec::new();
    loop {
        let (byte, behind) = match rest {
            [b'\\', byte @ (b'+' | b'*' | b'#'), behind @ ..] => (*byte, behind),
            [byte @ (b'0'..=b'9' | b'#'), behind @ ..] => (*byte, behind),
            _ => break,
        };
        if matches!(behind.first(), Some(b'?' | b'*' | b'+' | b'{')) {
            break;
        }
        literal.push(byte);
        rest = behind;
    }
    (literal.len() >= TELLING).then_some(literal)
}

/// There is a `|` outside of every group, or where it is hard to tell.
fn alternates(rest: &[u8]) -> bool {
    let mut depth = 0_usize;
    let mut bytes = rest.iter();
    while let Some(byte) = bytes.next() {
        match byte {
            b'\\' => drop(bytes.next()),
            b'(' => depth += 1,
            b')' => depth = depth.saturating_sub(1),
            b'[' if !skip_set(&mut bytes) => return true,
            b'|' if depth == 0 => return true,
            _ => {}
        }
    }
    false
}

/// Leaves the set behind; false: it holds another.
fn skip_set(bytes: &mut std::slice::Iter<'_, u8>) -> bool {
    if bytes.as_slice().first() == Some(&b'^') {
        bytes.next();
    }
    // A `]` that comes first is a member.
    let mut first = true;
    while let Some(byte) = bytes.next() {
        match byte {
            b'\\' => drop(bytes.next()),
            b'[' => return false,
            b']' if !first => return true,
            _ => {}
        }
        first = false;
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_number_has_to_begin_with() {
        for (text, literal) in [
            (r"^\+49(1[5-7]\d+|30\d{4,})$", Some("+49")),
            (r"^\+491?[5-7]", Some("+49")),
            (r"^0049*5", Some("004")),
            (r"^00*49", None),
            (r"^\+(4|5)", None),
            (r"^\+49|^\+43", None),
            (r"^\+49[|]", Some("+49")),
            (r"^\+49[^]|]", Some("+49")),
            (r"^\+49[]\]]|1", None),
            (r"^\+49[[:alpha:]|]", None),
            (r"^\+49(a|b)", Some("+49")),
            (r"\+49", None),
            (r"^[2-9]", None),
            (r"^\d+9", None),
        ] {
            let found = demanded(text);
            assert_eq!(found.as_deref(), literal.map(str::as_bytes), "{text}");
        }
    }

    #[test]
    fn bad_expressions_leave_the_others() {
        let mut collected = Collected::default();
        for (rule, text) in (0..).zip(["[", "1", "(", "2$", "1"]) {
            collected.always(text, 7, rule);
        }
        let expressions = collected.finish();
        let mut rules: Vec<u32> = expressions
            .matching("12")
            .map(|(_, rule, _)| rule)
            .collect();
        rules.sort_unstable();
        assert_eq!(rules, [1, 3, 4]);
        assert_eq!(expressions.sent(0, "["), None);
    }
}
