//! Upgrades of an account's keys when its user logs in (XEP-0480), for an account that has come with those of one hash only.

use crate::support::sasl2::SASL2;
use crate::support::{Client, PASSWORD, Server, user};
use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use hmac::{Hmac, Mac};
use oriole::store::{EngineKind, Options, open};
use sha2::Sha256;
use wire::jid::BareJid;
use wire::sasl::{Credentials, Hash, Mechanism};
use wire::xml::Element;
use xeps::accounts;

const SCRAM: &str = "urn:xmpp:scram-upgrade:0";
const WISH: &str = "<upgrade xmlns='urn:xmpp:sasl:upgrade:0'>UPGR-SCRAM-SHA-256</upgrade>";

/// A server on which Juliet has keys for SHA-1 and for nothing else.
fn with_an_old_account() -> Server {
    let mut server = Server::start();
    server.add_user("juliet");
    server.sigterm();
    server.wait();
    let store = open(&Options::new(EngineKind::Sled, server.data_dir())).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(async {
        let juliet = BareJid::parse(&user("juliet")).unwrap();
        let mut record = accounts::find(store.as_ref(), &juliet).await.unwrap().unwrap();
        let keys = record.credentials.as_ref().and_then(|all| all.keys(Hash::Sha1)).cloned();
        record.credentials = Some(Credentials::from_keys(keys));
        accounts::update(store.as_ref(), &juliet, &record).await.unwrap();
    });
    store.close().unwrap();
    drop(store);
    server.restart();
    server
}

/// Begins a login by password that offers the upgrade; what the server says to that.
fn begins(server: &Server) -> (Client, Element) {
    let mut client = server.connect().secured();
    let initial = BASE64.encode(format!("\0juliet\0{PASSWORD}"));
    client.send(format!(
        "<authenticate xmlns='{SASL2}' mechanism='PLAIN'><initial-response>{initial}</initial-response>{WISH}</authenticate>"
    ));
    let answer = client.next().element();
    (client, answer)
}

/// Hi() of RFC 5802 section 2.2.
fn salted_password(salt: &[u8], iterations: u32) -> Vec<u8> {
    let hmac = |data: &[u8]| {
        let mut mac = Hmac::<Sha256>::new_from_slice(PASSWORD.as_bytes()).unwrap();
        mac.update(data);
        mac.finalize().into_bytes()
    };
    let mut last = hmac(&[salt, &[0, 0, 0, 1]].concat());
    let mut sum = last;
    for _ in 1..iterations {
        last = hmac(&last);
        sum.iter_mut().zip(last).for_each(|(sum, byte)| *sum ^= byte);
    }
    sum.to_vec()
}

#[test]
fn a_client_brings_the_keys_that_an_account_lacks() {
    let server = with_an_old_account();
    let by_sha256 = || server.connect().secured().authenticate2(Mechanism::ScramSha256Plus, "juliet", PASSWORD, "");
    assert_eq!(by_sha256(), Err("not-authorized".into()));

    let (mut client, answer) = begins(&server);
    assert!(answer.is("continue", SASL2), "{answer:?}");
    let task = answer.child("tasks", SASL2).and_then(|tasks| tasks.child("task", SASL2)).unwrap().text();
    assert_eq!(task, "UPGR-SCRAM-SHA-256");
    client.send(format!("<next xmlns='{SASL2}' task='{task}'/>"));
    let data = client.next().element();
    let salt = data.child("salt", SCRAM).unwrap();
    let salted =
        salted_password(&BASE64.decode(salt.text()).unwrap(), salt.attr("iterations").unwrap().parse().unwrap());
    let hash = BASE64.encode(salted);
    client.send(format!("<task-data xmlns='{SASL2}'><hash xmlns='{SCRAM}'>{hash}</hash></task-data>"));
    let success = client.next().element();
    assert!(success.is("success", SASL2), "{success:?}");

    by_sha256().unwrap();
    let (_, answer) = begins(&server);
    assert!(answer.is("success", SASL2), "nothing is missing any more: {answer:?}");
    let by_sha1 = server.connect().secured().authenticate2(Mechanism::ScramSha1Plus, "juliet", PASSWORD, "");
    by_sha1.unwrap();
}
