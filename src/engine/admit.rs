//! The door: who a stanza says it is from is settled here, once (RFC 6120 section 8.1.2.1), and what only this server may say is
//! taken out of it, so that everybody inside can believe it.

use super::served::Domains;
use wire::jid::Jid;
use wire::stanza::{Child, Kind, Stanza};
use wire::stream::{StreamCondition, StreamError};
use xeps::{carbons, mam, stanza_id};

const DELAY: &str = "urn:xmpp:delay";

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

/// Where a stanza comes in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Door {
    /// From a client of one of our accounts.
    Client,
    /// From another server or a component, which may have archives of its own.
    Outside,
}

/// Takes out ids in the name of our archives (XEP-0359 section 3), delays in the name of our domains (XEP-0203 section 5), and
/// copies that nobody but the recipient's own account can make (XEP-0280 section 11, XEP-0313 section 8.2).
pub fn without_forgeries(mut stanza: Stanza, door: Door, domains: &Domains) -> Stanza {
    match stanza.kind {
        Kind::Message(_) => stanza.retain(|child| !is_forged(child, door, domains)),
        Kind::Presence(_) => stanza.retain(|child| !is_forged_delay(child, domains)),
        Kind::Iq(_) => {}
    }
    stanza
}

fn is_forged(child: &Child<'_>, door: Door, domains: &Domains) -> bool {
    match (child.name, child.ns) {
        ("stanza-id", stanza_id::NS) => stanza_id::giver(child).is_some_and(|giver| gives_ids(&giver, domains)),
        ("sent" | "received", carbons::NS) => true,
        ("result", mam::NS) => door == Door::Client,
        _ => is_forged_delay(child, domains),
    }
}

/// Accounts and services of ours do; a component may, and guards that itself.
fn gives_ids(giver: &Jid, domains: &Domains) -> bool {
    domains.host(giver.domain()).is_some() || domains.service(giver.domain()).is_some()
}

fn is_forged_delay(child: &Child<'_>, domains: &Domains) -> bool {
    let stamped_by = || child.element().and_then(|delay| Jid::parse(delay.attr("from")?).ok());
    child.is("delay", DELAY) && stamped_by().is_some_and(|by| by.is_domain() && gives_ids(&by, domains))
}

#[cfg(test)]
mod tests {
    use super::*;
    use wire::stanza::{MessageType, TopLevel, UNLIMITED, content_scope};
    use xeps::Host;
    use xeps::registry::Registry;

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

    fn domains() -> Domains {
        let host = Host::new("example.org".parse().unwrap(), Registry::new(Vec::new()).unwrap(), &[0; 32]);
        Domains::new([(host, Vec::new())], ["gate.example.org".to_owned()])
    }

    /// The names of the children that are left.
    fn left(door: Door, stanza: &str) -> Vec<String> {
        let Ok(TopLevel::Stanza(stanza)) = TopLevel::parse(stanza, content_scope(), &UNLIMITED) else {
            panic!("{stanza}")
        };
        let stanza = without_forgeries(stanza, door, &domains());
        stanza.children().map(|child| child.name.to_owned()).collect()
    }

    fn passes(door: Door, child: &str) -> bool {
        left(door, &format!("<message><body>Hi</body>{child}</message>")).len() == 2
    }

    #[test]
    fn ids_and_delays_in_our_name_are_taken_out() {
        for door in [Door::Client, Door::Outside] {
            for (by, kept) in [
                ("juliet@example.org", false),
                ("JULIET@EXAMPLE.org", false),
                ("example.org", false),
                ("room@muc.example.net", true),
                ("room@gate.example.org", true),
                ("@", true),
            ] {
                assert_eq!(
                    passes(door, &format!("<stanza-id xmlns='urn:xmpp:sid:0' id='1' by='{by}'/>")),
                    kept,
                    "{by}"
                );
            }
            for (from, kept) in
                [("example.org", false), ("Example.org", false), ("juliet@example.org", true), ("example.net", true)]
            {
                let delay = format!("<delay xmlns='urn:xmpp:delay' stamp='2002-09-10T23:08:25Z' from='{from}'/>");
                assert_eq!(passes(door, &delay), kept, "{from}");
                assert_eq!(left(door, &format!("<presence>{delay}</presence>")).len(), usize::from(kept), "{from}");
            }
            assert!(passes(door, "<origin-id xmlns='urn:xmpp:sid:0' id='1'/>"));
            assert!(passes(door, "<referenced-stanza xmlns='urn:xmpp:sid:0' id='1' by='juliet@example.org'/>"));
            assert!(passes(door, "<delay xmlns='urn:xmpp:delay' stamp='2002-09-10T23:08:25Z'/>"));
        }
    }

    #[test]
    fn copies_that_nobody_else_can_make_are_taken_out() {
        for copy in ["sent", "received"] {
            let copy = format!("<{copy} xmlns='urn:xmpp:carbons:2'><forwarded xmlns='urn:xmpp:forward:0'/></{copy}>");
            assert!(!passes(Door::Client, &copy) && !passes(Door::Outside, &copy));
        }
        assert!(passes(Door::Client, "<received xmlns='urn:xmpp:receipts' id='1'/>"), "a receipt is none");
        assert!(passes(Door::Client, "<private xmlns='urn:xmpp:carbons:2'/>"));
        let result = "<result xmlns='urn:xmpp:mam:2' id='1'/>";
        assert!(!passes(Door::Client, result));
        assert!(passes(Door::Outside, result), "a room elsewhere has an archive, too");
    }
}
