//! The final message of a SCRAM client (RFC 5802 sections 5.1 and 7). The proof is right over what is sent wherever that is possible, so that it
//! is the check in question that refuses.

use wire::sasl::SaslError::{MalformedRequest, NotAuthorized};
use wire::sasl::{Mechanism, SaslError, Step};

use super::support::{PASSWORD, Stage, b64, challenge, failure, nonce, say, signed, success, user};

/// Logs in by hand: `make` gets the nonce and gives the attributes before the proof.
fn final_message(stage: &Stage, mechanism: Mechanism, header: &str, make: impl Fn(&str) -> String) -> Step {
    let bare = "n=juliet,r=fyko";
    let mut exchange = stage.exchange(mechanism);
    let server_first = challenge(say(&mut exchange, format!("{header}{bare}")));
    let message = signed(bare, &server_first, &make(nonce(&server_first)), PASSWORD);
    say(&mut exchange, message)
}

#[test]
fn what_the_rfc_allows_is_taken() {
    let stage = Stage::default();
    let bare = Mechanism::ScramSha256;
    for header in ["n,,", "y,,", "n,a=juliet,", "n,a=Juliet@capulet.lit,"] {
        let identity = success(final_message(&stage, bare, header, |nonce| format!("c={},r={nonce}", b64(header))));
        assert_eq!(user(&identity), "juliet");
        assert_eq!(identity.authzid.as_deref(), header.strip_prefix("n,a=").and_then(|rest| rest.strip_suffix(',')));
    }
    success(final_message(&stage, bare, "n,,", |nonce| format!("c=biws,r={nonce},x=unknown,y=exten=sion")));
}

#[test]
fn a_login_is_bound_to_either_kind_of_channel_data() {
    for (kind, octet) in [("tls-exporter", 0xe0), ("tls-server-end-point", 0x5e)] {
        let header = format!("p={kind},,");
        let bound = |data: &[u8]| {
            let binding = b64([header.as_bytes(), data].concat());
            final_message(&Stage::tls(), Mechanism::ScramSha256Plus, &header, |nonce| format!("c={binding},r={nonce}"))
        };
        assert_eq!(user(&success(bound(&[octet; 32]))), "juliet");
        for other in [&[octet; 31][..], &[octet; 33], &[0; 32], &[]] {
            assert_eq!(failure(&bound(other)), Some(NotAuthorized), "{kind} {other:?}");
        }
    }
}

#[test]
fn a_right_proof_over_the_wrong_words_does_not_help() {
    let tls = Stage::tls();
    let plaintext = Stage::default();
    let exporter = [b"p=tls-exporter,,".as_slice(), &[0xe0; 32]].concat();
    for (stage, mechanism, header, binding) in [
        (&plaintext, Mechanism::ScramSha256, "n,,", b64("y,,")),
        (&plaintext, Mechanism::ScramSha256, "y,,", b64("n,,")),
        (&plaintext, Mechanism::ScramSha256, "n,,", b64("n,a=juliet,")),
        (&plaintext, Mechanism::ScramSha256, "n,a=juliet,", b64("n,,")),
        (&plaintext, Mechanism::ScramSha256, "n,,", b64("n,,x")),
        (&plaintext, Mechanism::ScramSha256, "n,,", String::new()),
        (&tls, Mechanism::ScramSha256, "n,,", b64(&exporter)),
        (&tls, Mechanism::ScramSha256Plus, "p=tls-exporter,,", b64("n,,")),
        (&tls, Mechanism::ScramSha256Plus, "p=tls-exporter,,", b64("p=tls-exporter,,")),
        (&tls, Mechanism::ScramSha256Plus, "p=tls-server-end-point,,", b64(&exporter)),
    ] {
        let step = final_message(stage, mechanism, header, |nonce| format!("c={binding},r={nonce}"));
        assert_eq!(failure(&step), Some(NotAuthorized), "{mechanism} {header} {binding}");
    }
    let other_nonces: [fn(&str) -> String; 5] = [
        |_| "c=biws,r=fyko".into(),
        |nonce| format!("c=biws,r={nonce}x"),
        |nonce| format!("c=biws,r=x{nonce}"),
        |nonce| format!("c=biws,r={}", nonce.to_uppercase()),
        |_| "c=biws,r=".into(),
    ];
    for make in other_nonces {
        assert_eq!(failure(&final_message(&plaintext, Mechanism::ScramSha256, "n,,", make)), Some(NotAuthorized));
    }
}

#[test]
fn other_final_messages_are_malformed() {
    let makers: [fn(&str) -> String; 12] = [
        |nonce| format!("r={nonce},c=biws"),
        |nonce| format!("r={nonce}"),
        |_| "c=biws".into(),
        |nonce| format!("c=biws,r={nonce},"),
        |nonce| format!("c=biws,r={nonce},x"),
        |nonce| format!("c=biws,r={nonce},x=1,x=2"),
        |nonce| format!("c=biws,r={nonce},m=must"),
        |nonce| format!("c=biws,r={nonce},r={nonce}"),
        |nonce| format!("c=biws,x=1,r={nonce}"),
        |nonce| format!("c=biw,r={nonce}"),
        |nonce| format!("c=bi ws,r={nonce}"),
        |nonce| format!("c=biws,r={nonce},p=AAAA"),
    ];
    for (number, make) in makers.into_iter().enumerate() {
        let step = final_message(&Stage::default(), Mechanism::ScramSha256, "n,,", make);
        assert_eq!(failure(&step), Some(MalformedRequest), "{number}");
    }
}

/// Logs in by hand up to the proof and lets `spoil` have the last word.
fn spoilt(spoil: impl Fn(&str) -> String) -> Option<SaslError> {
    let mut exchange = Stage::default().exchange(Mechanism::ScramSha256);
    let server_first = challenge(say(&mut exchange, "n,,n=juliet,r=fyko"));
    let right = signed("n=juliet,r=fyko", &server_first, &format!("c=biws,r={}", nonce(&server_first)), PASSWORD);
    failure(&say(&mut exchange, spoil(&right)))
}

#[test]
fn other_proofs_are_refused() {
    let without = |right: &str| right.rsplit_once(",p=").unwrap().0.to_owned();
    assert_eq!(spoilt(str::to_owned), None);
    assert_eq!(spoilt(|right| format!("{},p={}", without(right), b64([0; 32]))), Some(NotAuthorized));
    assert_eq!(spoilt(|right| format!("{},p={}", without(right), b64([0; 31]))), Some(MalformedRequest));
    assert_eq!(spoilt(|right| format!("{},p={}", without(right), b64([0; 64]))), Some(MalformedRequest));
    assert_eq!(spoilt(|right| format!("{},p=", without(right))), Some(MalformedRequest));
    assert_eq!(spoilt(|right| without(right)), Some(MalformedRequest));
    assert_eq!(spoilt(|right| format!("{right},x=1")), Some(MalformedRequest));
    assert_eq!(spoilt(|right| format!("{right}\n")), Some(MalformedRequest));
    assert_eq!(spoilt(|right| right.trim_end_matches('=').to_owned()), Some(MalformedRequest));
    assert_eq!(
        spoilt(|right| format!("{},x=1{}", without(right), &right[right.rfind(",p=").unwrap()..])),
        Some(NotAuthorized)
    );
    assert_eq!(spoilt(|_| String::new()), Some(MalformedRequest));
}

#[test]
fn a_proof_is_good_for_one_exchange() {
    let mut first = Stage::default().exchange(Mechanism::ScramSha256);
    let server_first = challenge(say(&mut first, "n,,n=juliet,r=fyko"));
    let message = signed("n=juliet,r=fyko", &server_first, &format!("c=biws,r={}", nonce(&server_first)), PASSWORD);
    success(say(&mut first, &message));
    assert_eq!(failure(&say(&mut first, &message)), Some(MalformedRequest), "over is over");

    let mut second = Stage { nonce: 2, ..Stage::default() }.exchange(Mechanism::ScramSha256);
    challenge(say(&mut second, "n,,n=juliet,r=fyko"));
    assert_eq!(failure(&say(&mut second, &message)), Some(NotAuthorized), "replayed");
}
