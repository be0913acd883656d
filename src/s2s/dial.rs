//! Connecting to whichever of several addresses answers first (RFC 8305, "happy eyeballs").

use std::io;
use std::net::SocketAddr;
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::task::JoinSet;

/// The head start of an address over the next one (RFC 8305 section 5).
const HEAD_START: Duration = Duration::from_millis(250);

/// Connects to the first address that answers. Later addresses are tried when the earlier ones have failed or have had
/// their head start. Attempts that are not needed any more end with the call.
///
/// # Errors
/// That of the last address that failed.
pub async fn connect(addresses: &[SocketAddr]) -> io::Result<TcpStream> {
    let mut rest = addresses.iter().copied();
    let mut attempts = JoinSet::new();
    let mut error = io::Error::from(io::ErrorKind::AddrNotAvailable);
    loop {
        let more = rest.next();
        if let Some(address) = more {
            attempts.spawn(TcpStream::connect(address));
        } else if attempts.is_empty() {
            return Err(error);
        }
        tokio::select! {
            ended = attempts.join_next() => match ended {
                Some(Ok(Ok(socket))) => {
                    // Stanzas are written whole: waiting for more to send only delays them.
                    let _ = socket.set_nodelay(true);
                    return Ok(socket);
                }
                Some(Ok(Err(failed))) => error = failed,
                Some(Err(_)) | None => {}
            },
            () = tokio::time::sleep(HEAD_START), if more.is_some() => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::net::TcpListener;

    /// An address where nobody listens.
    async fn deaf() -> SocketAddr {
        TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap()
    }

    #[tokio::test]
    async fn an_address_that_refuses_is_passed_over() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let socket = connect(&[deaf().await, address]).await.unwrap();
        assert_eq!(socket.peer_addr().unwrap(), address);
    }

    #[tokio::test]
    async fn the_error_of_the_last_is_told() {
        let addresses = [deaf().await, deaf().await];
        assert_eq!(connect(&addresses).await.unwrap_err().kind(), io::ErrorKind::ConnectionRefused);
        assert_eq!(connect(&[]).await.unwrap_err().kind(), io::ErrorKind::AddrNotAvailable);
    }
}
