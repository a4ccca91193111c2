//! The master account that the settings ask for: made by the daemon itself when its store is empty.

use std::fs::OpenOptions;
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use super::auth::{self, Secrets};
use super::bootstrap::{BootstrapError, NewAccount, create_account};
use super::context::secret_file;
use super::settings::Settings;
use crate::store::Store;
use crate::types::AccountId;

/// Why there is no master account.
#[derive(Debug, thiserror::Error)]
pub enum FirstAccountError {
    #[error(
        "{path}: {error}; [api] master_password_file names the file of the first admin's password"
    )]
    Password {
        path: PathBuf,
        #[source]
        error: io::Error,
    },
    #[error("{path}: expected the first admin's password in the first line")]
    NoPassword { path: PathBuf },
    #[error("the master account's API key can't be written to {path}: {error}")]
    Key {
        path: PathBuf,
        #[source]
        error: io::Error,
    },
    #[error("the master account of [api] can't be made: {0}")]
    Account(#[from] BootstrapError),
}

/// Makes the master account that `[api] master_name` asks for, if the store has no account yet. Its API key goes to a
/// file beside the store, for its owner's eyes only. Blocking.
///
/// # Errors
/// One of the files, what is asked for is not fit, or the store.
pub fn first_account(
    store: &Store,
    settings: &Settings,
) -> Result<Option<AccountId>, FirstAccountError> {
    let Some(name) = &settings.master_name else {
        return Ok(None);
    };
    if store.any_account().map_err(BootstrapError::Store)? {
        return Ok(None);
    }
    let secrets = Secrets::open(&secret_file(settings, store)).map_err(BootstrapError::Secrets)?;
    let password = settings.master_password_file.as_deref().map(password);
    let wanted = NewAccount {
        name: name.clone(),
        realm: settings.master_realm.clone(),
        admin: settings.master_user.clone().zip(password.transpose()?),
        parent: None,
        realm_suffix: settings.realm_suffix.clone(),
    };
    let path = auth::beside(store.path(), "master_api_key");
    let failed = |error| FirstAccountError::Key {
        path: path.clone(),
        error,
    };
    // Before the account is made: a key that can't be kept would be lost.
    let mut file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&path)
        .map_err(failed)?;
    let created = create_account(store, &secrets, &wanted)?;
    file.write_all(format!("{}\n", created.api_key).as_bytes())
        .and_then(|()| file.sync_all())
        .map_err(failed)?;
    tracing::info!(
        account_id = %created.account,
        realm = created.realm,
        key_file = %path.display(),
        "the master account was made; its API key is in the file"
    );
    Ok(Some(created.account))
}

fn password(path: &Path) -> Result<String, FirstAccountError> {
    let text = std::fs::read_to_string(path).map_err(|error| FirstAccountError::Password {
        path: path.to_owned(),
        error,
    })?;
    let line = text.lines().next().unwrap_or_default();
    if line.is_empty() {
        return Err(FirstAccountError::NoPassword {
            path: path.to_owned(),
        });
    }
    Ok(line.to_owned())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn an_empty_store_gets_the_account_and_no_other_does() {
        let folder = tempfile::tempdir().unwrap();
        let secret = folder.path().join("password");
        std::fs::write(&secret, "ve7yS3cret\n").unwrap();
        let store = Store::open(&crate::store::StoreSettings {
            path: folder.path().join("store"),
            ..crate::store::StoreSettings::default()
        })
        .unwrap();
        let mut settings = Settings::default();
        assert_eq!(first_account(&store, &settings).unwrap(), None);
        settings.master_name = Some("Master".into());
        settings.master_realm = Some("master.example.test".into());
        settings.master_user = Some("admin".into());
        settings.master_password_file = Some(folder.path().join("missing"));
        assert!(matches!(
            first_account(&store, &settings),
            Err(FirstAccountError::Password { .. })
        ));
        assert!(!store.any_account().unwrap());
        settings.master_password_file = Some(secret);
        let made = first_account(&store, &settings).unwrap();
        assert_eq!(made, store.master_account().unwrap());
        let file = folder.path().join("store.master_api_key");
        let mode = std::fs::metadata(&file).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        let key = std::fs::read_to_string(file).unwrap();
        assert_eq!(key.trim().len(), 64);
        assert_eq!(first_account(&store, &settings).unwrap(), None);
    }
}
