//! Slots: where a file may be put, and the proof that its owner was given the place (XEP-0363 section 4).
//!
//! A slot is not stored. All that the HTTP side must know stands in the URL, sealed with a secret of this server, so that it
//! can be checked by whoever knows the secret and holds until a moment that it names.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::digest::Key;
use hmac::{Hmac, Mac};
use sha2::Sha256;
use wire::datetime::Timestamp;
use wire::jid::BareJid;

/// The secret that seals slots.
pub type Secret = [u8; 32];

/// The right to put one file in one place once.
#[derive(Clone, Debug, PartialEq)]
pub struct Slot {
    /// Unique, begins with the time of its making, and cannot be guessed.
    pub id: String,
    /// The last part of the URL, as the user named the file.
    pub name: String,
    pub owner: BareJid,
    /// In bytes.
    pub size: u64,
    /// What the file is said to be (RFC 6838); `application/octet-stream` when nothing was said.
    pub content_type: String,
    /// Until when the file may be put there, in milliseconds since the Unix epoch.
    pub until: i64,
}

/// The seal and what it seals: a number, a number, and the rest.
const HEAD: usize = 32 + 8 + 8;

impl Slot {
    /// Where the file can be fetched, as the path of a URL (RFC 3986).
    pub fn path(&self) -> String {
        format!("/upload/{}/{}", self.id, encode(&self.name))
    }

    /// The proof that goes with the path when the file is put there.
    pub fn proof(&self, secret: &Secret) -> String {
        let mut sealed = Vec::new();
        sealed.extend_from_slice(&self.until.to_be_bytes());
        sealed.extend_from_slice(&self.size.to_be_bytes());
        sealed.extend_from_slice(self.owner.as_str().as_bytes());
        sealed.push(0);
        sealed.extend_from_slice(self.content_type.as_bytes());
        let mut out = seal(secret, &self.path(), &sealed).finalize().into_bytes().to_vec();
        out.extend_from_slice(&sealed);
        URL_SAFE_NO_PAD.encode(out)
    }

    /// The slot of an id, a name and a proof that came with a request. None if this server has not given it.
    pub fn open(secret: &Secret, id: &str, name: &str, proof: &str) -> Option<Slot> {
        let bytes = URL_SAFE_NO_PAD.decode(proof).ok()?;
        let (mac, sealed) = bytes.split_at_checked(32)?;
        let path = format!("/upload/{id}/{}", encode(name));
        seal(secret, &path, sealed).verify_slice(mac).ok()?;
        let until = i64::from_be_bytes(sealed.get(..8)?.try_into().ok()?);
        let size = u64::from_be_bytes(sealed.get(8..16)?.try_into().ok()?);
        let rest = std::str::from_utf8(bytes.get(HEAD..)?).ok()?;
        let (owner, content_type) = rest.split_once('\0')?;
        let owner = BareJid::parse(owner).ok()?;
        let (id, name, content_type) = (id.to_owned(), name.to_owned(), content_type.to_owned());
        Some(Slot { id, name, owner, size, content_type, until })
    }

    /// Whether it is too late to put the file there.
    pub fn is_over(&self, now: Timestamp) -> bool {
        now.millis() > self.until
    }
}

fn seal(secret: &Secret, path: &str, sealed: &[u8]) -> Hmac<Sha256> {
    // A key shorter than a block is filled up with zeros (RFC 2104 section 2).
    let mut key = Key::<Hmac<Sha256>>::default();
    key.iter_mut().zip(secret).for_each(|(octet, own)| *octet = *own);
    let mut mac = <Hmac<Sha256> as Mac>::new(&key);
    mac.update(path.as_bytes());
    mac.update(b"\0");
    mac.update(sealed);
    mac
}

/// An id for a file that is made now: the time in seconds, so that ids are ordered by age, and what nobody can guess.
pub fn new_id(now: Timestamp, unguessable: &str) -> String {
    format!("{:010x}-{unguessable}", now.millis().max(0) / 1000)
}

/// The lowest id that a file made at that time or later can have.
pub fn oldest_id(then: Timestamp) -> String {
    format!("{:010x}", then.millis().max(0) / 1000)
}

/// When a file of that id was made, to the second; None if it is no id.
pub fn made_at(id: &str) -> Option<Timestamp> {
    let seconds = i64::from_str_radix(id.split_once('-')?.0, 16).ok()?;
    Timestamp::from_millis(seconds.checked_mul(1000)?)
}

/// Whether a text is an id of this kind; anything else is no part of a path.
pub fn is_id(text: &str) -> bool {
    text.len() > 11 && text.len() < 64 && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte))
}

/// A name as the last part of a path: of what separates or leads elsewhere nothing is left (RFC 3986 section 2.1).
pub fn encode(name: &str) -> String {
    let mut out = String::with_capacity(name.len());
    for byte in name.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: Secret = [7; 32];

    fn slot() -> Slot {
        Slot {
            id: new_id(Timestamp::from_millis(1_700_000_000_000).unwrap(), "aBcDeFgHiJkLmNoP"),
            name: "très cool.jpg".into(),
            owner: BareJid::parse("romeo@montague.example").unwrap(),
            size: 23_456,
            content_type: "image/jpeg".into(),
            until: 1_700_000_300_000,
        }
    }

    #[test]
    fn a_slot_is_opened_only_with_its_own_proof() {
        let slot = slot();
        assert_eq!(slot.path(), "/upload/006553f100-aBcDeFgHiJkLmNoP/tr%C3%A8s%20cool.jpg");
        let proof = slot.proof(&SECRET);
        assert_eq!(Slot::open(&SECRET, &slot.id, &slot.name, &proof), Some(slot.clone()));
        assert_eq!(Slot::open(&[8; 32], &slot.id, &slot.name, &proof), None, "another server's");
        assert_eq!(Slot::open(&SECRET, &slot.id, "other.jpg", &proof), None);
        assert_eq!(Slot::open(&SECRET, "006553f100-aBcDeFgHiJkLmNoQ", &slot.name, &proof), None);
        for index in 0..proof.len() {
            let mut forged = proof.clone().into_bytes();
            forged[index] = if forged[index] == b'A' { b'B' } else { b'A' };
            let forged = String::from_utf8(forged).unwrap();
            // The last sign may carry bits that mean nothing; then the proof is the same, or no base64.
            assert!(Slot::open(&SECRET, &slot.id, &slot.name, &forged).is_none_or(|found| found == slot), "{index}");
        }
        for short in ["", "AA", &proof[..40]] {
            assert_eq!(Slot::open(&SECRET, &slot.id, &slot.name, short), None);
        }
    }

    #[test]
    fn a_slot_is_over_in_time() {
        let at = |millis| Timestamp::from_millis(millis).unwrap();
        assert!(!slot().is_over(at(1_700_000_300_000)));
        assert!(slot().is_over(at(1_700_000_300_001)));
    }

    #[test]
    fn a_name_stays_one_part_of_a_path() {
        assert_eq!(encode("../../etc/passwd"), "..%2F..%2Fetc%2Fpasswd");
        assert_eq!(encode("a\\b?c#d%e\0"), "a%5Cb%3Fc%23d%25e%00");
    }

    #[test]
    fn ids_are_ordered_by_age_and_nothing_else_is_an_id() {
        let at = |millis| Timestamp::from_millis(millis).unwrap();
        let (old, new) = (new_id(at(1_000_000), "zzzzzzzzzzzzzzzz"), new_id(at(2_000_000), "AAAAAAAAAAAAAAAA"));
        assert!(old < new && old < oldest_id(at(2_000_000)) && oldest_id(at(2_000_000)) <= new);
        assert!(is_id(&old));
        assert_eq!((made_at(&new), made_at("-"), made_at("x-y")), (Some(at(2_000_000)), None, None));
        for wrong in ["", "..", "../../../../etc/passwd", "006553f100-a/b", "006553f100-a%2e", "006553f100-\0bcdef"] {
            assert!(!is_id(wrong), "{wrong}");
        }
    }
}
