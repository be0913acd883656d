//! Service discovery (XEP-0030): what the server and its accounts tell, and to whom.

use wire::datetime::Timestamp;
use wire::jid::Jid;
use xeps::disco::{Contacts, Service};
use xeps::testing::{World, canonical, payload};
use xeps::{Settings, features, form, info};

const ITEMS: &str = "http://jabber.org/protocol/disco#items";

/// Juliet and Romeo have accounts; Romeo may see Juliet's presence, Tybalt may not.
fn world() -> World {
    let mut settings = Settings::new(Timestamp::UNIX_EPOCH);
    settings.disco.services =
        vec![Service { jid: Jid::parse("rooms.example.org").unwrap(), name: Some("Rooms".to_owned()) }];
    settings.disco.contacts = Contacts { abuse: vec!["mailto:abuse@example.org".to_owned()], ..Contacts::default() };
    World::new(features(settings))
        .with_account("juliet", "secret")
        .with_account("romeo", "secret")
        .with_session("juliet@example.org/balcony")
        .with_session("romeo@example.org/orchard")
        .with_subscriber("juliet@example.org", "romeo@example.org")
}

fn get(to: &str, ns: &str) -> String {
    format!("<iq type='get' id='1' to='{to}'><query xmlns='{ns}'/></iq>")
}

fn has_error(answer: &str, condition: &str) -> bool {
    answer.contains("type='error'") && answer.contains(&format!("<{condition} "))
}

#[test]
fn the_server_names_itself_and_its_features() {
    let answer = world().asks("romeo@example.org/orchard", &get("example.org", info::NS));
    let query = payload(&answer);
    let identity = query.child("identity", info::NS).unwrap();
    assert_eq!((identity.attr("category"), identity.attr("type")), (Some("server"), Some("im")));
    let features: Vec<&str> = query.children_named("feature", info::NS).filter_map(|f| f.attr("var")).collect();
    for expected in [info::NS, ITEMS, "urn:xmpp:ping", "jabber:iq:version", "msgoffline", "vcard-temp"] {
        assert!(features.contains(&expected), "{expected} in {features:?}");
    }
    assert!(features.is_sorted(), "in order, once each");
}

#[test]
fn the_server_tells_whom_to_contact() {
    let answer = world().asks("romeo@example.org/orchard", &get("example.org", info::NS));
    let form = form::Form::parse(payload(&answer).child("x", form::NS).unwrap()).unwrap();
    assert_eq!(form.form_type(), Some("http://jabber.org/network/serverinfo"));
    assert_eq!(form.value("abuse-addresses"), Some("mailto:abuse@example.org"));
    assert_eq!(form.fields.len(), 2, "no empty fields");
}

#[test]
fn the_server_lists_its_services() {
    let answer = world().asks("tybalt@example.net/street", &get("example.org", ITEMS));
    let expected = "<iq type='result' id='1' from='example.org' to='tybalt@example.net/street'>
        <query xmlns='http://jabber.org/protocol/disco#items'><item jid='rooms.example.org' name='Rooms'/></query></iq>";
    assert_eq!(answer, canonical(expected));
}

#[test]
fn nobody_knows_an_unknown_node() {
    for ns in [info::NS, ITEMS] {
        for to in ["example.org", "romeo@example.org"] {
            let request = format!("<iq type='get' id='1' to='{to}'><query xmlns='{ns}' node='secrets'/></iq>");
            let answer = world().asks("romeo@example.org/orchard", &request);
            assert!(has_error(&answer, "item-not-found"), "{answer}");
        }
    }
}

#[test]
fn an_account_is_registered_and_tells_its_owner_what_it_can() {
    let answer = world().asks(
        "juliet@example.org/balcony",
        "<iq type='get' id='1'><query xmlns='http://jabber.org/protocol/disco#info'/></iq>",
    );
    let query = payload(&answer);
    let identity = query.child("identity", info::NS).unwrap();
    assert_eq!((identity.attr("category"), identity.attr("type")), (Some("account"), Some("registered")));
    assert!(query.children_named("feature", info::NS).any(|feature| feature.attr("var") == Some(info::NS)));
}

#[test]
fn who_may_see_juliets_presence_may_see_her_resources() {
    let mut world = world();
    world.becomes_available("juliet@example.org/balcony", 0);
    let answer = world.asks("romeo@example.org/orchard", &get("juliet@example.org", ITEMS));
    let expected = "<iq type='result' id='1' from='juliet@example.org' to='romeo@example.org/orchard'>
        <query xmlns='http://jabber.org/protocol/disco#items'><item jid='juliet@example.org/balcony'/></query></iq>";
    assert_eq!(answer, canonical(expected));
    let answer = world.asks("romeo@example.org/orchard", &get("juliet@example.org", info::NS));
    assert!(answer.contains("category='account'"), "{answer}");
}

#[test]
fn a_stranger_cannot_tell_an_account_from_none() {
    let mut world = world();
    world.becomes_available("juliet@example.org/balcony", 0);
    let mut ask = |user: &str, ns| {
        let answer = world.asks("tybalt@example.net/street", &get(user, ns));
        answer.replace(user, "somebody")
    };
    for ns in [info::NS, ITEMS] {
        assert_eq!(ask("juliet@example.org", ns), ask("rosaline@example.org", ns));
    }
    assert!(has_error(&ask("juliet@example.org", info::NS), "service-unavailable"));
    assert_eq!(
        ask("juliet@example.org", ITEMS),
        canonical(
            "<iq type='result' id='1' from='somebody' to='tybalt@example.net/street'>
            <query xmlns='http://jabber.org/protocol/disco#items'/></iq>"
        )
    );
}
