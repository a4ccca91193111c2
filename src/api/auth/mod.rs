//! Who asks, and what he may: secrets, tokens, logins, tenancy, limits.

mod account;
mod caller;
mod limiter;
mod lockout;
mod login;
mod memo;
mod restrictions;
mod revoked;
mod secret_file;
mod secrets;
mod token;

pub use account::{API_KEY_HASH, API_KEY_NONCE, AccountFacts, RESELLER, SUPERDUPER, TREE, tree};
pub use caller::{CREDENTIALS, Caller, Callers, credentials};
pub use limiter::Limiter;
pub use lockout::Lockout;
pub use login::{Login, accounts_named, description, log_in, with_api_key, with_credentials};
pub use memo::Memo;
pub use restrictions::{allow, are_sound};
pub use revoked::Revoked;
pub use secrets::{Mended, Secrets, SecretsError, beside, hex, random};
pub use token::{Method, digest, fingerprint};
