//! The one writer of dial strings.

use super::{DialLeg, DialString, Variables};

/// FreeSWITCH's limits; what is beyond them would be read as part of the last.
pub const MAX_GROUPS: usize = 128;
pub const MAX_LEGS: usize = 128;

/// Separators of variables, best first. The last occurs in no value, as cleaning removes it.
const SEPARATORS: &[u8] = b"!~#;*/?\"@&\x1f";

impl DialString {
    /// FreeSWITCH's text of it.
    ///
    /// * `[]` always names its separator (`[^^!a=1!b=2]`): the pass that splits a group into legs
    ///   has already taken the quotes away when it sees a comma, so quoting protects none.
    /// * `{}` does so only if a value holds a comma.
    /// * A leg's variable wins over the global one of the same name, for which the writer adds
    ///   `local_var_clobber=true`; without it FreeSWITCH writes the global ones last.
    /// * Groups without a leg are left out, as is what exceeds [`MAX_GROUPS`] and [`MAX_LEGS`].
    #[must_use]
    pub fn render(&self) -> String {
        let mut out = String::with_capacity(256 * self.groups.len().max(1));
        let clobber = self.needs_clobber().then_some((CLOBBER, "true"));
        let global = || clobber.into_iter().chain(self.global.iter());
        if global().next().is_some() {
            let comma = self.global.iter().any(|(_, value)| value.contains(','));
            let separator = if comma { separator(&self.global) } else { ',' };
            block(&mut out, ['{', '}'], separator, global());
        }
        let groups = self.groups.iter().filter(|legs| !legs.is_empty());
        for (n, legs) in groups.take(MAX_GROUPS).enumerate() {
            if n > 0 {
                out.push('|');
            }
            for (n, leg) in legs.iter().take(MAX_LEGS).enumerate() {
                if n > 0 {
                    out.push(',');
                }
                leg.render(&mut out);
            }
        }
        out
    }

    /// Whether a leg sets a global variable to another value.
    fn needs_clobber(&self) -> bool {
        let differs = |leg: &DialLeg| {
            let mut global = self.global.iter();
            global.any(|(name, value)| leg.variables.get(name).is_some_and(|v| v != value))
        };
        let legs = || self.groups.iter().flatten();
        self.global.get(CLOBBER).is_none() && !self.global.is_empty() && legs().any(differs)
    }
}

const CLOBBER: &str = "local_var_clobber";

impl DialLeg {
    fn render(&self, out: &mut String) {
        if !self.variables.is_empty() {
            let separator = separator(&self.variables);
            block(out, ['[', ']'], separator, self.variables.iter());
        }
        self.endpoint
            .parts()
            .into_iter()
            .for_each(|p| out.push_str(p));
    }
}

/// The first separator that occurs in no value. Names hold none of them.
fn separator(variables: &Variables) -> char {
    let mut seen = [false; 256];
    for byte in variables.iter().flat_map(|(_, value)| value.bytes()) {
        if let Some(seen) = seen.get_mut(usize::from(byte)) {
            *seen = true;
        }
    }
    let free = |b: &&u8| !seen.get(usize::from(**b)).is_some_and(|seen| *seen);
    char::from(SEPARATORS.iter().find(free).copied().unwrap_or(b'\x1f'))
}

fn block<'a>(
    out: &mut String,
    [open, close]: [char; 2],
    separator: char,
    variables: impl Iterator<Item = (&'a str, &'a str)>,
) {
    out.push(open);
    if separator != ',' {
        out.push_str("^^");
        out.push(separator);
    }
    for (n, (name, value)) in variables.enumerate() {
        if n > 0 {
            out.push(separator);
        }
        out.push_str(name);
        out.push('=');
        out.push_str(value);
    }
    out.push(close);
}

#[cfg(test)]
mod tests {
    use super::super::Endpoint;
    use super::*;

    fn leg(user: &str, variables: &[(&str, &str)]) -> DialLeg {
        let mut leg = DialLeg {
            variables: Variables::default(),
            endpoint: Endpoint::sofia("internal", &format!("sip:{user}@b")).unwrap(),
        };
        for (name, value) in variables {
            leg.variables.set(*name, value);
        }
        leg
    }

    #[test]
    fn groups_legs_and_variables() {
        let mut dial = DialString {
            groups: vec![
                vec![leg("1", &[("a", "x, y"), ("b", "2")]), leg("2", &[])],
                vec![],
                vec![leg("3", &[("c", "!~#;*/?\"@")])],
                vec![leg("4", &[("c", "!~#;*/?\"@&")])],
            ],
            ..DialString::default()
        };
        assert_eq!(
            dial.render(),
            "[^^!a=x, y!b=2]sofia/internal/sip:1@b,sofia/internal/sip:2@b\
             |[^^&c=!~#;*/?\"@]sofia/internal/sip:3@b\
             |[^^\u{1f}c=!~#;*/?\"@&]sofia/internal/sip:4@b"
        );
        dial.groups.truncate(1);
        dial.global.set("ignore_early_media", "true");
        dial.global.set("z", "1");
        assert!(
            dial.render()
                .starts_with("{ignore_early_media=true,z=1}[^^!a=")
        );
        dial.global
            .set("fail_on_single_reject", "USER_BUSY,NO_ANSWER!");
        assert!(
            dial.render()
                .starts_with("{^^~ignore_early_media=true~z=1~fail_on")
        );
    }

    #[test]
    fn a_leg_wins_over_the_global_block() {
        let mut dial = DialString {
            groups: vec![vec![leg("1", &[("A", "1")])]],
            ..DialString::default()
        };
        dial.global.set("a", "1");
        assert!(
            dial.render().starts_with("{a=1}["),
            "the same value is no clash"
        );
        dial.global.set("a", "2");
        assert!(dial.render().starts_with("{local_var_clobber=true,a=2}["));
        dial.global.set_bool("local_var_clobber", true);
        assert!(dial.render().starts_with("{a=2,local_var_clobber=true}["));
    }

    #[test]
    fn freeswitch_reads_128_groups_and_legs() {
        let dial = DialString {
            groups: vec![vec![leg("1", &[]); 200]; 200],
            ..DialString::default()
        };
        let text = dial.render();
        assert_eq!(text.matches('|').count(), 127);
        assert_eq!(text.matches("sofia").count(), 128 * 128);
    }

    #[test]
    fn nothing_to_dial_is_an_empty_text() {
        assert_eq!(DialString::default().render(), "");
    }
}
