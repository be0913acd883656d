//! Clients that come, go and say what they are interested in (XEP-0163 sections 4.3.2 to 4.3.4).

use super::Pep;
use super::greetings::Occasion;
use super::home::{Arrival, Clients, Whose};
use super::watch::{Answered, Asking, Inquiry, Interests};
use crate::account::{Account, Contact, SessionId};
use crate::caps::Caps;
use crate::context::Cx;
use crate::feature::{Halt, Outcome};
use crate::info;
use crate::pubsub::access::{Entry, Relation, enter};
use crate::pubsub::config::{AccessModel, SendLast};
use crate::pubsub::node::Node;
use crate::pubsub::presence::Show;
use crate::pubsub::venue::Venue;
use crate::pubsub::{gate, notify};
use wire::jid::Jid;
use wire::ns;
use wire::stanza::{IqType, Kind, PresenceType, Stanza};

/// What a room says of an occupant, in all presence from it (XEP-0045).
const OCCUPANT: &str = "http://jabber.org/protocol/muc#user";

/// Whether a session has been greeted since it last became available.
#[derive(Default)]
struct Greeted(bool);

impl Pep {
    /// A device of the account announces something, to all or to one.
    pub(super) async fn own_client(
        &self,
        cx: &mut Cx<'_>,
        account: &mut Account,
        jid: &Jid,
        presence: &Stanza,
    ) -> Outcome {
        let caps = Caps::of(presence);
        let (clients, show) = (account.states.of::<Clients>(), Show::of(presence));
        let arrival = clients.came(&self.watch, jid, Whose::Friends, show, caps.clone());
        match caps {
            // When it comes it is greeted once it is available.
            Some(caps) => self.learn(cx, account, jid, &caps, arrival == Arrival::Changed).await,
            None => Ok(()),
        }
    }

    /// Finds out what is behind an announcement, and greets the client then, if `greet`.
    async fn learn(&self, cx: &mut Cx<'_>, account: &mut Account, jid: &Jid, caps: &Caps, greet: bool) -> Outcome {
        match self.watch.known(caps) {
            Some(interests) if greet => self.greet(cx, account, jid, &interests).await,
            Some(_) => Ok(()),
            None => {
                self.ask(cx, account, jid, caps, greet);
                Ok(())
            }
        }
    }

    pub(super) fn own_client_left(&self, account: &mut Account, id: SessionId, jid: &Jid) {
        account.states.of::<Clients>().went(jid);
        if let Some(session) = account.session_mut(id) {
            session.states.of::<Greeted>().0 = false;
        }
    }

    /// A device of the account has become available: it gets the last items, once.
    pub(super) async fn own_client_available(&self, cx: &mut Cx<'_>, account: &mut Account, id: SessionId) -> Outcome {
        let Some(session) = account.session_mut(id) else { return Ok(()) };
        let jid = session.jid.clone();
        if std::mem::replace(&mut session.states.of::<Greeted>().0, true) {
            return Ok(());
        }
        let caps = session.presence.as_ref().and_then(|presence| Caps::of(&presence.stanza));
        match caps {
            Some(caps) => self.learn(cx, account, &jid, &caps, true).await,
            None => Ok(()),
        }
    }

    /// Presence of a contact, or of somebody else who shows it to the account.
    pub(super) async fn client(
        &self,
        cx: &mut Cx<'_>,
        account: &mut Account,
        from: &Jid,
        presence: &Stanza,
    ) -> Outcome {
        if from.bare_str() == account.user.as_str() {
            return Ok(());
        }
        // The occupants of a room are no clients of contacts: who is in a large room would be remembered by everybody in it.
        if !from.is_full() || presence.has_child("x", OCCUPANT) {
            return Ok(());
        }
        let (caps, subscription) = (Caps::of(presence), account.subscription(cx.store, from.bare_str()).await?);
        let whose = if subscription.from || subscription.to { Whose::Friends } else { Whose::Strangers };
        let (clients, show) = (account.states.of::<Clients>(), Show::of(presence));
        let arrival = clients.came(&self.watch, from, whose, show, caps.clone());
        // Strangers are not asked: the question would tell them that the account is in use.
        let Some(caps) = caps.filter(|_| subscription.from) else { return Ok(()) };
        let greet = match arrival {
            Arrival::First | Arrival::Changed => self.owes(cx, account, from, &caps, Occasion::Presence).await?,
            Arrival::Same | Arrival::Overlooked => false,
        };
        self.learn(cx, account, from, &caps, greet).await
    }

    /// Whether a client is to be greeted, which is done then. Of an account that has published nothing nobody needs to be remembered.
    async fn owes(
        &self,
        cx: &Cx<'_>,
        account: &Account,
        client: &Jid,
        caps: &Caps,
        occasion: Occasion,
    ) -> Result<bool, Halt> {
        let any = Node::any(cx.store, &account.user).await?;
        Ok(any && self.watch.owes(&account.user, client, caps, occasion, cx.clock.now()))
    }

    pub(super) fn client_left(&self, account: &mut Account, from: &Jid) {
        account.states.of::<Clients>().went(from);
        self.watch.left(&account.user, from);
    }

    /// Presence for an account that is asleep. Whether it is to look at it.
    pub(super) fn missed(&self, presence: &Stanza) -> bool {
        let (Some(from), Some(to)) = (presence.from.as_ref().filter(|from| from.is_full()), &presence.to) else {
            return false;
        };
        let account = to.to_bare();
        if presence.kind == PresenceType::Unavailable.into() {
            self.watch.left(&account, from);
            return false;
        }
        let Some(caps) = Caps::of(presence) else { return false };
        self.watch.saw(from, caps);
        self.watch.is_awaited(&account, from)
    }

    /// A contact may see what it could not see before, because it may see the account's presence now or is in another group (XEP-0060
    /// section 12.2); or may not any more, and has no subscriptions then (XEP-0163 section 7.1).
    pub(super) async fn contact_changed(&self, cx: &mut Cx<'_>, account: &mut Account, before: &Contact) -> Outcome {
        let now = account.contact(cx.store, &before.jid).await?;
        let (was, is) = (before.subscription.from, now.subscription.from);
        let (is_new, is_moved) = (is && !was, now.groups != before.groups);
        if (was && !is) || is_moved {
            self.home(account).shut_out(cx, &before.jid).await?;
        }
        if was && !is {
            // If it comes to see them again, it is shown the last items again.
            let clients = account.states.of::<Clients>().of_user(before.jid.as_str());
            clients.iter().for_each(|(client, _)| self.watch.left(&account.user, client));
        }
        if !is_new && !is_moved {
            return Ok(());
        }
        let relation = Relation {
            presence: before.subscription.from,
            groups: before.groups.iter().map(|group| group.to_string()).collect(),
        };
        for (client, caps) in account.states.of::<Clients>().of_user(before.jid.as_str()) {
            if is_new {
                let greet = self.owes(cx, account, &client, &caps, Occasion::Presence).await?;
                self.learn(cx, account, &client, &caps, greet).await?;
            } else if let Some(interests) = self.watch.known(&caps) {
                self.show(cx, account, &client, &interests, Some(&relation)).await?;
            }
        }
        Ok(())
    }

    /// Somebody has become available and asks for presence.
    pub(super) async fn probed(&self, cx: &mut Cx<'_>, account: &mut Account, from: &Jid) -> Outcome {
        if !from.is_full() || from.bare_str() == account.user.as_str() || !Node::any(cx.store, &account.user).await? {
            return Ok(());
        }
        if !account.subscription(cx.store, from.bare_str()).await?.from {
            return Ok(());
        }
        match account.states.of::<Clients>().announced(from).or_else(|| self.watch.seen(from)) {
            Some(caps) => {
                let greet = self.owes(cx, account, from, &caps, Occasion::Probe).await?;
                self.learn(cx, account, from, &caps, greet).await
            }
            None => {
                self.watch.awaits(&account.user, from);
                Ok(())
            }
        }
    }

    /// The answer to a question, or the news that an answer has come.
    pub(super) async fn heard(&self, cx: &mut Cx<'_>, account: &mut Account, stanza: &Stanza) -> Outcome {
        let (Some(from), Some(id)) = (&stanza.from, &stanza.id) else { return Ok(()) };
        let result = stanza.kind == Kind::Iq(IqType::Result);
        let mut query = stanza.child("query", info::NS).filter(|_| result).and_then(|query| query.element());
        // What is in it is of the language of the stanza where nothing else is said.
        if let (Some(query), Some(lang)) = (&mut query, &stanza.lang)
            && query.attr_ns("lang", ns::XML).is_none()
        {
            query.set_attr_ns("lang", ns::XML, lang);
        }
        let user = account.user.clone();
        let (now, again) = (cx.clock.now(), cx.clock.id());
        match self.watch.answered(&user, from, (id, query.as_ref()), now, again) {
            Some(Answered::Learnt(accounts)) => {
                // The others hear of it the same way, so that each does its own part.
                let others = accounts.into_iter().filter(|other| *other != user);
                others.for_each(|other| cx.route(stanza.clone().with_to(other)));
            }
            Some(Answered::Failed(Some(inquiry))) => self.inquire(cx, account, &inquiry),
            Some(Answered::Failed(None)) | None => {}
        }
        for client in self.watch.due(&user) {
            let announced = account.states.of::<Clients>().announced(&client).or_else(|| self.watch.seen(&client));
            if let Some(interests) = announced.and_then(|caps| self.watch.known(&caps)) {
                self.greet(cx, account, &client, &interests).await?;
            }
        }
        Ok(())
    }

    /// Asks a client what is behind its hash, unless somebody has done that.
    fn ask(&self, cx: &mut Cx<'_>, account: &mut Account, client: &Jid, caps: &Caps, greet: bool) {
        let (now, id) = (cx.clock.now(), cx.clock.id());
        let asking = self.watch.wonder(caps, &account.user, client, greet, now, id);
        if let Asking::Ask(id) = asking {
            let (by, client, caps) = (account.user.clone(), client.clone(), caps.clone());
            self.inquire(cx, account, &Inquiry { id, by, client, caps });
        }
    }

    /// Asks a question, perhaps in the name of another account to which its client has announced something.
    fn inquire(&self, cx: &mut Cx<'_>, account: &mut Account, inquiry: &Inquiry) {
        let question = Stanza::new(IqType::Get).with_from(inquiry.by.clone()).with_to(inquiry.client.clone());
        let question = question.with_id(inquiry.id.clone()).with_child(&inquiry.caps.question());
        match inquiry.by == account.user {
            true => self.home(account).send(cx, question),
            false => cx.route(question),
        }
    }

    /// Sends the last items of the nodes that a client is interested in and may see.
    async fn greet(&self, cx: &mut Cx<'_>, account: &mut Account, client: &Jid, interests: &Interests) -> Outcome {
        self.show(cx, account, client, interests, None).await
    }

    /// The same without what it could see before, for one that is in other groups now.
    async fn show(
        &self,
        cx: &mut Cx<'_>,
        account: &mut Account,
        client: &Jid,
        interests: &Interests,
        before: Option<&Relation>,
    ) -> Outcome {
        let mut home = self.home(account);
        for name in interests.iter() {
            let node = Node::load(cx.store, home.at(), name, &self.rules).await.map_err(Halt::from)?;
            let Some(node) = node.filter(|node| node.config.send_last == SendLast::OnSubAndPresence) else { continue };
            if before.is_some() && node.config.access_model != AccessModel::Roster {
                continue;
            }
            let affiliation = node.affiliation(cx.store, client.bare_str()).await?;
            let relation = home.relation(cx, &node, client.bare_str()).await?;
            let enters = |relation| matches!(enter(&node.config, affiliation, relation), Ok(Entry::Free));
            if !enters(&relation) || before.is_some_and(enters) {
                continue;
            }
            if !gate::admits_above(cx, &mut home, &node, client.bare_str()).await? {
                continue;
            }
            if let Some(last) = notify::last_item(cx, &node).await? {
                home.send(cx, last.with_to(client.clone()));
            }
        }
        Ok(())
    }
}
