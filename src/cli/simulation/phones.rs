//! Simulated phones: where they are and how they behave.

use crate::sim::{Node, PhoneScript, Registered};

/// A phone at a simulated node.
pub struct Phone {
    /// The node that it registers on, or whose calls reach it.
    pub node: String,
    pub user: String,
    pub realm: String,
    /// The contact as the registration shows it: `<sip:1002@127.0.0.1:5102>`.
    pub contact: String,
    pub profile: String,
    /// It registers; otherwise it is only there at its address.
    pub registers: bool,
    /// `user@host:port`, or `@host:port` for any user.
    pub address: String,
    pub script: PhoneScript,
}

impl Phone {
    /// A phone of `user@realm` that registers as `contact_user` at `host:port`, with URI parameters if need be, and
    /// answers there whoever is asked for.
    #[must_use]
    pub fn registered(user: &str, realm: &str, contact_user: &str, host: &str) -> Self {
        let address = host.split(';').next().unwrap_or(host);
        Self {
            node: String::new(),
            user: user.to_owned(),
            realm: realm.to_owned(),
            contact: format!("<sip:{contact_user}@{host}>"),
            profile: "internal".to_owned(),
            registers: true,
            address: format!("@{address}"),
            script: PhoneScript::default(),
        }
    }

    /// Something that answers at an address without registering.
    #[must_use]
    pub fn at(address: &str) -> Self {
        Self {
            registers: false,
            address: address.to_owned(),
            ..Self::registered("", "", "", "")
        }
    }

    #[must_use]
    pub fn that(mut self, script: PhoneScript) -> Self {
        self.script = script;
        self
    }

    #[must_use]
    pub fn on(mut self, node: &str) -> Self {
        node.clone_into(&mut self.node);
        self
    }

    pub(super) fn connect(&self, node: &Node) {
        node.phone(&self.address, self.script.clone());
        if self.registers {
            let mut registered = Registered::phone(&format!("{}@{}", self.user, self.realm), "");
            registered.contact.clone_from(&self.contact);
            registered.profile.clone_from(&self.profile);
            registered.call_id = format!("{}-{}", self.user, self.address);
            registered.user_agent = "Linefinder simulated phone".to_owned();
            node.register(&registered);
        }
    }
}
