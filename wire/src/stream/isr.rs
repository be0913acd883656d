//! Instant stream resumption (XEP-0397) as elements: a stream that breaks is taken up again in one round trip, by a token that was given for it.
//!
//! The steps are those of SASL2 (`stream/sasl2/`) and of stream management (`stream/management.rs`); what differs is what the proof is, and
//! what the answer is wrapped in. The tokens themselves are the driver's affair.

use super::management::{Failed, Resume};
use super::negotiate::Negotiation;
use super::{Stream, management};
use crate::ns;
use crate::sasl::{Token, TokenMechanism};
use crate::stanza::Condition;
use crate::xml::Element;
use compact_str::CompactString;

/// XEP-0397 section 8.
pub const ISR: &str = "https://xmpp.org/extensions/isr/0";

/// The mechanisms by which a stream may be taken up at once, as a peer was offered them.
pub(super) type Offered = [Option<TokenMechanism>; TokenMechanism::ALL.len()];

/// `<inst-resume/>` of a login (section 5.2).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InstantResume {
    /// The proof is the token of the stream, and not what the user logs in with otherwise.
    pub by_token: bool,
    /// The SM-ID of the stream to go on with.
    pub previd: Option<CompactString>,
    /// The same with all that it takes.
    pub resume: Result<Resume, Failed>,
}

impl InstantResume {
    pub(super) fn parse(element: &Element) -> InstantResume {
        let resume = element.child("resume", management::NS);
        InstantResume {
            by_token: !matches!(element.attr("with-isr-token"), Some("false" | "0")),
            previd: resume.and_then(|resume| resume.attr("previd")).map(CompactString::from),
            resume: resume.map_or(Err(Condition::BadRequest.into()), Resume::parse),
        }
    }
}

/// The mechanism in `<isr-enable/>`, a child of `<enable/>` (section 4).
pub(super) fn wished(enable: &Element) -> Option<TokenMechanism> {
    enable.child("isr-enable", ISR)?.attr("mechanism")?.parse().ok()
}

/// `<isr-enabled/>`, a child of `<enabled/>`.
pub(super) fn enabled(token: &Token) -> Element {
    Element::new("isr-enabled", ISR).with_attr("token", token.as_str())
}

/// `<inst-resumed/>` with the token for the next time (section 5.2.1).
pub(super) fn resumed(token: &Token, resumed: Element) -> Element {
    Element::new("inst-resumed", ISR).with_attr("token", token.as_str()).with_child(resumed)
}

/// `<inst-resume-failed/>` (section 5.2.2): who asks is who it says, but the stream does not go on.
pub fn not_resumed(failed: Failed) -> Element {
    Element::new("inst-resume-failed", ISR).with_child(failed.to_element())
}

/// The stream feature (section 3).
pub(super) fn feature(offered: &Offered) -> Element {
    let names = offered.iter().flatten().map(|one| Element::new("mechanism", ns::SASL).with_text(one.name()));
    Element::new("isr", ISR).with_child(Element::new("mechanisms", ns::SASL).with_children(names))
}

impl Negotiation {
    /// The mechanisms that this very peer is offered: none without TLS, which this extension requires (section 3).
    pub(super) fn offered_isr(&self) -> Offered {
        let policy = self.policy.as_ref().and_then(|policy| policy.sasl2.as_ref());
        let granted = self.secured && policy.is_some_and(|policy| policy.resume && policy.instant_resumption);
        TokenMechanism::ALL.map(|one| (granted && one.works_with(&self.bindings)).then_some(one))
    }
}

impl Stream {
    /// What an `<enable/>` of the peer asks for. Whoever wants to be able to resume at once wants to be able to resume; a mechanism that was
    /// not offered is passed over.
    pub fn wish(&self, enable: &Element) -> management::Enable {
        let wish = management::Enable::parse(enable);
        let isr = wished(enable).filter(|wanted| self.isr.contains(&Some(*wanted)));
        management::Enable { resume: wish.resume || isr.is_some(), isr, ..wish }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::xml::Limits;

    fn parse(attrs: &str, children: &str) -> InstantResume {
        let xml = format!("<inst-resume xmlns='{ISR}' {attrs}>{children}</inst-resume>");
        InstantResume::parse(&Element::parse_document(&xml, &Limits::AFTER_AUTH).unwrap())
    }

    #[test]
    fn the_token_is_meant_unless_it_is_said_not_to_be() {
        for (attrs, by_token) in [
            ("", true),
            ("with-isr-token='true'", true),
            ("with-isr-token='1'", true),
            ("with-isr-token='false'", false),
            ("with-isr-token='0'", false),
        ] {
            assert_eq!(parse(attrs, "").by_token, by_token, "{attrs}");
        }
    }

    #[test]
    fn the_stream_is_named_inside() {
        let resume = "<resume xmlns='urn:xmpp:sm:3' h='7' previd='some-id'/>";
        let parsed = parse("", resume);
        assert_eq!(parsed.resume, Ok(Resume { previd: "some-id".into(), h: 7 }));
        assert_eq!(parsed.previd.as_deref(), Some("some-id"));
        let nothing = parse("", "");
        assert_eq!((nothing.resume, nothing.previd), (Err(Condition::BadRequest.into()), None));
        let half = parse("", "<resume xmlns='urn:xmpp:sm:3' previd='some-id'/>");
        assert!(half.resume.is_err() && half.previd.is_some(), "who guesses need not say how far it has come");
    }

    #[test]
    fn a_mechanism_that_does_not_exist_is_not_asked_for() {
        let enable = |inside: &str| {
            let xml = format!("<enable xmlns='urn:xmpp:sm:3'>{inside}</enable>");
            wished(&Element::parse_document(&xml, &Limits::AFTER_AUTH).unwrap())
        };
        let named = |name: &str| enable(&format!("<isr-enable xmlns='{ISR}' mechanism='{name}'/>"));
        assert_eq!(named("HT-SHA-256-ENDP"), Some(TokenMechanism::ServerEndPoint));
        assert_eq!(named("PLAIN"), None);
        assert_eq!(enable(&format!("<isr-enable xmlns='{ISR}'/>")), None);
        assert_eq!(enable("<isr-enable mechanism='HT-SHA-256-ENDP'/>"), None, "of another namespace");
    }
}
