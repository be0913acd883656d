//! RFC 6121 section 4 as plays: who is told when somebody comes, changes and goes.

use crate::verona::Verona;
use xeps::account::SessionId;
use xeps::roster::Rosters;

const JULIET: &str = "juliet@example.com";

/// Juliet has Mercutio abroad in her roster with "both", Paris with "from", Rosaline with "to"; nobody else.
fn verona() -> Verona {
    let mut verona = verona_without_a_past();
    let juliet = verona.log_in("juliet@example.com/yesterday");
    verona.disconnect(juliet);
    verona.sleep(JULIET);
    verona.clear();
    verona
}

/// The same, before Juliet has ever been available.
fn verona_without_a_past() -> Verona {
    let mut verona = Verona::new(&[JULIET, "romeo@example.net"], || {
        vec![Box::new(Rosters::default()), Box::new(xeps::presence::Presence)]
    });
    let juliet = verona.connect("juliet@example.com/setup");
    for name in ["mercutio", "rosaline"] {
        verona.send(juliet, &format!("<presence to='{name}@verona.lit' type='subscribe'/>"));
        verona.arrives(&format!("<presence from='{name}@verona.lit' to='juliet@example.com' type='subscribed'/>"));
    }
    for name in ["mercutio", "paris"] {
        verona.arrives(&format!("<presence from='{name}@verona.lit' to='juliet@example.com' type='subscribe'/>"));
        verona.send(juliet, &format!("<presence to='{name}@verona.lit' type='subscribed'/>"));
    }
    verona.disconnect(juliet);
    verona.sleep(JULIET);
    verona.clear();
    verona
}

fn probe(verona: &mut Verona, from: &str, to: &str) -> Vec<String> {
    verona.arrives(&format!("<presence from='{from}' to='{to}' type='probe'/>"));
    verona.abroad()
}

fn both_available(verona: &mut Verona) -> (SessionId, SessionId) {
    let ids = (verona.log_in("juliet@example.com/balcony"), verona.log_in("juliet@example.com/chamber"));
    verona.clear();
    ids
}

#[test]
fn juliet_comes() {
    let verona = &mut verona();
    let juliet = verona.connect("juliet@example.com/balcony");
    verona.send(juliet, "<presence id='p' xml:lang='en'><show>away</show></presence>");
    assert_eq!(
        verona.abroad(),
        [
            "<presence to='mercutio@verona.lit' from='juliet@example.com/balcony' id='p' xml:lang='en'><show>away</show></presence>",
            "<presence to='mercutio@verona.lit' from='juliet@example.com/balcony' type='probe'/>",
            "<presence to='paris@verona.lit' from='juliet@example.com/balcony' id='p' xml:lang='en'><show>away</show></presence>",
            "<presence to='rosaline@verona.lit' from='juliet@example.com/balcony' type='probe'/>",
        ]
    );
    let own = "<presence to='juliet@example.com/balcony' from='juliet@example.com/balcony' id='p' xml:lang='en'><show>away</show></presence>";
    assert_eq!(verona.inbox(juliet), [own]);
}

#[test]
fn sessions_of_one_user_see_each_other() {
    let verona = &mut verona();
    let balcony = verona.connect("juliet@example.com/balcony");
    verona.send(balcony, "<presence><show>dnd</show></presence>");
    verona.clear();
    verona.clock.advance(90);
    let chamber = verona.connect("juliet@example.com/chamber");
    let quiet = verona.connect("juliet@example.com/quiet");
    verona.send(chamber, "<presence/>");
    assert_eq!(
        verona.inbox(chamber),
        [
            "<presence to='juliet@example.com/chamber' from='juliet@example.com/chamber'/>",
            "<presence to='juliet@example.com/chamber' from='juliet@example.com/balcony'><show>dnd</show>\
             <delay xmlns='urn:xmpp:delay' from='example.com' stamp='2026-01-01T00:00:00.000Z'/></presence>",
        ],
        "what was sent earlier says when"
    );
    assert_eq!(
        verona.inbox(balcony),
        ["<presence to='juliet@example.com/balcony' from='juliet@example.com/chamber'/>"]
    );
    assert!(verona.inbox(quiet).is_empty());
}

#[test]
fn juliet_changes_and_goes() {
    let verona = &mut verona();
    let (balcony, chamber) = both_available(verona);
    verona.send(balcony, "<presence><show>xa</show></presence>");
    let sent = verona.abroad();
    assert_eq!(sent.len(), 2, "to subscribers, and no probes: {sent:?}");
    assert_eq!(verona.inbox(chamber).len(), 1);
    assert_eq!(verona.inbox(balcony).len(), 1, "a change is told to the one who changed as well");

    verona.send(balcony, "<presence type='unavailable'><status>bye</status></presence>");
    assert_eq!(
        verona.abroad(),
        [
            "<presence to='mercutio@verona.lit' from='juliet@example.com/balcony' type='unavailable'><status>bye</status></presence>",
            "<presence to='paris@verona.lit' from='juliet@example.com/balcony' type='unavailable'><status>bye</status></presence>",
        ]
    );
    assert_eq!(verona.inbox(chamber).len(), 1);
    assert!(verona.inbox(balcony).is_empty());
    verona.send(balcony, "<presence type='unavailable'/>");
    verona.disconnect(balcony);
    assert!(verona.abroad().is_empty(), "one goodbye is enough");
}

#[test]
fn a_lost_connection_is_a_goodbye() {
    let verona = &mut verona();
    let (balcony, chamber) = both_available(verona);
    verona.send(balcony, "<presence to='room@rooms.verona.lit/Juliet'/>");
    verona.clear();
    verona.disconnect(balcony);
    assert_eq!(
        verona.abroad(),
        [
            "<presence to='mercutio@verona.lit' from='juliet@example.com/balcony' type='unavailable'/>",
            "<presence to='paris@verona.lit' from='juliet@example.com/balcony' type='unavailable'/>",
            "<presence to='room@rooms.verona.lit/Juliet' from='juliet@example.com/balcony' type='unavailable'/>",
        ]
    );
    let told = "<presence to='juliet@example.com/chamber' from='juliet@example.com/balcony' type='unavailable'/>";
    assert_eq!(verona.inbox(chamber), [told]);
}

#[test]
fn directed_presence_is_taken_back() {
    let verona = &mut verona();
    let juliet = verona.connect("juliet@example.com/balcony");
    // Before initial presence a contact is remembered as well: no broadcast would reach him.
    for to in ["room@rooms.verona.lit/Juliet", "mercutio@verona.lit", "left@rooms.verona.lit/Juliet"] {
        verona.send(juliet, &format!("<presence to='{to}'/>"));
    }
    verona.send(juliet, "<presence to='left@rooms.verona.lit/Juliet' type='unavailable'/>");
    assert_eq!(verona.abroad().len(), 4, "all of it is routed");
    verona.send(juliet, "<presence type='unavailable'/>");
    let told = verona.abroad();
    assert_eq!(told.len(), 2, "{told:?}");
    assert!(told[0].contains("to='mercutio@verona.lit'") && told[1].contains("to='room@rooms.verona.lit/Juliet'"));

    verona.send(juliet, "<presence/>");
    verona.send(juliet, "<presence to='mercutio@verona.lit'/>");
    verona.send(juliet, "<presence to='juliet@example.com'/>");
    verona.clear();
    verona.disconnect(juliet);
    assert_eq!(verona.abroad().len(), 2, "a subscriber hears one goodbye");
}

#[test]
fn directed_presence_is_bounded() {
    let verona = &mut verona();
    let juliet = verona.connect("juliet@example.com/balcony");
    for n in 0..2000 {
        verona.send(juliet, &format!("<presence to='{n}@rooms.verona.lit/Juliet'/>"));
    }
    assert_eq!(verona.abroad().len(), 2000);
    verona.send(juliet, "<presence to='more@rooms.verona.lit/Juliet'/>");
    assert!(verona.abroad().is_empty() && verona.inbox(juliet)[0].contains("resource-constraint"));
    verona.send(juliet, "<presence to='7@rooms.verona.lit/Juliet'/>");
    assert_eq!(verona.abroad().len(), 1, "where it is already it may go again");
}

#[test]
fn probes_of_subscribers_are_answered() {
    let verona = &mut verona();
    let mut nobody_yet = verona_without_a_past();
    let absent = "<presence to='paris@verona.lit/x' from='juliet@example.com' type='unavailable'/>";
    assert_eq!(probe(&mut nobody_yet, "paris@verona.lit/x", JULIET), [absent]);
    let (balcony, _) = both_available(verona);
    assert_eq!(probe(verona, "paris@verona.lit", JULIET).len(), 2);
    let seen = "<presence to='paris@verona.lit/x' from='juliet@example.com/chamber'>\
                <delay xmlns='urn:xmpp:delay' from='example.com' stamp='2026-01-01T00:00:00.000Z'/></presence>";
    assert_eq!(probe(verona, "paris@verona.lit/x", "juliet@example.com/chamber"), [seen]);
    let gone = "<presence to='paris@verona.lit' from='juliet@example.com/gone' type='unavailable'/>";
    assert_eq!(probe(verona, "paris@verona.lit", "juliet@example.com/gone"), [gone]);
    verona.send(balcony, "<presence type='unavailable'/>");
    verona.clear();
    assert_eq!(probe(verona, "paris@verona.lit", JULIET).len(), 1);
    assert!(verona.inbox(balcony).is_empty(), "no client sees a probe");
}

#[test]
fn the_last_goodbye_is_kept_for_those_who_ask() {
    let verona = &mut verona();
    let (balcony, chamber) = both_available(verona);
    verona.send(chamber, "<presence type='unavailable'><status>not the last</status></presence>");
    verona.clock.advance(60);
    verona.send(balcony, "<presence type='unavailable'><status>to bed</status></presence>");
    verona.disconnect(balcony);
    verona.disconnect(chamber);
    verona.sleep(JULIET);
    verona.clear();
    let goodbye = "<presence to='paris@verona.lit/x' from='juliet@example.com/balcony' type='unavailable'><status>to bed</status>\
                   <delay xmlns='urn:xmpp:delay' from='example.com' stamp='2026-01-01T00:01:00.000Z'/></presence>";
    assert_eq!(probe(verona, "paris@verona.lit/x", JULIET), [goodbye]);
    let gone = "<presence to='paris@verona.lit' from='juliet@example.com/chamber' type='unavailable'/>";
    assert_eq!(probe(verona, "paris@verona.lit", "juliet@example.com/chamber"), [gone]);
    assert!(probe(verona, "tybalt@verona.lit", JULIET)[0].contains("unsubscribed"));
}

#[test]
fn a_session_that_wants_messages_after_all_is_given_what_waits() {
    let verona = &mut verona();
    verona.arrives("<presence from='tybalt@verona.lit' to='juliet@example.com' type='subscribe'/>");
    let juliet = verona.connect("juliet@example.com/balcony");
    for (priority, given) in [(-1, true), (-2, false), (0, true), (5, false), (-1, false), (1, true)] {
        verona.send(juliet, &format!("<presence><priority>{priority}</priority></presence>"));
        let last = verona.inbox(juliet).pop().unwrap();
        assert_eq!(last.contains("type='subscribe'"), given, "{priority}: {last}");
    }
}

#[test]
fn probes_of_strangers_learn_nothing() {
    let verona = &mut verona();
    let refused = |who: &str, whom: &str| format!("<presence to='{who}' from='{whom}' type='unsubscribed'/>");
    for _ in 0..2 {
        for who in ["tybalt@verona.lit", "rosaline@verona.lit"] {
            for to in ["juliet@example.com", "juliet@example.com/balcony"] {
                assert_eq!(probe(verona, &format!("{who}/x"), to), [refused(who, JULIET)]);
            }
            assert_eq!(probe(verona, who, "nobody@example.com"), [refused(who, "nobody@example.com")]);
        }
        verona.log_in("juliet@example.com/balcony");
        verona.clear();
    }
}

#[test]
fn a_probe_of_one_who_was_shown_a_session_sees_that_session() {
    let verona = &mut verona();
    let (balcony, _) = both_available(verona);
    verona.send(balcony, "<presence to='tybalt@verona.lit'/>");
    verona.clear();
    let seen = probe(verona, "tybalt@verona.lit/x", JULIET);
    assert!(seen.len() == 1 && seen[0].contains("from='juliet@example.com/balcony'"), "{seen:?}");
    assert!(probe(verona, "tybalt@verona.lit/x", "juliet@example.com/chamber")[0].contains("unsubscribed"));
}

#[test]
fn a_bad_priority_is_refused_and_changes_nothing() {
    let verona = &mut verona();
    let juliet = verona.connect("juliet@example.com/balcony");
    verona.send(juliet, "<presence><priority>128</priority></presence>");
    assert!(verona.inbox(juliet)[0].contains("<bad-request "));
    assert!(verona.abroad().is_empty());
    assert!(verona.account(JULIET).available().next().is_none());
    verona.send(juliet, "<presence><priority>-5</priority></presence>");
    let (_, presence) = verona.account(JULIET).available().next().unwrap();
    assert_eq!(presence.priority, -5);
}

#[test]
fn contacts_on_our_own_servers_find_each_other() {
    let verona = &mut verona();
    let juliet = verona.log_in("juliet@example.com/balcony");
    let romeo = verona.log_in("romeo@example.net/orchard");
    for (who, whom) in [(romeo, JULIET), (juliet, "romeo@example.net")] {
        verona.send(who, &format!("<presence to='{whom}' type='subscribe'/>"));
        let (other, back) = if who == romeo { (juliet, "romeo@example.net") } else { (romeo, JULIET) };
        verona.send(other, &format!("<presence to='{back}' type='subscribed'/>"));
    }
    verona.disconnect(romeo);
    verona.sleep("romeo@example.net");
    verona.clear();
    let romeo = verona.connect("romeo@example.net/orchard");
    verona.send(romeo, "<presence><status>hi</status></presence>");
    let seen = verona.inbox(romeo);
    assert!(seen.len() == 2 && seen[1].contains("from='juliet@example.com/balcony'"), "himself, and her: {seen:?}");
    let told = "<presence to='juliet@example.com' from='romeo@example.net/orchard'><status>hi</status></presence>";
    assert_eq!(verona.inbox(juliet), [told]);
}

#[test]
fn what_passes_through_is_untouched() {
    let verona = &mut verona();
    let juliet = verona.connect("juliet@example.com/balcony");
    let caps =
        "<c xmlns='http://jabber.org/protocol/caps' hash='sha-1' node='x' ver='y'/><x xmlns='vcard-temp:x:update'/>";
    verona.send(juliet, &format!("<presence>{caps}</presence>"));
    assert!(verona.abroad()[0].contains(&format!("'>{caps}</presence>")));
    let from_abroad = format!("<presence from='tybalt@verona.lit/x' to='juliet@example.com'>{caps}</presence>");
    verona.clear();
    verona.arrives(&from_abroad);
    assert!(verona.inbox(juliet)[0].contains(caps));
    verona.arrives("<presence from='tybalt@verona.lit/x' to='juliet@example.com' type='error'/>");
    assert!(verona.inbox(juliet).is_empty());
    for kind in ["probe", "error"] {
        verona.send(juliet, &format!("<presence type='{kind}'/>"));
        assert!(verona.abroad().is_empty(), "{kind} for nobody");
        verona.send(juliet, &format!("<presence type='{kind}' to='tybalt@verona.lit'/>"));
        assert_eq!(verona.abroad().len(), 1, "{kind} is judged by the other side");
    }
}
