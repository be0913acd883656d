//! An external component of the server under test (XEP-0114).

use super::Client;
use super::client::Incoming;
use sha1::{Digest, Sha1};
use std::net::SocketAddr;
use std::path::Path;

/// A component that is connected.
pub fn connect(address: SocketAddr, certificate: &Path, domain: &str, secret: &str) -> Client {
    let mut component = Client::connect(address, certificate);
    component.restart();
    component.send(format!(
        "<stream:stream xmlns='jabber:component:accept' xmlns:stream='http://etherx.jabber.org/streams' to='{domain}'>"
    ));
    let header = match component.next() {
        Incoming::Header(header) => header,
        other => panic!("{other:?}"),
    };
    let proof = Sha1::digest(format!("{}{secret}", header.attr("id").unwrap()));
    let proof: String = proof.iter().map(|octet| format!("{octet:02x}")).collect();
    component.send(format!("<handshake>{proof}</handshake>"));
    component.find(|element| element.name() == "handshake");
    component
}
