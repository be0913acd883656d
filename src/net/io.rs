//! The byte transport of a connection: plain TCP or TLS over it, read without a buffer of its own.

use std::cell::RefCell;
use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::task::{Poll, ready};
use std::time::Instant;
use tokio::io::{AsyncRead, AsyncWriteExt, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::server::TlsStream;
use wire::stream::Stream;

pub enum Io {
    Plain(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
    /// The socket is with a TLS handshake that has not come back, or has failed.
    Lost,
}

/// What one read takes at most: a full TLS record.
const READ: usize = 16 * 1024;

thread_local! {
    /// Reads go through one buffer per thread straight into the stream, so that an idle connection holds none.
    static BUFFER: RefCell<Box<[u8; READ]>> = RefCell::new(Box::new([0; READ]));
}

impl Io {
    /// Reads what there is into the stream. False: the peer has closed its side. Cancel safe: bytes are in the stream or
    /// still in the socket.
    pub async fn read_into(&mut self, stream: &mut Stream) -> io::Result<bool> {
        poll_fn(|cx| {
            BUFFER.with_borrow_mut(|buffer| {
                let mut buffer = ReadBuf::new(&mut buffer[..]);
                ready!(match self {
                    Io::Plain(tcp) => Pin::new(tcp).poll_read(cx, &mut buffer),
                    Io::Tls(tls) => Pin::new(&mut **tls).poll_read(cx, &mut buffer),
                    Io::Lost => Poll::Ready(Err(io::ErrorKind::NotConnected.into())),
                })?;
                stream.read(buffer.filled(), Instant::now());
                Poll::Ready(Ok(!buffer.filled().is_empty()))
            })
        })
        .await
    }

    /// Writes all that the stream has to say. Cancelling loses track of what was written: only for giving up.
    pub async fn write_from(&mut self, stream: &mut Stream) -> io::Result<()> {
        let output = stream.output();
        if output.is_empty() {
            return Ok(());
        }
        match self {
            Io::Plain(tcp) => tcp.write_all(output).await?,
            Io::Tls(tls) => {
                tls.write_all(output).await?;
                tls.flush().await?;
            }
            Io::Lost => return Err(io::ErrorKind::NotConnected.into()),
        }
        stream.written(stream.output().len());
        Ok(())
    }

    /// Ends the connection in good order: TLS close_notify, then the sending side of TCP.
    pub async fn shutdown(&mut self) {
        // The peer may be gone already; there is nobody left to tell.
        let _ = match self {
            Io::Plain(tcp) => tcp.shutdown().await,
            Io::Tls(tls) => tls.shutdown().await,
            Io::Lost => Ok(()),
        };
    }
}
