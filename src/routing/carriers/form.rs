//! Rules that mean: the number begins with one of a few literals, then come so many digits.
//!
//! Nearly every rule of a carrier is one of these: `^\+49`, `^\+?1?(\d{10})$`, `^(\+44\d*)$`. Such a rule is the same as
//! its [`Alternative`]s, in their order: the first that fits is what the expression matches, with the same captures. What
//! can't be read with certainty is none; it stays an expression.

use super::shape::{Class, Run, Sent, Shape};

/// Characters of a literal that numbers are indexed by, and how many of them.
const LITERALS: &[u8] = b"0123456789+*#";
const LONGEST_LITERAL: usize = 16;

/// Alternatives that one rule may have; each takes room in the index.
const ALTERNATIVES: usize = 16;

/// Largest count in `{..}`: far more than a number has digits, and far below what makes an expression too large to
/// compile.
const REPEATS: u16 = 32;

/// Nested groups.
const DEPTH: usize = 8;

/// One way in which a rule matches.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Alternative {
    /// What the number begins with.
    pub(super) literal: Vec<u8>,
    pub(super) shape: Shape,
}

/// The alternatives of a rule, the preferred one first; None: it has no such form.
pub(super) fn read(rule: &str) -> Option<Vec<Alternative>> {
    let mut parser = Parser {
        rest: rule.as_bytes().strip_prefix(b"^")?,
        groups: 0,
    };
    let items = parser.sequence(0)?;
    if !parser.rest.is_empty() {
        return None;
    }
    let states = expand(&items, vec![State::default()])?;
    let alternative = |(order, state): (usize, State)| {
        Some(Alternative {
            shape: state.shape(u8::try_from(order).ok()?)?,
            literal: state.literal,
        })
    };
    states.into_iter().enumerate().map(alternative).collect()
}

#[derive(Debug, Clone)]
struct Item {
    what: What,
    min: u16,
    /// None: any number.
    max: Option<u16>,
}

#[derive(Debug, Clone)]
enum What {
    /// One of these characters.
    One(Vec<u8>),
    Many(Class),
    Group {
        /// Number of a capturing group.
        number: Option<usize>,
        branches: Vec<Vec<Item>>,
    },
    End,
}

struct Parser<'a> {
    rest: &'a [u8],
    groups: usize,
}

impl Parser<'_> {
    fn next(&mut self) -> Option<u8> {
        let (first, rest) = self.rest.split_first()?;
        self.rest = rest;
        Some(*first)
    }

    fn take(&mut self, text: &[u8]) -> bool {
        match self.rest.strip_prefix(text) {
            Some(rest) => {
                self.rest = rest;
                true
            }
            None => false,
        }
    }

    /// Up to the end, a `)` or a `|`.
    fn sequence(&mut self, depth: usize) -> Option<Vec<Item>> {
        let mut items = Vec::new();
        while let Some(first) = self.rest.first() {
            if matches!(first, b')' | b'|') {
                break;
            }
            let what = self.what(depth)?;
            let (min, max) = self.quantifier()?;
            if matches!(what, What::End) && (min, max) != (1, Some(1)) {
                return None;
            }
            items.push(Item { what, min, max });
        }
        Some(items)
    }

    fn what(&mut self, depth: usize) -> Option<What> {
        match self.next()? {
            b'(' => self.group(depth),
            b'[' => self.set(),
            b'.' => Some(What::Many(Class::Any)),
            b'$' => Some(What::End),
            b'\\' => match self.next()? {
                b'd' => Some(What::Many(Class::Digit)),
                escaped @ (b'+' | b'*' | b'#') => Some(What::One(vec![escaped])),
                _ => None,
            },
            digit @ (b'0'..=b'9' | b'#') => Some(What::One(vec![digit])),
            _ => None,
        }
    }

    fn group(&mut self, depth: usize) -> Option<What> {
        if depth >= DEPTH {
            return None;
        }
        let number = if self.take(b"?:") {
            None
        } else if self.rest.first() == Some(&b'?') {
            return None;
        } else {
            self.groups += 1;
            Some(self.groups)
        };
        let mut branches = vec![self.sequence(depth + 1)?];
        loop {
            match self.next()? {
                b')' => return Some(What::Group { number, branches }),
                _ => branches.push(self.sequence(depth + 1)?),
            }
        }
    }

    /// `[0-9]`, `[2-9]`, `[+]`.
    fn set(&mut self) -> Option<What> {
        let mut bytes = Vec::new();
        loop {
            let first = match self.next()? {
                b']' if !bytes.is_empty() => break,
                first if LITERALS.contains(&first) => first,
                _ => return None,
            };
            if self.take(b"-") {
                let last = self.next()?;
                if !(first.is_ascii_digit() && last.is_ascii_digit() && first <= last) {
                    return None;
                }
                bytes.extend(first..=last);
            } else {
                bytes.push(first);
            }
        }
        bytes.sort_unstable();
        bytes.dedup();
        Some(match &*bytes {
            b"0123456789" => What::Many(Class::Digit),
            _ => What::One(bytes),
        })
    }

    fn quantifier(&mut self) -> Option<(u16, Option<u16>)> {
        let counts = match self.rest.first() {
            Some(b'?') => (0, Some(1)),
            Some(b'*') => (0, None),
            Some(b'+') => (1, None),
            Some(b'{') => return self.counts(),
            _ => return Some((1, Some(1))),
        };
        self.next();
        self.unrepeated(counts)
    }

    /// A second quantifier makes the first lazy, or repeats it.
    fn unrepeated<T>(&self, counts: T) -> Option<T> {
        let again = matches!(self.rest.first(), Some(b'?' | b'*' | b'+' | b'{'));
        (!again).then_some(counts)
    }

    /// `{3}`, `{3,}`, `{3,5}`.
    fn counts(&mut self) -> Option<(u16, Option<u16>)> {
        self.take(b"{");
        let min = self.count()?;
        let max = match self.next()? {
            b'}' => Some(min),
            b',' if self.take(b"}") => None,
            b',' => {
                let max = self.count()?;
                (self.next()? == b'}').then_some(())?;
                Some(max)
            }
            _ => return None,
        };
        let sensible = max.is_none_or(|max| max >= min && max > 0);
        sensible.then_some(())?;
        self.unrepeated((min, max))
    }

    fn count(&mut self) -> Option<u16> {
        let digits = self
            .rest
            .iter()
            .take_while(|byte| byte.is_ascii_digit())
            .count();
        let (text, rest) = self.rest.split_at_checked(digits)?;
        self.rest = rest;
        let count = std::str::from_utf8(text).ok()?.parse().ok()?;
        (count <= REPEATS).then_some(count)
    }
}

/// One way through the items so far.
#[derive(Debug, Clone, Default)]
struct State {
    literal: Vec<u8>,
    run: Option<Run>,
    /// `$` was there.
    ended: bool,
    groups: Vec<Group>,
}

#[derive(Debug, Clone, Copy)]
struct Group {
    number: usize,
    start: u16,
    /// None: wherever the run ends.
    end: Option<u16>,
}

impl State {
    /// None: it depends on the number.
    fn position(&self) -> Option<u16> {
        let literal = u16::try_from(self.literal.len()).ok()?;
        match self.run {
            None => Some(literal),
            Some(run) if run.max == Some(run.min) => Some(literal + run.min),
            Some(_) => None,
        }
    }

    fn with(&self, byte: u8) -> Option<Self> {
        let fits = self.run.is_none() && !self.ended && self.literal.len() < LONGEST_LITERAL;
        fits.then(|| {
            let mut with = self.clone();
            with.literal.push(byte);
            with
        })
    }

    fn running(mut self, class: Class, min: u16, max: Option<u16>) -> Option<Self> {
        self.run = Some(match self.run {
            _ if self.ended => return None,
            None => Run { class, min, max },
            Some(run) if run.class == class && run.max == Some(run.min) => Run {
                class,
                min: run.min + min,
                max: max.map(|max| run.min + max),
            },
            Some(_) => return None,
        });
        Some(self)
    }

    fn shape(&self, order: u8) -> Option<Shape> {
        // The longest of those whose ends are known, and of those whose end is the run's; of equals the last.
        let mut groups = self.groups.clone();
        groups.sort_by_key(|group| group.number);
        let length = |group: &Group| group.end.map(|end| end - group.start);
        let fixed = groups.iter().filter(|group| length(group) > Some(0));
        let fixed = fixed.max_by_key(|group| length(group));
        let open = groups.iter().filter(|group| group.end.is_none());
        let open = open.max_by_key(|group| std::cmp::Reverse(group.start));
        let later = open.map(|group| group.number) > fixed.map(|group| group.number);
        Some(Shape {
            order,
            literal: u16::try_from(self.literal.len()).ok()?,
            run: self.run,
            to_end: self.ended,
            sent: Sent {
                fixed: fixed.and_then(|group| Some((group.start, group.end?))),
                open: open.map(|group| group.start),
                open_wins: later,
            },
        })
    }
}

/// Every way through the items, in the order in which an expression prefers them: the earlier choice weighs more.
fn expand(items: &[Item], mut states: Vec<State>) -> Option<Vec<State>> {
    for item in items {
        let mut next = Vec::with_capacity(states.len());
        for state in states {
            step(item, state, &mut next)?;
        }
        states = next;
        (states.len() <= ALTERNATIVES).then_some(())?;
    }
    Some(states)
}

fn step(item: &Item, state: State, next: &mut Vec<State>) -> Option<()> {
    match (&item.what, item.min, item.max) {
        (What::End, ..) => next.push(State {
            ended: true,
            ..state
        }),
        (What::Many(class), min, max) => next.push(state.running(*class, min, max)?),
        (What::One(bytes), 0, Some(1)) => {
            one(bytes, &state, next)?;
            next.push(state);
        }
        (What::One(bytes), min, Some(max)) if min == max => {
            let mut states = vec![state];
            for _ in 0..min {
                let mut longer = Vec::new();
                for state in &states {
                    one(bytes, state, &mut longer)?;
                }
                states = longer;
                (states.len() <= ALTERNATIVES).then_some(())?;
            }
            next.extend(states);
        }
        (What::Group { number, branches }, 1, Some(1)) => group(*number, branches, &state, next)?,
        (What::Group { number, branches }, 0, Some(1)) => {
            group(*number, branches, &state, next)?;
            next.push(state);
        }
        (What::One(_) | What::Group { .. }, ..) => return None,
    }
    Some(())
}

fn one(bytes: &[u8], state: &State, next: &mut Vec<State>) -> Option<()> {
    for byte in bytes {
        next.push(state.with(*byte)?);
    }
    Some(())
}

fn group(
    number: Option<usize>,
    branches: &[Vec<Item>],
    state: &State,
    next: &mut Vec<State>,
) -> Option<()> {
    let start = state.position();
    for branch in branches {
        let mut through = expand(branch, vec![state.clone()])?;
        for state in &mut through {
            if let Some(number) = number {
                let (start, end) = (start?, state.position());
                state.groups.push(Group { number, start, end });
            }
        }
        next.append(&mut through);
    }
    Some(())
}
