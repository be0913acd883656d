//! Connecting to whichever of several addresses answers first (RFC 8305, "happy eyeballs").

use super::steps::{Step, Witness};
use std::io;
use std::net::SocketAddr;
use std::time::{Duration, Instant};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::timeout;

/// The head start of an address over the next one (RFC 8305 section 5).
const HEAD_START: Duration = Duration::from_millis(250);

/// What is told of an address that neither accepts nor refuses.
pub const NO_ANSWER: &str = "no answer";

/// Connects to the first address that answers; each has `patience` to do so. Later addresses are tried when the earlier ones have failed or have had
/// their head start. Attempts that are not needed any more end with the call.
///
/// # Errors
/// That of the last address that failed.
pub async fn connect(addresses: &[SocketAddr], patience: Duration, witness: &dyn Witness) -> io::Result<TcpStream> {
    let mut rest = addresses.iter().copied();
    let mut attempts = JoinSet::new();
    let mut error = io::Error::from(io::ErrorKind::AddrNotAvailable);
    loop {
        let more = rest.next();
        if let Some(address) = more {
            attempts.spawn(async move {
                let begun = Instant::now();
                let connected = timeout(patience, TcpStream::connect(address)).await;
                let none = |_| Err(io::Error::new(io::ErrorKind::TimedOut, NO_ANSWER));
                (address, connected.unwrap_or_else(none), begun.elapsed())
            });
        } else if attempts.is_empty() {
            return Err(error);
        }
        tokio::select! {
            ended = attempts.join_next() => match ended {
                Some(Ok((address, Ok(socket), took))) => {
                    witness.saw(answered(address, took, None));
                    // Stanzas are written whole: waiting for more to send only delays them.
                    let _ = socket.set_nodelay(true);
                    return Ok(socket);
                }
                Some(Ok((address, Err(failed), took))) => {
                    witness.saw(answered(address, took, Some(&failed)));
                    error = failed;
                }
                Some(Err(_)) | None => {}
            },
            () = tokio::time::sleep(HEAD_START), if more.is_some() => {}
        }
    }
}

fn answered(address: SocketAddr, took: Duration, failure: Option<&io::Error>) -> Step {
    let millis = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
    Step::Tcp { address, millis, failure: failure.map(ToString::to_string) }
}

#[cfg(test)]
mod tests {
    use super::super::steps::{Journal, Log};
    use super::*;
    use tokio::net::TcpListener;

    const PATIENCE: Duration = Duration::from_secs(30);

    /// An address where nobody listens.
    async fn deaf() -> SocketAddr {
        TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap()
    }

    #[tokio::test]
    async fn an_address_that_refuses_is_passed_over() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (refusing, journal) = (deaf().await, Journal::default());
        let socket = connect(&[refusing, address], PATIENCE, &journal).await.unwrap();
        assert_eq!(socket.peer_addr().unwrap(), address);
        let told = journal.into_steps().into_iter().map(|step| match step {
            Step::Tcp { address, failure, .. } => (address, failure.is_some()),
            other => panic!("{other:?}"),
        });
        assert_eq!(told.collect::<Vec<_>>(), [(refusing, true), (address, false)]);
    }

    /// An address where somebody listens, and takes no more connections: to those who try, nothing happens.
    #[cfg(target_os = "linux")]
    #[tokio::test]
    async fn an_address_that_does_not_answer_is_overtaken() {
        let full = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
        full.bind(&SocketAddr::from(([127, 0, 0, 1], 0)).into()).unwrap();
        full.listen(0).unwrap();
        let silent = full.local_addr().unwrap().as_socket().unwrap();
        let _first = TcpStream::connect(silent).await.unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let socket = connect(&[silent, address], PATIENCE, &Log).await.unwrap();
        assert_eq!(socket.peer_addr().unwrap(), address);
    }

    #[tokio::test]
    async fn the_error_of_the_last_is_told() {
        let addresses = [deaf().await, deaf().await];
        assert_eq!(connect(&addresses, PATIENCE, &Log).await.unwrap_err().kind(), io::ErrorKind::ConnectionRefused);
        assert_eq!(connect(&[], PATIENCE, &Log).await.unwrap_err().kind(), io::ErrorKind::AddrNotAvailable);
    }
}
