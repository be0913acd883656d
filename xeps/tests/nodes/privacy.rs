//! What people learn of nodes at a service who may not read them, and of those who own them.

use crate::stage::*;
use std::time::Duration;
use wire::datetime::Timestamp;
use xeps::store::{Batch, Expect, Key, Store};
use xeps::testing::{Hosted, World, now_or_never};
use xeps::{Settings, features};

const BERNARDO_BARE: &str = "bernardo@example.net";

fn subscriptions(service: &mut Hosted, node: &str) -> usize {
    let list = asks(service, FRANCISCO, "get", OWNER, &format!("<subscriptions node='{node}'/>")).remove(0);
    list.matches("<subscription ").count()
}

#[test]
fn a_closed_node_tells_nobody_who_was_there_before_even_if_the_server_was_killed_meanwhile() {
    let mut service = service();
    create(&mut service, "blog", &[("access_model", "open")]);
    subscribe(&mut service, BERNARDO, "blog", &[]);
    subscribe(&mut service, HAMLET, "blog", &[]);
    affiliate(&mut service, "blog", HAMLET, "member");
    let close = form("node_config", &[("access_model", "whitelist")]);
    service.is_killed_after(&format!(
        "<iq type='set' from='{FRANCISCO}' to='{SERVICE}' id='1'><pubsub xmlns='{OWNER}'><configure node='blog'>{close}</configure></pubsub></iq>"
    ));
    assert_eq!(subscriptions(&mut service, "blog"), 2, "nobody has lost it yet");
    let told = publish(&mut service, FRANCISCO, "blog", "secret");
    assert_eq!(
        told,
        ["result", "hamlet@example.org: items blog item secret", "bernardo@example.net: subscription blog"]
    );
    assert_eq!(subscriptions(&mut service, "blog"), 1);
}

#[test]
fn an_outcast_has_no_subscription_from_the_moment_on_that_it_is_one() {
    let mut service = service();
    create(&mut service, "blog", &[("access_model", "open")]);
    subscribe(&mut service, BERNARDO, "blog", &[]);
    let digest = [("digest", "1"), ("digest_frequency", "1000")];
    assert_eq!(
        brings(
            &mut service,
            BERNARDO,
            NS,
            &format!(
                "<subscribe node='blog' jid='{BERNARDO}'/><options>{}</options>",
                form("subscribe_options", &digest)
            )
        )[0],
        "result"
    );
    publish(&mut service, FRANCISCO, "blog", "one");
    let out =
        format!("<affiliations node='blog'><affiliation jid='{BERNARDO_BARE}' affiliation='outcast'/></affiliations>");
    let told = brings(&mut service, FRANCISCO, OWNER, &out);
    assert_eq!(
        told,
        ["result", "bernardo@example.net: subscription blog", "bernardo@example.net/home: subscription blog"]
    );
    assert_eq!(subscriptions(&mut service, "blog"), 0);
    assert_eq!(publish(&mut service, FRANCISCO, "blog", "two"), ["result"]);
    service.wait(Duration::from_secs(10));
    assert_eq!(service.keeps_appointments(), [""; 0], "nor does it wait for a digest");
    let own = asks(&mut service, BERNARDO, "get", NS, "<subscriptions/>").remove(0);
    assert!(!own.contains("<subscription "), "{own}");
}

/// Bernardo is in a group of Hamlet's roster and may see his presence.
fn befriends(service: &Hosted) {
    let mut world = World::new(features(Settings::new(Timestamp::UNIX_EPOCH)))
        .with_account("hamlet", "secret")
        .with_session(HAMLET)
        .with_subscriber("hamlet@example.org", BERNARDO_BARE);
    let item = format!("<item jid='{BERNARDO_BARE}'><group>Guards</group></item>");
    world.asks(HAMLET, &format!("<iq type='set' id='1'><query xmlns='jabber:iq:roster'>{item}</query></iq>"));
    let key = || Key::new("hamlet@example.org", "roster", BERNARDO_BARE);
    let contact = now_or_never(world.store.get(key())).unwrap().expect("he is in the roster");
    let mut batch = Batch::new();
    batch.put(key(), contact.value, Expect::Any);
    now_or_never(service.store.commit(batch)).unwrap();
}

#[test]
fn nobody_looks_into_somebody_elses_roster_by_making_it_an_owner() {
    let mut service = service();
    befriends(&service);
    creates(&mut service, HAMLET, "his", &[("access_model", "roster"), ("roster_groups_allowed", "Guards")]);
    assert_eq!(items(&mut service, BERNARDO, "his"), "", "a guard reads what he has made");
    create(&mut service, "trap", &[("access_model", "roster"), ("roster_groups_allowed", "Guards")]);
    affiliate(&mut service, "trap", HAMLET, "owner");
    assert_eq!(items(&mut service, BERNARDO, "trap"), "not-authorized not-in-roster-group");
    configure(&mut service, "trap", &[("access_model", "presence")]);
    assert_eq!(items(&mut service, BERNARDO, "trap"), "not-authorized presence-subscription-required");
}

#[test]
fn who_has_to_be_approved_knows_of_the_node_and_not_of_what_is_in_it() {
    let mut service = service();
    create(&mut service, "blog", &[("access_model", "authorize")]);
    publish(&mut service, FRANCISCO, "blog", "love-letter");
    let query = |form: &str| {
        format!(
            "<iq type='get' from='{BERNARDO}' to='{SERVICE}' id='1'>
             <query xmlns='http://jabber.org/protocol/disco#items' node='blog'>{form}</query></iq>"
        )
    };
    let tree = "<x xmlns='jabber:x:data' type='submit'><field var='FORM_TYPE'><value>urn:xmpp:pubsub-ext-disco:0</value></field></x>";
    assert_eq!(discovered(&mut service, BERNARDO), ["blog"]);
    for form in ["", tree] {
        let answer = service.receives(&query(form)).remove(0);
        assert!(answer.contains("type='result'") && !answer.contains("love-letter"), "{answer}");
    }
    affiliate(&mut service, "blog", BERNARDO, "publish-only");
    assert!(!service.receives(&query("")).remove(0).contains("love-letter"));
    affiliate(&mut service, "blog", BERNARDO, "none");
    subscribe(&mut service, BERNARDO, "blog", &[]);
    assert!(!service.receives(&query("")).remove(0).contains("love-letter"), "not yet");
    let allow = format!(
        "<subscriptions node='blog'><subscription jid='{BERNARDO_BARE}' subscription='subscribed'/></subscriptions>"
    );
    assert_eq!(brings(&mut service, FRANCISCO, OWNER, &allow)[0], "result");
    for form in ["", tree] {
        assert!(service.receives(&query(form)).remove(0).contains("love-letter"));
    }
}

#[test]
fn a_digest_of_a_collection_tells_only_what_is_still_in_it() {
    let mut service = service();
    create(&mut service, "all", &[("node_type", "collection"), ("access_model", "open")]);
    create(&mut service, "diary", &[("collection", "all"), ("access_model", "open")]);
    create(&mut service, "blog", &[("collection", "all"), ("access_model", "open")]);
    let digest = [("subscription_type", "items"), ("digest", "1"), ("digest_frequency", "1000")];
    subscribe(&mut service, BERNARDO, "all", &digest);
    publish(&mut service, FRANCISCO, "diary", "one");
    publish(&mut service, FRANCISCO, "blog", "two");
    // The one is deleted, and there is another of its name.
    delete(&mut service, "diary");
    create(&mut service, "diary", &[("access_model", "whitelist")]);
    publish(&mut service, FRANCISCO, "diary", "one");
    service.wait(Duration::from_secs(10));
    let told: Vec<String> = service.keeps_appointments().iter().map(|stanza| line(stanza)).collect();
    assert_eq!(told, ["bernardo@example.net: items blog item two"]);
    // The other is taken out.
    publish(&mut service, FRANCISCO, "blog", "three");
    configure(&mut service, "blog", &[("collection", ""), ("access_model", "whitelist")]);
    service.wait(Duration::from_secs(10));
    assert_eq!(service.keeps_appointments(), [""; 0]);
}
