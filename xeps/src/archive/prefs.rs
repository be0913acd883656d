//! What a user wants archived (XEP-0441).

use crate::mam::NS;
use wire::jid::Jid;
use wire::stanza::{Condition, StanzaError};
use wire::xml::Element;

/// Addresses of either list at most.
const LIMIT: usize = 500;

/// What is archived of those who are on no list (section 2.1.1).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Policy {
    #[default]
    Always,
    Never,
    /// Only contacts.
    Roster,
}

impl Policy {
    fn name(self) -> &'static str {
        match self {
            Policy::Always => "always",
            Policy::Never => "never",
            Policy::Roster => "roster",
        }
    }

    fn parse(name: &str) -> Option<Policy> {
        [Policy::Always, Policy::Never, Policy::Roster].into_iter().find(|policy| policy.name() == name)
    }
}

/// The preferences of a user.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Prefs {
    pub default: Policy,
    pub always: Vec<Jid>,
    pub never: Vec<Jid>,
}

impl Prefs {
    /// Whether messages from or to this address are archived (section 2.3). An entry for the full address is more precise than
    /// one for the bare one; of two that are equally precise, the wish not to archive counts.
    pub fn policy_for(&self, correspondent: &Jid) -> Policy {
        let bare = correspondent.bare_str();
        for address in [correspondent.as_str(), bare] {
            let listed = |list: &[Jid]| list.iter().any(|jid| jid.as_str() == address);
            if listed(&self.never) {
                return Policy::Never;
            }
            if listed(&self.always) {
                return Policy::Always;
            }
        }
        self.default
    }

    /// Reads a `<prefs/>`.
    ///
    /// Errors: `bad-request` without a default that is known, `jid-malformed` for what is no address.
    pub fn parse(prefs: &Element) -> Result<Prefs, StanzaError> {
        let default = prefs.attr("default").and_then(Policy::parse).ok_or_else(|| {
            StanzaError::new(Condition::BadRequest).with_text("the default is one of always, never and roster")
        })?;
        Ok(Prefs { default, always: list(prefs, "always")?, never: list(prefs, "never")? })
    }

    pub fn to_element(&self) -> Element {
        let list = |name, jids: &[Jid]| {
            let jid = |jid: &Jid| Element::new("jid", NS).with_text(jid.as_str());
            Element::new(name, NS).with_children(jids.iter().map(jid))
        };
        let prefs = Element::new("prefs", NS).with_attr("default", self.default.name());
        prefs.with_child(list("always", &self.always)).with_child(list("never", &self.never))
    }
}

fn list(prefs: &Element, name: &str) -> Result<Vec<Jid>, StanzaError> {
    let mut jids: Vec<Jid> = Vec::new();
    for jid in prefs.child(name, NS).into_iter().flat_map(|list| list.children_named("jid", NS)) {
        let jid = Jid::parse(jid.text().trim()).map_err(|_| StanzaError::new(Condition::JidMalformed))?;
        if !jids.contains(&jid) {
            jids.push(jid);
        }
        if jids.len() > LIMIT {
            return Err(StanzaError::new(Condition::PolicyViolation).with_text("too many addresses"));
        }
    }
    Ok(jids)
}

#[cfg(test)]
mod tests {
    use super::*;
    use wire::stanza::{UNLIMITED, content_scope};

    fn parse(xml: &str) -> Result<Prefs, StanzaError> {
        Prefs::parse(&Element::parse(xml, content_scope(), &UNLIMITED).unwrap())
    }

    #[test]
    fn preferences_that_are_written_can_be_read() {
        let xml = "<prefs xmlns='urn:xmpp:mam:2' default='roster'><always><jid>romeo@montague.lit</jid></always>
            <never><jid>montague@montague.lit/x</jid><jid>montague@montague.lit/x</jid></never></prefs>";
        let prefs = parse(xml).unwrap();
        assert_eq!((prefs.default, prefs.always.len(), prefs.never.len()), (Policy::Roster, 1, 1));
        assert_eq!(Prefs::parse(&prefs.to_element()), Ok(prefs));
        let bare = parse("<prefs xmlns='urn:xmpp:mam:2' default='never'/>").unwrap();
        assert_eq!(bare, Prefs { default: Policy::Never, ..Prefs::default() });
    }

    #[test]
    fn what_is_malformed_is_refused() {
        let refused = |xml| parse(xml).unwrap_err().condition;
        assert_eq!(refused("<prefs xmlns='urn:xmpp:mam:2'/>"), Condition::BadRequest);
        assert_eq!(refused("<prefs xmlns='urn:xmpp:mam:2' default='sometimes'/>"), Condition::BadRequest);
        let bad = "<prefs xmlns='urn:xmpp:mam:2' default='always'><never><jid>@</jid></never></prefs>";
        assert_eq!(refused(bad), Condition::JidMalformed);
        let many: String = (0..=LIMIT).map(|n| format!("<jid>a{n}@b</jid>")).collect();
        let many = format!("<prefs xmlns='urn:xmpp:mam:2' default='always'><never>{many}</never></prefs>");
        assert_eq!(refused(&many), Condition::PolicyViolation);
    }

    #[test]
    fn the_most_precise_entry_counts() {
        let jids = |list: &[&str]| list.iter().map(|jid| Jid::parse(jid).unwrap()).collect::<Vec<_>>();
        let prefs = Prefs {
            default: Policy::Roster,
            always: jids(&["a@x", "b@x/1", "c@x"]),
            never: jids(&["a@x/1", "b@x", "c@x"]),
        };
        for (jid, policy) in [
            ("a@x", Policy::Always),
            ("a@x/1", Policy::Never),
            ("a@x/2", Policy::Always),
            ("b@x/1", Policy::Always),
            ("b@x/2", Policy::Never),
            ("c@x/1", Policy::Never),
            ("d@x", Policy::Roster),
        ] {
            assert_eq!(prefs.policy_for(&Jid::parse(jid).unwrap()), policy, "{jid}");
        }
    }
}
