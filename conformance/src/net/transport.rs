//! Bytes to and from the server, plain, under TLS, in WebSocket messages or in the bodies of HTTP.

use super::bosh::Bosh;
use super::tls::channel_binding;
use super::websocket::WebSocket;
use rustls::pki_types::ServerName;
use std::io;
use std::sync::Arc;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

pub enum Transport {
    Plain(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
    WebSocket(WebSocket),
    Bosh(Bosh),
}

impl Transport {
    pub async fn connect(host: &str, port: u16) -> io::Result<Transport> {
        let stream = TcpStream::connect((host, port)).await?;
        stream.set_nodelay(true)?;
        Ok(Transport::Plain(stream))
    }

    /// Makes a plain connection a TLS one.
    pub async fn secure(self, config: &Arc<rustls::ClientConfig>, name: &str) -> io::Result<Transport> {
        let Transport::Plain(stream) = self else { return Err(io::Error::other("TLS is already there")) };
        let name = ServerName::try_from(name.to_owned()).map_err(io::Error::other)?;
        let stream = TlsConnector::from(config.clone()).connect(name, stream).await?;
        Ok(Transport::Tls(Box::new(stream)))
    }

    /// Reads some bytes; 0 at the end. Dropping the future loses nothing.
    pub async fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Transport::Plain(stream) => stream.read(buffer).await,
            Transport::WebSocket(socket) => socket.read(buffer).await,
            Transport::Bosh(bosh) => bosh.read(buffer).await,
            Transport::Tls(stream) => match stream.read(buffer).await {
                // A peer that closes TCP without close_notify: an end like any other here.
                Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(0),
                outcome => outcome,
            },
        }
    }

    pub async fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        match self {
            Transport::Plain(stream) => stream.write_all(bytes).await,
            Transport::WebSocket(socket) => socket.write(bytes).await,
            Transport::Bosh(bosh) => bosh.write(bytes),
            Transport::Tls(stream) => {
                stream.write_all(bytes).await?;
                stream.flush().await
            }
        }
    }

    /// What binds a login to this TLS connection.
    pub fn channel_binding(&self, kind: &str) -> Result<Vec<u8>, String> {
        match self {
            Transport::Tls(stream) => channel_binding(stream.get_ref().1, kind),
            _ => Err("a connection without TLS has no channel binding".to_owned()),
        }
    }

    pub async fn shut_down(&mut self) -> io::Result<()> {
        match self {
            Transport::Plain(stream) => stream.shutdown().await,
            Transport::WebSocket(socket) => socket.shut_down().await,
            Transport::Bosh(_) => Ok(()),
            Transport::Tls(stream) => stream.shutdown().await,
        }
    }
}
