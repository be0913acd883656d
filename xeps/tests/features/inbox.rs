//! The inbox (XEP-0430): conversations by their last activity, and what of them is unread.

use std::time::Duration;
use wire::datetime::Timestamp;
use wire::xml::Element;
use xeps::archive::Retention;
use xeps::store::{LogQuery, Store};
use xeps::testing::{World, now_or_never, stanza};
use xeps::{Settings, features, mam};

const BALCONY: &str = "juliet@example.org/balcony";
const JULIET: &str = "juliet@example.org";
const NS: &str = "urn:xmpp:inbox:1";

fn world_with(settings: Settings) -> World {
    let world = World::new(features(settings)).with_account("juliet", "secret").with_account("nurse", "secret");
    let mut world = world.with_session(BALCONY).with_session("nurse@example.org/house");
    world.becomes_available(BALCONY, 0);
    world
}

fn world() -> World {
    world_with(Settings::new(Timestamp::UNIX_EPOCH))
}

fn hears(world: &mut World, from: &str, id: &str) {
    world.arrives(&format!("<message from='{from}' to='{JULIET}' type='chat' id='{id}'><body>{id}</body></message>"));
    world.wait(Duration::from_secs(1));
}

fn says(world: &mut World, to: &str, content: &str) {
    world.sends(BALCONY, &format!("<message to='{to}' type='chat' id='own'>{content}</message>")).unwrap();
    world.wait(Duration::from_secs(1));
}

/// What an inbox says: `jid unread message` of each entry, and the figures of `<fin/>` as `total unread all-unread`.
fn inbox(world: &mut World, attrs: &str, inside: &str) -> (Vec<String>, String) {
    world.acts();
    let answer =
        world.asks(BALCONY, &format!("<iq type='get' id='i'><inbox xmlns='{NS}' {attrs}>{inside}</inbox></iq>"));
    assert_eq!(answer, "", "the answer comes behind the entries");
    let mut told: Vec<Element> = world.acts().iter().map(|act| element(act)).collect();
    let fin = told.pop().unwrap().child("fin", NS).unwrap().clone();
    let attr = |element: &Element, name: &str| element.attr(name).unwrap().to_owned();
    let figures = ["total", "unread", "all-unread"].map(|name| attr(&fin, name)).join(" ");
    let line = |message: &Element| {
        let entry = message.child("entry", NS).unwrap();
        let result = message.child("result", "urn:xmpp:mam:2").map(|result| {
            assert_eq!(result.attr("queryid"), Some("i"));
            let forwarded = result.child("forwarded", "urn:xmpp:forward:0").unwrap();
            attr(forwarded.child("message", "jabber:client").unwrap(), "id")
        });
        format!("{} {} {}", attr(entry, "jid"), attr(entry, "unread"), result.unwrap_or_default()).trim_end().to_owned()
    };
    (told.iter().map(line).collect(), figures)
}

fn element(act: &str) -> Element {
    let xml = act.split_once(" gets ").unwrap().1;
    let scope = wire::stanza::content_scope();
    Element::parse(xml, scope, &wire::stanza::UNLIMITED).unwrap()
}

const ROMEO: &str = "romeo@example.net/orchard";
const NURSE: &str = "nurse@example.org/house";

#[test]
fn conversations_come_by_their_last_activity_with_what_is_unread() {
    let mut world = world();
    assert_eq!(inbox(&mut world, "", ""), (vec![], "0 0 0".to_owned()));
    hears(&mut world, ROMEO, "r1");
    hears(&mut world, NURSE, "n1");
    hears(&mut world, ROMEO, "r2");
    says(&mut world, "tybalt@example.net", "<body>Peace</body>");
    let expected = ["tybalt@example.net 0 own", "romeo@example.net 2 r2", "nurse@example.org 1 n1"];
    for _ in 0..2 {
        assert_eq!(inbox(&mut world, "", ""), (expected.map(str::to_owned).to_vec(), "3 2 3".to_owned()));
    }
    hears(&mut world, NURSE, "n2");
    let (entries, figures) = inbox(&mut world, "unread-only='true' messages='0'", "");
    assert_eq!(
        (entries, figures),
        (vec!["nurse@example.org 2".to_owned(), "romeo@example.net 2".to_owned()], "3 2 4".to_owned())
    );
}

#[test]
fn an_entry_carries_the_last_id_of_the_archive() {
    let mut world = world();
    hears(&mut world, ROMEO, "r1");
    says(&mut world, "romeo@example.net", "<displayed xmlns='urn:xmpp:chat-markers:0' id='r1'/>");
    let ids: Vec<_> = now_or_never(world.store.read(mam::log(JULIET), LogQuery::forward(9))).unwrap();
    world.acts();
    world.asks(BALCONY, &format!("<iq type='get' id='i'><inbox xmlns='{NS}'/></iq>"));
    let told = element(&world.acts()[0]);
    assert_eq!(
        told.child("entry", NS).unwrap().attr("id"),
        Some(world.host.ids.of(ids[1].seq).as_str()),
        "the marker's"
    );
    let result = told.child("result", "urn:xmpp:mam:2").unwrap();
    assert_eq!(result.attr("id"), Some(world.host.ids.of(ids[0].seq).as_str()), "the message's");
}

#[test]
fn what_is_marked_or_answered_is_read() {
    let mut world = world();
    let unread = |world: &mut World| inbox(world, "", "").1;
    for id in ["r1", "r2", "r3", "r4"] {
        hears(&mut world, ROMEO, id);
    }
    says(&mut world, "romeo@example.net", "<received xmlns='urn:xmpp:receipts' id='r4'/>");
    assert_eq!(unread(&mut world), "1 1 4");
    says(&mut world, "romeo@example.net", "<displayed xmlns='urn:xmpp:chat-markers:0' id='r2'/>");
    assert_eq!(unread(&mut world), "1 1 2");
    says(&mut world, "romeo@example.net", "<displayed xmlns='urn:xmpp:chat-markers:0' id='r1'/>");
    says(&mut world, "romeo@example.net", "<displayed xmlns='urn:xmpp:chat-markers:0' id='nothing'/>");
    assert_eq!(unread(&mut world), "1 1 2", "what was read stays so");
    says(&mut world, "romeo@example.net", "<acknowledged xmlns='urn:xmpp:chat-markers:0' id='r3'/>");
    assert_eq!(unread(&mut world), "1 1 1");
    says(&mut world, "romeo@example.net", "<body>Ay me!</body>");
    assert_eq!(unread(&mut world), "1 0 0");
    hears(&mut world, ROMEO, "r5");
    assert_eq!(unread(&mut world), "1 1 1");
}

#[test]
fn what_another_client_has_shown_is_read() {
    let mut world = world();
    for id in ["r1", "r2", "r3"] {
        hears(&mut world, ROMEO, id);
    }
    let ids: Vec<_> = now_or_never(world.store.read(mam::log(JULIET), LogQuery::forward(9))).unwrap();
    let shows = |world: &mut World, by: &str, index: usize| {
        let id = world.host.ids.of(ids[index].seq);
        let answer = world.asks(BALCONY, &format!(
            "<iq type='set' id='p'><pubsub xmlns='http://jabber.org/protocol/pubsub'><publish node='urn:xmpp:mds:displayed:0'>
             <item id='romeo@example.net'><displayed xmlns='urn:xmpp:mds:displayed:0'>
             <stanza-id xmlns='urn:xmpp:sid:0' id='{id}' by='{by}'/></displayed></item></publish></pubsub></iq>"
        ));
        assert!(answer.contains("type='result'"), "{answer}");
    };
    shows(&mut world, "romeo@example.net", 2);
    assert_eq!(inbox(&mut world, "", "").1, "1 1 3", "that id is none of this archive's");
    shows(&mut world, JULIET, 1);
    assert_eq!(inbox(&mut world, "", "").1, "1 1 1");
    shows(&mut world, JULIET, 2);
    assert_eq!(inbox(&mut world, "", "").1, "1 0 0");
    hears(&mut world, ROMEO, "r4");
    assert_eq!(inbox(&mut world, "", "").1, "1 1 1");
}

#[test]
fn the_list_is_paged() {
    let mut world = world();
    for number in 0..5 {
        hears(&mut world, &format!("guest{number}@example.net/x"), "g");
    }
    let page = |set: &str| format!("<set xmlns='http://jabber.org/protocol/rsm'>{set}</set>");
    let names = |told: (Vec<String>, String)| told.0.iter().map(|line| line[5..6].to_owned()).collect::<String>();
    assert_eq!(names(inbox(&mut world, "", &page("<max>2</max>"))), "43");
    assert_eq!(names(inbox(&mut world, "", &page("<max>2</max><after>guest3@example.net</after>"))), "21");
    assert_eq!(names(inbox(&mut world, "", &page("<max>2</max><before/>"))), "10");
    let answer = world.asks(
        BALCONY,
        &format!(
            "<iq type='get' id='i'><inbox xmlns='{NS}'>{}</inbox></iq>",
            page("<after>nobody@example.net</after>")
        ),
    );
    assert!(answer.contains("item-not-found"), "{answer}");
}

#[test]
fn what_has_left_the_archive_has_left_the_inbox() {
    let mut settings = Settings::new(Timestamp::UNIX_EPOCH);
    settings.archive.retention = Retention { expiry: Duration::from_secs(10), max_messages: 1000 };
    let mut world = world_with(settings);
    hears(&mut world, ROMEO, "r1");
    assert_eq!(inbox(&mut world, "", "").1, "1 1 1");
    world.wait(Duration::from_secs(20));
    hears(&mut world, NURSE, "n1");
    world.asks(BALCONY, "<iq type='get' id='m'><metadata xmlns='urn:xmpp:mam:2'/></iq>");
    assert_eq!(inbox(&mut world, "", ""), (vec!["nurse@example.org 1 n1".to_owned()], "1 1 1".to_owned()));
}

#[test]
fn an_inbox_is_its_owners_alone() {
    let mut world = world();
    for to in [JULIET, "nobody@example.org"] {
        let answer = world.asks(NURSE, &format!("<iq type='get' id='i' to='{to}'><inbox xmlns='{NS}'/></iq>"));
        assert!(answer.contains("forbidden"), "{answer}");
    }
    let answer = world.asks(BALCONY, &format!("<iq type='get' id='i'><inbox xmlns='{NS}' messages='some'/></iq>"));
    assert!(answer.contains("bad-request"), "{answer}");
    assert!(stanza(&answer).is_error());
}
