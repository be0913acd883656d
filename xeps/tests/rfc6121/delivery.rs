//! RFC 6121 section 8.5: every kind of stanza, to a bare JID, to a connected resource and to one that is not, for accounts
//! in every condition.

use wire::datetime::Timestamp;
use wire::jid::{BareJid, Jid};
use wire::stanza::{Condition, IqType, Kind, MessageType, PresenceType, Stanza};
use xeps::account::{Account, Available, Session, SessionId};
use xeps::delivery::{Delivery, decide, may_ask, nobody};
use xeps::testing::{DOMAIN, World, now_or_never};

/// A session of Juliet.
#[derive(Clone, Copy)]
enum With {
    /// Connected, without presence.
    Quiet,
    /// Available with that priority.
    Priority(i8),
    /// Available, and interested in the roster.
    Interested,
}
use With::*;

/// Juliet with these sessions, whose numbers and resources are 1, 2, 3...
fn juliet(sessions: &[With]) -> Account {
    let user = BareJid::parse(BARE).unwrap();
    let mut account = Account::new(user.clone());
    for (number, with) in (1..).zip(sessions) {
        let mut session = Session::new(SessionId(number), user.with_resource(&number.to_string()).unwrap());
        let priority = match with {
            Quiet => None,
            Priority(priority) => Some(*priority),
            Interested => Some(0),
        };
        let stanza = Stanza::new(PresenceType::Available);
        session.presence = priority.map(|priority| Available { stanza, priority, since: Timestamp::UNIX_EPOCH });
        session.interested = matches!(with, Interested);
        account.sessions.push(session);
    }
    account
}

/// What became of the stanza, with reasons and details left out.
#[derive(Debug, PartialEq)]
enum Fate {
    To(Vec<u64>),
    Offline,
    Unavailable,
    Dropped,
}
use Fate::*;

fn fate(account: &Account, to: &str, kind: impl Into<Kind>) -> Fate {
    let stanza = Stanza::new(kind).with_to(Jid::parse(to).unwrap());
    match decide(account, &stanza) {
        Delivery::Sessions(ids) => To(ids.iter().map(|id| id.0).collect()),
        Delivery::Offline => Offline,
        Delivery::Refuse(error) if error.condition == Condition::ServiceUnavailable => Unavailable,
        Delivery::Ignore(reason) if !reason.is_empty() => Dropped,
        other => panic!("{other:?}"),
    }
}

const BARE: &str = "juliet@example.com";
const FIRST: &str = "juliet@example.com/1";
const GONE: &str = "juliet@example.com/gone";

const MESSAGES: [MessageType; 5] =
    [MessageType::Normal, MessageType::Chat, MessageType::Groupchat, MessageType::Headline, MessageType::Error];
const PRESENCE: [PresenceType; 3] = [PresenceType::Available, PresenceType::Unavailable, PresenceType::Error];
const ANSWERS: [PresenceType; 3] = [PresenceType::Subscribed, PresenceType::Unsubscribe, PresenceType::Unsubscribed];
const IQS: [IqType; 4] = [IqType::Get, IqType::Set, IqType::Result, IqType::Error];

/// Accounts without a session that takes messages.
fn deaf() -> [Account; 4] {
    [juliet(&[]), juliet(&[Quiet]), juliet(&[Priority(-1)]), juliet(&[Priority(-128), Quiet, Priority(-5)])]
}

#[test]
fn messages_to_a_bare_jid_go_to_all_who_listen() {
    let one = juliet(&[Priority(0)]);
    let many = juliet(&[Priority(5), Priority(-1), Quiet, Priority(0), Priority(127)]);
    for kind in [MessageType::Normal, MessageType::Chat, MessageType::Headline] {
        assert_eq!(fate(&one, BARE, kind), To(vec![1]), "{kind:?}");
        assert_eq!(fate(&many, BARE, kind), To(vec![1, 4, 5]), "{kind:?}");
    }
    for account in [one, many] {
        assert_eq!(fate(&account, BARE, MessageType::Groupchat), Unavailable);
        assert_eq!(fate(&account, BARE, MessageType::Error), Dropped);
    }
}

#[test]
fn messages_with_nobody_listening() {
    for account in deaf() {
        for to in [BARE, GONE] {
            let normal = if to == BARE { Offline } else { Unavailable };
            assert_eq!(fate(&account, to, MessageType::Normal), normal);
            assert_eq!(fate(&account, to, MessageType::Chat), Offline);
            assert_eq!(fate(&account, to, MessageType::Groupchat), Unavailable);
            assert_eq!(fate(&account, to, MessageType::Headline), Dropped);
            assert_eq!(fate(&account, to, MessageType::Error), Dropped);
        }
    }
}

#[test]
fn messages_to_a_connected_resource_go_there_alone() {
    for with in [Quiet, Priority(-1), Priority(0)] {
        let account = juliet(&[with, Priority(10)]);
        for kind in MESSAGES {
            assert_eq!(fate(&account, FIRST, kind), To(vec![1]), "{kind:?}");
        }
    }
}

#[test]
fn messages_to_a_lost_resource() {
    let account = juliet(&[Priority(0), Priority(-1), Priority(1)]);
    assert_eq!(fate(&account, GONE, MessageType::Normal), Unavailable, "what was meant for one is for no other");
    assert_eq!(fate(&account, GONE, MessageType::Chat), To(vec![1, 3]));
    assert_eq!(fate(&account, GONE, MessageType::Groupchat), Unavailable);
    assert_eq!(fate(&account, GONE, MessageType::Headline), Dropped);
    assert_eq!(fate(&account, GONE, MessageType::Error), Dropped);
}

#[test]
fn presence_to_a_bare_jid_goes_to_all_who_are_available() {
    let account = juliet(&[Priority(-128), Quiet, Priority(0)]);
    assert_eq!(fate(&account, BARE, PresenceType::Available), To(vec![1, 3]));
    assert_eq!(fate(&account, BARE, PresenceType::Unavailable), To(vec![1, 3]));
    assert_eq!(fate(&account, BARE, PresenceType::Error), Dropped);
    for account in [juliet(&[]), juliet(&[Quiet])] {
        for kind in PRESENCE {
            assert_eq!(fate(&account, BARE, kind), Dropped, "{kind:?}");
        }
    }
}

#[test]
fn presence_to_a_resource() {
    for account in [juliet(&[Quiet, Priority(0)]), juliet(&[Priority(-1), Priority(0)])] {
        for kind in PRESENCE {
            assert_eq!(fate(&account, FIRST, kind), To(vec![1]), "{kind:?}: such as from a room that was joined");
            assert_eq!(fate(&account, GONE, kind), Dropped, "{kind:?}");
        }
    }
}

#[test]
fn subscriptions_concern_the_account_whatever_resource_they_name() {
    let account = juliet(&[Interested, Priority(-1), Quiet]);
    let quiet = juliet(&[Quiet]);
    for to in [BARE, FIRST, GONE] {
        assert_eq!(fate(&account, to, PresenceType::Subscribe), To(vec![1, 2]), "{to}: the available");
        assert_eq!(fate(&quiet, to, PresenceType::Subscribe), Dropped, "{to}: the roster keeps it");
        for kind in ANSWERS {
            assert_eq!(fate(&account, to, kind), To(vec![1]), "{to} {kind:?}: the interested");
            assert_eq!(fate(&quiet, to, kind), Dropped, "{to} {kind:?}");
        }
        assert_eq!(fate(&account, to, PresenceType::Probe), Dropped, "{to}: the server answers");
    }
}

#[test]
fn iqs() {
    for account in [juliet(&[]), juliet(&[Quiet]), juliet(&[Priority(-1)]), juliet(&[Priority(0), Priority(1)])] {
        for to in [BARE, GONE] {
            assert_eq!(fate(&account, to, IqType::Get), Unavailable);
            assert_eq!(fate(&account, to, IqType::Set), Unavailable);
            assert_eq!(fate(&account, to, IqType::Result), Dropped);
            assert_eq!(fate(&account, to, IqType::Error), Dropped);
        }
        for kind in IQS.into_iter().filter(|_| !account.sessions.is_empty()) {
            assert_eq!(fate(&account, FIRST, kind), To(vec![1]), "{kind:?}");
        }
    }
}

#[test]
fn a_stanza_without_to_is_for_the_account() {
    let account = juliet(&[Priority(0)]);
    assert!(matches!(decide(&account, &Stanza::new(MessageType::Chat)), Delivery::Sessions(ids) if ids.len() == 1));
}

/// Section 8.5.3.1: requests reach a session from those alone who may know that it is there.
#[test]
fn whose_requests_reach_a_session() {
    let own = format!("juliet@{DOMAIN}");
    let world = World::new(Vec::new()).with_account("juliet", "secret").with_subscriber(&own, "nurse@example.net");
    let user = BareJid::parse(&own).unwrap();
    let mut session = Session::new(SessionId(1), user.with_resource("1").unwrap());
    session.directed.insert(Jid::parse("room@conference.example.net/Juliet").unwrap());
    let mut account = Account::new(user);
    account.sessions.push(session);
    let asks = |from: &str| now_or_never(may_ask(&account, &world.store, &Jid::parse(from).unwrap())).unwrap();
    for known in [&format!("juliet@{DOMAIN}/2"), DOMAIN, "nurse@example.net/x", "room@conference.example.net/Romeo"] {
        assert!(asks(known), "{known}");
    }
    for stranger in
        ["romeo@example.net/orchard", &format!("paris@{DOMAIN}/x"), "example.net", "other@conference.example.net/x"]
    {
        assert!(!asks(stranger), "{stranger}");
    }
}

/// Section 8.5.1. A probe is answered as a stranger's is by an account that exists.
#[test]
fn nobody_of_that_name() {
    let answer = |kind: Kind| {
        let (from, to) = (Jid::parse("romeo@example.net/orchard").unwrap(), Jid::parse(FIRST).unwrap());
        nobody(&Stanza::new(kind).with_from(from).with_to(to).with_id("1")).map(|stanza| stanza.kind)
    };
    for kind in MESSAGES {
        let expected = (kind != MessageType::Error).then_some(MessageType::Error.into());
        assert_eq!(answer(kind.into()), expected, "{kind:?}");
    }
    for kind in IQS {
        let expected = matches!(kind, IqType::Get | IqType::Set).then_some(IqType::Error.into());
        assert_eq!(answer(kind.into()), expected, "{kind:?}");
    }
    assert_eq!(answer(PresenceType::Probe.into()), Some(PresenceType::Unsubscribed.into()));
    for kind in PRESENCE.into_iter().chain(ANSWERS).chain([PresenceType::Subscribe]) {
        assert_eq!(answer(kind.into()), None, "{kind:?}");
    }
}
