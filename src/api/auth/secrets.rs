//! The server's secret: what tokens are signed with and passwords are peppered with.
//!
//! It lies outside the store, so that a copy of the store alone logs nobody in.

use std::io;
use std::path::{Path, PathBuf};

use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;

use super::secret_file::{look, make, mend, replace};

/// Why there is no secret.
#[derive(Debug, thiserror::Error)]
pub enum SecretsError {
    #[error(
        "the server's secret {path} can't be read or made: {error}; [api] secret_file names the file"
    )]
    File {
        path: PathBuf,
        #[source]
        error: io::Error,
    },
    #[error("the server's secret {path} can be read by others: chmod 600 {path}")]
    Open { path: PathBuf },
    #[error(
        "the server's secret {path} is not 64 hexadecimal digits; restore it from a backup, or remove it: then every \
         login is void and passwords and API keys must be set anew"
    )]
    Broken { path: PathBuf },
    #[error(
        "the server's secret {path} is damaged, and can't be moved aside or written anew: {error}"
    )]
    Mend {
        path: PathBuf,
        #[source]
        error: io::Error,
    },
    #[error("the system gives no random bytes: {0}")]
    Random(getrandom::Error),
}

/// Ending of a damaged secret that was moved aside.
const DAMAGED: &str = ".damaged";

/// What happened to the secret, for people.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mended {
    /// It was gone or damaged, and its copy has taken its place.
    FromCopy,
    /// It was damaged and there was no copy.
    Anew,
    /// There was none: the first start, or it was removed.
    Made,
}

impl Mended {
    /// What an operator should know.
    #[must_use]
    pub fn told(self) -> &'static str {
        match self {
            Mended::FromCopy => {
                "the server's secret was gone or damaged; its copy among the backups has taken its place"
            }
            Mended::Anew => {
                "the server's secret was damaged and had no copy: there is a new one, and passwords and API keys must be set anew"
            }
            Mended::Made => {
                "the server's secret was gone: there is a new one, and passwords and API keys that were set before must be set anew"
            }
        }
    }
}

/// Keys derived from the one secret, each for its own use.
#[derive(Clone)]
pub struct Secrets {
    tokens: [u8; 32],
    pepper: [u8; 32],
    api_keys: [u8; 32],
}

impl Secrets {
    /// Reads the file, or makes it for its owner's eyes only.
    ///
    /// # Errors
    /// The file can't be read or made, is open to others, or holds something else.
    pub fn open(path: &Path) -> Result<Secrets, SecretsError> {
        if let Some(found) = look(path)? {
            return Ok(Secrets::derived(&found.bytes));
        }
        let secret = random::<32>()?;
        match make(path, &secret) {
            Ok(()) => Ok(Secrets::derived(&secret)),
            // Another process was first.
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                let found = look(path)?.ok_or(SecretsError::Broken { path: path.into() })?;
                Ok(Secrets::derived(&found.bytes))
            }
            Err(error) => Err(SecretsError::File {
                path: path.to_owned(),
                error,
            }),
        }
    }

    /// The same with a copy elsewhere. A secret that is gone or damaged comes from its copy; a damaged one without a copy is moved aside and made
    /// anew, since phones need none. The file's checksum tells a flipped bit; one that somebody wrote by hand may have none.
    ///
    /// # Errors
    /// The file can't be read or made, or is open to others.
    pub fn kept(path: &Path, copy: &Path) -> Result<(Secrets, Option<Mended>), SecretsError> {
        let saved = look(copy)
            .ok()
            .and_then(|found| found.filter(|secret| secret.summed));
        let found = look(path);
        let (bytes, mended) = match (found, saved) {
            (Ok(Some(found)), Some(saved)) if !found.summed && found.resembles(&saved) => {
                mend(path, &saved.bytes, DAMAGED)?;
                (saved.bytes, Some(Mended::FromCopy))
            }
            (Ok(Some(found)), _) => (found.bytes, None),
            (Ok(None), Some(saved)) => {
                mend(path, &saved.bytes, DAMAGED)?;
                (saved.bytes, Some(Mended::FromCopy))
            }
            (Ok(None), None) => {
                Secrets::open(path)?;
                let made = look(path)?.ok_or(SecretsError::Broken { path: path.into() })?;
                (made.bytes, Some(Mended::Made))
            }
            (Err(SecretsError::Broken { .. }), saved) => {
                let mended = match &saved {
                    Some(_) => Mended::FromCopy,
                    None => Mended::Anew,
                };
                let bytes = saved.map_or_else(random::<32>, |saved| Ok(saved.bytes))?;
                mend(path, &bytes, DAMAGED)?;
                (bytes, Some(mended))
            }
            (Err(error), _) => return Err(error),
        };
        let same = look(copy).is_ok_and(|copy| copy.is_some_and(|copy| copy.bytes == bytes));
        if !same && let Err(error) = replace(copy, &bytes) {
            tracing::error!(copy = %copy.display(), %error, "the server's secret has no copy among the backups");
        }
        Ok((Secrets::derived(&bytes), mended))
    }

    /// Puts the secret that a backup's passwords need in the place of another, which stays beside it. Says where that is now; None when there
    /// was no other, or nothing to put.
    ///
    /// # Errors
    /// One of the files can't be read or written.
    pub fn adopt(path: &Path, copy: &Path) -> Result<Option<PathBuf>, SecretsError> {
        let found = look(path).ok().flatten();
        match look(copy)? {
            Some(saved)
                if found
                    .as_ref()
                    .is_none_or(|found| found.bytes != saved.bytes) =>
            {
                let aside = mend(path, &saved.bytes, ".replaced")?;
                Ok(found.map(|_| aside))
            }
            _ => Ok(None),
        }
    }

    /// The file beside a store: the store's name and `.secret`.
    #[must_use]
    pub fn beside(store: &Path) -> PathBuf {
        beside(store, "secret")
    }

    /// A secret that is gone with the process: demos and tests.
    ///
    /// # Errors
    /// The system gives no random bytes.
    pub fn passing() -> Result<Secrets, SecretsError> {
        Ok(Secrets::derived(&random::<32>()?))
    }

    fn derived(secret: &[u8]) -> Secrets {
        Secrets {
            tokens: keyed(secret, &[b"linefinder tokens 1"]),
            pepper: keyed(secret, &[b"linefinder pepper 1"]),
            api_keys: keyed(secret, &[b"linefinder api keys 1"]),
        }
    }

    /// Signature of a token.
    #[must_use]
    pub fn signature(&self, token: &[u8]) -> [u8; 32] {
        keyed(&self.tokens, &[token])
    }

    /// What is stored of a password: a digest of the credentials that a client sends in its place, and useless without
    /// this secret (API specification 7). `digest` is hexadecimal, of any case.
    #[must_use]
    pub fn peppered(&self, digest: &str) -> String {
        hex(&keyed(
            &self.pepper,
            &[digest.to_ascii_lowercase().as_bytes()],
        ))
    }

    /// An account's API key, which is made anew from its number whenever it is asked for: the store holds a digest only.
    #[must_use]
    pub fn api_key(&self, account: &str, nonce: &str) -> String {
        hex(&keyed(
            &self.api_keys,
            &[account.as_bytes(), b"\0", nonce.as_bytes()],
        ))
    }
}

/// A file beside the store, with the store's name and this ending.
#[must_use]
pub fn beside(store: &Path, ending: &str) -> PathBuf {
    let mut name = store.file_name().unwrap_or_default().to_owned();
    name.push(".");
    name.push(ending);
    store.with_file_name(name)
}

/// # Errors
/// The system gives no random bytes.
pub fn random<const N: usize>() -> Result<[u8; N], SecretsError> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).map_err(SecretsError::Random)?;
    Ok(bytes)
}

/// HMAC-SHA-256.
fn keyed(key: &[u8], parts: &[&[u8]]) -> [u8; 32] {
    // HMAC takes keys of any length.
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(key) else {
        return [0; 32];
    };
    for part in parts {
        mac.update(part);
    }
    mac.finalize().into_bytes().into()
}

#[must_use]
pub fn hex(bytes: &[u8]) -> String {
    const DIGITS: [char; 16] = [
        '0', '1', '2', '3', '4', '5', '6', '7', '8', '9', 'a', 'b', 'c', 'd', 'e', 'f',
    ];
    let digit = |four: u8| DIGITS.get(usize::from(four)).copied().unwrap_or_default();
    bytes
        .iter()
        .flat_map(|byte| [digit(byte >> 4), digit(byte & 15)])
        .collect()
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};

    use super::*;

    #[test]
    fn the_file_is_made_once_and_for_its_owner() {
        let folder = tempfile::tempdir().unwrap();
        let path = Secrets::beside(&folder.path().join("store"));
        assert!(path.ends_with("store.secret"));
        let first = Secrets::open(&path).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, 0o600);
        let again = Secrets::open(&path).unwrap();
        assert_eq!(first.signature(b"x"), again.signature(b"x"));
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn what_is_lost_or_damaged_comes_from_the_copy() {
        let folder = tempfile::tempdir().unwrap();
        let (path, copy) = (
            folder.path().join("store.secret"),
            folder.path().join("backups/x.secret"),
        );
        let open = || {
            let (secrets, mended) = Secrets::kept(&path, &copy).unwrap();
            (secrets.signature(b"x"), mended)
        };
        let (first, mended) = open();
        assert_eq!(mended, Some(Mended::Made));
        assert_eq!(fs::metadata(&copy).unwrap().mode() & 0o777, 0o600);
        assert_eq!(open(), (first, None));
        let good = fs::read(&path).unwrap();
        let flipped = |at: usize| {
            let mut bytes = good.clone();
            bytes[at] ^= 1;
            bytes
        };
        // a digit, the checksum, and what is no text at all
        for bad in [
            flipped(3),
            flipped(70),
            vec![0xff; 9],
            Vec::new(),
            b"short".into(),
        ] {
            fs::write(&path, bad).unwrap();
            assert_eq!(open(), (first, Some(Mended::FromCopy)));
            assert_eq!(open(), (first, None));
        }
        fs::remove_file(&path).unwrap();
        assert_eq!(open(), (first, Some(Mended::FromCopy)));
        // the copy is mended too
        for bad in [flipped(3), b"short".into()] {
            fs::write(&copy, bad).unwrap();
            assert_eq!(open(), (first, None));
            assert_eq!(fs::read(&copy).unwrap(), good);
        }
        // without a checksum, as somebody writes it by hand: a few bits are damage, all of them are his will
        fs::write(&path, &flipped(5)[..64]).unwrap();
        assert_eq!(open(), (first, Some(Mended::FromCopy)));
        fs::write(&path, "ab".repeat(32)).unwrap();
        let (by_hand, mended) = open();
        assert!(by_hand != first && mended.is_none());
        fs::remove_file(&path).unwrap();
        assert_eq!(open(), (by_hand, Some(Mended::FromCopy)));
        // damaged, both of them
        fs::write(&path, "short").unwrap();
        fs::write(&copy, "short").unwrap();
        let (new, mended) = open();
        assert!(new != by_hand && mended == Some(Mended::Anew));
        assert_eq!(open(), (new, None));
        assert!(folder.path().join("store.secret.damaged").exists());
    }

    #[test]
    fn a_file_that_is_open_or_broken_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("secret");
        Secrets::open(&path).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
        assert!(matches!(
            Secrets::open(&path),
            Err(SecretsError::Open { .. })
        ));
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        fs::write(&path, "short").unwrap();
        assert!(matches!(
            Secrets::open(&path),
            Err(SecretsError::Broken { .. })
        ));
    }

    #[test]
    fn each_use_has_its_own_key() {
        let secrets = Secrets::derived(&[7; 32]);
        let other = Secrets::derived(&[8; 32]);
        assert_eq!(secrets.peppered("AB"), secrets.peppered("ab"));
        assert_ne!(secrets.peppered("ab"), other.peppered("ab"));
        assert_ne!(secrets.api_key("a", "n"), secrets.api_key("b", "n"));
        assert_eq!(secrets.api_key("a", "n").len(), 64);
        assert_ne!(hex(&secrets.signature(b"ab")), secrets.peppered("ab"));
    }

    #[test]
    fn hmac_is_that_of_the_rfc() {
        // RFC 4231, case 2
        let mac = keyed(b"Jefe", &[b"what do ya want ", b"for nothing?"]);
        assert_eq!(
            hex(&mac),
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
        );
    }
}
