//! XMPP over WebSocket (RFC 7395): each message is one complete element.

use super::Web;
use super::origin::Client;
use crate::net::{Carrier, carry};
use async_trait::async_trait;
use axum::Extension;
use axum::extract::State;
use axum::extract::ws::{CloseFrame, Message, WebSocket, WebSocketUpgrade, close_code};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use futures_util::SinkExt;
use std::io;
use std::sync::Arc;
use wire::framed::{FRAMING, Piece};
use wire::xml::Element;

const PROTOCOL: &str = "xmpp";

/// `/xmpp-websocket`
pub async fn open(
    State(web): State<Arc<Web>>,
    Extension(client): Extension<Client>,
    headers: HeaderMap,
    upgrade: WebSocketUpgrade,
) -> Response {
    if !web.config.http.admits(headers.get(header::ORIGIN).and_then(|origin| origin.to_str().ok())) {
        return (StatusCode::FORBIDDEN, "pages of this origin may not connect here\n").into_response();
    }
    // RFC 7395 section 3.1: a client that does not ask for it would not understand it.
    let offered = headers.get_all(header::SEC_WEBSOCKET_PROTOCOL).iter().filter_map(|value| value.to_str().ok());
    if !offered.flat_map(|list| list.split(',')).any(|one| one.trim() == PROTOCOL) {
        return (StatusCode::BAD_REQUEST, "the subprotocol must be xmpp\n").into_response();
    }
    // What is too large for a stanza is still read, so that the stream can say so; what is far too large ends the connection.
    let largest = web.config.limits.stream.stanza.as_usize().saturating_mul(2);
    let shared = web.shared.clone();
    upgrade
        .protocols([PROTOCOL])
        .max_message_size(largest)
        .max_frame_size(largest)
        .on_upgrade(move |socket| carry(shared, Box::new(Socket(socket)), client.address, client.encrypted))
}

struct Socket(WebSocket);

#[async_trait]
impl Carrier for Socket {
    async fn receive(&mut self) -> io::Result<Option<String>> {
        loop {
            match self.0.recv().await {
                Some(Ok(Message::Text(text))) => return Ok(Some(text.as_str().to_owned())),
                Some(Ok(Message::Ping(_) | Message::Pong(_))) => {}
                Some(Ok(Message::Binary(_))) => {
                    // Section 3.2: all of XMPP is text.
                    self.close(close_code::UNSUPPORTED).await;
                    return Ok(None);
                }
                Some(Ok(Message::Close(_))) | None => return Ok(None),
                Some(Err(error)) => return Err(io::Error::other(error)),
            }
        }
    }

    async fn send(&mut self, pieces: Vec<Piece>) -> io::Result<()> {
        for piece in pieces {
            self.0.feed(Message::Text(text(piece).into())).await.map_err(io::Error::other)?;
        }
        self.0.flush().await.map_err(io::Error::other)
    }

    async fn shutdown(&mut self) {
        self.close(close_code::NORMAL).await;
    }
}

impl Socket {
    async fn close(&mut self, code: u16) {
        // Whoever does not hear it is gone already.
        let _ = self.0.send(Message::Close(Some(CloseFrame { code, reason: "".into() }))).await;
    }
}

fn text(piece: Piece) -> String {
    match piece {
        Piece::Element(xml) => xml,
        Piece::Open(attributes) => framing("open", &attributes),
        Piece::Close => framing("close", &[]),
    }
}

fn framing(name: &str, attributes: &[(String, String)]) -> String {
    let mut element = Element::new(name, FRAMING);
    for (name, value) in attributes {
        match name.as_str() {
            "xml:lang" => element.set_attr_ns("lang", wire::ns::XML, value),
            name => element.set_attr(name, value),
        }
    }
    String::from_utf8_lossy(&element.to_bytes("")).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_stream_begins_and_ends_with_elements_of_its_own() {
        let attributes = [("from", "a.example"), ("xml:lang", "en")].map(|(n, v)| (n.to_owned(), v.to_owned()));
        let expected = "<open xmlns='urn:ietf:params:xml:ns:xmpp-framing' from='a.example' xml:lang='en'/>";
        assert_eq!(text(Piece::Open(attributes.to_vec())), expected);
        assert_eq!(text(Piece::Close), "<close xmlns='urn:ietf:params:xml:ns:xmpp-framing'/>");
    }
}
