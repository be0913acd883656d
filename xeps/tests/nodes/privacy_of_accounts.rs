//! What people learn of an account by its nodes (XEP-0163) who are not meant to, and what they may do to others by theirs.

use crate::stage::{BALCONY, NS, ORCHARD, TUNE, verona};
use base64::Engine;
use sha1::{Digest, Sha1};
use xeps::testing::World;

const STREET: &str = "paris@example.com/street";

fn ask(world: &mut World, who: &str, to: &str, kind: &str, what: &str) -> String {
    world.asks(who, &format!("<iq type='{kind}' id='1' to='{to}'>{what}</iq>"))
}

fn publish(world: &mut World, who: &str, node: &str, item: &str, options: &[(&str, &str)]) -> String {
    let field = |(name, value): &(&str, &str)| format!("<field var='pubsub#{name}'><value>{value}</value></field>");
    let fields: String = options.iter().map(field).collect();
    let options = match fields.as_str() {
        "" => String::new(),
        fields => format!(
            "<publish-options><x xmlns='jabber:x:data' type='submit'><field var='FORM_TYPE' type='hidden'><value>{NS}#publish-options</value></field>{fields}</x></publish-options>"
        ),
    };
    let what = format!("<pubsub xmlns='{NS}'><publish node='{node}'>{item}</publish>{options}</pubsub>");
    ask(world, who, "juliet@example.org", "set", &what)
}

fn items(world: &mut World, who: &str, node: &str) -> String {
    ask(world, who, "juliet@example.org", "get", &format!("<pubsub xmlns='{NS}'><items node='{node}'/></pubsub>"))
}

fn room(name: &str) -> String {
    format!(
        "<item id='{name}@muc.example.org'><conference xmlns='urn:xmpp:bookmarks:1' name='{name}'><password>cauldron</password></conference></item>"
    )
}

/// The disco#info of a client that wants events of these nodes, and presence that announces it.
fn client(attributes: &str, nodes: &[&str]) -> (String, String) {
    let features: String = nodes.iter().map(|node| format!("<feature var='{node}+notify'/>")).collect();
    let info = format!(
        "<query xmlns='http://jabber.org/protocol/disco#info'><identity category='client' type='pc'/>{features}</query>"
    );
    let text: String = nodes.iter().map(|node| format!("{node}+notify<")).collect();
    let ver = base64::engine::general_purpose::STANDARD.encode(Sha1::digest(format!("client/pc//<{text}").as_bytes()));
    let presence = format!(
        "<presence {attributes}><c xmlns='http://jabber.org/protocol/caps' hash='sha-1' node='urn:x' ver='{ver}'/></presence>"
    );
    (info, presence)
}

/// Presence of a client for Juliet.
fn comes(world: &mut World, from: &str, nodes: &[&str]) {
    let (_, presence) = client(&format!("from='{from}' to='juliet@example.org'"), nodes);
    world.presence_comes(&presence);
}

/// Whom the account asks what it is, with the id of the question.
fn asked(world: &mut World) -> Option<(String, String)> {
    world.acts().into_iter().find_map(|act| {
        let stanza = xeps::testing::stanza(&act[act.find("<iq")?..]);
        Some((stanza.to?.to_string(), stanza.id?.to_string()))
    })
}

/// The events that somebody is sent.
fn told(acts: &[String], who: &str) -> Vec<String> {
    let to = format!("to='{who}'");
    acts.iter().filter(|act| act.contains("pubsub#event") && act.contains(&to)).cloned().collect()
}

#[test]
fn bookmarks_do_not_go_where_others_may_read_them() {
    let mut world = verona();
    let storage = "<item id='current'><storage xmlns='storage:bookmarks'/></item>";
    let answer = publish(&mut world, BALCONY, "storage:bookmarks", storage, &[("access_model", "open")]);
    assert!(answer.contains("type='result'"), "{answer}");
    let answer = publish(&mut world, BALCONY, "urn:xmpp:bookmarks:1", &room("coven"), &[]);
    assert!(answer.contains("type='result'"), "{answer}");
    let seen = items(&mut world, STREET, "storage:bookmarks");
    assert!(seen.contains("type='result'") && !seen.contains("coven"), "{seen}");
    assert!(!world.acts().iter().any(|act| act.contains("storage:bookmarks") && act.contains("coven")));
}

#[test]
fn what_are_no_bookmarks_at_their_node_leaves_the_bookmarks_alone() {
    let mut world = verona();
    publish(&mut world, BALCONY, "urn:xmpp:bookmarks:1", &room("coven"), &[]);
    let answer =
        publish(&mut world, BALCONY, "storage:bookmarks", "<item id='x'><note xmlns='urn:example:note'/></item>", &[]);
    assert!(answer.contains("type='result'"), "{answer}");
    assert!(items(&mut world, BALCONY, "urn:xmpp:bookmarks:1").contains("coven"));
    let piece = xeps::pieces::get(&world.store, "juliet@example.org", "note", "urn:example:note");
    assert_eq!(xeps::testing::now_or_never(piece).unwrap(), None, "nor is it stored as private XML");
}

#[test]
fn which_device_has_published_those_learn_who_see_its_presence() {
    let mut world = verona();
    let (info, _) = client("", &[TUNE]);
    comes(&mut world, ORCHARD, &[TUNE]);
    let (_, id) = asked(&mut world).unwrap();
    world.answer_comes(&format!("<iq type='result' from='{ORCHARD}' to='juliet@example.org' id='{id}'>{info}</iq>"));
    comes(&mut world, STREET, &[TUNE]);
    let item = |id: &str| format!("<item id='{id}'><tune xmlns='{TUNE}'/></item>");
    let open = [("access_model", "open"), ("publish_model", "open")];
    world.acts();
    publish(&mut world, BALCONY, TUNE, &item("one"), &open);
    let acts = world.acts();
    let (friend, stranger) = (told(&acts, ORCHARD), told(&acts, STREET));
    assert!(friend.len() == 1 && friend[0].contains("jid='juliet@example.org/balcony'"), "{friend:?}");
    assert!(stranger.len() == 1 && !stranger[0].contains("balcony"), "{stranger:?}");
    // A stranger publishes: Juliet's friends see her presence, and not his.
    let answer = publish(&mut world, STREET, TUNE, &item("two"), &[]);
    assert!(answer.contains("type='result'"), "{answer}");
    let acts = world.acts();
    let friend = told(&acts, ORCHARD);
    assert!(friend.len() == 1 && friend[0].contains("id='two'") && !friend[0].contains("street"), "{friend:?}");
}

#[test]
fn a_stranger_cannot_tell_whether_there_is_an_account() {
    let mut world = verona();
    let form = format!(
        "<x xmlns='jabber:x:data' type='submit'><field var='FORM_TYPE'><value>{NS}#node_config</value></field></x>"
    );
    let item = format!("<item id='1'><tune xmlns='{TUNE}'/></item>");
    for (kind, ns, what) in [
        ("get", "", "<subscriptions/>".to_owned()),
        ("get", "", "<affiliations/>".to_owned()),
        ("get", "", "<subscriptions node='n'/>".to_owned()),
        ("get", "", "<affiliations node='n'/>".to_owned()),
        ("get", "", "<default/>".to_owned()),
        ("get", "", "<items node='n'/>".to_owned()),
        ("get", "", "<items/>".to_owned()),
        ("get", "", "<options node='n' jid='paris@example.com'/>".to_owned()),
        ("set", "", format!("<publish node='n'>{item}</publish>")),
        ("set", "", "<create node='n'/>".to_owned()),
        ("set", "", "<create/>".to_owned()),
        ("set", "", "<subscribe node='n' jid='paris@example.com'/>".to_owned()),
        ("set", "", "<subscribe node='n' jid='juliet@example.org'/>".to_owned()),
        ("set", "", "<unsubscribe node='n' jid='paris@example.com'/>".to_owned()),
        ("set", "", "<retract node='n'><item id='1'/></retract>".to_owned()),
        ("get", "#owner", "<default/>".to_owned()),
        ("get", "#owner", "<configure node='n'/>".to_owned()),
        ("set", "#owner", format!("<configure node='n'>{form}</configure>")),
        ("set", "#owner", "<delete node='n'/>".to_owned()),
        ("set", "#owner", "<delete/>".to_owned()),
        ("set", "#owner", "<purge node='n'/>".to_owned()),
        ("set", "", "<nonsense/>".to_owned()),
    ] {
        let what = format!("<pubsub xmlns='{NS}{ns}'>{what}</pubsub>");
        let there = ask(&mut world, STREET, "juliet@example.org", kind, &what);
        let nowhere = ask(&mut world, STREET, "nobody@example.org", kind, &what);
        assert_eq!(there, nowhere.replace("nobody@", "juliet@"), "{what}");
    }
}

#[test]
fn strangers_take_no_contacts_place() {
    let mut world = verona();
    publish(
        &mut world,
        BALCONY,
        TUNE,
        &format!("<item id='0'><tune xmlns='{TUNE}'/></item>"),
        &[("access_model", "open")],
    );
    let (info, _) = client("", &[TUNE]);
    comes(&mut world, ORCHARD, &[TUNE]);
    let (_, id) = asked(&mut world).unwrap();
    world.answer_comes(&format!("<iq type='result' from='{ORCHARD}' to='juliet@example.org' id='{id}'>{info}</iq>"));
    world.presence_comes(&format!("<presence type='unavailable' from='{ORCHARD}' to='juliet@example.org'/>"));
    for number in 0..11_000 {
        comes(&mut world, &format!("x{number}@example.com/x"), &[TUNE]);
    }
    comes(&mut world, ORCHARD, &[TUNE]);
    world.acts();
    publish(&mut world, BALCONY, TUNE, &format!("<item id='1'><tune xmlns='{TUNE}'/></item>"), &[]);
    let acts = world.acts();
    assert_eq!(told(&acts, ORCHARD).len(), 1, "a contact is told, whoever else is there");
    let strangers = acts.iter().filter(|act| act.contains("@example.com/x'")).count();
    assert!((1..=200).contains(&strangers), "{strangers}");
}

#[test]
fn a_client_that_does_not_answer_is_in_nobodys_way() {
    let mut world = verona().with_subscriber("juliet@example.org", "paris@example.com");
    publish(&mut world, BALCONY, TUNE, &format!("<item id='0'><tune xmlns='{TUNE}'/></item>"), &[]);
    world.acts();
    // Paris claims to be what Romeo is, and is asked first.
    comes(&mut world, STREET, &[TUNE]);
    let (first, id) = asked(&mut world).unwrap();
    assert_eq!(first, STREET);
    comes(&mut world, ORCHARD, &[TUNE]);
    world.presence_comes(&format!("<presence type='probe' from='{ORCHARD}' to='juliet@example.org'/>"));
    assert_eq!(asked(&mut world), None, "one question is enough");
    let (lie, _) = client("", &["urn:x:other"]);
    world.answer_comes(&format!("<iq type='result' from='{STREET}' to='juliet@example.org' id='{id}'>{lie}</iq>"));
    let (second, id) = asked(&mut world).expect("the next one is asked");
    assert_eq!(second, ORCHARD);
    let (info, _) = client("", &[TUNE]);
    world.answer_comes(&format!("<iq type='result' from='{ORCHARD}' to='juliet@example.org' id='{id}'>{info}</iq>"));
    assert_eq!(told(&world.acts(), ORCHARD).len(), 1, "the last item");
    publish(&mut world, BALCONY, TUNE, &format!("<item id='1'><tune xmlns='{TUNE}'/></item>"), &[]);
    assert_eq!(told(&world.acts(), ORCHARD).len(), 1);
}

#[test]
fn a_published_avatar_is_in_the_card_for_those_who_may_see_it() {
    const PIXEL: &str = "iVBORw0KGgo=";
    const HASH: &str = "4caece539b039b16e16206ea2478f8c5ffb2ca05";
    let data = format!("<item id='{HASH}'><data xmlns='urn:xmpp:avatar:data'>{PIXEL}</data></item>");
    let metadata = format!(
        "<item id='{HASH}'><metadata xmlns='urn:xmpp:avatar:metadata'><info id='{HASH}' bytes='8' type='image/png'/></metadata></item>"
    );
    let seen = |world: &mut World, who: &str| {
        ask(world, who, "juliet@example.org", "get", "<vCard xmlns='vcard-temp'/>").contains(PIXEL)
    };
    for (model, friend, stranger) in
        [("presence", true, false), ("whitelist", false, false), ("open", true, true), ("", true, false)]
    {
        let mut world = verona();
        let options = [("access_model", model)];
        let options = if model.is_empty() { &[][..] } else { &options[..] };
        publish(&mut world, BALCONY, "urn:xmpp:avatar:data", &data, options);
        publish(&mut world, BALCONY, "urn:xmpp:avatar:metadata", &metadata, options);
        assert!(seen(&mut world, BALCONY), "{model}: her own");
        assert_eq!((seen(&mut world, ORCHARD), seen(&mut world, STREET)), (friend, stranger), "{model}");
        let nowhere = ask(&mut world, STREET, "nobody@example.org", "get", "<vCard xmlns='vcard-temp'/>");
        let there = ask(&mut world, STREET, "juliet@example.org", "get", "<vCard xmlns='vcard-temp'/>");
        assert_eq!(
            there == nowhere.replace("nobody@", "juliet@"),
            !stranger,
            "a card with nothing else is as good as none"
        );
    }
    // What she has put into the card herself is for everybody.
    let mut world = verona();
    let card = format!("<vCard xmlns='vcard-temp'><PHOTO><BINVAL>{PIXEL}</BINVAL></PHOTO></vCard>");
    ask(&mut world, BALCONY, "juliet@example.org", "set", &card);
    assert!(seen(&mut world, STREET));
}
