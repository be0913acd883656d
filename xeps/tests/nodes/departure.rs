//! Items that go with who has published them (`pubsub#purge_offline`, XEP-0060 section 16.4.4), at a service and at an account.

use crate::stage::*;
use std::time::Duration;
use xeps::pubsub::{Config, PubSub};
use xeps::testing::Hosted;

const BERNARDO_BARE: &str = "bernardo@example.net";
const WATCH: &str = "bernardo@example.net/watch";
const OPEN: &[(&str, &str)] =
    &[("access_model", "open"), ("publish_model", "open"), ("purge_offline", "1"), ("max_items", "1000")];

/// A service with such a node, at which Bernardo has published twice and Francisco, who has never shown his presence, once.
fn watch_post() -> Hosted {
    let mut service = service();
    create(&mut service, "watch", OPEN);
    publish(&mut service, FRANCISCO, "watch", "kept");
    let told = asks(&mut service, BERNARDO, "set", NS, &publication("watch", "one"));
    assert!(matches!(told.as_slice(), [_, ask] if asked(ask)), "{told:?}");
    assert_eq!(publish(&mut service, BERNARDO, "watch", "two"), ["result"], "he has been asked");
    shows(&mut service, BERNARDO_BARE, "subscribed");
    shows(&mut service, BERNARDO, "");
    shows(&mut service, WATCH, "");
    service.wait(Duration::from_secs(1));
    service
}

fn publication(node: &str, id: &str) -> String {
    format!("<publish node='{node}'><item id='{id}'><e xmlns='urn:e'/></item></publish>")
}

/// Bernardo is asked for his presence.
fn asked(stanza: &str) -> bool {
    stanza.starts_with("<presence") && stanza.contains("type='subscribe'") && stanza.contains(BERNARDO_BARE)
}

/// Presence that comes from somewhere, and what it brings.
fn shows(service: &mut Hosted, from: &str, kind: &str) -> Vec<String> {
    let kind = if kind.is_empty() { String::new() } else { format!("type='{kind}'") };
    service.receives(&format!("<presence from='{from}' to='{SERVICE}' {kind}/>"))
}

#[test]
fn what_somebody_has_published_goes_when_its_last_client_does() {
    let mut service = watch_post();
    subscribe(&mut service, HAMLET, "watch", &[]);
    assert_eq!(shows(&mut service, BERNARDO, "unavailable"), [""; 0], "another client is there");
    assert_eq!(items(&mut service, HAMLET, "watch"), "kept one two");
    let told = shows(&mut service, WATCH, "unavailable");
    assert_eq!(
        told.iter().map(|stanza| line(stanza)).collect::<Vec<_>>(),
        ["hamlet@example.org: items watch retract one retract two"]
    );
    assert_eq!(items(&mut service, HAMLET, "watch"), "kept");

    shows(&mut service, WATCH, "");
    let told = asks(&mut service, WATCH, "set", NS, &publication("watch", "three"));
    assert!(!told.iter().any(|stanza| asked(stanza)), "once is enough: {told:?}");
    assert_eq!(items(&mut service, HAMLET, "watch"), "kept three");
    service.wait(Duration::from_secs(1));
    shows(&mut service, WATCH, "unavailable");
    assert_eq!(items(&mut service, HAMLET, "watch"), "kept", "each time");
    assert_eq!(service.awake(), 0);
}

#[test]
fn who_does_not_show_its_presence_has_not_gone() {
    let mut service = service();
    create(&mut service, "watch", OPEN);
    publish(&mut service, BERNARDO, "watch", "one");
    shows(&mut service, BERNARDO_BARE, "unsubscribed");
    assert_eq!(publish(&mut service, BERNARDO, "watch", "two"), ["result"], "he has said no");
    create(&mut service, "other", &[("access_model", "open"), ("publish_model", "open")]);
    publish(&mut service, BERNARDO, "other", "elsewhere");
    assert_eq!(items(&mut service, HAMLET, "watch"), "one two");
    assert_eq!(items(&mut service, HAMLET, "other"), "elsewhere");
}

/// More than a page of items, some of them by others.
#[test]
fn however_many_there_are_they_all_go() {
    let mut service = watch_post();
    for number in 0..150 {
        publish(&mut service, BERNARDO, "watch", &format!("b{number}"));
        publish(&mut service, FRANCISCO, "watch", &format!("f{number}"));
    }
    service.wait(Duration::from_secs(1));
    shows(&mut service, BERNARDO_BARE, "unavailable");
    let left = items(&mut service, HAMLET, "watch");
    assert_eq!(left.split(' ').count(), 151);
    assert!(left.split(' ').all(|id| id == "kept" || id.starts_with('f')), "{left}");
}

#[test]
fn an_owner_may_want_it_later_and_no_longer() {
    let mut service = service();
    create(&mut service, "watch", &[("access_model", "open"), ("publish_model", "open"), ("max_items", "10")]);
    assert_eq!(publish(&mut service, BERNARDO, "watch", "one"), ["result"], "nobody is asked for nothing");
    let what = format!("<configure node='watch'>{}</configure>", form("node_config", &[("purge_offline", "1")]));
    let told = asks(&mut service, FRANCISCO, "set", OWNER, &what);
    assert!(told.iter().any(|stanza| asked(stanza)), "{told:?}");
    shows(&mut service, BERNARDO_BARE, "subscribed");
    shows(&mut service, BERNARDO, "");
    service.wait(Duration::from_secs(1));
    configure(&mut service, "watch", &[("purge_offline", "0")]);
    let told = shows(&mut service, BERNARDO, "unavailable");
    assert_eq!(items(&mut service, HAMLET, "watch"), "one");
    assert!(matches!(told.as_slice(), [end] if end.contains("type='unsubscribe'")), "it matters no longer: {told:?}");
    configure(&mut service, "watch", &[("purge_offline", "1")]);
    shows(&mut service, BERNARDO_BARE, "subscribed");
    shows(&mut service, BERNARDO, "");
    service.wait(Duration::from_secs(1));
    shows(&mut service, BERNARDO, "unavailable");
    assert_eq!(items(&mut service, HAMLET, "watch"), "");
}

#[test]
fn a_restart_forgets_nobody_and_a_deleted_node_asks_for_nothing() {
    let mut service = watch_post();
    service.restarts_with(Box::new(PubSub::new(&Config::default())));
    let asked = service.starts(SERVICE);
    assert!(matches!(asked.as_slice(), [probe] if probe.contains("type='probe'")), "{asked:?}");
    shows(&mut service, BERNARDO_BARE, "unavailable");
    assert_eq!(items(&mut service, HAMLET, "watch"), "kept", "he has gone meanwhile");

    shows(&mut service, BERNARDO, "");
    delete(&mut service, "watch");
    let told = shows(&mut service, BERNARDO, "unavailable");
    assert!(matches!(told.as_slice(), [end] if end.contains("type='unsubscribe'")), "{told:?}");
}

/// The account's own devices, without anybody being asked for presence.
#[test]
fn an_account_that_goes_takes_its_items_along() {
    let mut world = account();
    let phone = "hamlet@example.org/phone";
    let mut world = {
        world.becomes_available(HAMLET, 0);
        world.with_session(phone)
    };
    world.becomes_available(phone, 0);
    let options = form("publish-options", &[("purge_offline", "1"), ("access_model", "open")]);
    let publish = format!(
        "<iq type='set' id='1'><pubsub xmlns='{NS}'>{}<publish-options>{options}</publish-options></pubsub></iq>",
        publication("mood", "glad")
    );
    let answer = world.asks(HAMLET, &publish);
    assert!(answer.contains("type='result'"), "{answer}");
    world.wait(Duration::from_secs(1));
    let ask = format!(
        "<iq type='get' id='2' to='hamlet@example.org'><pubsub xmlns='{NS}'><items node='mood'/></pubsub></iq>"
    );
    world.becomes_unavailable(HAMLET, "<presence type='unavailable'/>");
    assert!(world.asks(BERNARDO, &ask).contains("id='glad'"), "the telephone is there");
    world.leaves(phone);
    let answer = world.asks(BERNARDO, &ask);
    assert!(answer.contains("type='result'") && !answer.contains("id='glad'"), "{answer}");
}
