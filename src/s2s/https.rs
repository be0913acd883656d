//! A small file of the website of a domain: over HTTPS and nothing else, and only from a server that proves to be the domain's
//! (RFC 6415 section 2, RFC 9110 section 4.3.4). Bounded in size, in time, and in how far it leads elsewhere.

use super::dial;
use super::dns::{Host, Place, Security};
use super::steps::Log;
use super::{DomainName, Federation};
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

/// What a website has answered.
#[derive(Debug, PartialEq, Eq)]
pub struct Page {
    pub status: u16,
    pub body: String,
}

/// For everything, redirections included.
const PATIENCE: Duration = Duration::from_secs(10);

/// Bytes of an answer, with its header.
const LARGEST: usize = 64 << 10;

/// How often a website may lead elsewhere.
const REDIRECTIONS: usize = 3;

/// Where a file is: always over HTTPS.
#[derive(Debug, PartialEq, Eq)]
struct Url {
    host: DomainName,
    port: u16,
    path: String,
}

/// What comes of a request.
#[derive(Debug, PartialEq, Eq)]
enum Answer {
    Page(Page),
    Elsewhere(String),
}

/// Reads the file `path` of the website of `domain`.
///
/// # Errors
/// Why it cannot be had, for people.
pub async fn get(
    federation: &Federation,
    tls: &Arc<ClientConfig>,
    domain: &DomainName,
    path: &str,
) -> Result<Page, String> {
    let url = Url { host: domain.clone(), port: 443, path: path.to_owned() };
    timeout(PATIENCE, follow(federation, tls, url)).await.unwrap_or_else(|_| Err("no answer".to_owned()))
}

async fn follow(federation: &Federation, tls: &Arc<ClientConfig>, mut url: Url) -> Result<Page, String> {
    for _ in 0..=REDIRECTIONS {
        match ask(federation, tls, &url).await? {
            Answer::Page(page) => return Ok(page),
            Answer::Elsewhere(location) => {
                url = url.join(&location).ok_or_else(|| format!("it leads to {location}, which is not HTTPS"))?;
            }
        }
    }
    Err(format!("it leads elsewhere more than {REDIRECTIONS} times"))
}

/// One request, as HTTP/1.0 (RFC 1945), so that the answer comes in one piece, to the end of the connection.
async fn ask(federation: &Federation, tls: &Arc<ClientConfig>, url: &Url) -> Result<Answer, String> {
    let name = url.host.to_ascii();
    let place = Place { host: Host::Name(name.clone()), port: url.port, security: Security::Direct };
    let addresses = federation.addresses(&place, &Log).await.map_err(|why| match why {
        super::NotFound::Nowhere => format!("{name} has no address"),
        super::NotFound::NoAnswer(_) => why.to_string(),
    })?;
    let socket = dial::connect(&addresses, PATIENCE, &Log).await.map_err(|error| format!("cannot connect: {error}"))?;
    let server = ServerName::try_from(name.clone()).map_err(|_| format!("{name} is no name of a server"))?;
    let tls = TlsConnector::from(tls.clone()).connect(server, socket).await;
    let mut tls = tls.map_err(|error| format!("the TLS handshake failed: {error}"))?;
    let chain = tls.get_ref().1.peer_certificates().unwrap_or_default();
    if !federation.proves(chain, &url.host) {
        return Err(format!("its certificate is not good for {name}: {}", federation.complaint(chain, &url.host)));
    }
    let authority = if url.port == 443 { name } else { format!("{name}:{}", url.port) };
    let request = format!("GET {} HTTP/1.0\r\nHost: {authority}\r\nConnection: close\r\n\r\n", url.path);
    tls.write_all(request.as_bytes()).await.map_err(|error| error.to_string())?;
    let mut answer = Vec::new();
    tls.take(LARGEST as u64 + 1).read_to_end(&mut answer).await.map_err(|error| error.to_string())?;
    if answer.len() > LARGEST {
        return Err(format!("the answer has more than {LARGEST} bytes"));
    }
    read(&String::from_utf8_lossy(&answer)).ok_or_else(|| "the answer is no HTTP".to_owned())
}

impl Url {
    /// Where a `Location` leads from here.
    fn join(&self, location: &str) -> Option<Url> {
        if location.starts_with('/') && !location.starts_with("//") {
            return Some(Url { host: self.host.clone(), port: self.port, path: clean(location)? });
        }
        let uri: axum::http::Uri = location.parse().ok()?;
        let path = uri.path_and_query().map_or("/", |path| path.as_str());
        (uri.scheme_str() == Some("https")).then_some(())?;
        Some(Url { host: uri.host()?.parse().ok()?, port: uri.port_u16().unwrap_or(443), path: clean(path)? })
    }
}

/// A path that can stand in the first line of a request.
fn clean(path: &str) -> Option<String> {
    path.bytes().all(|byte| byte.is_ascii_graphic()).then(|| path.to_owned())
}

fn read(answer: &str) -> Option<Answer> {
    let (head, body) = answer.split_once("\r\n\r\n")?;
    let mut lines = head.lines();
    let status: u16 = lines.next()?.strip_prefix("HTTP/1.")?.split(' ').nth(1)?.parse().ok()?;
    let mut headers = lines.filter_map(|line| line.split_once(':'));
    let location = headers.find(|(name, _)| name.eq_ignore_ascii_case("location")).map(|(_, value)| value.trim());
    Some(match location.filter(|_| matches!(status, 301 | 302 | 303 | 307 | 308)) {
        Some(location) => Answer::Elsewhere(location.to_owned()),
        None => Answer::Page(Page { status, body: body.to_owned() }),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(status: u16, body: &str) -> Option<Answer> {
        Some(Answer::Page(Page { status, body: body.to_owned() }))
    }

    #[test]
    fn answers_are_read() {
        assert_eq!(read("HTTP/1.1 200 OK\r\nA: b\r\n\r\n<XRD/>"), page(200, "<XRD/>"));
        assert_eq!(read("HTTP/1.0 404 Not Found\r\nLocation: /x\r\n\r\n"), page(404, ""));
        let moved = read("HTTP/1.1 301 Moved\r\nlocation: https://www.example/x\r\n\r\n");
        assert_eq!(moved, Some(Answer::Elsewhere("https://www.example/x".to_owned())));
        for strange in ["", "SSH-2.0\r\n\r\n", "HTTP/1.1\r\n\r\n", "HTTP/1.1 many\r\n\r\n", "HTTP/1.1 200 OK"] {
            assert_eq!(read(strange), None, "{strange}");
        }
    }

    #[test]
    fn whatever_it_leads_to_is_https() {
        let url = |host: &str, port, path: &str| Url { host: host.parse().unwrap(), port, path: path.to_owned() };
        let from = url("a.example", 8443, "/x");
        assert_eq!(from.join("/y?z"), Some(url("a.example", 8443, "/y?z")));
        assert_eq!(from.join("https://b.example"), Some(url("b.example", 443, "/")));
        assert_eq!(from.join("https://b.example:444/y"), Some(url("b.example", 444, "/y")));
        for bad in ["http://b.example/y", "//b.example/y", "y", "", "/y z", "/y\u{e9}", "file:///etc/passwd"] {
            assert_eq!(from.join(bad), None, "{bad}");
        }
    }
}
