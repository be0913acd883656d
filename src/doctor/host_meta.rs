//! Whether clients on the web find their way (XEP-0156 section 3): `https://DOMAIN/.well-known/host-meta`.

use super::{Doctor, Finding, Level};
use crate::config::DomainName;
use crate::s2s::{Host, Log, Place, Security};
use rustls::pki_types::ServerName;
use std::io;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

const PATIENCE: Duration = Duration::from_secs(10);
/// What is read of the answer.
const ENOUGH: u64 = 64 << 10;

/// It is no fault to have none: only WebSocket and BOSH need it.
pub(super) async fn look(doctor: &Doctor<'_>, domain: &DomainName) -> Finding {
    let name = domain.to_ascii();
    let url = format!("https://{name}/.well-known/host-meta");
    let answer = tokio::time::timeout(PATIENCE, fetch(doctor, domain, &name)).await;
    match answer.unwrap_or_else(|_| Err(io::Error::new(io::ErrorKind::TimedOut, "no answer"))) {
        Ok((200, text)) if text.contains("urn:xmpp:alt-connections:") => {
            Finding::new(Level::Good, format!("{url} names connections"))
        }
        Ok((200, _)) => Finding::new(Level::Warning, format!("{url} is there, but names no connections")),
        Ok((status, _)) => Finding::new(Level::Note, format!("{url} is not there (status {status})")),
        Err(error) => Finding::new(Level::Note, format!("{url} is not there ({error})")),
    }
}

/// The status and the text of the page, as HTTP/1.0 (RFC 1945) brings it: in one piece, to the end of the connection.
async fn fetch(doctor: &Doctor<'_>, domain: &DomainName, name: &str) -> io::Result<(u16, String)> {
    let invalid = |text: &'static str| io::Error::new(io::ErrorKind::InvalidData, text);
    // As other servers are looked for: by the name server of the configuration.
    let place = Place { host: Host::Name(name.to_owned()), port: 443, security: Security::Direct };
    let addresses = doctor.federation.addresses(&place, &Log).await.map_err(io::Error::other)?;
    let socket = TcpStream::connect(&addresses[..]).await?;
    let config = doctor.tls.host_covering(domain).servers().connect.clone();
    let server = ServerName::try_from(name.to_owned()).map_err(|_| invalid("no name of a server"))?;
    let mut tls = TlsConnector::from(config).connect(server, socket).await?;
    let proved = doctor.federation.proves(tls.get_ref().1.peer_certificates().unwrap_or_default(), domain);
    if !proved {
        return Err(invalid("its certificate is not good"));
    }
    let request = format!("GET /.well-known/host-meta HTTP/1.0\r\nHost: {name}\r\nConnection: close\r\n\r\n");
    tls.write_all(request.as_bytes()).await?;
    let mut answer = Vec::new();
    tls.take(ENOUGH).read_to_end(&mut answer).await?;
    let answer = String::from_utf8_lossy(&answer);
    read(&answer).ok_or_else(|| invalid("no HTTP"))
}

/// The status and the body of an answer.
fn read(answer: &str) -> Option<(u16, String)> {
    let (head, body) = answer.split_once("\r\n\r\n")?;
    let status = head.lines().next()?.strip_prefix("HTTP/1.")?.split(' ').nth(1)?;
    Some((status.parse().ok()?, body.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::read;

    #[test]
    fn answers_are_read() {
        assert_eq!(read("HTTP/1.1 200 OK\r\nA: b\r\n\r\n<XRD/>"), Some((200, "<XRD/>".to_owned())));
        assert_eq!(read("HTTP/1.0 404 Not Found\r\n\r\n"), Some((404, String::new())));
        for strange in ["", "SSH-2.0\r\n\r\n", "HTTP/1.1\r\n\r\n", "HTTP/1.1 many\r\n\r\n", "HTTP/1.1 200 OK"] {
            assert_eq!(read(strange), None, "{strange}");
        }
    }
}
