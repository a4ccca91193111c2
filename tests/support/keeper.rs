//! Records what the switch tells about registrations.

use linefinder::switch::{RegistrationEvent, RegistrationSink, Unregistered};
use linefinder::types::NodeName;
use tokio::sync::mpsc;

#[derive(Debug, PartialEq, Eq)]
pub enum Told {
    Registered(RegistrationEvent),
    Unregistered(Unregistered),
    Replaced(Vec<RegistrationEvent>),
}

pub struct Keeper(mpsc::UnboundedSender<Told>);

pub fn keeper() -> (Keeper, mpsc::UnboundedReceiver<Told>) {
    let (sender, told) = mpsc::unbounded_channel();
    (Keeper(sender), told)
}

impl RegistrationSink for Keeper {
    fn register(&self, _node: &NodeName, registration: RegistrationEvent) {
        let _ = self.0.send(Told::Registered(registration));
    }
    fn unregister(&self, _node: &NodeName, gone: Unregistered) {
        let _ = self.0.send(Told::Unregistered(gone));
    }
    fn replace(&self, _node: &NodeName, registrations: Vec<RegistrationEvent>) {
        let _ = self.0.send(Told::Replaced(registrations));
    }
}
