//! Resumption (XEP-0198 section 5): a session outlives its connection, and nothing on its way to it is lost or doubled.

use crate::phone::{Phone, SM, bodies, letters, numbers};
use crate::support::login::error_condition;
use crate::support::{Server, user};

struct Verona {
    server: Server,
    romeo: crate::support::Client,
}

fn verona(settings: &str) -> Verona {
    let server = Server::configured(settings);
    server.add_user("juliet");
    server.add_user("romeo");
    let romeo = server.log_in("romeo", "garden");
    Verona { server, romeo }
}

impl Verona {
    fn romeo_writes(&mut self, texts: impl IntoIterator<Item = u32>) {
        self.romeo.send(letters(&user("juliet"), texts));
        self.romeo.settle();
    }
}

#[test]
fn a_session_goes_on_where_its_connection_broke() {
    let mut verona = verona("");
    let mut juliet = Phone::new(&verona.server, "juliet", "balcony");
    verona.romeo_writes(1..=3);
    assert_eq!(juliet.reads(), numbers(1..=3));
    juliet.acknowledges();
    juliet.client.send(letters(&user("romeo"), [1]));
    juliet.hears();
    verona.romeo_writes(4..=5);
    let before = juliet.h;
    assert_eq!(juliet.reads(), numbers(4..=5));
    // She had them, and the break came before she could say so of the second.
    juliet.h = before + 1;
    juliet.breaks();
    verona.romeo_writes(6..=7);
    let handled = juliet.resumes(&verona.server);
    assert_eq!(handled, 1 + 4, "her letter, and the pings with which she looked");
    let heard = juliet.hears();
    assert_eq!(bodies(&heard), numbers(5..=7));
    assert_eq!(heard[1].name(), "iq", "the pong of her last look is among what she had not confirmed");
    juliet.client.send(format!("<r xmlns='{SM}'/>"));
    assert_eq!(juliet.client.find(|element| element.is("a", SM)).attr("h"), Some((handled + 1).to_string().as_str()));
    verona.romeo_writes([8]);
    assert_eq!(juliet.reads(), ["8"]);
    for round in 0..3 {
        juliet.breaks();
        verona.romeo_writes([100 + round]);
        juliet.resumes(&verona.server);
        assert_eq!(juliet.reads(), numbers([100 + round]));
    }
}

#[test]
fn nobody_sees_that_a_session_waits_for_its_client() {
    let mut verona = verona("");
    let mut juliet = Phone::new(&verona.server, "juliet", "balcony");
    verona.romeo.send(format!("<presence to='{}'/>", user("juliet")));
    juliet.client.send(format!("<presence to='{}'/>", verona.romeo.jid));
    juliet.hears();
    verona.romeo.find(|element| element.name() == "presence");
    juliet.breaks();
    verona.romeo_writes([1]);
    juliet.resumes(&verona.server);
    assert_eq!(juliet.reads(), ["1"]);
    assert!(!verona.romeo.settled().iter().any(|element| element.name() == "presence"));
}

#[test]
fn a_client_takes_its_session_from_a_connection_that_seems_to_be_alive() {
    let mut verona = verona("");
    let mut juliet = Phone::new(&verona.server, "juliet", "balcony");
    verona.romeo_writes(1..=2);
    let (new, answer) = juliet.asks(&verona.server);
    assert!(answer.is("resumed", SM), "{answer:?}");
    let mut old = std::mem::replace(&mut juliet.client, new);
    assert_eq!(old.stream_error(), "conflict");
    verona.romeo_writes([3]);
    assert_eq!(juliet.reads(), numbers(1..=3));
    // Again and again, and in between when it is not.
    for round in 4..8 {
        if round % 2 == 0 {
            juliet.breaks();
        }
        verona.romeo_writes([round]);
        juliet.resumes(&verona.server);
        assert_eq!(juliet.reads(), numbers([round]));
    }
}

#[test]
fn a_session_that_nobody_comes_back_for_ends_and_nothing_is_lost() {
    let mut verona = verona("");
    let mut client = verona.server.log_in("juliet", "balcony");
    client.send("<presence/>");
    client.settled();
    let mut juliet = Phone::counting(client, "juliet", "resume='true' max='1'");
    verona.romeo_writes(1..=2);
    assert_eq!(juliet.reads(), numbers(1..=2));
    juliet.client.send(format!("<a xmlns='{SM}' h='1'/>"));
    juliet.client.settle();
    juliet.breaks();
    verona.romeo_writes(3..=4);
    let answer = loop {
        let (_, answer) =
            Phone { id: juliet.id.clone(), name: "juliet".into(), h: u32::MAX, ..juliet }.asks(&verona.server);
        if answer.is("failed", SM) {
            break answer;
        }
        // It is still there: the count is too high, which is no way to end it.
        assert_eq!(answer.name(), "error", "{answer:?}");
        juliet = Phone { client: verona.server.connect(), id: juliet.id, name: juliet.name, h: juliet.h };
    };
    assert!(answer.child("item-not-found", "urn:ietf:params:xml:ns:xmpp-stanzas").is_some(), "{answer:?}");
    assert!(answer.attr("h").is_some(), "how far it had come is remembered: {answer:?}");
    let mut juliet = verona.server.log_in("juliet", "chamber");
    juliet.send("<presence/>");
    assert_eq!(bodies(&juliet.settled()), numbers(2..=4));
}

#[test]
fn a_session_is_its_users_alone() {
    let verona = verona("");
    let juliet = Phone::new(&verona.server, "juliet", "balcony");
    juliet.breaks();
    let thief = Phone { client: verona.server.connect(), name: "romeo".into(), id: juliet.id.clone(), h: 0 };
    let (mut client, answer) = thief.asks(&verona.server);
    assert!(answer.is("failed", SM) && answer.attr("h").is_none(), "{answer:?}");
    client.bind("vault").unwrap();
    let (_, answer) = juliet.asks(&verona.server);
    assert!(answer.is("resumed", SM), "{answer:?}");
}

#[test]
fn a_client_that_says_goodbye_has_no_session_any_more() {
    let verona = verona("");
    let juliet = Phone::new(&verona.server, "juliet", "balcony");
    let (id, name) = (juliet.id.clone(), juliet.name.clone());
    juliet.client.leave();
    let again = Phone { client: verona.server.connect(), name, id, h: 0 };
    assert!(again.asks(&verona.server).1.is("failed", SM));
}

#[test]
fn who_binds_the_resource_anew_gets_what_waited_for_it() {
    let mut verona = verona("");
    let mut juliet = Phone::new(&verona.server, "juliet", "balcony");
    juliet.acknowledges();
    juliet.breaks();
    verona.romeo_writes(1..=3);
    let mut again = verona.server.log_in("juliet", "balcony");
    again.send("<presence/>");
    assert_eq!(bodies(&again.settled()), numbers(1..=3));
    assert!(juliet.asks(&verona.server).1.is("failed", SM));
}

#[test]
fn what_waits_for_a_session_is_bounded_and_overflows_into_storage() {
    let mut verona = verona("limits.session.outbox = '64 KiB'");
    let juliet = Phone::new(&verona.server, "juliet", "balcony");
    juliet.breaks();
    let padding = "x".repeat(10_000);
    for number in 0..20 {
        let letter = format!("<message to='{}' type='chat'><body>{number} {padding}</body></message>", user("juliet"));
        verona.romeo.send(letter);
    }
    verona.romeo.settle();
    let (mut client, answer) = juliet.asks(&verona.server);
    assert!(answer.is("failed", SM), "{answer:?}");
    client.bind("chamber").unwrap();
    client.send("<presence/>");
    let heard: Vec<_> =
        bodies(&client.settled()).iter().map(|body| body.split(' ').next().unwrap().to_owned()).collect();
    assert_eq!(heard, numbers(0..20));
}

#[test]
fn a_count_that_is_too_high_ends_the_stream_and_not_the_session() {
    let verona = verona("");
    let mut juliet = Phone::new(&verona.server, "juliet", "balcony");
    juliet.h = 1000;
    juliet.breaks();
    let (_, answer) = juliet.asks(&verona.server);
    assert!(answer.child("handled-count-too-high", SM).is_some(), "{answer:?}");
    juliet.h = 0;
    juliet.resumes(&verona.server);
}

#[test]
fn sessions_that_wait_do_not_lock_their_user_out() {
    let verona = verona("limits.account.sessions = 2");
    for resource in ["a", "b", "c"] {
        Phone::new(&verona.server, "juliet", resource).breaks();
    }
    let connected: Vec<_> = ["d", "e"].map(|resource| verona.server.log_in("juliet", resource)).into();
    let mut last = Phone::authenticated(&verona.server, "juliet");
    assert_eq!(last.bind("f"), Err("resource-constraint".to_owned()));
    drop(connected);
}

/// XEP-0198 section 3: the server's preferred place for reconnection, where the operator names one.
#[test]
fn clients_are_told_where_to_come_back() {
    let told = |changes: &str, wish: &str| {
        let verona = verona(changes);
        let mut juliet = verona.server.log_in("juliet", "balcony");
        juliet.send(format!("<enable xmlns='{SM}' {wish}/>"));
        juliet.find(|element| element.is("enabled", SM)).attr("location").map(str::to_owned)
    };
    let location = "limits.session.location = '[2001:41d0:1:a49b::1]:9222'";
    assert_eq!(told(location, "resume='true'").as_deref(), Some("[2001:41d0:1:a49b::1]:9222"));
    assert_eq!(told(location, ""), None, "it cannot come back");
    assert_eq!(told("", "resume='true'"), None);
}

#[test]
fn an_operator_can_forbid_it() {
    let verona = verona("limits.session.resumption = '0s'");
    let mut juliet = verona.server.log_in("juliet", "balcony");
    juliet.send(format!("<enable xmlns='{SM}' resume='true'/>"));
    assert_eq!(juliet.find(|element| element.is("enabled", SM)).attr("id"), None);
}

/// Even a stanza that cannot be read is counted alike on both sides.
#[test]
fn refusals_are_counted() {
    let mut verona = verona("");
    let mut juliet = Phone::new(&verona.server, "juliet", "balcony");
    juliet.client.send("<iq type='get' id='x'/>");
    let heard = juliet.hears();
    assert_eq!(heard.iter().find_map(error_condition).as_deref(), Some("bad-request"));
    juliet.breaks();
    verona.romeo_writes([1]);
    juliet.resumes(&verona.server);
    assert_eq!(juliet.reads(), ["1"]);
}

/// Prints what a session costs that has no connection. A measurement, not a test: run it alone.
#[test]
#[ignore = "a measurement"]
fn what_a_session_without_a_connection_costs() {
    const SESSIONS: u64 = 1000;
    let verona = verona(
        "limits.account.sessions = 2000\nlimits.address.connections = 4000\ndefault_host.require_tls = false\nstore.engine = 'memory'",
    );
    let before = verona.server.resident();
    let mut phones: Vec<Phone> = (0..SESSIONS)
        .map(|number| {
            let mut client = verona.server.connect();
            client.log_in_unencrypted("juliet", &format!("r{number}"));
            Phone::counting(client, "juliet", "resume='true'")
        })
        .collect();
    let connected = verona.server.resident();
    phones.iter_mut().for_each(|phone| phone.breaks());
    while verona.server.open_files() as u64 > SESSIONS / 2 {
        std::thread::yield_now();
    }
    std::thread::sleep(std::time::Duration::from_secs(1));
    let asleep = verona.server.resident();
    let each = |bytes: u64| bytes.saturating_sub(before) / SESSIONS;
    eprintln!("bytes each: {} connected, {} without a connection", each(connected), each(asleep));
}
