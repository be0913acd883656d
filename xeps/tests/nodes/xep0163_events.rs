//! Personal eventing (XEP-0163): who is told of what an account publishes, and when.

use crate::stage::{self, BALCONY, NS, ORCHARD, TUNE};
use base64::Engine;
use sha1::{Digest, Sha1};
use xeps::testing::World;

const CHAMBER: &str = "juliet@example.org/chamber";

/// With both of her devices.
fn verona() -> World {
    stage::verona().with_session(CHAMBER)
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
fn occupants_of_a_room_are_nobodys_clients() {
    let mut world = verona();
    world.sends_presence(BALCONY, &presence("", &[TUNE]));
    assert!(answers(&mut world, BALCONY, &[TUNE]));
    publish(&mut world, BALCONY, TUNE, "first");
    let open = world.asks(
        BALCONY,
        &format!(
            "<iq type='set' id='c'><pubsub xmlns='{NS}#owner'><configure node='{TUNE}'><x xmlns='jabber:x:data' type='submit'>
             <field var='pubsub#access_model'><value>open</value></field></x></configure></pubsub></iq>"
        ),
    );
    assert!(open.contains("type='result'"), "{open}");
    let stranger = presence("from='tybalt@example.net/x' to='juliet@example.org'", &[TUNE]);
    world.presence_comes(&stranger);
    let occupant = stranger.replace("tybalt@example.net/x", "coven@muc.example.net/tybalt");
    let x =
        "<x xmlns='http://jabber.org/protocol/muc#user'><item affiliation='none' role='participant'/></x></presence>";
    world.presence_comes(&occupant.replace("</presence>", x));
    world.acts();
    publish(&mut world, BALCONY, TUNE, "second");
    assert_eq!(events(&mut world), [format!("{BALCONY} second"), "tybalt@example.net/x second".to_owned()]);
}

#[test]
fn what_was_published_before_the_answer_came_is_the_last_item() {
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
}

#[test]
fn a_contact_that_becomes_available_gets_the_last_item_once_also_of_an_account_that_is_asleep() {
    let mut world = verona();
    publish(&mut world, BALCONY, TUNE, "first");
    world.leaves(BALCONY);
    world.leaves(CHAMBER);
    world.falls_asleep("juliet@example.org");
    world.acts();
    let addresses = "from='romeo@example.net/orchard' to='juliet@example.org'";
    let probe = format!("<presence type='probe' {addresses}/>");
    world.presence_is_missed(&presence(addresses, &[TUNE]));
    world.presence_comes(&probe);
    assert!(answers(&mut world, ORCHARD, &[TUNE]));
    assert_eq!(events(&mut world), [format!("{ORCHARD} first")]);
    // What is known is not asked again, and what was away is not greeted.
    world.falls_asleep("juliet@example.org");
    world.presence_is_missed(&presence("from='romeo@example.net/garden' to='juliet@example.org'", &[TUNE]));
    assert_eq!(events(&mut world), Vec::<String>::new());
    world.presence_comes("<presence type='probe' from='romeo@example.net/garden' to='juliet@example.org'/>");
    assert_eq!(events(&mut world), ["romeo@example.net/garden first"]);
    // A stranger's probe brings nothing.
    world.presence_is_missed(&presence("from='tybalt@example.net/x' to='juliet@example.org'", &[TUNE]));
    world.presence_comes("<presence type='probe' from='tybalt@example.net/x' to='juliet@example.org'/>");
    assert_eq!(events(&mut world), Vec::<String>::new());
}

const ADDRESSES: &str = "from='romeo@example.net/orchard' to='juliet@example.org'";

fn probe(world: &mut World) {
    world.presence_comes(&format!("<presence type='probe' {ADDRESSES}/>"));
}

/// What Romeo's client is told because it has come, whose server says so in this order.
fn comes(world: &mut World, probe_first: bool) -> Vec<String> {
    if probe_first {
        probe(world);
    }
    world.presence_comes(&presence(ADDRESSES, &[TUNE]));
    if !probe_first {
        probe(world);
    }
    events(world)
}

#[test]
fn a_contact_that_comes_gets_the_last_item_once_whatever_its_server_sends_first() {
    let mut world = verona();
    publish(&mut world, BALCONY, TUNE, "first");
    world.acts();
    world.presence_comes(&presence(ADDRESSES, &[TUNE]));
    assert!(answers(&mut world, ORCHARD, &[TUNE]));
    assert_eq!(events(&mut world), [format!("{ORCHARD} first")]);
    for probe_first in [true, false] {
        world.presence_comes(&format!("<presence type='unavailable' {ADDRESSES}/>"));
        assert_eq!(comes(&mut world, probe_first), [format!("{ORCHARD} first")]);
        world.presence_comes(&presence(ADDRESSES, &[TUNE]));
        assert_eq!(events(&mut world), [""; 0], "it has been there before");
    }
    // So it has when the account comes and asks who is there.
    for session in [BALCONY, CHAMBER] {
        world.leaves(session);
    }
    world.falls_asleep("juliet@example.org");
    world.acts();
    world.presence_comes(&presence(ADDRESSES, &[TUNE]));
    assert_eq!(events(&mut world), [""; 0]);
    // It was away in between, and nobody was told.
    world.wait(std::time::Duration::from_secs(60));
    probe(&mut world);
    assert_eq!(events(&mut world), [format!("{ORCHARD} first")]);
}

#[test]
fn an_account_that_is_asleep_is_woken_for_a_client_that_asked_before_it_said_what_it_is() {
    let mut world = verona();
    publish(&mut world, BALCONY, TUNE, "first");
    world.acts();
    world.presence_comes(&presence(ADDRESSES, &[TUNE]));
    assert!(answers(&mut world, ORCHARD, &[TUNE]));
    for session in [BALCONY, CHAMBER] {
        world.leaves(session);
    }
    world.falls_asleep("juliet@example.org");
    world.acts();
    // Another client of his, which nobody has seen.
    let garden = |xml: &str| xml.replace("orchard", "garden");
    let shows = garden(&presence(ADDRESSES, &[TUNE]));
    assert!(!world.presence_is_missed(&garden(&presence(ADDRESSES, &[TUNE]).replace("romeo", "tybalt"))));
    world.presence_comes(&garden(&format!("<presence type='probe' {ADDRESSES}/>")));
    assert_eq!(events(&mut world), [""; 0], "it has not said what it wants");
    assert!(world.presence_is_missed(&shows));
    world.presence_comes(&shows);
    assert_eq!(events(&mut world), ["romeo@example.net/garden first"]);
    assert!(!world.presence_is_missed(&shows), "once");
}

#[test]
fn who_may_see_the_account_from_now_on_gets_the_last_item() {
    let mut world = verona();
    publish(&mut world, BALCONY, TUNE, "first");
    let tybalt = "tybalt@example.net/street";
    world.presence_comes(&presence("from='tybalt@example.net/street' to='juliet@example.org'", &[TUNE]));
    assert!(!answers(&mut world, tybalt, &[TUNE]), "a stranger is not asked");
    world.sends_presence(BALCONY, "<presence type='subscribed' to='tybalt@example.net'/>");
    assert!(!answers(&mut world, tybalt, &[TUNE]), "he has not asked for it");
    world.presence_comes("<presence type='subscribe' from='tybalt@example.net' to='juliet@example.org'/>");
    assert!(answers(&mut world, tybalt, &[TUNE]));
    assert_eq!(events(&mut world), [format!("{tybalt} first")]);
    // So does who may see it again.
    for (verb, told) in [("unsubscribed", vec![]), ("subscribed", vec![]), ("", vec![format!("{tybalt} first")])] {
        match verb {
            "" => {
                world.presence_comes("<presence type='subscribe' from='tybalt@example.net' to='juliet@example.org'/>");
            }
            verb => world.sends_presence(BALCONY, &format!("<presence type='{verb}' to='tybalt@example.net'/>")),
        }
        assert_eq!(events(&mut world), told, "{verb}");
    }
}

#[test]
fn who_comes_into_a_group_gets_the_last_item_of_what_is_for_that_group() {
    let mut world = verona();
    world.presence_comes(&presence(ADDRESSES, &[TUNE, "urn:x:open"]));
    assert!(answers(&mut world, ORCHARD, &[TUNE, "urn:x:open"]));
    for (node, fields) in
        [(TUNE, "access_model=roster roster_groups_allowed=Lovers"), ("urn:x:open", "access_model=open")]
    {
        let form = stage::form_of("publish-options", fields);
        let item = format!("<item id='first'><tune xmlns='{TUNE}'/></item>");
        let publish = format!("<publish node='{node}'>{item}</publish><publish-options>{form}</publish-options>");
        let answer =
            world.asks(BALCONY, &format!("<iq type='set' id='p'><pubsub xmlns='{NS}'>{publish}</pubsub></iq>"));
        assert!(answer.contains("type='result'"), "{answer}");
    }
    assert_eq!(events(&mut world), [format!("{ORCHARD} first")], "the open one");
    let mut moves = |group: &str| {
        let item = format!("<item jid='romeo@example.net'><group>{group}</group></item>");
        world.asks(BALCONY, &format!("<iq type='set' id='r'><query xmlns='jabber:iq:roster'>{item}</query></iq>"));
        events(&mut world)
    };
    assert_eq!(moves("Montagues"), [""; 0]);
    assert_eq!(moves("Lovers"), [format!("{ORCHARD} first")]);
    assert_eq!(moves("Lovers"), [""; 0]);
}

#[test]
fn who_gets_at_a_node_because_it_is_configured_anew_gets_the_last_item() {
    let mut world = verona();
    world.presence_comes(&presence(ADDRESSES, &[TUNE]));
    assert!(answers(&mut world, ORCHARD, &[TUNE]));
    publish(&mut world, BALCONY, TUNE, "first");
    assert_eq!(events(&mut world), [format!("{ORCHARD} first")]);
    let mut configures = |fields: &str| {
        let form = stage::form_of("node_config", fields);
        let owner = stage::OWNER;
        let configure = format!("<pubsub xmlns='{owner}'><configure node='{TUNE}'>{form}</configure></pubsub>");
        let answer = world.asks(BALCONY, &format!("<iq type='set' id='c'>{configure}</iq>"));
        assert!(answer.contains("type='result'"), "{answer}");
        events(&mut world)
    };
    assert_eq!(configures("access_model=whitelist"), [""; 0]);
    assert_eq!(configures("title=Tunes"), [""; 0]);
    assert_eq!(configures("access_model=roster roster_groups_allowed=Lovers"), [""; 0], "he is in no group");
    assert_eq!(configures("access_model=presence"), [format!("{ORCHARD} first")]);
    assert_eq!(configures("access_model=open"), [""; 0], "he could see it before");
    assert_eq!(configures("access_model=whitelist send_last_published_item=never"), [""; 0]);
    assert_eq!(configures("access_model=open"), [""; 0], "it is not what the node does");
}

#[test]
fn an_answer_that_is_not_what_was_announced_is_not_believed() {
    let mut world = verona();
    publish(&mut world, BALCONY, TUNE, "first");
    world.acts();
    world.presence_comes(&presence("from='romeo@example.net/orchard' to='juliet@example.org'", &[TUNE]));
    assert!(answers(&mut world, ORCHARD, &[TUNE, "urn:x:other"]));
    publish(&mut world, BALCONY, TUNE, "second");
    assert_eq!(events(&mut world), Vec::<String>::new());
}

#[test]
fn contacts_are_told_which_device_has_published() {
    let mut world = verona();
    world.presence_comes(&presence("from='romeo@example.net/orchard' to='juliet@example.org'", &[TUNE]));
    assert!(answers(&mut world, ORCHARD, &[TUNE]));
    publish(&mut world, BALCONY, TUNE, "first");
    let told = world.acts().into_iter().find(|act| act.contains("<message")).unwrap();
    assert!(told.contains("<address jid='juliet@example.org/balcony' type='replyto'/>"), "{told}");
}

#[test]
fn avatars_go_from_nodes_to_the_card_and_back_and_into_presence() {
    const PIXEL: &str = "iVBORw0KGgo=";
    const HASH: &str = "4caece539b039b16e16206ea2478f8c5ffb2ca05";
    let mut world = verona();
    let card = format!(
        "<vCard xmlns='vcard-temp'><FN>Juliet</FN><PHOTO><TYPE>image/png</TYPE><BINVAL>{PIXEL}</BINVAL></PHOTO></vCard>"
    );
    world.asks(BALCONY, &format!("<iq type='set' id='1'>{card}</iq>"));
    let items = |node: &str| format!("<iq type='get' id='2'><pubsub xmlns='{NS}'><items node='{node}'/></pubsub></iq>");
    let metadata = world.asks(BALCONY, &items("urn:xmpp:avatar:metadata"));
    assert!(metadata.contains(&format!("<info bytes='8' id='{HASH}' type='image/png'/>")), "{metadata}");
    assert!(world.asks(BALCONY, &items("urn:xmpp:avatar:data")).contains(PIXEL));
    world.acts();
    world.sends_presence(BALCONY, "<presence/>");
    let shown = format!("<x xmlns='vcard-temp:x:update'><photo>{HASH}</photo></x>");
    assert!(world.acts().iter().any(|act| act.contains("to='romeo@example.net'") && act.contains(&shown)));
    // Another photo: who sees her is told without her client's doing (XEP-0153 section 3.1).
    world.asks(BALCONY, &format!("<iq type='set' id='1'>{}</iq>", card.replace(PIXEL, "iVBORw0KGgs=")));
    let told: Vec<String> = world.acts().into_iter().filter(|act| act.contains("<presence")).collect();
    assert_eq!(told.len(), 2, "her contact, and her own device: {told:#?}");
    assert!(
        told.iter().all(|act| act.contains("vcard-temp:x:update") && !act.contains(HASH) && !act.contains("delay"))
    );
    world.asks(BALCONY, &format!("<iq type='set' id='1'>{card}</iq>"));
    assert!(world.acts().iter().any(|act| act.contains("to='romeo@example.net'") && act.contains(&shown)));
    world.asks(BALCONY, &format!("<iq type='set' id='1'>{card}</iq>"));
    assert!(!world.acts().iter().any(|act| act.contains("<presence")), "the same photo is no news");
    // Switched off by metadata without a format (XEP-0084 section 4.2.4).
    let request = format!(
        "<iq type='set' id='3'><pubsub xmlns='{NS}'><publish node='urn:xmpp:avatar:metadata'><item>
         <metadata xmlns='urn:xmpp:avatar:metadata'/></item></publish></pubsub></iq>"
    );
    world.asks(BALCONY, &request);
    let shown = "<x xmlns='vcard-temp:x:update'><photo/></x>";
    assert!(world.acts().iter().any(|act| act.contains("to='romeo@example.net'") && act.contains(shown)));
    let card = world.asks(BALCONY, "<iq type='get' id='4'><vCard xmlns='vcard-temp'/></iq>");
    assert!(card.contains("<FN>Juliet</FN>") && !card.contains("PHOTO"), "{card}");
}

#[test]
fn bookmarks_of_three_generations_are_the_same() {
    let mut world = verona();
    let private = |kind: &str, rooms: &str| {
        format!(
            "<iq type='{kind}' id='1'><query xmlns='jabber:iq:private'><storage xmlns='storage:bookmarks'>{rooms}</storage></query></iq>"
        )
    };
    let items = |node: &str| format!("<iq type='get' id='2'><pubsub xmlns='{NS}'><items node='{node}'/></pubsub></iq>");
    let rooms = "<conference jid='play@muc.example.org' name='Play' autojoin='true'><nick>J</nick></conference><url name='P' url='http://x'/>";
    world.asks(BALCONY, &private("set", rooms));
    let native = world.asks(BALCONY, &items("urn:xmpp:bookmarks:1"));
    assert!(native.contains("<item id='play@muc.example.org'><conference xmlns='urn:xmpp:bookmarks:1' autojoin='true' name='Play'><nick>J</nick></conference></item>"), "{native}");
    assert!(world.asks(BALCONY, &items("storage:bookmarks")).contains("jid='play@muc.example.org'"));
    let publish = format!(
        "<iq type='set' id='3'><pubsub xmlns='{NS}'><publish node='urn:xmpp:bookmarks:1'><item id='den@muc.example.org'>
         <conference xmlns='urn:xmpp:bookmarks:1' name='Den'/></item></publish></pubsub></iq>"
    );
    world.asks(BALCONY, &publish);
    let stored = world.asks(BALCONY, &private("get", ""));
    assert!(stored.contains("jid='den@muc.example.org'") && stored.contains("jid='play@muc.example.org'"), "{stored}");
    assert!(stored.contains("<url "), "what is no room stays: {stored}");
    world.asks(BALCONY, &private("set", "<conference jid='den@muc.example.org' name='Den'/>"));
    let native = world.asks(BALCONY, &items("urn:xmpp:bookmarks:1"));
    assert!(!native.contains("play@muc") && native.contains("den@muc"), "{native}");
    let refused = world.asks(
        "romeo@example.net/orchard",
        &items("urn:xmpp:bookmarks:1").replace("<iq ", "<iq to='juliet@example.org' "),
    );
    assert!(refused.contains("closed-node"), "{refused}");
}

#[test]
fn many_who_follow_an_account_are_told_page_by_page_and_once() {
    let mut world = verona();
    let node = "urn:xmpp:microblog:0";
    let options = "<publish-options><x xmlns='jabber:x:data' type='submit'><field var='FORM_TYPE' type='hidden'><value>http://jabber.org/protocol/pubsub#publish-options</value></field><field var='pubsub#access_model'><value>open</value></field></x></publish-options>";
    let publish = |id: &str| {
        let item = format!("<item id='{id}'><entry xmlns='http://www.w3.org/2005/Atom'/></item>");
        format!(
            "<iq type='set' id='1'><pubsub xmlns='http://jabber.org/protocol/pubsub'><publish node='{node}'>{item}</publish>{options}</pubsub></iq>"
        )
    };
    world.asks(BALCONY, &publish("first"));
    for number in 0..2500 {
        let who = format!("reader{number}@example.com");
        let subscribe = format!("<subscribe node='{node}' jid='{who}'/>");
        let answer = world.asks(&format!("{who}/x"), &format!("<iq type='set' id='s' to='juliet@example.org'><pubsub xmlns='http://jabber.org/protocol/pubsub'>{subscribe}</pubsub></iq>"));
        assert!(answer.contains("type='result'"), "{answer}");
    }
    world.acts();
    world.asks(BALCONY, &publish("second"));
    let acts = world.acts();
    let pages: Vec<usize> = acts
        .split(|act| act.ends_with("goes on"))
        .map(|page| page.iter().filter(|act| act.contains("second")).count())
        .collect();
    assert_eq!(pages.iter().sum::<usize>(), 2500, "{pages:?}");
    assert!(pages.iter().all(|page| *page <= 1000), "{pages:?}");
}
