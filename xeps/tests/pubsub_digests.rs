//! Digests of a node's notifications (XEP-0060 section 16.4.2), at a service and at an account.

use std::time::Duration;
use xeps::pubsub::{Config, PubSub};
use xeps::testing::{Hosted, World};

const SERVICE: &str = "pubsub.example.org";
const NS: &str = "http://jabber.org/protocol/pubsub";
const HAMLET: &str = "hamlet@example.org/elsinore";
const FRANCISCO: &str = "francisco@example.net/barracks";
const HOUR: Duration = Duration::from_secs(3600);

/// A service with a node of Hamlet's, to which Francisco has subscribed; he is told of everything once in two hours.
fn service(fields: &str) -> Hosted {
    let mut service = Hosted::new(Box::new(PubSub::new(&Config::default())));
    let configure = format!("<configure>{}</configure>", form("node_config", fields));
    asks(&mut service, HAMLET, "", &format!("<create node='musings'/>{configure}"));
    subscribes(&mut service, "musings", "digest=1 digest_frequency=7200000");
    service
}

fn subscribes(service: &mut Hosted, node: &str, options: &str) {
    let options = form("subscribe_options", options);
    let jid = FRANCISCO.split('/').next().unwrap();
    asks(service, FRANCISCO, "", &format!("<subscribe node='{node}' jid='{jid}'/><options>{options}</options>"));
}

fn chooses(service: &mut Hosted, options: &str) -> Vec<String> {
    let options = form("subscribe_options", options);
    let jid = FRANCISCO.split('/').next().unwrap();
    asks(service, FRANCISCO, "", &format!("<options node='musings' jid='{jid}'>{options}</options>"))
}

fn form(kind: &str, fields: &str) -> String {
    let field = |field: &str| {
        let (name, value) = field.split_once('=').unwrap();
        format!("<field var='pubsub#{name}'><value>{value}</value></field>")
    };
    let fields: String = fields.split_whitespace().map(field).collect();
    format!(
        "<x xmlns='jabber:x:data' type='submit'><field var='FORM_TYPE'><value>{NS}#{kind}</value></field>{fields}</x>"
    )
}

/// What is sent besides the answer, which is no error; a line each.
fn asks(service: &mut Hosted, who: &str, ns: &str, what: &str) -> Vec<String> {
    let request =
        format!("<iq type='set' from='{who}' to='{SERVICE}' id='1'><pubsub xmlns='{NS}{ns}'>{what}</pubsub></iq>");
    let mut sent = service.receives(&request);
    let answer = sent.remove(0);
    assert!(answer.contains("type='result'"), "{what}: {answer}");
    sent.iter().map(|stanza| line(stanza)).collect()
}

fn publish(service: &mut Hosted, node: &str, id: &str) -> Vec<String> {
    let item = format!("<item id='{id}'><entry xmlns='urn:entry'>{id}</entry></item>");
    asks(service, HAMLET, "", &format!("<publish node='{node}'>{item}</publish>"))
}

fn due(service: &mut Hosted) -> Vec<String> {
    service.keeps_appointments().iter().map(|stanza| line(stanza)).collect()
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
    asks(&mut service, "bernardo@example.net/home", "", "<subscribe node='musings' jid='bernardo@example.net'/>");
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
    asks(&mut service, HAMLET, "", "<retract node='musings'><item id='two'/></retract>");
    service.wait(HOUR * 2);
    assert_eq!(due(&mut service), ["francisco@example.net items musings: item three"]);
    publish(&mut service, "musings", "four");
    asks(&mut service, HAMLET, "", "<retract node='musings'><item id='four'/></retract>");
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
    asks(&mut service, HAMLET, "", "<retract node='musings'><item id='one'/></retract>");
    publish(&mut service, "musings", "two");
    service.wait(HOUR * 2);
    let told = ["francisco@example.net items musings: retract one", "francisco@example.net items musings: item two"];
    assert_eq!(due(&mut service), told);
    asks(&mut service, HAMLET, "#owner", "<purge node='musings'/>");
    publish(&mut service, "musings", "three");
    service.wait(HOUR * 2);
    let told = ["francisco@example.net purge musings", "francisco@example.net items musings: item three"];
    assert_eq!(due(&mut service), told);
}

#[test]
fn who_has_gone_or_lost_access_is_told_nothing() {
    let mut service = service("access_model=open");
    publish(&mut service, "musings", "one");
    let gone = "<unsubscribe node='musings' jid='francisco@example.net'/>";
    asks(&mut service, FRANCISCO, "", gone);
    service.wait(HOUR * 2);
    assert_eq!(due(&mut service), [""; 0]);

    subscribes(&mut service, "musings", "digest=1 digest_frequency=7200000");
    publish(&mut service, "musings", "two");
    let banned =
        "<affiliations node='musings'><affiliation jid='francisco@example.net' affiliation='outcast'/></affiliations>";
    let told = asks(&mut service, HAMLET, "#owner", banned);
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
    let told = asks(&mut service, HAMLET, "#owner", "<delete node='musings'/>");
    assert_eq!(told, ["francisco@example.net delete musings"]);
    service.wait(HOUR * 2);
    assert_eq!(due(&mut service), [""; 0]);
    asks(&mut service, HAMLET, "", "<create node='musings'/>");
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
        let item = format!("<item id='{id}'><entry xmlns='urn:entry'>{text}</entry></item>");
        asks(&mut service, HAMLET, "", &format!("<publish node='musings'>{item}</publish>"));
    }
    service.wait(HOUR * 2);
    let sent = service.keeps_appointments();
    assert!(sent.iter().all(|message| message.len() < 130 << 10));
    let told: Vec<String> = sent.iter().map(|message| line(message)).collect();
    let expected = ["item one, item two", "item three, item four", "item five"];
    assert_eq!(told, expected.map(|items| format!("francisco@example.net items musings: {items}")));
}

#[test]
fn subscribers_to_a_collection_have_digests_of_all_that_is_in_it() {
    let mut service = service("access_model=open");
    let collection = form("node_config", "node_type=collection children=musings");
    asks(&mut service, HAMLET, "", &format!("<create node='blogs'/><configure>{collection}</configure>"));
    let more = form("node_config", "collection=blogs");
    asks(&mut service, HAMLET, "", &format!("<create node='letters'/><configure>{more}</configure>"));
    asks(&mut service, FRANCISCO, "", "<unsubscribe node='musings' jid='francisco@example.net'/>");
    subscribes(&mut service, "blogs", "digest=1 digest_frequency=7200000 subscription_type=items");
    for (node, id) in [("musings", "one"), ("letters", "a"), ("musings", "two")] {
        assert_eq!(publish(&mut service, node, id), [""; 0]);
    }
    service.wait(HOUR * 2);
    let sent = service.keeps_appointments();
    let header = "<header name='Collection'>blogs</header>";
    assert!(sent.iter().all(|message| message.contains(header)), "{sent:?}");
    let told: Vec<String> = sent.iter().map(|message| line(message)).collect();
    let expected = ["musings: item one, item two", "letters: item a"];
    assert_eq!(told, expected.map(|told| format!("francisco@example.net items {told}")));
}

#[test]
fn a_digest_says_for_which_of_several_subscriptions_it_is() {
    let mut service = service("access_model=open");
    let second = "<subscribe node='musings' jid='francisco@example.net'/>";
    asks(&mut service, FRANCISCO, "", second);
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
    let features = xeps::features(xeps::Settings::new(wire::datetime::Timestamp::UNIX_EPOCH));
    let mut world = World::new(features).with_account("hamlet", "x").with_session(HAMLET);
    let open = form("publish-options", "access_model=open max_items=10");
    let publish = |id: &str| {
        format!(
            "<iq type='set' id='1'><pubsub xmlns='{NS}'><publish node='musings'><item id='{id}'><e xmlns='urn:e'/></item></publish><publish-options>{open}</publish-options></pubsub></iq>"
        )
    };
    world.asks(HAMLET, &publish("zero"));
    let options = form("subscribe_options", "digest=1 digest_frequency=7200000");
    let subscribe = format!(
        "<iq type='set' id='1' to='hamlet@example.org'><pubsub xmlns='{NS}'><subscribe node='musings' jid='francisco@example.net'/><options>{options}</options></pubsub></iq>"
    );
    let answer = world.asks(FRANCISCO, &subscribe);
    assert!(answer.contains("subscription='subscribed'"), "{answer}");
    world.acts();
    world.asks(HAMLET, &publish("one"));
    world.asks(HAMLET, &publish("two"));
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
