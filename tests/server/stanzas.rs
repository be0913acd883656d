//! Stanzas on their way: what reaches the other side, in which order, and what comes back when nobody is there.

use crate::support::{Client, DOMAIN, Server, login::error_condition, user};
use std::collections::BTreeMap;
use std::thread;
use wire::xml::Element;

/// A server with Romeo and Juliet, both of them available.
fn lovers() -> (Server, Client, Client) {
    let server = Server::start();
    let [romeo, juliet] = [("romeo", "garden"), ("juliet", "balcony")].map(|(name, resource)| {
        server.add_user(name);
        let mut client = server.log_in(name, resource);
        client.send("<presence/>");
        client.settled();
        client
    });
    (server, romeo, juliet)
}

fn message(stanzas: &[Element]) -> Vec<&Element> {
    stanzas.iter().filter(|stanza| stanza.name() == "message").collect()
}

/// Prefixes that only the sender's stream header declares mean nothing to anybody else.
#[test]
fn a_payload_keeps_its_meaning_on_another_stream() {
    let (server, mut romeo, mut juliet) = lovers();
    for payload in [
        "<x xmlns='urn:example:a'><y xmlns='urn:example:b' z='1'/><y/></x>",
        "<p:x xmlns:p='urn:example:a' p:q='1' q='2'><p:y/></p:x>",
        "<x xmlns='urn:example:a' xml:lang='de' xml:space='preserve'> \t\n </x>",
        "<x xmlns='urn:example:a'>&lt;&gt;&amp;&apos;&quot;&#x1F339;<![CDATA[<not-a-tag/>&amp;]]>]]&gt;</x>",
        "<x xmlns='urn:example:a' y='&lt;&quot;&apos;&#9;&#10;&#13;&amp;'/>",
        "<stream:x xmlns:q='urn:example:q'><q:y/></stream:x>",
        "<y xmlns='jabber:server'><z xmlns='jabber:client'/></y>",
    ] {
        romeo.send(format!("<message to='{}'>{payload}</message>", juliet.jid));
        let heard = juliet.find(|stanza| stanza.name() == "message");
        let sent = format!(
            "<message xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams'>{payload}</message>"
        );
        let sent: Element = sent.parse().unwrap();
        let (sent, heard) = (sent.children().next(), heard.children().next());
        assert_eq!(heard, sent, "{payload}");
    }
    // And where the header itself declares a prefix.
    let mut odd = server.connect();
    odd.open();
    odd.start_tls();
    odd.open();
    odd.authenticate(wire::sasl::Mechanism::ScramSha1, "romeo", crate::support::PASSWORD).unwrap();
    odd.restart();
    odd.send(format!(
        "<s:stream to='{DOMAIN}' version='1.0' xmlns='jabber:client' xmlns:s='http://etherx.jabber.org/streams' \
         xmlns:e='urn:example:header'>"
    ));
    odd.find(|element| element.name() == "features");
    odd.bind("odd").unwrap();
    odd.send(format!("<message to='{}'><e:x e:y='1'><z/></e:x></message>", juliet.jid));
    let heard = juliet.find(|stanza| stanza.name() == "message");
    let x = heard.child("x", "urn:example:header").expect("the payload has lost its namespace");
    assert_eq!(x.attr_ns("y", "urn:example:header"), Some("1"));
    assert!(x.child("z", "jabber:client").is_some());
}

/// Whoever could make the server send XML that is none could throw anyone out, again at each login.
#[test]
fn attributes_nobody_knows_do_no_harm() {
    let (server, mut romeo, mut juliet) = lovers();
    server.add_user("nurse");
    for (attributes, kept) in [
        ("foo='1'", ("foo", "", "1")),
        ("xml:space='preserve'", ("space", "http://www.w3.org/XML/1998/namespace", "preserve")),
        ("xmlns:p='urn:example:p' p:foo='&lt;&apos;'", ("foo", "urn:example:p", "<'")),
        ("xmlns:f0='urn:example:p' f0:foo='1' xmlns:f1='urn:example:q' f1:foo='2'", ("foo", "urn:example:q", "2")),
    ] {
        let heard_well = |juliet: &mut Client| {
            let heard = juliet.find(|stanza| stanza.name() == "message");
            let (name, namespace, value) = kept;
            let found = if namespace.is_empty() { heard.attr(name) } else { heard.attr_ns(name, namespace) };
            assert_eq!(found, Some(value), "{attributes}");
        };
        for to in [juliet.jid.clone(), user("juliet"), user("nurse")] {
            romeo.send(format!("<message to='{to}' type='chat' {attributes}><body>Ay me</body></message>"));
        }
        heard_well(&mut juliet);
        heard_well(&mut juliet);
        // And from the disk.
        romeo.settle();
        let mut nurse = server.log_in("nurse", "house");
        nurse.send("<presence/>");
        heard_well(&mut nurse);
        nurse.leave();
    }
}

#[test]
fn the_server_says_who_the_sender_is() {
    let (_server, mut romeo, mut juliet) = lovers();
    let (full, bare) = (romeo.jid.clone(), user("romeo"));
    for from in [String::new(), format!("from='{full}'"), format!("from='{bare}'")] {
        romeo.send(format!(
            "<message {from} to='{}' id='a&amp;b' xml:lang='it'><body>Ciao</body></message>",
            juliet.jid
        ));
        let heard = juliet.find(|stanza| stanza.name() == "message");
        assert_eq!(heard.attr("from"), Some(full.as_str()), "{from}");
        assert_eq!(heard.attr("to"), Some(juliet.jid.as_str()));
        assert_eq!(heard.attr("id"), Some("a&b"));
        assert_eq!(heard.attr_ns("lang", "http://www.w3.org/XML/1998/namespace"), Some("it"));
    }
}

/// RFC 6121 section 8.5: who hears what when there is no such account, no such resource, or nobody at home.
#[test]
fn what_nobody_takes_is_answered_or_dropped_as_its_kind_demands() {
    let (server, mut romeo, _juliet) = lovers();
    server.add_user("nurse");
    let (nobody, away, wrong) =
        (user("nobody"), format!("{}/nowhere", user("nurse")), format!("{}/wrong", user("juliet")));
    let body = "<body>Anyone?</body>";
    let request = "<query xmlns='jabber:iq:version'/>";
    for (stanza, answer) in [
        (format!("<message to='{nobody}' type='chat'>{body}</message>"), Some("service-unavailable")),
        (format!("<message to='{nobody}'>{body}</message>"), Some("service-unavailable")),
        (format!("<message to='{nobody}' type='groupchat'>{body}</message>"), Some("service-unavailable")),
        (format!("<message to='{nobody}' type='error'>{body}</message>"), None),
        (format!("<message to='{away}' type='headline'>{body}</message>"), None),
        (format!("<message to='{}' type='groupchat'>{body}</message>", user("nurse")), Some("service-unavailable")),
        (format!("<message to='{away}' type='chat'>{body}</message>"), None),
        (format!("<message to='{away}' type='error'>{body}</message>"), None),
        (format!("<presence to='{nobody}'/>"), None),
        (format!("<presence to='{away}'/>"), None),
        (format!("<iq to='{nobody}' id='1' type='get'>{request}</iq>"), Some("service-unavailable")),
        (format!("<iq to='{wrong}' id='2' type='get'>{request}</iq>"), Some("service-unavailable")),
        (format!("<iq to='{wrong}' id='3' type='result'/>"), None),
        (format!("<iq to='{nobody}' id='4' type='error'/>"), None),
        ("<message to='a@b@c'><body/></message>".to_owned(), Some("jid-malformed")),
        (format!("<iq to='{DOMAIN}' id='5' type='get'/>"), Some("bad-request")),
        (format!("<iq to='{DOMAIN}' id='6' type='get'>{request}{request}</iq>"), Some("bad-request")),
        (format!("<iq to='{DOMAIN}' id='7' type='fetch'>{request}</iq>"), Some("bad-request")),
    ] {
        romeo.send(&stanza);
        let heard: Vec<Option<String>> = romeo.settled().iter().map(error_condition).collect();
        let expected: Vec<Option<String>> = answer.map(|condition| Some(condition.to_owned())).into_iter().collect();
        assert_eq!(heard, expected, "{stanza}");
    }
}

/// RFC 6120 section 10.1, from several sides at once.
#[test]
fn between_two_clients_nothing_is_lost_doubled_or_out_of_order() {
    const SENDERS: usize = 4;
    const EACH: usize = 400;
    let (server, _romeo, mut juliet) = lovers();
    let to = juliet.jid.clone();
    thread::scope(|scope| {
        for sender in 0..SENDERS {
            let name = format!("sender{sender}");
            server.add_user(&name);
            let mut client = server.log_in(&name, "loud");
            let to = &to;
            scope.spawn(move || {
                for burst in 0..EACH / 20 {
                    let number = |i: usize| burst * 20 + i;
                    let letter =
                        |i: usize| format!("<message to='{to}' type='chat' id='{}'><body/></message>", number(i));
                    client.send((0..20).map(letter).collect::<String>());
                }
                client.settle();
            });
        }
        let mut next: BTreeMap<String, usize> = BTreeMap::new();
        for _ in 0..SENDERS * EACH {
            let heard = juliet.find(|stanza| stanza.name() == "message");
            let count = next.entry(heard.attr("from").unwrap().to_owned()).or_default();
            assert_eq!(heard.attr("id"), Some(count.to_string().as_str()), "from {:?}", heard.attr("from"));
            *count += 1;
        }
        assert_eq!(next.len(), SENDERS);
    });
    assert_eq!(message(&juliet.settled()).len(), 0);
}

#[test]
fn headlines_are_not_kept_and_chats_are() {
    let (server, mut romeo, juliet) = lovers();
    juliet.leave();
    for kind in ["headline", "chat", "normal"] {
        romeo.send(format!("<message to='{}' type='{kind}'><body>{kind}</body></message>", user("juliet")));
    }
    romeo.settle();
    let mut juliet = server.log_in("juliet", "chamber");
    juliet.send("<presence/>");
    let heard = juliet.settled();
    let kinds: Vec<_> = message(&heard).into_iter().map(|message| message.attr("type").unwrap_or("normal")).collect();
    assert_eq!(kinds, ["chat", "normal"]);
}
