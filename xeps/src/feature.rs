//! What a feature is: a statement of what it implements, and the hooks it takes part in.
//!
//! A hook goes on with `Ok(())` or stops the stanza with a [`Halt`]. A feature never sends by itself: what it wants sent it
//! leaves in [`Cx::out`](crate::Cx), in order, and the engine sends it after the hooks are done.

use crate::account::{Account, Contact, Session, SessionId};
use crate::agenda::Appointment;
use crate::context::{Cx, Host};
use crate::delivery::Incoming;
use crate::info::Info;
use crate::spoken::RoomSpoke;
use crate::state::States;
use crate::store::{Seq, Store, StoreError};
use async_trait::async_trait;
use std::net::IpAddr;
use wire::datetime::Timestamp;
use wire::jid::{BareJid, Jid};
use wire::stanza::{Child, Condition, IqType, Stanza, StanzaError};
use wire::xml::Element;

/// Why a stanza goes no further.
#[derive(Debug)]
pub enum Halt {
    /// It was taken care of. The reason is for the debug log.
    Silent(&'static str),
    /// The sender's fault, or the recipient's wish: the sender gets this error.
    Refuse(StanzaError),
    /// Our fault: the sender is told to try again, the log says why.
    Broken(StoreError),
}

impl From<StanzaError> for Halt {
    fn from(error: StanzaError) -> Self {
        Halt::Refuse(error)
    }
}

impl From<Condition> for Halt {
    fn from(condition: Condition) -> Self {
        Halt::Refuse(StanzaError::new(condition))
    }
}

impl From<StoreError> for Halt {
    fn from(error: StoreError) -> Self {
        Halt::Broken(error)
    }
}

pub type Outcome = Result<(), Halt>;

/// The answer to an iq request.
#[derive(Debug)]
pub enum Answer {
    /// An empty result.
    Done,
    /// A result that carries this element.
    Result(Element),
    /// The feature has put the answer into [`Cx::out`](crate::Cx) itself, where its place in the order matters.
    Sent,
}

/// Whom an iq addresses. Part of the dispatch key, so that a feature never has to ask who may call it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Scope {
    /// A connection that has not authenticated yet (XEP-0077).
    Stream,
    /// The served domain itself.
    Server,
    /// The sender's own account: no `to`, or its own bare JID.
    Own,
    /// Somebody else's bare JID; the server answers on behalf of the account (RFC 6121 section 8.5.2).
    Other,
    /// A bare JID of the host that has no account. What nobody owns here is `service-unavailable` (RFC 6121 section 8.5.1);
    /// a feature that must answer differently for accounts that it hides answers the same here.
    Nobody,
}

/// [`Scope`] with what comes with it. An account here is held: nobody else touches it meanwhile.
pub enum At<'a> {
    /// With what features remember of the connection until it has authenticated.
    Stream(&'a mut States),
    /// With the account of the sender, if it is one of this host's.
    Server(Option<&'a mut Account>),
    Own(&'a mut Account),
    Other(&'a mut Account),
    Nobody,
}

impl At<'_> {
    pub fn scope(&self) -> Scope {
        match self {
            At::Stream(_) => Scope::Stream,
            At::Server(_) => Scope::Server,
            At::Own(_) => Scope::Own,
            At::Other(_) => Scope::Other,
            At::Nobody => Scope::Nobody,
        }
    }
}

/// A request that a feature owns.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct IqKey {
    pub scope: Scope,
    pub set: bool,
    pub name: &'static str,
    pub ns: &'static str,
}

impl IqKey {
    pub const fn get(scope: Scope, name: &'static str, ns: &'static str) -> Self {
        IqKey { scope, set: false, name, ns }
    }

    pub const fn set(scope: Scope, name: &'static str, ns: &'static str) -> Self {
        IqKey { scope, set: true, name, ns }
    }
}

/// An iq of type get or set with its one child.
pub struct Request<'a> {
    pub stanza: &'a Stanza,
    pub child: Child<'a>,
    /// The session that sent it, if it came from one of this server's clients.
    pub session: Option<SessionId>,
}

impl Request<'_> {
    pub fn is_set(&self) -> bool {
        self.stanza.kind == IqType::Set.into()
    }

    /// The child as a tree.
    pub fn element(&self) -> Result<Element, Halt> {
        self.child.element().ok_or_else(|| Condition::BadRequest.into())
    }
}

/// A specification that a feature implements.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Xep {
    pub number: u16,
    /// The version of the document that was read.
    pub version: &'static str,
    pub coverage: Coverage,
    /// What is left out, or what to know; empty when there is nothing to say.
    pub note: &'static str,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Coverage {
    Complete,
    Partial,
}

/// The chains a feature is in. What is not named here is never called.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Hook {
    Entering,
    Leaving,
    Answered,
    MessageSent,
    MessageReceived,
    PresenceSent,
    PresenceReceived,
    SessionBound,
    SessionAvailable,
    SessionConfirmed,
    Recall,
    SessionEnded,
    AccountRemoved,
    Expiry,
    PresenceMissed,
    ContactChanged,
    Nodes,
    CardChanged,
    PrivateChanged,
    RoomSpoke,
    GoOn,
    Due,
    SessionAsleep,
    SessionAwake,
    ClientRevoked,
}

/// A feature's statement of conformance. Service discovery, the hook chains, the iq table, the README's list of XEPs and
/// `oriole xeps` are made from these.
#[derive(Debug)]
pub struct About {
    /// One word, as it is called in the list of features and in logs.
    pub name: &'static str,
    pub xeps: &'static [Xep],
    /// Disco features of the served domain.
    pub server_features: &'static [&'static str],
    /// Disco features of every account.
    pub account_features: &'static [&'static str],
    /// Elements that go into the stream features of an authenticated client, as (name, namespace).
    pub stream_features: &'static [(&'static str, &'static str)],
    /// What a client can ask for along with its login, as Bind 2 lists it (XEP-0386 section 3.1). The feature reads it in
    /// [`Feature::session_bound`].
    pub bind_features: &'static [&'static str],
    pub iq: &'static [IqKey],
    pub hooks: &'static [Hook],
}

impl About {
    /// A statement that claims nothing, to be filled with `..About::NOTHING`.
    pub const NOTHING: About = About {
        name: "",
        xeps: &[],
        server_features: &[],
        account_features: &[],
        stream_features: &[],
        bind_features: &[],
        iq: &[],
        hooks: &[],
    };
}

/// One feature of the server. Each method is called only if the feature's [`About`] names the hook or the iq.
#[async_trait]
pub trait Feature: Send + Sync {
    fn about(&self) -> &'static About;

    /// A stanza of any kind has come for `account`, before anything is decided about it: may it come in? Answers to requests
    /// of the account's own sessions and what the account sends to itself come by here, too.
    async fn entering(&self, _: &dyn Store, _: &mut Account, _: &Stanza) -> Outcome {
        Ok(())
    }

    /// A stanza of any kind is about to leave `account` for another address: a session has sent it, or a hook routes it. May it
    /// go? What a hook routes is dropped without a word if not.
    async fn leaving(&self, _: &dyn Store, _: &mut Account, _: &Stanza) -> Outcome {
        Ok(())
    }

    /// The answer to an iq that a feature has sent from the account's bare address.
    async fn answered(&self, _: &mut Cx<'_>, _: &mut Account, _: &Stanza) -> Outcome {
        Ok(())
    }

    /// A session of `account` sends a message. What it changes, the features below and the recipient see changed.
    async fn message_sent(&self, _: &mut Cx<'_>, _: &mut Account, _: SessionId, _: &mut Stanza) -> Outcome {
        Ok(())
    }

    /// A message has come for `account`; its targets are chosen already.
    async fn message_received(&self, _: &mut Cx<'_>, _: &mut Account, _: &mut Incoming) -> Outcome {
        Ok(())
    }

    /// A session of `account` sends presence of any type.
    async fn presence_sent(&self, _: &mut Cx<'_>, _: &mut Account, _: SessionId, _: &mut Stanza) -> Outcome {
        Ok(())
    }

    /// Presence of any type has come for `account`.
    async fn presence_received(&self, _: &mut Cx<'_>, _: &mut Account, _: &mut Incoming) -> Outcome {
        Ok(())
    }

    /// Presence, available or unavailable, has come for an account that is asleep, and goes no further, unless the account is to be
    /// woken for it: true. Nothing is held and nothing is read: most accounts are asleep, and most presence is for them.
    fn presence_missed(&self, _: &Stanza) -> bool {
        false
    }

    /// A contact in the roster of `account` is not what it was: who gets at what may have changed.
    async fn contact_changed(&self, _: &mut Cx<'_>, _: &mut Account, _before: &Contact) -> Outcome {
        Ok(())
    }

    /// A session has been bound along with the login of its client (XEP-0386). `bind` is the request with all that the client wants enabled;
    /// what there is to say goes into `bound`. The account is held, so that nothing has happened between the two.
    async fn session_bound(
        &self,
        _: &mut Cx<'_>,
        _: &mut Account,
        _: SessionId,
        _bind: &Element,
        _bound: &mut Element,
    ) -> Outcome {
        Ok(())
    }

    /// A session has sent its initial presence (RFC 6121 section 4.2) and may now be given what waited for it.
    async fn session_available(&self, _: &mut Cx<'_>, _: &mut Account, _: SessionId) -> Outcome {
        Ok(())
    }

    /// The client of a session has what it was given of these entries by [`Cx::give`](crate::Cx::give): it has acknowledged
    /// them (XEP-0198), or, where it does not do that, they have been written to its connection. The session may be over.
    async fn session_confirmed(&self, _: &mut Cx<'_>, _: &mut Account, _: SessionId, _: &[Seq]) -> Outcome {
        Ok(())
    }

    /// The stanza that this feature keeps as that entry of the store, as a session is handed it; None if the entry is none of
    /// its own, or gone. Asked after a restart of the server, for a session whose client has come back and has not received
    /// it (XEP-0198); or without a session, when no client has come back and the stanza needs another way.
    async fn recall(
        &self,
        _: &mut Cx<'_>,
        _: &mut Account,
        _: Option<SessionId>,
        _: Seq,
    ) -> Result<Option<Stanza>, Halt> {
        Ok(None)
    }

    /// What must be remembered of a session over a restart of the server, besides what [`Session`] says; short. None if there
    /// is nothing. Asked after each presence and each request of the session.
    fn save_session(&self, _: &Session) -> Option<String> {
        None
    }

    /// Puts into a session what [`Feature::save_session`] has returned.
    fn restore_session(&self, _: &mut Session, _: &str) {}

    /// A session is over and already gone from `account.sessions`.
    async fn session_ended(&self, _: &mut Cx<'_>, _: &mut Account, _: &Session) -> Outcome {
        Ok(())
    }

    /// The connection of a session is gone, and the session waits for its client (XEP-0198 section 5). `waiting` is what the
    /// client has not acknowledged and what was not written to it, as far as it is known, the oldest first. After a restart of
    /// the server it is called for each session whose client does not come back soon.
    async fn session_asleep(&self, _: &mut Cx<'_>, _: &mut Account, _: SessionId, _waiting: &[Stanza]) -> Outcome {
        Ok(())
    }

    /// The client of a session that has waited for it is back.
    async fn session_awake(&self, _: &mut Cx<'_>, _: &mut Account, _: SessionId) -> Outcome {
        Ok(())
    }

    /// The user has taken back the access of a client, which had this name in the list of clients (XEP-0494 section 3.2), or whose
    /// session [had](crate::login::Login::client). Its sessions are about to end.
    async fn client_revoked(&self, _: &mut Cx<'_>, _: &mut Account, _client: &str) -> Outcome {
        Ok(())
    }

    /// The account is about to be deleted with everything the store has of it.
    async fn account_removed(&self, _: &mut Cx<'_>, _: &mut Account) -> Outcome {
        Ok(())
    }

    /// Removes what is too old of an account that may be asleep, for which nobody may have come in a long time. Asked for each account
    /// now and then. Nothing is held: others may use the account meanwhile.
    async fn expire(&self, _: &dyn Store, _user: &BareJid, _now: Timestamp) -> Result<(), StoreError> {
        Ok(())
    }

    /// A request that this feature's [`About::iq`] names.
    async fn iq(&self, _: &mut Cx<'_>, _: At<'_>, _: &Request<'_>) -> Result<Answer, Halt> {
        Err(Condition::ServiceUnavailable.into())
    }

    /// The user has replaced the vCard (XEP-0054), which is committed already.
    async fn card_changed(&self, _: &mut Cx<'_>, _: &mut Account, _card: &Element) -> Outcome {
        Ok(())
    }

    /// The user has replaced a piece of private XML (XEP-0049), which is committed already.
    async fn private_changed(&self, _: &mut Cx<'_>, _: &mut Account, _piece: &Element) -> Outcome {
        Ok(())
    }

    /// Something was said in a room that the user is a member of, and no client of the user is in the room.
    async fn room_spoke(&self, _: &mut Cx<'_>, _: &mut Account, _: &RoomSpoke) -> Outcome {
        Ok(())
    }

    /// What the account had left to send ([`Cx::go_on`](crate::Cx::go_on)) has been sent. Others may have used the account
    /// since.
    async fn go_on(&self, _: &mut Cx<'_>, _: &mut Account) -> Outcome {
        Ok(())
    }

    /// An appointment of the account is due. It comes again until whoever has made it has struck it out.
    async fn due(&self, _: &mut Cx<'_>, _: &mut Account, _: &Appointment) -> Outcome {
        Ok(())
    }

    /// The nodes of the account that somebody may know of, as items for disco#items (XEP-0030 section 4.2).
    async fn nodes(&self, _: &mut Cx<'_>, _: &mut Account, _asker: &Jid) -> Result<Vec<Element>, Halt> {
        Ok(Vec::new())
    }

    /// The answer to disco#info or disco#items for a node of the account, or to a question about all of them that says more than
    /// usual; None when there is none that the asker may know of.
    async fn node(
        &self,
        _: &mut Cx<'_>,
        _: &mut Account,
        _asker: &Jid,
        _query: &Element,
    ) -> Result<Option<Element>, Halt> {
        Ok(None)
    }

    /// Adds identities and features to the disco#info of every account.
    fn describe_account(&self, _: &mut Info) {}

    /// Adds what depends on configuration to the disco#info of the served domain: identities, features, forms (XEP-0128).
    fn describe_server(&self, _: &mut Info) {}

    /// The answer to disco#info or disco#items for a node of the served domain; None when it is no node of this feature's that
    /// the asker may know of. `account` is the asker's, if it is one of this host's.
    fn server_node(&self, _: &Host, _account: Option<&Account>, _query: &Element) -> Option<Element> {
        None
    }

    /// Features to offer on a stream that is not authenticated yet, such as registration, to a client at this address.
    fn early_stream_features(&self, _: Option<IpAddr>) -> &'static [(&'static str, &'static str)] {
        &[]
    }
}
