//! The arguments of the program. The doc comments here are its help and its manual page.

use crate::admin::Change;
use crate::config::{AccountName, DomainName, Period};
use clap::{Parser, Subcommand};
use clap_complete::Shell;
use std::{path::PathBuf, str::FromStr};

/// An XMPP server
///
/// Without a command, the server is started. Without a configuration, it serves localhost and keeps its data in your home
/// directory.
#[derive(Debug, Parser)]
#[command(name = "oriole", version, max_term_width = 100, after_help = EXAMPLES)]
pub(super) struct Args {
    /// The configuration [default: ./oriole.toml, ~/.config/oriole/oriole.toml or /etc/oriole/oriole.toml]
    #[arg(long, value_name = "FILE", global = true)]
    pub(super) config: Option<PathBuf>,
    #[command(subcommand)]
    pub(super) command: Option<Command>,
}

const EXAMPLES: &str = "\
Examples:
  oriole                                      start the server
  oriole user add juliet@example.org          make an account; asks for the password
  oriole --config my.toml check-config        say what my.toml means, and what is wrong with it
  oriole log debug                            log more, while the server runs
  oriole completions bash > /etc/bash_completion.d/oriole

Exit codes: 0 done, 1 failed, 2 wrong usage or wrong configuration.";

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Start the server (as does no command at all)
    Serve,
    /// Make, change, list and delete accounts, whether or not the server is running
    #[command(subcommand)]
    User(User),
    /// Invite somebody by a link that is good once, whether or not the server is running
    #[command(
        after_help = "Examples:\n  oriole invite                                 an account, whose name the guest chooses\n  oriole invite --user nurse                    an account of that name\n  oriole invite --contact juliet@example.org    a contact of juliet's"
    )]
    Invite {
        /// The name of the account
        #[arg(long, value_name = "NAME")]
        user: Option<String>,
        /// The user who becomes a contact of the guest
        #[arg(long, value_parser = account, value_name = "ACCOUNT")]
        contact: Option<AccountName>,
        /// Where the account is made [default: the only host, or that of the contact]
        #[arg(long, value_parser = domain)]
        host: Option<DomainName>,
    },
    /// Publish in channels, the nodes of publish-subscribe
    #[command(subcommand)]
    Channel(Channel),
    /// List, look at, configure and destroy rooms, whether or not the server is running
    #[command(subcommand)]
    Room(Room),
    /// Check, save and restore what is stored
    #[command(subcommand)]
    Store(Store),
    /// Change what the running server logs, until it is restarted
    #[command(after_help = "Examples:\n  oriole log debug\n  oriole log info,oriole::tls=trace")]
    Log {
        /// off, error, warn, info, debug, trace, or a list such as info,oriole::tls=debug
        #[arg(value_name = "LEVEL")]
        filter: String,
    },
    /// Say how the running server is
    Status,
    /// Say what the configuration means, and what is wrong with it
    CheckConfig,
    /// Say how federation with a domain goes, step by step, and where it fails
    ///
    /// For a domain that is served here: how it looks to clients and other servers. A running server is asked to do it; without
    /// one, dialback and the way back cannot be tried.
    #[command(
        after_help = "Examples:\n  oriole doctor jabber.org          can we talk to jabber.org, and if not, why?\n  oriole doctor example.org --json  how others see example.org, for programs"
    )]
    Doctor {
        /// The domain
        #[arg(value_parser = domain)]
        domain: DomainName,
        /// The host here that wants to talk to it [default: the first one]
        #[arg(long, value_parser = domain, value_name = "HOST")]
        from: Option<DomainName>,
        /// Print one JSON object instead of text
        #[arg(long)]
        json: bool,
    },
    /// List the XMPP extensions the server implements
    Xeps,
    /// Print a script that completes commands in your shell
    Completions {
        /// For which shell
        shell: Shell,
    },
    /// Print the manual page
    #[command(after_help = "Example:\n  oriole man > /usr/local/share/man/man1/oriole.1")]
    Man,
}

#[derive(Debug, Subcommand)]
pub(super) enum User {
    /// Make an account
    #[command(
        after_help = "Examples:\n  oriole user add juliet@example.org\n  pass show juliet | oriole user add juliet@example.org --password-stdin"
    )]
    Add {
        /// The new account, as juliet@example.org
        #[arg(value_parser = account)]
        account: AccountName,
        /// Read the password from the first line of standard input instead of asking for it
        #[arg(long)]
        password_stdin: bool,
    },
    /// Delete an account with everything that belongs to it
    Delete {
        /// The account
        #[arg(value_parser = account)]
        account: AccountName,
        /// Do not ask whether this is meant
        #[arg(long)]
        yes: bool,
    },
    /// Set another password, and end the sessions of the account
    Passwd {
        /// The account
        #[arg(value_parser = account)]
        account: AccountName,
        /// Read the password from the first line of standard input instead of asking for it
        #[arg(long)]
        password_stdin: bool,
    },
    /// List accounts
    List {
        /// Those of this domain only
        #[arg(value_parser = domain)]
        host: Option<DomainName>,
    },
    /// List the clients that have access to an account, as far as they say who they are
    Devices {
        /// The account
        #[arg(value_parser = account)]
        account: AccountName,
    },
    /// Say how much stays in the archive of an account, or give it limits of its own
    #[command(
        after_help = "Examples:\n  oriole user archive juliet@example.org                  what holds\n  oriole user archive juliet@example.org --expiry 30d     messages go after thirty days\n  oriole user archive juliet@example.org --expiry host    as for everybody on the host"
    )]
    Archive {
        /// The account
        #[arg(value_parser = account)]
        account: AccountName,
        /// When messages are removed, as 30d, or "host" for what the host's archive.expiry says
        #[arg(long, value_parser = change::<Period>, value_name = "TIME")]
        expiry: Option<Change<Period>>,
        /// With more messages, the oldest are removed; "host" for what the host's archive.max_messages says
        #[arg(long, value_parser = change::<u32>, value_name = "COUNT")]
        max_messages: Option<Change<u32>>,
    },
    /// Keep an account from logging in, without deleting anything
    Disable {
        /// The account
        #[arg(value_parser = account)]
        account: AccountName,
    },
    /// Let a disabled account log in again
    Enable {
        /// The account
        #[arg(value_parser = account)]
        account: AccountName,
    },
}

#[derive(Debug, Subcommand)]
pub(super) enum Channel {
    /// Publish what standard input says, in the name of the host
    #[command(
        after_help = "Example:\n  echo 'The server will be away for an hour tonight.' | oriole channel post announcements --title Maintenance"
    )]
    Post {
        /// The name of the node
        channel: String,
        /// Its title [default: the first line of the text]
        #[arg(long)]
        title: Option<String>,
        /// Where the channel is [default: the only host]
        #[arg(long, value_parser = domain)]
        host: Option<DomainName>,
    },
}

#[derive(Debug, Subcommand)]
pub(super) enum Room {
    /// List rooms
    List {
        /// Those of this host only
        #[arg(value_parser = domain)]
        host: Option<DomainName>,
    },
    /// Say what is known of a room: who looks after it, what it holds, how it is configured
    Show {
        /// The room, as coven@muc.example.org
        #[arg(value_parser = room)]
        room: AccountName,
    },
    /// Change the configuration of a room; its fields are those that show lists
    Configure {
        /// The room
        #[arg(value_parser = room)]
        room: AccountName,
        /// What to change, as membersonly=1 or roomname="A Dark Cave"
        #[arg(required = true, value_name = "FIELD=VALUE", value_parser = assignment)]
        values: Vec<(String, String)>,
    },
    /// Destroy a room with everything that was said in it
    Destroy {
        /// The room
        #[arg(value_parser = room)]
        room: AccountName,
        /// What those in it are told
        #[arg(long)]
        reason: Option<String>,
        /// Do not ask whether this is meant
        #[arg(long)]
        yes: bool,
    },
}

#[derive(Debug, Subcommand)]
pub(super) enum Store {
    /// Read everything that is stored, and report what is damaged
    Verify,
    /// Write everything that is stored to a new file
    Export {
        /// The file; must not exist
        file: PathBuf,
    },
    /// Fill an empty store from a file that export has written
    Import {
        /// The file
        file: PathBuf,
    },
}

fn account(text: &str) -> Result<AccountName, &'static str> {
    text.parse().map_err(|_| "expected an account such as juliet@example.org")
}

fn change<T: FromStr>(text: &str) -> Result<Change<T>, &'static str> {
    match text {
        "host" => Ok(Change::Host),
        own => own.parse().map(Change::Own).map_err(|_| "expected a limit, as 30d or 1000, or \"host\""),
    }
}

fn room(text: &str) -> Result<AccountName, &'static str> {
    text.parse().map_err(|_| "expected a room such as coven@muc.example.org")
}

fn assignment(text: &str) -> Result<(String, String), &'static str> {
    let (field, value) = text.split_once('=').ok_or("expected a field and its value, as membersonly=1")?;
    Ok((field.to_owned(), value.to_owned()))
}

fn domain(text: &str) -> Result<DomainName, &'static str> {
    text.parse().map_err(|_| "expected a domain name such as example.org")
}
