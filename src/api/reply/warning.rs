//! What is odd about a request and no error.

use serde::Serialize;

use crate::documents::schema::Misspelt;

/// An entry of the envelope's `warnings`, which Crossbar does not have; clients pass over members that they don't know.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Warning {
    /// Dotted path of the member as it was sent.
    pub field: String,
    pub message: String,
    /// Dotted path of the member that was probably meant.
    pub nearest: String,
}

impl From<Misspelt> for Warning {
    fn from(one: Misspelt) -> Self {
        let Misspelt { field, nearest } = one;
        Self {
            message: format!(
                "Field is not known and was kept as it is; {nearest} may have been meant"
            ),
            field,
            nearest,
        }
    }
}
