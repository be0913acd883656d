//! Uploads from outside (XEP-0363): files come and go, and nothing else does.

use super::http::{Answer, BEHIND_A_PROXY, answer, get, http, send_head, server};
use super::support::wait::{until, within};
use super::support::{Client, DOMAIN, Server};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use oriole::store::{self, EngineKind, Options};
use std::io::Write;
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use wire::jid::BareJid;
use wire::xml::Element;
use xeps::store::{Key, Store as _};
use xeps::upload::slot::{Secret, Slot};

/// The path of a slot with its proof, and without.
pub fn slot(client: &mut Client, attributes: &str) -> (String, String) {
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

pub fn put(server: &Server, path: &str, content_type: &str, body: &[u8]) -> Answer {
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
    for (condition, status) in [
        (format!("Range: bytes=3-5\r\nIf-Range: {tag}"), 206),
        ("Range: bytes=3-5\r\nIf-Range: \"another\"".to_owned(), 200),
        ("If-None-Match: \"another\"".to_owned(), 200),
        ("If-None-Match: *".to_owned(), 304),
        (format!("If-Match: {tag}"), 200),
        ("If-Match: \"another\"".to_owned(), 412),
        // Dates count only where no tag is given (RFC 9110 section 13.2.2).
        ("If-Modified-Since: Fri, 01 Jan 2100 00:00:00 GMT".to_owned(), 304),
        ("If-None-Match: \"another\"\r\nIf-Modified-Since: Fri, 01 Jan 2100 00:00:00 GMT".to_owned(), 200),
        ("If-Unmodified-Since: Sat, 01 Jan 2000 00:00:00 GMT".to_owned(), 412),
        (format!("If-Match: {tag}\r\nIf-Unmodified-Since: Sat, 01 Jan 2000 00:00:00 GMT"), 200),
        // What cannot be given in one part is given as a whole.
        ("Range: bytes=0-1,4-5".to_owned(), 200),
        ("Range: lines=1-2".to_owned(), 200),
        ("Range: bytes=-3".to_owned(), 206),
    ] {
        let answer = http(server.web(), &format!("GET {link} HTTP/1.1\r\n{condition}"), b"");
        assert_eq!(answer.status, status, "{condition}");
    }
    let cors = http(server.web(), &format!("GET {link} HTTP/1.1\r\nOrigin: https://chat.example"), b"");
    assert_eq!(cors.header("access-control-allow-origin"), Some("*"));
    let (place, _) = slot(&mut juliet, "filename='b.txt' size='10' content-type='text/plain'");
    let asks = "Origin: https://chat.example\r\nAccess-Control-Request-Method: PUT\r\n\
                Access-Control-Request-Headers: content-type";
    let preflight = http(server.web(), &format!("OPTIONS {place} HTTP/1.1\r\n{asks}"), b"");
    assert_eq!((preflight.status, preflight.header("access-control-allow-origin")), (200, Some("*")));
    let allows = |field: &str, word: &str| preflight.header(field).is_some_and(|all| all.to_lowercase().contains(word));
    assert!(allows("access-control-allow-methods", "put") && allows("access-control-allow-headers", "content-type"));
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
    until(|| (left() == 1).then_some(())).expect("it has begun");
    drop(broken);
    until(|| (left() == 0).then_some(())).expect("the remains are removed");
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
        "/upload/%252e%252e/%252e%252e%252foriole.toml",
        "/upload/..%c0%af..%c0%aforiole.toml",
        "/upload/....//....//oriole.toml",
        "/upload/.%2e/oriole.toml",
        "/upload/006553f100-aaaaaaaaaaaaaaaa/%2e%2e",
        "/upload/incoming/x",
        "/upload//etc/passwd",
        "/upload/%00/x",
    ] {
        let answer = get(&server, path);
        assert!(matches!(answer.status, 400 | 404), "{path}: {answer:?}");
        let put = http(server.web(), &format!("PUT {path}?v=AAAA HTTP/1.1"), b"x");
        assert!(matches!(put.status, 400 | 403 | 404 | 405), "{path}: {put:?}");
    }
}

/// Whatever it says it is, what could run is downloaded, and what is opened all the same can load and run nothing.
#[test]
fn what_could_run_in_a_browser_is_not_shown() {
    let server = server();
    server.add_user("juliet");
    let mut juliet = server.log_in("juliet", "balcony");
    let script = "<script>alert(1)</script>";
    let svg = format!("<svg xmlns='http://www.w3.org/2000/svg'>{script}</svg>");
    for (name, kind, body, disposition) in [
        ("a.html", "text/html", script, "attachment"),
        ("a.html", "TEXT/HTML; charset=utf-8", script, "attachment"),
        ("a.svg", "image/svg+xml", &svg, "attachment"),
        ("a.xhtml", "application/xhtml+xml", script, "attachment"),
        ("a.zip", "application/zip", "PK\x03\x04 a.html <script>", "attachment"),
        ("a.js", "text/javascript", "alert(1)", "attachment"),
        ("a.pdf", "application/pdf", "%PDF-1.7", "attachment"),
        // A lie that a browser may not see through.
        ("a.png", "image/png", script, "inline"),
        ("a.html", "text/plain", script, "inline"),
        ("a.html", "", script, "attachment"),
    ] {
        let typed = if kind.is_empty() { String::new() } else { format!("content-type='{kind}'") };
        let (place, link) = slot(&mut juliet, &format!("filename='{name}' size='{}' {typed}", body.len()));
        let sent = if kind.is_empty() { "application/octet-stream" } else { kind };
        assert_eq!(put(&server, &place, sent, body.as_bytes()).status, 201, "{name} {kind}");
        let head = http(server.web(), &format!("HEAD {link} HTTP/1.1"), b"");
        let part = http(server.web(), &format!("GET {link} HTTP/1.1\r\nRange: bytes=0-3"), b"");
        for given in [get(&server, &link), head, part] {
            assert!(given.header("content-type").is_some_and(|kind| kind.eq_ignore_ascii_case(sent)), "{given:?}");
            assert_eq!(given.header("content-disposition"), Some(disposition), "{name} {kind}");
            assert_eq!(given.header("content-security-policy"), Some("default-src 'none'; sandbox"));
            assert_eq!(given.header("x-content-type-options"), Some("nosniff"));
        }
    }
}

/// All that lies in a directory.
pub fn files_below(directory: &Path) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(directory) else { return Vec::new() };
    let below = |path: PathBuf| if path.is_dir() { files_below(&path) } else { vec![path] };
    entries.flat_map(|entry| below(entry.unwrap().path())).collect()
}

fn error_of(answer: &Element) -> (Option<&str>, Vec<&str>) {
    let error = answer.child("error", "jabber:client").unwrap_or_else(|| panic!("{answer:?}"));
    (error.attr("type"), error.children().map(Element::name).collect())
}

/// XEP-0363 section 6.
#[test]
fn who_has_no_room_left_is_told_so_and_when_there_will_be() {
    let server = Server::configured(&format!(
        "{BEHIND_A_PROXY}\n[default_host.upload]\nmax_size = '90 B'\nquota = '100 B'\nhost_quota = '150 B'"
    ));
    let mut clients = ["juliet", "romeo"].map(|name| {
        server.add_user(name);
        server.log_in(name, "home")
    });
    let [juliet, romeo] = &mut clients;
    let file = [b'x'; 60];
    let of = |size: usize| format!("filename='a.txt' size='{size}' content-type='text/plain'");
    let ask = |client: &mut Client, size: usize| {
        let request = format!("<request xmlns='urn:xmpp:http:upload:0' {}/>", of(size));
        client.iq("get", Some(&format!("upload.{DOMAIN}")), &request)
    };
    // Slots are only promises: the second file has no room any more, be the first there or still on its way.
    let (first, link) = slot(juliet, &of(60));
    let (second, _) = slot(juliet, &of(60));
    let mut half = TcpStream::connect(server.web()).unwrap();
    send_head(&mut half, &format!("PUT {first} HTTP/1.1\r\nContent-Type: text/plain"), Some(60));
    half.write_all(&file[..30]).unwrap();
    let uploads = server.data_dir().join("uploads");
    until(|| (files_below(&uploads).len() == 1).then_some(())).expect("it has begun");
    assert_eq!(put(&server, &second, "text/plain", &file).status, 507);
    half.write_all(&file[30..]).unwrap();
    assert_eq!(answer(&mut half).status, 201);
    assert_eq!(put(&server, &second, "text/plain", &file).status, 507);
    assert_eq!(files_below(&uploads).len(), 1);
    for (client, size) in [(&mut *juliet, 41), (&mut *romeo, 90)] {
        if size == 90 {
            assert_eq!(
                put(&server, &slot(client, &of(size)).0, "text/plain", &[b'x'; 90]).status,
                201,
                "150 B of 150 B"
            );
        }
        let refused = ask(client, size.min(41));
        assert_eq!(error_of(&refused), (Some("wait"), vec!["resource-constraint", "text", "retry"]), "{refused:?}");
    }
    // Juliet has room, the server has none.
    let refused = ask(juliet, 1);
    assert_eq!(error_of(&refused), (Some("wait"), vec!["resource-constraint", "text", "retry"]), "{refused:?}");
    assert!(slot(juliet, &of(0)).0.contains("?v="), "an empty file takes none");
    assert_eq!(error_of(&ask(juliet, 91)), (Some("modify"), vec!["not-acceptable", "text", "file-too-large"]));
    assert_eq!(get(&server, &link).status, 200);
}

#[test]
fn old_files_go_with_their_entries_and_make_room() {
    let expiring = |expiry: &str| {
        format!("{BEHIND_A_PROXY}\n[default_host.upload]\nmax_size = '60 B'\nquota = '100 B'\nexpiry = '{expiry}'")
    };
    let mut server = Server::configured(&expiring("1d"));
    server.add_user("juliet");
    let file = [b'x'; 60];
    let attributes = "filename='a.txt' size='60' content-type='text/plain'";
    let mut juliet = server.log_in("juliet", "balcony");
    let ((place, link), (other, _)) = (slot(&mut juliet, attributes), slot(&mut juliet, attributes));
    assert_eq!(put(&server, &place, "text/plain", &file).status, 201);
    let uploads = server.data_dir().join("uploads");
    server.restart();
    assert_eq!((get(&server, &link).status, files_below(&uploads).len()), (200, 1), "it is young");
    assert_eq!(put(&server, &other, "text/plain", &file).status, 507);
    // For the file the day is over when the operator says so.
    let config = std::fs::read_to_string(server.config_file()).unwrap();
    std::fs::write(server.config_file(), config.replace("\"1d\"", "\"1ms\"").replace("'1d'", "'1ms'")).unwrap();
    // Files know their age to the second, and a server that starts looks at once.
    let goes = || {
        server.restart();
        within(Duration::from_secs(1), || files_below(&uploads).is_empty().then_some(()))
    };
    until(goes).expect("it goes");
    until(|| (get(&server, &link).status == 404).then_some(())).expect("and its entry");
    let mut juliet = server.log_in("juliet", "balcony");
    until(|| (put(&server, &slot(&mut juliet, attributes).0, "text/plain", &file).status == 201).then_some(()))
        .expect("room");
}

#[test]
fn a_slot_that_was_changed_or_is_another_servers_is_none() {
    let (server, another) = (server(), server());
    let mut slots = [&server, &another].map(|server| {
        server.add_user("juliet");
        slot(&mut server.log_in("juliet", "balcony"), "filename='a.txt' size='4' content-type='text/plain'").0
    });
    assert_eq!(put(&server, &slots[1], "text/plain", b"rose").status, 403, "signed by somebody else");
    // When it ends stands in the proof: nobody can put it off.
    let (path, proof) = slots[0].split_once("?v=").unwrap();
    let mut bytes = URL_SAFE_NO_PAD.decode(proof).unwrap();
    bytes[32..40].copy_from_slice(&i64::MAX.to_be_bytes());
    let later = format!("{path}?v={}", URL_SAFE_NO_PAD.encode(&bytes));
    assert_eq!(put(&server, &later, "text/plain", b"rose").status, 403);
    for part in ["", "?v=", "?v=%00", "?w=1"] {
        assert_eq!(put(&server, &format!("{path}{part}"), "text/plain", b"rose").status, 403, "{part}");
    }
    assert_eq!(put(&server, &slots[0], "text/plain", b"rose").status, 201);
    slots.reverse();
    assert_eq!(put(&another, &slots[0], "text/plain", b"rose").status, 201);
}

#[test]
fn a_slot_that_is_over_is_told_so() {
    let mut server = server();
    server.add_user("juliet");
    let (place, _) =
        slot(&mut server.log_in("juliet", "balcony"), "filename='a.txt' size='4' content-type='text/plain'");
    let id = place.split('/').nth(2).unwrap().to_owned();
    // What a slot of five minutes ago looks like, only the server's own secret can tell.
    server.sigterm();
    assert!(server.wait().success());
    let secret = upload_secret(&server.data_dir());
    server.restart();
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis() as i64;
    let of = |until: i64| {
        let owner = BareJid::parse(&format!("juliet@{DOMAIN}")).unwrap();
        let (name, content_type) = ("a.txt".to_owned(), "text/plain".to_owned());
        let slot = Slot { id: id.clone(), name, owner, size: 4, content_type, until };
        format!("{}?v={}", slot.path(), slot.proof(&secret))
    };
    assert_eq!(put(&server, &of(now - 1), "text/plain", b"rose").status, 410);
    assert_eq!(put(&server, &of(now + 60_000), "text/plain", b"rose").status, 201);
}

/// What seals the slots of a server that does not run.
fn upload_secret(data: &Path) -> Secret {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let store = store::open(&Options::new(EngineKind::default(), data)).unwrap();
        let record = store.get(Key::new(DOMAIN, "secret", "upload")).await.unwrap().unwrap();
        record.value.as_ref().try_into().unwrap()
    })
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
    until(|| (left() == 1).then_some(())).expect("it has begun");
    server.restart();
    assert_eq!(get(&server, &link).text(), "rose");
    until(|| (left() == 0).then_some(())).expect("the remains are removed");
}
