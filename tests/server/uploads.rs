//! Uploads from outside (XEP-0363): files come and go, and nothing else does.

use super::http::{Answer, answer, get, http, send_head, server};
use super::support::{Client, DOMAIN, Server};
use std::io::Write;
use std::net::TcpStream;

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
    ] {
        let answer = http(server.web(), &format!("GET {link} HTTP/1.1\r\n{condition}"), b"");
        assert_eq!(answer.status, status, "{condition}");
    }
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

#[test]
fn what_could_run_in_a_browser_is_not_shown() {
    let server = server();
    server.add_user("juliet");
    let mut juliet = server.log_in("juliet", "balcony");
    for (name, kind) in [("a.html", "text/html"), ("a.svg", "image/svg+xml"), ("a.zip", "application/zip")] {
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
