//! Where the command line meets the engine.

use super::Failure;
use crate::{
    admin::Admin,
    config::{Config, Loaded},
    server,
};
use xeps::table;

/// Runs the server until it is told to stop.
pub(super) fn serve(loaded: Loaded) -> Result<(), Failure> {
    server::run(loaded).map_err(Failure::Failed)
}

/// Administers the store of a server that is not running.
pub(super) async fn offline_admin(config: &Config) -> Result<Box<dyn Admin>, Failure> {
    Ok(Box::new(server::Offline::new(config.clone())))
}

/// The extensions that the server implements, one line each, by number.
pub(super) fn xeps() -> Result<String, Failure> {
    let abouts = server::abouts().map_err(Failure::Failed)?;
    Ok(table::text(&table::rows(abouts)))
}
