//! Which carriers have a rule for a number, without trying every rule.
//!
//! Rules of the form in [`super::form`] stand under their literals: a number asks for each of its beginnings, so that
//! what a selection costs depends on how many rules fit, not on how many there are. All others are expressions: those that
//! begin with a literal stand there too and are tried when a number begins with it, the rest run as one set.

use std::collections::HashMap;
use std::sync::Arc;

use regex::Regex;

use super::capture::{self, Part};
use super::carrier::Carrier;
use super::expressions::{Collected, Expressions, demanded};
use super::form;
use super::shape::Shape;
use crate::routing::numbers::compiled;

/// Characters that a [`Literal`] holds.
const MAX_LITERAL: u32 = 16;

/// A carrier that has a rule for the number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Hit {
    pub(super) carrier: usize,
    /// The first of its rules that matches.
    pub(super) rule: usize,
    pub(super) part: Part,
}

#[derive(Debug, Clone, Default)]
pub(super) struct Index {
    /// Entries by literal: the first, and how many.
    literals: HashMap<Literal, (u32, u32)>,
    /// Bit n: some literal has n characters.
    lengths: u32,
    entries: Box<[Entry]>,
    shapes: Box<[Shape]>,
    expressions: Expressions,
}

/// Up to 16 characters, four bits each; unequal for unequal texts.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
struct Literal(u64);

/// A rule, or one alternative of it, under its literal.
#[derive(Debug, Clone, Copy)]
struct Entry {
    carrier: u32,
    rule: u32,
    kind: Kind,
}

#[derive(Debug, Clone, Copy)]
enum Kind {
    Shape(u32),
    Expression(u32),
}

/// A rule that matches, and what it sends if that is known by now.
struct Found {
    carrier: u32,
    rule: u32,
    order: u8,
    sent: Sent,
}

#[derive(Clone, Copy)]
enum Sent {
    Part(Part),
    /// What this expression captures.
    Expression(u32),
}

impl Literal {
    fn with(self, byte: u8) -> Option<Self> {
        let nibble = match byte {
            b'0'..=b'9' => u64::from(byte - b'0') + 1,
            b'+' => 11,
            b'*' => 12,
            b'#' => 13,
            _ => return None,
        };
        (self.0 >> 60 == 0).then_some(Self(self.0 << 4 | nibble))
    }

    const fn length(self) -> u32 {
        MAX_LITERAL - self.0.leading_zeros() / 4
    }

    fn of(text: &[u8]) -> Option<Self> {
        let mut bytes = text.iter();
        bytes.try_fold(Self::default(), |literal, byte| literal.with(*byte))
    }
}

impl Index {
    /// Of carriers that are referred to by their places.
    pub(super) fn build(carriers: &[Carrier]) -> Self {
        let mut build = Build::default();
        for (at, carrier) in carriers.iter().enumerate() {
            let Ok(at) = u32::try_from(at) else { break };
            for (rule, text) in (0..).zip(carrier.rules()) {
                build.add(at, rule, text);
            }
        }
        build.finish()
    }

    /// The carriers that have a rule for the number, in order of their places. `carriers` are those it was built of.
    pub(super) fn hits(&self, number: &str, carriers: &[Arc<Carrier>]) -> Vec<Hit> {
        let mut found = Vec::new();
        self.by_literal(number, carriers, &mut found);
        for (carrier, rule, expression) in self.expressions.matching(number) {
            found.push(Found {
                carrier,
                rule,
                order: 0,
                sent: Sent::Expression(expression),
            });
        }
        found.sort_unstable_by_key(|found| (found.carrier, found.rule, found.order));
        found.dedup_by_key(|found| found.carrier);
        let hits = found.iter().filter_map(|found| self.hit(found, number));
        hits.collect()
    }

    fn by_literal(&self, number: &str, carriers: &[Arc<Carrier>], found: &mut Vec<Found>) {
        let ascii = number.is_ascii();
        let mut literal = Literal::default();
        let mut bytes = number.bytes();
        for length in 0..=MAX_LITERAL {
            if self.lengths & (1 << length) != 0
                && let Some((first, count)) = self.literals.get(&literal)
            {
                let entries = self.entries.iter().skip(*first as usize);
                for entry in entries.take(*count as usize) {
                    let matched = match entry.kind {
                        // Its positions are not those of bytes then.
                        Kind::Shape(_) if !ascii => spelt_out(entry, carriers, number),
                        kind => self.matched(kind, number),
                    };
                    found.extend(matched.map(|(order, sent)| Found {
                        carrier: entry.carrier,
                        rule: entry.rule,
                        order,
                        sent,
                    }));
                }
            }
            match bytes.next().and_then(|byte| literal.with(byte)) {
                Some(longer) if self.lengths >> length > 1 => literal = longer,
                _ => return,
            }
        }
    }

    fn matched(&self, kind: Kind, number: &str) -> Option<(u8, Sent)> {
        match kind {
            Kind::Shape(at) => {
                let shape = self.shapes.get(at as usize)?;
                Some((shape.order, Sent::Part(shape.part(number.as_bytes())?)))
            }
            Kind::Expression(at) => Some((0, Sent::Part(self.expressions.sent(at, number)?))),
        }
    }

    fn hit(&self, found: &Found, number: &str) -> Option<Hit> {
        let part = match found.sent {
            Sent::Part(part) => part,
            Sent::Expression(at) => self.expressions.sent(at, number)?,
        };
        Some(Hit {
            carrier: found.carrier as usize,
            rule: found.rule as usize,
            part,
        })
    }
}

/// What the rule matches, by its expression.
fn spelt_out(entry: &Entry, carriers: &[Arc<Carrier>], number: &str) -> Option<(u8, Sent)> {
    let carrier = carriers.get(entry.carrier as usize)?;
    let rule: Arc<Regex> = compiled(carrier.rule(entry.rule as usize)?)?;
    Some((0, Sent::Part(capture::sent(&rule, number)?)))
}

/// Collects rules for an index.
#[derive(Default)]
struct Build {
    entries: Vec<(Literal, Entry)>,
    shapes: Vec<Shape>,
    places: HashMap<Shape, u32>,
    expressions: Collected,
}

impl Build {
    fn add(&mut self, carrier: u32, rule: u32, text: &str) {
        let Some(alternatives) = form::read(text) else {
            return self.add_expression(carrier, rule, text);
        };
        for alternative in alternatives {
            let shape = self.shape(alternative.shape);
            if let (Some(literal), Some(shape)) = (Literal::of(&alternative.literal), shape) {
                let kind = Kind::Shape(shape);
                self.entries.push((
                    literal,
                    Entry {
                        carrier,
                        rule,
                        kind,
                    },
                ));
            }
        }
    }

    fn add_expression(&mut self, carrier: u32, rule: u32, text: &str) {
        let literal = demanded(text).and_then(|mut literal| {
            literal.truncate(MAX_LITERAL as usize);
            Literal::of(&literal)
        });
        let Some(literal) = literal else {
            return self.expressions.always(text, carrier, rule);
        };
        if let Some(at) = self.expressions.alone(text) {
            let kind = Kind::Expression(at);
            self.entries.push((
                literal,
                Entry {
                    carrier,
                    rule,
                    kind,
                },
            ));
        }
    }

    fn shape(&mut self, shape: Shape) -> Option<u32> {
        if let Some(known) = self.places.get(&shape) {
            return Some(*known);
        }
        let place = u32::try_from(self.shapes.len()).ok()?;
        self.shapes.push(shape);
        self.places.insert(shape, place);
        Some(place)
    }

    fn finish(mut self) -> Index {
        self.entries
            .sort_unstable_by_key(|(literal, entry)| (*literal, entry.carrier, entry.rule));
        let mut literals = HashMap::<_, (u32, u32)>::new();
        let mut lengths = 0;
        for (at, (literal, _)) in (0..).zip(&self.entries) {
            literals.entry(*literal).or_insert((at, 0)).1 += 1;
            lengths |= 1 << literal.length();
        }
        literals.shrink_to_fit();
        Index {
            literals,
            lengths,
            entries: self.entries.into_iter().map(|(_, entry)| entry).collect(),
            shapes: self.shapes.into(),
            expressions: self.expressions.finish(),
        }
    }
}

#[cfg(test)]
#[path = "index_tests.rs"]
mod tests;
