//! The service of a host: nodes at a domain of its own (XEP-0060), for the host's users to make and for everybody to use.
//!
//! Every node has a lane of its own. Nothing of it is kept in memory between two stanzas, but an errand that is not yet done: a
//! notification that has not reached all subscribers.

use super::access::Relation;
use super::discover_tree::{self, Wish};
use super::errand::Errand;
use super::node::Node;
use super::pending::{self, GET_PENDING};
use super::presence::attend::{attend, heard};
use super::presence::{RollCall, Seen, Show, Why};
use super::quota::Ledger;
use super::rules::{Config, Rules};
use super::subscription::nodes_of;
use super::venue::Venue;
use super::{NS, OWNER, discover, due, extent, notify, relation, serve};
use crate::account::Account;
use crate::agenda::Appointment;
use crate::context::Cx;
use crate::feature::{About, Answer, Coverage, Halt, Outcome, Xep};
use crate::info::{self, Info};
use crate::service::{Resident, Service};
use crate::store::StoreError;
use async_trait::async_trait;
use std::collections::VecDeque;
use std::sync::Arc;
use wire::jid::{BareJid, Jid};
use wire::ns;
use wire::stanza::{Condition, IqType, Kind, MessageType, Stanza};
use wire::xml::Element;

const ITEMS: &str = "http://jabber.org/protocol/disco#items";
const COMMANDS: &str = "http://jabber.org/protocol/commands";
const PING: &str = "urn:xmpp:ping";
/// Nodes that are looked up at once.
const CHUNK: usize = 100;

pub static ABOUT: About = About {
    name: "pubsub",
    xeps: &[
        Xep { number: 59, version: "1.0", coverage: Coverage::Partial, note: "no jumping to an index" },
        Xep { number: 60, version: "1.30.0", coverage: Coverage::Partial, note: "all of it but payments" },
        Xep { number: 248, version: "0.5.0", coverage: Coverage::Complete, note: "" },
        Xep { number: 496, version: "0.1.0", coverage: Coverage::Complete, note: "" },
        Xep { number: 497, version: "0.1.0", coverage: Coverage::Complete, note: "" },
        Xep { number: 499, version: "0.1.0", coverage: Coverage::Complete, note: "" },
    ],
    ..About::NOTHING
};

/// Features of nodes that both the service and the accounts have (XEP-0060 section 10), without their prefix.
pub const COMMON: &[&str] = &[
    "config-node",
    "create-and-configure",
    "create-nodes",
    "delete-items",
    "delete-nodes",
    "instant-nodes",
    "item-ids",
    "leased-subscription",
    "manage-subscriptions",
    "member-affiliation",
    "meta-data",
    "modify-affiliations",
    "multi-items",
    "outcast-affiliation",
    "persistent-items",
    "publish",
    "publish-node-full",
    "publish-only-affiliation",
    "publish-options",
    "publisher-affiliation",
    "purge-nodes",
    "retract-items",
    "retrieve-affiliations",
    "retrieve-default",
    "retrieve-default-sub",
    "retrieve-items",
    "retrieve-subscriptions",
    "rsm",
    "subscribe",
    "subscription-notifications",
    "subscription-options",
    "config-node-max",
];

/// Features of nodes with a namespace of their own (XEP-0496, XEP-0497 and XEP-0499).
pub const RELATIONS: &[&str] = &[relation::NS, extent::NS, discover_tree::NS];

/// The access model that is named is the one that new nodes have ([`Rules::service`]), not one of those that they can have.
const OF_SERVICE: &[&str] =
    &["access-open", "collections", "get-pending", "multi-collections", "multi-subscribe", "presence-notifications"];

/// The service of a host.
#[derive(Clone, Debug)]
pub struct Settings {
    pub domain: BareJid,
    pub config: Config,
}

/// The service.
pub struct PubSub {
    rules: Arc<Rules>,
    seen: Arc<Seen>,
    ledger: Arc<Ledger>,
}

impl PubSub {
    pub fn new(config: &Config) -> Self {
        PubSub { rules: Arc::new(Rules::service(config)), seen: Arc::default(), ledger: Arc::default() }
    }
}

#[async_trait]
impl Service for PubSub {
    fn about(&self) -> &'static About {
        &ABOUT
    }

    fn title(&self) -> &'static str {
        "Publish-Subscribe"
    }

    fn wake(&self, address: &BareJid) -> Box<dyn Resident> {
        Box::new(Hall {
            at: address.clone(),
            rules: self.rules.clone(),
            seen: self.seen.clone(),
            ledger: self.ledger.clone(),
            errands: VecDeque::new(),
        })
    }

    /// By the node that a stanza is about.
    fn lane(&self, stanza: &Stanza) -> u64 {
        match stanza.kind {
            Kind::Iq(IqType::Get | IqType::Set) => stanza.request().and_then(|child| serve::node_of(&child)),
            Kind::Message(MessageType::Error) => {
                return stanza.id.as_ref().and_then(|id| notify::lane_of_sender(id)).unwrap_or(0);
            }
            Kind::Message(_) => pending::node_of(stanza),
            _ => None,
        }
        .map_or(0, |node| notify::lane_of(&node))
    }

    fn lane_of(&self, appointment: &Appointment) -> u64 {
        due::node_of(appointment).map_or(0, |node| notify::lane_of(&node))
    }
}

/// The service as a resident of its domain: what it is for one node, or for what is about none.
struct Hall {
    at: BareJid,
    rules: Arc<Rules>,
    /// Subscribers who are available; all lanes share it.
    seen: Arc<Seen>,
    /// Likewise.
    ledger: Arc<Ledger>,
    /// What is under way, in its order.
    errands: VecDeque<Errand>,
}

#[async_trait]
impl Venue for Hall {
    fn at(&self) -> &BareJid {
        &self.at
    }

    fn rules(&self) -> &Rules {
        &self.rules
    }

    /// The users of the host.
    fn creates(&self, cx: &Cx<'_>, who: &Jid) -> bool {
        who.domain() == cx.host.domain.as_str() && who.local().is_some()
    }

    fn ledger(&mut self) -> &Ledger {
        &self.ledger
    }

    /// Whoever has made the node, and owns it still, may have a roster here to look into. Other owners have perhaps never been asked
    /// whether they want to be that; what one could find out by making them owners is in their rosters.
    async fn relation(&mut self, cx: &Cx<'_>, node: &Node, who: &str) -> Result<Relation, StoreError> {
        let mut relation = Relation::default();
        let Ok(who) = BareJid::parse(who) else { return Ok(relation) };
        let owner = &node.creator;
        if owner.domain() == cx.host.domain.as_str() && node.is_owner(owner.as_str()) {
            let contact = Account::new(owner.clone()).known(cx.store, &who).await?;
            relation.presence = contact.subscription.from || *owner == who;
            relation.groups = contact.groups.iter().map(|group| group.to_string()).collect();
        }
        Ok(relation)
    }

    fn seen(&mut self, jid: &Jid) -> Vec<Show> {
        self.seen.of(jid)
    }

    async fn attend(&mut self, cx: &mut Cx<'_>, who: &BareJid, why: Why) -> Result<(), StoreError> {
        attend(cx, &self.at, &self.seen, who, why).await
    }

    async fn carry_out(&mut self, _: &mut Cx<'_>, errand: Errand) -> Result<(), Halt> {
        self.errands.push_back(errand);
        Ok(())
    }

    fn send(&mut self, cx: &mut Cx<'_>, stanza: Stanza) {
        cx.route(stanza);
    }
}

#[async_trait]
impl Resident for Hall {
    async fn receive(&mut self, cx: &mut Cx<'_>, stanza: Stanza) -> Outcome {
        if !self.at.is_domain() {
            return Err(Condition::ItemNotFound.into());
        }
        match stanza.kind {
            Kind::Iq(IqType::Get | IqType::Set) => self.request(cx, &stanza).await,
            Kind::Iq(_) => Err(Halt::Silent("the service asks nobody")),
            Kind::Message(MessageType::Error) => self.bounced(cx, &stanza).await,
            Kind::Message(_) if pending::is_decision(&stanza) => pending::decided(cx, self, &stanza).await,
            Kind::Message(MessageType::Headline) => Err(Halt::Silent("a headline for the service")),
            Kind::Message(_) => Err(Condition::ServiceUnavailable.into()),
            Kind::Presence(_) => {
                let seen = self.seen.clone();
                heard(cx, self, &seen, &stanza).await
            }
        }
    }

    async fn starting(&mut self, _: &mut Cx<'_>) -> Outcome {
        self.errands.push_back(Errand::RollCall(RollCall::default()));
        Ok(())
    }

    async fn due(&mut self, cx: &mut Cx<'_>, appointment: &Appointment) -> Outcome {
        due::due(cx, self, appointment).await
    }

    fn has_more(&self) -> bool {
        !self.errands.is_empty()
    }

    /// One page of subscribers.
    async fn go_on(&mut self, cx: &mut Cx<'_>) -> Outcome {
        if let Some(mut errand) = self.errands.pop_front()
            && errand.step(cx, self).await?
        {
            self.errands.push_front(errand);
        }
        Ok(())
    }

    fn is_idle(&self) -> bool {
        self.errands.is_empty()
    }
}

impl Hall {
    /// The answer goes before what the request has caused.
    async fn request(&mut self, cx: &mut Cx<'_>, stanza: &Stanza) -> Outcome {
        let before = cx.out.len();
        let result = match self.answer(cx, stanza).await? {
            Answer::Done => stanza.result(None),
            Answer::Result(element) => stanza.result(Some(&element)),
            Answer::Sent => return Ok(()),
        };
        let caused = cx.out.split_off(before);
        cx.route(result);
        cx.out.extend(caused);
        Ok(())
    }

    async fn answer(&mut self, cx: &mut Cx<'_>, stanza: &Stanza) -> Result<Answer, Halt> {
        let child = stanza.request().ok_or(Condition::BadRequest)?;
        let from = stanza.from.as_ref().ok_or(Condition::BadRequest)?;
        let get = stanza.kind == Kind::Iq(IqType::Get);
        match (child.name, child.ns) {
            ("pubsub", NS | OWNER) => serve::serve(cx, self, stanza).await,
            ("query", info::NS | ITEMS) if get => {
                let query = child.element().ok_or(Condition::BadRequest)?;
                self.discover(cx, from, &query).await.map(Answer::Result)
            }
            ("command", COMMANDS) if !get => {
                let command = child.element().ok_or(Condition::BadRequest)?;
                if command.attr("node") != Some(GET_PENDING) {
                    return Err(Condition::ItemNotFound.into());
                }
                pending::command(cx, self, from, &command).await
            }
            ("ping", PING) if get => Ok(Answer::Done),
            _ => Err(Condition::ServiceUnavailable.into()),
        }
    }

    async fn discover(&mut self, cx: &mut Cx<'_>, from: &Jid, query: &Element) -> Result<Element, Halt> {
        let set = query.child("set", super::rsm::NS);
        if query.ns() == ITEMS
            && query.attr("node") != Some(COMMANDS)
            && let Some(wish) = Wish::of(query)?
        {
            return discover_tree::discover(cx, self, from, query, &wish).await;
        }
        match (query.ns(), query.attr("node")) {
            (info::NS, None) => Ok(description().to_element(None)),
            (info::NS, Some(GET_PENDING)) => {
                let mut info = Info::default().identity("automation", "command-node", None);
                info.add_feature(COMMANDS);
                Ok(info.to_element(Some(GET_PENDING)))
            }
            (info::NS, Some(node)) => discover::info(cx, self, from, node).await,
            (_, None) => {
                let (items, paged) = discover::nodes(cx, self, from, set).await?;
                Ok(Element::new("query", ITEMS).with_children(items).maybe_child(paged))
            }
            (_, Some(COMMANDS)) => {
                let item = Element::new("item", ITEMS).with_attr("jid", self.at.as_str());
                let item = item.with_attr("node", GET_PENDING).with_attr("name", "Requests for subscriptions");
                Ok(Element::new("query", ITEMS).with_attr("node", COMMANDS).with_child(item))
            }
            (_, Some(node)) => discover::items(cx, self, from, node, set).await,
        }
    }

    /// Section 12.4: a notification has come back. The entity is not there any more, so its subscription ends.
    async fn bounced(&mut self, cx: &mut Cx<'_>, stanza: &Stanza) -> Outcome {
        let (Some(from), Some(id)) = (&stanza.from, &stanza.id) else {
            return Err(Halt::Silent("an error that says too little"));
        };
        let error = stanza.child("error", ns::CLIENT).and_then(|error| error.element());
        let gone = ["item-not-found", "gone"];
        let is_gone = |error: &Element| gone.iter().any(|name| error.child(name, ns::STANZA_ERROR).is_some());
        if !error.as_ref().is_some_and(is_gone) {
            return Err(Halt::Silent("a notification that may yet be delivered"));
        }
        let mut names = nodes_of(cx.store, &self.at, from.bare_str(), None, CHUNK).await?;
        while let Some(last) = names.last().cloned() {
            for name in names {
                let Some(node) = Node::load_or_root(cx.store, &self.at, &name, &self.rules).await? else { continue };
                if notify::sent_by(&node, id) {
                    let mut over = node.subscriptions_of(cx.store, from.bare_str(), cx.clock.now()).await?;
                    over.retain(|subscription| subscription.jid == *from);
                    return Ok(notify::end(cx, self, &node, &over).await?);
                }
            }
            names = nodes_of(cx.store, &self.at, from.bare_str(), Some(&last), CHUNK).await?;
        }
        Ok(())
    }
}

fn description() -> Info {
    let mut info = Info::default().identity("pubsub", "service", Some("Publish-Subscribe"));
    for feature in [info::NS, ITEMS, NS, COMMANDS, PING, super::rsm::NS].iter().chain(RELATIONS) {
        info.add_feature(feature);
    }
    COMMON.iter().chain(OF_SERVICE).for_each(|name| info.add_feature(&format!("{NS}#{name}")));
    info
}
