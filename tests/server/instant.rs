//! Instant stream resumption (XEP-0397): a session goes on in one round trip, by a token of its own; and whoever tries with a wrong one
//! ends it, at the price of no message.

use crate::phone::{Phone, SM, bodies, letters, numbers};
use crate::support::login::error_condition;
use crate::support::sasl2::{BIND2, FAST, ISR, LAPTOP, PHONE};
use crate::support::{Client, DOMAIN, PASSWORD, Server, user};
use wire::sasl::Mechanism;
use wire::xml::Element;

const NONE: &str = "HT-SHA-256-NONE";
const ENDP: &str = "HT-SHA-256-ENDP";
const EXPR: &str = "HT-SHA-256-EXPR";

/// A session of a phone, as the phone remembers it.
struct Session {
    mechanism: &'static str,
    jid: String,
    id: String,
    token: String,
    /// Stanzas that it says it has.
    h: u32,
}

struct Verona {
    server: Server,
    romeo: Client,
}

fn verona() -> Verona {
    configured("")
}

fn configured(settings: &str) -> Verona {
    let server = Server::configured(settings);
    server.add_user("juliet");
    server.add_user("romeo");
    let romeo = server.log_in("romeo", "garden");
    Verona { server, romeo }
}

fn enable(mechanism: &str) -> String {
    format!("<enable xmlns='{SM}' resume='true'><isr-enable xmlns='{ISR}' mechanism='{mechanism}'/></enable>")
}

fn bind(mechanism: &str) -> String {
    format!("<bind xmlns='{BIND2}'><tag>Phone</tag>{}</bind>", enable(mechanism))
}

/// The token in `<enabled/>`.
fn given(enabled: &Element) -> Option<String> {
    Some(enabled.child("isr-enabled", ISR)?.attr("token").unwrap().to_owned())
}

impl Verona {
    /// Juliet's phone, whose session can go on at once; it has its presence, and nothing waits.
    fn session(&self, mechanism: &'static str) -> (Client, Session) {
        self.session_of("juliet", mechanism)
    }

    fn session_of(&self, name: &str, mechanism: &'static str) -> (Client, Session) {
        let mut client = self.server.connect().secured();
        let wishes = format!("{PHONE}{}", bind(mechanism));
        let success = client.authenticate2(Mechanism::ScramSha256Plus, name, PASSWORD, &wishes).unwrap();
        let enabled = success.child("bound", BIND2).unwrap().child("enabled", SM).unwrap();
        let (id, token) = (enabled.attr("id").unwrap().to_owned(), given(enabled).expect("a token"));
        client.next();
        client.send("<presence/>");
        client.find(|element| element.name() == "presence");
        let session = Session { mechanism, jid: client.jid.clone(), id, token, h: 1 };
        (client, session)
    }

    /// The same, and its connection breaks.
    fn broken(&self, mechanism: &'static str) -> Session {
        let (client, session) = self.session(mechanism);
        client.drop_connection();
        session
    }

    fn romeo_writes(&mut self, texts: impl IntoIterator<Item = u32>) {
        self.romeo.send(letters(&user("juliet"), texts));
        self.romeo.settle();
    }

    /// What waits for Juliet when she logs in anew.
    fn waits(&self) -> Vec<String> {
        let mut client = self.server.log_in("juliet", "anew");
        client.send("<presence/>");
        bodies(&client.settled())
    }

    /// Whether the stream can still be resumed by who has the password. It goes on then.
    fn is_there(&self, session: &Session) -> bool {
        let phone =
            Phone { client: self.server.connect(), name: "juliet".into(), id: session.id.clone(), h: session.h };
        let (_, answer) = phone.asks(&self.server);
        assert!(answer.is("resumed", SM) || answer.is("failed", SM), "{answer:?}");
        answer.is("resumed", SM)
    }
}

impl Session {
    fn wish(&self, attrs: &str) -> String {
        let Session { id, h, .. } = self;
        format!("<inst-resume xmlns='{ISR}' {attrs}><resume xmlns='{SM}' previd='{id}' h='{h}'/></inst-resume>")
    }

    /// Goes on at once by the token, as `name` and with whatever else is said.
    fn tries(&self, server: &Server, name: &str, more: &str) -> Result<(Client, Element), String> {
        let mut client = server.connect().secured();
        client.send_proof(self.mechanism, name, &self.token, &format!("{}{more}", self.wish("")));
        client.takes_proof(self.mechanism, &self.token).map(|success| (client, success))
    }

    /// The same, when it must succeed: the token is replaced.
    fn resumes(&mut self, server: &Server) -> Client {
        let (client, success) = self.tries(server, "juliet", "").unwrap();
        self.goes_on(&success);
        client
    }

    fn goes_on(&mut self, success: &Element) {
        let resumed = success.child("inst-resumed", ISR).unwrap_or_else(|| panic!("not resumed: {success:?}"));
        assert_eq!(resumed.child("resumed", SM).unwrap().attr("previd"), Some(&*self.id));
        assert!(success.child("resumed", SM).is_none(), "it is said once: {success:?}");
        let next = resumed.attr("token").unwrap().to_owned();
        assert_ne!(std::mem::replace(&mut self.token, next), self.token, "a new token");
    }
}

fn refused(outcome: Result<(Client, Element), String>) -> bool {
    match outcome {
        Ok((_, success)) => panic!("let in: {success:?}"),
        Err(condition) => condition == "not-authorized",
    }
}

/// Section 5.2: header and request together behind the handshake, and with the answer all that was missed.
#[test]
fn one_round_trip_is_enough() {
    let mut verona = verona();
    for mechanism in [NONE, ENDP, EXPR] {
        let mut session = verona.broken(mechanism);
        for round in 0..2 {
            verona.romeo_writes([round]);
            let mut client = Client::connect(verona.server.c2s_tls(), &verona.server.certificate());
            client.secure();
            client.send_header();
            client.send_proof(mechanism, "juliet", &session.token, &session.wish("with-isr-token='true'"));
            client.next();
            client.next();
            let success = client.takes_proof(mechanism, &session.token).unwrap();
            session.goes_on(&success);
            assert_eq!(client.jid, session.jid);
            let missed = client.next().element();
            assert_eq!(bodies(std::slice::from_ref(&missed)), numbers([round]), "no features come before: {missed:?}");
            session.h += 1;
            client.send(format!("<a xmlns='{SM}' h='{}'/>", session.h));
            client.settle();
            session.h += 1;
            client.drop_connection();
        }
    }
}

#[test]
fn who_logs_in_as_ever_is_offered_a_token_as_well() {
    let verona = verona();
    let mut client = verona.server.connect().secured();
    client.authenticate(Mechanism::ScramSha256, "juliet", PASSWORD).unwrap();
    let features = client.open();
    let mechanisms =
        features.child("isr", ISR).unwrap().child("mechanisms", "urn:ietf:params:xml:ns:xmpp-sasl").unwrap();
    let names: Vec<_> = mechanisms.children().map(Element::text).collect();
    assert_eq!(names, [EXPR, ENDP, NONE]);
    client.bind("balcony").unwrap();
    // As in example 2: resumption goes without saying.
    client.send(enable(ENDP).replace(" resume='true'", ""));
    let enabled = client.find(|element| element.is("enabled", SM));
    let (id, token) = (enabled.attr("id").unwrap().to_owned(), given(&enabled).unwrap());
    client.drop_connection();
    let mut session = Session { mechanism: ENDP, jid: String::new(), id, token, h: 0 };
    session.resumes(&verona.server).settle();
}

/// Section 5.2.4, and no message is lost: neither what had been sent and not acknowledged nor what waited.
#[test]
fn a_wrong_token_ends_the_session_and_loses_nothing() {
    let mut verona = verona();
    let (mut client, mut session) = verona.session(ENDP);
    verona.romeo_writes(1..=2);
    client.find(|element| element.attr("id") == Some("m2"));
    client.drop_connection();
    verona.romeo_writes(3..=4);
    let right = std::mem::replace(&mut session.token, "guessed".to_owned());
    assert!(refused(session.tries(&verona.server, "juliet", "")));
    session.token = right;
    assert!(refused(session.tries(&verona.server, "juliet", "")), "the token has gone with the session");
    assert!(!verona.is_there(&session));
    assert_eq!(verona.waits(), numbers(1..=4));
}

#[test]
fn a_wrong_token_ends_a_session_that_is_connected() {
    let mut verona = verona();
    let (mut client, mut session) = verona.session(NONE);
    session.token = "guessed".to_owned();
    assert!(refused(session.tries(&verona.server, "juliet", "")));
    assert_eq!(client.stream_error(), "not-authorized");
    verona.romeo_writes([1]);
    assert_eq!(verona.waits(), ["1"]);
}

/// Section 5.2.1: a token is for one time.
#[test]
fn a_used_token_is_a_wrong_one() {
    let mut verona = verona();
    let mut session = verona.broken(EXPR);
    let used = session.token.clone();
    let mut client = session.resumes(&verona.server);
    verona.romeo_writes([1]);
    let replay = Session { token: used, h: 0, ..session };
    assert!(refused(replay.tries(&verona.server, "juliet", "")));
    assert_eq!(client.stream_error(), "not-authorized");
    assert_eq!(verona.waits(), ["1"], "she had not acknowledged it");
}

/// Section 4: the mechanism is pinned.
#[test]
fn a_token_is_for_one_mechanism() {
    let verona = verona();
    for (enabled, used) in [(EXPR, NONE), (ENDP, NONE), (NONE, ENDP)] {
        let session = verona.broken(enabled);
        assert!(refused(Session { mechanism: used, ..session }.tries(&verona.server, "juliet", "")));
    }
    let session = verona.broken(NONE);
    let mut client = verona.server.connect().secured();
    let outcome = client.authenticate2(Mechanism::Plain, "juliet", &session.token, &session.wish(""));
    assert_eq!(outcome, Err("invalid-mechanism".into()), "a password mechanism is none of those");
    assert!(verona.is_there(&session), "nobody had said whose session it was about");
}

#[test]
fn sessions_of_others_are_out_of_reach() {
    let verona = verona();
    let mut juliets = verona.broken(NONE);
    let mut romeos = verona.session_of("romeo", NONE).1;
    for name in ["romeo", "nobody"] {
        assert!(refused(juliets.tries(&verona.server, name, "")), "{name} has no such session");
    }
    std::mem::swap(&mut juliets.token, &mut romeos.token);
    assert!(refused(juliets.tries(&verona.server, "romeo", "")), "his token, but her session");
    std::mem::swap(&mut juliets.token, &mut romeos.token);
    assert!(refused(romeos.tries(&verona.server, "juliet", "")), "nor has she his");
    juliets.resumes(&verona.server).settle();
    romeos.tries(&verona.server, "romeo", "").unwrap().0.settle();
}

/// What has not been asked for ends nobody's session.
#[test]
fn a_session_without_tokens_cannot_be_ended_so() {
    let verona = verona();
    let mut phone = Phone::new(&verona.server, "juliet", "balcony");
    phone.breaks();
    let session =
        Session { mechanism: NONE, jid: String::new(), id: phone.id.clone(), token: "guessed".into(), h: phone.h };
    assert!(refused(session.tries(&verona.server, "juliet", "")));
    let mut client = verona.server.connect().secured();
    let wish = session.wish("with-isr-token='false'");
    assert!(client.authenticate2(Mechanism::Plain, "juliet", "wrong", &wish).is_err());
    let success = client.authenticate2(Mechanism::Plain, "juliet", PASSWORD, &wish).unwrap();
    let failed = success.child("inst-resume-failed", ISR).unwrap().child("failed", SM).unwrap();
    assert_eq!(failed.children().next().unwrap().name(), "unexpected-request", "no mechanism was agreed on");
    phone.resumes(&verona.server);
}

/// Section 5.2: the login as ever, and the session at once; with a token for the next time.
#[test]
fn a_session_goes_on_by_the_password_as_well() {
    let mut verona = verona();
    let mut session = verona.broken(ENDP);
    let lost = session.token.clone();
    verona.romeo_writes([1]);
    let mut client = verona.server.connect().secured();
    let wish = session.wish("with-isr-token='false'");
    let success = client.authenticate2(Mechanism::ScramSha256Plus, "juliet", PASSWORD, &wish).unwrap();
    session.goes_on(&success);
    assert_eq!(bodies(&client.settled()), ["1"]);
    client.drop_connection();
    session.h += 2;
    let mut client = session.resumes(&verona.server);
    client.settle();
    assert!(refused(Session { token: lost, ..session }.tries(&verona.server, "juliet", "")));
    assert_eq!(client.stream_error(), "not-authorized");
}

/// Section 5.2.4 does not tell how somebody has failed to authenticate.
#[test]
fn a_wrong_password_ends_the_session_that_it_was_for() {
    let mut verona = verona();
    let session = verona.broken(ENDP);
    verona.romeo_writes([1]);
    let mut client = verona.server.connect().secured();
    let wish = session.wish("with-isr-token='false'");
    let refused = client.authenticate2(Mechanism::ScramSha256, "juliet", "guessed", &wish);
    assert_eq!(refused, Err("not-authorized".into()));
    assert!(!verona.is_there(&session));
    assert_eq!(verona.waits(), ["1"]);
}

/// Section 5.2.2.
#[test]
fn who_is_known_but_has_no_session_binds_one() {
    let verona = verona();
    let gone = Session { mechanism: ENDP, jid: String::new(), id: "no-such-stream".into(), token: String::new(), h: 0 };
    let wish = gone.wish("with-isr-token='false'");
    let mut client = verona.server.connect().secured();
    let both = format!("{PHONE}{wish}{}", bind(ENDP));
    let success = client.authenticate2(Mechanism::ScramSha256, "juliet", PASSWORD, &both).unwrap();
    let failed = success.child("inst-resume-failed", ISR).unwrap().child("failed", SM).unwrap();
    assert_eq!(failed.children().next().unwrap().name(), "item-not-found");
    let enabled = success.child("bound", BIND2).unwrap().child("enabled", SM).unwrap();
    assert!(given(enabled).is_some(), "{enabled:?}");
    client.next();
    client.settle();
    let mut client = verona.server.connect().secured();
    let success = client.authenticate2(Mechanism::ScramSha256, "juliet", PASSWORD, &wish).unwrap();
    assert!(success.child("inst-resume-failed", ISR).is_some(), "{success:?}");
    client.next();
    client.bind("balcony").unwrap();
}

/// Section 5.2.1: the token is spent by showing it, whether the rest makes sense or not; and a wrong one need not come with a count.
#[test]
fn a_request_that_cannot_be_read_spends_the_token() {
    let verona = verona();
    let session = verona.broken(ENDP);
    let half = |session: &Session, attrs: &str| session.wish(attrs).replace(" h='1'", "");
    let mut client = verona.server.connect().secured();
    let wish = half(&session, "with-isr-token='false'");
    let success = client.authenticate2(Mechanism::Plain, "juliet", PASSWORD, &wish).unwrap();
    assert!(success.child("inst-resume-failed", ISR).is_some(), "{success:?}");
    let mut client = verona.server.connect().secured();
    client.send_proof(ENDP, "juliet", &session.token, &half(&session, ""));
    let success = client.takes_proof(ENDP, &session.token).unwrap();
    let failed = success.child("inst-resume-failed", ISR).unwrap().child("failed", SM).unwrap();
    assert_eq!(failed.children().next().unwrap().name(), "bad-request");
    assert!(verona.is_there(&session));
    let mut client = verona.server.connect().secured();
    client.send_proof(ENDP, "juliet", &session.token, &half(&session, ""));
    assert_eq!(client.takes_proof(ENDP, &session.token), Err("not-authorized".into()));
    assert!(!verona.is_there(&session));
}

/// XEP-0198 section 6: a count that cannot be ends the stream and not the session. The token is spent all the same.
#[test]
fn a_count_that_is_too_high_costs_the_token() {
    let verona = verona();
    let session = Session { h: 1000, ..verona.broken(NONE) };
    let mut client = verona.server.connect().secured();
    client.send_proof(NONE, "juliet", &session.token, &session.wish(""));
    assert_eq!(client.stream_error(), "undefined-condition");
    let session = Session { h: 1, ..session };
    let mut client = verona.server.connect().secured();
    let wish = session.wish("with-isr-token='false'");
    let success = client.authenticate2(Mechanism::Plain, "juliet", PASSWORD, &wish).unwrap();
    assert!(success.child("inst-resumed", ISR).is_some(), "{success:?}");
}

#[test]
fn tokens_outlive_the_server_and_spent_ones_do_not() {
    let mut verona = verona();
    let mut session = verona.broken(ENDP);
    verona.romeo_writes([1]);
    verona.server.kill9();
    verona.server.restart();
    let used = session.token.clone();
    let mut client = session.resumes(&verona.server);
    let heard = client.settled();
    assert_eq!(bodies(&heard), ["1"]);
    session.h += u32::try_from(heard.len()).unwrap() + 1;
    verona.server.restart();
    let mut client = session.resumes(&verona.server);
    client.settle();
    verona.server.restart();
    assert!(refused(Session { token: used, ..session }.tries(&verona.server, "juliet", "")));
}

#[test]
fn another_password_voids_the_token() {
    let mut verona = verona();
    let session = verona.broken(ENDP);
    verona.romeo_writes([1]);
    let mut client = verona.server.log_in("juliet", "balcony");
    let change =
        format!("<query xmlns='jabber:iq:register'><username>juliet</username><password>{PASSWORD}</password></query>");
    assert_eq!(client.iq("set", Some(DOMAIN), &change).attr("type"), Some("result"));
    assert!(refused(session.tries(&verona.server, "juliet", "")), "even if it is the same one");
    assert_eq!(verona.waits(), ["1"]);
}

/// XEP-0494: with the client goes its session, and with that the token.
#[test]
fn a_revoked_client_does_not_come_back() {
    let verona = verona();
    let session = verona.broken(ENDP);
    let mut laptop = verona.server.connect().secured();
    let wishes = format!("{LAPTOP}<bind xmlns='{BIND2}'/>");
    laptop.authenticate2(Mechanism::ScramSha256, "juliet", PASSWORD, &wishes).unwrap();
    laptop.next();
    let listed = laptop.iq("get", None, "<list xmlns='urn:xmpp:cam:0'/>");
    let mut clients = listed.child("clients", "urn:xmpp:cam:0").unwrap().children();
    let is_phone = |client: &&Element| {
        let agent = client.child("user-agent", "urn:xmpp:cam:0").unwrap();
        agent.child("software", "urn:xmpp:cam:0").is_some()
    };
    let phone = clients.find(is_phone).unwrap().attr("id").unwrap().to_owned();
    let answer = laptop.iq("set", None, &format!("<revoke xmlns='urn:xmpp:cam:0' id='{phone}'/>"));
    assert_eq!(error_condition(&answer).as_deref(), Some("service-unavailable"), "it knows the password: {answer:?}");
    assert!(refused(session.tries(&verona.server, "juliet", "")));
    assert!(!verona.is_there(&session));
}

/// A token that is for minutes brings none that is for weeks, and names no client but its own.
#[test]
fn a_token_of_a_stream_gives_no_other_access() {
    let verona = verona();
    let session = verona.broken(ENDP);
    let more = format!("{LAPTOP}<request-token xmlns='{FAST}' mechanism='{NONE}'/>");
    let (mut client, success) = session.tries(&verona.server, "juliet", &more).unwrap();
    assert!(success.child("token", FAST).is_none(), "{success:?}");
    let listed = client.iq("get", None, "<list xmlns='urn:xmpp:cam:0'/>");
    assert_eq!(listed.child("clients", "urn:xmpp:cam:0").unwrap().children().count(), 1, "{listed:?}");
}

#[test]
fn neither_token_nor_id_is_written_down() {
    let verona = verona();
    let mut session = verona.broken(ENDP);
    let mut secrets = vec![session.id.clone(), session.token.clone()];
    session.resumes(&verona.server).drop_connection();
    secrets.push(session.token.clone());
    let file = verona.server.scratch().join("export");
    let exported = verona.server.oriole(&["store", "export", file.to_str().unwrap()]);
    assert!(exported.status.success(), "{exported:?}");
    let exported = std::fs::read_to_string(file).unwrap();
    assert!(exported.contains(&secrets[0]), "the session is stored");
    assert!(!secrets[1..].iter().any(|token| exported.contains(token)), "a token is in the export");
    assert!(refused(Session { token: "guessed".into(), ..session }.tries(&verona.server, "juliet", "")));
    let log = verona.server.log().lines();
    assert!(log.iter().any(|line| line.contains("a session ends")), "{log:?}");
    let told = log.iter().find(|line| secrets.iter().any(|secret| line.contains(secret)));
    assert_eq!(told, None, "who reads it could end the session");
}

#[test]
fn there_is_none_of_it_without_tls_or_where_it_is_switched_off() {
    let open = Server::configured("default_host.require_tls = false");
    open.add_user("juliet");
    let mut client = open.connect();
    assert!(client.open().child("isr", ISR).is_none());
    client.authenticate(Mechanism::ScramSha1, "juliet", PASSWORD).unwrap();
    assert!(client.open().child("isr", ISR).is_none());
    client.bind("balcony").unwrap();
    client.send(enable(NONE));
    let enabled = client.find(|element| element.is("enabled", SM));
    assert!(enabled.attr("id").is_some() && given(&enabled).is_none(), "{enabled:?}");

    let off = configured("limits.session.instant_resumption = false");
    let mut client = off.server.connect();
    client.open();
    client.start_tls();
    assert!(client.open().child("isr", ISR).is_none());
    let success = client.authenticate2(Mechanism::Plain, "juliet", PASSWORD, &bind(NONE)).unwrap();
    let enabled = success.child("bound", BIND2).unwrap().child("enabled", SM).unwrap();
    assert!(enabled.attr("id").is_some() && given(enabled).is_none(), "{enabled:?}");
}
