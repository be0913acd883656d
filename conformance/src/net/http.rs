//! Just enough HTTP/1.1 for plays: one request, one connection, the whole response read.

use super::Target;
use super::transport::Transport;
use tokio::time::timeout;

/// Nothing larger is read.
const MAX_RESPONSE: usize = 4 * 1024 * 1024;

#[derive(Debug, PartialEq, Eq)]
pub struct Response {
    pub status: String,
    /// The fields of the header, their names in lower case.
    pub fields: Vec<(String, String)>,
    pub body: String,
}

impl Response {
    pub fn field(&self, name: &str) -> Option<&str> {
        self.fields.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }
}

/// What to ask for; `authorization` is left out if empty.
pub struct Request<'a> {
    pub method: &'a str,
    pub url: &'a str,
    pub body: &'a str,
    /// The value of Content-Type.
    pub kind: &'a str,
    pub authorization: &'a str,
}

pub async fn send(target: &Target, request: &Request<'_>) -> Result<Response, String> {
    let limit = target.patience();
    let outcome = timeout(limit, exchange(target, request)).await;
    outcome.map_err(|_| format!("{} does not answer in time", request.url))?
}

async fn exchange(target: &Target, request: &Request<'_>) -> Result<Response, String> {
    let Request { method, url, body, kind, authorization } = request;
    let place = Url::parse(url)?;
    let failed = |error: std::io::Error| format!("{url}: {error}");
    let mut transport = match Transport::connect(place.host, place.port).await {
        // The domain of a server under test need not be known to DNS.
        Err(_) if is_within(place.host, &target.domain) => Transport::connect(&target.host, place.port).await,
        attempt => attempt,
    }
    .map_err(failed)?;
    if place.secure {
        transport = transport.secure(&target.tls, place.host).await.map_err(failed)?;
    }
    let authorization = match authorization.is_empty() {
        true => String::new(),
        false => format!("Authorization: {authorization}\r\n"),
    };
    let request = format!(
        "{method} {} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n{authorization}Content-Type: {kind}\r\n\
         Content-Length: {}\r\n\r\n{body}",
        place.path,
        place.authority,
        body.len()
    );
    transport.write(request.as_bytes()).await.map_err(failed)?;
    let mut bytes = Vec::new();
    let mut buffer = vec![0_u8; 8192];
    while bytes.len() < MAX_RESPONSE && !is_complete(&bytes) {
        match transport.read(&mut buffer).await.map_err(failed)? {
            0 => break,
            length => bytes.extend_from_slice(&buffer[..length]),
        }
    }
    parse(&String::from_utf8_lossy(&bytes)).ok_or_else(|| format!("{url}: the answer is not HTTP"))
}

/// Whether `host` is the domain or a name below it.
fn is_within(host: &str, domain: &str) -> bool {
    host.strip_suffix(domain).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
}

/// The parts of an address.
pub struct Url<'a> {
    pub secure: bool,
    pub authority: &'a str,
    pub host: &'a str,
    pub port: u16,
    pub path: &'a str,
}

impl Url<'_> {
    pub fn parse(url: &str) -> Result<Url<'_>, String> {
        let (secure, rest) = match (url.strip_prefix("https://"), url.strip_prefix("http://")) {
            (Some(rest), _) => (true, rest),
            (_, Some(rest)) => (false, rest),
            _ => return Err(format!("'{url}' is not an HTTP address")),
        };
        let at = rest.find('/').unwrap_or(rest.len());
        let (authority, path) = rest.split_at(at);
        let default = if secure { 443 } else { 80 };
        let (host, port) = match authority.rsplit_once(':') {
            Some((host, port)) => (host, port.parse().map_err(|_| format!("'{url}' has no port"))?),
            None => (authority, default),
        };
        Ok(Url { secure, authority, host, port, path: if path.is_empty() { "/" } else { path } })
    }
}

/// Whether a response with a Content-Length has all of its body.
fn is_complete(bytes: &[u8]) -> bool {
    let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") else { return false };
    let head = String::from_utf8_lossy(&bytes[..end]).to_lowercase();
    let length = head.lines().find_map(|line| line.strip_prefix("content-length:")?.trim().parse::<usize>().ok());
    length.is_some_and(|length| bytes.len() >= end + 4 + length)
}

fn parse(text: &str) -> Option<Response> {
    let (head, body) = text.split_once("\r\n\r\n")?;
    let status = head.strip_prefix("HTTP/1.")?.split(' ').nth(1)?.to_owned();
    let fields = head.lines().skip(1).filter_map(|line| line.split_once(':'));
    let fields = fields.map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned())).collect();
    let mut response = Response { status, fields, body: body.to_owned() };
    if response.field("transfer-encoding").is_some_and(|coding| coding.eq_ignore_ascii_case("chunked")) {
        response.body = unchunk(body);
    }
    Some(response)
}

fn unchunk(mut rest: &str) -> String {
    let mut body = String::new();
    while let Some((size, after)) = rest.split_once("\r\n") {
        let size = usize::from_str_radix(size.split(';').next().unwrap_or_default().trim(), 16).unwrap_or(0);
        let Some(chunk) = after.get(..size).filter(|chunk| !chunk.is_empty()) else { break };
        body.push_str(chunk);
        rest = after.get(size + 2..).unwrap_or_default();
    }
    body
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_the_server_are_told_from_others() {
        assert!(
            is_within("capulet.example", "capulet.example") && is_within("upload.capulet.example", "capulet.example")
        );
        assert!(!is_within("notcapulet.example", "capulet.example") && !is_within("example", "capulet.example"));
    }

    #[test]
    fn bodies_by_length_and_in_chunks() {
        let plain = parse("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi");
        let fields = vec![("content-length".to_owned(), "2".to_owned())];
        assert_eq!(plain, Some(Response { status: "200".to_owned(), fields, body: "hi".to_owned() }));
        let typed = parse("HTTP/1.1 200 OK\r\ncontent-type:  text/xml; charset=utf-8\r\n\r\n");
        assert_eq!(typed.as_ref().and_then(|response| response.field("content-type")), Some("text/xml; charset=utf-8"));
        let chunked = parse("HTTP/1.1 201 Created\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n1\r\n!\r\n0\r\n\r\n");
        assert_eq!(chunked.map(|response| response.body), Some("hi!".to_owned()));
        assert_eq!(parse("nonsense"), None);
    }

    #[test]
    fn addresses() {
        let url = Url::parse("https://up.example:5443/a/b?c").unwrap_or_else(|what| panic!("{what}"));
        assert_eq!((url.secure, url.host, url.port, url.path), (true, "up.example", 5443, "/a/b?c"));
        assert!(Url::parse("ftp://x").is_err());
    }
}
