//! Digests of a node's notifications (XEP-0060 section 16.4.2), at a service and at an account.

use crate::stage::{HAMLET, NS, OWNER, SERVICE, account, causes, form_of, publish_own, subscribe_own};
use std::time::Duration;
use xeps::testing::{Hosted, World};

const FRANCISCO: &str = "francisco@example.net/barracks";
const JID: &str = "francisco@example.net";
const HOUR: Duration = Duration::from_secs(3600);
/// Once in two hours.
const DIGEST: &str = "digest=1 digest_frequency=7200000";
const UNSUBSCRIBE: &str = "<unsubscribe node='musings' jid='francisco@example.net'/>";

/// A service with a node of Hamlet's, to which Francisco has subscribed; he is told of everything once in two hours.
fn service(fields: &str) -> Hosted {
    let mut service = crate::stage::service();
    creates(&mut service, "musings", fields);
    subscribes(&mut service, "musings", DIGEST);
    service
}

fn creates(service: &mut Hosted, node: &str, fields: &str) {
    let configure = format!("<configure>{}</configure>", form_of("node_config", fields));
    asks(service, HAMLET, NS, &format!("<create node='{node}'/>{configure}"));
}

fn subscribes(service: &mut Hosted, node: &str, options: &str) {
    let options = form_of("subscribe_options", options);
    asks(service, FRANCISCO, NS, &format!("<subscribe node='{node}' jid='{JID}'/><options>{options}</options>"));
}

fn chooses(service: &mut Hosted, options: &str) -> Vec<String> {
    let options = form_of("subscribe_options", options);
    asks(service, FRANCISCO, NS, &format!("<options node='musings' jid='{JID}'>{options}</options>"))
}

/// What a request causes besides its answer; a line each.
fn asks(service: &mut Hosted, who: &str, ns: &str, what: &str) -> Vec<String> {
    lines(&causes(service, who, ns, what))
}

fn publish(service: &mut Hosted, node: &str, id: &str) -> Vec<String> {
    publish_text(service, node, id, id)
}

fn publish_text(service: &mut Hosted, node: &str, id: &str, text: &str) -> Vec<String> {
    let item = format!("<item id='{id}'><entry xmlns='urn:entry'>{text}</entry></item>");
    asks(service, HAMLET, NS, &format!("<publish node='{node}'>{item}</publish>"))
}

fn retract(service: &mut Hosted, id: &str) {
    asks(service, HAMLET, NS, &format!("<retract node='musings'><item id='{id}'/></retract>"));
}

fn due(service: &mut Hosted) -> Vec<String> {
    lines(&service.keeps_appointments())
}

fn lines(sent: &[String]) -> Vec<String> {
    sent.iter().map(|stanza| line(stanza)).collect()
}

/// `francisco@example.net items musings: item one, item two`.
fn line(stanza: &str) -> String {
    let stanza = xeps::testing::stanza(stanza);
    let event = stanza.child("event", &format!("{NS}#event")).expect("it is an event").element().unwrap();
    let body = event.children().next().unwrap();
    let parts: Vec<String> =
        body.children().map(|child| format!("{} {}", child.name(), child.attr("id").unwrap_or_default())).collect();
    let node = body.attr("node").unwrap();
    let line = format!("{} {} {node}: {}", stanza.to.unwrap(), body.name(), parts.join(", "));
    line.trim_end_matches([' ', ':']).to_owned()
}

#[test]
fn several_notifications_are_told_at_once_when_the_time_has_come() {
    let mut service = service("access_model=open");
    for id in ["one", "two", "one", "three"] {
        assert_eq!(publish(&mut service, "musings", id), [""; 0]);
    }
    service.wait(HOUR);
    assert_eq!(due(&mut service), [""; 0]);
    service.wait(HOUR);
    assert_eq!(due(&mut service), ["francisco@example.net items musings: item two, item one, item three"]);
    assert_eq!(service.awake(), 0, "nothing stays in memory");

    publish(&mut service, "musings", "four");
    service.wait(HOUR);
    assert_eq!(due(&mut service), [""; 0], "never sooner than the last one and its time");
    service.wait(HOUR);
    assert_eq!(due(&mut service), ["francisco@example.net items musings: item four"]);
    service.wait(HOUR * 48);
    assert_eq!(due(&mut service), [""; 0], "nothing has happened");
}

#[test]
fn others_are_told_at_once() {
    let mut service = service("access_model=open");
    asks(&mut service, "bernardo@example.net/home", NS, "<subscribe node='musings' jid='bernardo@example.net'/>");
    assert_eq!(publish(&mut service, "musings", "one"), ["bernardo@example.net items musings: item one"]);
}

#[test]
fn a_digest_waits_for_a_day_unless_something_else_is_chosen() {
    let mut service = service("access_model=open");
    chooses(&mut service, "digest=1 digest_frequency=86400000");
    let question = format!(
        "<iq type='get' from='{FRANCISCO}' to='{SERVICE}' id='1'><pubsub xmlns='{NS}'><default node='musings'/></pubsub></iq>"
    );
    let default = service.receives(&question).remove(0);
    assert!(default.contains("var='pubsub#digest'") && default.contains("<value>86400000</value>"), "{default}");
    publish(&mut service, "musings", "one");
    service.wait(HOUR * 24 - Duration::from_millis(1));
    assert_eq!(due(&mut service), [""; 0]);
    service.wait(Duration::from_millis(1));
    assert_eq!(due(&mut service), ["francisco@example.net items musings: item one"]);
}

#[test]
fn what_is_gone_when_the_time_has_come_is_not_announced() {
    let mut service = service("access_model=open notify_retract=0 max_items=2 publish_node_full=discard-oldest");
    for id in ["one", "two", "three"] {
        publish(&mut service, "musings", id);
    }
    retract(&mut service, "two");
    service.wait(HOUR * 2);
    assert_eq!(due(&mut service), ["francisco@example.net items musings: item three"]);
    publish(&mut service, "musings", "four");
    retract(&mut service, "four");
    service.wait(HOUR * 2);
    assert_eq!(due(&mut service), [""; 0], "there is nothing to say");
    publish(&mut service, "musings", "five");
    service.wait(HOUR * 2);
    assert_eq!(due(&mut service), ["francisco@example.net items musings: item five"], "and it goes on");
}

#[test]
fn retractions_and_purges_are_told_as_far_as_they_say_something() {
    let mut service = service("access_model=open");
    publish(&mut service, "musings", "one");
    retract(&mut service, "one");
    publish(&mut service, "musings", "two");
    service.wait(HOUR * 2);
    let told = ["francisco@example.net items musings: retract one", "francisco@example.net items musings: item two"];
    assert_eq!(due(&mut service), told);
    asks(&mut service, HAMLET, OWNER, "<purge node='musings'/>");
    publish(&mut service, "musings", "three");
    service.wait(HOUR * 2);
    let told = ["francisco@example.net purge musings", "francisco@example.net items musings: item three"];
    assert_eq!(due(&mut service), told);
}

#[test]
fn who_has_gone_or_lost_access_is_told_nothing() {
    let mut service = service("access_model=open");
    publish(&mut service, "musings", "one");
    asks(&mut service, FRANCISCO, NS, UNSUBSCRIBE);
    service.wait(HOUR * 2);
    assert_eq!(due(&mut service), [""; 0]);

    subscribes(&mut service, "musings", DIGEST);
    publish(&mut service, "musings", "two");
    let banned =
        "<affiliations node='musings'><affiliation jid='francisco@example.net' affiliation='outcast'/></affiliations>";
    let told = asks(&mut service, HAMLET, OWNER, banned);
    assert_eq!(told, ["francisco@example.net subscription musings"]);
    service.wait(HOUR * 2);
    assert_eq!(due(&mut service), [""; 0]);
}

#[test]
fn who_wants_no_notifications_when_the_time_has_come_gets_none() {
    let mut service = service("access_model=open");
    publish(&mut service, "musings", "one");
    assert_eq!(chooses(&mut service, "deliver=0"), [""; 0]);
    service.wait(HOUR * 2);
    assert_eq!(due(&mut service), [""; 0]);
    chooses(&mut service, "deliver=1");
    publish(&mut service, "musings", "two");
    service.wait(HOUR * 2);
    assert_eq!(due(&mut service), ["francisco@example.net items musings: item two"]);
}

#[test]
fn who_wants_no_digest_any_more_is_told_at_once_what_has_waited() {
    let mut service = service("access_model=open");
    publish(&mut service, "musings", "one");
    publish(&mut service, "musings", "two");
    assert_eq!(chooses(&mut service, "digest=0"), ["francisco@example.net items musings: item one, item two"]);
    assert_eq!(publish(&mut service, "musings", "three"), ["francisco@example.net items musings: item three"]);
    service.wait(HOUR * 48);
    assert_eq!(due(&mut service), [""; 0]);
}

#[test]
fn that_a_node_is_deleted_is_told_at_once_and_nothing_else_of_it() {
    let mut service = service("access_model=open");
    publish(&mut service, "musings", "one");
    let told = asks(&mut service, HAMLET, OWNER, "<delete node='musings'/>");
    assert_eq!(told, ["francisco@example.net delete musings"]);
    service.wait(HOUR * 2);
    assert_eq!(due(&mut service), [""; 0]);
    asks(&mut service, HAMLET, NS, "<create node='musings'/>");
    subscribes(&mut service, "musings", "digest=1 digest_frequency=1000");
    publish(&mut service, "musings", "new");
    service.wait(HOUR * 2);
    assert_eq!(due(&mut service), ["francisco@example.net items musings: item new"]);
}

#[test]
fn what_nobody_keeps_is_told_as_it_was_published() {
    let mut service = service("access_model=open persist_items=0");
    publish(&mut service, "musings", "one");
    publish(&mut service, "musings", "two");
    service.wait(HOUR * 2);
    let sent = service.keeps_appointments();
    let [digest] = sent.as_slice() else { panic!("{sent:?}") };
    assert!(digest.contains("<entry xmlns='urn:entry'>one</entry>") && digest.contains(">two</entry>"), "{digest}");
}

#[test]
fn a_long_digest_goes_in_several_messages() {
    let mut service = service("access_model=open");
    let text = "x".repeat(60 << 10);
    for id in ["one", "two", "three", "four", "five"] {
        publish_text(&mut service, "musings", id, &text);
    }
    service.wait(HOUR * 2);
    let sent = service.keeps_appointments();
    assert!(sent.iter().all(|message| message.len() < 130 << 10));
    let expected = ["item one, item two", "item three, item four", "item five"];
    assert_eq!(lines(&sent), expected.map(|items| format!("francisco@example.net items musings: {items}")));
}

#[test]
fn subscribers_to_a_collection_have_digests_of_all_that_is_in_it() {
    let mut service = service("access_model=open");
    creates(&mut service, "blogs", "node_type=collection children=musings");
    creates(&mut service, "letters", "collection=blogs");
    asks(&mut service, FRANCISCO, NS, UNSUBSCRIBE);
    subscribes(&mut service, "blogs", &format!("{DIGEST} subscription_type=items"));
    for (node, id) in [("musings", "one"), ("letters", "a"), ("musings", "two")] {
        assert_eq!(publish(&mut service, node, id), [""; 0]);
    }
    service.wait(HOUR * 2);
    let sent = service.keeps_appointments();
    let header = "<header name='Collection'>blogs</header>";
    assert!(sent.iter().all(|message| message.contains(header)), "{sent:?}");
    let expected = ["musings: item one, item two", "letters: item a"];
    assert_eq!(lines(&sent), expected.map(|told| format!("francisco@example.net items {told}")));
}

#[test]
fn a_digest_says_for_which_of_several_subscriptions_it_is() {
    let mut service = service("access_model=open");
    let second = "<subscribe node='musings' jid='francisco@example.net'/>";
    asks(&mut service, FRANCISCO, NS, second);
    assert_eq!(publish(&mut service, "musings", "one"), ["francisco@example.net items musings: item one"]);
    service.wait(HOUR * 2);
    let sent = service.keeps_appointments();
    assert!(matches!(sent.as_slice(), [digest] if digest.contains("<header name='SubID'>")), "{sent:?}");
}

#[test]
fn only_so_much_is_kept() {
    let mut service = service("access_model=open max_items=max persist_items=0");
    for n in 0..1010 {
        publish(&mut service, "musings", &n.to_string());
    }
    service.wait(HOUR * 2);
    let told = due(&mut service);
    assert_eq!(told.len(), 1);
    assert!(told[0].starts_with("francisco@example.net items musings: item 10, item 11,"), "{}", &told[0][..80]);
    assert!(told[0].ends_with("item 1009"));
}

#[test]
fn an_account_that_sleeps_is_woken_for_a_digest() {
    let mut world = account();
    let publish = |world: &mut World, id: &str| publish_own(world, id, "access_model=open max_items=10");
    publish(&mut world, "zero");
    subscribe_own(&mut world, FRANCISCO, JID, DIGEST);
    world.acts();
    publish(&mut world, "one");
    publish(&mut world, "two");
    assert_eq!(world.acts(), [""; 0]);
    world.leaves(HAMLET);
    world.falls_asleep("hamlet@example.org");
    world.wait(HOUR * 2);
    world.acts();
    world.keeps_appointments();
    let acts = world.acts();
    let digest: Vec<&String> = acts.iter().filter(|act| act.contains("to='francisco@example.net'")).collect();
    assert!(
        matches!(digest.as_slice(), [digest] if digest.contains("id='one'") && digest.contains("id='two'")),
        "{acts:?}"
    );
    world.wait(HOUR * 48);
    world.keeps_appointments();
    assert_eq!(world.acts(), [""; 0]);
}
