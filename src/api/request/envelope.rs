//! What a body holds besides the data: `{"data": ..., "auth_token": ..., "verb": ...}` (API specification 1.5).

use serde_json::{Map, Value, json};

use crate::api::reply::Refusal;

/// The members of a body, their names lower-cased and with `_` for `-`.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Envelope {
    members: Map<String, Value>,
    /// Whether there was a body at all.
    present: bool,
}

impl Envelope {
    /// # Errors
    /// The body is no JSON object.
    pub fn of(body: Value) -> Result<Envelope, Refusal> {
        let Value::Object(object) = body else {
            let fault =
                json!({"message": "Value did not match type(s): object", "target": "object"});
            return Err(Refusal::fault("data", "type", fault));
        };
        let members = object.into_iter().map(|(name, value)| {
            let name = name.to_ascii_lowercase().replace('-', "_");
            (name, value)
        });
        Ok(Envelope {
            members: members.collect(),
            present: true,
        })
    }

    /// A text member.
    #[must_use]
    pub fn text(&self, name: &str) -> Option<&str> {
        self.members.get(name)?.as_str()
    }

    /// Any member but the data.
    #[must_use]
    pub fn member(&self, name: &str) -> Option<&Value> {
        self.members.get(name).filter(|_| name != "data")
    }

    /// The data as it came; None when there was no body.
    ///
    /// # Errors
    /// A body without data, or whose data is neither object nor list.
    pub fn data(&self) -> Result<Option<&Value>, Refusal> {
        match self.members.get("data") {
            Some(data @ (Value::Object(_) | Value::Array(_))) => Ok(Some(data)),
            Some(Value::Null) | None if self.present => Err(Refusal::fault(
                "data",
                "required",
                json!({"message": "Field is required but missing"}),
            )),
            None => Ok(None),
            Some(_) => Err(Refusal::fault(
                "data",
                "type",
                json!({
                    "message": "Value did not match type(s): object, array",
                    "target": "object, array",
                }),
            )),
        }
    }

    /// The data where an object is wanted; `{}` when there was no body.
    ///
    /// # Errors
    /// As [`Envelope::data`], and for a list.
    pub fn object(&self) -> Result<Map<String, Value>, Refusal> {
        match self.data()? {
            None => Ok(Map::new()),
            Some(Value::Object(object)) => Ok(object.clone()),
            Some(_) => Err(Refusal::fault(
                "data",
                "type",
                json!({"message": "Value did not match type(s): object", "target": "object"}),
            )),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_generously() {
        let body = json!({"DATA": {"a": 1}, "Auth-Token": "t", "VERB": "delete"});
        let envelope = Envelope::of(body).unwrap();
        assert_eq!(envelope.text("auth_token"), Some("t"));
        assert_eq!(envelope.text("verb"), Some("delete"));
        assert_eq!(envelope.object().unwrap()["a"], 1);
    }

    #[test]
    fn data_is_wanted_where_there_is_a_body() {
        assert!(Envelope::default().object().unwrap().is_empty());
        for bad in [
            json!({}),
            json!({"data": null}),
            json!({"data": "x"}),
            json!({"data": 1}),
        ] {
            assert!(Envelope::of(bad).unwrap().data().is_err());
        }
        assert!(Envelope::of(json!({"data": []})).unwrap().object().is_err());
        assert!(Envelope::of(json!([])).is_err());
    }
}
