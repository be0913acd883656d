//! EXTERNAL (XEP-0178) and ANONYMOUS (RFC 4505): no secret is exchanged.

use wire::sasl::client::{Binding, Client, Login};
use wire::sasl::{Mechanism, Principal, SaslError, Step};

use super::support::{Stage, failure, log_in, success};

fn external(identities: &[&str], authzid: &str) -> Step {
    let stage = Stage { identities: identities.iter().map(|identity| identity.to_string()).collect(), ..Stage::tls() };
    stage.exchange(Mechanism::External).start(Some(authzid.as_bytes()))
}

#[test]
fn a_certificate_speaks_for_the_identities_it_proves() {
    let juliet = Principal::User("juliet".into());
    let montague = Principal::Server("montague.lit".into());
    for (identities, authzid, expected) in [
        (&["juliet@capulet.lit"][..], "", &juliet),
        (&["juliet@capulet.lit"], "juliet@capulet.lit", &juliet),
        (&["juliet@capulet.lit"], "Juliet@CAPULET.lit", &juliet),
        (&["nurse@capulet.lit", "juliet@capulet.lit"], "juliet@capulet.lit", &juliet),
        // Only one of the two can be an account here.
        (&["juliet@montague.lit", "juliet@capulet.lit"], "", &juliet),
        (&["montague.lit"], "", &montague),
        (&["montague.lit", "chat.montague.lit"], "Montague.lit", &montague),
    ] {
        let identity = success(external(identities, authzid));
        assert_eq!(&identity.principal, expected, "{identities:?} {authzid}");
        assert_eq!(identity.authzid.as_deref(), Some(authzid).filter(|authzid| !authzid.is_empty()));
    }
}

#[test]
fn and_for_no_others() {
    for (identities, authzid, error) in [
        (&[][..], "", SaslError::NotAuthorized),
        (&[], "juliet@capulet.lit", SaslError::NotAuthorized),
        (&["juliet@montague.lit"], "", SaslError::NotAuthorized),
        (&["juliet@capulet.lit"], "romeo@capulet.lit", SaslError::InvalidAuthzid),
        (&["juliet@capulet.lit"], "capulet.lit", SaslError::InvalidAuthzid),
        (&["juliet@capulet.lit"], "juliet", SaslError::InvalidAuthzid),
        (&["juliet@capulet.lit"], "juliet@capulet.lit/balcony", SaslError::InvalidAuthzid),
        (&["juliet@capulet.lit", "nurse@capulet.lit"], "", SaslError::InvalidAuthzid),
        (&["montague.lit"], "chat.montague.lit", SaslError::InvalidAuthzid),
        (&["montague.lit", "chat.montague.lit"], "", SaslError::InvalidAuthzid),
        (&["juliet@capulet.lit"], "juliet@capulet.lit\0", SaslError::MalformedRequest),
    ] {
        assert_eq!(failure(&external(identities, authzid)), Some(error), "{identities:?} {authzid:?}");
    }
    let stage = Stage { identities: vec!["juliet@capulet.lit".into()], ..Stage::tls() };
    assert_eq!(failure(&stage.exchange(Mechanism::External).respond(b"\xff")), Some(SaslError::MalformedRequest));
}

#[test]
fn our_own_client_logs_in_to_another_server() {
    let stage = Stage { identities: vec!["montague.lit".into()], ..Stage::tls() };
    for authzid in [None, Some("montague.lit".to_owned())] {
        let client = Client::new(Mechanism::External, Login::Certificate { authzid }, Binding::Unsupported).unwrap();
        assert_eq!(log_in(&stage, client).unwrap().principal, Principal::Server("montague.lit".into()));
    }
}

#[test]
fn anonymous_takes_a_trace_and_forgets_it() {
    let longest = "\u{e4}".repeat(255);
    for trace in ["", "sirhc", "chris@example.org", &longest] {
        let identity = success(Stage::default().exchange(Mechanism::Anonymous).start(Some(trace.as_bytes())));
        assert_eq!(
            (identity.principal, identity.authzid, identity.additional_data),
            (Principal::Anonymous, None, None)
        );
    }
    assert!(matches!(Stage::default().exchange(Mechanism::Anonymous).start(None), Step::Success(_)));
    let too_long = "x".repeat(256);
    for trace in [too_long.as_bytes(), b"a\0b", b"line\n", b"\xff"] {
        let step = Stage::default().exchange(Mechanism::Anonymous).start(Some(trace));
        assert_eq!(failure(&step), Some(SaslError::MalformedRequest));
    }
}
