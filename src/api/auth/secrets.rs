//! The server's secret: what tokens are signed with and passwords are peppered with.
//!
//! It lies outside the store, so that a copy of the store alone logs nobody in.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;

/// Bits that others must not have on the file.
const OTHERS: u32 = 0o077;

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
    #[error("the system gives no random bytes: {0}")]
    Random(getrandom::Error),
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
        let failed = |error| SecretsError::File {
            path: path.to_owned(),
            error,
        };
        match File::open(path) {
            Ok(file) => read(file, path),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let secret = random::<32>()?;
                match make(path, &secret) {
                    Ok(()) => Ok(Secrets::derived(&secret)),
                    // Another process was first.
                    Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                        read(File::open(path).map_err(failed)?, path)
                    }
                    Err(error) => Err(failed(error)),
                }
            }
            Err(error) => Err(failed(error)),
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

fn read(mut file: File, path: &Path) -> Result<Secrets, SecretsError> {
    let failed = |error| SecretsError::File {
        path: path.to_owned(),
        error,
    };
    if file.metadata().map_err(failed)?.mode() & OTHERS != 0 {
        return Err(SecretsError::Open {
            path: path.to_owned(),
        });
    }
    let mut text = String::new();
    (&mut file)
        .take(1024)
        .read_to_string(&mut text)
        .map_err(failed)?;
    match unhex(text.trim()) {
        Some(secret) if secret.len() == 32 => Ok(Secrets::derived(&secret)),
        _ => Err(SecretsError::Broken {
            path: path.to_owned(),
        }),
    }
}

/// All of it or none: a half-written secret must not be taken for one after a crash.
fn make(path: &Path, secret: &[u8]) -> io::Result<()> {
    if let Some(folder) = path
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty())
    {
        fs::create_dir_all(folder)?;
    }
    let mut draft = path.as_os_str().to_owned();
    draft.push(format!(".{}", std::process::id()));
    let draft = PathBuf::from(draft);
    let mut file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&draft)?;
    let linked = file
        .write_all(format!("{}\n", hex(secret)).as_bytes())
        .and_then(|()| file.sync_all())
        .and_then(|()| fs::hard_link(&draft, path));
    let removed = fs::remove_file(&draft);
    linked.and(removed)?;
    if let Some(folder) = path
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty())
    {
        File::open(folder)?.sync_all()?;
    }
    Ok(())
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

fn unhex(text: &str) -> Option<Vec<u8>> {
    if !text.len().is_multiple_of(2) || !text.is_ascii() {
        return None;
    }
    let pair = |at: usize| u8::from_str_radix(text.get(at..at + 2)?, 16).ok();
    (0..text.len()).step_by(2).map(pair).collect()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

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
