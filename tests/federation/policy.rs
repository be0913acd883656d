//! Who is talked to, and how much of this server one other domain and all of them together may use. None of it hurts others.

use crate::attacks::{EVIL, acquaintance};
use crate::hostile::{MODEST, proved};
use crate::stage::{Quality, Stage, address, hears, routes, says, says_in_vain, send};
use crate::support::login::error_condition;
use crate::support::{Client, wait};
use rustix::process::Signal;
use std::net::TcpListener;
use wire::xml::Element;

/// Where some domains are that take connections and say nothing.
fn silent(listener: &TcpListener, domains: &[&str]) -> String {
    let at = listener.local_addr().unwrap();
    domains.iter().map(|domain| format!("federation.routes.'{domain}' = '{at}'\n")).collect()
}

fn refusals(client: &mut Client) -> Vec<String> {
    let errors = client.settled().into_iter().filter(|one: &Element| one.attr("type") == Some("error"));
    errors.map(|error| error_condition(&error).unwrap()).collect()
}

#[test]
fn with_a_list_of_the_only_ones_nobody_else_is_talked_to() {
    let stage = Stage::new();
    let [verona_at, mantua_at, padua_at] = [address(), address(), address()];
    let all = routes(&[("mantua.example", mantua_at), ("padua.example", padua_at)]);
    let verona = stage.oriole("verona.example", verona_at, &format!("federation.allow = ['mantua.example']\n{all}"));
    let mantua = stage.oriole("mantua.example", mantua_at, &routes(&[("verona.example", verona_at)]));
    let padua = stage.oriole("padua.example", padua_at, &routes(&[("verona.example", verona_at)]));
    let (mut juliet, mut romeo, mut kate) = (verona.user("juliet"), mantua.user("romeo"), padua.user("kate"));
    says(&mut juliet, &mut romeo, "thou art on the list");
    says(&mut romeo, &mut juliet, "and so art thou");
    assert_eq!(says_in_vain(&mut juliet, "kate@padua.example", "thou art not"), "not-allowed");
    assert_eq!(says_in_vain(&mut kate, "juliet@verona.example", "let me in"), "remote-server-timeout");
    padua.oriole().log().wait_for("policy-violation (this server does not talk to you)").expect("its log says why");
    let line =
        verona.oriole().log().wait_for("a domain that is not talked to wants to connect").expect("ours says it too");
    assert!(line.contains("padua.example"), "{line}");
}

/// A file with a fault is not half a list: what was read before stays in force, and the log says which line is wrong.
#[test]
fn a_list_that_cannot_be_read_again_stays_as_it_was() {
    let stage = Stage::new();
    let file = stage.dir.path().join("denied");
    std::fs::write(&file, "# none of these\nspam.example\n").unwrap();
    let deny = format!("federation.deny_file = '{}'\n", file.display());
    let [verona, mantua] = stage.neighbours(Quality::Good, [&deny, ""]);
    let (mut juliet, mut romeo) = (verona.user("juliet"), mantua.user("romeo"));
    std::fs::write(&file, "mantua.example\nno domain at all\n").unwrap();
    verona.oriole().signal(Signal::HUP);
    let line = verona.oriole().log().wait_for("no domain at all").expect("the log says what is wrong");
    assert!(line.contains(file.to_str().unwrap()) && line.contains('2'), "{line}");
    says(&mut juliet, &mut romeo, "the list is as it was");
    assert_eq!(says_in_vain(&mut juliet, "a@spam.example", "?"), "not-allowed");
    // Taken off the list, a domain is welcome again.
    std::fs::write(&file, "").unwrap();
    verona.oriole().signal(Signal::HUP);
    let heard = || {
        let id = juliet.fresh_id();
        juliet.send(format!("<message id='{id}' to='a@spam.example'><body>?</body></message>"));
        (!refusals(&mut juliet).contains(&"not-allowed".to_owned())).then_some(())
    };
    wait::until(heard).expect("the domain is talked to");
}

/// What waits for one domain is bounded in bytes, and so is what waits for all of them; so is the number of domains.
#[test]
fn what_waits_is_bounded_for_each_domain_and_for_all() {
    let stage = Stage::new();
    let deaf = TcpListener::bind("127.0.0.1:0").unwrap();
    let mantua_at = address();
    let many = ["a.example", "b.example", "c.example", "d.example"];
    let limits =
        "federation.limits.queue = '1 MiB'\nfederation.limits.queues = '2 MiB'\nfederation.limits.domains = 4\n";
    let changes = limits.to_owned() + &silent(&deaf, &many) + &routes(&[("mantua.example", mantua_at)]);
    let verona = stage.oriole("verona.example", address(), &changes);
    let mut juliet = verona.user("juliet");
    let long = "a".repeat(200_000);
    // Five of them are a megabyte; the rest comes back, from each domain and then from all of them.
    let mut waiting = 0;
    for (domain, most) in many.into_iter().zip([5, 5, 1, 1]) {
        for _ in 0..20 {
            send(&mut juliet, &format!("tybalt@{domain}"), &long);
        }
        let refused = refusals(&mut juliet);
        assert!(refused.iter().all(|condition| condition == "resource-constraint"), "{refused:?}");
        let kept = 20 - refused.len();
        assert!(kept <= most, "{kept} wait for {domain}");
        waiting += kept;
    }
    assert!((5..=10).contains(&waiting), "{waiting} wait in all");
    assert!(verona.oriole().resident() < MODEST);
    // With room for bytes there may still be too many domains.
    let limits = "federation.limits.domains = 1\nfederation.timeouts.deliver = '2s'\n".to_owned();
    let padua = stage.oriole("padua.example", address(), &(limits + &silent(&deaf, &many)));
    let mut kate = padua.user("kate");
    send(&mut kate, "tybalt@a.example", "one domain");
    assert_eq!(says_in_vain(&mut kate, "tybalt@b.example", "and another"), "resource-constraint");
    let error = kate.find(|one| one.attr("type") == Some("error"));
    assert_eq!(error_condition(&error).as_deref(), Some("remote-server-timeout"), "the first has waited long enough");
    // Its place is free when its attempt has ended.
    let taken = || (says_in_vain(&mut kate, "tybalt@b.example", "again") != "resource-constraint").then_some(());
    wait::until(taken).expect("room is given back");
}

/// One that sends more than it may is slowed down, and nobody else is.
#[test]
fn a_domain_may_send_so_many_bytes_in_a_second() {
    let stage = Stage::new();
    let [at, mantua_at] = [address(), address()];
    let evil = TcpListener::bind("127.0.0.1:0").unwrap();
    let changes = acquaintance(evil.local_addr().unwrap())
        + "federation.limits.rate = '16 KiB'\n"
        + &routes(&[("mantua.example", mantua_at)]);
    let verona = stage.oriole("verona.example", at, &changes);
    let mantua = stage.oriole("mantua.example", mantua_at, &routes(&[("verona.example", at)]));
    let mut romeo = mantua.user("romeo");
    let mut flood = proved(&verona, at, &evil);
    let mut juliet = verona.user("juliet");
    juliet.send("<presence/>");
    juliet.settled();
    // It would take a minute and more.
    const FLOOD: usize = 100;
    let long = "a".repeat(10_000);
    let to = juliet.jid.clone();
    let thrown = std::thread::spawn(move || {
        for _ in 0..FLOOD {
            let message = format!("<message from='tybalt@{EVIL}' to='{to}'><body>{long}</body></message>");
            if flood.try_send(&message).is_err() {
                return;
            }
        }
        // Held until the server is gone.
        flood.rest();
    });
    juliet.find(|element| element.attr("from") == Some(&format!("tybalt@{EVIL}")));
    send(&mut romeo, &juliet.jid.clone(), "I am not held up");
    let mut before = 1;
    loop {
        let next = juliet.find(|element| element.name() == "message");
        if next.attr("from") == Some(&romeo.jid) {
            break;
        }
        before += 1;
    }
    assert!(before < FLOOD / 2, "{before} of the flood came first");
    hears_myself(&mut juliet);
    drop((verona, mantua));
    thrown.join().unwrap();
}

fn hears_myself(client: &mut Client) {
    let to = client.jid.clone();
    send(client, &to, "to myself");
    hears(client, "to myself");
}
