//! External components (XEP-0114 section 3): the one proof is a hash of the stream id and a shared secret.

use super::{Event, Phase, Stream, StreamCondition, unsupported};
use crate::ns;
use crate::xml::Element;
use sha1::{Digest, Sha1};
use subtle::ConstantTimeEq;

impl Stream {
    pub(super) fn component_handshake(&mut self, element: &Element) -> Event {
        let Phase::Negotiating(negotiation) = &self.phase else { return self.fail(StreamCondition::NotAuthorized) };
        if !element.is("handshake", ns::COMPONENT) {
            return self.fail(unsupported(element));
        }
        let Some(policy) = &negotiation.policy else { return self.fail(StreamCondition::NotAuthorized) };
        let Some(secret) = &policy.component_secret else { return self.fail(StreamCondition::NotAuthorized) };
        let expected = digest(&negotiation.id, secret);
        let given = element.text().trim().to_ascii_lowercase();
        if !bool::from(expected.as_bytes().ct_eq(given.as_bytes())) {
            return self.fail(StreamCondition::NotAuthorized);
        }
        let limits = policy.limits;
        self.out.extend_from_slice(b"<handshake/>");
        self.establish(limits);
        Event::Component
    }
}

/// The lower-case hexadecimal SHA-1 of the stream id and the secret.
fn digest(id: &str, secret: &str) -> String {
    let hash = Sha1::new().chain_update(id).chain_update(secret).finalize();
    hash.iter().map(|octet| format!("{octet:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_digest_is_lower_case_hexadecimal_sha1() {
        assert_eq!(digest("3BF96D32", "secret"), "b09ea9b3b7f586be8a08d0a3dd7466f110aeb136");
    }
}
