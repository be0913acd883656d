//! The client side of WebSocket (RFC 6455), as XMPP uses it (RFC 7395): text messages, the subprotocol `xmpp`.

use super::Target;
use super::http::Url;
use super::transport::Transport;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use ring::rand::{SecureRandom as _, SystemRandom};
use std::collections::VecDeque;
use std::io;

/// No message is read beyond this.
const MAX_MESSAGE: u64 = 16 * 1024 * 1024;
const GUID: &str = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

pub struct WebSocket {
    transport: Box<Transport>,
    /// Frames not decoded yet.
    raw: Vec<u8>,
    /// Payload not handed out yet.
    ready: VecDeque<u8>,
    closed: bool,
}

struct Frame {
    opcode: u8,
    payload: Vec<u8>,
    /// Bytes of the frame in the input.
    length: usize,
}

impl WebSocket {
    /// Connects and shakes hands.
    pub async fn connect(target: &Target, url: &str) -> Result<WebSocket, String> {
        let as_http = url.replacen("ws", "http", 1);
        let place = Url::parse(&as_http)?;
        let failed = |error: io::Error| format!("{url}: {error}");
        let mut transport = Transport::connect(place.host, place.port).await.map_err(failed)?;
        if place.secure {
            transport = transport.secure(&target.tls, place.host).await.map_err(failed)?;
        }
        let key = BASE64.encode(random());
        let request = format!(
            "GET {} HTTP/1.1\r\nHost: {}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: {key}\r\n\
             Sec-WebSocket-Version: 13\r\nSec-WebSocket-Protocol: xmpp\r\nOrigin: http://{}\r\n\r\n",
            place.path, place.authority, place.authority
        );
        transport.write(request.as_bytes()).await.map_err(failed)?;
        let mut raw = Vec::new();
        let end = loop {
            if let Some(end) = raw.windows(4).position(|window| window == b"\r\n\r\n") {
                break end;
            }
            let mut buffer = [0_u8; 2048];
            match transport.read(&mut buffer).await.map_err(failed)? {
                0 => return Err(format!("{url}: closed during the handshake")),
                length => raw.extend_from_slice(&buffer[..length]),
            }
        };
        check_handshake(&String::from_utf8_lossy(&raw[..end]), &key).map_err(|what| format!("{url}: {what}"))?;
        raw.drain(..end + 4);
        Ok(WebSocket { transport: Box::new(transport), raw, ready: VecDeque::new(), closed: false })
    }

    /// Reads some payload bytes; 0 at the end.
    pub async fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            if !self.ready.is_empty() {
                let length = buffer.len().min(self.ready.len());
                for (slot, byte) in buffer.iter_mut().zip(self.ready.drain(..length)) {
                    *slot = byte;
                }
                return Ok(length);
            }
            if self.closed {
                return Ok(0);
            }
            match decode(&self.raw)? {
                Some(frame) => {
                    self.raw.drain(..frame.length);
                    self.take(frame).await?;
                }
                None => {
                    let mut chunk = vec![0_u8; 8192];
                    match Box::pin(self.transport.read(&mut chunk)).await? {
                        0 => self.closed = true,
                        length => self.raw.extend_from_slice(&chunk[..length]),
                    }
                }
            }
        }
    }

    async fn take(&mut self, frame: Frame) -> io::Result<()> {
        match frame.opcode {
            0..=2 => self.ready.extend(frame.payload),
            8 => self.closed = true,
            9 => self.send(10, &frame.payload).await?,
            _ => {}
        }
        Ok(())
    }

    /// Sends one text message.
    pub async fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.send(1, bytes).await
    }

    /// Sends a close frame and closes.
    pub async fn shut_down(&mut self) -> io::Result<()> {
        self.send(8, &1000_u16.to_be_bytes()).await?;
        Box::pin(self.transport.shut_down()).await
    }

    async fn send(&mut self, opcode: u8, payload: &[u8]) -> io::Result<()> {
        let frame = encode(opcode, payload, [random()[0], random()[1], random()[2], random()[3]]);
        Box::pin(self.transport.write(&frame)).await
    }
}

fn random() -> [u8; 16] {
    let mut bytes = [0_u8; 16];
    // Keys and masks protect proxies, not secrets; zeros would still be a valid connection.
    let _ = SystemRandom::new().fill(&mut bytes);
    bytes
}

fn check_handshake(head: &str, key: &str) -> Result<(), String> {
    let status = head.split(' ').nth(1).unwrap_or_default();
    if status != "101" {
        return Err(format!("status {status} instead of 101"));
    }
    let header = |name: &str| {
        head.lines()
            .filter_map(|line| line.split_once(':'))
            .find(|(key, _)| key.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.trim())
    };
    let digest = ring::digest::digest(&ring::digest::SHA1_FOR_LEGACY_USE_ONLY, format!("{key}{GUID}").as_bytes());
    if header("Sec-WebSocket-Accept") != Some(BASE64.encode(digest).as_str()) {
        return Err("wrong Sec-WebSocket-Accept".to_owned());
    }
    match header("Sec-WebSocket-Protocol") {
        Some("xmpp") => Ok(()),
        other => Err(format!("subprotocol '{}' instead of 'xmpp'", other.unwrap_or_default())),
    }
}

/// One final, masked frame.
fn encode(opcode: u8, payload: &[u8], mask: [u8; 4]) -> Vec<u8> {
    let mut frame = vec![0x80 | opcode];
    match payload.len() {
        length @ 0..=125 => frame.push(0x80 | u8::try_from(length).unwrap_or(0)),
        length @ 126..=65535 => {
            frame.push(0x80 | 126);
            frame.extend(u16::try_from(length).unwrap_or(0).to_be_bytes());
        }
        length => {
            frame.push(0x80 | 127);
            frame.extend(u64::try_from(length).unwrap_or(0).to_be_bytes());
        }
    }
    frame.extend(mask);
    frame.extend(payload.iter().zip(mask.iter().cycle()).map(|(byte, mask)| byte ^ mask));
    frame
}

/// The first frame of the input if it is all there. Servers do not mask.
fn decode(input: &[u8]) -> io::Result<Option<Frame>> {
    let (Some(first), Some(second)) = (input.first(), input.get(1)) else { return Ok(None) };
    let (length, start) = match second & 0x7f {
        126 => match input.get(2..4).and_then(|bytes| bytes.try_into().ok()) {
            Some(bytes) => (u64::from(u16::from_be_bytes(bytes)), 4),
            None => return Ok(None),
        },
        127 => match input.get(2..10).and_then(|bytes| bytes.try_into().ok()) {
            Some(bytes) => (u64::from_be_bytes(bytes), 10),
            None => return Ok(None),
        },
        length => (u64::from(length), 2),
    };
    if second & 0x80 != 0 || length > MAX_MESSAGE {
        return Err(io::Error::other("a masked or oversized frame from the server"));
    }
    let end = start + usize::try_from(length).map_err(io::Error::other)?;
    Ok(input.get(start..end).map(|payload| Frame { opcode: first & 0x0f, payload: payload.to_vec(), length: end }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_of_all_lengths() {
        for length in [0, 1, 125, 126, 65535, 65536] {
            let payload = vec![7; length];
            let mut frame = encode(1, &payload, [0; 4]);
            assert!(decode(&frame).is_err(), "a mask from the server is refused");
            let mask_at = frame.len() - length - 4;
            frame.drain(mask_at..mask_at + 4);
            frame[1] &= 0x7f;
            let decoded =
                decode(&frame).unwrap_or_else(|error| panic!("{error}")).map(|f| (f.opcode, f.payload, f.length));
            assert_eq!(decoded, Some((1, payload, frame.len())));
            assert!(matches!(decode(&frame[..frame.len() - 1]), Ok(None)));
        }
    }

    /// The example of RFC 6455 section 1.3.
    #[test]
    fn the_handshake_is_checked() {
        let head = "HTTP/1.1 101 Switching Protocols\r\nsec-websocket-accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\
                    Sec-WebSocket-Protocol: xmpp";
        assert_eq!(check_handshake(head, "dGhlIHNhbXBsZSBub25jZQ=="), Ok(()));
        assert!(check_handshake(head, "other").is_err());
        assert!(check_handshake("HTTP/1.1 404 Not Found", "x").is_err());
    }
}
