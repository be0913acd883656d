//! The door: who a stanza says it is from is settled here, once (RFC 6120 section 8.1.2.1).

use wire::jid::Jid;
use wire::stanza::Stanza;
use wire::stream::{StreamCondition, StreamError};

/// A client may leave `from` out, or give its own full or bare JID; what goes on carries the full one.
pub fn client(mut stanza: Stanza, jid: &Jid) -> Result<Stanza, StreamError> {
    match &stanza.from {
        Some(from) if from.as_str() != jid.as_str() && from.as_str() != jid.bare_str() => {
            Err(StreamError::with_text(StreamCondition::InvalidFrom, "'from' is not this session's address"))
        }
        _ => {
            stanza.from = Some(jid.clone());
            Ok(stanza)
        }
    }
}

/// A component speaks for every address of its own domain and for no other, and says for which (XEP-0114 section 3).
pub fn component(stanza: Stanza, domain: &str) -> Result<Stanza, StreamError> {
    match (&stanza.from, &stanza.to) {
        (Some(from), Some(_)) if from.domain() == domain => Ok(stanza),
        (Some(_), Some(_)) => {
            Err(StreamError::with_text(StreamCondition::InvalidFrom, "'from' is not in the component's domain"))
        }
        _ => Err(StreamError::with_text(StreamCondition::ImproperAddressing, "'from' and 'to' are required")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use wire::stanza::MessageType;

    fn jid(text: &str) -> Jid {
        text.parse().unwrap()
    }

    fn from(address: Option<&str>) -> Stanza {
        let mut stanza = Stanza::new(MessageType::Chat).with_to(jid("b@example.org"));
        stanza.from = address.map(jid);
        stanza
    }

    #[test]
    fn a_client_speaks_for_itself_only() {
        let own = jid("a@example.org/x");
        for claim in [None, Some("a@example.org"), Some("a@example.org/x")] {
            assert_eq!(client(from(claim), &own).unwrap().from.unwrap().as_str(), "a@example.org/x");
        }
        for lie in ["a@example.org/y", "b@example.org", "example.org"] {
            assert_eq!(client(from(Some(lie)), &own).unwrap_err().condition, StreamCondition::InvalidFrom, "{lie}");
        }
    }

    #[test]
    fn a_component_speaks_for_its_domain() {
        for claim in ["gate.example.org", "a@gate.example.org/b"] {
            assert!(component(from(Some(claim)), "gate.example.org").is_ok());
        }
        assert_eq!(
            component(from(Some("a@example.org")), "gate.example.org").unwrap_err().condition,
            StreamCondition::InvalidFrom
        );
        assert_eq!(
            component(from(None), "gate.example.org").unwrap_err().condition,
            StreamCondition::ImproperAddressing
        );
    }
}
