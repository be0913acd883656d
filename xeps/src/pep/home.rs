//! An account as a place of nodes: the contacts and devices that are there, and who of them is told what.

use super::watch::{Interests, Watch};
use crate::account::Account;
use crate::caps::Caps;
use crate::context::Cx;
use crate::feature::{Halt, Outcome};
use crate::pubsub::Errand;
use crate::pubsub::access::Relation;
use crate::pubsub::config::NodeConfig;
use crate::pubsub::node::Node;
use crate::pubsub::notify;
use crate::pubsub::presence::{self, Show, Why};
use crate::pubsub::quota::Ledger;
use crate::pubsub::reading::relation;
use crate::pubsub::rules::Rules;
use crate::pubsub::subscription::nodes_of;
use crate::pubsub::venue::Venue;
use crate::store::StoreError;
use async_trait::async_trait;
use std::collections::{HashMap, VecDeque};
use wire::jid::{BareJid, Jid};
use wire::stanza::Stanza;

/// Nodes at which the subscriptions of a contact who has lost access are looked at. At others they end when something is published there.
const MOST_NODES: usize = 1000;
/// Clients that are remembered for one account.
const MOST: usize = 10_000;
/// Of these, clients of people with whom the account has no subscription: anybody can send presence, and must not take the place
/// of contacts.
const STRANGERS: usize = 200;

/// The clients that are available to an account, as far as they have said what they are interested in.
#[derive(Default)]
pub struct Clients(HashMap<Jid, Present>);

/// A client that is available.
struct Present {
    client: Client,
    show: Show,
    whose: Whose,
}

/// Whose client it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Whose {
    /// The account's own, or a contact's.
    Friends,
    Strangers,
}

/// What is new about a client that announces itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Arrival {
    /// It has not been here before.
    First,
    /// It has announced something else before.
    Changed,
    Same,
    /// There is no room to remember it.
    Overlooked,
}

/// What is known of a client.
enum Client {
    /// It has announced nothing.
    Silent,
    Told(Caps, Interests),
    /// The answer has not come yet.
    Announced(Caps),
}

impl Clients {
    /// A client is available and announces what it is. That it announces nothing any more means nothing: servers may leave out what they
    /// have sent before (XEP-0115 section 8.4).
    pub fn came(&mut self, watch: &Watch, jid: &Jid, whose: Whose, show: Show, caps: Option<Caps>) -> Arrival {
        let known = self.0.get_mut(jid).map(|before| {
            (before.show, before.whose) = (show, whose);
            match &before.client {
                Client::Told(old, _) | Client::Announced(old) => caps.as_ref().is_none_or(|caps| caps == old),
                Client::Silent => caps.is_none(),
            }
        });
        let arrival = match known {
            Some(true) => return Arrival::Same,
            Some(false) => Arrival::Changed,
            None if self.has_room(whose) => Arrival::First,
            None => return Arrival::Overlooked,
        };
        let client = match caps.map(|caps| (watch.known(&caps), caps)) {
            None => Client::Silent,
            Some((Some(interests), caps)) => Client::Told(caps, interests),
            Some((None, caps)) => Client::Announced(caps),
        };
        self.0.insert(jid.clone(), Present { client, show, whose });
        arrival
    }

    fn has_room(&self, whose: Whose) -> bool {
        let strangers = || self.0.values().filter(|present| present.whose == Whose::Strangers).count();
        self.0.len() < MOST && (whose == Whose::Friends || strangers() < STRANGERS)
    }

    pub fn went(&mut self, jid: &Jid) {
        if jid.is_full() {
            self.0.remove(jid);
        } else {
            self.0.retain(|client, _| client.bare_str() != jid.as_str());
        }
    }

    /// What a client has announced.
    pub fn announced(&self, jid: &Jid) -> Option<Caps> {
        match &self.0.get(jid)?.client {
            Client::Announced(caps) | Client::Told(caps, _) => Some(caps.clone()),
            Client::Silent => None,
        }
    }

    /// The clients of an address, a bare JID, with what they have announced.
    pub fn of_user(&self, user: &str) -> Vec<(Jid, Caps)> {
        let own = self.0.keys().filter(|client| client.bare_str() == user);
        own.filter_map(|client| Some((client.clone(), self.announced(client)?))).collect()
    }

    /// In which states an address is available: a client, or all clients of a bare address.
    fn shows(&self, jid: &Jid) -> Vec<Show> {
        if jid.is_full() {
            return self.0.get(jid).map(|present| present.show).into_iter().collect();
        }
        let own = self.0.iter().filter(|(client, _)| client.bare_str() == jid.as_str());
        own.map(|(_, present)| present.show).collect()
    }

    /// The clients that are interested in a node.
    fn interested_in(&mut self, watch: &Watch, node: &str) -> Vec<Jid> {
        let wants = |client: &mut Client| {
            client.learn(watch);
            matches!(client, Client::Told(_, interests) if includes(interests, node))
        };
        self.0.iter_mut().filter_map(|(jid, present)| wants(&mut present.client).then(|| jid.clone())).collect()
    }
}

impl Client {
    fn learn(&mut self, watch: &Watch) {
        if let Client::Announced(caps) = self
            && let Some(interests) = watch.known(caps)
        {
            *self = Client::Told(caps.clone(), interests);
        }
    }
}

fn includes(interests: &Interests, node: &str) -> bool {
    interests.binary_search_by(|interest| (**interest).cmp(node)).is_ok()
}

/// Whether there is anything here that ends with somebody's presence, once somebody has looked.
#[derive(Default)]
struct Temporary(Option<bool>);

/// What the nodes of an account have under way, in its order.
#[derive(Default)]
struct Errands(VecDeque<Errand>);

/// An account with its nodes.
pub struct Home<'a> {
    pub account: &'a mut Account,
    pub rules: &'a Rules,
    pub watch: &'a Watch,
    pub ledger: &'a Ledger,
}

#[async_trait]
impl Venue for Home<'_> {
    fn at(&self) -> &BareJid {
        &self.account.user
    }

    fn rules(&self) -> &Rules {
        self.rules
    }

    fn defaults(&self, node: &str) -> NodeConfig {
        super::defaults::of(node, self.rules)
    }

    fn creates(&self, _: &Cx<'_>, who: &Jid) -> bool {
        who.bare_str() == self.account.user.as_str()
    }

    fn ledger(&mut self) -> &Ledger {
        self.ledger
    }

    async fn relation(&mut self, cx: &Cx<'_>, _: &Node, who: &str) -> Result<Relation, StoreError> {
        relation(cx.store, self.account, who).await
    }

    fn listeners(&mut self, node: &Node) -> Vec<Jid> {
        let mut listeners = self.account.states.of::<Clients>().interested_in(self.watch, &node.name);
        listeners.sort_unstable_by(|one, other| one.bare_str().cmp(other.bare_str()).then_with(|| one.cmp(other)));
        listeners
    }

    fn seen(&mut self, jid: &Jid) -> Vec<Show> {
        self.account.states.of::<Clients>().shows(jid)
    }

    /// The presence of contacts is in the account's own roster. Nobody else is asked in its name.
    async fn attend(&mut self, _: &mut Cx<'_>, _: &BareJid, _: Why) -> Result<(), StoreError> {
        self.account.states.take::<Temporary>();
        Ok(())
    }

    /// A page at once, which is all there is of most; the rest when that has been sent.
    async fn carry_out(&mut self, cx: &mut Cx<'_>, mut errand: Errand) -> Result<(), Halt> {
        if self.account.states.of::<Errands>().0.is_empty() && !errand.step(cx, self).await? {
            return Ok(());
        }
        self.account.states.of::<Errands>().0.push_back(errand);
        cx.go_on();
        Ok(())
    }

    /// Devices of the account get their copy past all hooks: it is not a message to the account.
    fn send(&mut self, cx: &mut Cx<'_>, stanza: Stanza) {
        let own = stanza.to.as_ref().filter(|to| to.bare_str() == self.account.user.as_str());
        match own.map(|to| to.resource().and_then(|resource| self.account.resource(resource))) {
            Some(Some(session)) => cx.push(session.id, stanza),
            Some(None) if own.is_some_and(Jid::is_full) => {}
            _ => cx.route(stanza),
        }
    }
}

impl Home<'_> {
    /// Ends the subscriptions of a contact to nodes that are closed to it by now.
    pub async fn shut_out(&mut self, cx: &mut Cx<'_>, contact: &BareJid) -> Outcome {
        let who = contact.as_str();
        for name in nodes_of(cx.store, self.at(), who, None, MOST_NODES).await? {
            let Some(node) = Node::load_or_root(cx.store, self.at(), &name, self.rules).await? else { continue };
            let mut lost = Vec::new();
            for subscription in node.subscriptions_of(cx.store, who, cx.clock.now()).await? {
                if !notify::reads(cx, self, &node, &subscription).await? {
                    lost.push(subscription);
                }
            }
            notify::lost(cx, self, &node, &lost).await?;
        }
        Ok(())
    }

    /// A client, or all clients of a bare address, have become unavailable: subscriptions and items may end with that (XEP-0060
    /// sections 12.5 and 16.4.4).
    pub async fn gone(&mut self, cx: &mut Cx<'_>, from: &Jid) -> Outcome {
        let any = match self.account.states.of::<Temporary>().0 {
            Some(any) => any,
            None => {
                presence::watch::any(cx.store, &self.account.user).await?
                    || presence::depart::any(cx.store, &self.account.user).await?
            }
        };
        self.account.states.of::<Temporary>().0 = Some(any);
        if !any {
            return Ok(());
        }
        // What own devices have said of themselves is not remembered over a restart that they survive.
        let own = from.bare_str() == self.account.user.as_str()
            && self.account.available().any(|(session, _)| session.jid != *from);
        let all = !own && self.account.states.of::<Clients>().shows(from.to_bare().as_jid()).is_empty();
        presence::attend::gone(cx, self, from, all).await
    }

    /// Does a page of what is under way.
    pub async fn go_on(&mut self, cx: &mut Cx<'_>) -> Outcome {
        let Some(mut errand) = self.account.states.of::<Errands>().0.pop_front() else { return Ok(()) };
        let stepped = errand.step(cx, self).await;
        let errands = &mut self.account.states.of::<Errands>().0;
        if matches!(stepped, Ok(true)) {
            errands.push_front(errand);
        }
        // One that fails is given up; the others are not.
        if !errands.is_empty() {
            cx.go_on();
        }
        stepped.map(|_| ())
    }
}
