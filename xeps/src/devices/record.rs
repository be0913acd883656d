//! A client as bytes in the store.
//!
//! ```text
//! 01  first i64  last i64  flags u8  [software]  [device]  [password 8]  (token)  (token)
//! text:  length u8, UTF-8        token: mechanism u8, salt 16, password 8, issued i64, expires i64, count u32
//! ```
//!
//! The flags say which of the parts in brackets are there. Numbers are big-endian, times are milliseconds.

use super::device::Device;
use super::token::{Slot, Tokens};
use wire::datetime::Timestamp;
use wire::sasl::TokenMechanism;

const FORMAT: u8 = 1;

const SOFTWARE: u8 = 1;
const DEVICE: u8 = 2;
const PASSWORD: u8 = 4;
const CERTIFICATE: u8 = 8;
const NEW: u8 = 16;
const CURRENT: u8 = 32;

/// The bytes of a client. Its texts were cut when they came, to less than what fits.
pub(super) fn encode(device: &Device) -> Vec<u8> {
    let flag = |set: bool, bit: u8| if set { bit } else { 0 };
    let mut out = vec![FORMAT];
    out.extend(device.first_seen.millis().to_be_bytes());
    out.extend(device.last_seen.millis().to_be_bytes());
    out.push(
        flag(device.software.is_some(), SOFTWARE)
            | flag(device.device.is_some(), DEVICE)
            | flag(device.password.is_some(), PASSWORD)
            | flag(device.certificate, CERTIFICATE)
            | flag(device.tokens.new.is_some(), NEW)
            | flag(device.tokens.current.is_some(), CURRENT),
    );
    for text in [&device.software, &device.device].into_iter().flatten() {
        let text = text.get(..text.floor_char_boundary(usize::from(u8::MAX))).unwrap_or_default();
        out.push(u8::try_from(text.len()).unwrap_or(u8::MAX));
        out.extend(text.as_bytes());
    }
    out.extend(device.password.iter().flatten());
    for slot in [&device.tokens.new, &device.tokens.current].into_iter().flatten() {
        out.push(number(slot.mechanism));
        out.extend(slot.salt);
        out.extend(slot.password);
        out.extend(slot.issued.millis().to_be_bytes());
        out.extend(slot.expires.millis().to_be_bytes());
        out.extend(slot.count.to_be_bytes());
    }
    out
}

/// The client in these bytes; None when they cannot have been written by [`encode`].
pub(super) fn decode(bytes: &[u8]) -> Option<Device> {
    let mut rest = bytes.strip_prefix(&[FORMAT])?;
    let (first_seen, last_seen) = (take_time(&mut rest)?, take_time(&mut rest)?);
    let [flags] = take::<1>(&mut rest)?;
    let has = |bit: u8| flags & bit != 0;
    let device = Device {
        first_seen,
        last_seen,
        software: if has(SOFTWARE) { Some(take_text(&mut rest)?) } else { None },
        device: if has(DEVICE) { Some(take_text(&mut rest)?) } else { None },
        password: if has(PASSWORD) { Some(take(&mut rest)?) } else { None },
        certificate: has(CERTIFICATE),
        tokens: Tokens {
            new: if has(NEW) { Some(take_slot(&mut rest)?) } else { None },
            current: if has(CURRENT) { Some(take_slot(&mut rest)?) } else { None },
        },
    };
    rest.is_empty().then_some(device)
}

/// The number of a mechanism in the stored form; it never changes.
const fn number(mechanism: TokenMechanism) -> u8 {
    match mechanism {
        TokenMechanism::Exporter => 1,
        TokenMechanism::ServerEndPoint => 2,
        TokenMechanism::Unbound => 3,
    }
}

fn take<const N: usize>(bytes: &mut &[u8]) -> Option<[u8; N]> {
    let (taken, rest) = bytes.split_first_chunk::<N>()?;
    *bytes = rest;
    Some(*taken)
}

fn take_time(bytes: &mut &[u8]) -> Option<Timestamp> {
    Timestamp::from_millis(i64::from_be_bytes(take(bytes)?))
}

fn take_text(bytes: &mut &[u8]) -> Option<String> {
    let [length] = take::<1>(bytes)?;
    let (text, rest) = bytes.split_at_checked(usize::from(length))?;
    *bytes = rest;
    Some(std::str::from_utf8(text).ok()?.to_owned())
}

fn take_slot(bytes: &mut &[u8]) -> Option<Slot> {
    let [mechanism] = take::<1>(bytes)?;
    Some(Slot {
        mechanism: TokenMechanism::ALL.into_iter().find(|one| number(*one) == mechanism)?,
        salt: take(bytes)?,
        password: take(bytes)?,
        issued: take_time(bytes)?,
        expires: take_time(bytes)?,
        count: u32::from_be_bytes(take(bytes)?),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn slot(mechanism: TokenMechanism) -> Slot {
        let time = |text: &str| Timestamp::parse(text).unwrap();
        let (issued, expires) = (time("2026-01-01T00:00:00Z"), time("2026-01-22T00:00:00Z"));
        Slot { mechanism, salt: [9; 16], password: [8; 8], issued, expires, count: 77 }
    }

    fn full() -> Device {
        let tokens =
            Tokens { new: Some(slot(TokenMechanism::Exporter)), current: Some(slot(TokenMechanism::ServerEndPoint)) };
        Device {
            software: Some("Rosaline".into()),
            device: Some("Juliets Telefon ☎".into()),
            password: Some([7; 8]),
            certificate: true,
            tokens,
            ..Device::new(Timestamp::parse("2026-01-01T00:00:00Z").unwrap())
        }
    }

    #[test]
    fn what_was_written_is_read() {
        let bare = Device::new(Timestamp::UNIX_EPOCH);
        let other = Tokens { new: None, current: Some(slot(TokenMechanism::Unbound)) };
        for device in [full(), bare.clone(), Device { tokens: other, ..bare }] {
            assert_eq!(decode(&encode(&device)), Some(device));
        }
    }

    #[test]
    fn damaged_bytes_are_noticed() {
        let bytes = encode(&full());
        for end in 0..bytes.len() {
            assert_eq!(decode(&bytes[..end]), None, "cut at {end}");
        }
        assert_eq!(decode(&[&bytes[..], &[0]].concat()), None, "too long");
        assert_eq!(decode(&[&[9], &bytes[1..]].concat()), None, "another format");
    }
}
