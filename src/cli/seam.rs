//! Where the command line meets the engine.

use super::Failure;
use crate::{
    admin::Admin,
    config::{Config, Loaded},
};

/// An XMPP extension that the server implements.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Implemented {
    /// Its number.
    pub number: u16,
    /// The version of the document that was read.
    pub version: &'static str,
    /// How much of it: "complete", "partial".
    pub coverage: &'static str,
    /// The feature that implements it, in one word.
    pub feature: &'static str,
    /// What to know about it; may be empty.
    pub note: &'static str,
}

/// Runs the server until it is told to stop.
pub(super) fn serve(_loaded: Loaded) -> Result<(), Failure> {
    Err(absent())
}

/// Administers the store of a server that is not running.
pub(super) async fn offline_admin(_config: &Config) -> Result<Box<dyn Admin>, Failure> {
    Err(absent())
}

/// All extensions, by number.
pub(super) fn xeps() -> Result<Vec<Implemented>, Failure> {
    Err(absent())
}

fn absent() -> Failure {
    Failure::Failed("this build has no engine".to_owned())
}
