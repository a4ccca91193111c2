//! The command line, as clap reads it and explains it.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

use crate::documents::DocumentType;
use crate::types::{AccountId, DocumentId};

#[derive(Debug, Parser)]
#[command(
    name = "linefinder",
    version,
    about = "Turns a bare FreeSWITCH into a multi-tenant phone system",
    long_about = "Turns a bare FreeSWITCH into a multi-tenant phone system.\n\n\
                  FreeSWITCH moves the media and hands each call to Linefinder; Linefinder decides where it goes \
                  and what happens to it.",
    after_help = "First steps:\n  \
                  linefinder demo                          calls between simulated phones; needs nothing else\n  \
                  linefinder account create Acme           the first account, and its key for the REST API\n  \
                  linefinder import devices.jsonl          accounts, devices and callflows into the store\n  \
                  linefinder route --from 1001 --to 1002   what would happen, and why\n  \
                  linefinder check                         mistakes in configuration and store\n  \
                  linefinder serve                         run the daemon\n\n\
                  Exit codes are those of sysexits.h: 64 usage, 65 data, 66 no input, 69 unavailable, 70 software, \
                  73 can't create, 74 input/output, 75 try again, 77 no permission, 78 configuration.",
    arg_required_else_help = true,
    propagate_version = true
)]
pub struct Arguments {
    /// Configuration file [default: /etc/linefinder/linefinder.toml if it exists].
    #[arg(
        long,
        short = 'c',
        global = true,
        value_name = "FILE",
        env = "LINEFINDER_CONFIG"
    )]
    pub config: Option<PathBuf>,

    #[command(subcommand)]
    pub command: Command,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run the daemon.
    #[command(
        after_help = "Tells systemd when it is ready (Type=notify) and feeds its watchdog. \
                            SIGTERM and SIGINT close the listener, wait for calls as long as [handoff] drain_s \
                            says, and end with code 0; \
                            a second one does not wait.\n\n\
                            Examples:\n  \
                            linefinder serve\n  \
                            linefinder serve --config /etc/linefinder/linefinder.toml"
    )]
    Serve,
    /// Daemon, store and a simulated FreeSWITCH together: place calls and print what became of them.
    #[command(after_help = "Examples:\n  \
                            linefinder demo\n  \
                            linefinder demo --full --log")]
    Demo(Demo),
    /// Place one simulated call against a store and show its events and its path.
    #[command(after_help = "Examples:\n  \
                            linefinder call --demo --from 1001@acme.example --to 1002\n  \
                            linefinder call --store /var/lib/linefinder/store --from 1001@acme.example --to 1002\n\n\
                            The store is only read. Devices that aren't registered get a simulated phone, and the output says so.")]
    Call(Call),
    /// Explain what would happen to a call: each rule tried, and the dial string.
    #[command(after_help = "Examples:\n  \
                            linefinder route --from 1001 --to 1002\n  \
                            linefinder route --from 1001@acme.example --to 1002 --json\n  \
                            linefinder route --inbound +12125550100\n  \
                            linefinder route --trunk pbx1 +442071234567")]
    Route(Route),
    /// Look up numbers: whose they are, where their calls go.
    #[command(
        subcommand,
        after_help = "Example:\n  linefinder numbers who +12125550100"
    )]
    Numbers(Numbers),
    /// Make accounts without the API; with the daemon stopped.
    #[command(
        after_help = "The first account is the master account: its API key and its admins may do everything.\n\n\
                            Examples:\n  \
                            linefinder account create Acme --realm acme.example\n  \
                            linefinder account create Acme --realm acme.example --admin joe --password-file joe.password"
    )]
    Account(AccountCommand),
    /// Read accounts, users, devices and callflows from JSON lines into the store.
    #[command(
        after_help = "Each line is one document: {\"type\":\"device\",\"account_id\":\"acme\",\"id\":\"desk\",\
                            \"name\":\"Desk\",\"sip\":{...}}.\n\
                            Mistakes are told as FILE:LINE: field: what was expected, and then nothing is imported.\n\n\
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
    /// Who changed a document, when and what; and make it again what it was. With the daemon stopped.
    #[command(
        after_help = "Secrets are not shown. Going back is one more write, so that it can be undone too; what was deleted comes back \
                            as what it was.\n\n\
                            Examples:\n  \
                            linefinder history device desk --account acme\n  \
                            linefinder history account acme --json\n  \
                            linefinder history device desk --account acme --undo 3"
    )]
    History(History),
    /// Make, look at and bring back backups of the store.
    #[command(
        subcommand,
        after_help = "The daemon makes backups by itself, every [store] backup_every_s when something changed, and when it stops.\n\n\
                            Examples:\n  \
                            linefinder backup list\n  \
                            linefinder backup create\n  \
                            linefinder backup verify /var/lib/linefinder/backups/FILE\n  \
                            linefinder backup restore /var/lib/linefinder/backups/FILE --force"
    )]
    Backup(BackupCommand),
    /// Make the store's file as small as its documents allow; with the daemon stopped.
    #[command(
        after_help = "The database's file only grows. The daemon does this by itself at its start when the file is many times \
                            as large as what is in it, and that is little enough to be quick.\n\n\
                            Example:\n  linefinder compact"
    )]
    Compact(OfStore),
    /// Look for mistakes in the configuration and the store.
    #[command(
        after_help = "Ends with 78 if the configuration is wrong, else with 65 if the store is.\n\n\
                            Examples:\n  \
                            linefinder check\n  \
                            linefinder check --config conf/linefinder.toml --json"
    )]
    Check(OfStore),
    /// Print the settings in force and where each comes from; secrets are hidden.
    #[command(after_help = "Examples:\n  \
                            linefinder config\n  \
                            LINEFINDER_LOG__LEVEL=debug linefinder config --json")]
    Config(ConfigCommand),
    /// List the registrations that the store knows; with the daemon stopped.
    #[command(after_help = "Examples:\n  \
                            linefinder registrations\n  \
                            linefinder registrations --json")]
    Registrations(OfStore),
    /// Print the OpenAPI document of the REST API, made from its routes and schemas.
    #[command(after_help = "Example:\n  linefinder openapi > openapi.json")]
    Openapi,
    /// Print a script that completes this command in your shell.
    #[command(
        after_help = "Example:\n  linefinder completions bash > /etc/bash_completion.d/linefinder"
    )]
    Completions { shell: clap_complete::Shell },
}

#[derive(Debug, Args)]
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

    #[arg(long)]
    pub json: bool,

    /// Folder of the store [default: the configuration's].
    #[arg(long, value_name = "PATH")]
    pub store: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
pub enum BackupCommand {
    /// Make a backup now; with the daemon stopped.
    Create(OfStore),
    /// The backups there are, the newest first.
    List(OfStore),
    /// Read a backup from the first line to the last, and check its checksum.
    Verify {
        file: PathBuf,
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
    /// Build the store from a backup; with the daemon stopped.
    Restore(Restore),
}

#[derive(Debug, Args)]
pub struct Restore {
    pub file: PathBuf,
    /// Move a store that is there already aside, under another name beside it.
    #[arg(long)]
    pub force: bool,
    /// Folder of the store [default: the configuration's].
    #[arg(long, value_name = "PATH")]
    pub store: Option<PathBuf>,
}

/// Which store a subcommand works on.
#[derive(Debug, Clone, Args)]
pub struct OfStore {
    /// Folder of the store [default: the configuration's].
    #[arg(long, value_name = "PATH")]
    pub store: Option<PathBuf>,
    /// Print JSON.
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Args)]
pub struct Demo {
    /// Print dial strings in full instead of cutting them at the width of the terminal.
    #[arg(long)]
    pub full: bool,
    /// Print the daemon's log as well.
    #[arg(long)]
    pub log: bool,
}

#[derive(Debug, Args)]
pub struct Caller {
    /// Who calls: a device by id, SIP username or username@realm; anything else is an outside caller's number.
    #[arg(long, value_name = "DEVICE")]
    pub from: String,
    /// What is dialled.
    #[arg(long, value_name = "NUMBER")]
    pub to: String,
    /// The account called, by id; needed when the store has several and `--from` names no realm.
    #[arg(long, value_name = "ID")]
    pub account: Option<AccountId>,
    /// The account called, by realm.
    #[arg(long, value_name = "REALM", conflicts_with = "account")]
    pub realm: Option<String>,
    /// The name that the caller's phone shows.
    #[arg(long, value_name = "TEXT")]
    pub caller_name: Option<String>,
    /// Folder of the store [default: the configuration's].
    #[arg(long, value_name = "PATH", conflicts_with = "demo")]
    pub store: Option<PathBuf>,
    /// Use the documents of the demo instead of a store.
    #[arg(long)]
    pub demo: bool,
}

#[derive(Debug, Args)]
pub struct Call {
    #[command(flatten)]
    pub caller: Caller,
    /// How the call is handed over.
    #[arg(long, value_enum, default_value_t)]
    pub by: HandoffWay,
    /// What the simulated phones do.
    #[arg(long, value_enum, default_value_t, conflicts_with = "demo")]
    pub phones: Behaviour,
    /// Print dial strings in full.
    #[arg(long)]
    pub full: bool,
}

/// What a simulated phone does when it is called.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Behaviour {
    /// Rings, and answers.
    #[default]
    Answer,
    /// 486 at once.
    Busy,
    /// Rings for ever.
    Ring,
    /// Rings, then 603.
    Decline,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum HandoffWay {
    #[default]
    Socket,
    Park,
}

#[derive(Debug, Args)]
pub struct Route {
    /// Who calls: a device by id, SIP username or username@realm; anything else is an outside caller's number.
    #[arg(long, value_name = "DEVICE", required_unless_present_any = ["inbound", "trunk"])]
    pub from: Option<String>,
    /// What is dialled.
    #[arg(long, value_name = "NUMBER", required_unless_present_any = ["inbound", "trunk"])]
    pub to: Option<String>,
    /// A call from a carrier to this number.
    #[arg(long, value_name = "DID", conflicts_with_all = ["to", "trunk", "demo"])]
    pub inbound: Option<String>,
    /// The address of the carrier that brings it; without it some carrier does.
    #[arg(long, value_name = "IP", requires = "inbound")]
    pub source: Option<std::net::IpAddr>,
    /// A call from a PBX: the server's name or its document's id (ID/PLACE where it has several), and the number.
    #[arg(long, num_args = 2, value_names = ["SERVER", "NUMBER"], conflicts_with_all = ["to", "demo"])]
    pub trunk: Option<Vec<String>>,
    /// The account called, by id; needed when the store has several and `--from` names no realm.
    #[arg(long, value_name = "ID")]
    pub account: Option<AccountId>,
    /// The account called, by realm.
    #[arg(long, value_name = "REALM", conflicts_with = "account")]
    pub realm: Option<String>,
    /// The name that the caller's phone shows.
    #[arg(long, value_name = "TEXT")]
    pub caller_name: Option<String>,
    /// Folder of the store [default: the configuration's].
    #[arg(long, value_name = "PATH", conflicts_with = "demo")]
    pub store: Option<PathBuf>,
    /// Use the documents of the demo instead of a store.
    #[arg(long)]
    pub demo: bool,
    /// Print JSON.
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Args)]
pub struct AccountCommand {
    #[command(subcommand)]
    pub what: AccountAction,
}

#[derive(Debug, Subcommand)]
pub enum AccountAction {
    /// Make an account and print its API key, once.
    Create(CreateAccount),
}

#[derive(Debug, Args)]
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

impl Route {
    /// The call between phones that is asked about.
    pub fn caller(&self) -> Caller {
        Caller {
            from: self.from.clone().unwrap_or_default(),
            to: self.to.clone().unwrap_or_default(),
            account: self.account.clone(),
            realm: self.realm.clone(),
            caller_name: self.caller_name.clone(),
            store: self.store.clone(),
            demo: self.demo,
        }
    }
}

/// What is asked about numbers.
#[derive(Debug, Subcommand)]
pub enum Numbers {
    /// Whose a number is, and where its calls go.
    Who {
        /// In any form that callers dial.
        number: String,
        /// Folder of the store [default: the configuration's].
        #[arg(long, value_name = "PATH")]
        store: Option<PathBuf>,
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
}

#[derive(Debug, Args)]
pub struct Import {
    /// Files of JSON lines; - is standard input.
    #[arg(required = true, value_name = "FILE")]
    pub files: Vec<PathBuf>,
    /// Import the good lines although others are bad.
    #[arg(long)]
    pub keep_going: bool,
    /// Folder of the store [default: the configuration's].
    #[arg(long, value_name = "PATH")]
    pub store: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub struct Export {
    /// Where to write; - is standard output.
    #[arg(default_value = "-", value_name = "FILE")]
    pub file: PathBuf,
    /// Folder of the store [default: the configuration's].
    #[arg(long, value_name = "PATH")]
    pub store: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub struct ConfigCommand {
    /// Print JSON.
    #[arg(long)]
    pub json: bool,
}
