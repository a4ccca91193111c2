//! The actions that a flow may name: one file each, one line here.

mod answer;
mod branch;
mod device;
mod group;
mod hangup;
mod noop;
mod offnet;
mod resources;
mod response;
mod ring_group;
mod sleep;
mod user;
mod wait_for_hangup;

use super::action::Entry;

/// Every action, by module name.
pub const ALL: &[Entry] = &[
    Entry::of::<answer::Answer>(),
    Entry::of::<branch::Branch>(),
    Entry::of::<device::Device>(),
    Entry::of::<group::Group>(),
    Entry::of::<hangup::Hangup>(),
    Entry::of::<noop::Noop>(),
    Entry::of::<offnet::Offnet>(),
    Entry::of::<resources::Resources>(),
    Entry::of::<response::Response>(),
    Entry::of::<ring_group::RingGroup>(),
    Entry::of::<sleep::Sleep>(),
    Entry::of::<user::User>(),
    Entry::of::<wait_for_hangup::WaitForHangup>(),
];

/// The names that a flow's nodes may have.
pub fn modules() -> impl Iterator<Item = &'static str> {
    ALL.iter().map(|entry| entry.module)
}

/// The data of actions that take none.
#[derive(Debug, Clone, Copy, serde::Deserialize)]
pub struct Nothing {}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::documents::schema;

    #[test]
    fn every_action_has_its_schema() {
        for entry in ALL {
            let name = format!("actions/{}", entry.module);
            assert!(
                schema::text(&name).is_some(),
                "schemas/{name}.json is missing"
            );
        }
    }

    #[test]
    fn the_list_is_sorted_and_names_nothing_twice() {
        assert!(ALL.is_sorted_by(|a, b| a.module < b.module));
    }
}
