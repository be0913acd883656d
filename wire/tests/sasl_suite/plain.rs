//! PLAIN (RFC 4616): one message, and all the ways to get it wrong.

use wire::sasl::{Mechanism, SaslError, Step, Verdict};

use super::support::{PASSWORD, Stage, failure, say, success, user};

fn plain(message: &str) -> Step {
    say(&mut Stage::default().exchange(Mechanism::Plain), message)
}

#[test]
fn juliet_may_act_as_herself() {
    for (authzid, kept) in [("", None), ("juliet", Some("juliet")), ("Juliet@capulet.lit", Some("Juliet@capulet.lit"))]
    {
        let identity = success(plain(&format!("{authzid}\0juliet\0{PASSWORD}")));
        assert_eq!(user(&identity), "juliet");
        assert_eq!(identity.authzid.as_deref(), kept);
        assert_eq!(identity.additional_data, None);
    }
}

#[test]
fn juliet_may_not_act_as_another_even_with_her_password() {
    for authzid in ["romeo", "romeo@capulet.lit", "juliet@montague.lit", "juliet@capulet.lit/balcony", "@", " "] {
        let step = plain(&format!("{authzid}\0juliet\0{PASSWORD}"));
        assert_eq!(failure(&step), Some(SaslError::InvalidAuthzid), "{authzid:?}");
    }
}

#[test]
fn other_messages_are_malformed() {
    let long = format!("\0juliet\0{}", "x".repeat(4096));
    for message in [
        "",
        "juliet",
        "juliet\0secret",
        "\0\0",
        "\0juliet\0",
        "\0\0secret",
        "juliet\0\0secret",
        "\0juliet\0secret\0",
        "\0juliet\0secret\0extra",
        &long,
    ] {
        assert_eq!(failure(&plain(message)), Some(SaslError::MalformedRequest), "{message:?}");
    }
    let step = say(&mut Stage::default().exchange(Mechanism::Plain), b"\0juliet\0\xff\xfe");
    assert_eq!(failure(&step), Some(SaslError::MalformedRequest));
}

#[test]
fn names_that_cannot_be_accounts_are_not_looked_up() {
    for name in [
        "ju liet",
        "juliet/balcony",
        "jul@iet@capulet.lit",
        "<juliet>",
        "juliet@",
        "@capulet.lit",
        "ju\nliet",
        "\u{a0}juliet",
    ] {
        let step = Stage::default().exchange(Mechanism::Plain).respond(format!("\0{name}\0secret").as_bytes());
        assert_eq!(failure(&step), Some(SaslError::NotAuthorized), "{name:?}");
    }
}

#[test]
fn the_password_goes_to_the_driver_as_it_was_typed() {
    let step = Stage::default().exchange(Mechanism::Plain).respond("\0Juliet@capulet.lit\0 p\u{e4}ss ".as_bytes());
    let Step::CheckPassword { username, password } = step else { panic!("{step:?}") };
    assert_eq!((username.as_str(), password.as_str()), ("Juliet", " p\u{e4}ss "));
}

#[test]
fn the_verdict_decides() {
    for (verdict, error) in [
        (Verdict::Accepted, None),
        (Verdict::Refused, Some(SaslError::NotAuthorized)),
        (Verdict::Disabled, Some(SaslError::AccountDisabled)),
        (Verdict::Expired, Some(SaslError::CredentialsExpired)),
        (Verdict::Unavailable, Some(SaslError::TemporaryAuthFailure)),
    ] {
        let mut exchange = Stage::default().exchange(Mechanism::Plain);
        exchange.respond(b"\0juliet\0secret");
        assert_eq!(failure(&exchange.password(verdict)), error, "{verdict:?}");
        assert_eq!(exchange.refusal().is_some(), error.is_some());
        // Over is over: a second verdict does not turn the outcome.
        assert!(failure(&exchange.password(Verdict::Accepted)).is_some());
    }
}

#[test]
fn a_second_message_ends_the_attempt() {
    let mut exchange = Stage::default().exchange(Mechanism::Plain);
    exchange.respond(b"\0juliet\0wrong");
    assert_eq!(failure(&exchange.respond(b"\0juliet\0other")), Some(SaslError::MalformedRequest));
    assert!(failure(&exchange.password(Verdict::Accepted)).is_some());
}

#[test]
fn without_an_initial_response_the_client_is_asked_for_it() {
    for mechanism in Mechanism::ALL.into_iter().filter(|mechanism| *mechanism != Mechanism::Anonymous) {
        let step = Stage::tls().exchange(mechanism).start(None);
        assert!(matches!(&step, Step::Challenge(empty) if empty.is_empty()), "{mechanism}: {step:?}");
    }
    let mut exchange = Stage::default().exchange(Mechanism::Plain);
    exchange.start(None);
    assert_eq!(user(&success(say(&mut exchange, format!("\0juliet\0{PASSWORD}")))), "juliet");
}
