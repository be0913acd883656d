//! Nodes of the publish-subscribe service (XEP-0060) with many who publish and many who read.

use crate::publishing::{EVENT, PUBSUB, ask, configure, form, items, next_items, publication, service, subscribe};
use crate::support::{Client, Server, component, wait};

/// RFC 6120 section 10.1, for what a node sends: whoever of them is handed it first, all subscribers see one order.
#[test]
fn all_subscribers_hear_in_the_same_order() {
    const EACH: usize = 60;
    let server = Server::start();
    let open = configure(&[("pubsub#publish_model", "open")]);
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
    ask(&mut publishers[0], &format!("<create node='news'/>{open}"));
    for reader in &mut readers {
        let jid = reader.jid.clone();
        ask(reader, &format!("<subscribe node='news' jid='{jid}'/>"));
    }
    for (number, publisher) in publishers.iter_mut().enumerate() {
        let publish = |n| {
            let what = publication("news", &format!("{number}-{n}"));
            format!("<iq type='set' id='p{n}' to='{}'><pubsub xmlns='{PUBSUB}'>{what}</pubsub></iq>", service())
        };
        publisher.send((0..EACH).map(publish).collect::<String>());
    }
    let mut heard = readers
        .iter_mut()
        .map(|reader| (0..publishers.len() * EACH).flat_map(|_| next_items(reader)).collect::<Vec<String>>());
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
            let message = readers.find(|stanza| !items(stanza).is_empty());
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
    for (name, parent) in [("plays", ""), ("plays/1597", "plays"), ("plays/1597/drafts", "plays/1597")] {
        let parent = configure(&[("{urn:xmpp:pubsub-relationships:0}parent", parent)]);
        ask(&mut bard, &format!("<create node='{name}'/>{parent}"));
    }
    let jid = reader.jid.clone();
    subscribe(&mut reader, "plays", &jid, &[("{urn:xmpp:pubsub-ext-sub:0}depth", "-1")]);
    ask(&mut bard, &publication("plays/1597/drafts", "act-1"));
    assert_eq!(next_items(&mut reader), ["act-1"]);

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
    ask(&mut bard, &publication("plays/1597/drafts", "act-2"));
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
