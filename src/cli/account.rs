//! `account`: accounts made without the API, the first of them above all.

use std::io::{self, BufRead as _};
use std::path::Path;

use super::arguments::{AccountAction, AccountCommand, CreateAccount};
use super::exit::{Exit, Failure, Outcome, io_exit};
use super::open;
use super::output::Output;
use crate::api::{self, BootstrapError, NewAccount, Secrets, SecretsError};
use crate::config::Config;
use crate::store::StoreError;

pub fn account(file: Option<&Path>, asked: &AccountCommand) -> Outcome {
    match &asked.what {
        AccountAction::Create(wanted) => create(file, wanted),
    }
}

fn create(file: Option<&Path>, asked: &CreateAccount) -> Outcome {
    let settings = match &asked.of.store {
        // As with every command: a named store needs no configuration.
        Some(_) => api::Settings::default(),
        None => Config::load(file)?.api,
    };
    let wanted = NewAccount {
        name: asked.name.clone(),
        realm: asked.realm.clone(),
        admin: asked.admin.clone().zip(password(asked)?),
        parent: asked.parent.clone(),
        realm_suffix: settings.realm_suffix.clone(),
    };
    let store = open::or_create(file, asked.of.store.as_ref()).map_err(|failure| {
        if failure.exit != Exit::TempFail {
            return failure;
        }
        let advice = "the daemon has the store open; make the account with PUT /v2/accounts, or stop the daemon first";
        Failure::new(Exit::TempFail, format_args!("{}\n{advice}", failure.message))
    })?;
    let secrets = Secrets::open(&api::secret_file(&settings, &store)).map_err(of_secrets)?;
    let created = api::create_account(&store, &secrets, &wanted).map_err(of_bootstrap)?;
    let mut out = Output::new();
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

fn password(asked: &CreateAccount) -> Result<Option<String>, Failure> {
    let Some(path) = &asked.password_file else {
        return Ok(None);
    };
    let mut line = String::new();
    let read = if path.as_os_str() == "-" {
        io::stdin().lock().read_line(&mut line)
    } else {
        std::fs::File::open(path).and_then(|file| io::BufReader::new(file).read_line(&mut line))
    };
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

fn of_secrets(error: SecretsError) -> Failure {
    let exit = match &error {
        SecretsError::File { error, .. } => io_exit(error),
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
