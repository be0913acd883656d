//! What a node tells later, or only while somebody is there (XEP-0060 sections 12.5, 12.6 and 16.4.2), by a server that may stop
//! or be killed in between.

use crate::support::{Client, DOMAIN, Server, user};
use std::collections::BTreeSet;
use wire::xml::Element;

const PUBSUB: &str = "http://jabber.org/protocol/pubsub";
const EVENT: &str = "http://jabber.org/protocol/pubsub#event";

fn service() -> String {
    format!("pubsub.{DOMAIN}")
}

fn ask(client: &mut Client, what: &str) {
    let answer = client.iq("set", Some(&service()), &format!("<pubsub xmlns='{PUBSUB}'>{what}</pubsub>"));
    assert_eq!(answer.attr("type"), Some("result"), "{answer:?}");
}

fn form(fields: &[(&str, &str)]) -> String {
    let field = |(name, value): &(&str, &str)| format!("<field var='pubsub#{name}'><value>{value}</value></field>");
    format!("<x xmlns='jabber:x:data' type='submit'>{}</x>", fields.iter().map(field).collect::<String>())
}

fn publish(client: &mut Client, id: &str) {
    ask(client, &format!("<publish node='news'><item id='{id}'><e xmlns='urn:e'/></item></publish>"));
}

fn items(message: &Element) -> Vec<String> {
    let items = message.child("event", EVENT).and_then(|event| event.child("items", EVENT));
    let ids = items.into_iter().flat_map(|items| items.children_named("item", EVENT));
    ids.filter_map(|item| item.attr("id").map(str::to_owned)).collect()
}

fn verona() -> Server {
    let server = Server::start();
    server.add_user("juliet");
    server.add_user("romeo");
    server
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
        let (mut romeo, mut juliet) = (server.log_in("romeo", "garden"), server.log_in("juliet", "balcony"));
        let style = form(&[("notification_type", "normal")]);
        ask(&mut romeo, &format!("<create node='news'/><configure>{style}</configure>"));
        let digest = form(&[("digest", "1"), ("digest_frequency", "2000")]);
        let jid = user("juliet");
        ask(&mut juliet, &format!("<subscribe node='news' jid='{jid}'/><options>{digest}</options>"));
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
            told.extend(items(&juliet.find(|stanza| !items(stanza).is_empty())));
        }
        // It comes by itself: nobody has published anything since.
        assert!(told.len() <= 2, "{told:?}");
    }
}

#[test]
fn a_service_sees_the_presence_of_those_for_whom_it_matters() {
    let mut server = verona();
    let (mut romeo, mut juliet) = (server.log_in("romeo", "garden"), server.log_in("juliet", "balcony"));
    juliet.send("<presence/>");
    ask(&mut romeo, "<create node='news'/>");
    let (jid, chat) = (user("juliet"), form(&[("show-values", "chat")]));
    ask(&mut juliet, &format!("<subscribe node='news' jid='{jid}'/><options>{chat}</options>"));
    let asked = |stanza: &Element| stanza.attr("type") == Some("subscribe") && stanza.attr("from") == Some(&service());
    juliet.find(asked);
    juliet.send(format!("<presence type='subscribed' to='{}'/><presence><show>dnd</show></presence>", service()));
    juliet.settle();
    publish(&mut romeo, "unheard");
    juliet.send("<presence><show>chat</show></presence>");
    juliet.settle();
    publish(&mut romeo, "heard");
    assert_eq!(items(&juliet.find(|stanza| !items(stanza).is_empty())), ["heard"]);

    server.kill9();
    server.restart();
    let (mut romeo, mut juliet) = (server.log_in("romeo", "garden"), server.log_in("juliet", "balcony"));
    publish(&mut romeo, "nobody is there");
    juliet.send("<presence><show>chat</show></presence>");
    juliet.settle();
    publish(&mut romeo, "heard again");
    assert_eq!(items(&juliet.find(|stanza| !items(stanza).is_empty())), ["heard again"]);
}

#[test]
fn a_temporary_subscription_ends_with_the_session() {
    let server = verona();
    let (mut romeo, mut juliet) = (server.log_in("romeo", "garden"), server.log_in("juliet", "balcony"));
    juliet.send("<presence/>");
    ask(&mut romeo, "<create node='news'/>");
    let (jid, temporary) = (user("juliet"), form(&[("expire", "presence")]));
    ask(&mut juliet, &format!("<subscribe node='news' jid='{jid}'/><options>{temporary}</options>"));
    juliet.find(|stanza| stanza.attr("type") == Some("subscribe"));
    juliet.send(format!("<presence type='subscribed' to='{}'/>", service()));
    juliet.settle();
    publish(&mut romeo, "heard");
    assert_eq!(items(&juliet.find(|stanza| !items(stanza).is_empty())), ["heard"]);
    juliet.leave();
    let mut juliet = server.log_in("juliet", "balcony");
    let own = juliet.iq("get", Some(&service()), &format!("<pubsub xmlns='{PUBSUB}'><subscriptions/></pubsub>"));
    let own = own.child("pubsub", PUBSUB).and_then(|pubsub| pubsub.child("subscriptions", PUBSUB)).unwrap();
    assert_eq!(own.children().count(), 0, "{own:?}");
}
