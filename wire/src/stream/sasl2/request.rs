//! What `<authenticate/>` says besides the mechanism (XEP-0388 section 2.3): who the client is, and what it wants done with its login at once.

use super::upgrade::wished;
use crate::ns;
use crate::sasl::{Hash, TokenMechanism};
use crate::stream::{ISR, InstantResume, isr, management};
use crate::xml::Element;
use compact_str::CompactString;

/// XEP-0484: tokens for the next login.
pub const FAST: &str = "urn:xmpp:fast:0";
/// XEP-0386.
pub const BIND2: &str = "urn:xmpp:bind:0";

/// Bytes that are kept of what a client calls itself and its device.
const DESCRIPTION: usize = 128;

/// A request to log in, as far as it is not the mechanism's affair.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Authenticate {
    pub agent: UserAgent,
    /// The stream of before to go on with (XEP-0198 section 9.2): `<resume/>`.
    pub resume: Option<Element>,
    /// The same at once (XEP-0397); then it is none of the above.
    pub isr: Option<InstantResume>,
    /// The session to bind (XEP-0386): `<bind/>`, with what is to be enabled in it.
    pub bind: Option<Element>,
    /// Set when the proof may be a token (XEP-0484 section 3.4).
    pub fast: Option<Fast>,
    /// The mechanism for which the client asks a token. One that was not offered is passed over.
    pub request_token: Option<TokenMechanism>,
    /// The hashes of which the client offers to make the keys (XEP-0480).
    pub upgrades: Vec<Hash>,
}

/// The client that logs in. It must not be shown to anybody but the owner of the account.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct UserAgent {
    /// Names this installation: a UUID in lower case. None as well when the client has sent something else.
    pub id: Option<CompactString>,
    /// The software, in the client's words; cut to 128 bytes, without control characters.
    pub software: Option<String>,
    /// The device, likewise.
    pub device: Option<String>,
}

/// `<fast/>` of a login by token.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Fast {
    /// Grows with each login by the same token; a count that is not greater than an earlier one is a replay.
    pub count: Option<u32>,
    /// The token shall be worth nothing from now on.
    pub invalidate: bool,
}

impl Authenticate {
    /// Reads the children of `<authenticate/>`. `tokens` are the mechanisms that tokens can be asked for, `upgrades` the hashes for which
    /// there are tasks, `isr` what streams can be resumed by at once.
    pub(super) fn parse(
        element: &Element,
        tokens: &[TokenMechanism],
        upgrades: &[Hash],
        isr: &isr::Offered,
    ) -> Authenticate {
        let requested = element.child("request-token", FAST).and_then(|wish| wish.attr("mechanism")?.parse().ok());
        let isr = isr.iter().flatten().next().and_then(|_| element.child("inst-resume", ISR)).map(InstantResume::parse);
        let by_stream_token = isr.as_ref().is_some_and(|isr| isr.by_token);
        Authenticate {
            agent: element.child("user-agent", ns::SASL2).map(UserAgent::parse).unwrap_or_default(),
            resume: element.child("resume", management::NS).filter(|_| isr.is_none()).cloned(),
            isr,
            bind: element.child("bind", BIND2).cloned(),
            fast: element.child("fast", FAST).filter(|_| !by_stream_token).map(Fast::parse),
            request_token: requested.filter(|wanted| tokens.contains(wanted)),
            upgrades: wished(element, upgrades),
        }
    }

    pub(in crate::stream) fn proof(&self) -> Proof {
        match (&self.isr, &self.fast) {
            (Some(isr), _) if isr.by_token => Proof::StreamToken,
            (_, Some(_)) => Proof::ClientToken,
            (_, None) => Proof::Usual,
        }
    }
}

/// What an attempt may prove itself with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::stream) enum Proof {
    /// What users log in with.
    Usual,
    /// That, or a token of the client (XEP-0484).
    ClientToken,
    /// The token of the stream that it wants to go on with (XEP-0397), and nothing else.
    StreamToken,
}

impl UserAgent {
    fn parse(element: &Element) -> UserAgent {
        let text = |name: &str| element.child(name, ns::SASL2).and_then(|child| description(&child.text()));
        UserAgent { id: element.attr("id").and_then(uuid), software: text("software"), device: text("device") }
    }
}

impl Fast {
    fn parse(element: &Element) -> Fast {
        Fast {
            // A count that is no number counts as none seen before would: it is no replay of a greater one.
            count: element.attr("count").map(|count| count.parse().unwrap_or(0)),
            invalidate: element.attr("invalidate").is_some_and(|value| matches!(value, "1" | "true")),
        }
    }
}

/// A UUID (RFC 9562 section 4) in lower case; which version it is does not matter here.
fn uuid(text: &str) -> Option<CompactString> {
    let hyphen = |at: usize| matches!(at, 8 | 13 | 18 | 23);
    let fits = |(at, byte): (usize, u8)| if hyphen(at) { byte == b'-' } else { byte.is_ascii_hexdigit() };
    (text.len() == 36 && text.bytes().enumerate().all(fits)).then(|| text.to_ascii_lowercase().into())
}

fn description(text: &str) -> Option<String> {
    let mut kept = String::new();
    for c in text.trim().chars().filter(|c| !c.is_control()) {
        if kept.len().saturating_add(c.len_utf8()) > DESCRIPTION {
            break;
        }
        kept.push(c);
    }
    (!kept.is_empty()).then_some(kept)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::xml::Limits;

    fn parse(children: &str) -> Authenticate {
        let xml = format!("<authenticate xmlns='urn:xmpp:sasl:2' mechanism='PLAIN'>{children}</authenticate>");
        let element = Element::parse_document(&xml, &Limits::AFTER_AUTH).unwrap();
        let isr = [Some(TokenMechanism::Unbound), None, None];
        Authenticate::parse(&element, &[TokenMechanism::Unbound], &[Hash::Sha256], &isr)
    }

    #[test]
    fn a_client_may_say_nothing_of_itself() {
        assert_eq!(parse("<initial-response>AA==</initial-response>"), Authenticate::default());
    }

    #[test]
    fn a_client_is_known_by_a_uuid_and_nothing_else() {
        let agent = |id: &str| parse(&format!("<user-agent id='{id}'/>")).agent.id;
        let expected = Some("d4565fa7-4d72-4749-b3d3-740edbf87770".into());
        assert_eq!(agent("D4565FA7-4d72-4749-b3d3-740edbf87770"), expected);
        for other in ["", "phone", "d4565fa7x4d72-4749-b3d3-740edbf87770", "d4565fa7-4d72-4749-b3d3-740edbf8777g"] {
            assert_eq!(agent(other), None, "{other}");
        }
    }

    #[test]
    fn descriptions_are_cut_and_cleaned() {
        let long = "ü".repeat(100);
        let agent =
            parse(&format!("<user-agent><software> Awesome&#9;XMPP </software><device>{long}</device></user-agent>"));
        assert_eq!(agent.agent.software.as_deref(), Some("AwesomeXMPP"));
        assert_eq!(agent.agent.device, Some("ü".repeat(64)));
        assert_eq!(parse("<user-agent><software/></user-agent>").agent.software, None);
    }

    #[test]
    fn a_token_is_asked_for_by_a_mechanism_that_was_offered() {
        let asked = |name: &str| parse(&format!("<request-token xmlns='{FAST}' mechanism='{name}'/>")).request_token;
        assert_eq!(asked("HT-SHA-256-NONE"), Some(TokenMechanism::Unbound));
        assert_eq!(asked("HT-SHA-256-EXPR"), None, "not offered");
        assert_eq!(asked("PLAIN"), None);
    }

    #[test]
    fn one_way_to_go_on_is_meant_and_one_proof() {
        let resume = "<resume xmlns='urn:xmpp:sm:3' previd='x' h='1'/>";
        let both = |attrs: &str| {
            let instant = format!("<inst-resume xmlns='{ISR}' {attrs}>{resume}</inst-resume>");
            parse(&format!("{instant}{resume}<fast xmlns='{FAST}'/>"))
        };
        let by_token = both("");
        assert_eq!((by_token.proof(), by_token.resume, by_token.fast), (Proof::StreamToken, None, None));
        let otherwise = both("with-isr-token='false'");
        assert_eq!((otherwise.proof(), otherwise.resume), (Proof::ClientToken, None));
        assert_eq!(parse(resume).proof(), Proof::Usual);
        assert!(parse(resume).resume.is_some());
    }

    #[test]
    fn a_count_that_is_no_number_is_below_all() {
        let fast = |attrs: &str| parse(&format!("<fast xmlns='{FAST}' {attrs}/>")).fast.unwrap();
        assert_eq!(fast(""), Fast { count: None, invalidate: false });
        assert_eq!(fast("count='123' invalidate='true'"), Fast { count: Some(123), invalidate: true });
        assert_eq!(fast("count='-1' invalidate='0'"), Fast { count: Some(0), invalidate: false });
    }
}
