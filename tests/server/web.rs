//! The web front from outside: uploads, WebSocket, BOSH, discovery.

use super::support::{Client, DOMAIN, PASSWORD, Server};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use tungstenite::client::IntoClientRequest;
use tungstenite::{Message, WebSocket};
use wire::xml::{Element, Limits};

/// A reverse proxy that is trusted stands before the server: the test itself.
const BEHIND_A_PROXY: &str = "http.trusted_proxies = ['127.0.0.0/8']";

fn server() -> Server {
    Server::configured(BEHIND_A_PROXY)
}

/// What an HTTP server has answered.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    head: String,
    body: Vec<u8>,
}

impl Answer {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| {
            let (field, value) = line.split_once(':')?;
            field.eq_ignore_ascii_case(name).then(|| value.trim())
        })
    }

    pub fn text(&self) -> String {
        String::from_utf8(self.body.clone()).unwrap()
    }
}

pub fn http(address: SocketAddr, head: &str, body: &[u8]) -> Answer {
    let mut socket = TcpStream::connect(address).unwrap();
    send_head(&mut socket, head, Some(body.len()));
    // A server that refuses by the head alone need not read the rest.
    let _ = socket.write_all(body);
    answer(&mut socket)
}

fn send_head(socket: &mut TcpStream, head: &str, length: Option<usize>) {
    let length = length.map_or(String::new(), |length| format!("Content-Length: {length}\r\n"));
    let text = format!("{head}\r\nHost: {DOMAIN}\r\nX-Forwarded-Proto: https\r\nConnection: close\r\n{length}\r\n");
    socket.write_all(text.as_bytes()).unwrap();
}

fn answer(socket: &mut TcpStream) -> Answer {
    let mut bytes = Vec::new();
    let _ = socket.read_to_end(&mut bytes);
    let end = bytes.windows(4).position(|window| window == b"\r\n\r\n").expect("an answer");
    let head = String::from_utf8(bytes[..end].to_vec()).unwrap();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    Answer { status, head, body: bytes[end + 4..].to_vec() }
}

fn get(server: &Server, path: &str) -> Answer {
    http(server.web(), &format!("GET {path} HTTP/1.1"), b"")
}

/// The path of a slot with its proof, and without.
fn slot(client: &mut Client, attributes: &str) -> (String, String) {
    let request = format!("<request xmlns='urn:xmpp:http:upload:0' {attributes}/>");
    let answer = client.iq("get", Some(&format!("upload.{DOMAIN}")), &request);
    let slot = answer.children().next().unwrap().clone();
    let path = |name: &str| {
        let url = slot.child(name, "urn:xmpp:http:upload:0").and_then(|part| part.attr("url"));
        let url = url.unwrap_or_else(|| panic!("{answer:?}"));
        format!("/{}", url.splitn(4, '/').nth(3).unwrap())
    };
    (path("put"), path("get"))
}

fn put(server: &Server, path: &str, content_type: &str, body: &[u8]) -> Answer {
    http(server.web(), &format!("PUT {path} HTTP/1.1\r\nContent-Type: {content_type}"), body)
}

#[test]
fn files_come_back_as_they_went() {
    let server = server();
    server.add_user("juliet");
    let mut juliet = server.log_in("juliet", "balcony");
    for size in [0, 1, 100_000, 3_000_000] {
        let file: Vec<u8> = (0..size).map(|n: usize| (n * 31 % 251) as u8).collect();
        let (place, link) = slot(&mut juliet, &format!("filename='a b.jpg' size='{size}' content-type='image/jpeg'"));
        let taken = put(&server, &place, "image/jpeg", &file);
        assert_eq!(taken.status, 201, "{taken:?}");
        let given = get(&server, &link);
        assert_eq!((given.status, given.header("content-type")), (200, Some("image/jpeg")));
        assert!(given.body == file, "{size} bytes");
        assert_eq!(given.header("x-content-type-options"), Some("nosniff"));
        assert_eq!(given.header("content-disposition"), Some("inline"));
        assert_eq!(put(&server, &place, "image/jpeg", &file).status, 409, "a slot is used once");
    }
}

#[test]
fn parts_of_a_file_and_conditions() {
    let server = server();
    server.add_user("juliet");
    let mut juliet = server.log_in("juliet", "balcony");
    let (place, link) = slot(&mut juliet, "filename='a.txt' size='10' content-type='text/plain'");
    assert_eq!(put(&server, &place, "text/plain", b"0123456789").status, 201);
    let part = http(server.web(), &format!("GET {link} HTTP/1.1\r\nRange: bytes=3-5"), b"");
    assert_eq!((part.status, part.text().as_str()), (206, "345"));
    assert_eq!(part.header("content-range"), Some("bytes 3-5/10"));
    let beyond = http(server.web(), &format!("GET {link} HTTP/1.1\r\nRange: bytes=20-"), b"");
    assert_eq!(beyond.status, 416);
    let head = http(server.web(), &format!("HEAD {link} HTTP/1.1"), b"");
    assert_eq!((head.status, head.header("content-length"), head.body.len()), (200, Some("10"), 0));
    let tag = head.header("etag").unwrap();
    let known = http(server.web(), &format!("GET {link} HTTP/1.1\r\nIf-None-Match: {tag}"), b"");
    assert_eq!((known.status, known.body.len()), (304, 0));
    let cors = http(server.web(), &format!("GET {link} HTTP/1.1\r\nOrigin: https://chat.example"), b"");
    assert_eq!(cors.header("access-control-allow-origin"), Some("*"));
}

#[test]
fn what_is_not_as_the_slot_says_is_refused_and_leaves_nothing() {
    let server = server();
    server.add_user("juliet");
    let mut juliet = server.log_in("juliet", "balcony");
    let fresh = |juliet: &mut Client| slot(juliet, "filename='a.jpg' size='5' content-type='image/jpeg'");

    let (place, link) = fresh(&mut juliet);
    assert_eq!(put(&server, &place, "image/jpeg", b"123456").status, 413);
    assert_eq!(put(&server, &place, "image/jpeg", b"1234").status, 413);
    assert_eq!(put(&server, &place, "text/html", b"12345").status, 415);
    assert_eq!(put(&server, &link, "image/jpeg", b"12345").status, 403, "no proof");
    let forged = place.replacen("?v=", "?v=AAAA", 1);
    assert_eq!(put(&server, &forged, "image/jpeg", b"12345").status, 403);
    let renamed = place.replacen("a.jpg", "a.html", 1);
    assert_eq!(put(&server, &renamed, "image/jpeg", b"12345").status, 403);
    let mut chunked = TcpStream::connect(server.web()).unwrap();
    send_head(&mut chunked, &format!("PUT {place} HTTP/1.1\r\nTransfer-Encoding: chunked"), None);
    assert_eq!(answer(&mut chunked).status, 411);

    // Broken off in the middle.
    let mut broken = TcpStream::connect(server.web()).unwrap();
    send_head(&mut broken, &format!("PUT {place} HTTP/1.1"), Some(5));
    broken.write_all(b"123").unwrap();
    let incoming = server.data_dir().join("uploads/incoming");
    let left = || std::fs::read_dir(&incoming).map_or(0, |entries| entries.count());
    super::support::wait::until(|| (left() == 1).then_some(())).expect("it has begun");
    drop(broken);
    super::support::wait::until(|| (left() == 0).then_some(())).expect("the remains are removed");
    assert_eq!(get(&server, &link).status, 404);
    assert_eq!(put(&server, &place, "image/jpeg", b"12345").status, 201, "after all that");
}

#[test]
fn no_way_leads_out_of_the_directory() {
    let server = server();
    for path in [
        "/upload/../../oriole.toml",
        "/upload/..%2f..%2foriole.toml",
        "/upload/%2e%2e/oriole.toml",
        "/upload/..%5c..%5coriole.toml",
        "/upload/006553f100-aaaaaaaaaaaaaaaa/..%2f..%2foriole.toml",
        "/upload/incoming/x",
        "/upload//etc/passwd",
        "/upload/%00/x",
    ] {
        let answer = get(&server, path);
        assert!(matches!(answer.status, 400 | 404), "{path}: {answer:?}");
    }
}

#[test]
fn what_could_run_in_a_browser_is_not_shown() {
    let server = server();
    server.add_user("juliet");
    let mut juliet = server.log_in("juliet", "balcony");
    for (name, kind) in [("a.html", "text/html"), ("a.svg", "image/svg+xml")] {
        let attributes = format!("filename='{name}' size='8' content-type='{kind}'");
        let (place, link) = slot(&mut juliet, &attributes);
        assert_eq!(put(&server, &place, kind, b"<script>").status, 201);
        let given = get(&server, &link);
        assert_eq!(given.header("content-disposition"), Some("attachment"));
        assert_eq!(given.header("content-security-policy"), Some("default-src 'none'; sandbox"));
    }
}

#[test]
fn a_file_that_was_taken_outlives_the_server() {
    let mut server = server();
    server.add_user("juliet");
    let mut juliet = server.log_in("juliet", "balcony");
    let (place, link) = slot(&mut juliet, "filename='a.txt' size='4' content-type='text/plain'");
    assert_eq!(put(&server, &place, "text/plain", b"rose").status, 201);
    // And one that is in the middle of its way.
    let (other, _) = slot(&mut juliet, "filename='b.txt' size='4' content-type='text/plain'");
    let mut half = TcpStream::connect(server.web()).unwrap();
    send_head(&mut half, &format!("PUT {other} HTTP/1.1"), Some(4));
    half.write_all(b"ro").unwrap();
    let incoming = server.data_dir().join("uploads/incoming");
    let left = || std::fs::read_dir(&incoming).map_or(0, |entries| entries.count());
    super::support::wait::until(|| (left() == 1).then_some(())).expect("it has begun");
    server.restart();
    assert_eq!(get(&server, &link).text(), "rose");
    super::support::wait::until(|| (left() == 0).then_some(())).expect("the remains are removed");
}

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

    fn log_in(&mut self, name: &str) -> String {
        let features = self.open();
        assert!(features.child("starttls", "urn:ietf:params:xml:ns:xmpp-tls").is_none());
        let plain = BASE64.encode(format!("\0{name}\0{PASSWORD}"));
        self.send(&format!("<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>{plain}</auth>"));
        assert_eq!(self.next().unwrap().name(), "success");
        self.open();
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

const HTTPBIND: &str = "http://jabber.org/protocol/httpbind";

/// A client over HTTP requests.
struct Bosh {
    at: SocketAddr,
    sid: String,
    rid: u64,
}

impl Bosh {
    fn post(&self, body: &str) -> Element {
        let answer = http(self.at, "POST /http-bind HTTP/1.1\r\nContent-Type: text/xml", body.as_bytes());
        assert_eq!(answer.status, 200, "{answer:?}");
        let body = Element::parse_document(&answer.text(), &Limits::AFTER_AUTH).unwrap();
        assert!(body.is("body", HTTPBIND), "{body:?}");
        body
    }

    /// A session, and the features of its stream.
    fn create(server: &Server) -> (Bosh, Element) {
        let mut bosh = Bosh { at: server.web(), sid: String::new(), rid: 1000 };
        let mut body = bosh.post(&format!(
            "<body xmlns='{HTTPBIND}' rid='1000' to='{DOMAIN}' wait='5' hold='1' ver='1.6' xml:lang='en' \
             xmlns:xmpp='urn:xmpp:xbosh' xmpp:version='1.0'/>"
        ));
        bosh.sid = body.attr("sid").expect("a session").to_owned();
        assert_eq!((body.attr("wait"), body.attr("hold"), body.attr("requests")), (Some("5"), Some("1"), Some("2")));
        while body.children().next().is_none() {
            body = bosh.say("");
        }
        let features = body.children().next().unwrap().clone();
        assert!(features.is("features", "http://etherx.jabber.org/streams"), "{features:?}");
        (bosh, features)
    }

    fn wrap(&self, rid: u64, attributes: &str, payload: &str) -> String {
        let sid = &self.sid;
        format!(
            "<body xmlns='{HTTPBIND}' rid='{rid}' sid='{sid}' xmlns:xmpp='urn:xmpp:xbosh' {attributes}>{payload}</body>"
        )
    }

    fn say(&mut self, payload: &str) -> Element {
        self.say_with("", payload)
    }

    fn say_with(&mut self, attributes: &str, payload: &str) -> Element {
        self.rid += 1;
        self.post(&self.wrap(self.rid, attributes, payload))
    }

    /// Says something and asks until there is an element.
    fn ask(&mut self, attributes: &str, payload: &str) -> Element {
        let mut body = self.say_with(attributes, payload);
        for _ in 0..10 {
            if let Some(child) = body.children().next() {
                return child.clone();
            }
            body = self.say("");
        }
        panic!("no answer");
    }

    fn log_in(server: &Server, name: &str) -> Bosh {
        let (mut bosh, _) = Bosh::create(server);
        let plain = BASE64.encode(format!("\0{name}\0{PASSWORD}"));
        let auth = format!("<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>{plain}</auth>");
        assert_eq!(bosh.ask("", &auth).name(), "success");
        let features = bosh.ask(&format!("xmpp:restart='true' to='{DOMAIN}'"), "");
        assert!(features.child("bind", "urn:ietf:params:xml:ns:xmpp-bind").is_some(), "{features:?}");
        let bind = "<iq xmlns='jabber:client' type='set' id='b'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'>\
                    <resource>web</resource></bind></iq>";
        assert_eq!(bosh.ask("", bind).attr("type"), Some("result"));
        bosh
    }
}

#[test]
fn a_client_chats_over_bosh() {
    let server = server();
    server.add_user("juliet");
    server.add_user("romeo");
    let mut juliet = Bosh::log_in(&server, "juliet");
    let mut romeo = server.log_in("romeo", "orchard");
    romeo.send(format!("<message to='juliet@{DOMAIN}/web' type='chat'><body>hark &amp; listen</body></message>"));
    let message = juliet.ask("", "");
    assert!(message.is("message", "jabber:client"), "{message:?}");
    assert_eq!(message.child("body", "jabber:client").unwrap().text(), "hark & listen");
    juliet.say(&format!("<message xmlns='jabber:client' to='{}' type='chat'><body>ay me</body></message>", romeo.jid));
    romeo.find(|element| element.child("body", "jabber:client").is_some_and(|body| body.text() == "ay me"));
    let goodbye = juliet.say_with("type='terminate'", "<presence xmlns='jabber:client' type='unavailable'/>");
    assert_eq!(goodbye.attr("type"), Some("terminate"));
    assert_eq!(juliet.say("").attr("condition"), Some("item-not-found"), "the session is over");
}

#[test]
fn bosh_answers_lost_on_the_way_are_repeated_and_strays_end_the_session() {
    let server = server();
    server.add_user("juliet");
    let mut juliet = Bosh::log_in(&server, "juliet");
    let ping = "<iq xmlns='jabber:client' type='get' id='p'><ping xmlns='urn:xmpp:ping'/></iq>";
    let answer = juliet.ask("", ping);
    assert_eq!(answer.attr("id"), Some("p"));
    // The same request again gives the same answer, and the ping is not answered twice.
    let again = juliet.post(&juliet.wrap(juliet.rid, "", ping));
    assert_eq!(again.children().next().and_then(|child| child.attr("id")), Some("p"));
    let stray = juliet.post(&juliet.wrap(juliet.rid + 50, "", ""));
    assert_eq!((stray.attr("type"), stray.attr("condition")), (Some("terminate"), Some("item-not-found")));
    assert_eq!(juliet.say("").attr("condition"), Some("item-not-found"));
}

#[test]
fn what_is_no_bosh_request_is_told_so() {
    let server = server();
    let nobody = Bosh { at: server.web(), sid: "nobody".into(), rid: 1 };
    assert_eq!(nobody.post("<nonsense/>").attr("condition"), Some("bad-request"));
    assert_eq!(nobody.post("<body").attr("condition"), Some("bad-request"));
    assert_eq!(nobody.post(&nobody.wrap(2, "", "")).attr("condition"), Some("item-not-found"));
    let (mut bosh, _) = Bosh::create(&server);
    let answer = bosh.say("<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='NONSENSE'/>");
    let _ = answer;
    let mut body = bosh.say("<presence xmlns='jabber:client'/>");
    for _ in 0..5 {
        if body.attr("type") == Some("terminate") {
            break;
        }
        body = bosh.say("");
    }
    assert_eq!(body.attr("type"), Some("terminate"), "{body:?}");
}
