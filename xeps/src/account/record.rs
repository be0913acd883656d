//! A roster item as bytes in the store: format, flags, name, groups. The address is the record's name.
//!
//! ```text
//! 01  flags  [length u32, name]  count u8  (length u32, group) ...
//! ```

use super::contact::{Contact, Groups, Subscription};
use wire::jid::BareJid;

const FORMAT: u8 = 1;

const TO: u8 = 1;
const FROM: u8 = 2;
const PENDING_OUT: u8 = 4;
const PENDING_IN: u8 = 8;
const APPROVED: u8 = 16;
const LISTED: u8 = 32;
const NAMED: u8 = 64;

/// The bytes of a contact. Names and groups are within the limits of the roster feature, far below what fits.
pub(super) fn encode(contact: &Contact) -> Vec<u8> {
    let state = contact.subscription;
    let flag = |set: bool, bit: u8| if set { bit } else { 0 };
    let flags = flag(state.to, TO)
        | flag(state.from, FROM)
        | flag(state.pending_out, PENDING_OUT)
        | flag(state.pending_in, PENDING_IN)
        | flag(state.approved, APPROVED)
        | flag(contact.listed, LISTED)
        | flag(contact.name.is_some(), NAMED);
    let mut out = vec![FORMAT, flags];
    if let Some(name) = &contact.name {
        put_text(&mut out, name);
    }
    let groups = contact.groups.iter().take(usize::from(u8::MAX));
    out.push(groups.len() as u8);
    groups.for_each(|group| put_text(&mut out, group));
    out
}

/// The contact in these bytes; None when they cannot have been written by [`encode`].
pub(super) fn decode(jid: BareJid, version: u64, bytes: &[u8]) -> Option<Contact> {
    let (&[format, flags], mut rest) = bytes.split_first_chunk::<2>()?;
    if format != FORMAT {
        return None;
    }
    let has = |bit: u8| flags & bit != 0;
    let name = if has(NAMED) { Some(take_text(&mut rest)?) } else { None };
    let (&count, mut rest) = rest.split_first()?;
    let groups = (0..count).map(|_| take_text(&mut rest)).collect::<Option<Vec<_>>>()?;
    let subscription = Subscription {
        to: has(TO),
        from: has(FROM),
        pending_out: has(PENDING_OUT),
        pending_in: has(PENDING_IN),
        approved: has(APPROVED),
    };
    let contact =
        Contact { jid, name, groups: Groups::new(groups), subscription, listed: has(LISTED), changed: version };
    rest.is_empty().then_some(contact)
}

fn put_text(out: &mut Vec<u8>, text: &str) {
    out.extend_from_slice(&(text.len() as u32).to_be_bytes());
    out.extend_from_slice(text.as_bytes());
}

fn take_text(bytes: &mut &[u8]) -> Option<Box<str>> {
    let (length, rest) = bytes.split_first_chunk::<4>()?;
    let (text, rest) = rest.split_at_checked(u32::from_be_bytes(*length) as usize)?;
    *bytes = rest;
    Some(std::str::from_utf8(text).ok()?.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn romeo() -> BareJid {
        BareJid::parse("romeo@example.net").unwrap()
    }

    fn full() -> Contact {
        Contact {
            name: Some("Roméo".into()),
            groups: Groups::new(vec!["Friends".into(), "Verona".into()]),
            subscription: Subscription { to: true, pending_in: true, ..Subscription::default() },
            listed: true,
            changed: 7,
            ..Contact::new(romeo())
        }
    }

    #[test]
    fn what_was_written_is_read() {
        for contact in [full(), Contact::new(romeo()), Contact { name: None, ..full() }] {
            assert_eq!(decode(romeo(), contact.changed, &encode(&contact)), Some(contact));
        }
        for bits in 0..32_u8 {
            let bit = |n: u8| bits >> n & 1 == 1;
            let subscription =
                Subscription { to: bit(0), from: bit(1), pending_out: bit(2), pending_in: bit(3), approved: bit(4) };
            let contact = Contact { subscription, ..full() };
            assert_eq!(decode(romeo(), 7, &encode(&contact)), Some(contact));
        }
    }

    #[test]
    fn a_plain_contact_takes_three_bytes() {
        assert_eq!(encode(&Contact { listed: true, ..Contact::new(romeo()) }).len(), 3);
    }

    #[test]
    fn damaged_bytes_are_noticed() {
        let bytes = encode(&full());
        for end in 0..bytes.len() {
            assert_eq!(decode(romeo(), 7, &bytes[..end]), None, "cut at {end}");
        }
        assert_eq!(decode(romeo(), 7, &[&bytes[..], &[0]].concat()), None, "too long");
        assert_eq!(decode(romeo(), 7, &[&[9], &bytes[1..]].concat()), None, "another format");
        let mut not_text = bytes.clone();
        not_text[6] = 0xff;
        assert_eq!(decode(romeo(), 7, &not_text), None);
    }
}
