//! The web front from outside: WebSocket, discovery, the page, feeds. BOSH is in `bosh`, uploads are in `uploads`.

use super::http::{BEHIND_A_PROXY, get, http, server};
use super::support::{DOMAIN, PASSWORD, Server};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use std::net::TcpStream;
use tungstenite::client::IntoClientRequest;
use tungstenite::{Message, WebSocket};
use wire::xml::{Element, Limits};

#[test]
fn host_meta_tells_where_the_streams_are() {
    let server = Server::configured(&format!("hosts.'{DOMAIN}'.public_url = 'https://web.capulet.example'"));
    let xml = get(&server, "/.well-known/host-meta");
    assert_eq!(xml.header("content-type"), Some("application/xrd+xml"));
    let document =
        Element::parse_document(&xml.text().replace("<?xml version='1.0' encoding='utf-8'?>", ""), &Limits::AFTER_AUTH)
            .unwrap();
    let links: Vec<_> =
        document.children().map(|link| (link.attr("rel").unwrap(), link.attr("href").unwrap())).collect();
    let expected = [
        ("urn:xmpp:alt-connections:websocket", "wss://web.capulet.example/xmpp-websocket"),
        ("urn:xmpp:alt-connections:xbosh", "https://web.capulet.example/http-bind"),
    ];
    assert_eq!(links, expected);
    let json: serde_json::Value = serde_json::from_str(&get(&server, "/.well-known/host-meta.json").text()).unwrap();
    for (index, (rel, href)) in expected.iter().enumerate() {
        assert_eq!((&json["links"][index]["rel"], &json["links"][index]["href"]), (&(*rel).into(), &(*href).into()));
    }
}

/// XEP-0487 section 2.1.
#[test]
fn host_meta_tells_where_all_streams_are_when_the_addresses_are_known() {
    let server = Server::configured(&format!(
        "http.public_addresses = ['192.0.2.7', '2001:db8::7']\nhosts.'{DOMAIN}'.public_url = 'https://web.capulet.example'"
    ));
    let meta: serde_json::Value = serde_json::from_str(&get(&server, "/.well-known/host-meta.json").text()).unwrap();
    assert_eq!(meta["xmpp"]["ttl"], 3600);
    // The ports of the other streams of this server are not known before it runs, so nothing is said of them.
    let [websocket, bosh] = meta["links"].as_array().unwrap().as_slice() else { panic!("{meta}") };
    assert_eq!(websocket["href"], "wss://web.capulet.example/xmpp-websocket");
    for link in [websocket, bosh] {
        assert_eq!((&link["sni"], &link["ips"][1]), (&"web.capulet.example".into(), &"2001:db8::7".into()));
    }
}

#[test]
fn a_person_sees_a_page() {
    let page = get(&server(), "/");
    assert_eq!(page.status, 200);
    assert!(page.text().contains(DOMAIN), "{page:?}");
    assert!(page.header("content-security-policy").unwrap().contains("default-src 'none'"));
    assert_eq!(get(&server(), "/nothing").status, 404);
}

/// A client over a WebSocket.
struct Web(WebSocket<TcpStream>);

const FRAMING: &str = "urn:ietf:params:xml:ns:xmpp-framing";

impl Web {
    fn connect(server: &Server, fields: &[(&'static str, &str)]) -> Result<Web, u16> {
        let mut request = format!("ws://{}/xmpp-websocket", server.web()).into_client_request().unwrap();
        for (name, value) in fields {
            request.headers_mut().insert(*name, value.parse().unwrap());
        }
        let socket = TcpStream::connect(server.web()).unwrap();
        socket.set_read_timeout(Some(super::support::wait::PATIENCE)).unwrap();
        match tungstenite::client(request, socket) {
            Ok((socket, response)) => {
                let protocol = response.headers().get("sec-websocket-protocol").map(|value| value.to_str().unwrap());
                assert_eq!(protocol, Some("xmpp"));
                Ok(Web(socket))
            }
            Err(tungstenite::HandshakeError::Failure(tungstenite::Error::Http(response))) => {
                Err(response.status().as_u16())
            }
            Err(error) => panic!("{error}"),
        }
    }

    fn encrypted(server: &Server) -> Web {
        Web::connect(server, &[("sec-websocket-protocol", "xmpp"), ("x-forwarded-proto", "https")]).unwrap()
    }

    fn send(&mut self, text: &str) {
        self.0.send(Message::text(text)).unwrap();
    }

    /// The next element, which stands for itself. None when the socket was closed.
    fn next(&mut self) -> Option<Element> {
        loop {
            match self.0.read() {
                Ok(Message::Text(text)) => return Some(Element::parse_document(&text, &Limits::AFTER_AUTH).unwrap()),
                Ok(Message::Close(_)) | Err(_) => return None,
                Ok(_) => {}
            }
        }
    }

    fn open(&mut self) -> Element {
        self.send(&format!("<open xmlns='{FRAMING}' to='{DOMAIN}' version='1.0'/>"));
        let open = self.next().unwrap();
        assert!(open.is("open", FRAMING) && open.attr("from") == Some(DOMAIN), "{open:?}");
        let features = self.next().unwrap();
        assert!(features.is("features", "http://etherx.jabber.org/streams"), "{features:?}");
        features
    }

    fn authenticate(&mut self, name: &str) {
        let features = self.open();
        assert!(features.child("starttls", "urn:ietf:params:xml:ns:xmpp-tls").is_none());
        let plain = BASE64.encode(format!("\0{name}\0{PASSWORD}"));
        self.send(&format!("<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>{plain}</auth>"));
        assert_eq!(self.next().unwrap().name(), "success");
        self.open();
    }

    fn log_in(&mut self, name: &str) -> String {
        self.authenticate(name);
        self.send("<iq xmlns='jabber:client' type='set' id='b'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/></iq>");
        let bound = self.next().unwrap();
        assert!(bound.is("iq", "jabber:client"), "{bound:?}");
        bound.children().next().unwrap().children().next().unwrap().text()
    }
}

#[test]
fn two_people_chat_over_websockets() {
    let server = server();
    server.add_user("juliet");
    server.add_user("romeo");
    let (mut juliet, mut romeo) = (Web::encrypted(&server), Web::encrypted(&server));
    let her = juliet.log_in("juliet");
    romeo.log_in("romeo");
    let text = "wherefore &lt;art&gt; thou 🌹";
    romeo.send(&format!("<message xmlns='jabber:client' to='{her}' type='chat'><body>{text}</body></message>"));
    let message = juliet.next().unwrap();
    assert!(message.is("message", "jabber:client"), "{message:?}");
    assert_eq!(message.child("body", "jabber:client").unwrap().text(), "wherefore <art> thou 🌹");
    romeo.send(&format!("<close xmlns='{FRAMING}'/>"));
    assert!(romeo.next().unwrap().is("close", FRAMING));
    assert!(romeo.next().is_none());
}

#[test]
fn a_websocket_message_is_one_element() {
    let server = server();
    for wrong in ["<presence/><presence/>", "<presence", "</stream:stream>", "hello", "<?xml version='1.0'?><a/>"] {
        let mut web = Web::encrypted(&server);
        web.open();
        web.send(wrong);
        let error = web.next().unwrap();
        assert!(error.is("error", "http://etherx.jabber.org/streams"), "{wrong}: {error:?}");
        assert!(web.next().unwrap().is("close", FRAMING), "{wrong}");
        assert!(web.next().is_none());
    }
    let mut web = Web::encrypted(&server);
    web.open();
    web.0.send(Message::binary(b"<presence/>".to_vec())).unwrap();
    while web.next().is_some() {}
}

#[test]
fn a_websocket_needs_its_protocol_encryption_and_a_welcome_origin() {
    let server = Server::configured(&format!("{BEHIND_A_PROXY}\nhttp.origins = ['https://chat.example']"));
    let https = ("x-forwarded-proto", "https");
    let xmpp = ("sec-websocket-protocol", "xmpp");
    assert_eq!(Web::connect(&server, &[https]).err(), Some(400));
    assert_eq!(Web::connect(&server, &[https, xmpp, ("origin", "https://evil.example")]).err(), Some(403));
    assert!(Web::connect(&server, &[https, xmpp, ("origin", "https://chat.example")]).is_ok());
    let mut open = Web::connect(&server, &[xmpp]).unwrap();
    open.send(&format!("<open xmlns='{FRAMING}' to='{DOMAIN}' version='1.0'/>"));
    assert!(open.next().unwrap().is("open", FRAMING));
    let error = open.next().unwrap();
    assert!(error.child("policy-violation", "urn:ietf:params:xml:ns:xmpp-streams").is_some(), "{error:?}");
}

/// RFC 7395 sections 3.8 and 3.10.
#[test]
fn a_websocket_is_pinged_and_its_session_is_taken_up_on_another_one() {
    let server = server();
    ["juliet", "romeo"].iter().for_each(|name| server.add_user(name));
    let (mut juliet, mut romeo) = (Web::encrypted(&server), server.log_in("romeo", "orchard"));
    let her = juliet.log_in("juliet");
    juliet.0.send(Message::Ping("are you there".into())).unwrap();
    assert_eq!(juliet.0.read().unwrap(), Message::Pong("are you there".into()));
    let sm = "urn:xmpp:sm:3";
    juliet.send(&format!("<enable xmlns='{sm}' resume='true'/>"));
    let enabled = juliet.next().unwrap();
    let id = enabled.attr("id").unwrap_or_else(|| panic!("{enabled:?}")).to_owned();
    drop(juliet);
    romeo.send(format!("<message to='{her}' type='chat' id='m1'><body>While you were away</body></message>"));
    romeo.settle();
    let mut again = Web::encrypted(&server);
    again.authenticate("juliet");
    again.send(&format!("<resume xmlns='{sm}' h='0' previd='{id}'/>"));
    assert!(again.next().unwrap().is("resumed", sm));
    assert_eq!(again.next().unwrap().attr("id"), Some("m1"));
}

/// The same limit as over TCP, with the same error.
#[test]
fn a_websocket_message_may_be_as_large_as_a_stanza() {
    let server = Server::configured(&format!("{BEHIND_A_PROXY}\nlimits.stream.stanza = '20 KB'"));
    server.add_user("juliet");
    let message = |size: usize| {
        format!("<message xmlns='jabber:client' to='{DOMAIN}'><body>{}</body></message>", "x".repeat(size))
    };
    let mut juliet = Web::encrypted(&server);
    juliet.log_in("juliet");
    juliet.send(&message(19_000));
    juliet.send("<iq xmlns='jabber:client' type='get' id='p'><ping xmlns='urn:xmpp:ping'/></iq>");
    while juliet.next().unwrap().attr("id") != Some("p") {}
    juliet.send(&message(20_000));
    let error = juliet.next().unwrap();
    assert!(error.child("policy-violation", "urn:ietf:params:xml:ns:xmpp-streams").is_some(), "{error:?}");
    assert!(juliet.next().unwrap().is("close", FRAMING));
    let mut much = Web::encrypted(&server);
    much.log_in("juliet");
    // What is far beyond it is not even read.
    let _ = much.0.send(Message::text(message(1_000_000)));
    while much.next().is_some() {}
}

/// Whoever says that it is a proxy is none: only those in `http.trusted_proxies` are.
#[test]
fn who_is_no_trusted_proxy_is_not_believed() {
    let server = Server::configured("http.trusted_proxies = ['192.0.2.0/24']");
    let xmpp = ("sec-websocket-protocol", "xmpp");
    for word in [("x-forwarded-proto", "https"), ("forwarded", "for=192.0.2.7;proto=https")] {
        let mut web = Web::connect(&server, &[xmpp, word, ("x-forwarded-for", "192.0.2.7")]).unwrap();
        web.send(&format!("<open xmlns='{FRAMING}' to='{DOMAIN}' version='1.0'/>"));
        assert!(web.next().unwrap().is("open", FRAMING));
        let error = web.next().unwrap();
        assert!(error.child("policy-violation", "urn:ietf:params:xml:ns:xmpp-streams").is_some(), "{error:?}");
    }
}

/// What a trusted proxy says is the address that failures to log in count for.
#[test]
fn clients_behind_one_proxy_are_told_apart() {
    let server = Server::configured(&format!("{BEHIND_A_PROXY}\nlimits.address.auth_failures = '2/10m'"));
    server.add_user("juliet");
    let attempt = |address: &str, password: &str| {
        let from = format!("for=\"[{address}]:4711\";proto=https");
        let mut web =
            Web::connect(&server, &[("sec-websocket-protocol", "xmpp"), ("forwarded", from.as_str())]).unwrap();
        web.open();
        let plain = BASE64.encode(format!("\0juliet\0{password}"));
        web.send(&format!("<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>{plain}</auth>"));
        web.next().unwrap().name() == "success"
    };
    let (one, another) = ("2001:db8:1::7", "2001:db8:2::7");
    for _ in 0..2 {
        assert!(!attempt(one, "wrong"));
    }
    assert!(!attempt(one, PASSWORD), "too many failures of this address");
    assert!(attempt(another, PASSWORD));
}

/// An open channel is a feed for everybody; what else there is cannot be told from what there is not.
#[test]
fn an_open_channel_is_a_feed() {
    let server = server();
    server.add_user("juliet");
    let mut juliet = server.log_in("juliet", "balcony");
    let mut asks = |what: &str| {
        let what = format!("<pubsub xmlns='http://jabber.org/protocol/pubsub'>{what}</pubsub>");
        let answer = juliet.iq("set", Some(&format!("pubsub.{DOMAIN}")), &what);
        assert_eq!(answer.attr("type"), Some("result"), "{answer:?}");
    };
    let field = |name: &str, value: &str| format!("<field var='pubsub#{name}'><value>{value}</value></field>");
    let with = |fields: &str| format!("<configure><x xmlns='jabber:x:data' type='submit'>{fields}</x></configure>");
    asks(&format!("<create node='letters/to romeo'/>{}", with(&field("title", "Letters &lt;script/&gt;"))));
    asks(&format!("<create node='diary'/>{}", with(&field("access_model", "whitelist"))));
    let below = |parent: &str| {
        with(&format!("<field var='{{urn:xmpp:pubsub-relationships:0}}parent'><value>{parent}</value></field>"))
    };
    asks(&format!("<create node='answers'/>{}", below("letters/to romeo")));
    asks(&format!("<create node='margins'/>{}", below("diary")));
    let entry = "<entry xmlns='http://www.w3.org/2005/Atom'><title>Good night</title></entry>";
    for node in ["letters/to romeo", "diary", "answers", "margins"] {
        asks(&format!("<publish node='{node}'><item id='1'>{entry}</item></publish>"));
    }
    let mut command = crate::support::server::program();
    let config = server.config_file();
    command.arg("--config").arg(config).args(["channel", "post", "letters/to romeo", "--title", "From the operator"]);
    let mut child = command.stdin(std::process::Stdio::piped()).stdout(std::process::Stdio::null()).spawn().unwrap();
    std::io::Write::write_all(&mut child.stdin.take().unwrap(), b"Be <well>.\n").unwrap();
    assert!(child.wait().unwrap().success());
    asks("<publish node='letters/to romeo'><item id='2'><mood xmlns='urn:example:mood'/></item></publish>");

    let path = "/channels/letters%2Fto%20romeo";
    let answer = get(&server, path);
    assert_eq!((answer.status, answer.header("content-type")), (200, Some("application/atom+xml; charset=utf-8")));
    let feed: Element = answer.text().parse().unwrap();
    let atom = "http://www.w3.org/2005/Atom";
    let entries: Vec<String> =
        feed.children_named("entry", atom).map(|entry| entry.child("title", atom).unwrap().text()).collect();
    assert_eq!(
        (feed.child("title", atom).unwrap().text().as_str(), entries),
        ("Letters <script/>", vec!["From the operator".to_owned(), "Good night".to_owned()])
    );
    assert!(answer.text().contains("/channels/letters%2Fto%20romeo'") && !answer.text().contains("mood"));

    let tag = answer.header("etag").unwrap();
    let again = http(server.web(), &format!("GET {path} HTTP/1.1\r\nIf-None-Match: {tag}"), b"");
    assert_eq!((again.status, again.body.len()), (304, 0));
    asks(&format!("<publish node='letters/to romeo'><item id='3'>{entry}</item></publish>"));
    assert_eq!(http(server.web(), &format!("GET {path} HTTP/1.1\r\nIf-None-Match: {tag}"), b"").status, 200);
    assert_eq!(get(&server, "/channels/answers").status, 200);
    for hidden in ["/channels/diary", "/channels/margins", "/channels/nothing", "/channels/"] {
        assert_eq!(get(&server, hidden).status, 404, "{hidden}");
    }
}
