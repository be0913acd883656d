//! The page of an invitation (XEP-0401 section 5.2, XEP-0379 section 3.3): who invites, apps, and a button for those who have one.
//!
//! Looking at the page does not use the invitation up. The QR code is the page's own address, for whoever has opened it on a
//! computer and wants it on a phone: every camera knows what to do with that.

use super::page::{APPS, address, document, escape};
use super::{Web, WebHost};
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use qrcodegen::{QrCode, QrCodeEcc};
use std::fmt::Write as _;
use std::sync::Arc;
use tracing::error;
use xeps::invitation::{self, Invitation, Purpose};

/// `/invite/{token}`
pub async fn show(State(web): State<Arc<Web>>, Path(token): Path<String>, headers: HeaderMap) -> Response {
    let Some(host) = web.host(&headers) else { return StatusCode::NOT_FOUND.into_response() };
    let engine = &web.shared.engine;
    let found = invitation::open(engine.store.as_ref(), host.domain.as_str(), &token, engine.clock.now()).await;
    let (status, page) = match found {
        Ok(Some(found)) => (StatusCode::OK, document("Invitation", &invited(host, &found))),
        Ok(None) => {
            let text = "<h1>This invitation is not good any more</h1><p>It has been used, or its time is over. Ask whoever \
                        has sent it for another one.</p>";
            (StatusCode::NOT_FOUND, document("Invitation", text))
        }
        Err(error) => {
            error!(%error, "the store failed: an invitation was not shown");
            (StatusCode::INTERNAL_SERVER_ERROR, document("Invitation", "<h1>Try again later</h1>"))
        }
    };
    // The address of this page is a secret between those who invite and those who are invited.
    let private = [("x-robots-tag", "noindex"), (header::CACHE_CONTROL.as_str(), "no-store")];
    (status, private, page).into_response()
}

fn invited(host: &WebHost, invitation: &Invitation) -> String {
    let domain = address(host.domain.as_str());
    let inviter = invitation.inviter.as_ref().map(|inviter| address(inviter.as_str()));
    let uri = escape(&invitation.uri(host.domain.as_str(), host.registers));
    let (title, text, button) = match (&invitation.purpose, inviter) {
        (Purpose::Contact, Some(inviter)) => (
            format!("{inviter} invites you to chat"),
            match host.registers {
                true => format!("With an account on any XMPP server, or with a new one on {domain}."),
                false => "With an account on any XMPP server.".to_owned(),
            },
            format!("Add {inviter}"),
        ),
        (_, inviter) => (
            format!("You are invited to {domain}"),
            match inviter {
                Some(inviter) => format!("{inviter} invites you to make an account on this chat server."),
                None => "You may make an account on this chat server.".to_owned(),
            },
            "Make an account".to_owned(),
        ),
    };
    let day = invitation.expires.format();
    let day = day.split('T').next().unwrap_or_default();
    format!(
        "<h1>{title}</h1><p>{text} It is XMPP, so you can use it with many apps, and write to people on other servers.</p>\
         <ol><li>Install an app: {APPS}. Without one the button below does nothing.</li>\
         <li>Come back to this page and press the button.</li></ol>\
         <a class='button' href='{uri}'>{button}</a>\
         <p>To go on with another device, such as your phone, point its camera at this:</p>{code}\
         <footer>Good once, until {day}. If you do not know who sent it, you need not do anything.</footer>",
        code = qr_code(&format!("{}/invite/{}", host.url, invitation.token)),
    )
}

/// A QR code as a picture that is part of the page; none if the text is too long for one.
fn qr_code(text: &str) -> String {
    let Ok(code) = QrCode::encode_text(text, QrCodeEcc::Medium) else { return String::new() };
    // ISO/IEC 18004 wants four light modules around it.
    let (quiet, size) = (4, code.size());
    let side = size + 2 * quiet;
    let mut path = String::new();
    for y in 0..size {
        for x in (0..size).filter(|x| code.get_module(*x, y)) {
            let _ = write!(path, "M{} {}h1v1h-1z", x + quiet, y + quiet);
        }
    }
    format!(
        "<svg viewBox='0 0 {side} {side}' role='img' aria-label='QR code' shape-rendering='crispEdges'>\
         <path d='{path}'/></svg>"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_has_its_three_corners_and_a_light_border() {
        let svg = qr_code("https://example.org/invite/0123456789");
        for corner in ["M4 4h1", "viewBox='0 0 "] {
            assert!(svg.contains(corner), "{svg}");
        }
        assert!(!svg.contains("M3 ") && !svg.contains(" 3h1"), "nothing in the border");
        assert_eq!(qr_code(&"x".repeat(5000)), "");
    }
}
