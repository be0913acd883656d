//! A small HTTP client, which knows every byte it sends.

use super::support::{DOMAIN, Server};
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};

/// A reverse proxy that is trusted stands before the server: the test itself.
pub const BEHIND_A_PROXY: &str = "http.trusted_proxies = ['127.0.0.0/8']";

/// A server that trusts the test as its proxy.
pub fn server() -> Server {
    Server::configured(BEHIND_A_PROXY)
}

/// What an HTTP server has answered.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub head: String,
    pub body: Vec<u8>,
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

pub fn send_head(socket: &mut TcpStream, head: &str, length: Option<usize>) {
    let length = length.map_or(String::new(), |length| format!("Content-Length: {length}\r\n"));
    let text = format!("{head}\r\nHost: {DOMAIN}\r\nX-Forwarded-Proto: https\r\nConnection: close\r\n{length}\r\n");
    socket.write_all(text.as_bytes()).unwrap();
}

pub fn answer(socket: &mut TcpStream) -> Answer {
    let mut bytes = Vec::new();
    let _ = socket.read_to_end(&mut bytes);
    let end = bytes.windows(4).position(|window| window == b"\r\n\r\n").expect("an answer");
    let head = String::from_utf8(bytes[..end].to_vec()).unwrap();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    Answer { status, head, body: bytes[end + 4..].to_vec() }
}

pub fn get(server: &Server, path: &str) -> Answer {
    http(server.web(), &format!("GET {path} HTTP/1.1"), b"")
}
