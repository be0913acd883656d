//! Uploads whose files are kept in an object store: an imitation of S3 that checks every signature and can be watched, and
//! s3rver from npm, which others have written.

use super::http::{BEHIND_A_PROXY, answer, get, http, send_head};
use super::support::{Server, skip, wait};
use super::uploads::{files_below, put, slot};
use hmac::{Hmac, Mac};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use tempfile::TempDir;

const SECRET: &str = "correct horse battery staple";

/// The imitation. Its objects by their paths; one request a connection.
#[derive(Clone, Default)]
struct Imitation {
    objects: Arc<Mutex<BTreeMap<String, Vec<u8>>>>,
    /// The methods of the requests that have come.
    asked: Arc<Mutex<Vec<String>>>,
}

struct Asked {
    method: String,
    path: String,
    query: String,
    fields: BTreeMap<String, String>,
}

impl Imitation {
    fn begin() -> (Imitation, SocketAddr) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let imitation = Imitation::default();
        let shared = imitation.clone();
        std::thread::spawn(move || {
            for socket in listener.incoming().flatten() {
                let shared = shared.clone();
                std::thread::spawn(move || shared.serve(socket));
            }
        });
        (imitation, address)
    }

    fn serve(&self, socket: TcpStream) {
        let mut reader = BufReader::new(socket.try_clone().unwrap());
        let Some(asked) = Asked::read(&mut reader) else { return };
        self.asked.lock().unwrap().push(asked.method.clone());
        let (status, fields, body) = self.answer(&asked, &mut reader);
        let length = if asked.method == "HEAD" { String::new() } else { format!("Content-Length: {}\r\n", body.len()) };
        let head = format!("HTTP/1.1 {status}\r\n{fields}{length}Connection: close\r\n\r\n");
        let _ = (&socket).write_all(head.as_bytes()).and_then(|()| (&socket).write_all(&body));
    }

    fn answer(&self, asked: &Asked, reader: &mut impl Read) -> (&'static str, String, Vec<u8>) {
        let nothing = |status| (status, String::new(), Vec::new());
        if !asked.is_signed() {
            return nothing("403 Forbidden");
        }
        if asked.method == "PUT" {
            let length = asked.fields["content-length"].parse().unwrap();
            let mut object = vec![0; length];
            // What does not come as a whole leaves nothing.
            if reader.read_exact(&mut object).is_ok() {
                self.objects.lock().unwrap().insert(asked.path.clone(), object);
            }
            return nothing("200 OK");
        }
        let mut objects = self.objects.lock().unwrap();
        if asked.method == "DELETE" {
            objects.remove(&asked.path);
            return nothing("204 No Content");
        }
        let Some(object) = objects.get(&asked.path) else { return nothing("404 Not Found") };
        let size = object.len();
        let Some(range) = asked.fields.get("range") else {
            let body = if asked.method == "HEAD" { Vec::new() } else { object.clone() };
            let length = if asked.method == "HEAD" { format!("Content-Length: {size}\r\n") } else { String::new() };
            return ("200 OK", length, body);
        };
        let (from, to) = range.strip_prefix("bytes=").and_then(|range| range.split_once('-')).unwrap();
        let from: usize = from.parse().unwrap();
        let to: usize = to.parse().unwrap_or(size - 1).min(size - 1);
        match object.get(from..=to) {
            Some(part) if from < size => {
                ("206 Partial Content", format!("Content-Range: bytes {from}-{to}/{size}\r\n"), part.to_vec())
            }
            _ => ("416 Range Not Satisfiable", format!("Content-Range: bytes */{size}\r\n"), Vec::new()),
        }
    }

    /// How many requests of this method have come.
    fn asked(&self, method: &str) -> usize {
        self.asked.lock().unwrap().iter().filter(|asked| *asked == method).count()
    }

    fn objects(&self) -> Vec<String> {
        self.objects.lock().unwrap().keys().cloned().collect()
    }
}

impl Asked {
    fn read(reader: &mut impl BufRead) -> Option<Asked> {
        let mut lines = reader.lines().map_while(Result::ok);
        let first = lines.next()?;
        let mut words = first.split(' ');
        let (method, target) = (words.next()?.to_owned(), words.next()?.to_owned());
        let (path, query) = target.split_once('?').map(|(path, query)| (path.to_owned(), query.to_owned()))?;
        let field = |line: String| line.split_once(": ").map(|(name, value)| (name.to_lowercase(), value.to_owned()));
        let fields = lines.take_while(|line| !line.is_empty()).filter_map(field).collect();
        Some(Asked { method, path, query, fields })
    }

    /// Whether the query is a signature (version 4) of this very request.
    fn is_signed(&self) -> bool {
        let mut pairs: Vec<&str> = self.query.split('&').collect();
        pairs.sort_unstable();
        let value = |name: &str| pairs.iter().find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='));
        let (Some(given), Some(date)) = (value("X-Amz-Signature"), value("X-Amz-Date")) else { return false };
        let signed: Vec<&str> = pairs.iter().copied().filter(|pair| !pair.starts_with("X-Amz-Signature=")).collect();
        let host = &self.fields["host"];
        let request =
            format!("{}\n{}\n{}\nhost:{host}\n\nhost\nUNSIGNED-PAYLOAD", self.method, self.path, signed.join("&"));
        let scope = format!("{}/nowhere/s3/aws4_request", &date[..8]);
        let text = format!("AWS4-HMAC-SHA256\n{date}\n{scope}\n{}", hex(&Sha256::digest(request)));
        let mut key = format!("AWS4{SECRET}").into_bytes();
        for part in [&date[..8], "nowhere", "s3", "aws4_request", &text] {
            let mut mac = Hmac::<Sha256>::new_from_slice(&key).unwrap();
            mac.update(part.as_bytes());
            key = mac.finalize().into_bytes().to_vec();
        }
        hex(&key) == given
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut out, byte| {
        write!(out, "{byte:02x}").unwrap();
        out
    })
}

fn server_with(address: SocketAddr, secret: &str) -> Server {
    server_at(&format!("http://{address}"), ("oriole", secret))
}

fn server_at(endpoint: &str, (key, secret): (&str, &str)) -> Server {
    let server = Server::configured(&format!(
        "{BEHIND_A_PROXY}\n[http.s3]\nendpoint = '{endpoint}'\nbucket = 'uploads'\nregion = 'nowhere'\n\
         access_key = '{key}'\nsecret_key = '{secret}'\nprefix = 'chat/'"
    ));
    server.add_user("juliet");
    server
}

/// Files come back from the object store as they went there, whole and in parts.
fn round_trips(server: &Server) {
    let mut juliet = server.log_in("juliet", "balcony");
    for size in [0, 1, 3_000_000] {
        let file: Vec<u8> = (0..size).map(|n: usize| (n * 31 % 251) as u8).collect();
        let (place, link) = slot(&mut juliet, &format!("filename='a b.jpg' size='{size}' content-type='image/jpeg'"));
        assert_eq!(put(server, &place, "image/jpeg", &file).status, 201);
        let given = get(server, &link);
        assert_eq!((given.status, given.header("content-type")), (200, Some("image/jpeg")));
        assert!(given.body == file, "{size} bytes");
        assert_eq!(given.header("content-security-policy"), Some("default-src 'none'; sandbox"));
        assert_eq!(put(server, &place, "image/jpeg", &file).status, 409, "a slot is used once");
        let head = http(server.web(), &format!("HEAD {link} HTTP/1.1"), b"");
        assert_eq!((head.status, head.header("content-length")), (200, Some(&*size.to_string())));
        if size > 1 {
            let part = http(server.web(), &format!("GET {link} HTTP/1.1\r\nRange: bytes=7-9"), b"");
            assert_eq!((part.status, &part.body[..]), (206, &file[7..10]));
            assert_eq!(part.header("content-range"), Some("bytes 7-9/3000000"));
            let beyond = http(server.web(), &format!("GET {link} HTTP/1.1\r\nRange: bytes=3000000-"), b"");
            assert_eq!(beyond.status, 416);
        }
    }
}

#[test]
fn files_go_to_the_object_store_and_come_back_whole_and_in_parts() {
    let (store, address) = Imitation::begin();
    let server = server_with(address, SECRET);
    round_trips(&server);
    let objects = store.objects();
    assert!(objects.len() == 3 && objects.iter().all(|path| path.starts_with("/uploads/chat/")), "{objects:?}");
    assert!(!server.data_dir().join("uploads").exists(), "and nothing lies here");
}

#[test]
fn an_interrupted_upload_leaves_nothing_in_the_object_store() {
    let (store, address) = Imitation::begin();
    let mut server = server_with(address, SECRET);
    let mut juliet = server.log_in("juliet", "balcony");
    let (place, link) = slot(&mut juliet, "filename='a.txt' size='5' content-type='text/plain'");
    let begin = |server: &Server, place: &str| {
        let before = store.asked("PUT");
        let mut socket = TcpStream::connect(server.web()).unwrap();
        send_head(&mut socket, &format!("PUT {place} HTTP/1.1"), Some(5));
        socket.write_all(b"123").unwrap();
        wait::until(|| (store.asked("PUT") > before).then_some(())).expect("the object store is asked");
        socket
    };
    let broken = begin(&server, &place);
    assert_eq!(put(&server, &place, "text/plain", b"12345").status, 409, "it is on its way");
    drop(broken);
    // It removes what may be there before it frees the slot.
    wait::until(|| (store.asked("DELETE") == 1).then_some(())).expect("it is given up");
    assert_eq!(get(&server, &link).status, 404);
    let (other, second) = slot(&mut juliet, "filename='b.txt' size='5' content-type='text/plain'");
    let half = begin(&server, &other);
    server.restart();
    drop(half);
    wait::until(|| (store.asked("DELETE") == 2).then_some(())).expect("the next start gives it up");
    assert_eq!(get(&server, &second).status, 404);
    wait::until(|| (put(&server, &place, "text/plain", b"12345").status == 201).then_some(())).expect("free again");
    assert_eq!(get(&server, &link).text(), "12345");
    assert_eq!(store.objects().len(), 1);
}

#[test]
fn an_object_store_that_refuses_is_an_error_for_the_client() {
    let (store, address) = Imitation::begin();
    let server = server_with(address, "another secret");
    let mut juliet = server.log_in("juliet", "balcony");
    let (place, link) = slot(&mut juliet, "filename='a.txt' size='5' content-type='text/plain'");
    let mut socket = TcpStream::connect(server.web()).unwrap();
    send_head(&mut socket, &format!("PUT {place} HTTP/1.1"), Some(5));
    socket.write_all(b"12345").unwrap();
    assert_eq!(answer(&mut socket).status, 500);
    assert_eq!(get(&server, &link).status, 404);
    assert!(store.objects().is_empty());
}

/// An object store from npm. It ends, and its objects go, with this value.
struct S3rver {
    objects: TempDir,
    program: Child,
    endpoint: String,
}

/// The one key that it knows. It does not look at signatures of version 4; the imitation does.
const KEY: (&str, &str) = ("S3RVER", "S3RVER");

impl S3rver {
    /// None where `.ci/run` has not installed it.
    fn begin() -> Option<S3rver> {
        let program = concat!(env!("CARGO_MANIFEST_DIR"), "/target/web/node_modules/s3rver/bin/s3rver.js");
        if !Path::new(program).exists() {
            skip("s3rver of tests/web is not installed");
            return None;
        }
        let objects = TempDir::with_prefix("oriole-s3-").unwrap();
        let mut program = Command::new("node")
            .args([program, "--address", "127.0.0.1", "--port", "0", "--configure-bucket", "uploads", "--directory"])
            .arg(objects.path())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("node");
        let lines = BufReader::new(program.stdout.take().unwrap()).lines().map_while(Result::ok);
        let mut lines = lines.filter_map(|line| line.rsplit_once("127.0.0.1:").map(|(_, port)| port.trim().to_owned()));
        let port = lines.next().expect("it says where it listens");
        // Whoever does not read what it says of its requests stops it.
        std::thread::spawn(move || lines.for_each(drop));
        Some(S3rver { objects, program, endpoint: format!("http://127.0.0.1:{port}") })
    }

    /// How many files of the bucket are about objects.
    fn count(&self) -> usize {
        files_below(&self.objects.path().join("uploads"))
            .iter()
            .filter(|path| path.to_string_lossy().ends_with("._S3rver_object"))
            .count()
    }
}

impl Drop for S3rver {
    fn drop(&mut self) {
        let _ = self.program.kill();
        let _ = self.program.wait();
    }
}

#[test]
fn an_object_store_of_others_takes_gives_and_removes_files() {
    let Some(store) = S3rver::begin() else { return };
    let server = server_at(&store.endpoint, KEY);
    round_trips(&server);
    assert_eq!(store.count(), 3);
    let mut juliet = server.log_in("juliet", "balcony");
    let (place, link) = slot(&mut juliet, "filename='a.txt' size='5' content-type='text/plain'");
    let mut broken = TcpStream::connect(server.web()).unwrap();
    send_head(&mut broken, &format!("PUT {place} HTTP/1.1"), Some(5));
    broken.write_all(b"123").unwrap();
    drop(broken);
    // Until the first attempt is given up, the slot is taken.
    wait::until(|| (put(&server, &place, "text/plain", b"12345").status == 201).then_some(())).expect("free again");
    assert_eq!((get(&server, &link).text().as_str(), store.count()), ("12345", 4));
}

#[test]
fn an_object_store_of_others_refuses_an_unknown_key() {
    let Some(store) = S3rver::begin() else { return };
    let server = server_at(&store.endpoint, ("nobody", KEY.1));
    let mut juliet = server.log_in("juliet", "balcony");
    let (place, link) = slot(&mut juliet, "filename='a.txt' size='5' content-type='text/plain'");
    assert_eq!(put(&server, &place, "text/plain", b"12345").status, 500);
    assert_eq!((get(&server, &link).status, store.count()), (404, 0));
}
