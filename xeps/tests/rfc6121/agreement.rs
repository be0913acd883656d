//! Whatever two people do with their subscriptions, in whatever order: their rosters never contradict each other, what the
//! store keeps is what memory shows, and nobody sees presence without a subscription (RFC 6121 sections 2 to 4).

use crate::verona::{Verona, run};
use proptest::prelude::*;
use xeps::account::{Account, Contact, SessionId};
use xeps::roster::Rosters;

const PEOPLE: [&str; 2] = ["romeo@example.net", "juliet@example.com"];

#[derive(Clone, Copy, Debug)]
enum Deed {
    Presence(&'static str),
    Add,
    Remove,
    /// Goes and comes back, with an empty memory.
    Return,
}

fn deed() -> impl Strategy<Value = (usize, Deed)> {
    let deeds = prop_oneof![
        8 => prop_oneof![
            Just("subscribe"),
            Just("subscribed"),
            Just("unsubscribe"),
            Just("unsubscribed"),
        ]
        .prop_map(Deed::Presence),
        1 => Just(Deed::Add),
        1 => Just(Deed::Remove),
        1 => Just(Deed::Return),
    ];
    (0..2_usize, deeds)
}

fn act(verona: &mut Verona, sessions: &mut [SessionId; 2], who: usize, deed: Deed) {
    let whom = PEOPLE[1 - who];
    let query = |item: &str| format!("<iq type='set' id='s'><query xmlns='jabber:iq:roster'>{item}</query></iq>");
    match deed {
        Deed::Presence(kind) => verona.send(sessions[who], &format!("<presence to='{whom}' type='{kind}'/>")),
        Deed::Add => verona.send(sessions[who], &query(&format!("<item jid='{whom}'/>"))),
        Deed::Remove => verona.send(sessions[who], &query(&format!("<item jid='{whom}' subscription='remove'/>"))),
        Deed::Return => {
            verona.disconnect(sessions[who]);
            verona.sleep(PEOPLE[who]);
            sessions[who] = verona.log_in(&format!("{}/x", PEOPLE[who]));
        }
    }
}

fn contact(verona: &mut Verona, who: usize) -> Option<Contact> {
    let mut account = Account::new(verona.account(PEOPLE[who]).user.clone());
    let stored = run(account.roster(&verona.store)).unwrap().get(PEOPLE[1 - who]).cloned();
    assert_eq!(stored, verona.contact(PEOPLE[who], PEOPLE[1 - who]), "memory shows what the store keeps");
    stored
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn two_rosters_agree(deeds in prop::collection::vec(deed(), 1..25)) {
        let verona = &mut Verona::new(&PEOPLE, || vec![Box::new(Rosters::default()), Box::new(xeps::presence::Presence)]);
        let mut sessions = PEOPLE.map(|who| verona.log_in(&format!("{who}/x")));
        for (who, deed) in deeds {
            act(verona, &mut sessions, who, deed);
            verona.clear();
            let states = [0, 1].map(|who| contact(verona, who).map(|contact| contact.subscription).unwrap_or_default());
            for (one, other) in [(0, 1), (1, 0)] {
                prop_assert_eq!(states[one].to, states[other].from, "{:?}", states);
                prop_assert_eq!(states[one].pending_out, states[other].pending_in, "{:?}", states);
                verona.send(sessions[one], "<presence/>");
                let seen = verona.inbox(sessions[other]).len();
                prop_assert_eq!(seen, usize::from(states[one].from), "{:?}", states);
                verona.clear();
            }
        }
    }
}
