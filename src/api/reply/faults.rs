//! What the store says no to, in the words of the API.

use super::refusal::Refusal;
use crate::documents::DocumentType;
use crate::documents::schema::FieldError;
use crate::store::StoreError;

/// The store's refusal as an answer. Paths and the database's own words stay in the log.
#[must_use]
pub fn of_store(kind: DocumentType, error: StoreError) -> Refusal {
    match error {
        StoreError::Duplicate {
            field,
            value,
            owner,
            also,
            ..
        } => {
            let mut faults = vec![duplicate(kind, &field, &value, &owner)];
            let others = also.iter();
            faults.extend(others.map(|c| duplicate(kind, &c.field, &c.value, &c.owner)));
            Refusal::invalid(faults)
        }
        StoreError::Conflict { .. } => Refusal::conflict(),
        StoreError::Invalid {
            field, expected, ..
        } => {
            let message = format!("expected {expected}");
            Refusal::invalid(vec![FieldError::new(field, "invalid", message)])
        }
        // it has said so itself, once
        StoreError::DiskFull(_) => Refusal::disk_full(),
        StoreError::Descendants { .. } => Refusal::has_descendants(),
        StoreError::Io(error) if error.kind() == std::io::ErrorKind::StorageFull => {
            tracing::error!(%error, "the disk is full; nothing was changed");
            Refusal::disk_full()
        }
        other => {
            tracing::error!(error = %other, "the store failed");
            Refusal::datastore_fault("the store can't be used just now")
        }
    }
}

/// API specification 3.3: the text of each value that must be unique.
fn duplicate(kind: DocumentType, field: &str, value: &str, owner: &str) -> FieldError {
    let last = field.rsplit('.').next().unwrap_or(field);
    let message = match (kind, last) {
        (_, "mac_address") => "MAC address already in use".to_owned(),
        (DocumentType::Device, "ip") => "SIP IP already in use".to_owned(),
        (DocumentType::Device, "username") => "SIP credentials already in use".to_owned(),
        (DocumentType::Connectivity, "auth_user" | "username") => {
            "SIP credentials already in use".to_owned()
        }
        (DocumentType::User, "username") => "Username must be unique within account".to_owned(),
        (DocumentType::User, "id") => "Hotdesk ID must be unique within account".to_owned(),
        (DocumentType::Account, "name") => "Account name already in use".to_owned(),
        (DocumentType::Account, "realm") => "Account realm already in use".to_owned(),
        (DocumentType::Callflow, "patterns") => format!("Pattern {value} exists in {owner}"),
        (DocumentType::Callflow, _) => format!("Number {value} exists in {owner}"),
        (DocumentType::Vmbox, _) => "Invalid mailbox number or already exists".to_owned(),
        (DocumentType::Conference, _) => "Numbers already in use".to_owned(),
        (DocumentType::Resource, _) => "Gateway server ip is already in use".to_owned(),
        _ => format!("already in use by {owner}"),
    };
    FieldError::new(field, "unique", message).with("cause", value)
}

/// A read that failed.
#[must_use]
pub fn unreadable(error: StoreError) -> Refusal {
    of_store(DocumentType::Account, error)
}
