//! Where the command line meets the engine.

use super::Failure;
use crate::{
    admin::Admin,
    config::{Config, Loaded},
    server,
};
use xeps::feature::Coverage;

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
pub(super) fn serve(loaded: Loaded) -> Result<(), Failure> {
    server::run(loaded).map_err(Failure::Failed)
}

/// Administers the store of a server that is not running.
pub(super) async fn offline_admin(config: &Config) -> Result<Box<dyn Admin>, Failure> {
    Ok(Box::new(server::Offline::new(config.clone())))
}

/// All extensions, by number.
pub(super) fn xeps() -> Result<Vec<Implemented>, Failure> {
    let abouts = server::abouts().map_err(Failure::Failed)?;
    let mut all: Vec<Implemented> = abouts
        .into_iter()
        .flat_map(|about| {
            about.xeps.iter().map(|xep| Implemented {
                number: xep.number,
                version: xep.version,
                coverage: match xep.coverage {
                    Coverage::Complete => "complete",
                    Coverage::Partial => "partial",
                },
                feature: about.name,
                note: xep.note,
            })
        })
        .collect();
    all.sort_by_key(|xep| xep.number);
    Ok(all)
}
