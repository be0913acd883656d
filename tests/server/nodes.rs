//! Nodes of the publish-subscribe service (XEP-0060) with many who publish and many who read.

use crate::support::{Client, DOMAIN, Server, component};
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
    let server =
        Server::configured(&format!("components.'{DOMAIN_OF_READERS}'.secret = 's3cret'\nlimits.session.outbox = '64 KiB'"));
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
