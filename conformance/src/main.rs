//! The command line: `run`, `list`, `explain`, `compare` and `check`.

mod cli;

use clap::Parser as _;
use std::process::ExitCode;

fn main() -> ExitCode {
    match cli::Command::parse().execute() {
        Ok(code) => code,
        Err(what) => {
            eprintln!("conformance: {what}");
            ExitCode::from(2)
        }
    }
}
