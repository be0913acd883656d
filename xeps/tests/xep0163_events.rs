//! Personal eventing (XEP-0163): who is told of what an account publishes, and when.

use base64::Engine;
use sha1::{Digest, Sha1};
use wire::datetime::Timestamp;
use xeps::testing::{World, payload};
use xeps::{Settings, features};

const BALCONY: &str = "juliet@example.org/balcony";
const CHAMBER: &str = "juliet@example.org/chamber";
const ORCHARD: &str = "romeo@example.net/orchard";
const NS: &str = "http://jabber.org/protocol/pubsub";
const TUNE: &str = "http://jabber.org/protocol/tune";

fn verona() -> World {
    World::new(features(Settings::new(Timestamp::UNIX_EPOCH)))
        .with_account("juliet", "secret")
        .with_session(BALCONY)
        .with_session(CHAMBER)
        .with_subscriber("juliet@example.org", "romeo@example.net")
}

/// The disco#info of a client that wants events of these nodes.
fn disco(nodes: &[&str]) -> String {
    let features: String = nodes.iter().map(|node| format!("<feature var='{node}+notify'/>")).collect();
    format!(
        "<query xmlns='http://jabber.org/protocol/disco#info'><identity category='client' type='pc'/>{features}</query>"
    )
}

/// Presence that announces it.
fn presence(attributes: &str, nodes: &[&str]) -> String {
    let mut nodes = nodes.to_vec();
    nodes.sort_unstable();
    let features: String = nodes.iter().map(|node| format!("{node}+notify<")).collect();
    let ver = Sha1::digest(format!("client/pc//<{features}").as_bytes());
    let ver = base64::engine::general_purpose::STANDARD.encode(ver);
    format!(
        "<presence {attributes}><c xmlns='http://jabber.org/protocol/caps' hash='sha-1' node='urn:x' ver='{ver}'/></presence>"
    )
}

fn publish(world: &mut World, who: &str, node: &str, item: &str) {
    let request = format!(
        "<iq type='set' id='p'><pubsub xmlns='{NS}'><publish node='{node}'><item id='{item}'>
         <tune xmlns='{TUNE}'><title>{item}</title></tune></item></publish></pubsub></iq>"
    );
    let answer = world.asks(who, &request);
    assert!(answer.contains("type='result'"), "{answer}");
}

/// Who is told of which items, such as `romeo@example.net/orchard first`, in order of who is told.
fn events(world: &mut World) -> Vec<String> {
    let mut told = Vec::new();
    for act in world.acts() {
        let Some(start) = act.find("<message") else { continue };
        let stanza = xeps::testing::stanza(&act[start..]);
        let Some(event) = stanza.child("event", "http://jabber.org/protocol/pubsub#event") else { continue };
        for thing in event.element().unwrap().children() {
            let items: Vec<&str> = thing.children().filter_map(|item| item.attr("id")).collect();
            told.push(format!("{} {}", stanza.to.as_ref().unwrap(), items.join(" ")));
        }
    }
    told.sort();
    told
}

/// Answers the question that an account has asked a client; false when it has not asked.
fn answers(world: &mut World, client: &str, nodes: &[&str]) -> bool {
    let question = world.acts().into_iter().find_map(|act| {
        let stanza = xeps::testing::stanza(&act[act.find("<iq")?..]);
        (stanza.to.as_ref()?.as_str() == client).then_some(stanza)
    });
    let Some(question) = question else { return false };
    let (id, to) = (question.id.unwrap(), question.from.unwrap());
    world.answer_comes(&format!("<iq type='result' from='{client}' to='{to}' id='{id}'>{}</iq>", disco(nodes)));
    true
}

#[test]
fn interested_devices_and_contacts_are_told_the_others_are_not() {
    let mut world = verona();
    world.sends_presence(BALCONY, &presence("", &[TUNE]));
    assert!(answers(&mut world, BALCONY, &[TUNE]));
    world.sends_presence(CHAMBER, "<presence/>");
    world.presence_comes(&presence("from='romeo@example.net/orchard' to='juliet@example.org'", &[TUNE]));
    world.presence_comes("<presence from='romeo@example.net/garden' to='juliet@example.org'/>");
    world.presence_comes(&presence("from='tybalt@example.net/x' to='juliet@example.org'", &[TUNE]));
    world.acts();
    publish(&mut world, BALCONY, TUNE, "first");
    assert_eq!(events(&mut world), [format!("{BALCONY} first"), format!("{ORCHARD} first")]);
}

#[test]
fn what_was_published_before_the_answer_came_is_the_last_item() {
    let mut world = verona();
    world.sends_presence(BALCONY, &presence("", &[TUNE]));
    let question = world.acts().into_iter().filter(|act| act.contains("disco#info")).count();
    assert_eq!(question, 1);
    let mut world = verona();
    publish(&mut world, BALCONY, TUNE, "first");
    let closed = world.asks(
        BALCONY,
        &format!(
            "<iq type='set' id='c'><pubsub xmlns='{NS}#owner'><configure node='{TUNE}'><x xmlns='jabber:x:data' type='submit'>
             <field var='pubsub#access_model'><value>whitelist</value></field></x></configure></pubsub></iq>"
        ),
    );
    assert!(closed.contains("type='result'"), "{closed}");
    world.acts();
    world.sends_presence(BALCONY, &presence("", &[TUNE]));
    let asked = world.acts();
    publish(&mut world, BALCONY, TUNE, "second");
    assert_eq!(events(&mut world), Vec::<String>::new());
    let id = asked.iter().find_map(|act| {
        let stanza = xeps::testing::stanza(&act[act.find("<iq")?..]);
        stanza.id
    });
    world.answer_comes(&format!(
        "<iq type='result' from='{BALCONY}' to='juliet@example.org' id='{}'>{}</iq>",
        id.unwrap(),
        disco(&[TUNE])
    ));
    assert_eq!(events(&mut world), [format!("{BALCONY} second")]);
    let _ = payload;
}
