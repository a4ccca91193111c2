//! The operations of the suite `devices` that dial nothing: recordings and documents.

use linefinder::documents::{Device, Direction, DocumentType, schema};
use linefinder::routing::record::{self, RecordedCall};
use linefinder::routing::{Merged, Network};
use linefinder::types::{AccountId, DocumentId};
use serde_json::{Map, Value, json};

use crate::compare::text;
use crate::devices::{Setup, typed};
use crate::suite::Differences;

impl Setup<'_> {
    pub fn recording(&self) -> Differences {
        let device = if self.devices[0].is_object() {
            self.device()
        } else {
            Device::default()
        };
        let endpoint = Merged::of_device(&self.account, &device, &self.users);
        let request = self.request;
        let direction = match request["direction"].as_str() {
            Some("outbound") => Direction::Outbound,
            _ => Direction::Inbound,
        };
        let network = match request["network"].as_str() {
            Some("offnet") => Network::Offnet,
            _ => Network::Onnet,
        };
        let recording = record::select(&endpoint, direction, network, &self.settings);
        let from = &request["from"];
        let call = RecordedCall {
            from: from["number"].as_str().unwrap_or_default(),
            to: request["to"].as_str().unwrap_or_default(),
            caller_id_name: from["name"].as_str().unwrap_or_default(),
            caller_id_number: from["number"].as_str().unwrap_or_default(),
            call_id: request["call_id"].as_str().unwrap_or_default(),
            account_id: self.account_id.as_str(),
            ..RecordedCall::default()
        };
        let url = recording.url.as_deref();
        let upload = url.and_then(|url| record::upload_url(url, recording.format, &call).ok());
        let (path, query) = match upload.as_deref() {
            Some(upload) => upload.split_once('?').unwrap_or((upload, "")),
            None => ("", ""),
        };
        let actual = json!({
            "enabled": recording.enabled,
            "format": recording.format.as_str(),
            "time_limit": recording.time_limit,
            "record_min_sec": recording.record_min_sec,
            "record_sample_rate": recording.record_sample_rate,
            "start": recording.start.as_str(),
            "url": recording.url,
            "method": upload.as_ref().map(|_| "PUT"),
            "upload_path": upload.as_ref().map(|_| path),
        });
        let mut differences = Differences::new();
        for (key, wanted) in self.expect["recording"].as_object().into_iter().flatten() {
            let same = match key.as_str() {
                "upload_query_has" => {
                    let has = |name: &Value| {
                        let name = text(name);
                        query.split('&').any(|p| p.split('=').next() == Some(&name))
                    };
                    wanted.as_array().into_iter().flatten().all(has)
                }
                "upload_query_raw_prefix" => query.starts_with(&text(wanted)),
                key => actual.get(key) == Some(wanted),
            };
            if !same {
                let came = actual.get(key).map_or(query.to_owned(), Value::to_string);
                differences.push(format!("recording {key}: expected {wanted}, came {came}"));
            }
        }
        differences
    }

    pub fn validate(&self) -> Differences {
        let body: Map<String, Value> = typed(self.devices[0]);
        let violations = schema::validate(DocumentType::Device, &body);
        let fields: Vec<&str> = violations.iter().map(|v| v.field.as_str()).collect();
        let mut differences = Differences::new();
        if self.expect["valid"] != json!(violations.is_empty()) {
            differences.push(format!(
                "valid: expected {}, came {violations:?}",
                self.expect["valid"]
            ));
        }
        if let Some(field) = self.expect.get("field").map(text)
            && !fields.contains(&field.as_str())
        {
            differences.push(format!("field: expected {field}, came {fields:?}"));
        }
        let effective = Device::effective(&body);
        for (path, wanted) in self.expect["effective"].as_object().into_iter().flatten() {
            let came = path
                .split('.')
                .try_fold(&effective, |value, key| value.get(key));
            if came != Some(wanted) {
                differences.push(format!(
                    "effective {path}: expected {wanted}, came {came:?}"
                ));
            }
        }
        if self.expect["stored_unchanged"] == json!(true) {
            differences.extend(stored(&self.account_id, &body));
        }
        differences
    }
}

/// A document comes back from the store as it went in, order included.
fn stored(account: &AccountId, body: &Map<String, Value>) -> Differences {
    use linefinder::documents::{Document, DocumentKey};
    use linefinder::store::{Change, Store, StoreSettings, Write};
    let directory = tempfile::tempdir().unwrap();
    let settings = StoreSettings {
        path: directory.path().join("store"),
        ..StoreSettings::default()
    };
    let store = Store::open(&settings).unwrap();
    let key = DocumentKey {
        kind: DocumentType::Device,
        account: account.clone(),
        id: DocumentId::new("dev").unwrap(),
    };
    let document = Document {
        key: key.clone(),
        body: body.clone(),
    };
    let tenant = Document {
        key: DocumentKey {
            kind: DocumentType::Account,
            account: account.clone(),
            id: DocumentId::new(account.as_str()).unwrap(),
        },
        body: typed(&json!({"name": "Acme", "realm": "acme.example.com"})),
    };
    let change = Change::imported(vec![Write::Put(tenant), Write::Put(document)]);
    store.apply_blocking(change).unwrap();
    let back = store.document(&key).unwrap().map(|document| document.body);
    let text = |body: &Map<String, Value>| serde_json::to_string(body).unwrap();
    if back.as_ref().map(text) == Some(text(body)) {
        return Differences::new();
    }
    vec![format!("stored_unchanged: came {back:?}")]
}
