//! Reporting account affiliations (XEP-0489): who is told, and what.

use wire::datetime::Timestamp;
use xeps::accounts::{self, Origin};
use xeps::testing::{World, canonical, now_or_never};
use xeps::{Settings, affiliation, features};

const ROMEO: &str = "romeo@example.net/orchard";
const MUC: &str = "muc.trusted.example";

fn ask(local: &str) -> String {
    format!("<iq type='get' id='1' to='{local}@example.org'><query xmlns='urn:xmpp:raa:0'/></iq>")
}

/// Romeo is a contact of Juliet's.
fn world(contacts: bool, domains: &[&str]) -> World {
    let mut settings = Settings::new(Timestamp::UNIX_EPOCH);
    settings.affiliation = affiliation::Config {
        contacts,
        domains: domains.iter().map(|domain| domain.parse().unwrap()).collect(),
        admins: vec!["nurse@example.org".parse().unwrap()],
    };
    World::new(features(settings))
        .with_account("juliet", "secret")
        .with_account("tybalt", "secret")
        .with_account("nurse", "secret")
        .with_session("juliet@example.org/balcony")
        .with_subscriber("juliet@example.org", "romeo@example.net")
}

/// Notes how an account came to be.
fn comes_from(world: &World, user: &str, origin: Origin) {
    let user = user.parse().unwrap();
    let mut record = now_or_never(accounts::find(&world.store, &user)).unwrap().unwrap();
    record.origin = origin;
    record.created = Timestamp::parse("2026-01-01T13:14:15Z").unwrap();
    now_or_never(accounts::update(&world.store, &user, &record)).unwrap();
}

fn info(local: &str, to: &str, attributes: &str) -> String {
    canonical(&format!(
        "<iq type='result' id='1' from='{local}@example.org' to='{to}'><info xmlns='urn:xmpp:raa:0' {attributes}/></iq>"
    ))
}

#[test]
fn a_trusted_domain_is_told_how_an_account_came_to_be() {
    let mut world = world(false, &[MUC]);
    comes_from(&world, "juliet@example.org", Origin::Provided);
    assert_eq!(world.asks(MUC, &ask("juliet")), info("juliet", MUC, "affiliation='member'"));
    let registered = "affiliation='registered' since='2026-01-01T00:00:00.000Z'";
    for origin in [Origin::Registered, Origin::Unknown] {
        comes_from(&world, "juliet@example.org", origin);
        assert_eq!(world.asks(MUC, &ask("juliet")), info("juliet", MUC, registered));
    }
    assert_eq!(world.asks(MUC, &ask("nurse")), info("nurse", MUC, "affiliation='admin'"));
    assert!(world.asks(MUC, &ask("nobody")).contains("<item-not-found"));
    assert!(world.asks("juliet@example.org/balcony", &ask("juliet")).contains(registered), "one's own");
}

#[test]
fn a_guest_has_no_account_that_lasts() {
    let mut world = world(false, &[MUC]);
    let user = "tybalt@example.org".parse().unwrap();
    now_or_never(xeps::store::Store::commit(&world.store, accounts::removal(&user, world.clock.time()))).unwrap();
    assert_eq!(world.asks(MUC, &ask("tybalt")), info("tybalt", MUC, "affiliation='anonymous'"));
}

#[test]
fn for_everybody_else_all_addresses_look_alike() {
    let alike = |world: &mut World, asker: &str, locals: [&str; 2]| {
        let [one, other] = locals.map(|local| world.asks(asker, &ask(local)).replace(local, "X"));
        assert_eq!(one, other);
        one
    };
    let mut trusting = world(false, &[MUC]);
    assert!(alike(&mut trusting, ROMEO, ["juliet", "nobody"]).contains("<forbidden"));
    assert!(alike(&mut trusting, "trusted.example", ["juliet", "nobody"]).contains("<forbidden"));
    let mut friendly = world(true, &[]);
    assert!(alike(&mut friendly, ROMEO, ["tybalt", "nobody"]).contains("<forbidden"));
    assert!(friendly.asks(ROMEO, &ask("juliet")).contains("affiliation='registered'"), "a contact is told");
    let mut silent = world(false, &[]);
    assert!(alike(&mut silent, ROMEO, ["juliet", "nobody"]).contains("<service-unavailable"));
}

#[test]
fn the_host_says_so_only_when_it_answers_anybody() {
    let info = "<iq type='get' id='i' to='example.org'><query xmlns='http://jabber.org/protocol/disco#info'/></iq>";
    for (mut world, told) in [(world(true, &[]), true), (world(false, &[MUC]), true), (world(false, &[]), false)] {
        assert_eq!(world.asks(ROMEO, info).contains("'urn:xmpp:raa:0'"), told);
    }
}
