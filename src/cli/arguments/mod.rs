//! The command line, as clap reads it and explains it.

mod asked;
mod calls;
mod trunks;

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};
use serde::{Deserialize, Serialize};

pub use asked::{AccountAction, Asked, CreateAccount, Export, Findings, History, Import};
pub use calls::{Behaviour, Call, HandoffWay, Numbers, Route, Setting};
pub use trunks::{Force, Gateways, Trunks};

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
                  While the daemon runs, commands about its store are done by the daemon.\n\n\
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
    #[command(flatten)]
    Asked(Asked),
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
    /// Print the OpenAPI document of the REST API, made from its routes and schemas.
    #[command(after_help = "Example:\n  linefinder openapi > openapi.json")]
    Openapi,
    /// Print a script that completes this command in your shell.
    #[command(
        after_help = "Example:\n  linefinder completions bash > /etc/bash_completion.d/linefinder"
    )]
    Completions { shell: clap_complete::Shell },
}

#[derive(Debug, Subcommand)]
pub enum BackupCommand {
    /// Make a backup now.
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

/// Which store a subcommand works on, and in which form it answers.
#[derive(Debug, Clone, Default, Args, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OfStore {
    /// Folder of the store [default: the configuration's].
    #[arg(long, value_name = "PATH")]
    #[serde(skip)]
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
pub struct ConfigCommand {
    /// Print JSON.
    #[arg(long)]
    pub json: bool,
}
