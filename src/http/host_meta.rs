//! Where the streams over HTTP are, for clients that know only the domain (XEP-0156 section 3, RFC 6415); and where all streams
//! are, if the operator has said at which addresses (XEP-0487).

use super::{Web, WebHost, name_of};
use crate::config::{Config, ListenOn};
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};
use std::net::IpAddr;
use std::sync::Arc;

const WEBSOCKET: &str = "urn:xmpp:alt-connections:websocket";
const BOSH: &str = "urn:xmpp:alt-connections:xbosh";
const DIRECT_TLS: &str = "urn:xmpp:alt-connections:tls";
const S2S_DIRECT_TLS: &str = "urn:xmpp:alt-connections:s2s-tls";

/// `/.well-known/host-meta`
pub async fn xml(State(web): State<Arc<Web>>, headers: HeaderMap) -> Response {
    answer(&web, &headers, "application/xrd+xml", |host| {
        let links: String =
            links(host).iter().map(|(rel, href)| format!("<Link rel='{rel}' href='{href}'/>")).collect();
        format!(
            "<?xml version='1.0' encoding='utf-8'?><XRD xmlns='http://docs.oasis-open.org/ns/xri/xrd-1.0'>{links}</XRD>"
        )
    })
}

/// `/.well-known/host-meta.json`
pub async fn json(State(web): State<Arc<Web>>, headers: HeaderMap) -> Response {
    answer(&web, &headers, "application/json", |host| {
        let links = links(host).into_iter().map(|(rel, href)| json!({ "rel": rel, "href": href })).collect::<Vec<_>>();
        match web.config.http.public_addresses.as_slice() {
            [] => json!({ "links": links }).to_string(),
            addresses => complete(&web.config, host, links, addresses).to_string(),
        }
    })
}

/// For how many seconds it holds. Addresses are changed rarely, and not without thought.
const TTL: u32 = 3600;

/// All ways to connect (XEP-0487 section 2.1), the shortest first. Each is encrypted: nothing else may be there.
fn complete(config: &Config, host: &WebHost, links: Vec<Value>, addresses: &[IpAddr]) -> Value {
    let own = host.domain.to_ascii();
    let direct = direct(config).into_iter().map(|(rel, port)| (json!({ "rel": rel, "port": port }), own.as_str()));
    let over_https = links.into_iter().filter(|_| host.url.starts_with("https:"));
    let all = direct.chain(over_https.map(|link| (link, name_of(&host.url))));
    let links = all.enumerate().map(|(index, (mut link, name))| {
        link["ips"] = json!(addresses);
        link["priority"] = json!((index + 1) * 10);
        link["weight"] = json!(50);
        link["sni"] = json!(name);
        link
    });
    json!({ "xmpp": { "ttl": TTL }, "links": links.collect::<Vec<_>>() })
}

/// Where streams with TLS from the first byte are taken (XEP-0368).
fn direct(config: &Config) -> Vec<(&'static str, u16)> {
    let port = |on: &ListenOn| on.addresses.iter().map(|address| address.port()).find(|port| *port != 0);
    let clients = port(&config.listen.c2s_tls).map(|port| (DIRECT_TLS, port));
    let servers = port(&config.listen.s2s_tls).filter(|_| config.federation.enabled).map(|port| (S2S_DIRECT_TLS, port));
    clients.into_iter().chain(servers).collect()
}

fn answer(web: &Web, headers: &HeaderMap, kind: &'static str, body: impl FnOnce(&WebHost) -> String) -> Response {
    match web.host(headers) {
        // Only over HTTPS may a client believe this (section 5); a proxy in front sees to that.
        Some(host) => ([(header::CONTENT_TYPE, kind)], body(host)).into_response(),
        None => StatusCode::NOT_FOUND.into_response(),
    }
}

fn links(host: &WebHost) -> [(&'static str, String); 2] {
    // An `https` URL becomes a `wss` one, an `http` one `ws`.
    let websocket = host.url.replacen("http", "ws", 1);
    [(WEBSOCKET, format!("{websocket}/xmpp-websocket")), (BOSH, format!("{}/http-bind", host.url))]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_way_to_connect_says_all_that_is_needed() {
        let mut config = Config::default();
        config.listen.c2s_tls.addresses = vec!["[::]:5223".parse().unwrap()];
        config.listen.s2s_tls.addresses = vec!["[::]:5270".parse().unwrap()];
        let domain = "bücher.example".parse().unwrap();
        let host =
            WebHost { domain, url: "https://web.example:8443".into(), upload: None, endpoints: None, registers: false };
        let web = links(&host).into_iter().map(|(rel, href)| json!({ "rel": rel, "href": href })).collect();
        let addresses = ["192.0.2.7".parse().unwrap()];
        let meta = complete(&config, &host, web, &addresses);
        assert_eq!(meta["xmpp"], json!({ "ttl": 3600 }));
        let link =
            |rel: &str| meta["links"].as_array().unwrap().iter().find(|link| link["rel"] == rel).unwrap().clone();
        let (own, ips) = ("xn--bcher-kva.example", ["192.0.2.7"]);
        let expected = json!({ "rel": DIRECT_TLS, "port": 5223, "ips": ips, "priority": 10, "weight": 50, "sni": own });
        assert_eq!(link(DIRECT_TLS), expected);
        assert_eq!(link(S2S_DIRECT_TLS)["port"], 5270);
        assert_eq!(link(WEBSOCKET)["href"], "wss://web.example:8443/xmpp-websocket");
        assert_eq!(link(WEBSOCKET)["sni"], "web.example");
    }
}
