//! `account`: accounts made without the API, the first of them above all.

use std::io::{self, BufRead as _, Read as _};

use super::arguments::{AccountAction, CreateAccount};
use super::exit::{Exit, Failure, Outcome, io_exit};
use super::output::Output;
use super::premises::Premises;
use crate::api::{self, BootstrapError, NewAccount, Secrets, SecretsError};
use crate::console::Desk;
use crate::store::StoreError;

/// More is no password.
const PASSWORD_MAX: u64 = 4096;

pub fn account(on: &Premises, desk: &mut dyn Desk, asked: &AccountAction) -> Outcome {
    match asked {
        AccountAction::Create(wanted) => create(on, desk, wanted),
    }
}

fn create(on: &Premises, desk: &mut dyn Desk, asked: &CreateAccount) -> Outcome {
    let (store, settings) = (&on.store, &on.config.api);
    let wanted = NewAccount {
        name: asked.name.clone(),
        realm: asked.realm.clone(),
        admin: asked.admin.clone().zip(password(desk, asked)?),
        parent: asked.parent.clone(),
        realm_suffix: settings.realm_suffix.clone(),
    };
    let (secrets, _) = Secrets::kept(&api::secret_file(settings, store), &store.secret_copy())
        .map_err(of_secrets)?;
    let created = api::create_account(store, &secrets, &wanted).map_err(of_bootstrap)?;
    let mut out = Output::at(desk);
    if asked.of.json {
        let value = serde_json::json!({
            "id": created.account.as_str(),
            "realm": created.realm,
            "api_key": created.api_key,
            "admin_id": created.admin.as_ref().map(AsRef::<str>::as_ref),
            "master": created.master,
        });
        out.line(format_args!("{value:#}"))?;
        return Ok(out.finish()?);
    }
    out.line(format_args!("account  {}", created.account))?;
    out.line(format_args!("realm    {}", created.realm))?;
    if let Some(admin) = &created.admin {
        out.line(format_args!("admin    {admin}"))?;
    }
    out.line(format_args!("api key  {}", created.api_key))?;
    if created.master {
        out.line("It is the master account: its key may do everything. The key is not shown again without a login.")?;
    }
    Ok(out.finish()?)
}

fn password(desk: &mut dyn Desk, asked: &CreateAccount) -> Result<Option<String>, Failure> {
    let Some(path) = &asked.password_file else {
        return Ok(None);
    };
    let mut line = String::new();
    let read = desk.open(path).and_then(|file| {
        let mut file = io::BufReader::new(file.take(PASSWORD_MAX));
        file.read_line(&mut line)
    });
    read.map_err(|error| {
        Failure::new(io_exit(&error), format_args!("{}: {error}", path.display()))
    })?;
    let password = line.trim_end_matches(['\r', '\n']).to_owned();
    if password.is_empty() {
        let message = format!("{}: its first line is empty", path.display());
        return Err(Failure::new(Exit::Data, message));
    }
    Ok(Some(password))
}

pub(super) fn of_secrets(error: SecretsError) -> Failure {
    let exit = match &error {
        SecretsError::File { error, .. } | SecretsError::Mend { error, .. } => io_exit(error),
        SecretsError::Open { .. } => Exit::NoPermission,
        SecretsError::Broken { .. } => Exit::Data,
        SecretsError::Random(_) => Exit::Software,
    };
    Failure::new(exit, error)
}

fn of_bootstrap(error: BootstrapError) -> Failure {
    match error {
        BootstrapError::Store(error @ StoreError::Duplicate { .. }) => {
            Failure::new(Exit::Data, error)
        }
        BootstrapError::Store(error) => error.into(),
        BootstrapError::Secrets(error) => of_secrets(error),
        other => Failure::new(Exit::Data, other),
    }
}
