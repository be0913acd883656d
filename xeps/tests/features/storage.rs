//! What users keep on the server: private XML (XEP-0049) and vCards (XEP-0054).

use wire::datetime::Timestamp;
use xeps::testing::{World, canonical};
use xeps::{Settings, features};

const HAMLET: &str = "hamlet@example.org/denmark";
const MACBETH: &str = "macbeth@example.org/scotland";

fn world_with(settings: Settings) -> World {
    World::new(features(settings))
        .with_account("hamlet", "secret")
        .with_account("macbeth", "secret")
        .with_session(HAMLET)
        .with_session(MACBETH)
}

fn world() -> World {
    world_with(Settings::new(Timestamp::UNIX_EPOCH))
}

fn private(kind: &str, content: &str) -> String {
    format!("<iq type='{kind}' id='1'><query xmlns='jabber:iq:private'>{content}</query></iq>")
}

const PREFS: &str = "<exodus xmlns='exodus:prefs'><defaultnick>Hamlet</defaultnick></exodus>";

#[test]
fn private_data_comes_back_as_it_was_stored() {
    let mut world = world();
    let done = canonical("<iq type='result' id='1' to='hamlet@example.org/denmark'/>");
    assert_eq!(world.asks(HAMLET, &private("set", PREFS)), done);
    let expected =
        format!("<iq type='result' id='1' to='{HAMLET}'><query xmlns='jabber:iq:private'>{PREFS}</query></iq>");
    assert_eq!(world.asks(HAMLET, &private("get", "<exodus xmlns='exodus:prefs'/>")), canonical(&expected));
}

#[test]
fn private_data_that_was_never_stored_is_empty_and_storing_emptiness_deletes() {
    let mut world = world();
    let nothing =
        private("result", "<exodus xmlns='exodus:prefs'/>").replace("id='1'", &format!("id='1' to='{HAMLET}'"));
    let get = private("get", "<exodus xmlns='exodus:prefs'/>");
    assert_eq!(world.asks(HAMLET, &get), canonical(&nothing));
    world.asks(HAMLET, &private("set", PREFS));
    world.asks(HAMLET, &private("set", "<exodus xmlns='exodus:prefs'/>"));
    assert_eq!(world.asks(HAMLET, &get), canonical(&nothing));
}

#[test]
fn private_elements_of_one_namespace_are_apart() {
    let mut world = world();
    world.asks(HAMLET, &private("set", "<a xmlns='x'>1</a><b xmlns='x'>2</b>"));
    let answer = world.asks(HAMLET, &private("get", "<b xmlns='x'/>"));
    assert!(answer.contains(">2</b>") && !answer.contains(">1</a>"), "{answer}");
    let both = world.asks(HAMLET, &private("get", "<a xmlns='x'/><b xmlns='x'/>"));
    assert!(both.contains(">1</a>") && both.contains(">2</b>"), "{both}");
    let often = world.asks(HAMLET, &private("get", &"<a xmlns='x'/><b xmlns='x'/>".repeat(3)));
    assert_eq!(often, both, "each once, however often it is asked for");
}

#[test]
fn private_requests_that_make_no_sense_are_refused() {
    let mut world = world();
    for (request, condition) in [
        (private("get", ""), "not-acceptable"),
        (private("set", ""), "not-acceptable"),
        (private("set", "<a xmlns='jabber:client'/>"), "not-acceptable"),
        (private("get", "<query/>"), "not-acceptable"),
        (private("get", "<a xmlns='x'/><b xmlns='y'/>"), "bad-request"),
        (private("get", &format!("<{} xmlns='x'/>", "a".repeat(2000))), "not-acceptable"),
    ] {
        let answer = world.asks(HAMLET, &request);
        assert!(answer.contains(&format!("<{condition} ")), "{request}: {answer}");
    }
}

#[test]
fn private_data_is_private() {
    let mut world = world();
    world.asks(HAMLET, &private("set", PREFS));
    for kind in ["get", "set"] {
        for victim in ["hamlet@example.org", "nobody@example.org"] {
            let request = private(kind, PREFS).replace("id='1'", &format!("id='1' to='{victim}'"));
            let answer = world.asks(MACBETH, &request);
            assert!(answer.contains("<forbidden "), "{answer}");
        }
    }
}

#[test]
fn private_data_is_bounded() {
    let mut settings = Settings::new(Timestamp::UNIX_EPOCH);
    settings.private.max_items = 2;
    settings.private.max_bytes = 200;
    let mut world = world_with(settings);
    assert!(world.asks(HAMLET, &private("set", "<a xmlns='x'>1</a>")).contains("type='result'"));
    assert!(world.asks(HAMLET, &private("set", "<b xmlns='x'>1</b>")).contains("type='result'"));
    let third = world.asks(HAMLET, &private("set", "<c xmlns='x'>1</c>"));
    assert!(third.contains("<policy-violation "), "{third}");
    assert!(world.asks(HAMLET, &private("set", "<a xmlns='x'>other</a>")).contains("type='result'"), "no third one");
    let large = world.asks(HAMLET, &private("set", &format!("<a xmlns='x'>{}</a>", "x".repeat(300))));
    assert!(large.contains("<policy-violation "), "{large}");
    assert!(world.asks(HAMLET, &private("get", "<a xmlns='x'/>")).contains(">other<"), "nothing was changed");
    assert!(world.asks(MACBETH, &private("set", "<c xmlns='x'>1</c>")).contains("type='result'"), "each has his own");
}

const CARD: &str = "<vCard xmlns='vcard-temp'><FN>Hamlet</FN><PHOTO><TYPE>image/png</TYPE></PHOTO></vCard>";
const ASK: &str = "<iq type='get' id='1' to='hamlet@example.org'><vCard xmlns='vcard-temp'/></iq>";

fn set_card(card: &str) -> String {
    format!("<iq type='set' id='1'>{card}</iq>")
}

#[test]
fn everybody_may_read_a_vcard() {
    let mut world = world();
    assert!(world.asks(HAMLET, &set_card(CARD)).contains("type='result'"));
    for reader in [HAMLET, MACBETH, "fortinbras@example.net/norway"] {
        let expected = format!("<iq type='result' id='1' from='hamlet@example.org' to='{reader}'>{CARD}</iq>");
        assert_eq!(world.asks(reader, ASK), canonical(&expected));
    }
}

#[test]
fn a_missing_vcard_looks_like_a_missing_account() {
    let mut world = world();
    let missing = world.asks("fortinbras@example.net/norway", ASK);
    assert!(missing.contains("<service-unavailable "), "{missing}");
    let nobody = world.asks("fortinbras@example.net/norway", &ASK.replace("hamlet", "yorick"));
    assert_eq!(nobody.replace("yorick", "hamlet"), missing);
    assert!(world.asks(HAMLET, &ASK.replace(" to='hamlet@example.org'", "")).contains("<item-not-found "));
}

#[test]
fn only_the_owner_writes_a_vcard() {
    let mut world = world();
    for victim in ["hamlet@example.org", "yorick@example.org"] {
        let answer = world.asks(MACBETH, &set_card(CARD).replace("id='1'", &format!("id='1' to='{victim}'")));
        assert!(answer.contains("<forbidden "), "{answer}");
    }
}

#[test]
fn a_vcard_is_replaced_as_a_whole_and_an_empty_one_is_none() {
    let mut world = world();
    world.asks(HAMLET, &set_card(CARD));
    world.asks(HAMLET, &set_card("<vCard xmlns='vcard-temp'><NICKNAME>Ham</NICKNAME></vCard>"));
    let answer = world.asks(MACBETH, ASK);
    assert!(answer.contains("<NICKNAME>Ham<") && !answer.contains("<FN>"), "{answer}");
    world.asks(HAMLET, &set_card("<vCard xmlns='vcard-temp'/>"));
    assert!(world.asks(MACBETH, ASK).contains("<service-unavailable "));
}

#[test]
fn a_vcard_is_bounded() {
    let mut settings = Settings::new(Timestamp::UNIX_EPOCH);
    settings.vcard.max_bytes = 100;
    let large = format!("<vCard xmlns='vcard-temp'><FN>{}</FN></vCard>", "x".repeat(100));
    let answer = world_with(settings).asks(HAMLET, &set_card(&large));
    assert!(answer.contains("<policy-violation "), "{answer}");
}
