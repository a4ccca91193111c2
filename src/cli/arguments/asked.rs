//! The commands that want something of a store: done here, or by the daemon that has it open.

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use serde::{Deserialize, Serialize};

use super::{Gateways, Numbers, OfStore, Route, Trunks};
use crate::documents::DocumentType;
use crate::types::{AccountId, DocumentId};

/// As it travels to the daemon: everything but where this side's store is.
#[derive(Debug, Clone, Subcommand, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Asked {
    /// Explain what would happen to a call: each rule tried, and the dial string.
    #[command(
        after_help = "While the daemon runs, it answers: with its registrations, gateways and limits of this moment.\n\n\
                            Examples:\n  \
                            linefinder route --from 1001 --to 1002\n  \
                            linefinder route --from 1001@acme.example --to 1002 --json\n  \
                            linefinder route --inbound +12125550100\n  \
                            linefinder route --trunk pbx1 +442071234567"
    )]
    Route(Route),
    /// Look up numbers: whose they are, where their calls go.
    #[command(
        subcommand,
        after_help = "Example:\n  linefinder numbers who +12125550100"
    )]
    Numbers(Numbers),
    /// Make accounts without the API.
    #[command(
        subcommand,
        after_help = "The first account is the master account: its API key and its admins may do everything.\n\n\
                            Examples:\n  \
                            linefinder account create Acme --realm acme.example\n  \
                            linefinder account create Acme --realm acme.example --admin joe --password-file joe.password"
    )]
    Account(AccountAction),
    /// Read accounts, users, devices and callflows from JSON lines into the store.
    #[command(
        after_help = "Each line is one document: {\"type\":\"device\",\"account_id\":\"acme\",\"id\":\"desk\",\
                            \"name\":\"Desk\",\"sip\":{...}}.\n\
                            Mistakes are told as FILE:LINE: field: what was expected, and then nothing is imported.\n\
                            While the daemon runs, it imports; other changes wait until a large file is done, calls don't.\n\n\
                            Examples:\n  \
                            linefinder import devices.jsonl\n  \
                            linefinder export | ssh other linefinder import -"
    )]
    Import(Import),
    /// Write all documents as JSON lines, as `import` reads them.
    #[command(
        after_help = "Passwords are in it: a file is made for its owner's eyes only.\n\n\
                            Examples:\n  \
                            linefinder export backup.jsonl\n  \
                            linefinder export | grep callflow"
    )]
    Export(Export),
    /// Who changed a document, when and what; and make it again what it was.
    #[command(
        after_help = "Secrets are not shown. Going back is one more write, so that it can be undone too; what was deleted comes back \
                            as what it was.\n\n\
                            Examples:\n  \
                            linefinder history device desk --account acme\n  \
                            linefinder history account acme --json\n  \
                            linefinder history device desk --account acme --undo 3"
    )]
    History(History),
    /// `backup create`.
    #[command(skip)]
    Backup(OfStore),
    /// The part of `check` that looks at the store.
    #[command(skip)]
    Check(Findings),
    /// List the registrations that the store knows.
    #[command(after_help = "Examples:\n  \
                            linefinder registrations\n  \
                            linefinder registrations --json")]
    Registrations(OfStore),
    /// How the carriers' gateways are now: in use or left out, and why; take one out by hand.
    #[command(
        after_help = "A gateway that has missed several times running is left out until it answers again ([trunks]). What is \
                            forced by hand stays so until `--force auto`.\n\n\
                            Examples:\n  \
                            linefinder gateways\n  \
                            linefinder gateways carrier1/0 --force out\n  \
                            linefinder gateways carrier1/0 --force auto"
    )]
    Gateways(Gateways),
    /// Trunk units in use now, against what was sold, by account.
    #[command(after_help = "Examples:\n  \
                            linefinder trunks\n  \
                            linefinder trunks acme --json")]
    Trunks(Trunks),
}

impl Asked {
    /// The folder of the store, if one was named.
    pub fn store(&self) -> Option<&PathBuf> {
        match self {
            Asked::Route(asked) => asked.setting.store.as_ref(),
            Asked::Numbers(Numbers::Who(who)) => who.of.store.as_ref(),
            Asked::Account(AccountAction::Create(create)) => create.of.store.as_ref(),
            Asked::Import(import) => import.store.as_ref(),
            Asked::Export(export) => export.store.as_ref(),
            Asked::History(history) => history.of.store.as_ref(),
            Asked::Backup(of) | Asked::Registrations(of) => of.store.as_ref(),
            Asked::Check(findings) => findings.of.store.as_ref(),
            Asked::Gateways(asked) => asked.of.store.as_ref(),
            Asked::Trunks(asked) => asked.of.store.as_ref(),
        }
    }

    /// Files of this side that it reads.
    pub fn reads(&self) -> Vec<PathBuf> {
        match self {
            Asked::Import(import) => import.files.clone(),
            Asked::Account(AccountAction::Create(create)) => {
                create.password_file.iter().cloned().collect()
            }
            _ => Vec::new(),
        }
    }

    /// Files of this side that it writes.
    pub fn writes(&self) -> Vec<PathBuf> {
        match self {
            Asked::Export(export) if export.file != Path::new("-") => vec![export.file.clone()],
            _ => Vec::new(),
        }
    }

    /// Routing's settings bear on the answer, and the carriers.
    pub const fn routes(&self) -> bool {
        matches!(self, Asked::Route(_) | Asked::Numbers(_))
    }

    /// A store that is not there is made.
    pub const fn makes_store(&self) -> bool {
        matches!(self, Asked::Import(_) | Asked::Account(_))
    }
}

#[derive(Debug, Clone, Args, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct History {
    /// The kind of document: account, user, device, callflow and so on.
    #[arg(value_name = "TYPE")]
    pub kind: DocumentType,

    pub id: DocumentId,

    /// The account of the document; needed when several have one of this id, and when it is deleted.
    #[arg(long, value_name = "ACCOUNT")]
    pub account: Option<AccountId>,

    /// Make the document what it was at this revision (the first column).
    #[arg(long, value_name = "REVISION")]
    pub undo: Option<u64>,

    /// Revisions to show, the newest first.
    #[arg(long, value_name = "COUNT", default_value_t = 20)]
    pub limit: usize,

    #[command(flatten)]
    pub of: OfStore,
}

#[derive(Debug, Clone, Subcommand, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AccountAction {
    /// Make an account and print its API key, once.
    Create(CreateAccount),
}

#[derive(Debug, Clone, Args, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CreateAccount {
    /// Its name.
    #[arg(value_name = "NAME")]
    pub name: String,
    /// Its realm, the domain that its phones register with [default: generated].
    #[arg(long, value_name = "REALM")]
    pub realm: Option<String>,
    /// The account to put it below, by id [default: the master account].
    #[arg(long, value_name = "ID")]
    pub parent: Option<AccountId>,
    /// Name of an admin to make as well, who logs in with a password.
    #[arg(long, value_name = "USERNAME", requires = "password_file")]
    pub admin: Option<String>,
    /// A file whose first line is the admin's password; - is standard input.
    #[arg(long, value_name = "FILE", requires = "admin")]
    pub password_file: Option<PathBuf>,
    #[command(flatten)]
    pub of: OfStore,
}

#[derive(Debug, Clone, Args, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Import {
    /// Files of JSON lines; - is standard input.
    #[arg(required = true, value_name = "FILE")]
    pub files: Vec<PathBuf>,
    /// Import the good lines although others are bad.
    #[arg(long)]
    pub keep_going: bool,
    /// Folder of the store [default: the configuration's].
    #[arg(long, value_name = "PATH")]
    #[serde(skip)]
    pub store: Option<PathBuf>,
}

#[derive(Debug, Clone, Args, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Export {
    /// Where to write; - is standard output.
    #[arg(default_value = "-", value_name = "FILE")]
    pub file: PathBuf,
    /// Folder of the store [default: the configuration's].
    #[arg(long, value_name = "PATH")]
    #[serde(skip)]
    pub store: Option<PathBuf>,
}

/// What `check` has found before it comes to the store, in words.
#[derive(Debug, Clone, Default, Args, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Findings {
    #[arg(skip)]
    pub configuration: Vec<String>,
    #[arg(skip)]
    pub store: Vec<String>,
    /// Not wrong, but worth a look.
    #[arg(skip)]
    pub advice: Vec<String>,
    #[command(flatten)]
    pub of: OfStore,
}
