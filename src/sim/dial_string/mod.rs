//! Reads a dial string the way FreeSWITCH does, pass by pass, so that the simulated node dials what
//! a real one would, and so that the writer can be held against it.
//!
//! The passes, each of which takes away one level of quotes and backslashes (FreeSWITCH 1.11:
//! `switch_channel.c`, `switch_ivr_originate.c`, `switch_event.c`, `switch_utils.c`):
//!
//! 1. expansion of `${...}` in the application's argument;
//! 2. `:_:` anywhere makes an enterprise originate out of it;
//! 3. blocks `<...>` and `{...}` at the start;
//! 4. groups, split at `|`;
//! 5. commas inside `[...]` set aside, then legs, split at `,`;
//! 6. blocks `[...]` in front of a leg, variables split at `,` or at the `X` of `^^X`, names from
//!    values at `=`.
//!
//! What a well-meant dial string never does is listed in [`ParsedDial::faults`].

mod expand;
mod scan;
mod variables;

use scan::{end_paren, separate, skip_blanks};
pub use variables::is_true;
use variables::{Block, take_blocks};

/// FreeSWITCH's bounds of its arrays.
const MAX_PEERS: usize = 128;

/// Stand-ins for commas inside a block while legs are split.
const PROTECTED_COMMA: u8 = 1;
const SEPARATING_COMMA: u8 = 2;

/// What FreeSWITCH would dial.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ParsedDial {
    /// Variables of all legs, from `<>` and `{}`.
    pub global: Vec<(String, String)>,
    /// Groups tried in order, of legs rung together.
    pub groups: Vec<Vec<ParsedLeg>>,
    /// The parts of an enterprise originate; `groups` is empty then.
    pub enterprise: Vec<ParsedDial>,
    /// What went wrong or should not be in a dial string.
    pub faults: Vec<Fault>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ParsedLeg {
    /// Variables of this leg alone, in the order in which they are set; a name occurs once.
    pub variables: Vec<(String, String)>,
    /// `sofia/internal/sip:1001@192.0.2.1`.
    pub endpoint: String,
}

/// What a dial string of ours must not hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// `${...}` or `$${...}`, which FreeSWITCH expands on the A-leg, running `${api(...)}`.
    Expansion(String),
    /// `%[...]` at the start sets variables for the application.
    ScopedVariables,
    /// `:_:`.
    Enterprise,
    /// A block that does not end: FreeSWITCH gives up here.
    Unbalanced(String),
    /// A part that ends in a backslash, a block that is only `^^`, or one right behind an opening
    /// bracket of its own: FreeSWITCH reads on in whatever is behind the text.
    Overrun,
    /// A value (of this variable) that is stored as a list.
    List(String),
    /// No endpoint at all.
    NothingToDial,
}

impl ParsedLeg {
    /// A variable of the leg's own block, whatever the case of its name.
    #[must_use]
    pub fn variable(&self, name: &str) -> Option<&str> {
        variables::find(&self.variables, name)
    }

    /// `sofia` of `sofia/internal/...`, and the rest.
    #[must_use]
    pub fn parts(&self) -> (&str, &str) {
        self.endpoint
            .split_once('/')
            .unwrap_or((&self.endpoint, ""))
    }
}

impl ParsedDial {
    /// A variable as the leg's channel ends up with it: of a name that stands in both blocks the
    /// global value is written last and wins, unless `local_var_clobber` is true.
    #[must_use]
    pub fn variable<'a>(&'a self, leg: &'a ParsedLeg, name: &str) -> Option<&'a str> {
        let global = variables::find(&self.global, name);
        let clobber = variables::find(&self.global, "local_var_clobber").is_some_and(is_true);
        match leg.variable(name) {
            own if clobber => own.or(global),
            own => global.or(own),
        }
    }
}

/// Reads the argument of `bridge`.
#[must_use]
pub fn parse(argument: &str) -> ParsedDial {
    let mut dial = ParsedDial::default();
    // C text ends at NUL.
    let text = argument.split('\0').next().unwrap_or_default();
    let text = expand::expand(text.as_bytes(), &mut dial.faults);
    if let [b'%', b'[', ..] | [b'%', _, b'[', ..] = text.as_slice() {
        dial.faults.push(Fault::ScopedVariables);
    }
    originate(&text, &mut dial);
    dial
}

fn originate(text: &[u8], dial: &mut ParsedDial) {
    if find(text, b":_:").is_some() {
        return enterprise(text, dial);
    }
    let mut global = Block::default();
    let text = skip_blanks(text);
    let opened = take_blocks(text, [b'<', b'>'], b',', &mut global)
        .and_then(|text| take_blocks(text, [b'{', b'}'], b',', &mut global));
    dial.faults.append(&mut global.faults);
    dial.global.append(&mut global.variables);
    let text = match opened {
        Ok(text) => skip_blanks(text),
        Err(fault) => return dial.faults.push(fault),
    };
    if text.is_empty() {
        return dial.faults.push(Fault::NothingToDial);
    }
    for group in separate(text, b'|', MAX_PEERS, &mut dial.faults) {
        match legs(group, &mut dial.faults) {
            Ok(legs) => dial.groups.push(legs),
            Err(fault) => return dial.faults.push(fault),
        }
    }
}

/// The variables in `<>` hold for all parts; each part is an originate of its own.
fn enterprise(text: &[u8], dial: &mut ParsedDial) {
    dial.faults.push(Fault::Enterprise);
    let mut global = Block::default();
    let opened = take_blocks(skip_blanks(text), [b'<', b'>'], b',', &mut global);
    dial.faults.append(&mut global.faults);
    dial.global.append(&mut global.variables);
    let mut rest = match opened {
        Ok(text) => skip_blanks(text),
        Err(fault) => return dial.faults.push(fault),
    };
    while !rest.is_empty() && dial.enterprise.len() < MAX_PEERS {
        let at = find(rest, b":_:");
        let (part, more) = rest.split_at(at.unwrap_or(rest.len()));
        rest = more.get(3..).unwrap_or_default();
        let mut part_dial = ParsedDial::default();
        originate(part, &mut part_dial);
        dial.enterprise.push(part_dial);
    }
}

fn legs(mut group: Vec<u8>, faults: &mut Vec<Fault>) -> Result<Vec<ParsedLeg>, Fault> {
    set_commas_aside(&mut group);
    let peers = separate(&group, b',', MAX_PEERS, faults);
    peers.into_iter().map(|peer| leg(peer, faults)).collect()
}

/// Commas inside `[...]` don't separate legs. In a block that starts with `^^`, or between quotes
/// that are still there, they are text; else they separate variables.
fn set_commas_aside(group: &mut [u8]) {
    let (mut end, mut quoted, mut named) = (None, false, false);
    for at in 0..group.len() {
        let (before, rest) = group.split_at(at);
        let escaped = before.last() == Some(&b'\\');
        let Some(&byte) = rest.first() else { return };
        if end.is_none() && byte == b'[' {
            end = end_paren(rest, [b'[', b']']).map(|length| at + length);
            named = rest.starts_with(b"[^^");
            quoted = false;
        }
        if byte == b'\'' {
            quoted = !quoted;
        }
        let inside = end.is_some_and(|end| at < end);
        if let Some(comma) = group
            .get_mut(at)
            .filter(|b| inside && !escaped && **b == b',')
        {
            *comma = if quoted || named {
                PROTECTED_COMMA
            } else {
                SEPARATING_COMMA
            };
        }
        if end == Some(at) {
            end = None;
        }
    }
}

fn leg(peer: Vec<u8>, faults: &mut Vec<Fault>) -> Result<ParsedLeg, Fault> {
    let mut text = skip_blanks(&peer).to_vec();
    let mut block = Block::default();
    while text.first() == Some(&b'[') {
        let end = end_paren(&text, [b'[', b']']).unwrap_or_default();
        for byte in text.iter_mut().take(end) {
            if *byte == PROTECTED_COMMA {
                *byte = b',';
            }
        }
        text = block.take([b'[', b']'], SEPARATING_COMMA, &text)?.to_vec();
    }
    faults.append(&mut block.faults);
    Ok(ParsedLeg {
        variables: block.variables,
        endpoint: lossy(skip_blanks(&text)),
    })
}

fn find(text: &[u8], needle: &[u8]) -> Option<usize> {
    text.windows(needle.len())
        .position(|window| window == needle)
}

fn lossy(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[cfg(test)]
mod tests;
