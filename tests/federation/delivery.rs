//! What becomes of stanzas when servers come and go, are not there, or are not wanted.

use crate::others::{installed, name_server};
use crate::stage::{House, Quality, Stage, address, hears, says, says_in_vain, send};
use crate::support::{skip, wait};
use rustix::process::Signal;

#[test]
fn a_server_that_is_down_gets_what_waits_for_it_when_it_is_up() {
    let stage = Stage::new();
    let [verona, mut mantua] = stage.neighbours(Quality::Good, ["", ""]);
    let mut juliet = verona.user("juliet");
    mantua.user("romeo").leave();
    mantua.fall();
    send(&mut juliet, "romeo@mantua.example", "Art thou not Romeo?");
    verona.oriole().log().wait_for("no connection").unwrap();
    mantua.rise();
    let mut romeo = mantua.log_in("romeo");
    romeo.send("<presence/>");
    hears(&mut romeo, "Art thou not Romeo?");
}

#[test]
fn after_a_crash_of_the_other_server_the_line_is_made_anew() {
    let stage = Stage::new();
    let [verona, mut mantua] = stage.neighbours(Quality::Good, ["", ""]);
    let (mut juliet, mut romeo) = (verona.user("juliet"), mantua.user("romeo"));
    says(&mut juliet, &mut romeo, "before");
    mantua.fall();
    verona.oriole().log().wait_for("the stream has ended").unwrap();
    mantua.rise();
    let mut romeo = mantua.log_in("romeo");
    says(&mut juliet, &mut romeo, "after");
    says(&mut romeo, &mut juliet, "and back");
}

#[test]
fn a_connection_that_breaks_is_made_anew() {
    let stage = Stage::new();
    let idle = "federation.timeouts.idle = '1s'\nfederation.bidi = false\n";
    let [verona, mantua] = stage.neighbours(Quality::Good, ["", idle]);
    let (mut juliet, mut romeo) = (verona.user("juliet"), mantua.user("romeo"));
    says(&mut romeo, &mut juliet, "first");
    mantua.oriole().log().wait_for("the stream has ended").expect("an idle stream is closed");
    says(&mut romeo, &mut juliet, "second");
    says(&mut juliet, &mut romeo, "third");
}

#[test]
fn a_server_that_does_not_exist_is_not_waited_for() {
    if !installed(&["dnsmasq"]) {
        return skip("dnsmasq is needed");
    }
    let stage = Stage::new();
    let dns = address();
    let _names = name_server(dns, ("nobody.example", 1), &[]);
    let verona = stage.oriole("verona.example", address(), &format!("federation.resolver = '{dns}:5353'"));
    let mut juliet = verona.user("juliet");
    assert_eq!(says_in_vain(&mut juliet, "romeo@mantua.example", "?"), "remote-server-not-found");
}

#[test]
fn denied_domains_are_read_again() {
    let stage = Stage::new();
    let file = stage.dir.path().join("denied");
    std::fs::write(&file, "spam.example\n").unwrap();
    let deny = format!("federation.deny_file = '{}'\nfederation.deny = ['vile.example']\n", file.display());
    let [verona, mantua] = stage.neighbours(Quality::Good, [&deny, ""]);
    let (mut juliet, mut romeo) = (verona.user("juliet"), mantua.user("romeo"));
    for denied in ["a@spam.example", "a@new.spam.example", "a@vile.example"] {
        assert_eq!(says_in_vain(&mut juliet, denied, "?"), "not-allowed");
    }
    says(&mut juliet, &mut romeo, "while it lasts");
    std::fs::write(&file, "mantua.example\n").unwrap();
    verona.oriole().signal(Signal::HUP);
    let refused = || {
        let id = juliet.fresh_id();
        juliet.send(format!("<message id='{id}' to='romeo@mantua.example'><body>?</body></message>"));
        let back = juliet.settled();
        back.iter().any(|element| element.attr("type") == Some("error")).then_some(())
    };
    wait::until(refused).expect("the file is not read again");
    send(&mut romeo, &juliet.jid.clone(), "through the open stream?");
    verona.oriole().log().wait_for("a stanza of a denied domain is dropped").expect("an open stream is no way round");
    assert!(!format!("{:?}", juliet.settled()).contains("through the open stream"));
}

#[test]
fn hosts_of_one_server_talk_without_leaving_it() {
    let stage = Stage::new();
    let (certificate, key) = stage.certificate("mantua.example", Quality::Good);
    let second = format!(
        "hosts.'mantua.example' = {{ certificate = '{}', key = '{}' }}\n",
        certificate.display(),
        key.display()
    );
    let verona = stage.oriole("verona.example", address(), &second);
    let mut juliet = verona.user("juliet");
    let mantua = House { domain: "mantua.example".to_owned(), ..verona };
    let mut romeo = mantua.user("romeo");
    says(&mut juliet, &mut romeo, "so near");
    hears_nothing_of_connections(&mantua);
}

fn hears_nothing_of_connections(house: &House) {
    assert!(!house.oriole().log().lines().iter().any(|line| line.contains("outgoing{")));
}

#[test]
fn order_survives_a_late_connection() {
    let stage = Stage::new();
    let [verona, mantua] = stage.neighbours(Quality::Good, ["", ""]);
    let (mut juliet, mut romeo) = (verona.user("juliet"), mantua.user("romeo"));
    for number in 0..20 {
        send(&mut juliet, &romeo.jid.clone(), &format!("a{number}"));
    }
    for number in 0..20 {
        let next = romeo.find(|element| element.name() == "message");
        assert_eq!(next.child("body", "jabber:client").unwrap().text(), format!("a{number}"));
    }
    says(&mut romeo, &mut juliet, "all of them");
    hears_still(&mut juliet, &mut romeo);
}

fn hears_still(juliet: &mut crate::support::Client, romeo: &mut crate::support::Client) {
    send(juliet, &romeo.jid.clone(), "farewell");
    hears(romeo, "farewell");
}

#[test]
fn what_waits_when_the_server_stops_goes_back_to_its_senders() {
    let stage = Stage::new();
    // One that takes connections and says nothing, and one that is let go of just then.
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let route = format!("federation.routes.'mantua.example' = '{}'\n", silent.local_addr().unwrap());
    let verona = stage.oriole("verona.example", address(), &route);
    let mut juliet = verona.user("juliet");
    send(&mut juliet, "romeo@mantua.example", "before it is too late");
    let _held = silent.accept().unwrap();
    verona.oriole().sigterm();
    let error = juliet.find(|element| element.attr("type") == Some("error"));
    assert_eq!(crate::support::login::error_condition(&error).as_deref(), Some("remote-server-timeout"));
    assert!(format!("{error:?}").contains("this server stops"), "{error:?}");
}
