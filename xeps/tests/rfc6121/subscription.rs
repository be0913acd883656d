//! The tables of RFC 6121 appendix A, row by row, held against the rules of `xeps::roster::subscription`.

use xeps::account::Subscription;
use xeps::roster::subscription::{Fate, Inbound, Outbound, Verb, inbound, outbound};

const NONE: Subscription =
    Subscription { to: false, from: false, pending_out: false, pending_in: false, approved: false };
const NONE_OUT: Subscription = Subscription { pending_out: true, ..NONE };
const NONE_IN: Subscription = Subscription { pending_in: true, ..NONE };
const NONE_OUT_IN: Subscription = Subscription { pending_out: true, pending_in: true, ..NONE };
const TO: Subscription = Subscription { to: true, ..NONE };
const TO_IN: Subscription = Subscription { pending_in: true, ..TO };
const FROM: Subscription = Subscription { from: true, ..NONE };
const FROM_OUT: Subscription = Subscription { pending_out: true, ..FROM };
const BOTH: Subscription = Subscription { to: true, from: true, ..NONE };

/// Appendix A.1, in its order.
const STATES: [Subscription; 9] = [NONE, NONE_OUT, NONE_IN, NONE_OUT_IN, TO, TO_IN, FROM, FROM_OUT, BOTH];
const VERBS: [Verb; 4] = [Verb::Subscribe, Verb::Subscribed, Verb::Unsubscribe, Verb::Unsubscribed];

fn approved(state: Subscription) -> Subscription {
    Subscription { approved: true, ..state }
}

/// Each row: whether the stanza is routed, and the new state, for the nine states in order.
fn check_outbound(verb: Verb, rows: [(&str, Subscription); 9]) {
    for (state, (route, new)) in STATES.into_iter().zip(rows) {
        let expected = Outbound { state: new, route: route == "MUST" };
        assert_eq!(outbound(verb, state), expected, "{verb:?} in {state:?}");
    }
}

/// Each row: whether the stanza is delivered, or answered by the server instead, and the new state.
fn check_inbound(verb: Verb, rows: [(&str, Subscription); 9]) {
    for (state, (fate, new)) in STATES.into_iter().zip(rows) {
        check_one(verb, state, fate, new);
    }
}

fn check_one(verb: Verb, state: Subscription, expected: &str, new: Subscription) {
    let Inbound { state: after, fate } = inbound(verb, state);
    let fate = match fate {
        Fate::Deliver => "MUST",
        Fate::Approve => "reply",
        Fate::Ignore(reason) => {
            assert!(!reason.is_empty());
            "MUST NOT"
        }
    };
    assert_eq!((fate, after), (expected, new), "{verb:?} in {state:?}");
}

#[test]
fn a_2_1_outbound_subscribe() {
    check_outbound(
        Verb::Subscribe,
        [
            ("MUST", NONE_OUT),
            ("MUST", NONE_OUT),
            ("MUST", NONE_OUT_IN),
            ("MUST", NONE_OUT_IN),
            ("MUST", TO),
            ("MUST", TO_IN),
            ("MUST", FROM_OUT),
            ("MUST", FROM_OUT),
            ("MUST", BOTH),
        ],
    );
}

#[test]
fn a_2_2_outbound_unsubscribe() {
    check_outbound(
        Verb::Unsubscribe,
        [
            ("MUST", NONE),
            ("MUST", NONE),
            ("MUST", NONE_IN),
            ("MUST", NONE_IN),
            ("MUST", NONE),
            ("MUST", NONE_IN),
            ("MUST", FROM),
            ("MUST", FROM),
            ("MUST", FROM),
        ],
    );
}

#[test]
fn a_2_3_outbound_subscribed() {
    check_outbound(
        Verb::Subscribed,
        [
            ("MUST NOT", approved(NONE)),
            ("MUST NOT", approved(NONE_OUT)),
            ("MUST", FROM),
            ("MUST", FROM_OUT),
            ("MUST NOT", approved(TO)),
            ("MUST", BOTH),
            ("MUST NOT", FROM),
            ("MUST NOT", FROM_OUT),
            ("MUST NOT", BOTH),
        ],
    );
}

#[test]
fn a_2_4_outbound_unsubscribed() {
    check_outbound(
        Verb::Unsubscribed,
        [
            ("MUST NOT", NONE),
            ("MUST NOT", NONE_OUT),
            ("MUST", NONE),
            ("MUST", NONE_OUT),
            ("MUST NOT", TO),
            ("MUST", TO),
            ("MUST", NONE),
            ("MUST", NONE_OUT),
            ("MUST", TO),
        ],
    );
}

#[test]
fn a_3_1_inbound_subscribe() {
    check_inbound(
        Verb::Subscribe,
        [
            ("MUST", NONE_IN),
            ("MUST", NONE_OUT_IN),
            ("MUST NOT", NONE_IN),
            ("MUST NOT", NONE_OUT_IN),
            ("MUST", TO_IN),
            ("MUST NOT", TO_IN),
            ("reply", FROM),
            ("reply", FROM_OUT),
            ("reply", BOTH),
        ],
    );
}

#[test]
fn a_3_2_inbound_unsubscribe() {
    check_inbound(
        Verb::Unsubscribe,
        [
            ("MUST NOT", NONE),
            ("MUST NOT", NONE_OUT),
            ("MUST", NONE),
            ("MUST", NONE_OUT),
            ("MUST NOT", TO),
            ("MUST", TO),
            ("MUST", NONE),
            ("MUST", NONE_OUT),
            ("MUST", TO),
        ],
    );
}

#[test]
fn a_3_3_inbound_subscribed() {
    check_inbound(
        Verb::Subscribed,
        [
            ("MUST NOT", NONE),
            ("MUST", TO),
            ("MUST NOT", NONE_IN),
            ("MUST", TO_IN),
            ("MUST NOT", TO),
            ("MUST NOT", TO_IN),
            ("MUST NOT", FROM),
            ("MUST", BOTH),
            ("MUST NOT", BOTH),
        ],
    );
}

#[test]
fn a_3_4_inbound_unsubscribed() {
    check_inbound(
        Verb::Unsubscribed,
        [
            ("MUST NOT", NONE),
            ("MUST", NONE),
            ("MUST NOT", NONE_IN),
            ("MUST", NONE_IN),
            ("MUST", NONE),
            ("MUST", NONE_IN),
            ("MUST NOT", FROM),
            ("MUST", FROM),
            ("MUST", FROM),
        ],
    );
}

/// Section 3.4.
#[test]
fn a_request_that_was_approved_beforehand_is_granted() {
    for (state, new) in [(NONE, FROM), (NONE_OUT, FROM_OUT), (TO, BOTH)] {
        check_one(Verb::Subscribe, approved(state), "reply", approved(new));
    }
}

#[test]
fn an_approval_ends_with_unsubscribed_and_with_nothing_else() {
    for state in STATES.map(approved) {
        for verb in VERBS {
            assert_eq!(outbound(verb, state).state.approved, verb != Verb::Unsubscribed, "{verb:?}");
            assert!(inbound(verb, state).state.approved, "{verb:?}");
        }
    }
}

/// Whatever comes in whatever order: nobody both has and awaits a subscription.
#[test]
fn no_tenth_state_can_be_reached() {
    for state in STATES.into_iter().flat_map(|state| [state, approved(state)]) {
        for verb in VERBS {
            for after in [outbound(verb, state).state, inbound(verb, state).state] {
                let plain = Subscription { approved: false, ..after };
                assert!(STATES.contains(&plain), "{verb:?} in {state:?} leads to {after:?}");
            }
        }
    }
}
