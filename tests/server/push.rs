//! Push notifications (XEP-0357), with an app server at the other end: what is queued when a connection breaks, what comes
//! while a client sleeps, and what a restart of the server leaves for one that does not come back.

use crate::phone::{Phone, letters, numbers};
use crate::support::sasl2::{LAPTOP, PHONE};
use crate::support::{Client, DOMAIN, PASSWORD, Server, component, user};
use wire::sasl::Mechanism;
use wire::xml::Element;

const SERVICE: &str = "push.example";
const SECRET: &str = "s3cret";
const PUBSUB: &str = "http://jabber.org/protocol/pubsub";
const PUSH: &str = "urn:xmpp:push:0";

/// The push service of an app.
struct AppServer(Client);

/// What it is told.
struct Told {
    id: String,
    node: String,
    fields: Vec<(String, String)>,
}

impl Told {
    fn field(&self, name: &str) -> Option<&str> {
        self.fields.iter().find(|(var, _)| var == name).map(|(_, value)| value.as_str())
    }

    fn count(&self) -> u32 {
        self.field("message-count").unwrap().parse().unwrap()
    }
}

impl AppServer {
    fn new(server: &Server) -> AppServer {
        AppServer(component::connect(server.component(), &server.certificate(), SERVICE, SECRET))
    }

    /// The next notification, which it has not answered.
    fn hears(&mut self) -> Told {
        told(&self.0.find(is_publication))
    }

    /// The next notification, which it takes.
    fn takes(&mut self) -> Told {
        let told = self.hears();
        self.answers(&told, "result", "");
        told
    }

    fn answers(&mut self, told: &Told, kind: &str, content: &str) {
        let (to, id) = (user("juliet"), &told.id);
        self.0.send(format!("<iq type='{kind}' id='{id}' from='{SERVICE}' to='{to}'>{content}</iq>"));
        // Whatever others do from now on comes after it.
        let id = self.pings();
        self.0.find(|element| element.attr("id") == Some(&id));
    }

    /// Asks the server, and returns the id of the answer.
    fn pings(&mut self) -> String {
        let id = self.0.fresh_id();
        let ping = "<ping xmlns='urn:xmpp:ping'/>";
        self.0.send(format!("<iq type='get' id='{id}' from='{SERVICE}' to='{DOMAIN}'>{ping}</iq>"));
        id
    }

    /// How many notifications have come, once the server has dealt with everything before.
    fn count(&mut self) -> usize {
        let id = self.pings();
        let mut publications = 0;
        loop {
            let element = self.0.next().element();
            if element.attr("id") == Some(&id) {
                return publications;
            }
            publications += usize::from(is_publication(&element));
        }
    }
}

fn is_publication(element: &Element) -> bool {
    element.name() == "iq" && element.child("pubsub", PUBSUB).is_some()
}

fn told(iq: &Element) -> Told {
    assert_eq!(iq.attr("from"), Some(user("juliet").as_str()));
    let publish = iq.child("pubsub", PUBSUB).unwrap().child("publish", PUBSUB).unwrap();
    let notification = publish.child("item", PUBSUB).unwrap().child("notification", PUSH).unwrap();
    let form = notification.child("x", "jabber:x:data").unwrap();
    let field = |field: &Element| Some((field.attr("var")?.to_owned(), field.children().next()?.text()));
    Told {
        id: iq.attr("id").unwrap().to_owned(),
        node: publish.attr("node").unwrap().to_owned(),
        fields: form.children().filter_map(field).collect(),
    }
}

struct Verona {
    server: Server,
    app: AppServer,
    romeo: Client,
}

fn verona(settings: &str) -> Verona {
    let server = Server::configured(&format!("components.'{SERVICE}'.secret = '{SECRET}'\n{settings}"));
    ["juliet", "romeo"].into_iter().for_each(|name| server.add_user(name));
    let (app, romeo) = (AppServer::new(&server), server.log_in("romeo", "garden"));
    Verona { server, app, romeo }
}

impl Verona {
    fn romeo_writes(&mut self, texts: impl IntoIterator<Item = u32>) {
        self.romeo.send(letters(&user("juliet"), texts));
        self.romeo.settle();
    }

    /// Juliet's phone, which has named the push service.
    fn phone(&self) -> Phone {
        let mut phone = Phone::new(&self.server, "juliet", "phone");
        enable(&mut phone.client, "n1");
        phone.h += 1;
        phone
    }

    /// The server ends in some way and is started again; everybody but Juliet comes back.
    fn restarted(&mut self, end: fn(&mut Server)) {
        end(&mut self.server);
        self.app = AppServer::new(&self.server);
        self.romeo = self.server.log_in("romeo", "garden");
    }
}

fn enable(client: &mut Client, node: &str) {
    let answer = client.iq("set", None, &format!("<enable xmlns='{PUSH}' jid='{SERVICE}' node='{node}'/>"));
    assert_eq!(answer.attr("type"), Some("result"), "{answer:?}");
}

#[test]
fn what_was_on_its_way_to_a_client_that_is_lost_is_told() {
    let mut verona = verona("");
    let mut phone = verona.phone();
    verona.romeo_writes([1]);
    assert_eq!(phone.reads(), ["1"]);
    phone.acknowledges();
    assert_eq!(verona.app.count(), 0, "it is connected");
    verona.romeo_writes(2..=3);
    phone.breaks();
    let told = verona.app.takes();
    assert_eq!((told.node.as_str(), told.count()), ("n1", 2));
    verona.romeo_writes([4]);
    assert_eq!(verona.app.takes().count(), 3);
    phone.resumes(&verona.server);
    assert_eq!(phone.reads(), numbers(2..=4));
    verona.romeo_writes([5]);
    assert_eq!(phone.reads(), ["5"]);
    assert_eq!(verona.app.count(), 0, "it is back");
    phone.acknowledges();
    phone.breaks();
    verona.romeo_writes([6]);
    assert_eq!(verona.app.takes().count(), 1, "what it has seen is not counted again");
}

/// XEP-0352: nobody looks, but there is a connection, and what is urgent goes over it.
#[test]
fn a_client_that_is_only_inactive_needs_no_push() {
    let mut verona = verona("");
    let mut phone = verona.phone();
    phone.client.send("<inactive xmlns='urn:xmpp:csi:0'/>");
    phone.hears();
    verona.romeo_writes([1]);
    assert_eq!(phone.reads(), ["1"]);
    assert_eq!(verona.app.count(), 0);
}

#[test]
fn what_is_not_worth_it_wakes_nobody() {
    let mut verona = verona("");
    let mut phone = verona.phone();
    let mut desktop = verona.server.log_in("juliet", "desktop");
    phone.client.iq("set", None, "<enable xmlns='urn:xmpp:carbons:2'/>");
    let juliet = user("juliet");
    let states = [
        "<composing xmlns='http://jabber.org/protocol/chatstates'/>",
        "<received xmlns='urn:xmpp:receipts' id='1'/>",
        "<displayed xmlns='urn:xmpp:chat-markers:0' id='1'/>",
    ];
    let send = |verona: &mut Verona| {
        states
            .iter()
            .for_each(|state| verona.romeo.send(format!("<message to='{juliet}' type='chat'>{state}</message>")));
        verona.romeo.settle();
    };
    send(&mut verona);
    // A copy of what she has written elsewhere.
    desktop.send(letters(&user("romeo"), [1]));
    desktop.settle();
    phone.breaks();
    send(&mut verona);
    desktop.send(letters(&user("romeo"), [2]));
    desktop.send(letters(&juliet, [3]));
    desktop.settle();
    desktop.leave();
    assert_eq!(verona.app.count(), 0);
}

#[test]
fn a_connection_that_the_client_itself_replaces_wakes_nobody() {
    let mut verona = verona("");
    let mut phone = verona.phone();
    verona.romeo_writes([1]);
    phone.resumes(&verona.server);
    assert_eq!(phone.reads(), ["1"]);
    assert_eq!(verona.app.count(), 0);
}

#[test]
fn calls_and_subscription_requests_are_told_at_once() {
    let mut verona = verona("");
    let phone = verona.phone();
    phone.breaks();
    verona.romeo_writes([1]);
    let first = verona.app.hears();
    verona.romeo_writes([2]);
    assert_eq!(verona.app.count(), 0, "one at a time");
    let juliet = user("juliet");
    let call =
        format!("<message to='{juliet}' type='chat'><propose xmlns='urn:xmpp:jingle-message:0' id='c'/></message>");
    verona.romeo.send(call);
    assert_eq!(verona.app.takes().count(), 3);
    verona.app.answers(&first, "result", "");
    verona.romeo.send(format!("<presence to='{juliet}' type='subscribe'/>"));
    let told = verona.app.takes();
    assert_eq!((told.field("pending-subscription-count"), told.field("message-count")), (Some("1"), None));
}

#[test]
fn what_waited_when_the_server_went_is_told_to_those_who_stay_away() {
    let killed = |server: &mut Server| {
        server.kill9();
        server.restart();
    };
    let stopped = |server: &mut Server| {
        server.sigterm();
        assert_eq!(server.wait().code(), Some(0));
        server.restart();
    };
    for end in [killed, stopped] {
        let mut verona = verona("limits.session.wake_after = '1s'");
        let (mut away, mut back) = (verona.phone(), Phone::new(&verona.server, "juliet", "tablet"));
        enable(&mut back.client, "n2");
        back.h += 1;
        verona.romeo_writes([1]);
        assert_eq!((away.reads(), back.reads()), (numbers([1]), numbers([1])));
        // A change of the roster is answered when it is on disk, and with it what was before.
        verona.romeo.iq("set", None, "<query xmlns='jabber:iq:roster'><item jid='nurse@example.net'/></query>");
        verona.restarted(end);
        back.resumes(&verona.server);
        let told = verona.app.takes();
        assert_eq!((told.node.as_str(), told.count()), ("n1", 1));
        assert_eq!(verona.app.count(), 0, "the other one has come back");
        verona.romeo_writes([2]);
        assert_eq!(verona.app.takes().node, "n1");
        away.resumes(&verona.server);
        assert!(away.reads().ends_with(&numbers([2])));
    }
}

#[test]
fn an_app_server_that_is_away_is_asked_again_and_one_that_refuses_is_not() {
    let mut verona = verona("");
    let phone = verona.phone();
    phone.breaks();
    verona.romeo_writes([1]);
    let told = verona.app.hears();
    verona.app.answers(
        &told,
        "error",
        "<error type='wait'><resource-constraint xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error>",
    );
    assert_eq!(verona.app.count(), 0);
    drop(verona.app);
    let romeo = &mut verona.romeo;
    // A request that reaches the component while it leaves has no answer, so a message asks.
    let mut is_gone = || {
        romeo.send(format!("<message to='{SERVICE}' id='gone'><body/></message>"));
        romeo.settled().iter().any(|came| came.attr("id") == Some("gone") && came.attr("type") == Some("error"))
    };
    assert!(crate::support::wait::until(|| is_gone().then_some(())).is_some());
    verona.romeo.send(letters(&user("juliet"), [2]));
    verona.romeo.settle();
    let mut app = AppServer::new(&verona.server);
    verona.romeo.send(letters(&user("juliet"), [3]));
    let told = app.hears();
    assert_eq!(told.count(), 3);
    app.answers(
        &told,
        "error",
        "<error type='cancel'><item-not-found xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error>",
    );
    assert_eq!(app.count(), 0);
    verona.romeo.send(letters(&user("juliet"), [4]));
    verona.romeo.settle();
    assert_eq!(app.count(), 0, "it does not want to be asked");
}

#[test]
fn who_writes_and_what_is_told_only_if_the_operator_says_so() {
    for (settings, sender, body) in [
        ("", None, None),
        (
            "default_host.push.sender = true\ndefault_host.push.body = true",
            Some("romeo@capulet.example/garden"),
            Some("1"),
        ),
    ] {
        let mut verona = verona(settings);
        verona.phone().client.leave();
        verona.romeo_writes([1]);
        let told = verona.app.takes();
        assert_eq!((told.field("last-message-sender"), told.field("last-message-body")), (sender, body));
    }
}

/// XEP-0494.
#[test]
fn a_client_whose_access_is_taken_back_is_not_woken() {
    let mut verona = verona("");
    let log_in = |server: &Server, agent: &str| {
        let mut client = server.connect().secured();
        let bind = "<bind xmlns='urn:xmpp:bind:0'/>";
        client.authenticate2(Mechanism::ScramSha256Plus, "juliet", PASSWORD, &format!("{agent}{bind}")).unwrap();
        client
    };
    let (mut phone, mut laptop) = (log_in(&verona.server, PHONE), log_in(&verona.server, LAPTOP));
    enable(&mut phone, "phone");
    enable(&mut laptop, "laptop");
    let list = laptop.iq("get", None, "<list xmlns='urn:xmpp:cam:0'/>");
    let all = list.child("clients", "urn:xmpp:cam:0").unwrap();
    let of_phone = all.children().find(|client| format!("{client:?}").contains("AwesomeXMPP")).unwrap();
    let id = of_phone.attr("id").unwrap();
    laptop.iq("set", None, &format!("<revoke xmlns='urn:xmpp:cam:0' id='{id}'/>"));
    laptop.leave();
    verona.romeo_writes([1]);
    assert_eq!(verona.app.takes().node, "laptop");
    assert_eq!(verona.app.count(), 0);
}

#[test]
fn with_the_account_its_registrations_go() {
    let mut verona = verona("");
    verona.phone().client.leave();
    assert!(verona.server.oriole(&["user", "delete", "--yes", &user("juliet")]).status.success());
    verona.server.add_user("juliet");
    verona.romeo_writes([1]);
    assert_eq!(verona.app.count(), 0);
}

#[test]
fn what_is_said_in_a_room_is_told_to_an_occupant_that_sleeps() {
    let mut verona = verona("");
    let mut phone = verona.phone();
    let room = format!("balcony@muc.{DOMAIN}");
    let enter = |client: &mut Client, nick: &str| {
        client.send(format!("<presence to='{room}/{nick}'><x xmlns='http://jabber.org/protocol/muc'/></presence>"));
        client.find(|element| element.name() == "message" && element.child("subject", "jabber:client").is_some());
    };
    enter(&mut verona.romeo, "Romeo");
    let config = "<query xmlns='http://jabber.org/protocol/muc#owner'><x xmlns='jabber:x:data' type='submit'/></query>";
    verona.romeo.iq("set", Some(&room), config);
    enter(&mut phone.client, "Julie");
    phone.breaks();
    verona.romeo.send(format!("<message to='{room}' type='groupchat'><body>Art thou there?</body></message>"));
    assert_eq!(verona.app.takes().node, "n1");
}

/// A group of members only, one of whom has it among her bookmarks (XEP-0402) and sleeps somewhere else.
#[test]
fn what_is_said_in_a_group_is_told_to_a_member_who_is_not_there() {
    let mut verona = verona("");
    let mut phone = verona.phone();
    let (room, juliet) = (format!("house@muc.{DOMAIN}"), user("juliet"));
    let romeo = &mut verona.romeo;
    romeo.send(format!("<presence to='{room}/Romeo'><x xmlns='http://jabber.org/protocol/muc'/></presence>"));
    romeo.find(|element| element.name() == "message" && element.child("subject", "jabber:client").is_some());
    let config = "<query xmlns='http://jabber.org/protocol/muc#owner'><x xmlns='jabber:x:data' type='submit'>
        <field var='FORM_TYPE'><value>http://jabber.org/protocol/muc#roomconfig</value></field>
        <field var='muc#roomconfig_membersonly'><value>1</value></field></x></query>";
    assert_eq!(romeo.iq("set", Some(&room), config).attr("type"), Some("result"));
    let member = format!(
        "<query xmlns='http://jabber.org/protocol/muc#admin'><item affiliation='member' jid='{juliet}'/></query>"
    );
    assert_eq!(romeo.iq("set", Some(&room), &member).attr("type"), Some("result"));
    let bookmark = format!(
        "<pubsub xmlns='http://jabber.org/protocol/pubsub'><publish node='urn:xmpp:bookmarks:1'><item id='{room}'>
        <conference xmlns='urn:xmpp:bookmarks:1' autojoin='true'/></item></publish></pubsub>"
    );
    assert_eq!(phone.client.iq("set", None, &bookmark).attr("type"), Some("result"));
    phone.hears();
    phone.acknowledges();
    phone.breaks();
    assert_eq!(verona.app.count(), 0);
    verona.romeo.send(format!("<message to='{room}' type='groupchat'><body>Art thou there?</body></message>"));
    let told = verona.app.takes();
    assert_eq!((told.node.as_str(), told.count()), ("n1", 1));
    // Nothing of it is hers: she reads it in the room.
    phone.resumes(&verona.server);
    assert_eq!(phone.reads(), [""; 0]);
}
