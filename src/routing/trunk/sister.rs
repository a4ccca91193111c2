//! A call to a PBX whose registration another node holds: what travels in private headers. The
//! sister node decides the leg itself, with its own documents.

use super::world::Place;
use crate::routing::Variables;
use crate::types::{AccountId, DocumentId};

const ACCOUNT: &str = "X-LF-Account";
const CONNECTIVITY: &str = "X-LF-Connectivity";
const SERVER: &str = "X-LF-Server";
const DIALED: &str = "X-LF-Dialed";

/// The server and the number that a sister node asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HandedOver {
    pub place: Place,
    /// Normalised.
    pub number: String,
}

/// Writes the headers of a leg to a sister node.
pub(super) fn hand_over(place: &Place, number: &str, variables: &mut Variables) {
    variables.set_header(ACCOUNT, place.account.as_str());
    variables.set_header(CONNECTIVITY, place.connectivity.as_str());
    variables.set_header(SERVER, &place.server.to_string());
    variables.set_header(DIALED, number);
}

impl HandedOver {
    /// Reads them; `header` looks one up by its name. To be believed of sister nodes alone. None:
    /// they are not there, or make no sense.
    #[must_use]
    pub fn read<'v>(header: impl Fn(&str) -> Option<&'v str>) -> Option<Self> {
        Some(Self {
            place: Place {
                account: AccountId::new(header(ACCOUNT)?).ok()?,
                connectivity: DocumentId::new(header(CONNECTIVITY)?).ok()?,
                server: header(SERVER)?.parse().ok()?,
            },
            number: header(DIALED)?.to_owned(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        let handed = HandedOver {
            place: Place {
                account: AccountId::new("a").unwrap(),
                connectivity: DocumentId::new("c").unwrap(),
                server: 2,
            },
            number: "+12125551234".into(),
        };
        let mut variables = Variables::default();
        hand_over(&handed.place, &handed.number, &mut variables);
        let header = |name: &str| variables.get(&format!("sip_h_{name}"));
        assert_eq!(HandedOver::read(header), Some(handed));
        assert_eq!(HandedOver::read(|_| None), None);
    }
}
