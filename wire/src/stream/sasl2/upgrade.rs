//! SASL upgrade tasks (XEP-0480): a client that has proved a password helps the server to the keys of hashes that it lacks, because the account
//! has come from a server that kept fewer.
//!
//! ```text
//! Welcome? -> upgrade -> <continue/> .. <next/> -> <task-data/> .. <task-data/> -> Welcome? (with the keys) -> welcome -> <success/>
//! ```

use crate::ns;
use crate::sasl::{Hash, Identity, SaslError, StoredKeys};
use crate::stream::authenticate::success_data;
use crate::stream::negotiate::{Negotiating, Negotiation};
use crate::stream::{Event, Phase, Stream, unsupported};
use crate::xml::Element;
use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use std::collections::VecDeque;

/// The namespace of the offer and the wish.
pub const UPGRADE: &str = "urn:xmpp:sasl:upgrade:0";
/// That of the data of SCRAM (section 3).
const SCRAM: &str = "urn:xmpp:scram-upgrade:0";
const PREFIX: &str = "UPGR-SCRAM-";

/// What the client is to make the keys of one hash with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Upgrade {
    pub hash: Hash,
    pub salt: Vec<u8>,
    pub iterations: u32,
}

/// Upgrades under way.
pub(in crate::stream) struct Upgrading {
    identity: Identity,
    /// The first is the one that the client has been told of.
    tasks: VecDeque<Upgrade>,
    /// Whether it has been given the data of that.
    given: bool,
    keys: Vec<StoredKeys>,
}

/// The name of a task (section 2.1).
pub(in crate::stream) fn task_name(hash: Hash) -> String {
    format!("{PREFIX}{}", hash.name())
}

/// The hashes for which a client asks for a task, of those that were offered.
pub(super) fn wished(authenticate: &Element, offered: &[Hash]) -> Vec<Hash> {
    let wishes: Vec<String> = authenticate.children_named("upgrade", UPGRADE).map(Element::text).collect();
    offered.iter().copied().filter(|hash| wishes.iter().any(|wish| wish.trim() == task_name(*hash))).collect()
}

impl Negotiation {
    /// The hashes to which this very peer is offered upgrades: those of the mechanisms offered, but never the weakest, and nothing over a
    /// connection on which others could read what a client makes of its password.
    pub(in crate::stream) fn offered_upgrades(&self) -> Vec<Hash> {
        let of_host = self.policy.as_ref().filter(|policy| policy.sasl2.is_some() && self.secured);
        let has = |hash: &Hash| {
            let mechanisms = of_host.map(|policy| policy.mechanisms.iter()).into_iter().flatten();
            mechanisms.filter_map(|mechanism| mechanism.hash()).any(|own| own == *hash)
        };
        [Hash::Sha256, Hash::Sha512].into_iter().filter(has).collect()
    }
}

impl Stream {
    /// Answers [`Event::Welcome`]: first these upgrades, of those that the request asks for. Then [`Event::Welcome`] comes again, with the
    /// keys that the client has made.
    pub fn upgrade(&mut self, mut identity: Identity, tasks: Vec<Upgrade>) {
        let Phase::Negotiating(negotiation) = &mut self.phase else { return };
        if !matches!(negotiation.step, Negotiating::Authorizing(_)) || tasks.is_empty() {
            return;
        }
        let data = identity.additional_data.take();
        if let Some(request) = &mut negotiation.request {
            request.upgrades.clear();
        }
        negotiation.step = Negotiating::Upgrading(Box::new(Upgrading {
            identity,
            tasks: tasks.into(),
            given: false,
            keys: Vec::new(),
        }));
        self.announce(data.as_deref());
    }

    /// `<continue/>` with the next task; the server's proof goes with the first one, because the mechanism is through.
    fn announce(&mut self, data: Option<&[u8]>) {
        let Phase::Negotiating(negotiation) = &self.phase else { return };
        let Negotiating::Upgrading(upgrading) = &negotiation.step else { return };
        let Some(task) = upgrading.tasks.front() else { return };
        let name = Element::new("task", ns::SASL2).with_text(task_name(task.hash));
        let data = data.map(|data| Element::new("additional-data", ns::SASL2).with_text(success_data(data)));
        let tasks = Element::new("tasks", ns::SASL2).with_child(name);
        self.put(&Element::new("continue", ns::SASL2).maybe_child(data).with_child(tasks));
    }

    /// What the client says while upgrades are under way.
    pub(in crate::stream) fn upgrade_element(&mut self, element: &Element) -> Option<Event> {
        let Phase::Negotiating(negotiation) = &mut self.phase else { return None };
        let Negotiating::Upgrading(upgrading) = &mut negotiation.step else { return None };
        let task = upgrading.tasks.front()?;
        match (element.name(), upgrading.given) {
            ("next", false) if element.attr("task") == Some(task_name(task.hash).as_str()) => {
                let salt = Element::new("salt", SCRAM)
                    .with_attr("iterations", task.iterations.to_string())
                    .with_text(BASE64.encode(&task.salt));
                upgrading.given = true;
                self.put(&Element::new("task-data", ns::SASL2).with_child(salt));
                None
            }
            ("task-data", true) => match keys(task, element) {
                Some(keys) => {
                    upgrading.tasks.pop_front();
                    upgrading.given = false;
                    upgrading.keys.push(keys);
                    if !upgrading.tasks.is_empty() {
                        self.announce(None);
                        return None;
                    }
                    let (identity, upgraded) = (upgrading.identity.clone(), std::mem::take(&mut upgrading.keys));
                    negotiation.step = Negotiating::Authorizing(None);
                    let request = negotiation.request.clone().unwrap_or_default();
                    Some(Event::Welcome { identity, request, upgraded })
                }
                None => Some(self.refuse(SaslError::MalformedRequest, "no salted password for the upgrade")),
            },
            ("next", _) => Some(self.refuse(SaslError::MalformedRequest, "another task than the one to be done")),
            ("abort", _) => Some(self.refuse(SaslError::Aborted, "the peer gave up")),
            _ => Some(self.fail(unsupported(element))),
        }
    }
}

/// The keys that follow from the SaltedPassword of a client (section 3).
fn keys(task: &Upgrade, data: &Element) -> Option<StoredKeys> {
    let salted = BASE64.decode(data.child("hash", SCRAM)?.text().trim()).ok()?;
    StoredKeys::of_salted_password(task.hash, task.salt.clone(), task.iterations, &salted)
}
