//! What a server offers in `<stream:features/>` (RFC 6120 section 4.3.2): a table of features with what each needs and what
//! rules it out, in the order recommended by XEP-0170.

use super::sasl2::{UPGRADE, task_name};
use super::{BIND2, CLIENT_STATE, FAST, Policy, Sasl2Policy, dialback, federation, isr, management};
use crate::ns;
use crate::sasl::{ChannelBindings, Hash, Mechanism, TokenMechanism};
use crate::xml::Element;
use std::ops::BitOr;

/// What is true of a stream that has not come to its end of negotiation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Facts(u16);

impl Facts {
    const NONE: Facts = Facts(0);
    /// TLS protects the connection.
    pub const TLS: Facts = Facts(1);
    /// TLS could be had.
    pub const TLS_POSSIBLE: Facts = Facts(2);
    /// The host's policy is satisfied with the protection there is.
    pub const PROTECTED: Facts = Facts(4);
    /// The peer has proved who it is.
    pub const AUTHENTICATED: Facts = Facts(8);
    /// The peer is another server.
    pub const SERVER: Facts = Facts(16);
    /// Dialback is accepted, and stanzas both ways are.
    pub const DIALBACK: Facts = Facts(32);
    pub const BIDI: Facts = Facts(64);
    /// The host offers SASL2.
    pub const SASL2: Facts = Facts(128);
    /// A session was bound along with the login.
    pub const BOUND: Facts = Facts(256);
    /// The peer may manage its stream.
    pub const MANAGED: Facts = Facts(512);

    pub fn with(self, fact: Facts, holds: bool) -> Facts {
        if holds { self | fact } else { self }
    }

    fn all_of(self, others: Facts) -> bool {
        self.0 & others.0 == others.0
    }

    fn any_of(self, others: Facts) -> bool {
        self.0 & others.0 != 0
    }
}

impl Default for Facts {
    fn default() -> Self {
        Facts::NONE
    }
}

impl BitOr for Facts {
    type Output = Facts;
    fn bitor(self, other: Facts) -> Facts {
        Facts(self.0 | other.0)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum StreamFeature {
    StartTls,
    Mechanisms,
    /// XEP-0388. Never without TLS (section 3), whatever the host's policy.
    Authentication,
    ChannelBinding,
    /// What the server's features offer before authentication, such as registration.
    Early,
    Bind,
    Session,
    /// XEP-0198.
    Management,
    /// XEP-0397. Never without TLS (section 3), whatever the host's policy.
    InstantResumption,
    /// XEP-0352.
    ClientState,
    /// What the server's features offer after it.
    Late,
    /// XEP-0220 section 2.4.2.
    Dialback,
    /// XEP-0288 section 2.
    Bidi,
}

struct Row {
    feature: StreamFeature,
    needs: Facts,
    forbids: Facts,
}

impl Row {
    fn holds(&self, facts: Facts) -> bool {
        facts.all_of(self.needs) && !facts.any_of(self.forbids)
    }
}

const TABLE: [Row; 15] = [
    Row { feature: StreamFeature::StartTls, needs: Facts::TLS_POSSIBLE, forbids: Facts(1 | 8) },
    Row { feature: StreamFeature::Mechanisms, needs: Facts::PROTECTED, forbids: Facts::AUTHENTICATED },
    Row { feature: StreamFeature::Authentication, needs: Facts(4 | 1 | 128), forbids: Facts(8 | 16) },
    // Where it can be done, and below, beside stream management, where a token for it can be had.
    Row { feature: StreamFeature::InstantResumption, needs: Facts(4 | 1 | 128), forbids: Facts(8 | 16) },
    Row { feature: StreamFeature::ChannelBinding, needs: Facts(4 | 1), forbids: Facts::AUTHENTICATED },
    Row { feature: StreamFeature::Early, needs: Facts::PROTECTED, forbids: Facts(8 | 16) },
    Row { feature: StreamFeature::Dialback, needs: Facts(4 | 16 | 32), forbids: Facts::NONE },
    Row { feature: StreamFeature::Bidi, needs: Facts(4 | 16 | 64), forbids: Facts::AUTHENTICATED },
    Row { feature: StreamFeature::Bind, needs: Facts::AUTHENTICATED, forbids: Facts(16 | 256) },
    Row { feature: StreamFeature::Session, needs: Facts::AUTHENTICATED, forbids: Facts(16 | 256) },
    Row { feature: StreamFeature::Management, needs: Facts(8 | 512), forbids: Facts::NONE },
    // No features follow on dialback, so it is told beforehand (XEP-0198 section 3 has it begin after dialback).
    Row { feature: StreamFeature::Management, needs: Facts(4 | 16 | 32 | 512), forbids: Facts::AUTHENTICATED },
    Row { feature: StreamFeature::InstantResumption, needs: Facts(8 | 1 | 128 | 512), forbids: Facts::SERVER },
    Row { feature: StreamFeature::ClientState, needs: Facts::AUTHENTICATED, forbids: Facts::SERVER },
    Row { feature: StreamFeature::Late, needs: Facts::AUTHENTICATED, forbids: Facts::SERVER },
];

/// Whether the feature may be used now.
pub(super) fn available(feature: StreamFeature, facts: Facts) -> bool {
    TABLE.iter().any(|row| row.feature == feature && row.holds(facts))
}

/// What there is to offer to one peer.
pub(super) struct Offer<'a> {
    pub policy: &'a Policy,
    pub mechanisms: &'a [Mechanism],
    pub tokens: &'a [TokenMechanism],
    pub upgrades: &'a [Hash],
    pub isr: isr::Offered,
    pub bindings: &'a ChannelBindings,
    /// Stream management is enabled already.
    pub managed: bool,
}

/// The `<stream:features/>` for a stream of which these facts are true.
pub(super) fn advertise(facts: Facts, offer: &Offer<'_>) -> Element {
    let Offer { policy, mechanisms, bindings, .. } = offer;
    let mut features = Element::new("features", ns::STREAM);
    for row in TABLE.iter().filter(|row| row.holds(facts)) {
        match row.feature {
            StreamFeature::StartTls => {
                let required = policy.require_tls.then(|| Element::new("required", ns::TLS));
                features.push(Element::new("starttls", ns::TLS).maybe_child(required));
            }
            StreamFeature::Mechanisms if !mechanisms.is_empty() => {
                let names = mechanisms.iter().map(|one| Element::new("mechanism", ns::SASL).with_text(one.name()));
                features.push(names.fold(Element::new("mechanisms", ns::SASL), Element::with_child));
            }
            StreamFeature::ChannelBinding if !bindings.is_empty() => {
                let types = bindings.types().map(|kind| {
                    Element::new("channel-binding", ns::SASL_CHANNEL_BINDING).with_attr("type", kind.name())
                });
                features.push(
                    types.fold(Element::new("sasl-channel-binding", ns::SASL_CHANNEL_BINDING), Element::with_child),
                );
            }
            StreamFeature::Authentication if !mechanisms.is_empty() => {
                features.push(authentication(offer, policy.sasl2.as_ref()));
            }
            StreamFeature::Mechanisms | StreamFeature::Authentication | StreamFeature::ChannelBinding => {}
            StreamFeature::Bind => {
                features.push(Element::new("bind", ns::BIND).with_child(Element::new("required", ns::BIND)))
            }
            StreamFeature::Session => {
                features.push(Element::new("session", ns::SESSION).with_child(Element::new("optional", ns::SESSION)));
            }
            StreamFeature::Dialback => {
                let errors = Element::new("errors", dialback::FEATURE_NS);
                features.push(Element::new("dialback", dialback::FEATURE_NS).with_child(errors));
            }
            StreamFeature::Bidi => features.push(Element::new("bidi", federation::BIDI_FEATURE)),
            StreamFeature::Management if offer.managed => {}
            StreamFeature::Management => features.push(Element::new("sm", management::NS)),
            StreamFeature::InstantResumption if offer.managed || offer.isr.iter().all(Option::is_none) => {}
            StreamFeature::InstantResumption => features.push(isr::feature(&offer.isr)),
            StreamFeature::ClientState => features.push(Element::new("csi", super::CLIENT_STATE)),
            StreamFeature::Early => {
                policy.early_features.iter().for_each(|(name, ns)| features.push(Element::new(*name, *ns)))
            }
            StreamFeature::Late => policy.features.iter().for_each(|feature| features.push(feature.clone())),
        }
    }
    features
}

/// XEP-0388 section 2.1, XEP-0386 section 3.1, XEP-0484 section 3.1, XEP-0480 section 2.1.
fn authentication(offer: &Offer<'_>, policy: Option<&Sasl2Policy>) -> Element {
    let mechanism = |name: &str, ns: &'static str| Element::new("mechanism", ns).with_text(name);
    let feature = |name: &&'static str| Element::new("feature", BIND2).with_attr("var", name);
    let bindable = policy.map(|policy| policy.bind_features.iter()).into_iter().flatten();
    let bind = Element::new("bind", BIND2).with_child(
        Element::new("inline", BIND2).with_children(bindable.chain([&management::NS, &CLIENT_STATE]).map(feature)),
    );
    let resume = policy.is_some_and(|policy| policy.resume).then(|| Element::new("sm", management::NS));
    let tokens = offer.tokens.iter().map(|one| mechanism(one.name(), FAST));
    let fast = (!offer.tokens.is_empty()).then(|| Element::new("fast", FAST).with_children(tokens));
    Element::new("authentication", ns::SASL2)
        .with_children(offer.mechanisms.iter().map(|one| mechanism(one.name(), ns::SASL2)))
        .with_child(Element::new("inline", ns::SASL2).maybe_child(resume).with_child(bind).maybe_child(fast))
        .with_children(offer.upgrades.iter().map(|hash| Element::new("upgrade", UPGRADE).with_text(task_name(*hash))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tls_first_then_authentication_then_binding() {
        let offered =
            |facts: Facts| TABLE.iter().filter(|row| row.holds(facts)).map(|row| row.feature).collect::<Vec<_>>();
        use StreamFeature::*;
        assert_eq!(offered(Facts::TLS_POSSIBLE), [StartTls]);
        assert_eq!(offered(Facts::TLS_POSSIBLE | Facts::PROTECTED), [StartTls, Mechanisms, Early]);
        assert_eq!(offered(Facts::TLS_POSSIBLE | Facts::TLS | Facts::PROTECTED), [Mechanisms, ChannelBinding, Early]);
        let authenticated = Facts::TLS_POSSIBLE | Facts::TLS | Facts::PROTECTED | Facts::AUTHENTICATED | Facts::MANAGED;
        assert_eq!(offered(authenticated), [Bind, Session, Management, ClientState, Late]);
        let server = Facts::TLS | Facts::PROTECTED | Facts::SERVER | Facts::DIALBACK | Facts::BIDI;
        assert_eq!(offered(server), [Mechanisms, ChannelBinding, Dialback, Bidi]);
        assert_eq!(offered(server | Facts::AUTHENTICATED), [Dialback]);
        let before = [Mechanisms, ChannelBinding, Dialback, Bidi, Management];
        assert_eq!(offered(server | Facts::MANAGED), before, "after dialback there are no features any more");
        let strict = Facts::TLS | Facts::PROTECTED | Facts::SERVER | Facts::MANAGED;
        assert_eq!(offered(strict), [Mechanisms, ChannelBinding], "not yet");
        assert_eq!(offered(server | Facts::MANAGED | Facts::AUTHENTICATED), [Dialback, Management]);
    }
}
