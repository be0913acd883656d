//! The features of one host, made ready to be called: a chain per hook and a table of iq owners, built once at start.

use crate::caps;
use crate::feature::{About, Feature, Hook, IqKey, Scope};
use crate::info::Info;
use std::collections::HashMap;
use std::net::IpAddr;
use wire::stanza::{Child, IqType, Kind, Stanza};
use wire::xml::Element;

pub struct Registry {
    features: Vec<Box<dyn Feature>>,
    /// Indexes into `features`, one chain per hook.
    chains: HashMap<Hook, Vec<usize>>,
    iq: Owners,
    server_info: Info,
    account_info: Info,
    /// What the served domain announces of its disco#info.
    announced: Vec<caps::Own>,
}

/// By scope, set and namespace: the names of the elements, each with an index into the features.
type Owners = HashMap<(Scope, bool, &'static str), Vec<(&'static str, usize)>>;

/// Two features want the same request: a mistake in the build, found before the server starts.
#[derive(Debug, thiserror::Error)]
#[error("both {first} and {second} own iq {key:?}")]
pub struct TwoOwners {
    pub key: IqKey,
    pub first: &'static str,
    pub second: &'static str,
}

impl Registry {
    /// Makes the chains, in the order of `features`.
    pub fn new(features: Vec<Box<dyn Feature>>) -> Result<Registry, TwoOwners> {
        let mut chains: HashMap<Hook, Vec<usize>> = HashMap::new();
        let mut iq = Owners::new();
        let mut owners: HashMap<IqKey, &'static str> = HashMap::new();
        for (index, feature) in features.iter().enumerate() {
            let about = feature.about();
            for hook in about.hooks {
                chains.entry(*hook).or_default().push(index);
            }
            for key in about.iq {
                if let Some(first) = owners.insert(*key, about.name) {
                    return Err(TwoOwners { key: *key, first, second: about.name });
                }
                iq.entry((key.scope, key.set, key.ns)).or_default().push((key.name, index));
            }
        }
        let server_info = server_info(&features);
        let account_info = account_info(&features);
        let announced = caps::Own::of(&server_info.to_element(None));
        Ok(Registry { features, chains, iq, server_info, account_info, announced })
    }

    /// The features that take part in a hook, in order.
    pub fn chain(&self, hook: Hook) -> impl Iterator<Item = &dyn Feature> {
        self.chains.get(&hook).into_iter().flatten().filter_map(|index| self.features.get(*index).map(|f| &**f))
    }

    /// The feature that owns a request.
    pub fn owner(&self, scope: Scope, stanza: &Stanza, child: &Child<'_>) -> Option<&dyn Feature> {
        let set = stanza.kind == Kind::Iq(IqType::Set);
        // The table's keys are static strings; a look-up with a borrowed one only compares them.
        let owners = self.iq.get(&(scope, set, child.ns))?;
        let (_, index) = owners.iter().find(|(name, _)| *name == child.name)?;
        self.features.get(*index).map(|feature| &**feature)
    }

    /// The statements of all features, in order.
    pub fn abouts(&self) -> impl Iterator<Item = &'static About> {
        self.features.iter().map(|feature| feature.about())
    }

    pub fn features(&self) -> impl Iterator<Item = &dyn Feature> {
        self.features.iter().map(|feature| &**feature)
    }

    /// disco#info of the served domain.
    pub fn server_info(&self) -> &Info {
        &self.server_info
    }

    /// disco#info of an account, on behalf of its owner.
    pub fn account_info(&self) -> &Info {
        &self.account_info
    }

    /// What an authenticated client finds in its stream features besides binding.
    pub fn stream_features(&self) -> impl Iterator<Item = Element> {
        let named = self.abouts().flat_map(|about| about.stream_features.iter());
        named.map(|(name, ns)| Element::new(*name, *ns)).chain(self.announced.iter().map(|own| own.element.clone()))
    }

    /// Whether the served domain has announced its disco#info by this node.
    pub fn has_announced(&self, node: &str) -> bool {
        self.announced.iter().any(|own| own.node == node)
    }

    /// What a client can ask for along with its login (XEP-0386 section 3.1).
    pub fn bind_features(&self) -> impl Iterator<Item = &'static str> {
        self.abouts().flat_map(|about| about.bind_features.iter().copied())
    }

    /// What a client at this address that has not authenticated finds there besides TLS and SASL.
    pub fn early_stream_features(&self, address: Option<IpAddr>) -> impl Iterator<Item = (&'static str, &'static str)> {
        self.features.iter().flat_map(move |feature| feature.early_stream_features(address).iter().copied())
    }
}

fn server_info(features: &[Box<dyn Feature>]) -> Info {
    let mut info = Info::default().identity("server", "im", Some("Oriole"));
    for feature in features {
        feature.about().server_features.iter().for_each(|name| info.add_feature(name));
        feature.describe_server(&mut info);
    }
    info
}

fn account_info(features: &[Box<dyn Feature>]) -> Info {
    let mut info = Info::default().identity("account", "registered", None);
    for feature in features {
        feature.about().account_features.iter().for_each(|name| info.add_feature(name));
        feature.describe_account(&mut info);
    }
    info
}
