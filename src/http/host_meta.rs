//! Where the streams over HTTP are, for clients that know only the domain (XEP-0156 section 3, RFC 6415).

use super::{Web, WebHost};
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use std::sync::Arc;

const WEBSOCKET: &str = "urn:xmpp:alt-connections:websocket";
const BOSH: &str = "urn:xmpp:alt-connections:xbosh";

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
        let links: Vec<_> =
            links(host).into_iter().map(|(rel, href)| serde_json::json!({ "rel": rel, "href": href })).collect();
        serde_json::json!({ "links": links }).to_string()
    })
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
