//! Logging in by SASL2 (XEP-0388), with all that is asked for in one request: a bound session (XEP-0386), acknowledgements (XEP-0198), a token
//! for the next time (XEP-0484); and the list of those who have access (XEP-0494).

use crate::support::sasl2::{BIND2, FAST, LAPTOP, PHONE, SASL2, token};
use crate::support::{Client, PASSWORD, Server, login::error_condition, user};
use wire::sasl::Mechanism;
use wire::xml::Element;

const BIND: &str = "<bind xmlns='urn:xmpp:bind:0'><tag>Awesome</tag></bind>";
const NONE: &str = "HT-SHA-256-NONE";
const EXPR: &str = "HT-SHA-256-EXPR";

fn request_token(mechanism: &str) -> String {
    format!("<request-token xmlns='{FAST}' mechanism='{mechanism}'/>")
}

fn started() -> Server {
    let server = Server::start();
    server.add_user("juliet");
    server
}

fn secured(server: &Server) -> Client {
    server.connect().secured()
}

/// A client that has logged in by password and was given a token.
fn with_token(server: &Server, agent: &str, mechanism: &str) -> (Client, String) {
    let mut client = secured(server);
    let more = format!("{agent}{BIND}{}", request_token(mechanism));
    let success = client.authenticate2(Mechanism::ScramSha256Plus, "juliet", PASSWORD, &more).unwrap();
    client.next();
    (client, token(&success).expect("a token"))
}

fn by_token(server: &Server, agent: &str, mechanism: &str, token: &str, fast: &str) -> Result<Element, String> {
    secured(server).authenticate_by_token(mechanism, "juliet", token, fast, &format!("{agent}{BIND}"))
}

fn resource(jid: &str) -> &str {
    jid.split_once('/').unwrap().1
}

#[test]
fn every_mechanism_lets_a_client_in_without_a_restart() {
    let server = started();
    for mechanism in [
        Mechanism::ScramSha512Plus,
        Mechanism::ScramSha256Plus,
        Mechanism::ScramSha1Plus,
        Mechanism::ScramSha512,
        Mechanism::ScramSha256,
        Mechanism::ScramSha1,
        Mechanism::Plain,
    ] {
        let mut client = secured(&server);
        let refused = client.authenticate2(mechanism, "juliet", "something else", "");
        assert_eq!(refused, Err("not-authorized".into()), "{mechanism}");
        client.authenticate2(mechanism, "juliet", PASSWORD, "").unwrap();
        assert_eq!(client.jid, user("juliet"), "nothing is bound");
        let features = client.next().element();
        assert!(features.child("bind", "urn:ietf:params:xml:ns:xmpp-bind").is_some(), "{features:?}");
        client.bind("balcony").unwrap();
        assert_eq!(client.jid, format!("{}/balcony", user("juliet")));
        client.settle();
    }
}

#[test]
fn one_request_is_enough() {
    let server = started();
    let mut client = secured(&server);
    let bind = "<bind xmlns='urn:xmpp:bind:0'><tag>Awesome</tag><enable xmlns='urn:xmpp:sm:3'/></bind>";
    let success =
        client.authenticate2(Mechanism::ScramSha256Plus, "juliet", PASSWORD, &format!("{PHONE}{bind}")).unwrap();
    assert!(resource(&client.jid).starts_with("Awesome/"), "{}", client.jid);
    assert!(!client.jid.contains("d4565fa7"), "the client's id is nobody else's business");
    let bound = success.child("bound", BIND2).expect("bound");
    assert!(bound.child("enabled", "urn:xmpp:sm:3").is_some(), "{bound:?}");
    let features = client.next().element();
    assert!(features.child("bind", "urn:ietf:params:xml:ns:xmpp-bind").is_none(), "{features:?}");
    assert!(features.child("authentication", SASL2).is_none(), "{features:?}");
    client.send("<presence/><r xmlns='urn:xmpp:sm:3'/>");
    let answer = client.find(|element| element.is("a", "urn:xmpp:sm:3"));
    assert_eq!(answer.attr("h"), Some("1"));
    client.settle();
}

/// XEP-0198 section 9.2, XEP-0386 section 3.2.
#[test]
fn a_broken_session_goes_on_in_one_request() {
    let server = Server::configured("limits.session.location = 'node7.example.org:5222'");
    server.add_user("juliet");
    let resumable =
        "<bind xmlns='urn:xmpp:bind:0'><tag>Awesome</tag><enable xmlns='urn:xmpp:sm:3' resume='true'/></bind>";
    let mut client = secured(&server);
    let success =
        client.authenticate2(Mechanism::ScramSha256Plus, "juliet", PASSWORD, &format!("{PHONE}{resumable}")).unwrap();
    let enabled = success.child("bound", BIND2).unwrap().child("enabled", "urn:xmpp:sm:3").unwrap();
    let id = enabled.attr("id").expect("it may be resumed").to_owned();
    assert_eq!(enabled.attr("location"), Some("node7.example.org:5222"));
    let jid = client.jid.clone();
    client.next();
    client.send("<presence/>");
    client.find(|element| element.name() == "presence");
    client.drop_connection();

    let mut other = server.log_in("juliet", "other");
    other.send(format!("<message to='{jid}' type='chat' id='m1'><body>Art thou there?</body></message>"));
    other.settle();

    let mut client = secured(&server);
    let resume = format!("{PHONE}<resume xmlns='urn:xmpp:sm:3' previd='{id}' h='1'/>{resumable}");
    let success = client.authenticate2(Mechanism::Plain, "juliet", PASSWORD, &resume).unwrap();
    let resumed = success.child("resumed", "urn:xmpp:sm:3").unwrap_or_else(|| panic!("not resumed: {success:?}"));
    assert_eq!((resumed.attr("previd"), resumed.attr("h")), (Some(&*id), Some("1")));
    assert!(success.child("bound", BIND2).is_none(), "the session is bound already: {success:?}");
    assert_eq!(client.jid, jid);
    let first = client.next().element();
    assert_eq!(first.attr("id"), Some("m1"), "no features come before what waits: {first:?}");
    client.settle();

    let mut late = secured(&server);
    let gone = format!("{LAPTOP}<resume xmlns='urn:xmpp:sm:3' previd='no-such-stream' h='0'/>{resumable}");
    let success = late.authenticate2(Mechanism::Plain, "juliet", PASSWORD, &gone).unwrap();
    assert!(
        success.child("failed", "urn:xmpp:sm:3").is_some() && success.child("bound", BIND2).is_some(),
        "{success:?}"
    );
    late.settle();
    let mut alone = secured(&server);
    let gone = "<resume xmlns='urn:xmpp:sm:3' previd='no-such-stream'/>";
    let success = alone.authenticate2(Mechanism::Plain, "juliet", PASSWORD, gone).unwrap();
    assert!(success.child("failed", "urn:xmpp:sm:3").is_some(), "{success:?}");
    alone.next();
    alone.bind("balcony").unwrap();
}

/// XEP-0386 section 3.2.1 with XEP-0352: the session MUST begin in that state.
#[test]
fn a_session_may_begin_inactive() {
    let server = started();
    let mut client = secured(&server);
    let bind = "<bind xmlns='urn:xmpp:bind:0'><inactive xmlns='urn:xmpp:csi:0'/></bind>";
    client.authenticate2(Mechanism::Plain, "juliet", PASSWORD, bind).unwrap();
    client.next();
    let mut other = server.log_in("juliet", "other");
    let jid = client.jid.clone();
    other.send(format!("<presence to='{jid}' id='p1'/><presence to='{jid}' id='p2'/>"));
    other.send(format!("<message to='{jid}' type='chat' id='m1'><body>Hist!</body></message>"));
    other.settle();
    client.find(|element| element.attr("id") == Some("m1"));
    let before = client.settled();
    let ids: Vec<_> = before.iter().map(|element| element.attr("id")).collect();
    assert_eq!(ids, [Some("p2")], "of presence that nobody looks at only the last counts");
}

#[test]
fn a_client_that_comes_back_has_its_resource_and_ends_its_former_session() {
    let server = started();
    let bound = |agent: &str, tag: &str| {
        let mut client = secured(&server);
        let bind = format!("{agent}<bind xmlns='urn:xmpp:bind:0'><tag>{tag}</tag></bind>");
        client.authenticate2(Mechanism::Plain, "juliet", PASSWORD, &bind).unwrap();
        client
    };
    let mut first = bound(PHONE, "One");
    let mut laptop = bound(LAPTOP, "One");
    let again = bound(PHONE, "One");
    assert_eq!(first.jid, again.jid, "the same client has the same resource");
    assert_eq!(first.stream_error(), "conflict");
    let mut again = again;
    let renamed = bound(PHONE, "Two");
    assert_ne!(again.jid, renamed.jid);
    assert_eq!(again.stream_error(), "conflict", "the same client, though by another name");
    laptop.settle();
    assert_ne!(laptop.jid, first.jid);
    let nameless = [bound("", "One"), bound("", "One")];
    assert_ne!(nameless[0].jid, nameless[1].jid, "nobody knows whether they are one");
}

#[test]
fn a_token_replaces_the_password() {
    let server = started();
    for mechanism in [NONE, EXPR] {
        let (client, token) = with_token(&server, PHONE, mechanism);
        let jid = client.jid.clone();
        client.leave();
        let mut client = secured(&server);
        let success = client.authenticate_by_token(mechanism, "juliet", &token, "", &format!("{PHONE}{BIND}")).unwrap();
        assert_eq!(client.jid, jid);
        assert!(success.child("token", FAST).is_none(), "it is of today");
        client.next();
        client.settle();
    }
}

#[test]
fn a_token_is_for_one_client_one_mechanism_one_account() {
    let server = started();
    server.add_user("romeo");
    let (_, mine) = with_token(&server, PHONE, EXPR);
    let refused = Err("not-authorized".to_owned());
    assert_eq!(by_token(&server, LAPTOP, EXPR, &mine, ""), refused, "another client's");
    assert_eq!(by_token(&server, "", EXPR, &mine, ""), refused, "nobody's");
    assert_eq!(by_token(&server, PHONE, NONE, &mine, ""), refused, "without the channel binding it was made for");
    assert_eq!(by_token(&server, PHONE, EXPR, "another", ""), refused);
    assert_eq!(secured(&server).authenticate_by_token(EXPR, "romeo", &mine, "", PHONE), refused);
    assert_eq!(secured(&server).authenticate_by_token(EXPR, "tybalt", &mine, "", PHONE), refused, "nor does he exist");
    by_token(&server, PHONE, EXPR, &mine, "").unwrap();
}

#[test]
fn a_replay_is_refused() {
    let server = started();
    let (_, token) = with_token(&server, PHONE, NONE);
    by_token(&server, PHONE, NONE, &token, "count='5'").unwrap();
    assert_eq!(by_token(&server, PHONE, NONE, &token, "count='5'"), Err("not-authorized".into()));
    assert_eq!(by_token(&server, PHONE, NONE, &token, "count='4'"), Err("not-authorized".into()));
    by_token(&server, PHONE, NONE, &token, "count='6'").unwrap();
}

#[test]
fn a_client_can_throw_its_token_away() {
    let server = started();
    let (_, token) = with_token(&server, PHONE, NONE);
    let success = by_token(&server, PHONE, NONE, &token, "invalidate='true'").unwrap();
    assert!(success.child("token", FAST).is_none());
    assert_eq!(by_token(&server, PHONE, NONE, &token, ""), Err("not-authorized".into()));
}

#[test]
fn a_new_token_voids_the_old_one_when_it_is_used() {
    let server = started();
    let (_, old) = with_token(&server, PHONE, NONE);
    by_token(&server, PHONE, NONE, &old, "").unwrap();
    let (_, new) = with_token(&server, PHONE, NONE);
    by_token(&server, PHONE, NONE, &old, "").expect("the new one may not have arrived");
    by_token(&server, PHONE, NONE, &new, "").unwrap();
    assert_eq!(by_token(&server, PHONE, NONE, &old, ""), Err("not-authorized".into()));
}

#[test]
fn an_expired_token_sends_its_client_back_to_the_password() {
    let server = Server::configured("limits.account.token_expiry = '1s'");
    server.add_user("juliet");
    let (_, token) = with_token(&server, PHONE, NONE);
    let outcome = crate::support::wait::until(|| by_token(&server, PHONE, NONE, &token, "").err());
    assert_eq!(outcome.as_deref(), Some("credentials-expired"));
}

#[test]
fn another_password_voids_all_tokens_and_a_restart_none() {
    let mut server = started();
    let (_, token) = with_token(&server, PHONE, NONE);
    server.restart();
    by_token(&server, PHONE, NONE, &token, "").unwrap();
    let mut client = server.log_in("juliet", "balcony");
    let change =
        format!("<query xmlns='jabber:iq:register'><username>juliet</username><password>{PASSWORD}</password></query>");
    let to = crate::support::DOMAIN;
    assert_eq!(client.iq("set", Some(to), &change).attr("type"), Some("result"));
    assert_eq!(by_token(&server, PHONE, NONE, &token, ""), Err("not-authorized".into()), "even if it is the same one");
}

#[test]
fn what_is_stored_holds_no_token() {
    let server = started();
    let (_, token) = with_token(&server, PHONE, NONE);
    let file = server.scratch().join("export");
    let exported = server.oriole(&["store", "export", file.to_str().unwrap()]);
    assert!(exported.status.success(), "{exported:?}");
    let exported = std::fs::read_to_string(file).unwrap();
    assert!(exported.contains("\"device\""), "the client is stored");
    let key = std::fs::read(server.data_dir().join("token.key")).unwrap();
    let encodings = |secret: &[u8]| {
        use base64::Engine;
        use base64::engine::general_purpose::STANDARD_NO_PAD;
        let hex: String = secret.iter().map(|octet| format!("{octet:02x}")).collect();
        [STANDARD_NO_PAD.encode(secret), hex, String::from_utf8_lossy(secret).into_owned()]
    };
    for secret in [token.as_bytes(), &key] {
        for encoded in encodings(secret) {
            assert!(!exported.contains(&encoded), "{encoded} is in the export");
        }
    }
    assert!(!server.log().lines().iter().any(|line| line.contains(&token)), "the token is in the log");
}

#[test]
fn failures_are_counted_as_in_the_old_profile() {
    let server = Server::configured("limits.account.auth_failures = '3/1h'");
    server.add_user("juliet");
    for _ in 0..3 {
        assert_eq!(by_token(&server, PHONE, NONE, "guessed", ""), Err("not-authorized".into()));
    }
    let refused = secured(&server).authenticate2(Mechanism::Plain, "juliet", PASSWORD, "");
    assert_eq!(refused, Err("temporary-auth-failure".into()));
    assert_eq!(by_token(&server, PHONE, NONE, "guessed", ""), Err("temporary-auth-failure".into()));
}

#[test]
fn a_server_that_remembers_no_clients_gives_no_tokens() {
    let server = Server::configured("limits.account.devices = 0");
    server.add_user("juliet");
    let mut client = server.connect();
    client.open();
    client.start_tls();
    let offered = client.open().child("authentication", SASL2).unwrap().child("inline", SASL2).unwrap().clone();
    assert!(offered.child("fast", FAST).is_none() && offered.child("bind", BIND2).is_some(), "{offered:?}");
    let more = format!("{PHONE}{BIND}{}", request_token(NONE));
    let success = client.authenticate2(Mechanism::Plain, "juliet", PASSWORD, &more).unwrap();
    assert!(success.child("token", FAST).is_none(), "{success:?}");
}

fn clients(of: &mut Client) -> Vec<Element> {
    let answer = of.iq("get", None, "<list xmlns='urn:xmpp:cam:0'/>");
    answer.child("clients", "urn:xmpp:cam:0").unwrap().children().cloned().collect()
}

fn revoke(by: &mut Client, client: &Element) -> Element {
    by.iq("set", None, &format!("<revoke xmlns='urn:xmpp:cam:0' id='{}'/>", client.attr("id").unwrap()))
}

#[test]
fn the_owner_sees_who_has_access_and_revokes_it() {
    let server = started();
    let (mut phone, token) = with_token(&server, PHONE, NONE);
    let mut laptop = server.log_in("juliet", "old-client");
    let listed = clients(&mut laptop);
    let [first, second] = &listed[..] else { panic!("{listed:?}") };
    let of_phone = first.child("user-agent", "urn:xmpp:cam:0").unwrap();
    assert_eq!(of_phone.child("software", "urn:xmpp:cam:0").unwrap().text(), "AwesomeXMPP");
    assert_eq!((first.attr("connected"), second.attr("connected")), (Some("true"), Some("true")));
    let shown = server.oriole(&["user", "devices", &user("juliet")]);
    let shown = String::from_utf8(shown.stdout).unwrap();
    let line = format!("{}  AwesomeXMPP, Juliet's phone  ", first.attr("id").unwrap());
    assert!(shown.starts_with(&line) && shown.ends_with("password, token\n"), "{shown}");
    let methods = |client: &Element| {
        let auth = client.child("auth", "urn:xmpp:cam:0").unwrap();
        auth.children().map(|method| method.name().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(methods(first), ["password", "fast"]);
    assert_eq!(methods(second), ["password"]);

    let refused = revoke(&mut laptop, first);
    assert_eq!(error_condition(&refused).as_deref(), Some("service-unavailable"));
    let error = refused.children().find(|child| child.name() == "error").unwrap();
    assert!(error.child("password-reset-required", "urn:xmpp:cam:0").is_some(), "{refused:?}");
    assert_eq!(phone.stream_error(), "not-authorized");
    assert_eq!(by_token(&server, PHONE, NONE, &token, ""), Err("not-authorized".into()), "its tokens are void");

    let (mut phone, token) = with_token(&server, PHONE, NONE);
    assert!(server.oriole(&["user", "disable", &user("juliet")]).status.success());
    assert_eq!(phone.stream_error(), "not-authorized");
    assert_eq!(by_token(&server, PHONE, NONE, &token, ""), Err("account-disabled".into()));
}

/// A guest (XEP-0175) has no account, and so no tokens, no clients to be listed, and no second session by the same id.
#[test]
fn a_guest_leaves_nothing_behind() {
    let server = Server::configured("default_host.anonymous = true");
    let guest = || {
        let mut client = secured(&server);
        let more = format!("{PHONE}{BIND}{}", request_token(NONE));
        let success = client.authenticate2(Mechanism::Anonymous, "", "", &more).unwrap();
        assert!(success.child("token", FAST).is_none(), "{success:?}");
        client.next();
        client
    };
    let (mut one, mut other) = (guest(), guest());
    assert_ne!(resource(&one.jid), resource(&other.jid));
    assert_eq!(clients(&mut one).len(), 1, "itself");
    other.settle();
}
