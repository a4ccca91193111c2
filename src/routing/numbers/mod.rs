//! Number rules as tables: normal forms, classes, dial plans, restrictions (device specification 6).

mod classify;
mod dial_plan;
mod normalize;
mod pattern;
mod restrict;

pub use classify::Classifiers;
pub use dial_plan::{DialPlan, SystemDialPlans, rewrite};
pub use normalize::{Normalizer, NumberRule, default_rules, npan, one_npan};
pub use pattern::Affixes;
pub(crate) use pattern::compiled;
pub use restrict::{Restriction, owner_restriction, restricted};
