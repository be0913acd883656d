//! The elements of stream management (XEP-0198), read and written without a stream, so that they can also stand inside of
//! others: SASL2 and Bind 2 carry them inline (section 9).

use super::NS;
use crate::ns;
use crate::sasl::{Token, TokenMechanism};
use crate::stanza::Condition;
use crate::stream::isr;
use crate::xml::Element;
use compact_str::CompactString;
use std::time::Duration;

/// `<enable/>` (section 3).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Enable {
    /// The peer wants to be able to resume the stream.
    pub resume: bool,
    /// For how long after a break it would like to be.
    pub max: Option<Duration>,
    /// The mechanism by which it wants to be able to do so at once (XEP-0397).
    pub isr: Option<TokenMechanism>,
}

/// What is granted to a peer that wants to be able to resume (section 5).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grant {
    /// The SM-ID: unguessable, and used once.
    pub id: CompactString,
    /// How long the session waits for its client.
    pub max: Duration,
    /// Where the client had better come back: `host` or `host:port`, an IPv6 address in brackets (RFC 6120 section 4.9.3.19).
    pub location: Option<CompactString>,
    /// The token by which it can do so at once (XEP-0397).
    pub isr: Option<Token>,
}

/// `<resume/>` (section 5).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resume {
    /// The SM-ID of the stream that broke.
    pub previd: CompactString,
    /// How many stanzas the peer has handled on it.
    pub h: u32,
}

/// `<failed/>` (section 6).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Failed {
    pub condition: Condition,
    /// How many stanzas of the former stream were handled, if that is still known.
    pub h: Option<u32>,
}

impl Enable {
    /// Reads an `<enable/>` as it is in XEP-0198. What cannot be read is not asked for.
    pub fn parse(element: &Element) -> Enable {
        Enable {
            resume: matches!(element.attr("resume"), Some("true" | "1")),
            max: element.attr("max").and_then(number).map(|seconds| Duration::from_secs(seconds.into())),
            isr: None,
        }
    }
}

impl Grant {
    /// The `<enabled/>` for a peer that may resume, or for one that may not.
    pub fn to_element(grant: Option<&Grant>) -> Element {
        let enabled = Element::new("enabled", NS);
        match grant {
            None => enabled,
            Some(grant) => enabled
                .with_attr("id", &grant.id)
                .with_attr("resume", "true")
                .with_attr("max", grant.max.as_secs().to_string())
                .maybe_attr("location", grant.location.as_ref())
                .maybe_child(grant.isr.as_ref().map(isr::enabled)),
        }
    }
}

impl Resume {
    /// Reads a `<resume/>`; both of its attributes are required.
    pub fn parse(element: &Element) -> Result<Resume, Failed> {
        let previd = element.attr("previd").filter(|id| !id.is_empty());
        match (previd, element.attr("h").and_then(number)) {
            (Some(previd), Some(h)) => Ok(Resume { previd: previd.into(), h }),
            _ => Err(Failed { condition: Condition::BadRequest, h: None }),
        }
    }
}

impl Failed {
    pub fn to_element(self) -> Element {
        Element::new("failed", NS)
            .maybe_attr("h", self.h.map(|h| h.to_string()))
            .with_child(Element::new(self.condition.name(), ns::STANZA_ERROR))
    }
}

impl From<Condition> for Failed {
    fn from(condition: Condition) -> Self {
        Failed { condition, h: None }
    }
}

/// `<resumed/>`.
pub(super) fn resumed(previd: &str, h: u32) -> Element {
    Element::new("resumed", NS).with_attr("previd", previd).with_attr("h", h.to_string())
}

/// `<handled-count-too-high/>` (section 6).
pub(in crate::stream) fn too_high(h: u32, sent: u32) -> Element {
    Element::new("handled-count-too-high", NS).with_attr("h", h.to_string()).with_attr("send-count", sent.to_string())
}

/// xs:unsignedInt, in plain digits.
pub(in crate::stream) fn number(text: &str) -> Option<u32> {
    if text.bytes().all(|byte| byte.is_ascii_digit()) { text.parse().ok() } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_ways_to_write_a_boolean_are_understood() {
        let resume = |value: &str| Enable::parse(&Element::new("enable", NS).with_attr("resume", value)).resume;
        assert!(resume("true") && resume("1"));
        assert!(!resume("false") && !resume("0") && !resume("yes"));
        assert_eq!(Enable::parse(&Element::new("enable", NS)), Enable::default());
    }

    #[test]
    fn a_resumption_needs_both_attributes() {
        let resume = |previd: Option<&str>, h: Option<&str>| {
            Resume::parse(&Element::new("resume", NS).maybe_attr("previd", previd).maybe_attr("h", h))
        };
        assert_eq!(resume(Some("x"), Some("4294967295")), Ok(Resume { previd: "x".into(), h: u32::MAX }));
        let bad = Err(Failed::from(Condition::BadRequest));
        for (previd, h) in [(None, Some("0")), (Some(""), Some("0")), (Some("x"), None)] {
            assert_eq!(resume(previd, h), bad);
        }
        for h in ["", "-1", "+1", "many", "4294967296"] {
            assert_eq!(resume(Some("x"), Some(h)), bad, "{h:?}");
        }
    }
}
