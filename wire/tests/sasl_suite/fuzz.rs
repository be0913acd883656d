//! Whatever the network sends, nothing panics and nobody gets in without a proof.

use proptest::prelude::*;
use wire::sasl::client::{Binding, Client, Login};
use wire::sasl::{Credentials, Mechanism, Password, Step, Verdict};

use super::support::{PASSWORD, Stage, challenge, nonce, say, signed};

fn mechanism() -> impl Strategy<Value = Mechanism> {
    prop::sample::select(Mechanism::ALL.to_vec())
}

/// Octets of all kinds, and texts made of what SCRAM's grammar is made of.
fn message() -> impl Strategy<Value = Vec<u8>> {
    let words = prop::sample::select(vec![
        "n",
        "y",
        "p=tls-exporter",
        "p=",
        ",",
        ",,",
        "a=",
        "n=",
        "r=",
        "c=",
        "p=",
        "m=",
        "x=",
        "=2C",
        "=3D",
        "=",
        "juliet",
        "@",
        "capulet.lit",
        "fyko",
        "biws",
        "AAAA",
        "\0",
        " ",
        "\u{e4}",
    ]);
    prop_oneof![
        prop::collection::vec(any::<u8>(), 0..64),
        prop::collection::vec(words, 0..16).prop_map(|words| words.concat().into_bytes()),
    ]
}

#[derive(Clone, Debug)]
enum Call {
    Begin,
    Say(Vec<u8>),
    Keys,
    Password,
}

fn call() -> impl Strategy<Value = Call> {
    prop_oneof![
        1 => Just(Call::Begin),
        4 => message().prop_map(Call::Say),
        2 => Just(Call::Keys),
        1 => Just(Call::Password),
    ]
}

proptest! {
    #[test]
    fn no_sequence_of_calls_panics_or_lets_anybody_in(mechanism in mechanism(), calls in prop::collection::vec(call(), 0..6)) {
        let mut exchange = Stage::tls().exchange(mechanism);
        for call in calls {
            let step = match call {
                Call::Begin => exchange.start(None),
                Call::Say(message) => exchange.respond(&message),
                Call::Keys => exchange.keys(None),
                Call::Password => exchange.password(Verdict::Refused),
            };
            let harmless = mechanism == Mechanism::Anonymous || !matches!(step, Step::Success(_));
            prop_assert!(harmless, "{mechanism} {step:?}");
        }
    }

    #[test]
    fn a_final_message_with_one_octet_changed_logs_nobody_in(at in any::<prop::sample::Index>(), to in any::<u8>()) {
        let mut exchange = Stage::default().exchange(Mechanism::ScramSha256);
        let server_first = challenge(say(&mut exchange, "n,,n=juliet,r=fyko"));
        let right = signed("n=juliet,r=fyko", &server_first, &format!("c=biws,r={}", nonce(&server_first)), PASSWORD).into_bytes();
        let mut changed = right.clone();
        changed[at.index(right.len())] = to;
        let step = say(&mut exchange, &changed);
        prop_assert_eq!(matches!(step, Step::Success(_)), changed == right);
    }

    #[test]
    fn names_survive_the_escapes(name in "[a-zA-Z0-9=,.;!-]{1,40}") {
        let login = Login::Password { username: name.clone(), password: Password::new("x".into()) };
        let mut client = Client::new(Mechanism::ScramSha1, login, Binding::Unsupported).unwrap();
        let step = Stage::default().exchange(Mechanism::ScramSha1).respond(&client.initial());
        let asked = matches!(&step, Step::NeedKeys { username, .. } if *username == name);
        prop_assert!(asked, "{step:?}");
    }

    #[test]
    fn stored_credentials_of_any_content_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        let mut versioned = vec![1];
        versioned.extend(&bytes);
        for bytes in [bytes, versioned] {
            if let Ok(credentials) = Credentials::from_bytes(&bytes) {
                prop_assert_eq!(credentials.to_bytes(), bytes);
            }
        }
    }
}
