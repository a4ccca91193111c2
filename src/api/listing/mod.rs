//! Listings: filters, pages, order (API specification 2).

mod filter;
mod page;

pub use page::{Row, list};
