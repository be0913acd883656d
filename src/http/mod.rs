//! The web front: one HTTP server for browsers and for whatever else speaks HTTP.
//!
//! ```text
//! serve       accepts connections, with TLS or behind a proxy
//!   patient   who takes nothing is given up
//!   origin    who the client really is
//! websocket   RFC 7395: a stream over a WebSocket               both hand a transport to crate::net, where
//! bosh        XEP-0124, XEP-0206: a stream over requests         streams of all kinds are driven alike
//! upload      XEP-0363: files come and go
//!   files     where they lie: a directory, or an S3-compatible store
//! unifiedpush what other people's servers push to apps on users' devices
//! host_meta   XEP-0156: where all this is
//! atom        open channels as feeds
//! page        what a person sees at /
//! invite      XEP-0401: what somebody who is invited sees
//! ```

mod atom;
mod bosh;
mod files;
mod host_meta;
mod invite;
mod origin;
mod page;
mod patient;
mod serve;
mod unifiedpush;
mod upload;
mod websocket;

pub use serve::listen_http;
pub use upload::sweep_forever;

use crate::config::{Config, DomainName, HostConfig};
use crate::net::Shared;
use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::http::{HeaderMap, HeaderName, Method, header};
use axum::routing::{get, put};
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;
use tower_http::cors::{Any, CorsLayer};
use unifiedpush::Endpoints;
use xeps::{unifiedpush as unified, upload as slots};

/// What all requests share.
pub struct Web {
    shared: Arc<Shared>,
    config: Arc<Config>,
    /// Hosts with their public URLs, by domain.
    hosts: HashMap<String, WebHost>,
    /// Hosts by the name of their public URL, where that is not the domain.
    names: HashMap<String, String>,
    /// The files of uploads.
    files: files::Files,
    underway: upload::Underway,
    bosh: bosh::Sessions,
}

/// What the web knows of a host.
struct WebHost {
    domain: DomainName,
    /// Scheme, name, and port.
    url: String,
    upload: Option<slots::Config>,
    endpoints: Option<Endpoints>,
    /// Whether an invitation lets somebody make an account.
    registers: bool,
}

impl Web {
    /// `uploads` are the settings that the services of the same name were given, by host; `endpoints` those of UnifiedPush.
    ///
    /// Errors: the object store cannot be used as it is configured.
    pub fn new(
        shared: Arc<Shared>,
        config: Arc<Config>,
        mut uploads: HashMap<String, slots::Config>,
        mut endpoints: HashMap<String, unified::Config>,
        port: u16,
    ) -> Result<Web, String> {
        let files = match &config.http.s3 {
            Some(s3) => files::Files::Bucket(files::Bucket::new(s3, shared.engine.store.clone())?),
            None => files::Files::Directory(files::Directory::new(config.data_dir().join("uploads"))),
        };
        let mut hosts = HashMap::new();
        let mut names = HashMap::new();
        for (domain, host) in &config.hosts {
            let url = public_url(domain, host, port);
            let upload = uploads.remove(domain.as_str());
            let registers = host.registration.mode.takes_invitations();
            names.insert(name_of(&url).to_owned(), domain.as_str().to_owned());
            if let Some(upload) = &upload {
                names.entry(upload.domain.as_str().to_owned()).or_insert_with(|| domain.as_str().to_owned());
            }
            let endpoints =
                endpoints.remove(domain.as_str()).map(|config| Endpoints::new(config, host.unifiedpush.pushes));
            let host = WebHost { domain: domain.clone(), url, upload, endpoints, registers };
            hosts.insert(domain.as_str().to_owned(), host);
        }
        let bosh = bosh::Sessions::new(config.http.bosh_sessions as usize);
        Ok(Web { shared, config, hosts, names, files, underway: upload::Underway::default(), bosh })
    }

    /// The host that a request is for: the one that its `Host` field names, else the first.
    fn host(&self, headers: &HeaderMap) -> Option<&WebHost> {
        let field = headers.get(header::HOST).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let name = without_port(field).to_ascii_lowercase();
        let unicode = name.parse::<DomainName>().map(|domain| domain.as_str().to_owned());
        let known = unicode.ok().and_then(|domain| self.hosts.get(&domain));
        let by_url = || self.hosts.get(self.names.get(&name)?);
        known.or_else(by_url).or_else(|| self.hosts.get(self.config.hosts.keys().next()?.as_str()))
    }
}

/// Where the web side of a host is reached.
pub fn public_url(domain: &DomainName, host: &HostConfig, port: u16) -> String {
    match &host.public_url {
        Some(url) => url.clone(),
        None if port == 443 => format!("https://{}", in_url(domain)),
        None => format!("https://{}:{port}", in_url(domain)),
    }
}

fn in_url(domain: &DomainName) -> String {
    match domain.ip() {
        Some(std::net::IpAddr::V6(ip)) => format!("[{ip}]"),
        _ => domain.to_ascii(),
    }
}

/// All routes. What is not here is 404; the methods that a route does not know are 405.
fn router(web: Arc<Web>) -> Router {
    let methods = [Method::GET, Method::HEAD, Method::PUT, Method::POST, Method::OPTIONS];
    let allowed = [header::CONTENT_TYPE, header::AUTHORIZATION, header::RANGE, header::IF_NONE_MATCH];
    let exposed = [header::CONTENT_LENGTH, header::CONTENT_RANGE, header::ACCEPT_RANGES, header::ETAG];
    // Nothing here depends on cookies, so a page of any origin may do what any program may. Streams are another matter: see
    // Http::origins.
    let cors = CorsLayer::new()
        .allow_origin(Any)
        .allow_methods(methods)
        .allow_headers(allowed)
        .expose_headers::<[HeaderName; 4]>(exposed)
        .max_age(Duration::from_secs(86_400));
    Router::new()
        .route("/", get(page::index))
        .route("/invite/{token}", get(invite::show))
        .route("/.well-known/host-meta", get(host_meta::xml))
        .route("/.well-known/host-meta.json", get(host_meta::json))
        .route("/xmpp-websocket", get(websocket::open))
        .route("/http-bind", get(bosh::hint).post(bosh::request))
        .route("/channels/{node}", get(atom::feed))
        .route("/upload/{id}/{name}", put(upload::take).get(upload::give))
        .route("/up", get(unifiedpush::describe))
        .route("/up/{token}", get(unifiedpush::describe).post(unifiedpush::take))
        .layer(DefaultBodyLimit::disable())
        .layer(cors)
        .with_state(web)
}

fn name_of(url: &str) -> &str {
    without_port(url.split_once("://").map_or(url, |(_, rest)| rest))
}

/// The name of a `Host` field or an authority.
fn without_port(authority: &str) -> &str {
    match authority.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => authority,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_is_no_part_of_a_name() {
        for (authority, name) in
            [("a.example:5443", "a.example"), ("a.example", "a.example"), ("[::1]:80", "[::1]"), ("[::1]", "[::1]")]
        {
            assert_eq!(without_port(authority), name);
        }
        assert_eq!(name_of("https://chat.example.org:8443"), "chat.example.org");
    }

    #[test]
    fn a_host_is_reached_under_its_own_name_unless_it_says_otherwise() {
        let host = HostConfig::default();
        let url = |domain: &str, port| public_url(&domain.parse().unwrap(), &host, port);
        assert_eq!(url("example.org", 5443), "https://example.org:5443");
        assert_eq!(url("bücher.example", 443), "https://xn--bcher-kva.example");
        assert_eq!(url("[::1]", 5443), "https://[::1]:5443");
        let named = HostConfig { public_url: Some("https://web.example.org".into()), ..HostConfig::default() };
        assert_eq!(public_url(&"example.org".parse().unwrap(), &named, 1), "https://web.example.org");
    }
}
