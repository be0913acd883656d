//! The command line: what can be asked of the program, and how it ends.
//!
//! Exit codes: 0 done, 1 failed, 2 wrong usage or wrong configuration. Errors are one line on standard error.

mod args;
mod check_config;
mod doctor;
mod operate;
mod output;
mod password;
mod seam;

use crate::{
    admin::{AdminError, Wanted},
    config::{self, ConfigError},
};
use args::{Args, Command};
use clap::{CommandFactory, Parser};
use std::{io, process::ExitCode};

/// Does what the arguments of this process ask for.
pub fn run() -> ExitCode {
    let args = match Args::try_parse() {
        Ok(args) => args,
        Err(help_or_error) => {
            let _ = help_or_error.print();
            return ExitCode::from(u8::try_from(help_or_error.exit_code()).unwrap_or(2));
        }
    };
    match obey(args) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            if !matches!(failure, Failure::Told) {
                output::complain(&failure.to_string());
            }
            failure.exit_code()
        }
    }
}

fn obey(args: Args) -> Result<(), Failure> {
    let loaded = || config::load(args.config.as_deref()).map_err(Failure::Config);
    match args.command.unwrap_or(Command::Serve) {
        Command::Serve => seam::serve(loaded()?),
        Command::User(command) => operate::user(&loaded()?, command),
        Command::Invite { user, contact, host } => operate::invite(&loaded()?, &Wanted { host, user, contact }),
        Command::Channel(command) => operate::channel(&loaded()?, command),
        Command::Room(command) => operate::room(&loaded()?, command),
        Command::Store(command) => operate::store(&loaded()?, command),
        Command::Log { filter } => operate::log(&loaded()?, &filter),
        Command::Status => operate::status(&loaded()?),
        Command::CheckConfig => check_config::check_config(&loaded()?),
        Command::Doctor { domain, from, json } => doctor::doctor(&loaded()?, &domain, from.as_ref(), json),
        Command::Xeps => output::print(&seam::xeps()?),
        Command::Completions { shell } => {
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut Args::command(), "oriole", &mut script);
            output::print_bytes(&script)
        }
        Command::Man => {
            let mut page = Vec::new();
            clap_mangen::Man::new(Args::command()).render(&mut page)?;
            output::print_bytes(&page)
        }
    }
}

/// Why a command did not do what it was asked for.
#[derive(Debug, thiserror::Error)]
enum Failure {
    /// The configuration is wrong.
    #[error("{0}")]
    Config(ConfigError),
    /// The command cannot be used like that.
    #[error("{0}")]
    Usage(String),
    /// It was tried, and failed.
    #[error("{0}")]
    Failed(String),
    /// It failed, and its output says how.
    #[error("failed")]
    Told,
    /// Standard output or the terminal failed.
    #[error("{0}")]
    Io(#[from] io::Error),
}

impl From<AdminError> for Failure {
    fn from(error: AdminError) -> Self {
        match error {
            AdminError::Invalid(text) => Self::Usage(text),
            AdminError::NotFound(text)
            | AdminError::Exists(text)
            | AdminError::Refused(text)
            | AdminError::Failed(text) => Self::Failed(text),
        }
    }
}

impl Failure {
    fn exit_code(&self) -> ExitCode {
        match self {
            Self::Config(_) | Self::Usage(_) => ExitCode::from(2),
            Self::Failed(_) | Self::Told | Self::Io(_) => ExitCode::FAILURE,
        }
    }
}
