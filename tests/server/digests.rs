//! What a node tells later, or only while somebody is there (XEP-0060 sections 12.5, 12.6 and 16.4.2), by a server that may stop
//! or be killed in between.

use crate::publishing::{PUBSUB, ask, configure, next_items, publication, service, subscribe};
use crate::support::{Client, Server, user};
use std::collections::BTreeSet;
use wire::xml::Element;

fn publish(client: &mut Client, id: &str) {
    ask(client, &publication("news", id));
}

fn verona() -> Server {
    let server = Server::start();
    server.add_user("juliet");
    server.add_user("romeo");
    server
}

/// Romeo, who publishes, and Juliet.
fn both(server: &Server) -> (Client, Client) {
    (server.log_in("romeo", "garden"), server.log_in("juliet", "balcony"))
}

#[test]
fn what_waits_for_a_digest_survives_the_end_of_the_server() {
    let killed = |server: &mut Server| server.kill9();
    let stopped = |server: &mut Server| {
        server.sigterm();
        server.wait();
    };
    for end in [killed, stopped as fn(&mut Server)] {
        let mut server = verona();
        let (mut romeo, mut juliet) = both(&server);
        let style = configure(&[("pubsub#notification_type", "normal")]);
        ask(&mut romeo, &format!("<create node='news'/>{style}"));
        let digest = [("pubsub#digest", "1"), ("pubsub#digest_frequency", "2000")];
        subscribe(&mut juliet, "news", &user("juliet"), &digest);
        juliet.leave();
        // What the first publication has caused is on disk when the second is answered.
        publish(&mut romeo, "one");
        publish(&mut romeo, "two");
        end(&mut server);
        server.restart();
        let mut juliet = server.log_in("juliet", "balcony");
        juliet.send("<presence/>");
        let mut told = BTreeSet::new();
        while !told.contains("one") {
            told.extend(next_items(&mut juliet));
        }
        // It comes by itself: nobody has published anything since.
        assert!(told.len() <= 2, "{told:?}");
    }
}

#[test]
fn a_service_sees_the_presence_of_those_for_whom_it_matters() {
    let mut server = verona();
    let (mut romeo, mut juliet) = both(&server);
    juliet.send("<presence/>");
    ask(&mut romeo, "<create node='news'/>");
    subscribe(&mut juliet, "news", &user("juliet"), &[("pubsub#show-values", "chat")]);
    let asked = |stanza: &Element| stanza.attr("type") == Some("subscribe") && stanza.attr("from") == Some(&service());
    juliet.find(asked);
    juliet.send(format!("<presence type='subscribed' to='{}'/><presence><show>dnd</show></presence>", service()));
    juliet.settle();
    publish(&mut romeo, "unheard");
    juliet.send("<presence><show>chat</show></presence>");
    juliet.settle();
    publish(&mut romeo, "heard");
    assert_eq!(next_items(&mut juliet), ["heard"]);

    server.kill9();
    server.restart();
    let (mut romeo, mut juliet) = both(&server);
    publish(&mut romeo, "nobody is there");
    juliet.send("<presence><show>chat</show></presence>");
    juliet.settle();
    publish(&mut romeo, "heard again");
    assert_eq!(next_items(&mut juliet), ["heard again"]);
}

#[test]
fn a_temporary_subscription_ends_with_the_session() {
    let server = verona();
    let (mut romeo, mut juliet) = both(&server);
    juliet.send("<presence/>");
    ask(&mut romeo, "<create node='news'/>");
    subscribe(&mut juliet, "news", &user("juliet"), &[("pubsub#expire", "presence")]);
    juliet.find(|stanza| stanza.attr("type") == Some("subscribe"));
    juliet.send(format!("<presence type='subscribed' to='{}'/>", service()));
    juliet.settle();
    publish(&mut romeo, "heard");
    assert_eq!(next_items(&mut juliet), ["heard"]);
    juliet.leave();
    let mut juliet = server.log_in("juliet", "balcony");
    let own = juliet.iq("get", Some(&service()), &format!("<pubsub xmlns='{PUBSUB}'><subscriptions/></pubsub>"));
    let own = own.child("pubsub", PUBSUB).and_then(|pubsub| pubsub.child("subscriptions", PUBSUB)).unwrap();
    assert_eq!(own.children().count(), 0, "{own:?}");
}
