//! Requests to the endpoint of an object store: a connection for each, so that nothing has to be known about the last one.

use crate::tls::provider;
use axum::body::Body;
use axum::http::{Request, Response, Uri, header};
use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, RootCertStore};
use std::io;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tracing::debug;

/// Connecting, handshake included, must be done within this time.
const PATIENCE: Duration = Duration::from_secs(15);

pub struct Client {
    tls: TlsConnector,
}

impl Client {
    /// With the certificate authorities of the system, or, when it has none, those of Mozilla.
    pub fn new() -> Result<Client, String> {
        let mut roots = RootCertStore::empty();
        roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        if roots.is_empty() {
            roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
        }
        let config = ClientConfig::builder_with_provider(provider()).with_safe_default_protocol_versions();
        let config = config.map_err(|error| error.to_string())?.with_root_certificates(roots).with_no_client_auth();
        Ok(Client { tls: TlsConnector::from(Arc::new(config)) })
    }

    /// Sends a request whose URI has scheme and authority, and waits for the head of the response.
    pub async fn send(&self, mut request: Request<Body>) -> io::Result<Response<Incoming>> {
        let uri = std::mem::take(request.uri_mut());
        let (Some(host), Some(authority)) = (uri.host(), uri.authority()) else {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "a URL without a host"));
        };
        let secure = uri.scheme_str() == Some("https");
        let port = uri.port_u16().unwrap_or(if secure { 443 } else { 80 });
        let field = authority.as_str().parse().map_err(io::Error::other)?;
        request.headers_mut().insert(header::HOST, field);
        let path = uri.path_and_query().map_or("/", |path| path.as_str());
        *request.uri_mut() = path.parse::<Uri>().map_err(io::Error::other)?;
        let late = |_| io::Error::new(io::ErrorKind::TimedOut, "the object store cannot be reached");
        let bare = host.trim_start_matches('[').trim_end_matches(']');
        let socket = tokio::time::timeout(PATIENCE, TcpStream::connect((bare, port))).await.map_err(late)??;
        socket.set_nodelay(true)?;
        if !secure {
            return talk(socket, request).await;
        }
        let name = ServerName::try_from(bare.to_owned()).map_err(io::Error::other)?;
        let shaken = tokio::time::timeout(PATIENCE, self.tls.connect(name, socket));
        talk(shaken.await.map_err(late)??, request).await
    }
}

async fn talk<S>(stream: S, request: Request<Body>) -> io::Result<Response<Incoming>>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(io::Error::other)?;
    tokio::spawn(async move {
        if let Err(error) = connection.await {
            debug!(%error, "a connection to the object store ended badly");
        }
    });
    sender.send_request(request).await.map_err(io::Error::other)
}
