//! The clients of an account (XEP-0494) and their tokens (XEP-0484), over weeks that pass at once.

use std::time::Duration;
use wire::datetime::Timestamp;
use wire::jid::BareJid;
use wire::sasl::{TokenKey, TokenMechanism};
use wire::stream::{Authenticate, FAST, Fast, UserAgent};
use wire::xml::Element;
use xeps::account::SessionId;
use xeps::accounts;
use xeps::devices::{
    Admission, Attempt, Config, Login, Method, Proof, Refused, Salt, admit, all, candidates, device_id,
};
use xeps::testing::{World, now_or_never, payload};
use xeps::{Settings, features};

const JULIET: &str = "juliet@example.org/balcony";
const NS: &str = "urn:xmpp:cam:0";
const DAY: Duration = Duration::from_secs(86_400);
const CONFIG: Config =
    Config { max_devices: 3, remember: Duration::from_secs(90 * 86_400), token_lifetime: DAY.saturating_mul(21) };

/// Juliet is connected by a client that does not say who it is.
fn verona() -> World {
    let mut settings = Settings::new(Timestamp::UNIX_EPOCH);
    settings.devices = CONFIG;
    let mut world = World::new(features(settings)).with_account("juliet", "R0m30").with_session(JULIET);
    let login = Login { device: None, method: Method::Password, since: world.clock.time() };
    *world.account(JULIET).sessions[0].states.of::<Login>() = login;
    world
}

fn juliet() -> BareJid {
    BareJid::parse("juliet@example.org").unwrap()
}

fn key() -> TokenKey {
    TokenKey::new([7; 32])
}

/// What a client named by this letter asks for.
fn request(agent: char) -> Authenticate {
    let id = format!("{agent}4565fa7-4d72-4749-b3d3-740edbf87770");
    let agent = UserAgent { id: Some(id.into()), software: Some("Awesome".into()), device: None };
    Authenticate { agent, ..Authenticate::default() }
}

fn with_token(agent: char) -> Authenticate {
    Authenticate { request_token: Some(TokenMechanism::Unbound), ..request(agent) }
}

fn by_token(agent: char) -> Authenticate {
    Authenticate { fast: Some(Fast::default()), ..request(agent) }
}

fn attempt<'a>(world: &World, user: &'a BareJid, request: &'a Authenticate) -> Attempt<'a> {
    let record = now_or_never(accounts::find(&world.store, user)).unwrap().unwrap();
    let password = record.credentials.and_then(|credentials| credentials.fingerprint());
    Attempt { user, password, request, now: world.clock.time() }
}

fn comes(world: &World, request: &Authenticate, proof: Proof, fresh: u8) -> Result<Admission, Refused> {
    let (user, key) = (juliet(), key());
    now_or_never(admit(&world.store, &key, &CONFIG, &attempt(world, &user, request), proof, [fresh; 16]))
}

fn comes_by_password(world: &World, request: &Authenticate, fresh: u8) -> Admission {
    comes(world, request, Proof::Password, fresh).unwrap()
}

/// The tokens that a client may use now: their salts, and whether they have expired.
fn usable(world: &World, agent: char) -> Vec<(u8, bool)> {
    let (user, key, request) = (juliet(), key(), by_token(agent));
    let attempt = attempt(world, &user, &request);
    now_or_never(candidates(&world.store, &key, &attempt, TokenMechanism::Unbound))
        .unwrap()
        .into_iter()
        .map(|(salt, candidate)| (salt[0], candidate.expired))
        .collect()
}

fn known(world: &World) -> Vec<String> {
    let known = now_or_never(all(&world.store, &juliet(), &CONFIG, world.clock.time())).unwrap();
    known.into_iter().map(|(id, _)| id).collect()
}

fn id(agent: char) -> String {
    device_id(&juliet(), request(agent).agent.id.as_deref().unwrap()).into()
}

fn given(admission: &Admission) -> Option<&Element> {
    let token = admission.token.as_ref()?;
    assert!(token.is("token", FAST) && token.attr("token").is_some_and(|token| token.len() >= 43));
    Some(token)
}

fn list(world: &mut World) -> Vec<Element> {
    let answer = world.asks(JULIET, &format!("<iq type='get' id='1'><list xmlns='{NS}'/></iq>"));
    payload(&answer).children().cloned().collect()
}

fn revoke(world: &mut World, id: &str) -> String {
    world.asks(JULIET, &format!("<iq type='set' id='1'><revoke xmlns='{NS}' id='{id}'/></iq>"))
}

fn change_password(world: &mut World) {
    let fields = "<username>juliet</username><password>another</password>";
    let query = format!("<iq type='set' id='1'><query xmlns='jabber:iq:register'>{fields}</query></iq>");
    assert!(world.asks(JULIET, &query).contains("type='result'"));
}

#[test]
fn a_token_expires_and_is_replaced_in_time() {
    let world = verona();
    let first = comes_by_password(&world, &with_token('a'), 1);
    assert_eq!(given(&first).unwrap().attr("expiry"), Some("2026-01-22T00:00:00.000Z"));
    assert!(comes_by_password(&world, &request('b'), 9).token.is_none(), "who asks for none gets none");

    let same_day = comes(&world, &by_token('a'), Proof::Token([1; 16]), 2).unwrap();
    assert!(same_day.token.is_none(), "it is of today");
    world.wait(DAY);
    let next_day = comes(&world, &by_token('a'), Proof::Token([1; 16]), 3).unwrap();
    assert_eq!(given(&next_day).unwrap().attr("expiry"), Some("2026-01-23T00:00:00.000Z"));
    assert_eq!(usable(&world, 'a'), [(3, false), (1, false)]);
    world.wait(DAY * 20);
    assert_eq!(usable(&world, 'a'), [(3, false), (1, true)]);
    comes(&world, &by_token('a'), Proof::Token([3; 16]), 4).unwrap();
    assert_eq!(usable(&world, 'a'), [(4, false), (3, false)], "as long as a client comes it needs no password");
}

/// XEP-0484 section 3.6: MUST NOT include a new token unless the client asks for one.
#[test]
fn a_token_that_is_thrown_away_is_replaced_on_request_only() {
    let world = verona();
    comes_by_password(&world, &with_token('a'), 1);
    comes(&world, &by_token('a'), Proof::Token([1; 16]), 2).unwrap();
    world.wait(DAY * 2);
    let away = Authenticate { fast: Some(Fast { count: None, invalidate: true }), ..request('a') };
    assert!(comes(&world, &away, Proof::Token([1; 16]), 3).unwrap().token.is_none(), "though it was due");
    assert_eq!(usable(&world, 'a'), []);
    assert!(matches!(comes(&world, &by_token('a'), Proof::Token([1; 16]), 4), Err(Refused::Void)));

    comes_by_password(&world, &with_token('a'), 5);
    let away = Authenticate { request_token: Some(TokenMechanism::Unbound), ..away };
    assert!(given(&comes(&world, &away, Proof::Token([5; 16]), 6).unwrap()).is_some());
    assert_eq!(usable(&world, 'a'), [(6, false)]);
}

/// Two logins by one token at the same moment, and only one of them has the next count.
#[test]
fn a_replay_between_look_up_and_login_is_noticed() {
    let world = verona();
    comes_by_password(&world, &with_token('a'), 1);
    let counted = Authenticate { fast: Some(Fast { count: Some(1), invalidate: false }), ..request('a') };
    comes(&world, &counted, Proof::Token([1; 16]), 2).unwrap();
    assert!(matches!(comes(&world, &counted, Proof::Token([1; 16]), 3), Err(Refused::Void)));
}

#[test]
fn clients_are_bounded_and_the_idlest_makes_room() {
    let world = verona();
    for (fresh, agent) in ['a', 'b', 'c'].into_iter().enumerate() {
        comes_by_password(&world, &with_token(agent), u8::try_from(fresh).unwrap());
        world.wait(DAY);
    }
    comes(&world, &by_token('a'), Proof::Token([0; 16]), 9).unwrap();
    comes_by_password(&world, &request('d'), 9);
    let mut expected = [id('a'), id('c'), id('d')];
    expected.sort();
    assert_eq!(known(&world), expected);
    assert_eq!(usable(&world, 'b'), [], "with the client its tokens are gone");
}

#[test]
fn a_client_that_does_not_come_back_is_forgotten() {
    let mut world = verona();
    comes_by_password(&world, &request('a'), 1);
    world.wait(DAY * 89);
    comes_by_password(&world, &request('b'), 1);
    assert_eq!(known(&world).len(), 2);
    world.wait(DAY);
    assert_eq!(known(&world), [id('b')]);
    assert_eq!(list(&mut world).len(), 2, "the other one is Juliet's session");
    comes_by_password(&world, &request('c'), 1);
    assert!(revoke(&mut world, &id('a')).contains("item-not-found"), "it was removed from the store");
}

#[test]
fn a_client_without_an_id_leaves_no_trace() {
    let world = verona();
    let nameless = Authenticate { agent: UserAgent::default(), ..with_token('a') };
    let admission = comes_by_password(&world, &nameless, 1);
    assert!(admission.token.is_none() && admission.device.is_none());
    assert_eq!(known(&world), [""; 0]);
}

/// XEP-0494 section 3.1: `<auth/>` and `<permission/>` MUST be there.
#[test]
fn the_list_says_who_has_access_and_how() {
    let mut world = verona();
    comes_by_password(&world, &with_token('a'), 1);
    world.wait(DAY * 30);
    comes(&world, &request('b'), Proof::Certificate, 1).unwrap();
    let listed = list(&mut world);
    let described = |id: &str| {
        let client = listed.iter().find(|client| client.attr("id") == Some(id)).unwrap();
        assert_eq!(client.child("permission", NS).unwrap().attr("status"), Some("unrestricted"));
        let methods = client.child("auth", NS).unwrap().children().map(|method| method.name().to_owned());
        let time = |name: &str| client.child(name, NS).unwrap().text();
        let times = (time("first-seen"), time("last-seen"));
        (client.attr("connected").unwrap().to_owned(), methods.collect::<Vec<_>>().join(" "), times.0, times.1)
    };
    let (first, later) = ("2026-01-01T00:00:00.000Z", "2026-01-31T00:00:00.000Z");
    let row = |connected: &str, methods: &str, first: &str, last: &str| {
        (connected.to_owned(), methods.to_owned(), first.to_owned(), last.to_owned())
    };
    assert_eq!(described(&id('a')), row("false", "password", first, first), "its token has expired");
    assert_eq!(described(&id('b')), row("false", "certificate", later, later));
    assert_eq!(described("session/balcony"), row("true", "password", first, first));
    assert!(!format!("{listed:?}").contains("4565fa7"), "the client's id is not for others");
}

/// XEP-0494 section 3.2.
#[test]
fn revoking_takes_what_can_be_taken() {
    let mut world = verona();
    let admission = comes_by_password(&world, &with_token('a'), 1);
    let mut phone = xeps::account::Session::new(SessionId(99), "juliet@example.org/phone".parse().unwrap());
    phone.states.of::<Login>().device = admission.device;
    world.account(JULIET).sessions.push(phone);
    world.acts();
    assert_eq!(revoke(&mut world, &id('a')), "");
    let acts = world.acts();
    let [refused, closed] = &acts[..] else { panic!("{acts:?}") };
    assert!(refused.starts_with("juliet@example.org/balcony gets <iq id='1' ") && refused.contains("type='error'"));
    assert!(refused.contains("<service-unavailable ") && refused.contains("<password-reset-required "), "{refused}");
    assert_eq!(closed, "juliet@example.org/phone is closed: not-authorized");
    assert_eq!(usable(&world, 'a'), []);
    assert_eq!(known(&world), [id('a')], "it still has access");

    change_password(&mut world);
    assert!(revoke(&mut world, &id('a')).contains("type='result'"));
    assert_eq!(known(&world), [""; 0]);
    assert!(revoke(&mut world, &id('a')).contains("<item-not-found "));

    world.acts();
    assert_eq!(revoke(&mut world, "session/balcony"), "");
    let acts = world.acts();
    assert!(acts[0].contains("<password-reset-required "), "{acts:?}");
    assert_eq!(acts[1], "juliet@example.org/balcony is closed: not-authorized", "who asks is answered first");
    for nobody in ["session/elsewhere", "session/", "", &"x".repeat(5000)] {
        assert!(revoke(&mut world, nobody).contains("<item-not-found "), "{nobody}");
    }
    let nameless = format!("<iq type='set' id='1'><revoke xmlns='{NS}'/></iq>");
    assert!(world.asks(JULIET, &nameless).contains("<bad-request "));
}

/// XEP-0494 section 5: protected from third parties.
#[test]
fn nobody_else_may_ask() {
    let mut world = verona();
    let ask = format!("<iq type='get' id='1' to='juliet@example.org'><list xmlns='{NS}'/></iq>");
    assert!(world.asks("romeo@example.net/orchard", &ask).contains("<service-unavailable "));
}

#[test]
fn another_password_voids_tokens_and_takes_access_from_who_knew_the_old_one() {
    let mut world = verona();
    comes_by_password(&world, &with_token('a'), 1);
    assert_eq!(usable(&world, 'a'), [(1, false)]);
    change_password(&mut world);
    assert_eq!(usable(&world, 'a'), []);
    let client = list(&mut world).into_iter().find(|client| client.attr("id") == Some(&*id('a'))).unwrap();
    assert_eq!(client.child("auth", NS).unwrap().children().count(), 0, "{client:?}");
}

#[test]
fn when_a_client_was_last_here_is_when_it_left() {
    let mut world = verona();
    let device = comes_by_password(&world, &request('a'), 1).device;
    world.account(JULIET).sessions[0].states.of::<Login>().device = device;
    world.wait(DAY);
    world.leaves(JULIET);
    let known = now_or_never(all(&world.store, &juliet(), &CONFIG, world.clock.time())).unwrap();
    assert_eq!(known[0].1.last_seen, world.clock.time());
}

#[test]
fn a_salt_is_never_two_tokens() {
    let salt: Salt = [1; 16];
    let token = |agent: &str| key().token(&["fast", "juliet@example.org", agent, "HT-SHA-256-NONE"], &salt).unwrap();
    assert_ne!(token(&id('a')), token(&id('b')));
}
