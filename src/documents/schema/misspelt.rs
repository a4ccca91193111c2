//! Members that are stored as they came, since unknown ones are kept, although another name was probably meant.

use serde_json::{Map, Value};

use super::catalogue::CATALOGUE;
use super::fault::dotted;
use super::flow;

/// A member that no schema knows, and the name that was probably meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Misspelt {
    /// Dotted path of the member as it was sent.
    pub field: String,
    /// Dotted path of the member that the schema knows.
    pub nearest: String,
}

impl Misspelt {
    pub(super) fn new(path: &[String], meant: &str) -> Self {
        let mut nearest = path.to_vec();
        if let Some(last) = nearest.last_mut() {
            meant.clone_into(last);
        }
        Self {
            field: dotted(path),
            nearest: dotted(&nearest),
        }
    }
}

/// The members of a document that are probably misspelt: near to a known member that is absent. `name` is the schema's.
#[must_use]
pub fn misspelt(name: &str, sent: &Map<String, Value>) -> Vec<Misspelt> {
    let mut found = Vec::new();
    CATALOGUE.shapes.misspelt(name, sent, &[], &mut found);
    if name == "callflows"
        && let Some(flow) = sent.get("flow")
    {
        flow::each_data(flow, |module, data, path| {
            let name = format!("callflows.{module}");
            CATALOGUE.shapes.misspelt(&name, data, &path, &mut found);
        });
    }
    found
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn told(name: &str, sent: Value) -> Vec<(String, String)> {
        let Value::Object(sent) = sent else {
            panic!("documents are objects")
        };
        let found = misspelt(name, &sent);
        found
            .into_iter()
            .map(|one| (one.field, one.nearest))
            .collect()
    }

    fn pair(field: &str, nearest: &str) -> (String, String) {
        (field.to_owned(), nearest.to_owned())
    }

    #[test]
    fn a_name_near_to_an_absent_one_is_told_at_every_depth() {
        let device = json!({"name": "Desk", "enabeld": true, "sip": {"pasword": "secret-1"}});
        assert_eq!(
            told("devices", device),
            [
                pair("enabeld", "enabled"),
                pair("sip.pasword", "sip.password")
            ]
        );
        let trunk = json!({"servers": [{"auth": {"auth_method": "ip"}, "options": {"inbound_formt": "e164"}}]});
        assert_eq!(
            told("connectivity", trunk),
            [pair(
                "servers.0.options.inbound_formt",
                "servers.0.options.inbound_format"
            )]
        );
    }

    #[test]
    fn a_name_of_ones_own_is_not() {
        // `names` is near to `name`, which is there: whoever sent both means both.
        let device = json!({"name": "Desk", "names": ["a"], "colour": "red", "sip": {"custom_sip_headers": {"pasword": "x"}}});
        assert_eq!(told("devices", device), []);
        assert_eq!(told("nothing", json!({"nmae": 1})), []);
    }

    #[test]
    fn the_data_of_actions_is_looked_at() {
        let flow = json!({"numbers": ["1001"], "flow": {"module": "device", "data": {"id": "d", "timout": 20},
            "children": {"_": {"module": "unknown", "data": {"timout": 1}}}}});
        assert_eq!(
            told("callflows", flow),
            [pair("flow.data.timout", "flow.data.timeout")]
        );
    }
}
