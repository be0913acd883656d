//! Clients that come, go and say what they are interested in (XEP-0163 sections 4.3.2 to 4.3.4).

use super::Pep;
use super::contacts::Newcomers;
use super::home::{Clients, Whose};
use super::watch::{Answered, Asking, Inquiry, Interests};
use crate::account::{Account, SessionId};
use crate::caps::Caps;
use crate::context::Cx;
use crate::feature::{Halt, Outcome};
use crate::info;
use crate::pubsub::access::{Entry, enter};
use crate::pubsub::config::SendLast;
use crate::pubsub::node::Node;
use crate::pubsub::presence::Show;
use crate::pubsub::venue::Venue;
use crate::pubsub::{gate, notify};
use wire::jid::Jid;
use wire::ns;
use wire::stanza::{IqType, Kind, Stanza};

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
        let changed = clients.came(&self.watch, jid, Whose::Friends, show, caps.clone());
        self.learn(cx, account, jid, caps, changed).await
    }

    /// Finds out what is behind an announcement; a client that is greeted for it is a new one, or has changed its mind since it came.
    async fn learn(
        &self,
        cx: &mut Cx<'_>,
        account: &mut Account,
        jid: &Jid,
        caps: Option<Caps>,
        greet: bool,
    ) -> Outcome {
        match caps {
            Some(caps) if greet => self.greet_when_known(cx, account, jid, &caps).await,
            Some(caps) if self.watch.known(&caps).is_none() => {
                self.ask(cx, account, jid, &caps, false);
                Ok(())
            }
            _ => Ok(()),
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
            Some(caps) => self.greet_when_known(cx, account, &jid, &caps).await,
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
        let changed = clients.came(&self.watch, from, whose, show, caps.clone());
        let new = account.states.of::<Newcomers>().comes(from);
        // Strangers are not asked: the question would tell them that the account is in use.
        match subscription.from {
            true => self.learn(cx, account, from, caps, changed || new).await,
            false => Ok(()),
        }
    }

    pub(super) fn client_left(&self, account: &mut Account, from: &Jid) {
        account.states.of::<Clients>().went(from);
        account.states.of::<Newcomers>().went(from);
    }

    /// Presence for an account that is asleep.
    pub(super) fn missed(&self, presence: &Stanza) {
        if let (Some(from), Some(caps)) = (presence.from.as_ref().filter(|from| from.is_full()), Caps::of(presence)) {
            self.watch.saw(from, caps);
        }
    }

    /// Somebody has become available and asks for presence.
    pub(super) async fn probed(&self, cx: &mut Cx<'_>, account: &mut Account, from: &Jid) -> Outcome {
        if !from.is_full() || from.bare_str() == account.user.as_str() || !Node::any(cx.store, &account.user).await? {
            return Ok(());
        }
        if account.states.of::<Newcomers>().probes(from) || !account.subscription(cx.store, from.bare_str()).await?.from
        {
            return Ok(());
        }
        if let Some(interests) = account.states.of::<Clients>().interests(&self.watch, from) {
            return self.greet(cx, account, from, &interests).await;
        }
        let announced = account.states.of::<Clients>().announced(from).or_else(|| self.watch.seen(from));
        match announced {
            Some(caps) => self.greet_when_known(cx, account, from, &caps).await,
            None => Ok(()),
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
            let known = account.states.of::<Clients>().interests(&self.watch, &client);
            let known = known.or_else(|| self.watch.known(&self.watch.seen(&client)?));
            if let Some(interests) = known {
                self.greet(cx, account, &client, &interests).await?;
            }
        }
        Ok(())
    }

    pub(super) async fn greet_when_known(
        &self,
        cx: &mut Cx<'_>,
        account: &mut Account,
        client: &Jid,
        caps: &Caps,
    ) -> Outcome {
        match self.watch.known(caps) {
            Some(interests) => self.greet(cx, account, client, &interests).await,
            None => {
                self.ask(cx, account, client, caps, true);
                Ok(())
            }
        }
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
        let mut home = self.home(account);
        for name in interests.iter() {
            let node = Node::load(cx.store, home.at(), name, &self.rules).await.map_err(Halt::from)?;
            let Some(node) = node.filter(|node| node.config.send_last == SendLast::OnSubAndPresence) else { continue };
            let affiliation = node.affiliation(cx.store, client.bare_str()).await?;
            let relation = home.relation(cx, &node, client.bare_str()).await?;
            if !matches!(enter(&node.config, affiliation, &relation), Ok(Entry::Free)) {
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
