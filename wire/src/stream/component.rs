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
    use crate::sasl::{Decoys, Iterations};
    use crate::stream::{Closed, Policy, Role, Timeouts};
    use crate::xml::Limits;
    use std::sync::Arc;
    use std::time::Instant;

    const OPEN: &str = "<stream:stream to='gate.example.org' xmlns='jabber:component:accept' \
                        xmlns:stream='http://etherx.jabber.org/streams'>";

    struct Play {
        stream: Stream,
        now: Instant,
    }

    impl Play {
        /// A component that has opened its stream.
        fn opened() -> Play {
            let now = Instant::now();
            let random = |octets: &mut [u8]| octets.fill(7);
            let mut play = Play { stream: Stream::new(Role::Component, false, Timeouts::default(), random, now), now };
            assert!(matches!(play.says(OPEN), Some(Event::Header(header)) if header.version.is_none()));
            play.stream.open(Policy {
                domain: "gate.example.org".parse().unwrap(),
                tls: false,
                carried: false,
                require_tls: false,
                mechanisms: Arc::from([]),
                attempts: 1,
                decoys: Arc::new(Decoys::new([1; 32], Iterations::all(4096))),
                early_features: Arc::from([]),
                early_namespaces: &[],
                features: Arc::from([]),
                limits: Limits::AFTER_AUTH,
                sasl2: None,
                component_secret: Some("secret".into()),
                federation: None,
            });
            play
        }

        fn says(&mut self, text: &str) -> Option<Event> {
            self.stream.read(text.as_bytes(), self.now);
            self.stream.poll_event()
        }

        fn hears(&mut self) -> String {
            let heard = String::from_utf8(self.stream.output().to_vec()).unwrap();
            self.stream.written(heard.len());
            heard
        }

        /// The id that the server's header has given to the stream.
        fn id(&mut self) -> String {
            let header = self.hears();
            header.split_once(" id='").and_then(|(_, rest)| rest.split_once('\'')).unwrap().0.to_owned()
        }
    }

    fn ended(event: Option<Event>) -> StreamCondition {
        match event {
            Some(Event::Closed(Closed::WithError(error))) => error.condition,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn the_digest_is_lower_case_hexadecimal_sha1() {
        assert_eq!(digest("3BF96D32", "secret"), "b09ea9b3b7f586be8a08d0a3dd7466f110aeb136");
    }

    #[test]
    fn the_header_promises_nothing_but_an_id() {
        let heard = Play::opened().hears();
        assert!(
            heard.contains("xmlns='jabber:component:accept'") && heard.contains(" from='gate.example.org' "),
            "{heard}"
        );
        assert!(!heard.contains("version='1.0' xml:lang") && !heard.contains("<stream:features"), "{heard}");
    }

    #[test]
    fn the_right_handshake_lets_stanzas_through() {
        let mut play = Play::opened();
        let proof = digest(&play.id(), "secret");
        let handshake = format!("<handshake>{proof}</handshake>");
        assert!(matches!(play.says(&handshake), Some(Event::Component)));
        assert_eq!(play.hears(), "<handshake/>");
        let stanza = "<message from='a@gate.example.org' to='b@example.org'><body>Hi</body></message>";
        let Some(Event::Stanza(stanza)) = play.says(stanza) else { panic!("no stanza") };
        play.stream.send(&stanza);
        assert_eq!(play.hears(), "<message to='b@example.org' from='a@gate.example.org'><body>Hi</body></message>");
        assert_eq!(ended(play.says(&handshake)), StreamCondition::UnsupportedStanzaType, "once is enough");
    }

    #[test]
    fn capitals_and_line_ends_in_a_handshake_are_forgiven() {
        let mut play = Play::opened();
        let proof = digest(&play.id(), "secret").to_uppercase();
        assert!(matches!(play.says(&format!("<handshake>\n{proof}\n</handshake>")), Some(Event::Component)));
    }

    #[test]
    fn a_wrong_handshake_ends_the_stream() {
        for wrong in ["", &digest("another id", "secret"), &"0".repeat(40)] {
            let mut play = Play::opened();
            assert_eq!(ended(play.says(&format!("<handshake>{wrong}</handshake>"))), StreamCondition::NotAuthorized);
            assert!(play.hears().ends_with("</stream:error></stream:stream>"));
        }
        let mut play = Play::opened();
        let proof = digest(&play.id(), "Secret");
        assert_eq!(ended(play.says(&format!("<handshake>{proof}</handshake>"))), StreamCondition::NotAuthorized);
    }

    #[test]
    fn nothing_is_heard_before_the_handshake() {
        for (early, condition) in [
            ("<message from='gate.example.org' to='a@b'/>", StreamCondition::NotAuthorized),
            ("<message from='gate.example.org' to='@'/>", StreamCondition::NotAuthorized),
            ("<iq type='get' id='1' to='a@b'><query xmlns='jabber:iq:register'/></iq>", StreamCondition::NotAuthorized),
            (
                "<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'/>",
                StreamCondition::UnsupportedStanzaType,
            ),
            ("<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>", StreamCondition::UnsupportedStanzaType),
        ] {
            assert_eq!(ended(Play::opened().says(early)), condition, "{early}");
        }
    }

    #[test]
    fn a_client_is_no_component() {
        let now = Instant::now();
        let mut play = Play { stream: Stream::new(Role::Component, false, Timeouts::default(), |_| {}, now), now };
        let header = OPEN.replace("jabber:component:accept", "jabber:client");
        assert_eq!(ended(play.says(&header)), StreamCondition::InvalidNamespace);
    }
}
