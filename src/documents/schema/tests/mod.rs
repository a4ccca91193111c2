//! Documents against the schemas.

mod accepted;
mod properties;
mod stored;
