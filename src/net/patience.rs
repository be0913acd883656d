//! How long a peer is waited for while a stream is negotiated: until its time to log in is over (RFC 6120 section 13.12), or
//! the server stops.

use std::io;
use std::time::Instant;
use tokio::sync::watch;

pub(super) struct Patience {
    deadline: Instant,
    /// Becomes true when the server stops.
    stopping: watch::Receiver<bool>,
}

/// Why a peer is not waited for any longer.
#[derive(Debug)]
pub(super) enum GivenUp {
    Gone(io::Error),
    /// This was its deadline.
    Late(Instant),
    Stopping,
}

impl Patience {
    pub fn new(deadline: Instant, stopping: watch::Receiver<bool>) -> Patience {
        Patience { deadline, stopping }
    }

    /// Waits for what the peer does. It is dropped when the patience ends, also when there always is something: so this is for
    /// reading and writing, and for nothing that must be brought to its end.
    pub async fn wait_for<T>(&mut self, peer: impl Future<Output = io::Result<T>>) -> Result<T, GivenUp> {
        // Asked by itself: a timer takes its time, and a peer that always has something to say would never hear of it.
        if self.deadline <= Instant::now() {
            return Err(GivenUp::Late(self.deadline));
        }
        tokio::select! {
            biased;
            () = tokio::time::sleep_until(self.deadline.into()) => Err(GivenUp::Late(self.deadline)),
            _ = self.stopping.wait_for(|stop| *stop) => Err(GivenUp::Stopping),
            done = peer => done.map_err(GivenUp::Gone),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn block_on<F: Future>(future: F) -> F::Output {
        tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(future)
    }

    fn patience(left: Duration, stops: bool) -> (Patience, watch::Sender<bool>) {
        let (stop, stopping) = watch::channel(stops);
        (Patience::new(Instant::now() + left, stopping), stop)
    }

    #[test]
    fn a_peer_that_never_stops_talking_has_no_more_time_than_others() {
        block_on(async {
            let (mut over, _stop) = patience(Duration::ZERO, false);
            let talks = async { Ok(()) };
            assert!(matches!(over.wait_for(talks).await, Err(GivenUp::Late(deadline)) if deadline == over.deadline));
        });
    }

    #[test]
    fn nobody_is_waited_for_when_the_server_stops() {
        const LONG: Duration = Duration::from_secs(3600);
        block_on(async {
            let (mut stopping, _stop) = patience(LONG, true);
            let silent = std::future::pending::<io::Result<()>>();
            assert!(matches!(stopping.wait_for(silent).await, Err(GivenUp::Stopping)));
            let (mut going_on, _stop) = patience(LONG, false);
            assert!(matches!(going_on.wait_for(async { Ok(7) }).await, Ok(7)));
        });
    }
}
