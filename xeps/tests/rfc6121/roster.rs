//! RFC 6121 section 2 as plays: rosters, their errors, pushes and versions.

use crate::verona::{Verona, run};
use xeps::account::{Account, Contact, Roster, SessionId};
use xeps::roster::{Config, Rosters};
use xeps::store::{Batch, Expect, Key, Store, StoreError};

const JULIET: &str = "juliet@example.com";

fn verona() -> Verona {
    Verona::new(&[JULIET, "romeo@example.net"], || {
        vec![Box::new(Rosters::default()), Box::new(xeps::presence::Presence)]
    })
}

fn get(verona: &mut Verona, id: SessionId, ver: Option<&str>) -> Vec<String> {
    let ver = ver.map(|ver| format!(" ver='{ver}'")).unwrap_or_default();
    verona.send(id, &format!("<iq type='get' id='get'><query xmlns='jabber:iq:roster'{ver}/></iq>"));
    verona.inbox(id)
}

fn set(verona: &mut Verona, id: SessionId, items: &str) -> Vec<String> {
    verona.send(id, &format!("<iq type='set' id='set'><query xmlns='jabber:iq:roster'>{items}</query></iq>"));
    verona.inbox(id)
}

/// The `ver` of what was received.
fn ver(xml: &str) -> &str {
    let (_, rest) = xml.split_once("ver='").unwrap_or_else(|| panic!("no version in {xml}"));
    rest.split_once('\'').unwrap().0
}

#[test]
fn an_item_is_added_changed_and_removed() {
    let verona = &mut verona();
    let balcony = verona.log_in("juliet@example.com/balcony");
    let chamber = verona.log_in("juliet@example.com/chamber");
    let quiet = verona.connect("juliet@example.com/quiet");
    verona.clear();

    let inbox = set(verona, balcony, "<item jid='nurse@example.com' name='Nurse'><group>Servants</group></item>");
    let item = "<item jid='nurse@example.com' name='Nurse' subscription='none'><group>Servants</group></item>";
    assert_eq!(inbox.len(), 2);
    assert!(inbox.iter().any(|xml| xml == "<iq to='juliet@example.com/balcony' id='set' type='result'/>"), "{inbox:?}");
    assert!(inbox.iter().any(|xml| xml.contains(item)), "{inbox:?}");
    let push = verona.inbox(chamber);
    assert!(push[0].contains(item) && push[0].starts_with("<iq to='juliet@example.com/chamber' id='"), "{push:?}");
    assert!(verona.inbox(quiet).is_empty(), "who did not ask for the roster gets no pushes");

    set(verona, balcony, "<item jid='nurse@example.com'/>");
    assert!(verona.inbox(chamber)[0].contains("<item jid='nurse@example.com' subscription='none'/>"));
    set(verona, balcony, "<item jid='nurse@example.com' subscription='remove'/>");
    assert!(verona.inbox(chamber)[0].contains("<item jid='nurse@example.com' subscription='remove'/>"));
    assert!(!get(verona, balcony, None)[0].contains("nurse"));
}

#[test]
fn only_name_and_groups_are_a_clients_to_set() {
    let verona = &mut verona();
    let juliet = verona.log_in("juliet@example.com/balcony");
    set(verona, juliet, "<item jid='ROMEO@Example.net' subscription='both' ask='subscribe' approved='true' name=''/>");
    assert!(get(verona, juliet, None)[0].contains("<item jid='romeo@example.net' subscription='none'/>"));
    // Nor does it touch what is there.
    verona.send(juliet, "<presence to='romeo@example.net' type='subscribe'/>");
    set(verona, juliet, "<item jid='romeo@example.net' name='Romeo' subscription='from'/>");
    let item = "<item jid='romeo@example.net' name='Romeo' subscription='none' ask='subscribe'/>";
    assert!(get(verona, juliet, None)[0].contains(item));
}

#[test]
fn what_is_wrong_is_refused() {
    let verona = &mut verona();
    let juliet = verona.log_in("juliet@example.com/balcony");
    let long = "x".repeat(1024);
    let cases = [
        (String::new(), "bad-request"),
        ("<item jid='a@b'/><item jid='c@d'/>".into(), "bad-request"),
        ("<item name='nobody'/>".into(), "bad-request"),
        ("<item jid='@'/>".into(), "jid-malformed"),
        ("<item jid='a@b/resource'/>".into(), "jid-malformed"),
        ("<item jid='a@b'><group>G</group><group>G</group></item>".into(), "bad-request"),
        ("<item jid='a@b'><group/></item>".into(), "not-acceptable"),
        (format!("<item jid='a@b' name='{long}'/>"), "not-acceptable"),
        (format!("<item jid='a@b'><group>{long}</group></item>"), "not-acceptable"),
        (
            format!("<item jid='a@b'>{}</item>", (0..65).map(|n| format!("<group>{n}</group>")).collect::<String>()),
            "not-acceptable",
        ),
        ("<item jid='juliet@example.com'/>".into(), "not-allowed"),
        ("<item jid='juliet@example.com' subscription='remove'/>".into(), "not-allowed"),
        ("<item jid='stranger@b' subscription='remove'/>".into(), "item-not-found"),
    ];
    for (items, condition) in cases {
        let answer = set(verona, juliet, &items);
        assert!(answer.len() == 1 && answer[0].contains(&format!("<{condition} ")), "{items}: {answer:?}");
    }
    assert!(!get(verona, juliet, None)[0].contains("<item"));
    // Who only asks for a subscription is not in the roster.
    verona.arrives("<presence from='tybalt@verona.lit' to='juliet@example.com' type='subscribe'/>");
    verona.clear();
    assert!(set(verona, juliet, "<item jid='tybalt@verona.lit' subscription='remove'/>")[0].contains("item-not-found"));
}

#[test]
fn a_roster_is_its_owners_alone() {
    let verona = &mut verona();
    let romeo = verona.log_in("romeo@example.net/orchard");
    for kind in ["get", "set"] {
        let query = "<query xmlns='jabber:iq:roster'><item jid='a@b'/></query>";
        verona.send(romeo, &format!("<iq type='{kind}' id='1' to='juliet@example.com'>{query}</iq>"));
        assert!(verona.inbox(romeo)[0].contains("<forbidden "));
    }
    assert_eq!(run(in_store().roster(&verona.store)).unwrap().iter().count(), 0);
}

#[test]
fn removing_a_contact_ends_the_subscriptions() {
    let verona = &mut verona();
    let juliet = verona.log_in("juliet@example.com/balcony");
    verona.send(juliet, "<presence to='mercutio@verona.lit' type='subscribe'/>");
    verona.arrives("<presence from='mercutio@verona.lit' to='juliet@example.com' type='subscribed'/>");
    verona.arrives("<presence from='mercutio@verona.lit' to='juliet@example.com' type='subscribe'/>");
    verona.send(juliet, "<presence to='mercutio@verona.lit' type='subscribed'/>");
    verona.clear();
    set(verona, juliet, "<item jid='mercutio@verona.lit' subscription='remove'/>");
    assert_eq!(
        verona.abroad(),
        [
            "<presence to='mercutio@verona.lit' from='juliet@example.com' type='unsubscribe'/>",
            "<presence to='mercutio@verona.lit' from='juliet@example.com/balcony' type='unavailable'/>",
            "<presence to='mercutio@verona.lit' from='juliet@example.com' type='unsubscribed'/>",
        ]
    );
    // A request that was never answered is denied.
    set(verona, juliet, "<item jid='paris@verona.lit'/>");
    verona.arrives("<presence from='paris@verona.lit' to='juliet@example.com' type='subscribe'/>");
    set(verona, juliet, "<item jid='paris@verona.lit' subscription='remove'/>");
    let denied = "<presence to='paris@verona.lit' from='juliet@example.com' type='unsubscribed'/>";
    assert_eq!(verona.abroad(), [denied]);
    let again = verona.connect("juliet@example.com/again");
    verona.send(again, "<presence/>");
    assert!(verona.inbox(again).iter().all(|xml| !xml.contains("paris")));
}

#[test]
fn versions_spare_what_is_known() {
    let verona = &mut verona();
    let juliet = verona.log_in("juliet@example.com/balcony");
    for name in ["a", "b", "c"] {
        set(verona, juliet, &format!("<item jid='{name}@b'/>"));
    }
    let all = get(verona, juliet, Some(""));
    assert_eq!((all.len(), all[0].matches("<item").count()), (1, 3));
    let known = ver(&all[0]).to_owned();

    let done = "<iq to='juliet@example.com/balcony' id='get' type='result'/>";
    assert_eq!(get(verona, juliet, Some(&known)), [done]);

    let push = set(verona, juliet, "<item jid='a@b' name='A'/>");
    let after_a = push.iter().find(|xml| xml.contains("type='set'")).map(|xml| ver(xml).to_owned()).unwrap();
    set(verona, juliet, "<item jid='c@b' name='C'/>");
    let news = get(verona, juliet, Some(&known));
    assert_eq!(news.len(), 3, "{news:?}");
    assert_eq!(news[0], done);
    assert!(news[1].contains("name='A'") && ver(&news[1]) == after_a);
    assert!(news[2].contains("name='C'"));
    assert_eq!(get(verona, juliet, Some(&after_a)).len(), 2);
    assert_eq!(get(verona, juliet, Some(ver(&news[2]))), [done]);

    // A removal cannot be told by what is left, so all of it is told.
    set(verona, juliet, "<item jid='b@b' subscription='remove'/>");
    let all = get(verona, juliet, Some(ver(&news[2])));
    assert_eq!((all.len(), all[0].matches("<item").count()), (1, 2));
    assert_eq!(get(verona, juliet, Some(ver(&all[0]))), [done]);
    for unknown in ["99999999999999", "none", "-1"] {
        assert_eq!(get(verona, juliet, Some(unknown))[0].matches("<item").count(), 2, "{unknown}");
    }
}

#[test]
fn versions_outlive_the_account_in_memory() {
    let verona = &mut verona();
    let juliet = verona.log_in("juliet@example.com/balcony");
    set(verona, juliet, "<item jid='a@b' name='A'><group>G</group></item>");
    set(verona, juliet, "<item jid='b@b'/>");
    let before = get(verona, juliet, None);
    let known = ver(&before[0]).to_owned();
    verona.disconnect(juliet);
    verona.sleep(JULIET);
    let juliet = verona.connect("juliet@example.com/balcony");
    assert_eq!(get(verona, juliet, None), before);
    assert_eq!(get(verona, juliet, Some(&known)).len(), 1);
    set(verona, juliet, "<item jid='a@b' subscription='remove'/>");
    let removed = ver(&get(verona, juliet, None)[0]).to_owned();
    assert!(removed.parse::<u64>().unwrap() > known.parse().unwrap());
    verona.disconnect(juliet);
    verona.sleep(JULIET);
    let juliet = verona.connect("juliet@example.com/balcony");
    let all = get(verona, juliet, Some(&known));
    assert!(ver(&all[0]) == removed && all[0].matches("<item").count() == 1, "{all:?}");
}

#[test]
fn a_large_roster_is_read_in_full_and_bounded() {
    // More than the store lists in one go.
    const MOST: usize = 1500;
    fn features() -> Vec<Box<dyn xeps::Feature>> {
        vec![Box::new(Rosters::new(Config { max_items: MOST })), Box::new(xeps::presence::Presence)]
    }
    let verona = &mut Verona::new(&[JULIET, "romeo@example.net"], features);
    let juliet = verona.log_in("juliet@example.com/balcony");
    for n in 0..MOST {
        verona.send(
            juliet,
            &format!("<iq type='set' id='s'><query xmlns='jabber:iq:roster'><item jid='{n}@b'/></query></iq>"),
        );
        verona.clear();
    }
    assert!(set(verona, juliet, "<item jid='one@more'/>")[0].contains("resource-constraint"));
    verona.send(juliet, "<presence to='one@more' type='subscribe'/>");
    assert!(verona.inbox(juliet)[0].contains("resource-constraint"));
    assert_eq!(set(verona, juliet, "<item jid='7@b' name='known'/>").len(), 2, "those who are in it can be changed");
    verona.disconnect(juliet);
    verona.sleep(JULIET);
    let juliet = verona.connect("juliet@example.com/balcony");
    assert_eq!(get(verona, juliet, None)[0].matches("<item").count(), MOST);
}

/// Somebody else has written the same item, such as another node: nothing is announced, and the next try sees it.
#[test]
fn a_lost_race_leaves_no_trace() {
    let verona = &mut verona();
    let juliet = verona.log_in("juliet@example.com/balcony");
    set(verona, juliet, "<item jid='a@b'/>");
    let key = Key::new(JULIET, "roster", "a@b");
    let stored = run(verona.store.get(key)).unwrap().unwrap();
    let mut batch = Batch::new();
    batch.put(key, stored.value, Expect::Any);
    run(verona.store.commit(batch)).unwrap();
    let answer = verona.try_send(
        juliet,
        "<iq type='set' id='s'><query xmlns='jabber:iq:roster'><item jid='a@b' name='A'/></query></iq>",
    );
    assert_eq!(answer, Err(StoreError::Conflict));
    assert!(verona.inbox(juliet).is_empty());
    assert_eq!(set(verona, juliet, "<item jid='a@b' name='A'/>").len(), 2);
}

#[test]
fn damaged_items_are_noticed() {
    let verona = &mut verona();
    let mut batch = Batch::new();
    batch.put(Key::new(JULIET, "roster", "a@b"), "nonsense", Expect::Any);
    run(verona.store.commit(batch)).unwrap();
    let outcome = run(in_store().roster(&verona.store)).map(|roster| roster.version());
    assert!(matches!(outcome, Err(StoreError::Corrupt(what)) if what.contains("a@b")));
}

#[test]
fn one_item_is_read_without_the_roster() {
    let verona = &mut verona();
    let juliet = verona.log_in("juliet@example.com/balcony");
    verona.send(juliet, "<presence to='romeo@example.net' type='subscribed'/>");
    let account = in_store();
    assert!(run(account.subscription(&verona.store, "romeo@example.net")).unwrap().approved);
    assert!(run(account.subscription(&verona.store, "nobody@example.net")).unwrap().is_none());
    assert!(run(account.subscription(&verona.store, "")).unwrap().is_none());
}

/// Juliet as she is found when nothing of her is in memory.
fn in_store() -> Account {
    Account::new(wire::jid::BareJid::parse(JULIET).unwrap())
}

#[test]
fn items_and_sessions_are_small() {
    assert!(size_of::<Contact>() <= 72, "{}", size_of::<Contact>());
    assert!(size_of::<Roster>() <= 48, "{}", size_of::<Roster>());
    assert!(size_of::<xeps::account::Session>() <= 240, "{}", size_of::<xeps::account::Session>());
    assert!(size_of::<Account>() <= 112, "{}", size_of::<Account>());
}
