//! What one peer may use up, and that everyone else goes on as if nothing had happened.

use crate::support::client::Incoming;
use crate::support::{Client, PASSWORD, Server, wait};
use std::time::{Duration, Instant};
use wire::sasl::Mechanism;

/// A chat message of exactly that many bytes.
fn message(to: &str, size: usize) -> String {
    let with = |body: &str| format!("<message to='{to}' type='chat'><body>{body}</body></message>");
    let body = "x".repeat(size - with("").len());
    with(&body)
}

/// RFC 6120 section 13.12.
#[test]
fn a_stanza_of_the_promised_size_passes_and_a_larger_one_ends_the_stream() {
    let server = Server::configured("limits.stream.stanza = '20 KB'");
    server.add_user("juliet");
    let mut juliet = server.log_in("juliet", "balcony");
    let me = juliet.jid.clone();
    juliet.send(message(&me, 20_000));
    juliet.find(|element| element.name() == "message");
    juliet.send(message(&me, 20_001));
    assert_eq!(juliet.stream_error(), "policy-violation");
}

#[test]
fn before_login_a_large_element_ends_the_stream() {
    let server = Server::start();
    let mut client = server.connect();
    client.open();
    client.send(format!("<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>{}", "A".repeat(10_001)));
    assert_eq!(client.stream_error(), "policy-violation");
}

#[test]
fn whoever_does_not_log_in_is_sent_away() {
    let server = Server::configured("limits.stream.auth_deadline = '1s'");
    server.add_user("juliet");
    let mut juliet = server.log_in("juliet", "balcony");
    let mut silent = server.connect();
    let mut half_a_header = server.connect();
    half_a_header.send("<stream:stream to='capu");
    let mut opened = server.connect();
    opened.open();
    let mut in_tls = server.connect();
    in_tls.open();
    in_tls.start_tls();
    in_tls.open();
    in_tls.send("<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>");
    // One that never begins its handshake.
    let mut no_handshake = Client::connect(server.c2s_tls(), &server.certificate());
    let mut no_handshake_after_starttls = server.connect();
    no_handshake_after_starttls.open();
    no_handshake_after_starttls.send("<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>");
    silent.rest();
    half_a_header.rest();
    assert_eq!(opened.stream_error(), "connection-timeout");
    assert_eq!(in_tls.stream_error(), "connection-timeout");
    no_handshake.rest();
    no_handshake_after_starttls.rest();
    // Who is logged in may stay.
    juliet.settle();
}

#[test]
fn one_address_has_so_many_connections_and_gets_them_back() {
    let server = Server::configured("limits.address.connections = 3");
    server.add_user("juliet");
    let mut juliet = server.log_in("juliet", "balcony");
    let mut others = [server.connect(), server.connect()];
    others.iter_mut().for_each(|other| drop(other.open()));
    let mut one_too_many = server.connect();
    assert!(matches!(one_too_many.next(), Incoming::Gone));
    juliet.settle();
    others.into_iter().for_each(Client::leave);
    wait::until(|| {
        let mut client = server.connect();
        client.try_send("<stream:stream to='capulet.example' version='1.0' xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams'>").ok()?;
        matches!(client.next(), Incoming::Header(_)).then_some(())
    })
    .expect("the places of those who left are not free again");
}

/// Against guessing: the account is closed for a while even to the right password; another account is not.
#[test]
fn too_many_wrong_passwords_close_an_account_for_a_while() {
    let server = Server::configured("limits.account.auth_failures = '3/1h'");
    server.add_user("juliet");
    server.add_user("romeo");
    let attempt = |mechanism, name, password| {
        let mut client = server.connect();
        client.open();
        client.start_tls();
        client.open();
        client.authenticate(mechanism, name, password)
    };
    for mechanism in [Mechanism::Plain, Mechanism::ScramSha1, Mechanism::ScramSha256Plus] {
        assert_eq!(attempt(mechanism, "juliet", "wrong"), Err("not-authorized".to_owned()));
    }
    for mechanism in [Mechanism::Plain, Mechanism::ScramSha1, Mechanism::ScramSha256Plus] {
        assert_eq!(attempt(mechanism, "juliet", PASSWORD), Err("temporary-auth-failure".to_owned()));
        assert_eq!(attempt(mechanism, "romeo", PASSWORD), Ok(()));
    }
}

#[test]
fn too_many_wrong_passwords_close_an_address_for_a_while() {
    let server = Server::configured("limits.address.auth_failures = '3/1h'");
    server.add_user("juliet");
    for name in ["anna", "bertha", "clara"] {
        let mut client = server.connect();
        client.open();
        client.start_tls();
        client.open();
        assert_eq!(client.authenticate(Mechanism::Plain, name, "guess"), Err("not-authorized".to_owned()));
    }
    let mut juliet = server.connect();
    juliet.open();
    juliet.start_tls();
    juliet.open();
    let refused = juliet.authenticate(Mechanism::ScramSha256, "juliet", PASSWORD);
    assert_eq!(refused, Err("temporary-auth-failure".to_owned()));
}

/// A peer has at most five attempts on one stream (RFC 6120 section 6.4.4).
#[test]
fn one_stream_has_few_attempts_to_log_in() {
    let server = Server::start();
    server.add_user("juliet");
    let mut client = server.connect();
    client.open();
    client.start_tls();
    client.open();
    for _ in 0..5 {
        assert!(client.authenticate(Mechanism::Plain, "juliet", "wrong").is_err());
    }
    assert_eq!(client.stream_error(), "policy-violation");
}

/// Whoever does not read is cut off once his outbox is full, and costs no more memory than that; others notice nothing.
#[test]
fn a_reader_that_is_too_slow_is_cut_off() {
    // Nothing is kept for later either, so that what the server needs is what it has in hand.
    let server = Server::configured(
        "limits.session.outbox = '256 KiB'\nlimits.account.offline_messages = 1\ndefault_host.archive.default = 'never'",
    );
    for name in ["juliet", "romeo", "nurse"] {
        server.add_user(name);
    }
    let mut deaf = server.log_in("juliet", "deaf");
    deaf.settle();
    let mut romeo = server.log_in("romeo", "garden");
    let mut nurse = server.log_in("nurse", "house");
    let before = server.resident();
    let mut sent = 0_u64;
    // Far more than the kernel's buffers on both sides hold.
    let cut = wait::until(|| {
        for _ in 0..16 {
            romeo.send(message(&deaf.jid, 32 * 1024));
            sent += 32 * 1024;
        }
        // Whoever cannot be reached any more is answered for.
        let bounced = romeo.settled().iter().any(|element| element.attr("type") == Some("error"));
        nurse.settle();
        bounced.then_some(())
    });
    cut.expect("the slow reader is never cut off");
    let grown = server.resident().saturating_sub(before);
    assert!(grown < 16 << 20, "{grown} bytes more in use, after {sent} bytes for a reader that does not read");
    deaf.rest();
    let (mut again, start) = (server.log_in("juliet", "again"), Instant::now());
    again.settle();
    assert!(start.elapsed() < Duration::from_secs(20), "the server is not what it was");
}

#[test]
fn an_account_has_so_many_sessions() {
    let server = Server::configured("limits.account.sessions = 2");
    server.add_user("juliet");
    let (one, mut two) = (server.log_in("juliet", "one"), server.log_in("juliet", "two"));
    let mut three = server.connect();
    three.open();
    three.start_tls();
    three.open();
    three.authenticate(Mechanism::ScramSha256, "juliet", PASSWORD).unwrap();
    three.open();
    assert_eq!(three.bind("three"), Err("resource-constraint".to_owned()));
    two.settle();
    one.leave();
    assert_eq!(three.bind("three"), Ok(()));
}

/// A phone without a network says nothing, and cannot say so.
#[test]
fn a_silent_client_is_asked_and_then_given_up() {
    let server = Server::configured("limits.session.ping_after = '1s'\nlimits.session.ping_timeout = '1s'");
    server.add_user("juliet");
    let mut silent = server.log_in("juliet", "silent");
    let mut answering = server.log_in("juliet", "answering");
    for _ in 0..3 {
        let ping = answering.find(|element| element.child("ping", "urn:xmpp:ping").is_some());
        answering.send(format!("<iq type='result' id='{}' to='capulet.example'/>", ping.attr("id").unwrap()));
    }
    assert_eq!(silent.stream_error(), "connection-timeout");
    answering.settle();
}

/// Connections that end in every possible way, and what the process holds open afterwards.
#[test]
fn connections_leave_nothing_behind() {
    let server = Server::start();
    server.add_user("juliet");
    server.log_in("juliet", "first").leave();
    let idle = || {
        let status = String::from_utf8(server.oriole(&["status"]).stdout).unwrap();
        status.contains("0 connections, 0 sessions").then_some(())
    };
    wait::until(idle).unwrap();
    let before = server.open_files();
    for round in 0..60 {
        let mut client = server.connect();
        match round % 6 {
            0 => {}
            1 => client.send("<stream:stream to="),
            2 => drop(client.open()),
            3 => {
                client.open();
                client.send("<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>\x16\x03");
            }
            4 => client.log_in("juliet", "balcony"),
            _ => {
                client.log_in("juliet", "chamber");
                client.send("<presence/><message to='nobody@capulet.example'><body>half a st");
            }
        }
        client.drop_connection();
    }
    wait::until(idle).expect("connections that have ended are still counted");
    let after = wait::until(|| Some(server.open_files()).filter(|open| *open <= before));
    assert!(after.is_some(), "{before} files were open before, now {}", server.open_files());
}
