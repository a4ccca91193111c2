//! What a carrier's leg carries beside who calls whom: SIP headers and parameters of the INVITE.

use super::{LOOP, Leg};
use crate::routing::Variables;
use crate::routing::trunk::flags::Facts;
use crate::routing::trunk::leaving::Behalf;

/// Headers that are ours to write, whoever sent them.
const OURS: [&str; 2] = [LOOP, "X-KAZOO-AOR"];
const OURS_BEGIN: &str = "x-lf-";

impl Leg<'_, '_> {
    /// The call's own, then those of number, server and account, then the gateway's; the last of a
    /// name counts.
    pub(super) fn headers(&self, v: &mut Variables) {
        for (name, value) in self.request.headers {
            let lower = name.to_ascii_lowercase();
            let ours = OURS.iter().any(|own| own.eq_ignore_ascii_case(name));
            // What the flow and its documents say beats what the caller sends.
            let said = v.get(&format!("sip_h_{name}")).is_some();
            if lower.starts_with("x-") && !lower.starts_with(OURS_BEGIN) && !ours && !said {
                self.header(name, value, v);
            }
        }
        if let Some(diversion) = self.request.header("Diversion") {
            // A forward of ours has counted itself already.
            let diversion = match self.call.behalf {
                Behalf::Server(_) => diverted_again(diversion),
                Behalf::Account(_) => diversion.to_owned(),
            };
            self.header("Diversion", &diversion, v);
        }
        for (_, terms) in self.call.behalf.levels().iter().rev() {
            for (name, value) in terms.sip_headers.iter().flat_map(|table| table.iter()) {
                self.header(name, value, v);
            }
        }
        let custom = &self.gateway.custom_sip_headers;
        for table in [custom.both.as_ref(), custom.to_device.as_ref()]
            .into_iter()
            .flatten()
        {
            for (name, value) in table.iter() {
                self.header(name, value, v);
            }
        }
        if let Some(did) = self.call.loops {
            v.set_header(LOOP, did);
        }
    }

    fn header(&self, name: &str, value: &str, v: &mut Variables) {
        match self.formatted(name, value) {
            Some(value) => v.set_header(name, &value),
            None => v.set_header(name, ""),
        };
    }

    pub(super) fn invite_parameters(&self) -> Vec<String> {
        let facts = Facts {
            request: self.request,
            account_id: self.call.account_id,
            behalf: self.call.behalf,
            number: self.call.number,
        };
        let parameters = &self.gateway.invite_parameters;
        let fixed = parameters.fixed.iter().map(|fixed| fixed.to_string());
        let dynamic = parameters.dynamic.iter().filter_map(|dynamic| {
            let value = facts.lookup(dynamic.key.as_deref()?)?;
            Some(match &dynamic.tag {
                Some(tag) => format!("{tag}={value}"),
                None => value,
            })
        });
        fixed.chain(dynamic).collect()
    }
}

/// The header of a call that goes on: its counter grows by one. Without a counter it was diverted
/// once.
fn diverted_again(header: &str) -> String {
    let mut found = false;
    let parts = header.split(';').map(|part| {
        let (name, value) = part.split_once('=').unwrap_or((part, ""));
        if !name.trim().eq_ignore_ascii_case("counter") || found {
            return part.to_owned();
        }
        found = true;
        let count: u32 = value.trim().parse().unwrap_or(1);
        format!("counter={}", count.saturating_add(1))
    });
    let mut parts: Vec<String> = parts.collect();
    if !found {
        parts.push("counter=2".to_owned());
    }
    parts.join(";")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_counter_of_a_diversion_grows() {
        for (header, again) in [
            (
                "<sip:1@b>;reason=no-answer;counter=3",
                "<sip:1@b>;reason=no-answer;counter=4",
            ),
            ("<sip:1@b>", "<sip:1@b>;counter=2"),
            ("<sip:1@b>;Counter=x", "<sip:1@b>;counter=2"),
        ] {
            assert_eq!(diverted_again(header), again);
        }
    }
}
