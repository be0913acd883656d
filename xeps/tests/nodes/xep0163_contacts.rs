//! Personal eventing (XEP-0163) and the roster: what becomes of a contact at the nodes of an account.

use crate::stage::{self, BALCONY, NS, ORCHARD, TUNE};
use base64::Engine;
use sha1::{Digest, Sha1};
use xeps::testing::{World, stanza};

const GARDEN: &str = "romeo@example.net/garden";
const ADDRESSES: &str = "to='juliet@example.org' from";

fn publish(world: &mut World, item: &str) {
    let item = format!("<item id='{item}'><tune xmlns='{TUNE}'/></item>");
    let request =
        format!("<iq type='set' id='p'><pubsub xmlns='{NS}'><publish node='{TUNE}'>{item}</publish></pubsub></iq>");
    assert!(world.asks(BALCONY, &request).contains("type='result'"));
}

fn subscribes(world: &mut World, jid: &str) {
    let subscribe = format!("<pubsub xmlns='{NS}'><subscribe node='{TUNE}' jid='{jid}'/></pubsub>");
    let answer = world.asks(ORCHARD, &format!("<iq type='set' id='s' to='juliet@example.org'>{subscribe}</iq>"));
    assert!(answer.contains("type='result'"), "{answer}");
}

/// Who has subscribed, as the owner is told.
fn subscribers(world: &mut World) -> Vec<String> {
    let list = format!("<pubsub xmlns='{NS}#owner'><subscriptions node='{TUNE}'/></pubsub>");
    let answer = world.asks(BALCONY, &format!("<iq type='get' id='o'>{list}</iq>"));
    let list = xeps::testing::payload(&answer).children().next().unwrap().clone();
    list.children().filter_map(|one| one.attr("jid")).map(str::to_owned).collect()
}

/// A client of Romeo's that wants to hear of tunes shows its presence, and has been asked what its hash means.
fn comes(world: &mut World, client: &str) {
    let info = format!("<identity category='client' type='pc'/><feature var='{TUNE}+notify'/>");
    let ver = Sha1::digest(format!("client/pc//<{TUNE}+notify<").as_bytes());
    let ver = base64::engine::general_purpose::STANDARD.encode(ver);
    let caps = format!("<c xmlns='http://jabber.org/protocol/caps' hash='sha-1' node='urn:x' ver='{ver}'/>");
    world.presence_comes(&format!("<presence {ADDRESSES}='{client}'>{caps}</presence>"));
    let mut acts = world.acts().into_iter();
    let question = acts.find_map(|act| act.find("<iq").map(|at| stanza(&act[at..])));
    if let Some((id, to)) = question.and_then(|question| Some((question.id?, question.from?))) {
        let query = format!("<query xmlns='http://jabber.org/protocol/disco#info'>{info}</query>");
        world.answer_comes(&format!("<iq type='result' from='{client}' to='{to}' id='{id}'>{query}</iq>"));
    }
}

/// Who was told of items, in order.
fn told(world: &mut World) -> Vec<String> {
    let mut told: Vec<String> = world
        .acts()
        .iter()
        .filter(|act| act.contains("<message") && act.contains("<items"))
        .filter_map(|act| stanza(&act[act.find("<message")?..]).to)
        .map(|to| to.to_string())
        .collect();
    told.sort();
    told
}

#[test]
fn who_loses_the_presence_of_an_account_loses_subscriptions_at_once() {
    for loss in [
        "<presence type='unsubscribed' to='romeo@example.net'/>",
        "<iq type='set' id='r'><query xmlns='jabber:iq:roster'><item jid='romeo@example.net' subscription='remove'/></query></iq>",
    ] {
        let mut world = stage::verona();
        publish(&mut world, "first");
        subscribes(&mut world, "romeo@example.net");
        subscribes(&mut world, ORCHARD);
        assert_eq!(subscribers(&mut world).len(), 2);
        match loss.starts_with("<iq") {
            true => drop(world.asks(BALCONY, loss)),
            false => world.sends_presence(BALCONY, loss),
        }
        assert_eq!(subscribers(&mut world), Vec::<String>::new(), "{loss}");
    }
}

#[test]
fn who_unsubscribes_from_presence_loses_subscriptions_as_well() {
    let mut world = stage::verona();
    publish(&mut world, "first");
    subscribes(&mut world, "romeo@example.net");
    world.presence_comes(&format!("<presence type='unsubscribe' {ADDRESSES}='romeo@example.net'/>"));
    assert_eq!(subscribers(&mut world), Vec::<String>::new());
}

#[test]
fn a_contact_in_another_group_keeps_what_is_open_to_all_contacts() {
    let mut world = stage::verona();
    publish(&mut world, "first");
    subscribes(&mut world, "romeo@example.net");
    let moved = "<item jid='romeo@example.net'><group>Servants</group></item>";
    world.asks(BALCONY, &format!("<iq type='set' id='r'><query xmlns='jabber:iq:roster'>{moved}</query></iq>"));
    assert_eq!(subscribers(&mut world), ["romeo@example.net"]);
}

/// Section 4.3.2.
#[test]
fn of_a_subscriber_who_is_there_the_interested_clients_are_told_and_otherwise_the_bare_address() {
    let mut world = stage::verona();
    publish(&mut world, "first");
    subscribes(&mut world, "romeo@example.net");
    publish(&mut world, "second");
    assert_eq!(told(&mut world), ["romeo@example.net", "romeo@example.net"], "the last item, and the new one");
    comes(&mut world, ORCHARD);
    comes(&mut world, GARDEN);
    world.presence_comes(&format!("<presence {ADDRESSES}='romeo@example.net/silent'/>"));
    world.acts();
    publish(&mut world, "third");
    assert_eq!(told(&mut world), [GARDEN, ORCHARD]);
}

/// XEP-0115 section 8.4. That a client is interested in something else is said by other capabilities.
#[test]
fn presence_that_leaves_out_capabilities_takes_nothing_back() {
    let mut world = stage::verona();
    comes(&mut world, ORCHARD);
    world.presence_comes(&format!("<presence {ADDRESSES}='{ORCHARD}'><show>away</show></presence>"));
    world.acts();
    publish(&mut world, "first");
    assert_eq!(told(&mut world), [ORCHARD]);
    world.presence_comes(&format!("<presence type='unavailable' {ADDRESSES}='{ORCHARD}'/>"));
    world.presence_comes(&format!("<presence {ADDRESSES}='{ORCHARD}'/>"));
    world.acts();
    publish(&mut world, "second");
    assert_eq!(told(&mut world), Vec::<String>::new(), "it has come again");
}

/// Section 4.3.4. A contact who has just allowed the account to see its presence does not probe for that of the account.
#[test]
fn who_has_just_shown_their_presence_gets_the_last_item_once() {
    let mut world = stage::verona();
    publish(&mut world, "first");
    world.sends_presence(BALCONY, "<presence type='subscribe' to='romeo@example.net'/>");
    world.presence_comes(&format!("<presence type='subscribed' {ADDRESSES}='romeo@example.net'/>"));
    world.acts();
    comes(&mut world, ORCHARD);
    assert_eq!(told(&mut world), [ORCHARD]);
    // One that is asked for nothing any more, as what it says is known; and that probes after all.
    comes(&mut world, GARDEN);
    world.presence_comes(&format!("<presence type='probe' {ADDRESSES}='{GARDEN}'/>"));
    comes(&mut world, ORCHARD);
    assert_eq!(told(&mut world), Vec::<String>::new(), "what came with its presence was taken by `comes`");
}

#[test]
fn who_may_see_presence_from_now_on_and_shows_it_already_is_asked_for_interests() {
    let mut world = stage::verona();
    publish(&mut world, "first");
    world.sends_presence(BALCONY, "<presence type='unsubscribed' to='romeo@example.net'/>");
    world.sends_presence(BALCONY, "<presence type='subscribe' to='romeo@example.net'/>");
    world.presence_comes(&format!("<presence type='subscribed' {ADDRESSES}='romeo@example.net'/>"));
    comes(&mut world, ORCHARD);
    assert_eq!(told(&mut world), Vec::<String>::new(), "it has no access");
    world.presence_comes(&format!("<presence type='subscribe' {ADDRESSES}='romeo@example.net'/>"));
    world.sends_presence(BALCONY, "<presence type='subscribed' to='romeo@example.net'/>");
    let mut acts = world.acts().into_iter();
    let question = acts.find_map(|act| act.find("<iq").map(|at| stanza(&act[at..]))).unwrap();
    assert_eq!(question.to.unwrap().as_str(), ORCHARD, "it was a stranger and was not asked what its hash means");
}
