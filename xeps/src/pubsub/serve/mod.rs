//! Requests to nodes: which one it is, and who asks.

mod affiliations;
mod collection;
mod configure;
mod create;
mod items;
mod options;
mod publish;
mod retract;
mod subscribe;
mod subscribers;
mod subscriptions;

pub use publish::publish;
pub use subscribers::decide;

use super::access::Relation;
use super::affiliation::Affiliation;
use super::fault::{fault, node_required, unsupported};
use super::node::Node;
use super::venue::Venue;
use super::{NS, OWNER, moved};
use crate::context::Cx;
use crate::feature::{Answer, Halt};
use crate::store::StoreError;
use wire::jid::Jid;
use wire::stanza::{Child, Condition, ErrorType, IqType, Kind, Stanza, StanzaError, UNLIMITED, content_scope};
use wire::xml::{Element, Event, Reader};

/// A request, taken apart.
pub struct Ask<'a> {
    pub stanza: &'a Stanza,
    pub from: &'a Jid,
    /// `<pubsub/>`.
    pub root: &'a Element,
    /// Its first child, which says what is wanted.
    pub what: &'a Element,
}

/// Answers a request in one of the two namespaces of requests.
pub async fn serve(cx: &mut Cx<'_>, venue: &mut dyn Venue, stanza: &Stanza) -> Result<Answer, Halt> {
    let root = stanza.request().and_then(|child| child.element()).ok_or(Condition::BadRequest)?;
    let from = stanza.from.as_ref().ok_or(Condition::BadRequest)?;
    let what = root.children().next().ok_or(Condition::BadRequest)?;
    if what.ns() != root.ns() {
        return Err(Condition::BadRequest.into());
    }
    let ask = Ask { stanza, from, root: &root, what };
    let set = stanza.kind == Kind::Iq(IqType::Set);
    let answered = match (root.ns(), set, what.name()) {
        (NS, false, "items") => items::get(cx, venue, &ask).await,
        (NS, false, "subscriptions") => subscriptions::of_asker(cx, venue, &ask).await,
        (NS, false, "affiliations") => affiliations::of_asker(cx, venue, &ask).await,
        (NS, false, "options") => options::get(cx, venue, &ask).await,
        (NS, false, "default") => options::default(cx, venue, &ask).await,
        (NS, true, "publish") => publish(cx, venue, &ask).await,
        (NS, true, "retract") => retract::retract(cx, venue, &ask).await,
        (NS, true, "subscribe") => subscribe::subscribe(cx, venue, &ask).await,
        (NS, true, "unsubscribe") => subscribe::unsubscribe(cx, venue, &ask).await,
        (NS, true, "options") => options::set(cx, venue, &ask).await,
        (NS, true, "create") => create::create(cx, venue, &ask).await,
        (NS, true, "configure") => Err(Condition::BadRequest.into()),
        (OWNER, false, "configure") => configure::get(cx, venue, &ask).await,
        (OWNER, false, "default") => configure::default(venue, &ask),
        (OWNER, false, "subscriptions") => subscribers::get(cx, venue, &ask).await,
        (OWNER, false, "affiliations") => affiliations::get(cx, venue, &ask).await,
        (OWNER, true, "configure") => configure::set(cx, venue, &ask).await,
        (OWNER, true, "collection") => collection::change(cx, venue, &ask).await,
        (OWNER, true, "delete") => create::delete(cx, venue, &ask).await,
        (OWNER, true, "purge") => configure::purge(cx, venue, &ask).await,
        (OWNER, true, "subscriptions") => subscribers::set(cx, venue, &ask).await,
        (OWNER, true, "affiliations") => affiliations::set(cx, venue, &ask).await,
        _ => Err(unsupported(what.name())),
    };
    answered.map_err(|halt| match halt {
        // Names and payloads that the store cannot take are the asker's, not a failure of ours.
        Halt::Broken(StoreError::TooLarge { what, .. }) => {
            StanzaError::new(Condition::NotAcceptable).with_text(format!("{what} is too long")).into()
        }
        // Two have changed the same at the same time.
        Halt::Broken(StoreError::Conflict) => {
            StanzaError::new(Condition::ResourceConstraint).with_type(ErrorType::Wait).into()
        }
        halt => halt,
    })
}

/// The node that a request names, read from its beginning: what is published is not looked at.
pub fn node_of(root: &Child<'_>) -> Option<String> {
    if !matches!(root.ns, NS | OWNER) {
        return root.element()?.attr("node").map(str::to_owned);
    }
    let mut reader = Reader::new(root.xml, content_scope(), &UNLIMITED);
    reader.next().ok()?;
    loop {
        match reader.next().ok()?? {
            Event::Start(what) => return what.to_element().attr("node").map(str::to_owned),
            Event::Text(_) => {}
            Event::End { .. } => return None,
        }
    }
}

/// The answer when an owner has asked for several changes, and some cannot be made: it shows what stays as it was (XEP-0060
/// sections 8.8.2.4 and 8.9.2.4). All others have been made.
fn not_all(cx: &mut Cx<'_>, ask: &Ask<'_>, unchanged: &Element) -> Answer {
    let mut reply = ask.stanza.result(Some(unchanged));
    reply.kind = IqType::Error.into();
    cx.route(reply.with_child(&StanzaError::new(Condition::NotAcceptable).to_element()));
    Answer::Sent
}

impl Ask<'_> {
    /// The name of the node; some requests need none.
    fn node_name(&self) -> Result<&str, Halt> {
        self.what.attr("node").filter(|name| !name.is_empty()).ok_or_else(node_required)
    }

    /// The node that is meant.
    async fn node(&self, cx: &Cx<'_>, venue: &mut dyn Venue) -> Result<Node, Halt> {
        let name = self.node_name()?;
        if let Some(node) = Node::load(cx.store, venue.at(), name, venue.rules()).await? {
            return Ok(node);
        }
        Err(match moved::address(cx.store, venue.at(), name).await? {
            Some(address) => {
                StanzaError::new(Condition::Gone).with_type(ErrorType::Modify).with_address(address).into()
            }
            None => Condition::ItemNotFound.into(),
        })
    }

    /// The node to which a subscription is: the root, if none is named.
    async fn followed(&self, cx: &Cx<'_>, venue: &mut dyn Venue) -> Result<Node, Halt> {
        let root = self.what.attr("node").is_none_or(str::is_empty);
        match Node::root(venue.at(), venue.rules()).filter(|_| root) {
            Some(root) => Ok(root),
            None => self.node(cx, venue).await,
        }
    }

    /// The node, which the asker must own.
    async fn own_node(&self, cx: &Cx<'_>, venue: &mut dyn Venue) -> Result<Node, Halt> {
        let node = self.node(cx, venue).await?;
        if node.is_owner(self.from.bare_str()) { Ok(node) } else { Err(Condition::Forbidden.into()) }
    }

    /// What the asker is to the node and its owners.
    async fn standing(
        &self,
        cx: &Cx<'_>,
        venue: &mut dyn Venue,
        node: &Node,
    ) -> Result<(Affiliation, Relation), StoreError> {
        let who = self.from.bare_str();
        let affiliation = node.affiliation(cx.store, who).await?;
        let relation = match affiliation {
            Affiliation::None => venue.relation(cx, node, who).await?,
            _ => Relation::default(),
        };
        Ok((affiliation, relation))
    }

    /// Whether the asker has an approved subscription.
    async fn is_subscribed(&self, cx: &Cx<'_>, node: &Node) -> Result<bool, StoreError> {
        super::gate::is_subscribed(cx, node, self.from.bare_str()).await
    }

    /// Whether the host itself speaks, for its operator.
    fn is_of_host(&self, cx: &Cx<'_>) -> bool {
        self.from.as_str() == cx.host.domain.as_str()
    }

    /// The address that a request about a subscription names.
    fn subscriber(&self) -> Result<Jid, Halt> {
        let jid = self.what.attr("jid").ok_or_else(|| fault(Condition::BadRequest, "jid-required"))?;
        Jid::parse(jid).map_err(|_| fault(Condition::BadRequest, "invalid-jid"))
    }
}
