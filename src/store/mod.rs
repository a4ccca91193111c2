//! Where documents live: sled behind one door. Nothing outside this room names sled.

mod api;

pub use api::{
    Applied, Change, ImportProblem, ImportReport, Store, StoreError, StoreSettings, Write,
};
