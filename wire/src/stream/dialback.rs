//! Server dialback (XEP-0220): proving a domain by being reachable at it. The receiving server's and the authoritative
//! server's elements, and the keys of XEP-0185.

use super::{Event, Phase, Stream, StreamCondition, StreamError};
use crate::jid::BareJid;
use crate::stanza::{Condition, StanzaError};
use crate::xml::Element;
use compact_str::CompactString;
use hmac::{Hmac, Mac};
use sha2::{Digest, Sha256};

/// XEP-0220 section 2.
pub const NS: &str = "jabber:server:dialback";
/// XEP-0220 section 2.4.2: the stream feature, which says that errors are understood.
pub const FEATURE_NS: &str = "urn:xmpp:features:dialback";

/// What a peer asks by dialback.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Request {
    /// It says that it speaks for `from` and proves it by `key`: ask the authoritative server of `from`, then answer with
    /// [`Stream::answer_result`].
    Result { from: BareJid, to: BareJid, key: String },
    /// It asks whether `key` is ours: recalculate it, then answer with [`Stream::answer_verify`].
    Verify { from: BareJid, to: BareJid, id: CompactString, key: String },
}

/// What has become of a claim.
#[derive(Clone, Debug, PartialEq)]
pub enum Verdict {
    Valid,
    Invalid,
    /// It could not be found out (XEP-0220 section 2.4.2).
    Error(StanzaError),
}

impl Verdict {
    /// What an answer says. None: it is no answer. Of an error only the condition is read; one without any that is known is
    /// an undefined condition.
    pub(super) fn read(element: &Element) -> Option<Verdict> {
        match element.attr("type")? {
            "valid" => Some(Verdict::Valid),
            "invalid" => Some(Verdict::Invalid),
            "error" => {
                let mut said = element.children().flat_map(|error| error.children());
                let condition = said.find_map(|one| Condition::from_name(one.name()));
                Some(Verdict::Error(StanzaError::new(condition.unwrap_or(Condition::UndefinedCondition))))
            }
            _ => None,
        }
    }

    fn write(&self, answer: Element) -> Element {
        match self {
            Verdict::Valid => answer.with_attr("type", "valid"),
            Verdict::Invalid => answer.with_attr("type", "invalid"),
            Verdict::Error(error) => {
                let mut error = error.to_element();
                error.rename_ns(crate::ns::CLIENT, &crate::xml::Ns::constant(crate::ns::SERVER));
                answer.with_attr("type", "error").with_child(error)
            }
        }
    }
}

/// The key that proves, to the receiving server, that a stream comes from the originating domain (XEP-0185 section 3).
/// Bound to both domains and the id of the stream, it is of no use anywhere else.
pub fn key(secret: &[u8; 32], receiving: &str, originating: &str, stream_id: &str) -> String {
    // HMAC takes keys of any length.
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(hex(&Sha256::digest(secret)).as_bytes()) else {
        return String::new();
    };
    mac.update(format!("{receiving} {originating} {stream_id}").as_bytes());
    hex(&mac.finalize().into_bytes())
}

/// Claims that one stream may have open at a time, and pairs it may carry. More is a flood.
const MOST: usize = 256;

/// Who may speak to whom on a stream from another server.
#[derive(Default)]
pub(super) struct Pairs {
    /// (from, to): the peer's domain that was proved, and the domain of ours it was proved to.
    proved: Vec<(BareJid, BareJid)>,
    claimed: Vec<(BareJid, BareJid)>,
}

impl Pairs {
    pub fn allow(&self, from: &str, to: &str) -> bool {
        self.proved.iter().any(|(proved, receiver)| proved.as_str() == from && receiver.as_str() == to)
    }

    pub fn add(&mut self, from: BareJid, to: BareJid) {
        if !self.allow(from.as_str(), to.as_str()) && self.proved.len() < MOST {
            self.proved.push((from, to));
        }
    }

    fn claim(&mut self, from: &BareJid, to: &BareJid) -> bool {
        let open = self.claimed.len() < MOST;
        if open {
            self.claimed.push((from.clone(), to.clone()));
        }
        open
    }

    /// Takes a claim back; false when there is none.
    fn settle(&mut self, from: &BareJid, to: &BareJid) -> bool {
        let found = self.claimed.iter().position(|claim| (&claim.0, &claim.1) == (from, to));
        found.map(|index| self.claimed.swap_remove(index)).is_some()
    }
}

impl Stream {
    /// Answers [`Request::Result`]. A valid one lets the pair speak from now on.
    pub fn answer_result(&mut self, from: &BareJid, to: &BareJid, verdict: &Verdict) {
        let Some(federation) = &mut self.federation else { return };
        if !federation.pairs.settle(from, to) || matches!(self.phase, Phase::Closing | Phase::Closed) {
            return;
        }
        put(&mut self.out, &verdict.write(addressed("result", to, from)));
        if *verdict == Verdict::Valid {
            self.establish_for(from.clone(), to.clone());
        }
    }

    /// Answers [`Request::Verify`].
    pub fn answer_verify(&mut self, from: &BareJid, to: &BareJid, id: &str, verdict: &Verdict) {
        if self.federation.is_some() && !matches!(self.phase, Phase::Closing | Phase::Closed) {
            put(&mut self.out, &verdict.write(addressed("verify", to, from).with_attr("id", id)));
        }
    }

    /// Dialback is not on offer: something else comes first, or it would prove too little.
    pub(super) fn refuse_dialback(&mut self) -> Event {
        let text = "dialback is not accepted: TLS and a certificate that proves the domain are required";
        self.fail(StreamError::with_text(StreamCondition::PolicyViolation, text))
    }

    /// An element of the namespace on a stream from another server.
    pub(super) fn dialback(&mut self, element: &Element) -> Option<Event> {
        let Some(federation) = &mut self.federation else { return Some(self.fail(super::unsupported(element))) };
        let address = |name: &str| element.attr(name).and_then(|value| value.parse::<BareJid>().ok());
        let (Some(from), Some(to)) = (address("from"), address("to")) else {
            return Some(self.fail(StreamCondition::ImproperAddressing));
        };
        let key = element.text().trim().to_owned();
        match element.name() {
            "result" if !federation.may_dial_back => Some(self.refuse_dialback()),
            "result" if !federation.pairs.claim(&from, &to) => Some(self.fail(StreamCondition::PolicyViolation)),
            "result" => Some(Event::Dialback(Request::Result { from, to, key })),
            "verify" => match element.attr("id") {
                Some(id) => Some(Event::Dialback(Request::Verify { from, to, id: id.into(), key })),
                None => {
                    Some(self.fail(StreamError::with_text(StreamCondition::InvalidXml, "<db:verify/> needs an id")))
                }
            },
            _ => Some(self.fail(super::unsupported(element))),
        }
    }
}

/// An element with both addresses.
pub(super) fn addressed(name: &str, from: &BareJid, to: &BareJid) -> Element {
    Element::new(name, NS).with_attr("from", from.as_str()).with_attr("to", to.as_str())
}

/// Writes with the prefix `db`, which our header declares: old servers know these elements by no other name.
pub(super) fn put(out: &mut Vec<u8>, element: &Element) {
    let context = crate::xml::write::Context { default_ns: crate::ns::SERVER, prefixes: &[("db", NS)] };
    element.write_in(out, &context);
}

fn hex(octets: &[u8]) -> String {
    octets.iter().map(|octet| format!("{octet:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_bound_to_domains_and_stream() {
        let (secret, other) = ([1; 32], [2; 32]);
        let known = key(&secret, "a.example", "b.example", "s1");
        assert_eq!(known.len(), 64);
        assert_eq!(known, key(&secret, "a.example", "b.example", "s1"));
        for different in [
            key(&other, "a.example", "b.example", "s1"),
            key(&secret, "b.example", "a.example", "s1"),
            key(&secret, "a.example", "b.example", "s2"),
        ] {
            assert_ne!(known, different);
        }
    }

    #[test]
    fn a_pair_goes_one_way() {
        let [a, b]: [BareJid; 2] = ["a.example".parse().unwrap(), "b.example".parse().unwrap()];
        let mut pairs = Pairs::default();
        pairs.add(a.clone(), b.clone());
        assert!(pairs.allow("a.example", "b.example") && !pairs.allow("b.example", "a.example"));
        assert!(!pairs.settle(&a, &b), "only what was claimed can be settled");
        for _ in 0..MOST {
            assert!(pairs.claim(&a, &b));
        }
        assert!(!pairs.claim(&a, &b));
    }
}
