//! Somebody is invited: by a user or by the operator, with a page to look at, and an account and a contact in the end.

use super::http::get;
use super::support::login::error_condition;
use super::support::{Client, DOMAIN, Server};

const BY_INVITATION: &str =
    "default_host.registration.mode = 'invite'\ndefault_host.admins = ['romeo@capulet.example']";

fn command(client: &mut Client, node: &str) -> String {
    let command = format!("<command xmlns='http://jabber.org/protocol/commands' node='urn:xmpp:invite#{node}'/>");
    let answer = client.iq("set", Some(DOMAIN), &command);
    let form = answer.children().next().unwrap().child("x", "jabber:x:data").unwrap();
    let field = form.children().find(|field| field.attr("var") == Some("uri")).unwrap();
    field.children().next().unwrap().text()
}

fn token(uri: &str) -> String {
    let (_, token) = uri.split_once("preauth=").unwrap();
    token.split([';', '\n']).next().unwrap().to_owned()
}

/// A connection that is secured and not logged in, with what is offered on it.
fn stranger(server: &Server) -> (Client, Vec<String>) {
    let mut client = server.connect();
    client.open();
    client.start_tls();
    let features = client.open();
    let offered = features.children().filter(|child| child.name() == "register").map(|child| child.ns().to_owned());
    let offered = offered.collect();
    (client, offered)
}

fn show(client: &mut Client, token: &str) -> Option<String> {
    let answer = client.iq("set", Some(DOMAIN), &format!("<preauth xmlns='urn:xmpp:pars:0' token='{token}'/>"));
    error_condition(&answer)
}

fn register(client: &mut Client, name: &str) -> Option<String> {
    error_condition(&client.try_register(name).unwrap())
}

/// Waits until the client is told of a roster item in that state.
fn pushed(client: &mut Client, contact: &str, subscription: &str) {
    let found = client.find(|stanza| {
        let item = stanza.child("query", "jabber:iq:roster").and_then(|query| query.children().next());
        item.is_some_and(|item| item.attr("jid") == Some(contact) && item.attr("subscription") == Some(subscription))
    });
    assert_eq!(found.attr("type"), Some("set"));
}

#[test]
fn a_guest_makes_an_account_and_both_are_contacts() {
    let server = Server::configured(BY_INVITATION);
    server.add_user("romeo");
    let mut romeo = server.log_in("romeo", "orchard");
    romeo.iq("get", None, "<query xmlns='jabber:iq:roster'/>");
    romeo.send("<presence/>");
    let uri = command(&mut romeo, "invite");

    let (mut guest, offered) = stranger(&server);
    assert_eq!(offered, ["urn:xmpp:ibr-token:0", "http://jabber.org/features/iq-register"]);
    assert_eq!(register(&mut guest, "juliet").as_deref(), Some("not-allowed"));
    let page = get(&server, &format!("/invite/{}", token(&uri)));
    assert_eq!(page.status, 200);
    let (text, link) = (page.text(), uri.replace('&', "&amp;"));
    assert!(
        text.contains(&format!("href='{link}'")) && text.contains("<svg") && text.contains("romeo<wbr>@"),
        "{text}"
    );
    assert!(page.header("content-security-policy").unwrap().starts_with("default-src 'none'"));
    assert_eq!(page.header("cache-control"), Some("no-store"));

    assert_eq!(show(&mut guest, &token(&uri)), None);
    assert_eq!(register(&mut guest, "juliet"), None);
    // XEP-0401 section 5.5: the inviter learns of it without having to ask.
    pushed(&mut romeo, "juliet@capulet.example", "both");
    let mut juliet = server.log_in("juliet", "balcony");
    let roster = juliet.iq("get", None, "<query xmlns='jabber:iq:roster'/>");
    let item = roster.children().next().unwrap().children().next().unwrap();
    assert_eq!((item.attr("jid"), item.attr("subscription")), (Some("romeo@capulet.example"), Some("both")));

    let (mut another, _) = stranger(&server);
    assert_eq!(show(&mut another, &token(&uri)).as_deref(), Some("item-not-found"));
    assert_eq!(get(&server, &format!("/invite/{}", token(&uri))).status, 404);
    assert_eq!(get(&server, "/invite/..%2f..%2fetc").status, 404);
}

#[test]
fn an_invitation_outlives_the_server() {
    let mut server = Server::configured(BY_INVITATION);
    server.add_user("romeo");
    let uri = command(&mut server.log_in("romeo", "orchard"), "invite");
    server.restart();
    let (mut guest, _) = stranger(&server);
    assert_eq!(show(&mut guest, &token(&uri)), None);
    assert_eq!(register(&mut guest, "juliet"), None);
    server.restart();
    let mut romeo = server.log_in("romeo", "orchard");
    let roster = romeo.iq("get", None, "<query xmlns='jabber:iq:roster'/>");
    let item = roster.children().next().unwrap().children().next().unwrap();
    assert_eq!((item.attr("jid"), item.attr("subscription")), (Some("juliet@capulet.example"), Some("both")));
}

#[test]
fn the_operator_invites_from_the_command_line() {
    let mut server = Server::configured(BY_INVITATION);
    server.add_user("romeo");
    let invite = |server: &Server, arguments: &[&str]| {
        let output = server.oriole(&[&["invite"], arguments].concat());
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
        (output.status.success(), format!("{}{}", text(&output.stdout), text(&output.stderr)))
    };
    let (done, said) = invite(&server, &["--user", "Juliet", "--contact", "romeo@capulet.example"]);
    let lines: Vec<&str> = said.lines().collect();
    let uri = lines[1];
    assert!(done && uri.starts_with("xmpp:juliet@capulet.example?register;preauth="), "{said}");
    assert!(lines[0].starts_with("https://capulet.example:") && lines[0].ends_with(&token(uri)), "{said}");
    let (done, said) = invite(&server, &["--user", "juliet"]);
    assert!(!done && said.contains("promised to somebody"), "{said}");
    for (arguments, problem) in [
        (["--contact", "nobody@capulet.example"], "there is no account nobody@capulet.example"),
        (["--host", "montague.example"], "montague.example is not served here"),
        (["--user", "a b"], "can be no account's name"),
    ] {
        let (done, said) = invite(&server, &arguments);
        assert!(!done && said.contains(problem), "{said}");
    }
    let (mut guest, _) = stranger(&server);
    assert_eq!(show(&mut guest, &token(uri)), None);
    assert_eq!(register(&mut guest, "rosaline").as_deref(), Some("not-acceptable"));
    assert_eq!(register(&mut guest, "juliet"), None);

    // Without a server the same goes on its store.
    server.sigterm();
    assert!(server.wait().success());
    let (done, said) = invite(&server, &[]);
    assert!(done && said.contains("xmpp:capulet.example?register;preauth="), "{said}");
    server.restart();
    let (mut guest, _) = stranger(&server);
    assert_eq!(show(&mut guest, &token(&said)), None, "{said}");
    assert_eq!(register(&mut guest, "rosaline"), None);
}
