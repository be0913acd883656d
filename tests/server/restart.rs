//! Sessions outlive the server, too: stopped or killed, it knows after its start who was there, how far each client had been
//! heard, and what it has not been given (XEP-0198 section 5).

use crate::phone::{Phone, SM, bodies, letters, numbers};
use crate::support::{Server, user};

fn killed(server: &mut Server) {
    server.kill9();
    server.restart();
}

fn stopped(server: &mut Server) {
    server.sigterm();
    assert_eq!(server.wait().code(), Some(0));
    server.restart();
}

const BOTH: [fn(&mut Server); 2] = [killed, stopped];

fn verona(settings: &str) -> Server {
    let server = Server::configured(settings);
    server.add_user("juliet");
    server.add_user("romeo");
    server
}

/// Makes sure that everything so far is on disk: a change of the roster is answered when it is.
fn on_disk(phone: &mut Phone) {
    phone
        .client
        .send("<iq type='set' id='disk'><query xmlns='jabber:iq:roster'><item jid='nurse@example.net'/></query></iq>");
    phone.hears();
    phone.acknowledges();
}

#[test]
fn a_session_is_there_again_with_all_that_it_was() {
    for end in BOTH {
        let mut server = verona("");
        let mut romeo = server.log_in("romeo", "garden");
        romeo.send("<presence/>");
        let mut juliet = Phone::new(&server, "juliet", "balcony");
        juliet
            .client
            .send("<iq type='get' id='r'><query xmlns='jabber:iq:roster'/></iq><presence><show>dnd</show></presence>");
        juliet.hears();
        juliet.client.send(format!("<r xmlns='{SM}'/>"));
        let h = juliet.client.find(|element| element.is("a", SM)).attr("h").unwrap().to_owned();
        on_disk(&mut juliet);
        end(&mut server);
        // She is a target before she is back.
        let mut romeo = server.log_in("romeo", "garden");
        romeo.send(letters(&user("juliet"), [1]));
        romeo.settle();
        let handled = juliet.resumes(&server);
        assert!(handled >= h.parse().unwrap(), "what was acknowledged stays so: {handled} after {h}");
        let heard = juliet.hears();
        assert_eq!(bodies(&heard), ["1"]);
        let herself = heard.iter().find(|stanza| stanza.attr("from") == Some(&juliet.client.jid)).unwrap();
        assert!(herself.child("show", "jabber:client").is_some(), "her presence is as it was: {herself:?}");
        assert!(herself.child("delay", "urn:xmpp:delay").is_none());
        // Roster pushes go to whom they went before.
        let mut other = server.log_in("juliet", "chamber");
        other.iq("set", None, "<query xmlns='jabber:iq:roster'><item jid='tybalt@example.net'/></query>");
        let push = |stanza: &wire::xml::Element| stanza.child("query", "jabber:iq:roster").is_some();
        assert_eq!(juliet.hears().iter().filter(|stanza| push(stanza)).count(), 1);
    }
}

/// What the client sent and the server stored is counted; what the client must send again, nobody has.
#[test]
fn what_was_stored_is_counted_and_comes_once() {
    for end in BOTH {
        let mut server = verona("");
        let mut juliet = Phone::counting(server.log_in("juliet", "balcony"), "juliet", "resume='true'");
        juliet.client.send(letters(&user("romeo"), 1..=5));
        juliet.client.send(format!("<r xmlns='{SM}'/>"));
        assert_eq!(juliet.client.find(|element| element.is("a", SM)).attr("h"), Some("5"));
        juliet.client.send(letters(&user("romeo"), 6..=7));
        end(&mut server);
        let handled = juliet.resumes(&server);
        assert!((5..=7).contains(&handled), "{handled}");
        juliet.client.send(letters(&user("romeo"), handled + 1..=7));
        juliet.client.settle();
        let mut romeo = server.log_in("romeo", "garden");
        romeo.send("<presence/>");
        assert_eq!(bodies(&romeo.settled()), numbers(1..=7));
    }
}

/// Offline messages that were handed over when the server went are sent again if they have not arrived, and not if they have.
#[test]
fn what_had_not_arrived_is_sent_again() {
    for end in BOTH {
        for arrived in [0, 2, 4] {
            let mut server = verona("");
            let mut romeo = server.log_in("romeo", "garden");
            romeo.send(letters(&user("juliet"), 1..=4));
            romeo.settle();
            let mut juliet = Phone::counting(server.log_in("juliet", "balcony"), "juliet", "resume='true'");
            juliet.client.send("<presence/>");
            let heard = juliet.hears();
            assert_eq!(bodies(&heard), numbers(1..=4));
            // Her own presence came first.
            juliet.h = 1 + arrived;
            // What is known of the stream by now is on disk, as soon as anything later is.
            romeo.iq("set", None, "<query xmlns='jabber:iq:roster'><item jid='nurse@example.net'/></query>");
            end(&mut server);
            juliet.resumes(&server);
            let heard = juliet.hears();
            assert_eq!(bodies(&heard), numbers(arrived + 1..=4));
            assert!(
                heard
                    .iter()
                    .filter(|stanza| stanza.name() == "message")
                    .all(|message| { message.child("delay", "urn:xmpp:delay").is_some() })
            );
            juliet.acknowledges();
            juliet.client.leave();
            let mut juliet = server.log_in("juliet", "balcony");
            juliet.send("<presence/>");
            assert_eq!(bodies(&juliet.settled()), [""; 0], "all have arrived now");
        }
    }
}

#[test]
fn what_was_on_its_way_when_the_server_was_stopped_arrives() {
    let mut server = verona("");
    let mut romeo = server.log_in("romeo", "garden");
    let mut juliet = Phone::new(&server, "juliet", "balcony");
    romeo.send(letters(&user("juliet"), 1..=4));
    romeo.settle();
    let before = juliet.h;
    assert_eq!(juliet.reads(), numbers(1..=4));
    juliet.h = before + 2;
    juliet.client.send(format!("<a xmlns='{SM}' h='{}'/>", juliet.h));
    juliet.client.settle();
    stopped(&mut server);
    juliet.resumes(&server);
    assert_eq!(juliet.reads(), numbers(3..=4));
}

#[test]
fn a_session_that_nobody_comes_back_for_ends_after_its_time() {
    for end in BOTH {
        let mut server = verona("");
        let mut romeo = server.log_in("romeo", "garden");
        romeo.send(letters(&user("juliet"), 1..=2));
        romeo.settle();
        let mut juliet = Phone::counting(server.log_in("juliet", "balcony"), "juliet", "resume='true' max='1'");
        juliet.client.send("<presence/>");
        assert_eq!(juliet.reads(), numbers(1..=2));
        on_disk(&mut juliet);
        let mut romeo = server.log_in("romeo", "vault");
        romeo.send(letters(&user("nobody"), [9]));
        romeo.settle();
        end(&mut server);
        let (id, name) = (juliet.id.clone(), juliet.name.clone());
        let mut other = server.log_in("juliet", "chamber");
        other.send("<presence/>");
        let balcony = format!("{}/balcony", user("juliet"));
        other.find(|element| element.attr("from") == Some(&balcony) && element.attr("type") == Some("unavailable"));
        let late = Phone { client: server.connect(), id, name, h: 0 };
        assert!(late.asks(&server).1.is("failed", SM));
        end(&mut server);
        assert!(late.asks(&server).1.is("failed", SM), "and stays so");
        let mut juliet = server.log_in("juliet", "balcony");
        juliet.send("<presence/>");
        assert_eq!(bodies(&juliet.settled()), [""; 0], "she had confirmed what she was given");
    }
}

#[test]
fn restarts_may_follow_each_other() {
    let mut server = verona("");
    let mut romeo = server.log_in("romeo", "garden");
    romeo.send(letters(&user("juliet"), 1..=3));
    romeo.settle();
    let mut juliet = Phone::counting(server.log_in("juliet", "balcony"), "juliet", "resume='true'");
    juliet.client.send("<presence/>");
    juliet.hears();
    juliet.h = 2;
    // What is known of the stream by now is on disk, as soon as anything later is.
    romeo.iq("set", None, "<query xmlns='jabber:iq:roster'><item jid='nurse@example.net'/></query>");
    killed(&mut server);
    killed(&mut server);
    stopped(&mut server);
    juliet.resumes(&server);
    assert_eq!(juliet.reads(), numbers(2..=3));
    killed(&mut server);
    juliet.resumes(&server);
    assert_eq!(juliet.reads(), [""; 0], "she has all, and said so");
}

#[test]
fn a_session_that_said_goodbye_does_not_come_back() {
    let mut server = verona("");
    let mut juliet = Phone::new(&server, "juliet", "balcony");
    on_disk(&mut juliet);
    let (id, name) = (juliet.id.clone(), juliet.name.clone());
    juliet.client.leave();
    let mut other = Phone::new(&server, "juliet", "chamber");
    on_disk(&mut other);
    killed(&mut server);
    assert!(Phone { client: server.connect(), id, name, h: 0 }.asks(&server).1.is("failed", SM));
    other.resumes(&server);
}

/// Messages that were handed to a connected client are in its archive; those that it has not received come from there.
#[test]
fn what_a_connected_client_had_not_received_comes_from_the_archive() {
    for end in BOTH {
        let mut server = verona("");
        let mut romeo = Phone::counting(server.log_in("romeo", "garden"), "romeo", "resume='true'");
        let mut juliet = Phone::new(&server, "juliet", "balcony");
        juliet.client.send("<iq type='set' id='c'><enable xmlns='urn:xmpp:carbons:2'/></iq>");
        juliet.hears();
        juliet.acknowledges();
        romeo.client.send(letters(&user("juliet"), 1..=30));
        romeo.client.send(format!("<r xmlns='{SM}'/>"));
        assert_eq!(romeo.client.find(|element| element.is("a", SM)).attr("h"), Some("30"));
        let before = juliet.h;
        assert_eq!(juliet.reads(), numbers(1..=30));
        juliet.h = before + 10;
        end(&mut server);
        assert_eq!(romeo.resumes(&server), 30);
        romeo.client.send(letters(&user("juliet"), 31..=35));
        romeo.client.settle();
        juliet.resumes(&server);
        let heard = juliet.hears();
        assert_eq!(bodies(&heard), numbers(11..=35));
        assert!(
            heard
                .iter()
                .filter(|stanza| stanza.name() == "message")
                .all(|message| { message.child("stanza-id", "urn:xmpp:sid:0").is_some() })
        );
        // She still wants copies.
        let mut other = server.log_in("juliet", "chamber");
        other.send(letters(&user("romeo"), [99]));
        other.settle();
        assert!(juliet.hears().iter().any(|stanza| stanza.child("sent", "urn:xmpp:carbons:2").is_some()));
        juliet.breaks();
        end(&mut server);
        juliet.resumes(&server);
        assert_eq!(juliet.reads(), [""; 0], "nothing comes twice");
    }
}

/// If she does not come back, they are hers all the same, once.
#[test]
fn what_nobody_came_back_for_waits_for_the_next_session() {
    for end in BOTH {
        let mut server = verona("");
        let mut romeo = server.log_in("romeo", "garden");
        let mut client = server.log_in("juliet", "balcony");
        client.send("<presence/>");
        client.settled();
        let mut juliet = Phone::counting(client, "juliet", "resume='true' max='1'");
        romeo.send(letters(&user("juliet"), 1..=5));
        romeo.settle();
        assert_eq!(juliet.reads(), numbers(1..=5));
        juliet.client.send(format!("<a xmlns='{SM}' h='2'/>"));
        on_disk_only(&mut juliet);
        end(&mut server);
        let late = Phone { client: server.connect(), id: juliet.id.clone(), name: "juliet".into(), h: 2 };
        while !server.log().lines().iter().any(|line| line.contains("sessions wait")) {
            std::thread::yield_now();
        }
        // Bound anew, the session is over at once.
        let mut again = server.log_in("juliet", "balcony");
        again.send("<presence/>");
        assert_eq!(bodies(&again.settled()), numbers(3..=5));
        assert!(late.asks(&server).1.is("failed", SM));
    }
}

/// As [`on_disk`], without a word about what has come.
fn on_disk_only(phone: &mut Phone) {
    let nurse = "<query xmlns='jabber:iq:roster'><item jid='nurse@example.net'/></query>";
    phone.client.iq("set", None, nurse);
}
