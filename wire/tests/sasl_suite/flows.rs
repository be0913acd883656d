//! Honest clients log in: the `sasl` crate's client against our server, for every mechanism.

use wire::sasl::client::{Binding, Client, ClientError, Login};
use wire::sasl::{ChannelBindings, Mechanism, Password, Principal, SaslError, Step};

use super::support::{PASSWORD, Stage, log_in, user};

fn with_password(mechanism: Mechanism, username: &str, password: &str, binding: Binding) -> Client {
    let login = Login::Password { username: username.into(), password: Password::new(password.into()) };
    Client::new(mechanism, login, binding).unwrap()
}

fn scram(plus: bool) -> impl Iterator<Item = Mechanism> {
    Mechanism::ALL.into_iter().filter(move |mechanism| mechanism.hash().is_some() && mechanism.binds_channel() == plus)
}

#[test]
fn juliet_logs_in_by_scram_with_every_hash() {
    for mechanism in scram(false) {
        let client = with_password(mechanism, "juliet", PASSWORD, Binding::Unsupported);
        let identity = log_in(&Stage::default(), client).unwrap();
        assert_eq!((user(&identity), &identity.authzid), ("juliet", &None), "{mechanism}");
        assert!(identity.additional_data.unwrap().starts_with(b"v="));
    }
}

#[test]
fn juliet_binds_her_login_to_the_channel() {
    let stage = Stage::tls();
    for mechanism in scram(true) {
        let client = with_password(mechanism, "juliet", PASSWORD, Binding::of(&stage.bindings));
        assert_eq!(user(&log_in(&stage, client).unwrap()), "juliet", "{mechanism}");
    }
}

#[test]
fn somebody_in_between_has_another_channel_and_is_found_out() {
    let stage = Stage::tls();
    for mechanism in scram(true) {
        let client = with_password(mechanism, "juliet", PASSWORD, Binding::Exporter(vec![0xba; 32]));
        assert_eq!(log_in(&stage, client), Err(SaslError::NotAuthorized), "{mechanism}");
    }
}

#[test]
fn a_client_that_saw_no_plus_is_told_when_there_was_one() {
    for mechanism in scram(false) {
        let client = || with_password(mechanism, "juliet", PASSWORD, Binding::NotOffered);
        assert_eq!(log_in(&Stage::tls(), client()), Err(SaslError::NotAuthorized), "{mechanism}");
        assert!(log_in(&Stage::default(), client()).is_ok(), "{mechanism}");
    }
}

#[test]
fn a_client_without_channel_binding_may_log_in_where_it_is_offered() {
    for mechanism in scram(false) {
        let client = with_password(mechanism, "juliet", PASSWORD, Binding::Unsupported);
        assert!(log_in(&Stage::tls(), client).is_ok(), "{mechanism}");
    }
}

#[test]
fn a_wrong_password_and_an_unknown_user_end_alike() {
    let stage = Stage::default();
    for mechanism in scram(false).chain([Mechanism::Plain]) {
        for (username, password) in [("juliet", "romeo"), ("tybalt", PASSWORD), ("juliet", "R0m30myr0m30")] {
            let client = with_password(mechanism, username, password, Binding::Unsupported);
            assert_eq!(log_in(&stage, client), Err(SaslError::NotAuthorized), "{mechanism} {username}");
        }
    }
}

#[test]
fn names_with_commas_and_equals_signs_are_escaped_and_whole_addresses_taken() {
    for mechanism in scram(false).chain([Mechanism::Plain]) {
        for (sent, name) in [
            ("o,=neil", "o,=neil"),
            ("Juliet", "Juliet"),
            ("juliet@capulet.lit", "juliet"),
            ("juliet@CAPULET.lit", "juliet"),
        ] {
            let client = with_password(mechanism, sent, PASSWORD, Binding::Unsupported);
            assert_eq!(user(&log_in(&Stage::default(), client).unwrap()), name, "{mechanism}");
        }
        let elsewhere = with_password(mechanism, "juliet@montague.lit", PASSWORD, Binding::Unsupported);
        assert_eq!(log_in(&Stage::default(), elsewhere), Err(SaslError::NotAuthorized), "{mechanism}");
    }
}

#[test]
fn passwords_are_compared_after_saslprep() {
    for mechanism in scram(false).chain([Mechanism::Plain]) {
        let client = with_password(mechanism, "juliet", "r0m30\u{ad}my\u{ff52}0m30", Binding::Unsupported);
        assert!(log_in(&Stage::default(), client).is_ok(), "{mechanism}");
    }
}

#[test]
fn anybody_logs_in_by_anonymous() {
    let client = Client::new(Mechanism::Anonymous, Login::Nothing, Binding::Unsupported).unwrap();
    assert_eq!(log_in(&Stage::default(), client).unwrap().principal, Principal::Anonymous);

    let mut foreign = ::sasl::client::mechanisms::Anonymous::new();
    let step =
        Stage::default().exchange(Mechanism::Anonymous).start(Some(&::sasl::client::Mechanism::initial(&mut foreign)));
    assert!(matches!(step, Step::Success(_)));
}

#[test]
fn a_client_refuses_what_does_not_go_together() {
    let unfit = |mechanism, login, binding| Client::new(mechanism, login, binding).err();
    let password = || Login::Password { username: "juliet".into(), password: Password::new(PASSWORD.into()) };
    let exporter = || Binding::of(&ChannelBindings { exporter: Some(vec![1; 32]), server_end_point: None });
    assert_eq!(unfit(Mechanism::ScramSha1Plus, password(), Binding::Unsupported), Some(ClientError::Unfit));
    assert_eq!(unfit(Mechanism::ScramSha1, password(), exporter()), Some(ClientError::Unfit));
    assert_eq!(unfit(Mechanism::External, password(), Binding::Unsupported), Some(ClientError::Unfit));
    assert_eq!(unfit(Mechanism::Plain, Login::Nothing, Binding::Unsupported), Some(ClientError::Unfit));
    let odd = Login::Password { username: "a\0b".into(), password: Password::new("x".into()) };
    assert_eq!(unfit(Mechanism::Plain, odd, Binding::Unsupported), Some(ClientError::Prohibited));
    let odd = Login::Password { username: "juliet".into(), password: Password::new("\u{7}".into()) };
    assert_eq!(unfit(Mechanism::ScramSha256, odd, Binding::Unsupported), Some(ClientError::Prohibited));
}

#[test]
fn a_client_does_not_answer_a_dishonest_server() {
    let client = || {
        let mut client = with_password(Mechanism::ScramSha256, "juliet", PASSWORD, Binding::Unsupported);
        let first = String::from_utf8(client.initial()).unwrap();
        let nonce = first.rsplit_once("r=").unwrap().1.to_owned();
        (client, nonce)
    };
    let answer = |make: &dyn Fn(&str) -> String| {
        let (mut client, nonce) = client();
        client.challenge(make(&nonce).as_bytes()).err()
    };
    assert_eq!(answer(&|own| format!("r={own}x,s=c2FsdA==,i=20")), None);
    assert_eq!(answer(&|own| format!("r={own},s=c2FsdA==,i=20")), Some(ClientError::Nonce), "nothing added");
    assert_eq!(answer(&|own| format!("r=x{own},s=c2FsdA==,i=20")), Some(ClientError::Nonce), "another start");
    assert_eq!(answer(&|own| format!("r={own}x,s=c2FsdA==,i=4294967295")), Some(ClientError::Iterations));
    assert_eq!(answer(&|own| format!("r={own}x,s=c2FsdA==,i=0")), Some(ClientError::Iterations));
    assert_eq!(answer(&|own| format!("r={own}x,i=20")), Some(ClientError::Malformed));
    assert_eq!(answer(&|own| format!("r={own}x,s=c2FsdA==")), Some(ClientError::Malformed));
    assert_eq!(answer(&|_| String::new()), Some(ClientError::Malformed));
}
