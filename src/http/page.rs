//! What a person sees who opens the server's address in a browser: what this is, and how to get in.

use super::Web;
use crate::config::RegistrationMode;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use std::sync::Arc;

/// `/`
pub async fn index(State(web): State<Arc<Web>>, headers: HeaderMap) -> Response {
    let Some(host) = web.host(&headers) else { return StatusCode::NOT_FOUND.into_response() };
    let (title, domain) = (escape(host.domain.as_str()), address(host.domain.as_str()));
    let account = match web.config.hosts.get(&host.domain).map(|config| config.registration.mode) {
        Some(RegistrationMode::Open) => {
            "Choose “register” or “new account” in the app and enter the name of this server."
        }
        Some(RegistrationMode::Invite) => {
            "To make an account you need an invitation: ask somebody who is here for one."
        }
        _ => "Accounts are made by whoever runs this server: ask them for one.",
    };
    let body = format!(
        "<h1>{domain}</h1><p>This is a chat server. It speaks XMPP, so you can use it with many apps, and write to people on \
         other servers.</p><h2>How to connect</h2><ol><li>Install an app: {APPS}.</li><li>{account}</li>\
         <li>Log in with your password and your address: <b>{user}</b></li></ol>\
         <footer>Runs on Oriole {version}</footer>",
        user = address(&format!("name@{}", host.domain.as_str())),
        version = env!("CARGO_PKG_VERSION"),
    );
    document(&title, &body).into_response()
}

/// Apps to begin with.
pub const APPS: &str = "<a href='https://conversations.im'>Conversations</a> (Android), \
    <a href='https://monal-im.org'>Monal</a> (iOS, macOS), <a href='https://gajim.org'>Gajim</a> or \
    <a href='https://dino.im'>Dino</a> (computer)";

/// A page with this title and content, both in HTML, that loads nothing and runs nothing.
pub fn document(title: &str, body: &str) -> impl IntoResponse + use<> {
    let page = format!(
        "<!doctype html><html lang='en'><head><meta charset='utf-8'>\
         <meta name='viewport' content='width=device-width, initial-scale=1'><meta name='color-scheme' content='light dark'><title>{title}</title><style>{STYLE}</style>\
         </head><body><main>{body}</main></body></html>"
    );
    let policy =
        "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";
    let headers = [
        (header::CONTENT_TYPE, "text/html; charset=utf-8"),
        (header::CONTENT_SECURITY_POLICY, policy),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    ];
    (headers, page)
}

const STYLE: &str = "body{font:17px/1.6 system-ui,sans-serif;margin:0;background:#f6f5f2;color:#222;overflow-wrap:anywhere}\
main{max-width:34rem;margin:0 auto;padding:clamp(1.5rem,6vw,3rem) 1.25rem}\
h1{font-size:clamp(1.5rem,6.5vw,2rem);line-height:1.25;margin:0 0 1rem}h2{font-size:1.2rem;margin-top:2rem}\
span{display:inline-block;max-width:100%}ol{padding-left:1.5rem}li{margin:.4rem 0}a{color:#a34a00}\
a.button{display:block;background:#a34a00;color:#fff;font-weight:600;text-align:center;text-decoration:none;\
border-radius:.6rem;padding:.8rem 1rem;margin:1.5rem 0}\
svg{display:block;width:min(100%,15rem);margin:1rem auto;background:#fff;border-radius:.6rem}\
footer{margin-top:3rem;color:#666;font-size:.85rem}\
@media(prefers-color-scheme:dark){body{background:#1b1a18;color:#e8e6e1}a{color:#ffb070}footer{color:#999}}";

/// An address or a domain in HTML, between tags: on one line, or, where it is too long for any, broken between its parts.
pub fn address(text: &str) -> String {
    format!("<span>{}</span>", escape(text).replace('@', "<wbr>@").replace('.', "<wbr>."))
}

/// Text in HTML, between tags or in a quoted attribute.
pub fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('\'', "&#39;").replace('"', "&quot;")
}
