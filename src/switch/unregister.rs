//! Taking a registration away: what follows when a phone may not register any more.

use super::node::Node;
use super::notify::{NotifyError, Registered, address, name, printable};

impl Node {
    /// Drops the registrations of an address on one profile, or the one of a SIP Call-ID. The phone
    /// is not told; it is refused when it registers again.
    ///
    /// # Errors
    /// A value that can't stand in a command; no connection, or it was lost meanwhile.
    pub async fn drop_registration(&self, of: &Registered<'_>) -> Result<(), NotifyError> {
        let (user, realm) = (address("user", of.user)?, address("realm", of.realm)?);
        let profile = name("profile", of.profile)?;
        let which = match of.call_id {
            Some(call_id) => printable("call_id", call_id)?.to_owned(),
            None => format!("{user}@{realm}"),
        };
        let argument = format!("profile {profile} flush_inbound_reg {which}");
        let told = self.api("sofia", &argument).await?;
        // A profile that is gone holds no registrations.
        tracing::debug!(node = %self.name(), user, realm, told = told.trim(), "registrations dropped");
        Ok(())
    }
}
