//! Signals from the system: SIGTERM and SIGINT stop the server, SIGHUP makes it read its certificates again.

use std::io;
use tokio::signal::unix::{Signal, SignalKind, signal};

/// Resolves when the process is told to stop, with the name of the signal. The signals are caught from the call on, not
/// only from the first poll on.
///
/// # Errors
/// The system does not let signals be caught.
pub fn stop_requested() -> io::Result<impl Future<Output = &'static str>> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => "SIGTERM",
            _ = interrupt.recv() => "SIGINT",
        }
    })
}

/// The requests to reload, one after the other.
#[derive(Debug)]
pub struct Reloads(Signal);

impl Reloads {
    /// Resolves at the next SIGHUP. May be cancelled without loss.
    pub async fn next(&mut self) {
        if self.0.recv().await.is_none() {
            std::future::pending().await
        }
    }
}

/// Catches SIGHUP from now on.
///
/// # Errors
/// The system does not let signals be caught.
pub fn reloads() -> io::Result<Reloads> {
    signal(SignalKind::hangup()).map(Reloads)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::process::{Signal as Number, getpid, kill_process};

    #[tokio::test]
    async fn signals_are_delivered() {
        let stop = stop_requested().unwrap();
        let mut reloads = reloads().unwrap();
        kill_process(getpid(), Number::HUP).unwrap();
        reloads.next().await;
        kill_process(getpid(), Number::TERM).unwrap();
        assert_eq!(stop.await, "SIGTERM");
    }
}
