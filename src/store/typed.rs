//! Typed documents by their ids.

use std::sync::Arc;

use super::core::Core;
use super::error::StoreError;
use super::reads::Decoded;
use crate::documents::{
    Account, Callflow, Connectivity, Device, DocumentType, Limits, NumberRecord, Resource, User,
};

/// Limits are one document of an account, under this id.
const LIMITS: &str = "limits";

macro_rules! typed {
    ($name:ident, $kind:ident, $type:ident) => {
        pub(super) fn $name(
            &self,
            account: &str,
            id: &str,
        ) -> Result<Option<Arc<$type>>, StoreError> {
            match self.decoded(DocumentType::$kind, account, id, Decoded::$kind)? {
                Decoded::$kind(found) => Ok(Some(found)),
                _ => Ok(None),
            }
        }
    };
}

impl Core {
    typed!(account_document, Account, Account);
    typed!(user, User, User);
    typed!(device, Device, Device);
    typed!(callflow, Callflow, Callflow);
    typed!(connectivity, Connectivity, Connectivity);
    typed!(number_record, Number, NumberRecord);
    typed!(limits_document, Limits, Limits);
    typed!(resource, Resource, Resource);

    pub(super) fn account(&self, id: &str) -> Result<Option<Arc<Account>>, StoreError> {
        self.account_document(id, id)
    }

    pub(super) fn limits(&self, account: &str) -> Result<Option<Arc<Limits>>, StoreError> {
        self.limits_document(account, LIMITS)
    }
}
