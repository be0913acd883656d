//! The archives of accounts (XEP-0313): what is kept, what is found, and who may look.

use std::time::Duration;
use wire::datetime::Timestamp;
use xeps::archive::{Own, Policy, Retention};
use xeps::catch_up::CatchUp;
use xeps::clock::Clock;
use xeps::feature::Hook;
use xeps::store::{LogQuery, Seq, Store};
use xeps::testing::{Arrival, World, canonical, now_or_never, stanza};
use xeps::{Settings, features, mam};

const BALCONY: &str = "juliet@example.org/balcony";
const CHAMBER: &str = "juliet@example.org/chamber";
const ROMEO: &str = "romeo@example.net/orchard";
const MAM: &str = "urn:xmpp:mam:2";

fn world_with(settings: Settings) -> World {
    let world = World::new(features(settings)).with_account("juliet", "secret").with_account("nurse", "secret");
    let mut world = world.with_session(BALCONY).with_session(CHAMBER).with_session("nurse@example.org/house");
    world.becomes_available(BALCONY, 0);
    world.becomes_available(CHAMBER, 0);
    world
}

fn world() -> World {
    world_with(Settings::new(Timestamp::UNIX_EPOCH))
}

fn from_romeo(id: &str, content: &str) -> String {
    format!("<message from='{ROMEO}' to='juliet@example.org' type='chat' id='{id}'>{content}</message>")
}

/// The ids of the messages in Juliet's archive.
fn archived(world: &World) -> Vec<String> {
    let log = mam::log("juliet@example.org");
    let entries = now_or_never(world.store.read(log, LogQuery::forward(1000))).unwrap();
    entries.iter().map(|entry| mam::decode(entry).unwrap().attr("id").unwrap_or("none").to_owned()).collect()
}

fn uids(world: &World) -> Vec<Seq> {
    let log = mam::log("juliet@example.org");
    now_or_never(world.store.read(log, LogQuery::forward(1000))).unwrap().iter().map(|entry| entry.seq).collect()
}

/// What a session is given in answer to a query: its results, and the answer at the end.
fn query(world: &mut World, session: &str, inside: &str) -> (Vec<String>, String) {
    world.acts();
    let answer =
        world.asks(session, &format!("<iq type='set' id='q'><query xmlns='{MAM}' queryid='f'>{inside}</query></iq>"));
    assert_eq!(answer, "", "the answer comes behind the results");
    let mut told = world.acts();
    let fin = told.pop().unwrap();
    (told, fin)
}

fn field(var: &str, value: &str) -> String {
    format!(
        "<x xmlns='jabber:x:data' type='submit'><field var='FORM_TYPE'><value>{MAM}</value></field>
         <field var='{var}'><value>{value}</value></field></x>"
    )
}

fn condition(answer: &str) -> String {
    let error = stanza(answer);
    let error = error.child("error", "jabber:client").and_then(|error| error.element()).expect("an error");
    error.children().next().unwrap().name().to_owned()
}

#[test]
fn a_message_is_kept_and_carries_its_id() {
    let mut world = world();
    let Arrival::Delivered(sessions, message) = world.arrives(&from_romeo("1", "<body>Hi</body>")) else { panic!() };
    assert_eq!(sessions, [BALCONY, CHAMBER]);
    let uid = world.host.ids.of(uids(&world)[0]);
    let id = format!("<stanza-id xmlns='urn:xmpp:sid:0' id='{uid}' by='juliet@example.org'/>");
    assert_eq!(message, canonical(&from_romeo("1", &format!("<body>Hi</body>{id}"))));

    let (results, fin) = query(&mut world, CHAMBER, "");
    let original = canonical(&from_romeo("1", "<body>Hi</body>").replace("<message", "<message xmlns='jabber:client'"));
    let original = original.replace("<message", "<message xmlns='jabber:client'");
    assert_eq!(
        results,
        [format!(
            "{CHAMBER} gets {}",
            canonical(&format!(
                "<message from='juliet@example.org' to='{CHAMBER}'><result xmlns='{MAM}' queryid='f' id='{uid}'>
                 <forwarded xmlns='urn:xmpp:forward:0'><delay xmlns='urn:xmpp:delay' stamp='2026-01-01T00:00:00.000Z'/>
                 {original}</forwarded></result></message>"
            ))
        )]
    );
    let set = format!(
        "<set xmlns='http://jabber.org/protocol/rsm'><first index='0'>{uid}</first><last>{uid}</last><count>1</count></set>"
    );
    assert_eq!(
        fin,
        format!(
            "{CHAMBER} gets {}",
            canonical(&format!(
                "<iq type='result' id='q' to='{CHAMBER}'><fin xmlns='{MAM}' complete='true'>{set}</fin></iq>"
            ))
        )
    );
}

#[test]
fn what_is_sent_is_kept_and_the_recipient_is_not_told_its_id() {
    let mut world = world();
    world.asks(CHAMBER, "<iq type='set' id='c'><enable xmlns='urn:xmpp:carbons:2'/></iq>");
    let sent =
        world.sends(BALCONY, "<message to='romeo@example.net' type='chat' id='1'><body>Hi</body></message>").unwrap();
    assert_eq!(archived(&world), ["1"]);
    assert!(!sent.contains("stanza-id"), "{sent}");
    let acts = world.acts();
    assert_eq!(acts.len(), 1, "{acts:?}");
    let told = acts[0].starts_with(&format!("{CHAMBER} gets"))
        && acts[0].contains(&format!("id='{}'", world.host.ids.of(uids(&world)[0])));
    assert!(told, "the user's own copy carries it: {acts:?}");
}

#[test]
fn what_one_sends_to_oneself_is_kept_once() {
    let mut world = world();
    world.sends(BALCONY, "<message to='juliet@example.org' type='chat' id='1'><body>Note</body></message>").unwrap();
    world.arrives(&format!(
        "<message from='{BALCONY}' to='juliet@example.org' type='chat' id='1'><body>Note</body></message>"
    ));
    world.arrives(&from_romeo("2", "<body>Hi</body>"));
    assert_eq!(archived(&world), ["1", "2"]);
    for own in ["juliet@example.org", BALCONY] {
        let (results, _) = query(&mut world, CHAMBER, &field("with", own));
        assert_eq!(results.len(), 1, "{own}: {results:?}");
        assert!(results[0].contains("Note"));
    }
}

#[test]
fn what_comes_back_from_a_lost_session_is_not_kept_again() {
    let mut world = world();
    let Arrival::Delivered(_, message) = world.arrives(&from_romeo("1", "<body>Hi</body>")) else { panic!() };
    assert_eq!(world.arrives(&message), Arrival::Delivered(vec![BALCONY.into(), CHAMBER.into()], message.clone()));
    assert_eq!(archived(&world), ["1"]);
}

#[test]
fn what_is_refused_is_not_kept() {
    let mut world = world();
    let lost = from_romeo("1", "<body>Hi</body>")
        .replace("type='chat'", "type='normal'")
        .replace("juliet@example.org'", "juliet@example.org/lost'");
    assert!(matches!(world.arrives(&lost), Arrival::Decided(_)));
    assert!(archived(&world).is_empty());
}

#[test]
fn results_come_in_order_and_flipped_when_asked() {
    let mut world = world();
    for id in ["1", "2", "3"] {
        world.arrives(&from_romeo(id, "<body>Hi</body>"));
        world.wait(Duration::from_secs(1));
    }
    let ids = |results: &[String]| -> Vec<char> {
        let id = |result: &String| result.split(" id='").nth(2).unwrap().chars().next().unwrap();
        results.iter().map(id).collect()
    };
    let page = "<set xmlns='http://jabber.org/protocol/rsm'><max>2</max><before/></set>";
    let (results, fin) = query(&mut world, BALCONY, page);
    assert_eq!(ids(&results), ['2', '3']);
    assert!(!fin.contains("complete") && fin.contains("<count>3</count>"), "{fin}");
    let (flipped, fin_too) = query(&mut world, BALCONY, &format!("{page}<flip-page/>"));
    assert_eq!(ids(&flipped), ['3', '2']);
    assert_eq!(fin_too, fin);
}

#[test]
fn a_page_of_a_correspondent() {
    let mut world = world();
    world.arrives(&from_romeo("1", "<body>Hi</body>"));
    world.arrives("<message from='nurse@example.org/house' to='juliet@example.org' type='chat' id='2'><body>Madam!</body></message>");
    world.sends(BALCONY, "<message to='nurse@example.org' type='chat' id='3'><body>Anon!</body></message>").unwrap();
    for (with, found) in
        [("nurse@example.org", 2), ("nurse@example.org/house", 1), (ROMEO, 1), ("paris@example.org", 0)]
    {
        let (results, fin) = query(&mut world, BALCONY, &field("with", with));
        assert_eq!(results.len(), found, "{with}");
        assert!(fin.contains("complete='true'"));
    }
}

#[test]
fn ids_that_are_not_there_and_fields_that_are_unknown_are_refused() {
    let mut world = world();
    world.arrives(&from_romeo("1", "<body>Hi</body>"));
    let mut refused = |inside: &str| {
        condition(&world.asks(BALCONY, &format!("<iq type='set' id='q'><query xmlns='{MAM}'>{inside}</query></iq>")))
    };
    for var in ["ids", "before-id", "after-id"] {
        assert_eq!(refused(&field(var, "123")), "item-not-found");
    }
    for page in ["<before>123</before>", "<after>123</after>"] {
        assert_eq!(refused(&format!("<set xmlns='http://jabber.org/protocol/rsm'>{page}</set>")), "item-not-found");
    }
    assert_eq!(refused(&field("{urn:example}x", "1")), "feature-not-implemented");
    assert_eq!(refused(&field("start", "yesterday")), "bad-request");
    let node = world.asks(BALCONY, &format!("<iq type='set' id='q'><query xmlns='{MAM}' node='n'/></iq>"));
    assert_eq!(condition(&node), "item-not-found");
}

#[test]
fn nobody_sees_somebody_elses_archive() {
    let mut world = world();
    for (kind, element) in [
        ("set", "<query xmlns='urn:xmpp:mam:2'/>"),
        ("get", "<query xmlns='urn:xmpp:mam:2'/>"),
        ("get", "<metadata xmlns='urn:xmpp:mam:2'/>"),
        ("get", "<prefs xmlns='urn:xmpp:mam:2'/>"),
        ("set", "<prefs xmlns='urn:xmpp:mam:2' default='never'/>"),
    ] {
        for to in ["juliet@example.org", "nobody@example.org"] {
            for from in ["nurse@example.org/house", ROMEO] {
                let answer = world.asks(from, &format!("<iq type='{kind}' id='q' to='{to}'>{element}</iq>"));
                assert_eq!(condition(&answer), "forbidden", "{from} {to} {element}");
            }
        }
    }
    assert!(world.acts().is_empty());
}

#[test]
fn the_metadata_tell_the_ends() {
    let mut world = world();
    let ask = format!("<iq type='get' id='m'><metadata xmlns='{MAM}'/></iq>");
    let empty = world.asks(BALCONY, &ask);
    assert!(empty.contains("<metadata xmlns='urn:xmpp:mam:2'/>"), "{empty}");
    world.arrives(&from_romeo("1", "<body>Hi</body>"));
    world.wait(Duration::from_secs(1));
    world.arrives(&from_romeo("2", "<body>Hi</body>"));
    let full = world.asks(BALCONY, &ask);
    let uids: Vec<_> = uids(&world).into_iter().map(|uid| world.host.ids.of(uid)).collect();
    for (end, uid, time) in [("start", &uids[0], "00"), ("end", &uids[1], "01")] {
        assert!(full.contains(&format!("<{end} id='{uid}' timestamp='2026-01-01T00:00:{time}.000Z'/>")), "{full}");
    }
}

#[test]
fn preferences_decide_and_last() {
    let mut world = world();
    let set = |world: &mut World, default: &str, lists: &str| {
        world.asks(
            BALCONY,
            &format!("<iq type='set' id='p'><prefs xmlns='{MAM}' default='{default}'>{lists}</prefs></iq>"),
        )
    };
    let answer = set(&mut world, "never", "<always><jid>romeo@example.net</jid></always>");
    let applied =
        "<prefs xmlns='urn:xmpp:mam:2' default='never'><always><jid>romeo@example.net</jid></always><never/></prefs>";
    assert!(answer.contains(applied), "{answer}");
    world.arrives(&from_romeo("1", "<body>Hi</body>"));
    let stranger = from_romeo("2", "<body>Hi</body>").replace("romeo@", "tybalt@");
    let Arrival::Delivered(_, message) = world.arrives(&stranger) else { panic!() };
    assert!(!message.contains("stanza-id"));
    world.sends(BALCONY, "<message to='tybalt@example.net' type='chat' id='3'><body>Hi</body></message>").unwrap();
    assert_eq!(archived(&world), ["1"]);

    set(&mut world, "roster", "");
    let mut world = world.with_subscriber("juliet@example.org", "romeo@example.net");
    world.arrives(&from_romeo("4", "<body>Hi</body>"));
    world.arrives(&stranger);
    assert_eq!(archived(&world), ["1", "4"]);

    set(&mut world, "always", "<never><jid>romeo@example.net/orchard</jid></never>");
    world.arrives(&from_romeo("5", "<body>Hi</body>"));
    world.arrives(&from_romeo("6", "<body>Hi</body>").replace("orchard", "garden"));
    assert_eq!(archived(&world), ["1", "4", "6"]);
    let got = world.asks(BALCONY, &format!("<iq type='get' id='p'><prefs xmlns='{MAM}'/></iq>"));
    assert!(got.contains("default='always'") && got.contains("orchard"), "{got}");
    let refused = set(&mut world, "sometimes", "");
    assert_eq!(condition(&refused), "bad-request");
}

#[test]
fn a_host_may_archive_nothing_unless_a_user_wants_it() {
    let mut settings = Settings::new(Timestamp::UNIX_EPOCH);
    settings.archive.default = Policy::Never;
    let mut world = world_with(settings);
    world.arrives(&from_romeo("1", "<body>Hi</body>"));
    assert!(archived(&world).is_empty());
    world.asks(BALCONY, &format!("<iq type='set' id='p'><prefs xmlns='{MAM}' default='always'/></iq>"));
    world.arrives(&from_romeo("2", "<body>Hi</body>"));
    assert_eq!(archived(&world), ["2"]);
}

#[test]
fn the_oldest_messages_go() {
    let mut settings = Settings::new(Timestamp::UNIX_EPOCH);
    settings.archive.retention = Retention { expiry: Duration::from_secs(60), max_messages: 100 };
    let mut world = world_with(settings);
    world.arrives(&from_romeo("old", "<body>Hi</body>"));
    world.wait(Duration::from_secs(61));
    let (results, fin) = query(&mut world, BALCONY, "");
    assert!(results.is_empty() && fin.contains("<count>0</count>"), "{fin}");
    assert!(archived(&world).is_empty());
    for number in 0..400 {
        world.arrives(&from_romeo(&number.to_string(), "<body>Hi</body>"));
    }
    let left = archived(&world);
    assert!((100..=230).contains(&left.len()), "{}", left.len());
    assert_eq!(left.last().unwrap(), "399");
    let numbers: Vec<usize> = left.iter().map(|id| id.parse().unwrap()).collect();
    assert!(numbers.windows(2).all(|pair| pair[0] + 1 == pair[1]), "no holes");
}

#[test]
fn a_retracted_message_leaves_a_tombstone() {
    let mut world = world();
    let retraction = "<retract xmlns='urn:xmpp:message-retract:1' id='1'/><body>retracted</body>";
    world.arrives(&from_romeo("1", "<body>Rosaline</body>"));
    world.sends(BALCONY, "<message to='romeo@example.net' type='chat' id='1'><body>Who?</body></message>").unwrap();
    // Neither from somebody else, nor of what somebody else has said.
    world.arrives(&from_romeo("x", retraction).replace("romeo@", "tybalt@"));
    world.sends(BALCONY, &format!("<message to='tybalt@example.net' id='y'>{retraction}</message>")).unwrap();
    let (before, _) = query(&mut world, CHAMBER, "");
    assert!(before[0].contains("Rosaline") && before[1].contains("Who?"), "{before:?}");

    world.wait(Duration::from_secs(5));
    world.arrives(&from_romeo("2", retraction).replace("orchard", "garden"));
    let (after, _) = query(&mut world, CHAMBER, "");
    assert_eq!(after.len(), 5, "the retraction is archived, too");
    assert!(!after[0].contains("Rosaline") && after[1].contains("Who?"), "{after:?}");
    let stone = "<retracted xmlns='urn:xmpp:message-retract:1' id='2' stamp='2026-01-01T00:00:05.000Z'/>";
    assert!(after[0].contains(stone) && after[0].contains("from='romeo@example.net/orchard'"), "{}", after[0]);
    assert!(after[0].contains("stamp='2026-01-01T00:00:00.000Z'"), "when it was sent stays: {}", after[0]);

    let own = format!("<message to='romeo@example.net/garden' type='chat' id='3'>{retraction}</message>");
    world.sends(CHAMBER, &own).unwrap();
    let (after, _) = query(&mut world, CHAMBER, "");
    assert!(!after[1].contains("Who?"), "the sender's archive as well: {after:?}");
}

#[test]
fn a_session_that_has_read_the_archive_has_caught_up() {
    let mut world = world();
    for id in ["1", "2", "3"] {
        world.arrives(&from_romeo(id, "<body>Hi</body>"));
    }
    let uids = uids(&world);
    let read = |world: &mut World| -> Vec<bool> {
        let session = world.account(CHAMBER).resource("chamber").unwrap();
        let known = session.states.get::<CatchUp>();
        uids.iter().map(|uid| known.is_some_and(|known| known.has_read(*uid))).collect()
    };
    query(&mut world, CHAMBER, &field("with", "romeo@example.net"));
    assert_eq!(read(&mut world), [false; 3], "who asks for one correspondent's messages may miss others'");
    query(&mut world, CHAMBER, "<set xmlns='http://jabber.org/protocol/rsm'><max>1</max><before/></set>");
    assert_eq!(read(&mut world), [false, false, true]);
    query(&mut world, CHAMBER, "");
    assert_eq!(read(&mut world), [true; 3]);
}

/// Juliet, who has no client that is available; two messages wait for her, of which the second is not to be archived.
fn waiting() -> World {
    let mut world = world();
    for session in [BALCONY, CHAMBER] {
        world.becomes_unavailable(session, "<presence type='unavailable'/>");
    }
    world.arrives(&from_romeo("archived", "<body>Hi</body>"));
    world.arrives(&from_romeo("fleeting", "<body>Hush</body><no-permanent-store xmlns='urn:xmpp:hints'/>"));
    world.acts();
    world
}

/// The ids of the offline messages that a session gets when it becomes available.
fn late(world: &mut World, session: &str) -> Vec<&'static str> {
    world.becomes_available(session, 0);
    let acts = world.acts();
    let given = |id: &&str| acts.iter().any(|act| act.contains(&format!("id='{id}'")) && act.starts_with(session));
    ["archived", "fleeting"].into_iter().filter(given).collect()
}

#[test]
fn what_was_read_in_the_archive_is_not_given_again() {
    assert_eq!(late(&mut waiting(), CHAMBER), ["archived", "fleeting"], "who has not looked there gets everything");
    let mut world = waiting();
    query(&mut world, CHAMBER, "");
    assert_eq!(late(&mut world, CHAMBER), ["fleeting"]);
    assert!(late(&mut world, BALCONY).is_empty(), "and it does not wait for another one");
    let mut world = waiting();
    query(&mut world, CHAMBER, &field("with", "tybalt@example.net"));
    assert_eq!(late(&mut world, CHAMBER), ["archived", "fleeting"]);
}

#[test]
fn a_client_is_told_with_its_login_how_far_the_archive_goes() {
    let mut world = waiting();
    let bound = world.is_bound(CHAMBER, "<bind xmlns='urn:xmpp:bind:0'/>");
    let uid = world.host.ids.of(uids(&world)[0]);
    let end = |name: &str| format!("<{name} id='{uid}' timestamp='2026-01-01T00:00:00.000Z'/>");
    let metadata = format!("<metadata xmlns='{MAM}'>{}{}</metadata>", end("start"), end("end"));
    assert!(bound.contains(&metadata), "{bound}");
    assert_eq!(late(&mut world, CHAMBER), ["fleeting"], "it reads the rest from there");
}

const TEXT: &str = "{urn:xmpp:fulltext:0}fulltext";

#[test]
fn an_archive_is_searched_for_words() {
    let mut world = world();
    world.arrives(&from_romeo("1", "<body>O, wilt thou leave me so unsatisfied?</body>"));
    world
        .sends(BALCONY, "<message to='romeo@example.net' type='chat' id='2'><body>What satisfaction?</body></message>")
        .unwrap();
    for (text, found) in [("Wilt THOU", 1), ("satisfaction", 1), ("satis", 0), ("", 2), ("...", 0)] {
        let (results, fin) = query(&mut world, CHAMBER, &field(TEXT, text));
        assert_eq!(results.len(), found, "{text}");
        assert!(fin.contains("complete='true'"), "{fin}");
    }
    let form = world.asks(BALCONY, &format!("<iq type='get' id='f'><query xmlns='{MAM}'/></iq>"));
    assert!(form.contains(&format!("<field type='text-single' var='{TEXT}'/>")), "{form}");
    let info = world.asks(BALCONY, "<iq type='get' id='i'><query xmlns='http://jabber.org/protocol/disco#info'/></iq>");
    assert!(info.contains("<feature var='urn:xmpp:fulltext:0'/>"), "{info}");
}

#[test]
fn where_archives_are_not_searched_nothing_speaks_of_it() {
    let mut settings = Settings::new(Timestamp::UNIX_EPOCH);
    settings.archive.search = mam::Search::Off;
    let mut world = world_with(settings);
    let inside = field(TEXT, "thou");
    let answer = world.asks(BALCONY, &format!("<iq type='set' id='q'><query xmlns='{MAM}'>{inside}</query></iq>"));
    assert_eq!(condition(&answer), "feature-not-implemented");
    let form = world.asks(BALCONY, &format!("<iq type='get' id='f'><query xmlns='{MAM}'/></iq>"));
    let info = world.asks(BALCONY, "<iq type='get' id='i'><query xmlns='http://jabber.org/protocol/disco#info'/></iq>");
    assert!(!form.contains("fulltext") && !info.contains("fulltext") && info.contains(MAM));
}

#[test]
fn what_nobody_touches_expires_all_the_same() {
    let mut world = world();
    world.arrives(&from_romeo("1", "<body>Hi</body>"));
    let user = wire::jid::BareJid::parse("juliet@example.org").unwrap();
    let expire = |world: &World| {
        for feature in world.host.registry.chain(Hook::Expiry) {
            now_or_never(feature.expire(&world.store, &user, world.clock.now())).unwrap();
        }
    };
    world.wait(Duration::from_secs(364 * 24 * 3600));
    expire(&world);
    assert_eq!(archived(&world), ["1"]);
    world.wait(Duration::from_secs(2 * 24 * 3600));
    expire(&world);
    assert!(archived(&world).is_empty());
}

#[test]
fn an_account_may_have_limits_of_its_own() {
    const DAY: Duration = Duration::from_secs(24 * 3600);
    let mut world = world();
    let user = wire::jid::BareJid::parse("juliet@example.org").unwrap();
    let limit = |world: &World, own: Own| now_or_never(own.write(&world.store, &user)).unwrap();
    let expire = |world: &World| {
        for feature in world.host.registry.chain(Hook::Expiry) {
            now_or_never(feature.expire(&world.store, &user, world.clock.now())).unwrap();
        }
    };
    let stored = |world: &World| now_or_never(world.store.summary(mam::log(user.as_str()))).unwrap().entries;
    // Shorter than the host's year: when it is read, and when nobody touches it.
    limit(&world, Own { expiry: Some(DAY), max_messages: None });
    world.arrives(&from_romeo("1", "<body>Hi</body>"));
    world.wait(DAY * 2);
    assert_eq!(stored(&world), 1, "nobody has touched it");
    assert!(query(&mut world, BALCONY, "").0.is_empty());
    world.arrives(&from_romeo("2", "<body>Hi</body>"));
    world.wait(DAY * 2);
    expire(&world);
    assert_eq!(stored(&world), 0);
    // Longer.
    limit(&world, Own { expiry: Some(DAY * 800), max_messages: Some(3) });
    assert_eq!(now_or_never(Own::read(&world.store, &user)).unwrap().max_messages, Some(3));
    for number in 3..10 {
        world.arrives(&from_romeo(&number.to_string(), "<body>Hi</body>"));
    }
    world.wait(DAY * 700);
    expire(&world);
    assert_eq!(archived(&world), ["7", "8", "9"]);
    // As the host again.
    limit(&world, Own::default());
    expire(&world);
    assert_eq!(stored(&world), 0);
}
