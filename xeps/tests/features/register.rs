//! In-band registration (XEP-0077): accounts are made, passwords changed, accounts removed.

use std::net::IpAddr;
use std::time::Duration;
use wire::datetime::Timestamp;
use wire::jid::BareJid;
use xeps::register::{Mode, Rate};
use xeps::store::Store;
use xeps::testing::{World, canonical, now_or_never, payload};
use xeps::{Settings, accounts, features, form};

const JULIET: &str = "juliet@example.org/balcony";
const NS: &str = "jabber:iq:register";

fn settings(mode: Mode) -> Settings {
    let mut settings = Settings::new(Timestamp::UNIX_EPOCH);
    settings.register.mode = mode;
    settings
}

/// Juliet has an account and is logged in; requests come from an address far away.
fn world_with(settings: Settings) -> World {
    let mut world = World::new(features(settings)).with_account("juliet", "R0m30").with_session(JULIET);
    world.address = Some(address("192.0.2.1"));
    world
}

fn open() -> World {
    world_with(settings(Mode::Open))
}

fn address(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn get() -> String {
    format!("<iq type='get' id='reg1' to='example.org'><query xmlns='{NS}'/></iq>")
}

fn set(content: &str) -> String {
    format!("<iq type='set' id='reg2'><query xmlns='{NS}'>{content}</query></iq>")
}

fn account(username: &str, password: &str) -> String {
    set(&format!("<username>{username}</username><password>{password}</password>"))
}

fn form_with(form_type: &str, username: &str, password: &str) -> String {
    set(&format!(
        "<x xmlns='jabber:x:data' type='submit'><field var='FORM_TYPE'><value>{form_type}</value></field>
         <field var='username'><value>{username}</value></field>
         <field var='password'><value>{password}</value></field></x>"
    ))
}

/// Whether the account exists with this password.
fn can_log_in(world: &World, username: &str, password: &str) -> bool {
    let user = BareJid::from_parts(Some(username), "example.org").unwrap();
    let record = now_or_never(accounts::find(&world.store, &user)).unwrap();
    record.and_then(|record| record.credentials).is_some_and(|credentials| credentials.verify_password(password))
}

fn assert_error(answer: &str, condition: &str) {
    assert!(answer.contains("type='error'") && answer.contains(&format!("<{condition} ")), "{condition}: {answer}");
}

#[test]
fn a_stranger_asks_what_is_needed_and_registers() {
    let mut world = open();
    let query = payload(&world.stranger_asks(&get()));
    assert!(query.child("username", NS).is_some() && query.child("password", NS).is_some());
    assert!(query.child("instructions", NS).is_some() && query.child("registered", NS).is_none());

    assert_eq!(world.stranger_asks(&account("bill", "Calliope")), canonical("<iq type='result' id='reg2'/>"));
    assert!(can_log_in(&world, "bill", "Calliope"));
    assert!(!can_log_in(&world, "bill", "calliope"));
}

#[test]
fn the_same_goes_with_a_data_form() {
    let mut world = open();
    let query = payload(&world.stranger_asks(&get()));
    let shown = form::Form::parse(query.child("x", form::NS).unwrap()).unwrap();
    assert_eq!((shown.kind, shown.form_type()), (form::FormType::Form, Some(NS)));
    let fields: Vec<_> = shown.fields.iter().filter_map(|field| field.var.as_deref()).collect();
    assert_eq!(fields, ["FORM_TYPE", "username", "password"]);

    assert!(world.stranger_asks(&form_with(NS, "bill", "Calliope")).contains("type='result'"));
    assert!(can_log_in(&world, "bill", "Calliope"));
}

#[test]
fn a_username_is_prepared_as_an_address() {
    let mut world = open();
    assert!(world.stranger_asks(&account("BILL", "Calliope")).contains("type='result'"));
    assert!(can_log_in(&world, "bill", "Calliope"));
    assert_error(&world.stranger_asks(&account("Bill", "other")), "conflict");
    assert!(can_log_in(&world, "bill", "Calliope"), "the first one keeps the account");
}

#[test]
fn what_is_missing_or_not_allowed_is_not_acceptable() {
    for bad in [
        account("", "Calliope"),
        account("bill", ""),
        set("<username>bill</username>"),
        set("<password>Calliope</password>"),
        set(""),
        account("bill shakespeare", "Calliope"),
        account("bill@example.net", "Calliope"),
        account(&"b".repeat(1024), "Calliope"),
        account("admin", "Calliope"),
        account("Postmaster", "Calliope"),
        account("bill", "\u{ad}"),
    ] {
        assert_error(&open().stranger_asks(&bad), "not-acceptable");
    }
    for broken in [form_with("urn:other", "bill", "x"), form_with(NS, "bill", "x").replace("'submit'", "'cancel'")] {
        assert_error(&open().stranger_asks(&broken), "bad-request");
    }
}

/// What others still take for the address of the one who has gone is not for the next.
#[test]
fn the_name_of_an_account_that_was_removed_is_free_again_after_a_while() {
    let mut world = open();
    let removal = accounts::removal(&BareJid::parse("romeo@example.org").unwrap(), world.clock.time());
    now_or_never(world.store.commit(removal)).unwrap();
    assert_error(&world.stranger_asks(&account("Romeo", "M0nt4gu3")), "conflict");
    assert!(world.stranger_asks(&account("bill", "Calliope")).contains("type='result'"));
    world.wait(Duration::from_secs(60 * 86_400 + 1));
    assert!(world.stranger_asks(&account("romeo", "M0nt4gu3")).contains("type='result'"));
}

#[test]
fn who_is_not_logged_in_has_nothing_to_remove() {
    assert_error(&open().stranger_asks(&set("<remove/>")), "unexpected-request");
}

#[test]
fn a_closed_server_makes_no_accounts_but_serves_its_users() {
    let mut world = world_with(settings(Mode::Closed));
    assert_error(&world.stranger_asks(&get()), "service-unavailable");
    assert_error(&world.stranger_asks(&account("bill", "Calliope")), "not-allowed");
    assert!(!can_log_in(&world, "bill", "Calliope"));
    assert_eq!(world.host.registry.early_stream_features(world.address).count(), 0);
    assert!(world.asks(JULIET, &account("juliet", "new")).contains("type='result'"));
}

#[test]
fn in_loopback_mode_the_address_decides() {
    let mut here = settings(Mode::Loopback);
    here.register.allow = vec!["198.51.100.0/24".parse().unwrap()];
    let mut world = world_with(here);
    for (number, (from, admitted)) in [
        ("127.0.0.1", true),
        ("::1", true),
        ("::ffff:127.0.0.1", true),
        ("198.51.100.7", true),
        ("192.0.2.1", false),
        ("2001:db8::1", false),
    ]
    .into_iter()
    .enumerate()
    {
        world.address = Some(address(from));
        let name = format!("user{number}");
        let offered = world.host.registry.early_stream_features(world.address).any(|(name, _)| name == "register");
        assert_eq!(offered, admitted, "{from}");
        assert_eq!(world.stranger_asks(&get()).contains("type='result'"), admitted, "{from}");
        world.stranger_asks(&account(&name, "Calliope"));
        assert_eq!(can_log_in(&world, &name, "Calliope"), admitted, "{from}");
    }
    world.address = None;
    assert_error(&world.stranger_asks(&account("bill", "Calliope")), "not-allowed");
}

#[test]
fn an_address_gets_so_many_accounts_an_hour() {
    let mut settings = settings(Mode::Open);
    settings.register.rate = Rate { count: 2, window: Duration::from_secs(3600) };
    let mut world = world_with(settings);
    let register = |world: &mut World, name: &str| world.stranger_asks(&account(name, "Calliope"));
    register(&mut world, "one");
    assert_error(&register(&mut world, "one"), "conflict");
    assert!(register(&mut world, "two").contains("type='result'"), "the conflict made no account");
    assert_error(&register(&mut world, "three"), "resource-constraint");
    world.address = Some(address("127.0.0.1"));
    assert!(register(&mut world, "four").contains("type='result'"), "this machine is not limited");
    world.address = Some(address("192.0.2.1"));
    world.wait(Duration::from_secs(3600));
    assert!(register(&mut world, "three").contains("type='result'"));
}

#[test]
fn a_user_is_registered_and_the_password_is_not_told() {
    let mut world = open();
    for request in [get(), get().replace(" to='example.org'", "")] {
        let query = payload(&world.asks(JULIET, &request));
        assert!(query.child("registered", NS).is_some());
        assert_eq!(query.child("username", NS).unwrap().text(), "juliet");
        assert_eq!(query.child("password", NS).unwrap().text(), "");
    }
}

#[test]
fn a_user_changes_the_password() {
    let mut world = open();
    let to_the_server = account("juliet", "newpass").replace("id=", "to='example.org' id=");
    assert!(world.asks(JULIET, &to_the_server).contains("type='result'"));
    assert!(can_log_in(&world, "juliet", "newpass") && !can_log_in(&world, "juliet", "R0m30"));
    assert!(world.asks(JULIET, &account("Juliet", "third")).contains("type='result'"));
    assert!(can_log_in(&world, "juliet", "third"));
    let form = form_with("jabber:iq:register:changepassword", "juliet", "fourth");
    assert!(world.asks(JULIET, &form).contains("type='result'"));
    assert!(can_log_in(&world, "juliet", "fourth"));
}

#[test]
fn a_password_is_changed_by_its_owner_and_never_to_nothing() {
    let mut world = open().with_account("romeo", "M0nt4gu3");
    assert_error(&world.asks(JULIET, &account("juliet", "")), "bad-request");
    assert_error(&world.asks(JULIET, &set("<password>newpass</password>")), "bad-request");
    assert_error(&world.asks(JULIET, &account("romeo", "newpass")), "not-allowed");
    assert!(can_log_in(&world, "juliet", "R0m30") && can_log_in(&world, "romeo", "M0nt4gu3"));

    let mut settings = settings(Mode::Open);
    settings.register.change_password = false;
    assert_error(&world_with(settings).asks(JULIET, &account("juliet", "newpass")), "not-allowed");
}

#[test]
fn a_user_removes_the_account() {
    let mut world = open();
    let result = canonical("<iq type='result' id='reg2' to='juliet@example.org/balcony'/>");
    assert_eq!(world.asks(JULIET, &set("<remove/>")), result);
    assert_eq!(world.acts(), ["juliet@example.org is removed"]);
}

#[test]
fn a_removal_is_all_or_nothing() {
    let mut world = open();
    assert_error(&world.asks(JULIET, &set("<remove/><username>juliet</username>")), "bad-request");
    assert_error(
        &world.asks("tybalt@example.net/street", &set("<remove/>").replace("id=", "to='example.org' id=")),
        "registration-required",
    );
    let mut settings = settings(Mode::Open);
    settings.register.remove = false;
    let mut careful = world_with(settings);
    assert_error(&careful.asks(JULIET, &set("<remove/>")), "not-allowed");
    assert!(world.acts().is_empty() && careful.acts().is_empty());
}

#[test]
fn somebody_from_another_server_cannot_register_here() {
    let mut world = open();
    assert_error(&world.asks("tybalt@example.net/street", &get()), "service-unavailable");
    let set = account("tybalt", "x").replace("id=", "to='example.org' id=");
    assert_error(&world.asks("tybalt@example.net/street", &set), "not-allowed");
}

#[test]
fn discovery_tells_what_is_possible() {
    let tells = |settings: Settings| {
        let world = world_with(settings);
        world.host.registry.server_info().features().any(|feature| feature == NS)
    };
    let mut nothing = settings(Mode::Closed);
    (nothing.register.change_password, nothing.register.remove) = (false, false);
    assert!(tells(settings(Mode::Open)) && tells(settings(Mode::Closed)) && !tells(nothing));
}
