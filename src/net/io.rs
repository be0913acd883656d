//! The byte transport of a connection: plain TCP or TLS over it, read without a buffer of its own.

use super::carried::Carried;
use std::cell::RefCell;
use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Instant;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::TlsStream;
use wire::stream::{Initiator, Stream};

pub enum Io {
    Plain(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
    /// A WebSocket, or HTTP requests.
    Carried(Box<Carried>),
    /// The socket is with a TLS handshake that has not come back, or has failed.
    Lost,
}

/// A protocol that takes bytes and has bytes to say.
pub trait Machine {
    /// Takes bytes from the peer.
    fn read(&mut self, bytes: &[u8], now: Instant);
    /// What must be written.
    fn output(&self) -> &[u8];
    /// The first `count` bytes of it have been written.
    fn written(&mut self, count: usize);
}

impl Machine for Stream {
    fn read(&mut self, bytes: &[u8], now: Instant) {
        Stream::read(self, bytes, now);
    }

    fn output(&self) -> &[u8] {
        Stream::output(self)
    }

    fn written(&mut self, count: usize) {
        Stream::written(self, count);
    }
}

impl Machine for Initiator {
    fn read(&mut self, bytes: &[u8], now: Instant) {
        Initiator::read(self, bytes, now);
    }

    fn output(&self) -> &[u8] {
        Initiator::output(self)
    }

    fn written(&mut self, count: usize) {
        Initiator::written(self, count);
    }
}

/// What [`Io::exchange`] has done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moved {
    /// So many bytes went into the machine.
    In(usize),
    /// All of the machine's output is out.
    Out,
    /// The peer has closed its side.
    End,
}

/// What one read takes at most: a full TLS record.
const READ: usize = 16 * 1024;

thread_local! {
    /// Reads go through one buffer per thread straight into the machine, so that an idle connection holds none.
    static BUFFER: RefCell<Box<[u8; READ]>> = RefCell::new(Box::new([0; READ]));
}

impl Io {
    /// Reads what there is into the machine. False: the peer has closed its side. Cancel safe: bytes are in the machine or
    /// still in the socket.
    pub async fn read_into(&mut self, machine: &mut impl Machine) -> io::Result<bool> {
        if let Io::Carried(carried) = self {
            let Some(bytes) = carried.read().await? else { return Ok(false) };
            machine.read(&bytes, Instant::now());
            return Ok(true);
        }
        poll_fn(|cx| self.poll_read_into(cx, machine)).await.map(|count| count > 0)
    }

    /// Writes all that the machine has to say. Cancelling loses track of what was written: only for giving up.
    pub async fn write_from(&mut self, machine: &mut impl Machine) -> io::Result<()> {
        let output = machine.output();
        if output.is_empty() {
            return Ok(());
        }
        match self {
            Io::Plain(tcp) => tcp.write_all(output).await?,
            Io::Tls(tls) => {
                tls.write_all(output).await?;
                tls.flush().await?;
            }
            Io::Carried(carried) => carried.write(output).await?,
            Io::Lost => return Err(io::ErrorKind::NotConnected.into()),
        }
        machine.written(machine.output().len());
        Ok(())
    }

    /// Writes and reads at once, until all output is out or something has come in: two peers that both write much cannot
    /// wait for each other. Cancel safe.
    pub async fn exchange(&mut self, machine: &mut impl Machine) -> io::Result<Moved> {
        let mut wrote = false;
        poll_fn(|cx| {
            while !machine.output().is_empty() {
                match self.poll_write(cx, machine.output())? {
                    Poll::Ready(0) => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                    Poll::Ready(count) => machine.written(count),
                    Poll::Pending => break,
                }
                wrote = true;
            }
            // Always: an earlier call may have been cancelled before it had flushed.
            let flushed = self.poll_flush(cx)?.is_ready();
            if flushed && wrote && machine.output().is_empty() {
                return Poll::Ready(Ok(Moved::Out));
            }
            match ready!(self.poll_read_into(cx, machine))? {
                0 => Poll::Ready(Ok(Moved::End)),
                count => Poll::Ready(Ok(Moved::In(count))),
            }
        })
        .await
    }

    /// Ends the connection in good order: TLS close_notify, then the sending side of TCP.
    pub async fn shutdown(&mut self) {
        // The peer may be gone already; there is nobody left to tell.
        let _ = match self {
            Io::Plain(tcp) => tcp.shutdown().await,
            Io::Tls(tls) => tls.shutdown().await,
            Io::Carried(carried) => {
                carried.shutdown().await;
                Ok(())
            }
            Io::Lost => Ok(()),
        };
    }

    fn poll_read_into(&mut self, cx: &mut Context<'_>, machine: &mut impl Machine) -> Poll<io::Result<usize>> {
        BUFFER.with_borrow_mut(|buffer| {
            let mut buffer = ReadBuf::new(&mut buffer[..]);
            ready!(match self {
                Io::Plain(tcp) => Pin::new(tcp).poll_read(cx, &mut buffer),
                Io::Tls(tls) => Pin::new(&mut **tls).poll_read(cx, &mut buffer),
                Io::Carried(_) | Io::Lost => Poll::Ready(Err(io::ErrorKind::NotConnected.into())),
            })?;
            machine.read(buffer.filled(), Instant::now());
            Poll::Ready(Ok(buffer.filled().len()))
        })
    }

    fn poll_write(&mut self, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        match self {
            Io::Plain(tcp) => Pin::new(tcp).poll_write(cx, bytes),
            Io::Tls(tls) => Pin::new(&mut **tls).poll_write(cx, bytes),
            Io::Carried(_) | Io::Lost => Poll::Ready(Err(io::ErrorKind::NotConnected.into())),
        }
    }

    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self {
            Io::Plain(tcp) => Pin::new(tcp).poll_flush(cx),
            Io::Tls(tls) => Pin::new(&mut **tls).poll_flush(cx),
            Io::Carried(_) | Io::Lost => Poll::Ready(Err(io::ErrorKind::NotConnected.into())),
        }
    }
}
