//! Nodes of the publish-subscribe service (XEP-0060) with many who publish and many who read.

use crate::support::{Client, DOMAIN, Server, component, wait};
use wire::xml::Element;

const PUBSUB: &str = "http://jabber.org/protocol/pubsub";
const EVENT: &str = "http://jabber.org/protocol/pubsub#event";

fn service() -> String {
    format!("pubsub.{DOMAIN}")
}

fn ask(client: &mut Client, what: &str) {
    let answer = client.iq("set", Some(&service()), &format!("<pubsub xmlns='{PUBSUB}'>{what}</pubsub>"));
    assert_eq!(answer.attr("type"), Some("result"), "{answer:?}");
}

fn item(message: &Element) -> Option<String> {
    let items = message.child("event", EVENT)?.child("items", EVENT)?;
    items.child("item", EVENT)?.attr("id").map(str::to_owned)
}

/// RFC 6120 section 10.1, for what a node sends: whoever of them is handed it first, all subscribers see one order.
#[test]
fn all_subscribers_hear_in_the_same_order() {
    const EACH: usize = 60;
    let server = Server::start();
    let config =
        "<x xmlns='jabber:x:data' type='submit'><field var='pubsub#publish_model'><value>open</value></field></x>";
    let users = |name: &str, count: usize| -> Vec<Client> {
        (0..count)
            .map(|n| {
                let name = format!("{name}{n}");
                server.add_user(&name);
                server.log_in(&name, "x")
            })
            .collect()
    };
    let (mut publishers, mut readers) = (users("bard", 3), users("reader", 8));
    ask(&mut publishers[0], &format!("<create node='news'/><configure>{config}</configure>"));
    for reader in &mut readers {
        let jid = reader.jid.clone();
        ask(reader, &format!("<subscribe node='news' jid='{jid}'/>"));
    }
    for (number, publisher) in publishers.iter_mut().enumerate() {
        let publish = |n| {
            let what = format!("<publish node='news'><item id='{number}-{n}'><e xmlns='urn:e'/></item></publish>");
            format!("<iq type='set' id='p{n}' to='{}'><pubsub xmlns='{PUBSUB}'>{what}</pubsub></iq>", service())
        };
        publisher.send((0..EACH).map(publish).collect::<String>());
    }
    let mut heard = readers.iter_mut().map(|reader| {
        let next = |_| item(&reader.find(|stanza| item(stanza).is_some())).unwrap();
        (0..publishers.len() * EACH).map(next).collect::<Vec<String>>()
    });
    let first = heard.next().unwrap();
    assert!(heard.all(|order| order == first));
}

/// Many subscribers may be behind one stream, which takes so much at a time: the rest waits, and is not lost.
#[test]
fn subscribers_behind_one_stream_are_all_told() {
    const READERS: usize = 900;
    const DOMAIN_OF_READERS: &str = "readers.example";
    let server = Server::configured(&format!(
        "components.'{DOMAIN_OF_READERS}'.secret = 's3cret'\nlimits.session.outbox = '64 KiB'"
    ));
    server.add_user("bard");
    let mut bard = server.log_in("bard", "x");
    ask(&mut bard, "<create node='news'/>");
    let mut readers = component::connect(server.component(), &server.certificate(), DOMAIN_OF_READERS, "s3cret");
    for few in (0..READERS).collect::<Vec<_>>().chunks(20) {
        for n in few {
            let who = format!("reader{n}@{DOMAIN_OF_READERS}");
            let subscribe = format!("<pubsub xmlns='{PUBSUB}'><subscribe node='news' jid='{who}'/></pubsub>");
            readers.send(format!("<iq type='set' id='s{n}' from='{who}' to='{}'>{subscribe}</iq>", service()));
        }
        for _ in few {
            assert_eq!(readers.next().element().attr("type"), Some("result"));
        }
    }
    // Twenty times what may wait for the component.
    let text = "x".repeat(1500);
    ask(&mut bard, &format!("<publish node='news'><item id='one'><e xmlns='urn:e'>{text}</e></item></publish>"));
    let told: std::collections::HashSet<String> = (0..READERS)
        .map(|_| {
            let message = readers.find(|stanza| item(stanza).is_some());
            message.attr("to").expect("it has an address").to_owned()
        })
        .collect();
    assert_eq!(told.len(), READERS);
}

/// XEP-0496, XEP-0497 and XEP-0499: a tree of files is made, found, followed and deleted, with all that is below it.
#[test]
fn a_tree_of_nodes_is_found_followed_and_deleted() {
    let server = Server::start();
    for user in ["bard", "reader"] {
        server.add_user(user);
    }
    let (mut bard, mut reader) = (server.log_in("bard", "x"), server.log_in("reader", "x"));
    let form = |kind: &str, fields: &[(&str, &str)]| {
        let field = |(var, value): &(&str, &str)| format!("<field var='{var}'><value>{value}</value></field>");
        let fields: String = fields.iter().map(field).collect();
        format!(
            "<x xmlns='jabber:x:data' type='submit'><field var='FORM_TYPE'><value>{kind}</value></field>{fields}</x>"
        )
    };
    let create = |name: &str, parent: &str| {
        let fields = [("{urn:xmpp:pubsub-relationships:0}parent", parent)];
        format!("<create node='{name}'/><configure>{}</configure>", form(&format!("{PUBSUB}#node_config"), &fields))
    };
    for (name, parent) in [("plays", ""), ("plays/1597", "plays"), ("plays/1597/drafts", "plays/1597")] {
        ask(&mut bard, &create(name, parent));
    }
    let deep = form(&format!("{PUBSUB}#subscribe_options"), &[("{urn:xmpp:pubsub-ext-sub:0}depth", "-1")]);
    let jid = reader.jid.clone();
    ask(&mut reader, &format!("<subscribe node='plays' jid='{jid}'/><options>{deep}</options>"));
    let publish =
        |id: &str| format!("<publish node='plays/1597/drafts'><item id='{id}'><e xmlns='urn:e'/></item></publish>");
    ask(&mut bard, &publish("act-1"));
    let told = reader.find(|stanza| item(stanza).is_some());
    assert_eq!(item(&told).as_deref(), Some("act-1"));

    let wish = form("urn:xmpp:pubsub-ext-disco:0", &[("depth", "2"), ("type", "nodes")]);
    let query = format!("<query xmlns='http://jabber.org/protocol/disco#items' node='plays'>{wish}</query>");
    let found = |who: &mut Client| {
        let answer = who.iq("get", Some(&service()), &query);
        let nodes = answer.children().next().map(|query| query.children().filter_map(|item| item.attr("node")));
        nodes.expect("there is a query").map(str::to_owned).collect::<Vec<String>>()
    };
    assert_eq!(found(&mut reader), ["plays/1597", "plays/1597/drafts"]);

    let own = |what: &str| format!("<pubsub xmlns='{PUBSUB}#owner'>{what}</pubsub>");
    let close = form(&format!("{PUBSUB}#node_config"), &[("pubsub#access_model", "whitelist")]);
    let close = own(&format!("<configure node='plays/1597'>{close}</configure>"));
    assert_eq!(bard.iq("set", Some(&service()), &close).attr("type"), Some("result"));
    ask(&mut bard, &publish("act-2"));
    assert_eq!(found(&mut reader), [""; 0]);

    let gone = bard.iq("set", Some(&service()), &own("<delete node='plays'/>"));
    assert_eq!(gone.attr("type"), Some("result"));
    // What it has not seen in between, it has not been sent: this comes next.
    let told = reader.find(|stanza| stanza.child("event", EVENT).is_some());
    let event = told.child("event", EVENT).and_then(|event| event.child("delete", EVENT)).expect("it is deleted");
    assert_eq!(event.attr("node"), Some("plays"));
    // What is below goes after the answer; then its name is free.
    let again = format!("<pubsub xmlns='{PUBSUB}'><create node='plays/1597/drafts'/></pubsub>");
    let made = || (bard.iq("set", Some(&service()), &again).attr("type") == Some("result")).then_some(());
    wait::until(made).expect("the branch is deleted");
}
