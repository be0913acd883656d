//! What happens around a server's life: ports, signals, threads, and the text that tells what it serves.

mod banner;
mod bind;
mod signals;

pub use banner::{Facts, banner};
pub use bind::{BindError, bind_all, bind_listener};
pub use signals::{Reloads, reloads, stop_requested};

use crate::config::Config;
use std::io;
use tokio::runtime::{Builder, Runtime};

/// The runtime that a configuration asks for.
///
/// # Errors
/// The system gives no threads.
pub fn runtime(config: &Config) -> io::Result<Runtime> {
    let mut builder = Builder::new_multi_thread();
    if let Some(threads) = config.server.threads {
        builder.worker_threads(threads.get());
    }
    builder.thread_name("oriole").enable_all().build()
}
