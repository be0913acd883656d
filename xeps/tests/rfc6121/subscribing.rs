//! RFC 6121 section 3 as plays: who sends what, and who receives what.

use crate::verona::Verona;
use xeps::account::SessionId;
use xeps::roster::Rosters;

const ROMEO: &str = "romeo@example.net";
const JULIET: &str = "juliet@example.com";

fn verona() -> Verona {
    Verona::new(&[ROMEO, JULIET], || vec![Box::new(Rosters::default()), Box::new(xeps::presence::Presence)])
}

/// The one item of a push as (jid, subscription, ask), or the kind of presence and who sent it; ids and versions left out.
fn gist(inbox: Vec<String>) -> Vec<String> {
    inbox.iter().map(|xml| brief(xml)).collect()
}

fn brief(xml: &str) -> String {
    let attr = |name: &str| {
        let (_, rest) = xml.split_once(&format!(" {name}='"))?;
        rest.split_once('\'').map(|(value, _)| value.to_owned())
    };
    if xml.contains("jabber:iq:roster") {
        let ask = attr("ask").map(|_| " ask").unwrap_or_default();
        let approved = attr("approved").map(|_| " approved").unwrap_or_default();
        return format!("push {} {}{ask}{approved}", attr("jid").unwrap(), attr("subscription").unwrap());
    }
    let kind = attr("type").unwrap_or("available".into());
    format!("{kind} from {}", attr("from").unwrap())
}

fn both(verona: &mut Verona) -> (SessionId, SessionId) {
    let romeo = verona.log_in("romeo@example.net/orchard");
    let juliet = verona.log_in("juliet@example.com/balcony");
    verona.send(romeo, "<presence to='juliet@example.com' type='subscribe'/>");
    verona.send(juliet, "<presence to='romeo@example.net' type='subscribed'/>");
    verona.send(juliet, "<presence to='romeo@example.net' type='subscribe'/>");
    verona.send(romeo, "<presence to='juliet@example.com' type='subscribed'/>");
    verona.clear();
    (romeo, juliet)
}

#[test]
fn romeo_asks_and_juliet_agrees() {
    let verona = &mut verona();
    let romeo = verona.log_in("romeo@example.net/orchard");
    let juliet = verona.log_in("juliet@example.com/balcony");
    let chamber = verona.log_in("juliet@example.com/chamber");
    verona.clear();

    verona.send(
        romeo,
        "<presence id='x' to='juliet@example.com/balcony' type='subscribe'><status>Please</status></presence>",
    );
    assert_eq!(gist(verona.inbox(romeo)), ["push juliet@example.com none ask"]);
    let asked = "<presence to='juliet@example.com' from='romeo@example.net' id='x' type='subscribe'><status>Please</status></presence>";
    assert_eq!(verona.inbox(juliet), [asked], "stamped with bare addresses, and no push");
    assert_eq!(verona.inbox(chamber), [asked]);

    verona.send(juliet, "<presence to='romeo@example.net' type='subscribed'/>");
    assert_eq!(gist(verona.inbox(juliet)), ["push romeo@example.net from"]);
    assert_eq!(gist(verona.inbox(chamber)), ["push romeo@example.net from"]);
    assert_eq!(
        gist(verona.inbox(romeo)),
        [
            "subscribed from juliet@example.com",
            "available from juliet@example.com/balcony",
            "available from juliet@example.com/chamber",
            "push juliet@example.com to",
        ]
    );
}

#[test]
fn juliet_declines() {
    let verona = &mut verona();
    let romeo = verona.log_in("romeo@example.net/orchard");
    let juliet = verona.log_in("juliet@example.com/balcony");
    verona.send(romeo, "<presence to='juliet@example.com' type='subscribe'/>");
    verona.clear();
    verona.send(juliet, "<presence to='romeo@example.net' type='unsubscribed'/>");
    assert_eq!(gist(verona.inbox(romeo)), ["unsubscribed from juliet@example.com", "push juliet@example.com none"]);
    assert!(verona.inbox(juliet).is_empty(), "who only asked was never in the roster");
    let again = verona.log_in("juliet@example.com/chamber");
    verona.send(again, "<presence/>");
    assert_eq!(verona.account(JULIET).sessions.len(), 2);
    assert!(verona.inbox(again).iter().all(|xml| !xml.contains("subscribe")), "the request is answered");
}

#[test]
fn a_request_waits_until_it_is_answered() {
    let verona = &mut verona();
    let hello = "<presence from='mercutio@verona.lit' to='juliet@example.com' type='subscribe' xml:lang='it'><nick xmlns='http://jabber.org/protocol/nick'>Mercutio</nick></presence>";
    verona.arrives(hello);
    verona.arrives("<presence from='mercutio@verona.lit/x' to='juliet@example.com' type='subscribe'><status>again</status></presence>");
    verona.sleep(JULIET);
    for resource in ["balcony", "chamber"] {
        let juliet = verona.connect(&format!("juliet@example.com/{resource}"));
        verona.send(juliet, "<iq type='get' id='r'><query xmlns='jabber:iq:roster'/></iq>");
        assert!(!verona.inbox(juliet)[0].contains("mercutio"), "not shown in the roster");
        verona.send(juliet, "<presence/>");
        let asked: Vec<_> = verona.inbox(juliet).into_iter().filter(|xml| xml.contains("'subscribe'")).collect();
        assert_eq!(asked.len(), 1, "one request per person");
        assert!(
            asked[0].contains("Mercutio") && asked[0].contains("xml:lang='it'"),
            "as complete as it came: {asked:?}"
        );
        verona.disconnect(juliet);
    }
    let juliet = verona.log_in("juliet@example.com/balcony");
    verona.send(juliet, "<presence to='mercutio@verona.lit' type='subscribed'/>");
    assert_eq!(
        gist(verona.abroad()),
        ["subscribed from juliet@example.com", "available from juliet@example.com/balcony"]
    );
    let chamber = verona.connect("juliet@example.com/chamber");
    verona.send(chamber, "<presence/>");
    assert!(verona.inbox(chamber).iter().all(|xml| !xml.contains("subscribe")));
}

#[test]
fn who_is_subscribed_already_gets_the_same_answer_again() {
    let verona = &mut verona();
    let (romeo, juliet) = both(verona);
    verona.send(romeo, "<presence to='juliet@example.com' type='subscribe'/>");
    assert!(verona.inbox(juliet).is_empty(), "she is not asked twice");
    assert_eq!(gist(verona.inbox(romeo)), ["available from juliet@example.com/balcony"]);
    // As a server abroad that has lost its rosters sees it.
    let (abroad, ask) =
        ("tybalt@verona.lit", "<presence from='tybalt@verona.lit' to='juliet@example.com' type='subscribe'/>");
    verona.arrives(ask);
    verona.send(juliet, &format!("<presence to='{abroad}' type='subscribed'/>"));
    verona.clear();
    verona.arrives(ask);
    assert_eq!(
        gist(verona.abroad()),
        ["subscribed from juliet@example.com", "available from juliet@example.com/balcony"]
    );
    assert!(verona.inbox(juliet).is_empty());
}

#[test]
fn juliet_approves_before_she_is_asked() {
    let verona = &mut verona();
    let juliet = verona.log_in("juliet@example.com/balcony");
    verona.send(juliet, "<presence to='mercutio@verona.lit' type='subscribed'/>");
    assert_eq!(gist(verona.inbox(juliet)), ["push mercutio@verona.lit none approved"]);
    assert!(verona.abroad().is_empty(), "he learns nothing of it");
    verona.arrives("<presence from='mercutio@verona.lit' to='juliet@example.com' type='subscribe'/>");
    assert_eq!(gist(verona.inbox(juliet)), ["push mercutio@verona.lit from approved"]);
    assert_eq!(
        gist(verona.abroad()),
        ["subscribed from juliet@example.com", "available from juliet@example.com/balcony"]
    );
    verona.send(juliet, "<presence to='mercutio@verona.lit' type='unsubscribed'/>");
    assert_eq!(gist(verona.inbox(juliet)), ["push mercutio@verona.lit none"]);
}

#[test]
fn juliet_takes_it_back() {
    let verona = &mut verona();
    let (romeo, juliet) = both(verona);
    verona.send(juliet, "<presence to='romeo@example.net' type='unsubscribed'/>");
    assert_eq!(gist(verona.inbox(juliet)), ["push romeo@example.net to"]);
    assert_eq!(
        gist(verona.inbox(romeo)),
        [
            "unavailable from juliet@example.com/balcony",
            "unsubscribed from juliet@example.com",
            "push juliet@example.com from",
        ]
    );
}

#[test]
fn romeo_loses_interest() {
    let verona = &mut verona();
    let (romeo, juliet) = both(verona);
    verona.send(romeo, "<presence to='juliet@example.com' type='unsubscribe'/>");
    assert_eq!(
        gist(verona.inbox(romeo)),
        ["push juliet@example.com from", "unavailable from juliet@example.com/balcony"]
    );
    assert_eq!(gist(verona.inbox(juliet)), ["unsubscribe from romeo@example.net", "push romeo@example.net to"]);
}

#[test]
fn answers_reach_only_those_who_asked_for_the_roster() {
    let verona = &mut verona();
    let romeo = verona.log_in("romeo@example.net/orchard");
    let street = verona.connect("romeo@example.net/street");
    verona.send(street, "<presence/>");
    let juliet = verona.log_in("juliet@example.com/balcony");
    verona.send(romeo, "<presence to='juliet@example.com' type='subscribe'/>");
    verona.clear();
    verona.send(juliet, "<presence to='romeo@example.net' type='subscribed'/>");
    assert_eq!(gist(verona.inbox(romeo)).len(), 3);
    assert_eq!(gist(verona.inbox(street)), ["available from juliet@example.com/balcony"]);
}

#[test]
fn what_nobody_asked_for_changes_nothing() {
    let verona = &mut verona();
    let juliet = verona.log_in("juliet@example.com/balcony");
    for kind in ["subscribed", "unsubscribe", "unsubscribed"] {
        verona.arrives(&format!("<presence from='tybalt@verona.lit' to='juliet@example.com' type='{kind}'/>"));
    }
    for kind in ["subscribe", "subscribed", "unsubscribe", "unsubscribed"] {
        verona.arrives(&format!("<presence from='juliet@example.com' to='juliet@example.com' type='{kind}'/>"));
        verona.send(juliet, &format!("<presence to='juliet@example.com' type='{kind}'/>"));
    }
    assert!(verona.inbox(juliet).is_empty() && verona.abroad().is_empty());
    verona.send(juliet, "<presence type='subscribe'/>");
    assert!(verona.inbox(juliet)[0].contains("bad-request"), "nobody is asked");
}

#[test]
fn strangers_cannot_fill_the_memory() {
    let verona = &mut verona();
    for n in 0..xeps::account::Roster::MAX_REQUESTS {
        verona.arrives(&format!("<presence from='bot{n}@verona.lit' to='juliet@example.com' type='subscribe'/>"));
    }
    assert!(verona.abroad().is_empty());
    verona.arrives("<presence from='last@verona.lit' to='juliet@example.com' type='subscribe'/>");
    assert!(verona.abroad()[0].contains("resource-constraint"));
    let juliet = verona.connect("juliet@example.com/balcony");
    verona.send(juliet, "<presence/>");
    assert_eq!(verona.inbox(juliet).len(), 1 + xeps::account::Roster::MAX_REQUESTS, "all pages are read");
}

#[test]
fn a_large_request_is_kept_without_its_ballast() {
    let verona = &mut verona();
    let ballast = "x".repeat(10_000);
    verona.arrives(&format!(
        "<presence from='tybalt@verona.lit' to='juliet@example.com' type='subscribe'><status>{ballast}</status></presence>"
    ));
    let juliet = verona.connect("juliet@example.com/balcony");
    verona.send(juliet, "<presence/>");
    let asked = "<presence to='juliet@example.com' from='tybalt@verona.lit' type='subscribe'/>";
    assert_eq!(verona.inbox(juliet).pop().unwrap(), asked);
}

#[test]
fn an_account_that_goes_says_goodbye() {
    let verona = &mut verona();
    let (romeo, _) = both(verona);
    verona.remove(JULIET);
    assert_eq!(
        gist(verona.inbox(romeo)),
        [
            "unsubscribe from juliet@example.com",
            "unavailable from juliet@example.com/balcony",
            "unsubscribed from juliet@example.com",
            "push juliet@example.com to",
            "push juliet@example.com none",
        ]
    );
}
