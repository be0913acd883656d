//! Invitations: made by commands (XEP-0401), used to make accounts (XEP-0445) and contacts (XEP-0379).

use std::time::Duration;
use wire::datetime::Timestamp;
use wire::jid::BareJid;
use xeps::accounts::Origin;
use xeps::form::{self, Form};
use xeps::invitation;
use xeps::register::Mode;
use xeps::testing::{Arrival, World, canonical, now_or_never, payload};
use xeps::{Settings, accounts, features};

const ROMEO: &str = "romeo@example.org/orchard";
const NURSE: &str = "nurse@example.org/hall";
const COMMANDS: &str = "http://jabber.org/protocol/commands";
const WEEK: Duration = Duration::from_secs(7 * 86_400);

fn world_with(mode: Mode) -> World {
    let mut settings = Settings::new(Timestamp::UNIX_EPOCH);
    settings.register.mode = mode;
    settings.invitations = invitation::Config {
        admins: vec![BareJid::parse("nurse@example.org").unwrap()],
        registers: mode.takes_invitations(),
        most: 3,
        base: Some("https://example.org:5443".into()),
        ..Default::default()
    };
    let mut world = World::new(features(settings)).with_account("romeo", "m0nt").with_account("nurse", "s3cret");
    world = world.with_session(ROMEO).with_session(NURSE);
    world.address = Some("192.0.2.1".parse().unwrap());
    world
}

fn world() -> World {
    world_with(Mode::Invite)
}

fn command(node: &str, attributes: &str, content: &str) -> String {
    format!(
        "<iq type='set' id='c' to='example.org'><command xmlns='{COMMANDS}' node='urn:xmpp:invite#{node}' {attributes}>\
         {content}</command></iq>"
    )
}

fn submitted(fields: &[(&str, &str)]) -> String {
    let fields: String =
        fields.iter().map(|(var, value)| format!("<field var='{var}'><value>{value}</value></field>")).collect();
    format!("<x xmlns='jabber:x:data' type='submit'>{fields}</x>")
}

/// The form in a completed command.
fn result(answer: &str) -> Form {
    let command = payload(answer);
    assert_eq!(command.attr("status"), Some("completed"), "{answer}");
    Form::parse(command.child("x", form::NS).unwrap()).unwrap()
}

fn token(uri: &str) -> String {
    uri.split("preauth=").nth(1).unwrap().split(';').next().unwrap().to_owned()
}

/// Romeo invites somebody.
fn invited(world: &mut World) -> String {
    let answer = world.asks(ROMEO, &command("invite", "", ""));
    token(result(&answer).value("uri").unwrap())
}

/// The administrator lets somebody make an account.
fn account_for(world: &mut World, fields: &[(&str, &str)]) -> String {
    let begun = world.asks(NURSE, &command("create-account", "action='execute'", ""));
    let session = payload(&begun).attr("sessionid").unwrap().to_owned();
    world.asks(NURSE, &command("create-account", &format!("sessionid='{session}'"), &submitted(fields)))
}

fn shows(world: &mut World, token: &str) -> String {
    let preauth = format!("<preauth xmlns='urn:xmpp:pars:0' token='{token}'/>");
    world.stranger_asks(&format!("<iq type='set' to='example.org' id='pa1'>{preauth}</iq>"))
}

fn registers(world: &mut World, name: &str) -> String {
    world.stranger_asks(&format!(
        "<iq type='set' id='reg'><query xmlns='jabber:iq:register'><username>{name}</username>\
         <password>x</password></query></iq>"
    ))
}

fn exists(world: &World, name: &str) -> bool {
    origin(world, name).is_some()
}

fn origin(world: &World, name: &str) -> Option<Origin> {
    let user = BareJid::parse(&format!("{name}@example.org")).unwrap();
    now_or_never(accounts::find(&world.store, &user)).unwrap().map(|record| record.origin)
}

fn is_error(answer: &str, condition: &str) -> bool {
    answer.contains("type='error'") && answer.contains(&format!("<{condition} "))
}

#[test]
fn a_user_is_given_a_link() {
    let mut world = world();
    let form = result(&world.asks(ROMEO, &command("invite", "action='execute'", "")));
    assert_eq!(form.form_type(), Some("urn:xmpp:invite#invitation"));
    let uri = form.value("uri").unwrap();
    let token = token(uri);
    assert_eq!(uri, format!("xmpp:romeo@example.org?roster;preauth={token};ibr=y"));
    assert_eq!(form.value("landing-url"), Some(&*format!("https://example.org:5443/invite/{token}")));
    let expires = Timestamp::parse(form.value("expire").unwrap()).unwrap();
    assert_eq!(expires.since(world.clock.time()), WEEK);
    // No more than the limit, until one is used or over.
    invited(&mut world);
    invited(&mut world);
    assert!(is_error(&world.asks(ROMEO, &command("invite", "", "")), "resource-constraint"));
    world.wait(WEEK + Duration::from_secs(2));
    invited(&mut world);
}

#[test]
fn where_nobody_may_register_a_link_does_not_say_otherwise() {
    let mut world = world_with(Mode::Closed);
    let form = result(&world.asks(ROMEO, &command("invite", "", "")));
    assert!(!form.value("uri").unwrap().contains("ibr"), "{form:?}");
    let token = token(form.value("uri").unwrap());
    assert!(is_error(&shows(&mut world, &token), "service-unavailable"));
    assert!(is_error(&registers(&mut world, "juliet"), "not-allowed"));
}

#[test]
fn the_commands_are_listed_to_those_who_may_use_them() {
    let mut world = world();
    let items = format!(
        "<iq type='get' id='d' to='example.org'><query xmlns='http://jabber.org/protocol/disco#items' node='{COMMANDS}'/></iq>"
    );
    let nodes = |answer: &str| -> Vec<String> {
        payload(answer).children().map(|item| item.attr("node").unwrap().to_owned()).collect()
    };
    assert_eq!(nodes(&world.asks(ROMEO, &items)), ["urn:xmpp:invite#invite"]);
    assert_eq!(nodes(&world.asks(NURSE, &items)), ["urn:xmpp:invite#invite", "urn:xmpp:invite#create-account"]);
    assert_eq!(nodes(&world.asks("tybalt@capulet.example/x", &items)), [""; 0]);
    assert!(is_error(&world.asks(ROMEO, &command("create-account", "", "")), "forbidden"));
    assert!(is_error(&world.asks("tybalt@capulet.example/x", &command("invite", "", "")), "forbidden"));
    assert!(is_error(&world.asks(ROMEO, &command("nonsense", "", "")), "item-not-found"));
    let info = |node: &str| {
        format!(
            "<iq type='get' id='d' to='example.org'><query xmlns='http://jabber.org/protocol/disco#info' node='{node}'/></iq>"
        )
    };
    assert!(world.asks(ROMEO, &info(COMMANDS)).contains("type='command-list'"));
    assert!(world.asks(ROMEO, &info("urn:xmpp:invite#invite")).contains("type='command-node'"));
    assert!(is_error(&world.asks(ROMEO, &info("urn:xmpp:invite#create-account")), "item-not-found"));
}

#[test]
fn a_form_is_filled_in_or_the_command_canceled() {
    let mut world = world();
    let begun = payload(&world.asks(NURSE, &command("create-account", "action='execute'", "")));
    assert_eq!(begun.attr("status"), Some("executing"));
    assert_eq!(begun.child("actions", COMMANDS).unwrap().attr("execute"), Some("complete"));
    let session = format!("sessionid='{}'", begun.attr("sessionid").unwrap());
    for (attributes, content, error) in [
        (format!("{session} action='sing'"), "", "malformed-action"),
        (format!("{session} action='prev'"), "", "bad-action"),
        ("action='complete'".to_owned(), "", "bad-action"),
        (session.clone(), "", "bad-payload"),
        ("sessionid='another'".to_owned(), "", "bad-sessionid"),
    ] {
        let answer = world.asks(NURSE, &command("create-account", &attributes, content));
        assert!(is_error(&answer, "bad-request") && answer.contains(error), "{attributes}: {answer}");
    }
    let bad = world.asks(NURSE, &command("create-account", &session, &submitted(&[("username", "a b")])));
    assert!(bad.contains("bad-payload"), "{bad}");
    let canceled = payload(&world.asks(NURSE, &command("create-account", &format!("{session} action='cancel'"), "")));
    assert_eq!(canceled.attr("status"), Some("canceled"));
    let late = world.asks(NURSE, &command("create-account", &session, &submitted(&[])));
    assert!(late.contains("bad-sessionid"), "{late}");
}

#[test]
fn an_invitation_makes_an_account_and_two_contacts_once() {
    let mut world = world();
    assert!(is_error(&registers(&mut world, "juliet"), "not-allowed"), "not without one");
    let token = invited(&mut world);
    assert!(is_error(&shows(&mut world, "000000000nonsense"), "item-not-found"));
    assert_eq!(shows(&mut world, &token), canonical("<iq type='result' from='example.org' id='pa1'/>"));
    assert!(is_error(&registers(&mut world, "admin"), "not-acceptable"), "a reserved name stays reserved");
    assert!(is_error(&registers(&mut world, "romeo"), "conflict"), "and the invitation is not used up");
    world.acts();
    assert_eq!(registers(&mut world, "juliet"), canonical("<iq type='result' id='reg'/>"));
    assert!(exists(&world, "juliet"));
    let request = world.acts().pop().unwrap();
    let stanza = request.strip_prefix("sent: ").unwrap().to_owned();
    assert!(stanza.contains("from='juliet@example.org'") && stanza.contains(&token), "{stanza}");

    // Romeo's server approves, and asks for the same.
    assert_eq!(world.arrives(&stanza), Arrival::Stopped("approved before it was asked".to_owned()));
    let acts = world.acts();
    let sent = |kind: &str| {
        let presence = format!("<presence from='romeo@example.org' to='juliet@example.org' type='{kind}'/>");
        format!("sent: {}", canonical(&presence))
    };
    assert!(acts.contains(&sent("subscribed")) && acts.contains(&sent("subscribe")), "{acts:?}");
    assert_eq!(world.subscription("romeo@example.org", "juliet@example.org"), Some(("from", true)));

    // It was good once.
    assert!(is_error(&registers(&mut world, "rosaline"), "not-allowed"));
    assert!(is_error(&shows(&mut world, &token), "item-not-found"));
    let another = stanza.replace("juliet@example.org", "rosaline@example.org");
    assert!(matches!(world.arrives(&another), Arrival::Delivered(..) | Arrival::Decided(_)), "romeo is asked");
}

#[test]
fn who_has_an_account_elsewhere_becomes_a_contact_at_once() {
    let mut world = world();
    let token = invited(&mut world);
    world.acts();
    let ask = |from: &str, token: &str| {
        format!(
            "<presence type='subscribe' from='{from}' to='romeo@example.org'>\
             <preauth xmlns='urn:xmpp:pars:0' token='{token}'/></presence>"
        )
    };
    // Somebody's guess is a request like any other.
    assert!(!matches!(world.arrives(&ask("tybalt@capulet.example", "0000000000guess")), Arrival::Stopped(_)));
    assert!(matches!(world.arrives(&ask("juliet@capulet.example", &token)), Arrival::Stopped(_)));
    assert!(world.acts().iter().any(|act| act.contains("type='subscribed'") && act.contains("juliet@capulet.example")));
    assert!(!matches!(world.arrives(&ask("paris@capulet.example", &token)), Arrival::Stopped(_)), "used");
    assert!(is_error(&shows(&mut world, &token), "item-not-found"), "nor does it make an account any more");
    // Nor is it good at somebody else's door, or too late.
    let token = invited(&mut world);
    let elsewhere = ask("paris@capulet.example", &token).replace("romeo@", "nurse@");
    assert!(!matches!(world.arrives(&elsewhere), Arrival::Stopped(_)));
    world.wait(WEEK + Duration::from_secs(1));
    assert!(!matches!(world.arrives(&ask("benvolio@capulet.example", &token)), Arrival::Stopped(_)));
}

#[test]
fn a_request_that_waited_is_approved_when_the_token_comes() {
    let mut world = world();
    let plain = "<presence type='subscribe' from='juliet@capulet.example' to='romeo@example.org'/>";
    assert!(!matches!(world.arrives(plain), Arrival::Stopped(_)));
    let token = invited(&mut world);
    let with_token = plain.replace("/>", &format!("><preauth xmlns='urn:xmpp:pars:0' token='{token}'/></presence>"));
    assert_eq!(world.arrives(&with_token), Arrival::Stopped("approved before it was asked".to_owned()));
}

#[test]
fn a_name_is_kept_for_whom_it_was_promised_to() {
    let mut world = world_with(Mode::Open);
    let form = result(&account_for(&mut world, &[("username", "Juliet"), ("roster-subscription", "1")]));
    let uri = form.value("uri").unwrap();
    let token = token(uri);
    assert_eq!(uri, format!("xmpp:juliet@example.org?register;preauth={token}"));
    assert!(is_error(&registers(&mut world, "juliet"), "conflict"));
    assert!(is_error(&account_for(&mut world, &[("username", "juliet")]), "conflict"));
    assert!(is_error(&account_for(&mut world, &[("username", "romeo")]), "conflict"));
    shows(&mut world, &token);
    assert!(is_error(&registers(&mut world, "rosaline"), "not-acceptable"), "it is for juliet");
    // Section 4: its end counted when it was shown.
    world.wait(WEEK * 2);
    assert_eq!(registers(&mut world, "juliet"), canonical("<iq type='result' id='reg'/>"));
    assert!(world.acts().iter().any(|act| act.contains("to='nurse@example.org'")), "they become contacts");
}

#[test]
fn a_promise_ends_with_its_time() {
    let mut world = world_with(Mode::Open);
    let form = result(&account_for(&mut world, &[("username", "juliet")]));
    let token = token(form.value("uri").unwrap());
    world.wait(WEEK + Duration::from_secs(1));
    assert!(is_error(&shows(&mut world, &token), "item-not-found"));
    assert_eq!(registers(&mut world, "juliet"), canonical("<iq type='result' id='reg'/>"));
    assert!(world.acts().is_empty(), "nobody becomes a contact");
}

#[test]
fn two_who_show_the_same_invitation_cannot_both_use_it() {
    let mut world = world();
    let form = result(&account_for(&mut world, &[]));
    let uri = form.value("uri").unwrap();
    assert!(uri.starts_with("xmpp:example.org?register;preauth="), "{uri}");
    let token = token(uri);
    shows(&mut world, &token);
    let first = world.stranger_leaves();
    shows(&mut world, &token);
    assert_eq!(registers(&mut world, "juliet"), canonical("<iq type='result' id='reg'/>"));
    world.stranger_returns(first);
    assert!(is_error(&registers(&mut world, "rosaline"), "not-allowed"));
    assert!(!exists(&world, "rosaline"));
}

/// What others may be told of an account (XEP-0489) depends on who let it be made.
#[test]
fn an_account_keeps_how_it_came_to_be() {
    let mut world = world();
    let from_a_user = invited(&mut world);
    shows(&mut world, &from_a_user);
    registers(&mut world, "juliet");
    assert_eq!(origin(&world, "juliet"), Some(Origin::Registered));
    let form = result(&account_for(&mut world, &[("username", "rosaline")]));
    shows(&mut world, &token(form.value("uri").unwrap()));
    registers(&mut world, "rosaline");
    assert_eq!(origin(&world, "rosaline"), Some(Origin::Provided));
}
