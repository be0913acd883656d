//! The first message of a SCRAM client (RFC 5802 sections 5.1, 6 and 7): what is taken and what is refused at once.

use wire::sasl::SaslError::{InvalidAuthzid, MalformedRequest, NotAuthorized};
use wire::sasl::{ChannelBindings, Hash, Mechanism, SaslError, Step};

use super::support::{Stage, challenge, failure, nonce, say};

fn refusal(stage: &Stage, mechanism: Mechanism, message: impl AsRef<[u8]>) -> Option<SaslError> {
    failure(&stage.exchange(mechanism).respond(message.as_ref()))
}

#[test]
fn the_driver_is_asked_for_the_keys_of_the_name_as_it_was_spelt() {
    for (message, name) in [
        ("n,,n=juliet,r=abc", "juliet"),
        ("n,,n=Juliet,r=abc", "Juliet"),
        ("n,,n=jul=2Ci=3Det,r=abc", "jul,i=et"),
        ("n,,n=juliet@capulet.lit,r=abc", "juliet"),
        ("y,,n=juliet,r=abc", "juliet"),
        ("n,a=juliet,n=juliet,r=abc", "juliet"),
        ("n,a=juliet@Capulet.lit,n=JULIET,r=abc", "JULIET"),
        ("n,a=jul=2Ciet,n=jul=2Ciet,r=abc", "jul,iet"),
        ("n,,n=juliet,r=abc,x=unknown,y=extension=s", "juliet"),
        ("n,,n=juliet,r=!\"#$%&'()*+-./09:;<=>?@AZ[\\]^_`az{|}~", "juliet"),
    ] {
        let step = Stage::default().exchange(Mechanism::ScramSha256).respond(message.as_bytes());
        assert!(
            matches!(&step, Step::NeedKeys { username, hash: Hash::Sha256 } if username == name),
            "{message}: {step:?}"
        );
    }
}

#[test]
fn other_first_messages_are_refused() {
    let long = format!("n,,n=juliet,r={}", "x".repeat(4096));
    for (message, error) in [
        ("", MalformedRequest),
        ("n", MalformedRequest),
        ("n,,", MalformedRequest),
        ("n=juliet,r=abc", MalformedRequest),
        (",,n=juliet,r=abc", MalformedRequest),
        ("z,,n=juliet,r=abc", MalformedRequest),
        ("n,juliet,n=juliet,r=abc", MalformedRequest),
        ("n,a=,n=juliet,r=abc", MalformedRequest),
        ("n,,r=abc,n=juliet", MalformedRequest),
        ("n,,n=juliet", MalformedRequest),
        ("n,,n=juliet,r=", MalformedRequest),
        ("n,,n=,r=abc", MalformedRequest),
        ("n,,n=juliet,r=a\u{e4}c", MalformedRequest),
        ("n,,n=juliet,r=a\tc", MalformedRequest),
        ("n,,n=juliet,n=juliet,r=abc", MalformedRequest),
        ("n,,n=juliet,r=abc,r=abc", MalformedRequest),
        ("n,,n=juliet,r=abc,c=biws", MalformedRequest),
        ("n,,n=juliet,r=abc,x=1,x=1", MalformedRequest),
        ("n,,n=juliet,r=abc,", MalformedRequest),
        ("n,,m=must,n=juliet,r=abc", MalformedRequest),
        ("n,,n=juliet,r=abc,m=must", MalformedRequest),
        ("n,,n=jul=iet,r=abc", MalformedRequest),
        ("n,,n=jul=2ciet,r=abc", MalformedRequest),
        ("n,,n=juliet\0,r=abc", MalformedRequest),
        (&long, MalformedRequest),
        ("n,,n=ju liet,r=abc", NotAuthorized),
        ("n,,n=juliet@montague.lit,r=abc", NotAuthorized),
        ("n,,n=juliet/balcony,r=abc", NotAuthorized),
        ("n,a=romeo,n=juliet,r=abc", InvalidAuthzid),
        ("n,a=romeo@capulet.lit,n=juliet,r=abc", InvalidAuthzid),
        ("n,a=juliet@montague.lit,n=juliet,r=abc", InvalidAuthzid),
        ("n,a=juliet@capulet.lit/balcony,n=juliet,r=abc", InvalidAuthzid),
        ("n,a=juliet=2C,n=juliet,r=abc", InvalidAuthzid),
    ] {
        assert_eq!(refusal(&Stage::default(), Mechanism::ScramSha256, message), Some(error), "{message:?}");
    }
    assert_eq!(refusal(&Stage::default(), Mechanism::ScramSha256, b"n,,n=\xff,r=abc"), Some(MalformedRequest));
}

#[test]
fn the_flag_must_fit_the_mechanism_the_connection_and_the_offer() {
    use Mechanism::{ScramSha256 as Bare, ScramSha256Plus as Plus};
    let plaintext = Stage::default();
    let tls = Stage::tls();
    let no_exporter =
        Stage { bindings: ChannelBindings { exporter: None, server_end_point: Some(vec![0x5e; 32]) }, ..Stage::tls() };
    // Another hash's -PLUS was offered: who supports channel binding would have seen it.
    let other_plus = Stage { offered: vec![Mechanism::ScramSha1Plus, Bare], ..Stage::tls() };
    let empty_data =
        Stage { bindings: ChannelBindings { exporter: Some(Vec::new()), server_end_point: None }, ..Stage::tls() };
    for (stage, mechanism, flag, error) in [
        (&plaintext, Bare, "n", None),
        (&plaintext, Bare, "y", None),
        (&plaintext, Bare, "p=tls-exporter", Some(MalformedRequest)),
        (&plaintext, Plus, "p=tls-exporter", Some(MalformedRequest)),
        (&tls, Bare, "n", None),
        (&tls, Bare, "y", Some(NotAuthorized)),
        (&other_plus, Bare, "y", Some(NotAuthorized)),
        (&tls, Bare, "p=tls-exporter", Some(MalformedRequest)),
        (&tls, Plus, "n", Some(MalformedRequest)),
        (&tls, Plus, "y", Some(MalformedRequest)),
        (&tls, Plus, "p=tls-exporter", None),
        (&tls, Plus, "p=tls-server-end-point", None),
        (&tls, Plus, "p=tls-unique", Some(MalformedRequest)),
        (&tls, Plus, "p=TLS-EXPORTER", Some(MalformedRequest)),
        (&tls, Plus, "p=", Some(MalformedRequest)),
        (&tls, Plus, "p", Some(MalformedRequest)),
        (&no_exporter, Plus, "p=tls-exporter", Some(MalformedRequest)),
        (&no_exporter, Plus, "p=tls-server-end-point", None),
        (&empty_data, Plus, "p=tls-exporter", Some(MalformedRequest)),
    ] {
        assert_eq!(refusal(stage, mechanism, format!("{flag},,n=juliet,r=abc")), error, "{mechanism} {flag}");
    }
}

#[test]
fn the_reason_is_for_the_log() {
    let mut exchange = Stage::tls().exchange(Mechanism::ScramSha256);
    exchange.respond(b"y,,n=juliet,r=abc");
    assert_eq!(exchange.refusal(), Some("server-does-support-channel-binding"));
    exchange.respond(b"again");
    assert_eq!(exchange.refusal(), Some("server-does-support-channel-binding"), "the first reason stays");
}

#[test]
fn the_nonce_continues_the_clients_and_is_never_the_same() {
    let server_first = |octet| {
        let stage = Stage { nonce: octet, ..Stage::default() };
        challenge(say(&mut stage.exchange(Mechanism::ScramSha256), "n,,n=juliet,r=abc"))
    };
    let (one, two) = (server_first(1), server_first(2));
    assert!(nonce(&one).starts_with("abc") && nonce(&one).len() == 3 + 32);
    assert_ne!(nonce(&one), nonce(&two));
    let (_, rest) = one.split_once(',').unwrap();
    assert!(rest.starts_with("s=EREREREREREREREREREREQ==,i=30,h="), "{rest}");
}

#[test]
fn out_of_turn_is_the_end() {
    let stage = Stage::default();
    let mut exchange = stage.exchange(Mechanism::ScramSha256);
    exchange.respond(b"n,,n=juliet,r=abc");
    assert_eq!(
        failure(&exchange.respond(b"n,,n=juliet,r=abc")),
        Some(MalformedRequest),
        "while the keys are looked up"
    );
    assert!(failure(&exchange.keys(None)).is_some());

    let mut exchange = stage.exchange(Mechanism::ScramSha256);
    assert_eq!(failure(&exchange.keys(None)), Some(SaslError::TemporaryAuthFailure), "nobody asked");

    let mut exchange = stage.exchange(Mechanism::ScramSha256);
    exchange.respond(b"n,,n=juliet,r=abc");
    let other = super::support::account("juliet").unwrap().keys(Hash::Sha1).cloned();
    assert_eq!(failure(&exchange.keys(other)), Some(SaslError::TemporaryAuthFailure), "keys of another hash");
}
