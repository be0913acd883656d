//! How the server starts, stops, and says what is wrong.

use crate::archive::archive;
use crate::support::{Client, DOMAIN, Server, client::Incoming, server::program, wait};
use rustix::process::Signal;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::Output;

/// Runs a configuration that cannot work, and returns the one line that says why.
fn complaint(output: Output, exit_code: i32) -> String {
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(exit_code), "{said}");
    let lines: Vec<&str> = said.lines().filter(|line| line.starts_with("oriole: ")).collect();
    assert_eq!(lines.len(), 1, "not one line: {said}");
    assert_eq!(said.lines().last(), Some(lines[0]), "more is said after it: {said}");
    lines[0].to_owned()
}

#[test]
fn at_sigterm_everyone_is_told_and_nothing_is_left_undone() {
    for signal in [Signal::TERM, Signal::INT] {
        let mut server = Server::configured("components.'echo.example'.secret = 's3cret'");
        server.add_user("juliet");
        server.add_user("romeo");
        let mut juliet = server.log_in("juliet", "balcony");
        juliet.send("<presence/>");
        juliet.iq("set", None, "<query xmlns='jabber:iq:roster'><item jid='nurse@capulet.example'/></query>");
        juliet.send("<message to='romeo@capulet.example' type='chat'><body>Good night!</body></message>");
        juliet.settle();
        let mut opened = server.connect();
        opened.open();
        let silent = server.connect();
        let mut half_way = Client::connect(server.c2s_tls(), &server.certificate());
        server.signal(signal);
        assert_eq!(juliet.stream_error(), "system-shutdown");
        assert_eq!(opened.stream_error(), "system-shutdown");
        half_way.rest();
        drop(silent);
        assert_eq!(server.wait().code(), Some(0));
        // Not even a warning that somebody had to be waited for in vain.
        let bad = |line: &&String| [" ERROR ", " WARN ", "panicked"].iter().any(|word| line.contains(word));
        assert_eq!(server.last_words().iter().find(bad), None);
        assert!(server.oriole(&["store", "verify"]).status.success());

        server.restart();
        let mut romeo = server.log_in("romeo", "garden");
        romeo.send("<presence/>");
        romeo.find(|element| element.child("body", "jabber:client").is_some_and(|body| body.text() == "Good night!"));
        let mut juliet = server.log_in("juliet", "balcony");
        let roster = juliet.iq("get", None, "<query xmlns='jabber:iq:roster'/>");
        assert_eq!(roster.child("query", "jabber:iq:roster").unwrap().children().count(), 1);
    }
}

/// A peer that neither reads nor hangs up does not keep the server from stopping.
#[test]
fn nobody_can_keep_the_server_from_stopping() {
    let mut server = Server::start();
    server.add_user("juliet");
    server.add_user("romeo");
    let deaf = server.log_in("juliet", "deaf");
    let mut romeo = server.log_in("romeo", "garden");
    let text = "x".repeat(100_000);
    for _ in 0..60 {
        romeo.send(format!("<message to='{}' type='chat'><body>{text}</body></message>", deaf.jid));
    }
    romeo.settle();
    server.sigterm();
    assert_eq!(server.wait().code(), Some(0));
}

#[test]
fn a_taken_port_is_one_clear_line() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let server = Server::start();
    let config = server.scratch().join("other.toml");
    let data = server.scratch().join("other-data");
    let address = taken.local_addr().unwrap();
    let text = format!(
        "server.data_dir = '{}'\nlisten.c2s.addresses = ['{address}']\nlisten.c2s_tls.addresses = []\nlisten.https.addresses = []\nfederation.enabled = false\n",
        data.display()
    );
    std::fs::write(&config, text).unwrap();
    let line = complaint(program().arg("--config").arg(&config).output().unwrap(), 1);
    let expected = format!("port {} on 127.0.0.1 is taken by another program", address.port());
    assert!(line.contains(&expected), "{line}");
    assert!(line.contains("listen.c2s.addresses"), "the line names what to change: {line}");
}

#[test]
fn two_servers_do_not_share_their_data() {
    let server = Server::start();
    server.add_user("juliet");
    let mut juliet = server.log_in("juliet", "balcony");
    let line = complaint(server.oriole(&[]), 1);
    assert!(line.contains(&server.data_dir().display().to_string()), "the line names the data: {line}");
    assert!(line.contains("another process") || line.contains("in use"), "{line}");
    juliet.settle();
}

#[test]
fn a_mistake_in_the_configuration_is_one_clear_line() {
    let server = Server::start();
    let config = server.scratch().join("wrong.toml");
    for (text, expected) in [
        ("[limits.stream]\nstanza = '1 B'\n", "limits.stream.stanza"),
        ("[limits.stream]\nstanzas = '1 MB'\n", "stanzas"),
        ("[listen\n", "wrong.toml:1"),
    ] {
        std::fs::write(&config, text).unwrap();
        let line = complaint(program().arg("--config").arg(&config).output().unwrap(), 2);
        assert!(line.contains("wrong.toml") && line.contains(expected), "{line}");
    }
    // What a configuration leads to can be wrong as well.
    let data = server.scratch().join("other-data");
    let text = format!(
        "server.data_dir = '{}'\nlisten.c2s.addresses = ['127.0.0.1:0']\nlisten.c2s_tls.addresses = []\nlisten.https.addresses = []\nfederation.enabled = false\n\
         [hosts.'capulet.example']\ncertificate = '/nonexistent/chain.pem'\nkey = '/nonexistent/key.pem'\n",
        data.display()
    );
    std::fs::write(&config, text).unwrap();
    let line = complaint(program().arg("--config").arg(&config).output().unwrap(), 1);
    assert!(line.contains("/nonexistent/chain.pem"), "{line}");
    let missing = server.scratch().join("missing.toml");
    let line = complaint(program().arg("--config").arg(&missing).output().unwrap(), 2);
    assert!(line.contains("missing.toml"), "{line}");
}

/// RFC 7590: certificates are renewed every few weeks, and nobody wants to be thrown out for it.
#[test]
fn at_sighup_the_certificate_is_read_anew_and_nobody_is_disturbed() {
    let server = Server::start();
    server.add_user("juliet");
    let mut juliet = server.log_in("juliet", "balcony");
    let shown = || {
        let mut client = server.connect();
        client.open();
        client.send("<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>");
        client.find(|element| element.name() == "proceed");
        client.secure();
        client.tls().unwrap().peer_certificates().unwrap()[0].to_vec()
    };
    let old = shown();
    crate::support::certificate::make(server.scratch());
    server.signal(Signal::HUP);
    server.log().wait_for("certificates have been read anew").expect("no word of the new certificate");
    assert_ne!(shown(), old);
    juliet.settle();
}

#[test]
fn a_changed_password_and_a_disabled_account_end_its_sessions() {
    let server = Server::start();
    server.add_user("juliet");
    let juliet = format!("juliet@{DOMAIN}");
    let mut session = server.log_in("juliet", "balcony");
    assert!(server.oriole(&["user", "disable", &juliet]).status.success());
    assert_eq!(session.stream_error(), "not-authorized");
    let mut client = server.connect();
    client.open();
    client.start_tls();
    client.open();
    let refused = client.authenticate(wire::sasl::Mechanism::ScramSha256, "juliet", crate::support::PASSWORD);
    assert_eq!(refused, Err("account-disabled".to_owned()));
    assert!(server.oriole(&["user", "enable", &juliet]).status.success());
    let mut session = server.log_in("juliet", "balcony");
    assert!(server.oriole(&["user", "delete", "--yes", &juliet]).status.success());
    session.stream_error();
    wait::until(|| (!server.oriole(&["user", "delete", "--yes", &juliet]).status.success()).then_some(())).unwrap();
    server.add_user("juliet");
    server.log_in("juliet", "balcony").settle();
}

#[test]
fn what_the_server_is_is_shown_by_status() {
    let server = Server::start();
    server.add_user("juliet");
    let mut juliet = server.log_in("juliet", "balcony");
    juliet.settle();
    let status = String::from_utf8(server.oriole(&["status"]).stdout).unwrap();
    assert!(status.contains("1 connections, 1 sessions"), "{status}");
    assert!(status.contains(&format!("listening for c2s on {}", server.c2s())), "{status}");
    let mut unknown = Client::connect(server.c2s(), &server.certificate());
    unknown.send("<a/>");
    assert!(unknown.rest().iter().all(|said| !matches!(said, Incoming::Element(element) if element.name() == "iq")));
}

#[test]
fn what_is_saved_can_be_restored_elsewhere() {
    let server = Server::start();
    server.add_user("juliet");
    server.add_user("romeo");
    let mut juliet = server.log_in("juliet", "balcony");
    juliet.iq("set", None, "<query xmlns='jabber:iq:roster'><item jid='romeo@capulet.example' name='Romeo'/></query>");
    juliet.send("<message to='romeo@capulet.example' type='chat'><body>Good night!</body></message>");
    juliet.settle();
    let kept = archive(&mut juliet);
    assert_eq!(kept.len(), 1);
    let saved = server.scratch().join("saved");
    let saved = saved.to_str().unwrap();
    let export = server.oriole(&["store", "export", saved]);
    assert!(export.status.success(), "{}", String::from_utf8_lossy(&export.stderr));
    assert!(!server.oriole(&["store", "import", saved]).status.success(), "a running server is not written over");

    for engine in ["sled", "fjall"] {
        let mut other = Server::configured(&format!("store.engine = '{engine}'"));
        other.sigterm();
        other.wait();
        std::fs::remove_dir_all(other.data_dir()).unwrap();
        let import = other.oriole(&["store", "import", saved]);
        assert!(import.status.success(), "{}", String::from_utf8_lossy(&import.stderr));
        other.restart();
        let mut juliet = other.log_in("juliet", "balcony");
        assert_eq!(archive(&mut juliet), kept, "messages keep their ids");
        let roster = juliet.iq("get", None, "<query xmlns='jabber:iq:roster'/>");
        let item = roster.child("query", "jabber:iq:roster").unwrap().children().next().unwrap().clone();
        assert_eq!(item.attr("name"), Some("Romeo"));
        let mut romeo = other.log_in("romeo", "garden");
        romeo.send("<presence/>");
        romeo.find(|element| element.child("body", "jabber:client").is_some_and(|body| body.text() == "Good night!"));
    }
}

#[test]
fn an_operator_sees_figures_and_health() {
    let server = Server::start();
    server.add_user("juliet");
    let mut juliet = server.log_in("juliet", "balcony");
    juliet.settle();
    let get = |path: &str| {
        let mut socket = TcpStream::connect(server.metrics()).unwrap();
        write!(socket, "GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").unwrap();
        let mut answer = String::new();
        socket.read_to_string(&mut answer).unwrap();
        answer
    };
    assert!(get("/healthz").starts_with("HTTP/1.1 200 "));
    let metrics = get("/metrics");
    for line in ["oriole_connections 1", "oriole_sessions 1", "oriole_logins_total 1"] {
        assert!(metrics.lines().any(|found| found == line), "{line} is missing in {metrics}");
    }
    assert!(get("/etc/passwd").starts_with("HTTP/1.1 404 "));
}

#[test]
fn what_is_logged_can_be_changed_while_the_server_runs() {
    let server = Server::configured("log.level = 'info'");
    server.add_user("juliet");
    let logged = || server.log().lines().iter().any(|line| line.contains(" DEBUG "));
    server.log_in("juliet", "balcony").leave();
    assert!(!logged());
    assert!(server.oriole(&["log", "debug"]).status.success());
    server.log_in("juliet", "balcony").leave();
    wait::until(|| logged().then_some(())).expect("nothing more is logged");
    let said = server.log().lines().join("\n");
    assert!(!said.contains(crate::support::PASSWORD), "a password in the log");
}
