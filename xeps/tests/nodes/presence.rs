//! Delivery by presence and temporary subscriptions (XEP-0060 sections 12.5 and 12.6), at a service and at an account.

use crate::stage::{HAMLET, NS, OWNER, SERVICE, account, causes, form_of, publish_own, subscribe_own};
use xeps::pubsub::{Config, PubSub};
use xeps::testing::{Hosted, World};

const FRANCISCO: &str = "francisco@example.net";
const BARRACKS: &str = "francisco@example.net/barracks";
const GUARD: &str = "francisco@example.net/guard";

/// A service with a node of Hamlet's that has these fields.
fn service(fields: &str) -> Hosted {
    let mut service = crate::stage::service();
    let configure = format!("<configure>{}</configure>", form_of("node_config", fields));
    asks(&mut service, HAMLET, NS, &format!("<create node='musings'/>{configure}"));
    service
}

/// A subscription of Francisco's; what is sent besides the answer.
fn subscribes(service: &mut Hosted, jid: &str, options: &str) -> Vec<String> {
    let options = form_of("subscribe_options", options);
    asks(service, BARRACKS, NS, &format!("<subscribe node='musings' jid='{jid}'/><options>{options}</options>"))
}

fn configures(service: &mut Hosted, fields: &str) -> Vec<String> {
    let form = form_of("node_config", fields);
    asks(service, HAMLET, OWNER, &format!("<configure node='musings'>{form}</configure>"))
}

/// What a request causes besides its answer; a line each.
fn asks(service: &mut Hosted, who: &str, ns: &str, what: &str) -> Vec<String> {
    lines(&causes(service, who, ns, what))
}

fn publish(service: &mut Hosted, id: &str) -> Vec<String> {
    let item = format!("<item id='{id}'><entry xmlns='urn:entry'/></item>");
    asks(service, HAMLET, NS, &format!("<publish node='musings'>{item}</publish>"))
}

/// Presence of Francisco's; what the service does then.
fn shows(service: &mut Hosted, from: &str, kind: &str, show: &str) -> Vec<String> {
    let kind = if kind.is_empty() { String::new() } else { format!("type='{kind}'") };
    let show = if show.is_empty() { String::new() } else { format!("<show>{show}</show>") };
    lines(&service.receives(&format!("<presence from='{from}' to='{SERVICE}' {kind}>{show}</presence>")))
}

fn lines(sent: &[String]) -> Vec<String> {
    sent.iter().map(|stanza| line(stanza)).collect()
}

/// `subscribe to francisco@example.net`, or `one to francisco@example.net`.
fn line(text: &str) -> String {
    let stanza = xeps::testing::stanza(text);
    let to = stanza.to.as_ref().unwrap();
    let Some(event) = stanza.child("event", &format!("{NS}#event")) else {
        let kind = text.split_once(" type='").and_then(|(_, rest)| rest.split('\'').next());
        return format!("{} to {to}", kind.unwrap_or("available"));
    };
    let body = event.element().unwrap().children().next().unwrap().clone();
    let what = body.children().next().and_then(|item| item.attr("id").map(str::to_owned));
    format!("{} to {to}", what.or(body.attr("subscription").map(str::to_owned)).unwrap())
}

/// The subscriptions that Francisco has.
fn subscriptions(service: &mut Hosted) -> usize {
    let question = format!(
        "<iq type='get' from='{BARRACKS}' to='{SERVICE}' id='1'><pubsub xmlns='{NS}'><subscriptions/></pubsub></iq>"
    );
    let answer = service.receives(&question).remove(0);
    xeps::testing::payload(&answer).children().next().unwrap().children().count()
}

#[test]
fn who_has_chosen_states_is_notified_in_those() {
    let mut service = service("access_model=open");
    assert_eq!(subscribes(&mut service, FRANCISCO, "show-values=online,chat"), [format!("subscribe to {FRANCISCO}")]);
    assert_eq!(publish(&mut service, "unknown"), [""; 0]);
    shows(&mut service, FRANCISCO, "subscribed", "");
    for (show, told) in [("", true), ("dnd", false), ("chat", true), ("away", false)] {
        shows(&mut service, BARRACKS, "", show);
        let expected: &[String] = if told { &[format!("one to {FRANCISCO}")] } else { &[] };
        assert_eq!(publish(&mut service, "one"), expected, "{show:?}");
    }
    shows(&mut service, GUARD, "", "chat");
    assert_eq!(publish(&mut service, "two"), [format!("two to {FRANCISCO}")], "one of its clients is enough");
    shows(&mut service, GUARD, "unavailable", "");
    assert_eq!(publish(&mut service, "three"), [""; 0]);
    assert_eq!(service.awake(), 0);
}

#[test]
fn of_a_full_address_that_client_counts() {
    let mut service = service("access_model=open presence_based_delivery=1");
    assert_eq!(subscribes(&mut service, BARRACKS, ""), [format!("subscribe to {FRANCISCO}")]);
    shows(&mut service, FRANCISCO, "subscribed", "");
    shows(&mut service, GUARD, "", "");
    assert_eq!(publish(&mut service, "one"), [""; 0]);
    shows(&mut service, BARRACKS, "", "xa");
    assert_eq!(publish(&mut service, "two"), [format!("two to {BARRACKS}")]);
}

#[test]
fn the_service_asks_once_and_ceases_when_it_matters_no_longer() {
    let mut service = service("access_model=open");
    assert_eq!(subscribes(&mut service, FRANCISCO, ""), [""; 0], "nobody is asked for nothing");
    assert_eq!(configures(&mut service, "presence_based_delivery=1"), [format!("subscribe to {FRANCISCO}")]);
    assert_eq!(subscribes(&mut service, BARRACKS, ""), [""; 0], "it has been asked");
    shows(&mut service, FRANCISCO, "subscribed", "");
    let gone = |jid: &str, subid: &str| format!("<unsubscribe node='musings' jid='{jid}' {subid}/>");
    assert_eq!(asks(&mut service, BARRACKS, NS, &gone(BARRACKS, "")), [""; 0]);
    assert_eq!(asks(&mut service, BARRACKS, NS, &gone(FRANCISCO, "")), [format!("unsubscribe to {FRANCISCO}")]);
    assert_eq!(service.starts(SERVICE), [""; 0], "nothing is left");

    subscribes(&mut service, FRANCISCO, "");
    assert_eq!(configures(&mut service, "presence_based_delivery=0"), [format!("unsubscribe to {FRANCISCO}")]);
    assert_eq!(publish(&mut service, "one"), [format!("one to {FRANCISCO}")]);
    configures(&mut service, "presence_based_delivery=1");
    let sent = asks(&mut service, HAMLET, OWNER, "<delete node='musings'/>");
    assert!(sent.contains(&format!("unsubscribe to {FRANCISCO}")), "{sent:?}");
}

#[test]
fn who_declines_is_not_notified_and_not_asked_again_unless_it_chooses_anew() {
    let mut service = service("access_model=open presence_based_delivery=1");
    subscribes(&mut service, FRANCISCO, "");
    assert_eq!(shows(&mut service, FRANCISCO, "unsubscribed", ""), [""; 0]);
    assert_eq!(publish(&mut service, "one"), [""; 0]);
    configures(&mut service, "presence_based_delivery=0");
    assert_eq!(configures(&mut service, "presence_based_delivery=1"), [""; 0]);
    assert_eq!(subscriptions(&mut service), 1, "it may still look by itself");
    let options = form_of("subscribe_options", "show-values=chat");
    let choice = format!("<options node='musings' jid='{FRANCISCO}'>{options}</options>");
    assert_eq!(asks(&mut service, BARRACKS, NS, &choice), [format!("subscribe to {FRANCISCO}")]);
    shows(&mut service, FRANCISCO, "subscribed", "");
    shows(&mut service, BARRACKS, "", "chat");
    assert_eq!(publish(&mut service, "two"), [format!("two to {FRANCISCO}")]);
    shows(&mut service, FRANCISCO, "unsubscribed", "");
    assert_eq!(publish(&mut service, "three"), [""; 0], "it has changed its mind");
}

#[test]
fn a_temporary_subscription_ends_when_its_subscriber_goes() {
    let mut service = service("access_model=open");
    subscribes(&mut service, FRANCISCO, "expire=presence");
    let question = format!(
        "<iq type='get' from='{BARRACKS}' to='{SERVICE}' id='1'><pubsub xmlns='{NS}'><options node='musings' jid='{FRANCISCO}'/></pubsub></iq>"
    );
    let shown = service.receives(&question).remove(0);
    assert!(shown.contains("<value>presence</value>"), "{shown}");
    shows(&mut service, FRANCISCO, "subscribed", "");
    shows(&mut service, BARRACKS, "", "");
    shows(&mut service, GUARD, "", "");
    assert_eq!(publish(&mut service, "one"), [format!("one to {FRANCISCO}")]);
    assert_eq!(shows(&mut service, BARRACKS, "unavailable", ""), [""; 0], "somebody is still there");
    assert_eq!(shows(&mut service, GUARD, "unavailable", ""), [format!("unsubscribe to {FRANCISCO}")]);
    assert_eq!(subscriptions(&mut service), 0);
}

#[test]
fn an_owner_makes_all_subscriptions_temporary() {
    let mut service = service("access_model=open notify_sub=1");
    subscribes(&mut service, BARRACKS, "");
    configures(&mut service, "tempsub=true");
    shows(&mut service, FRANCISCO, "subscribed", "");
    shows(&mut service, BARRACKS, "", "");
    shows(&mut service, GUARD, "", "");
    let sent = shows(&mut service, BARRACKS, "unavailable", "");
    assert!(sent.contains(&"none to hamlet@example.org".to_owned()), "{sent:?}");
    assert_eq!(subscriptions(&mut service), 0);
}

#[test]
fn the_last_item_is_sent_to_who_comes_and_not_to_who_is_there_after_a_restart() {
    let mut service = service("access_model=open send_last_published_item=on_sub_and_presence");
    publish(&mut service, "one");
    let sent = subscribes(&mut service, FRANCISCO, "");
    assert_eq!(sent, [format!("subscribe to {FRANCISCO}"), format!("one to {FRANCISCO}")]);
    shows(&mut service, FRANCISCO, "subscribed", "");
    assert_eq!(shows(&mut service, BARRACKS, "", ""), [""; 0], "it has just been told");
    assert_eq!(shows(&mut service, BARRACKS, "unavailable", ""), [""; 0]);
    assert_eq!(shows(&mut service, BARRACKS, "", "away"), [format!("one to {FRANCISCO}")]);
    assert_eq!(shows(&mut service, BARRACKS, "", ""), [""; 0]);

    service.restarts_with(Box::new(PubSub::new(&Config::default())));
    assert_eq!(lines(&service.starts(SERVICE)), [format!("probe to {FRANCISCO}")]);
    assert_eq!(shows(&mut service, BARRACKS, "", ""), [""; 0], "it had never been away");
    shows(&mut service, BARRACKS, "unavailable", "");
    service.restarts_with(Box::new(PubSub::new(&Config::default())));
    assert_eq!(shows(&mut service, BARRACKS, "", ""), [format!("one to {FRANCISCO}")]);
}

#[test]
fn a_restart_forgets_nobody() {
    let mut service = service("access_model=open");
    subscribes(&mut service, FRANCISCO, "expire=presence");
    shows(&mut service, FRANCISCO, "subscribed", "");
    shows(&mut service, BARRACKS, "", "");
    service.restarts_with(Box::new(PubSub::new(&Config::default())));
    assert_eq!(lines(&service.starts(SERVICE)), [format!("probe to {FRANCISCO}")]);
    assert_eq!(publish(&mut service, "one"), [""; 0], "the answer has not come yet");
    assert_eq!(subscriptions(&mut service), 1);
    assert_eq!(shows(&mut service, FRANCISCO, "unavailable", ""), [format!("unsubscribe to {FRANCISCO}")]);
    assert_eq!(subscriptions(&mut service), 0, "it has gone meanwhile");
}

#[test]
fn directed_presence_is_as_good_as_a_subscription() {
    let mut service = service("access_model=open presence_based_delivery=1");
    assert_eq!(shows(&mut service, BARRACKS, "", ""), [""; 0], "nobody wants to know");
    subscribes(&mut service, FRANCISCO, "");
    shows(&mut service, BARRACKS, "", "");
    assert_eq!(publish(&mut service, "one"), [format!("one to {FRANCISCO}")]);
}

#[test]
fn what_is_no_state_of_presence_is_refused_and_others_may_not_subscribe_to_the_service() {
    let mut service = service("access_model=open");
    let options = form_of("subscribe_options", "show-values=asleep");
    let wrong = format!(
        "<iq type='set' from='{BARRACKS}' to='{SERVICE}' id='1'><pubsub xmlns='{NS}'><subscribe node='musings' jid='{FRANCISCO}'/><options>{options}</options></pubsub></iq>"
    );
    let refusal = service.receives(&wrong).remove(0);
    assert!(refusal.contains("<bad-request") && refusal.contains("<invalid-options"), "{refusal}");
    assert_eq!(shows(&mut service, FRANCISCO, "subscribe", ""), [format!("error to {FRANCISCO}")]);
}

#[test]
fn a_digest_waits_until_its_subscriber_is_there() {
    let hour = std::time::Duration::from_secs(3600);
    let mut service = service("access_model=open presence_based_delivery=1");
    subscribes(&mut service, FRANCISCO, "digest=1 digest_frequency=3600000");
    shows(&mut service, FRANCISCO, "subscribed", "");
    publish(&mut service, "one");
    service.wait(hour);
    assert_eq!(service.keeps_appointments(), [""; 0]);
    shows(&mut service, BARRACKS, "", "");
    publish(&mut service, "two");
    service.wait(hour);
    let sent = service.keeps_appointments();
    assert!(
        matches!(sent.as_slice(), [digest] if digest.contains("id='one'") && digest.contains("id='two'")),
        "{sent:?}"
    );
}

/// An account sees its contacts and asks nobody.
#[test]
fn an_account_notifies_contacts_by_their_presence() {
    let mut world = account();
    world.becomes_available(HAMLET, 0);
    let publish = |world: &mut World, id: &str| -> Vec<String> {
        world.acts();
        publish_own(world, id, "access_model=open");
        world.acts()
    };
    publish(&mut world, "zero");
    subscribe_own(&mut world, BARRACKS, FRANCISCO, "show-values=chat");
    subscribe_own(&mut world, BARRACKS, BARRACKS, "expire=presence");
    assert!(world.acts().iter().all(|act| !act.contains("<presence")), "nobody is asked for presence");
    assert_eq!(publish(&mut world, "one"), [""; 0]);
    world.presence_comes(&format!("<presence from='{BARRACKS}' to='hamlet@example.org'><show>chat</show></presence>"));
    assert_eq!(publish(&mut world, "two").len(), 2);
    world.presence_comes(&format!("<presence from='{BARRACKS}' to='hamlet@example.org'/>"));
    let told = publish(&mut world, "three");
    assert!(matches!(told.as_slice(), [one] if one.contains(&format!("to='{BARRACKS}'"))), "{told:?}");
    world.presence_comes(&format!("<presence type='unavailable' from='{BARRACKS}' to='hamlet@example.org'/>"));
    let own =
        format!("<iq type='get' id='1' to='hamlet@example.org'><pubsub xmlns='{NS}'><subscriptions/></pubsub></iq>");
    let answer = world.asks(BARRACKS, &own);
    assert!(
        answer.contains(&format!("jid='{FRANCISCO}'")) && !answer.contains(&format!("jid='{BARRACKS}'")),
        "{answer}"
    );
}
