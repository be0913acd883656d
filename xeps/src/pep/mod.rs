//! Personal eventing (XEP-0163): every account is a place of nodes, and its contacts are told of what is published there
//! without having to subscribe, as far as their clients say that they are interested (XEP-0115, XEP-0390).
//!
//! # Who is told
//! Clients announce in presence a hash of what they can do; what is behind a hash is asked once, verified, and remembered for
//! all accounts of the host ([`watch`]). Which client has announced what is remembered by each account while it is awake
//! ([`home::Clients`]).
//!
//! # The last item
//! A client that becomes available is sent the last items (section 4.3.4). One of a contact shows that by its presence, or by the probe
//! that its server sends to everybody whose presence the contact receives; [`greetings`] has who has been shown them. It works as well
//! for accounts that are asleep, of which nothing is in memory but that. Who gains access later is sent them then.

mod avatar;
mod bookmarks;
mod clients;
mod defaults;
mod displayed;
mod greetings;
pub mod home;
mod publisher;
mod recent;
pub mod watch;

use crate::account::{Account, Contact, Session, SessionId};
use crate::agenda::Appointment;
use crate::caps;
use crate::context::Cx;
use crate::delivery::Incoming;
use crate::feature::{About, Answer, At, Coverage, Feature, Halt, Hook, IqKey, Outcome, Request, Scope, Xep};
use crate::info::Info;
use crate::pubsub::discover_tree::{self, Wish};
use crate::pubsub::quota::Ledger;
use crate::pubsub::rules::{Config, Rules};
use crate::pubsub::{NS, OWNER, discover, due, pending, serve, service};
use async_trait::async_trait;
use home::Home;
use watch::Watch;
use wire::jid::Jid;
use wire::stanza::{Condition, Kind, PresenceType, Stanza};
use wire::xml::Element;

static ABOUT: About = About {
    name: "pep",
    xeps: &[
        Xep { number: 80, version: "1.10.0", coverage: Coverage::Complete, note: "" },
        Xep { number: 84, version: "1.1.4", coverage: Coverage::Complete, note: "" },
        Xep { number: 107, version: "1.2.2", coverage: Coverage::Complete, note: "" },
        Xep { number: 108, version: "1.3", coverage: Coverage::Complete, note: "" },
        Xep {
            number: 115,
            version: "1.6.0",
            coverage: Coverage::Complete,
            note: "announced to clients; presence is not optimized",
        },
        Xep { number: 118, version: "1.3.0", coverage: Coverage::Complete, note: "" },
        Xep { number: 163, version: "1.2.2", coverage: Coverage::Complete, note: "" },
        Xep { number: 172, version: "1.1", coverage: Coverage::Complete, note: "" },
        Xep { number: 222, version: "1.0", coverage: Coverage::Complete, note: "" },
        Xep { number: 223, version: "1.1.1", coverage: Coverage::Complete, note: "" },
        Xep { number: 277, version: "0.6.5", coverage: Coverage::Complete, note: "the nodes" },
        Xep { number: 373, version: "0.7.0", coverage: Coverage::Complete, note: "the nodes for keys" },
        Xep { number: 384, version: "0.9.1", coverage: Coverage::Complete, note: "the nodes for devices and bundles" },
        Xep {
            number: 390,
            version: "0.3.2",
            coverage: Coverage::Complete,
            note: "announced to clients; presence is not optimized",
        },
        Xep { number: 398, version: "1.0.0", coverage: Coverage::Complete, note: "" },
        Xep { number: 402, version: "1.2.0", coverage: Coverage::Complete, note: "" },
        Xep { number: 411, version: "1.1.0", coverage: Coverage::Complete, note: "" },
        Xep { number: 449, version: "0.2.0", coverage: Coverage::Complete, note: "the node for packs" },
        Xep { number: 472, version: "0.2.1", coverage: Coverage::Complete, note: "the nodes" },
        Xep { number: 490, version: "1.0.1", coverage: Coverage::Complete, note: "" },
        Xep { number: 492, version: "0.2.0", coverage: Coverage::Complete, note: "in bookmarks" },
        Xep { number: 501, version: "0.2.0", coverage: Coverage::Complete, note: "the nodes, whose items expire" },
    ],
    // What the server announces of itself is in the stream features.
    server_features: &[caps::NS, caps::NS2],
    account_features: &[
        NS,
        "urn:xmpp:pep-vcard-conversion:0",
        "urn:xmpp:bookmarks-conversion:0",
        "urn:xmpp:bookmarks:1#compat",
        "urn:xmpp:bookmarks:1#compat-pep",
        "urn:xmpp:mds:server-assist:0",
    ],
    iq: &[
        IqKey::get(Scope::Own, "pubsub", NS),
        IqKey::set(Scope::Own, "pubsub", NS),
        IqKey::get(Scope::Own, "pubsub", OWNER),
        IqKey::set(Scope::Own, "pubsub", OWNER),
        IqKey::get(Scope::Other, "pubsub", NS),
        IqKey::set(Scope::Other, "pubsub", NS),
        IqKey::get(Scope::Other, "pubsub", OWNER),
        IqKey::set(Scope::Other, "pubsub", OWNER),
        IqKey::get(Scope::Nobody, "pubsub", NS),
        IqKey::set(Scope::Nobody, "pubsub", NS),
        IqKey::get(Scope::Nobody, "pubsub", OWNER),
        IqKey::set(Scope::Nobody, "pubsub", OWNER),
    ],
    hooks: &[
        Hook::MessageSent,
        Hook::MessageReceived,
        Hook::PresenceSent,
        Hook::PresenceReceived,
        Hook::PresenceMissed,
        Hook::ContactChanged,
        Hook::SessionAvailable,
        Hook::SessionEnded,
        Hook::Answered,
        Hook::GoOn,
        Hook::Due,
        Hook::Nodes,
        Hook::CardChanged,
        Hook::PrivateChanged,
    ],
    ..About::NOTHING
};

/// The access model that is named is the one that new nodes have ([`Rules::personal`]).
const OF_ACCOUNTS: &[&str] = &[
    "access-presence",
    // No default, but a model that there is: XEP-0373 section 5.1.1 asks for it by this name.
    "access-whitelist",
    "auto-create",
    "auto-subscribe",
    "filtered-notifications",
    "last-published",
    "presence-notifications",
    "presence-subscribe",
    "pubsub-on-a-jid",
];

/// The feature.
pub struct Pep {
    rules: Rules,
    watch: Watch,
    ledger: Ledger,
}

impl Pep {
    pub fn new(config: &Config) -> Self {
        Pep { rules: Rules::personal(config), watch: Watch::default(), ledger: Ledger::default() }
    }

    /// What follows from a change for those who know the same thing in another form.
    async fn follow(&self, cx: &mut Cx<'_>, account: &mut Account, request: &Request<'_>) -> Outcome {
        let root = request.element()?;
        let Some(what) = root.children().next() else { return Ok(()) };
        let payload = || what.child("item", NS).and_then(|item| item.children().next());
        match (what.name(), what.attr("node"), payload()) {
            ("publish", Some(avatar::METADATA), Some(metadata)) => self.avatar_published(cx, account, metadata).await,
            ("publish", Some(bookmarks::STORAGE), Some(storage)) if storage.is("storage", bookmarks::STORAGE) => {
                self.storage_changed(cx, account, storage).await
            }
            ("publish" | "retract" | "purge", Some(bookmarks::NATIVE), _) => self.bookmarks_changed(cx, account).await,
            _ => Ok(()),
        }
    }

    fn home<'a>(&'a self, account: &'a mut Account) -> Home<'a> {
        Home { account, rules: &self.rules, watch: &self.watch, ledger: &self.ledger }
    }
}

#[async_trait]
impl Feature for Pep {
    fn about(&self) -> &'static About {
        &ABOUT
    }

    async fn iq(&self, cx: &mut Cx<'_>, at: At<'_>, request: &Request<'_>) -> Result<Answer, Halt> {
        match at {
            At::Own(account) | At::Other(account) => {
                let before = cx.out.len();
                let answer = serve::serve(cx, &mut self.home(account), request.stanza).await?;
                let direct = matches!(answer, Answer::Sent) && cx.out.len() > before;
                if request.is_set() && !direct {
                    self.follow(cx, account, request).await?;
                }
                Ok(answer)
            }
            // As for an account that has no nodes: nobody learns from the answer whether there is one.
            At::Nobody => {
                let user = request.stanza.to.as_ref().ok_or(Condition::BadRequest)?.to_bare();
                if request.stanza.from.as_ref().is_none_or(|from| from.bare_str() == user.as_str()) {
                    return Err(Condition::ItemNotFound.into());
                }
                serve::serve(cx, &mut self.home(&mut Account::new(user)), request.stanza).await
            }
            At::Stream(_) | At::Server(_) => Err(Condition::ServiceUnavailable.into()),
        }
    }

    async fn message_sent(&self, cx: &mut Cx<'_>, account: &mut Account, _: SessionId, stanza: &mut Stanza) -> Outcome {
        self.displayed(cx, account, stanza).await
    }

    /// An owner answers who wants to subscribe (XEP-0060 section 8.6).
    async fn message_received(&self, cx: &mut Cx<'_>, account: &mut Account, incoming: &mut Incoming) -> Outcome {
        let own = incoming.stanza.from.as_ref().is_some_and(|from| from.bare_str() == account.user.as_str());
        if own && incoming.stanza.to.as_ref().is_some_and(Jid::is_bare) && pending::is_decision(&incoming.stanza) {
            pending::decided(cx, &mut self.home(account), &incoming.stanza).await?;
            return Err(Halt::Silent("an answer to the nodes of the account"));
        }
        Ok(())
    }

    async fn presence_sent(
        &self,
        cx: &mut Cx<'_>,
        account: &mut Account,
        id: SessionId,
        stanza: &mut Stanza,
    ) -> Outcome {
        let Some(jid) = account.session(id).map(|session| session.jid.clone()) else { return Ok(()) };
        if stanza.kind == PresenceType::Available.into() {
            self.show_hash(cx, account, stanza).await?;
        }
        match (stanza.kind, &stanza.to) {
            (Kind::Presence(PresenceType::Available), _) => self.own_client(cx, account, &jid, stanza).await,
            (Kind::Presence(PresenceType::Unavailable), None) => {
                self.own_client_left(account, id, &jid);
                self.home(account).gone(cx, &jid).await
            }
            _ => Ok(()),
        }
    }

    async fn presence_received(&self, cx: &mut Cx<'_>, account: &mut Account, incoming: &mut Incoming) -> Outcome {
        let stanza = &incoming.stanza;
        let Some(from) = stanza.from.clone() else { return Ok(()) };
        match stanza.kind {
            Kind::Presence(PresenceType::Available) => self.client(cx, account, &from, stanza).await,
            Kind::Presence(PresenceType::Unavailable | PresenceType::Error) => {
                self.client_left(account, &from);
                self.home(account).gone(cx, &from).await
            }
            Kind::Presence(PresenceType::Probe) => self.probed(cx, account, &from).await,
            _ => Ok(()),
        }
    }

    fn presence_missed(&self, stanza: &Stanza) -> bool {
        self.missed(stanza)
    }

    async fn contact_changed(&self, cx: &mut Cx<'_>, account: &mut Account, before: &Contact) -> Outcome {
        Pep::contact_changed(self, cx, account, before).await
    }

    async fn session_available(&self, cx: &mut Cx<'_>, account: &mut Account, id: SessionId) -> Outcome {
        self.own_client_available(cx, account, id).await
    }

    async fn session_ended(&self, cx: &mut Cx<'_>, account: &mut Account, session: &Session) -> Outcome {
        self.client_left(account, &session.jid);
        self.home(account).gone(cx, &session.jid).await
    }

    async fn answered(&self, cx: &mut Cx<'_>, account: &mut Account, stanza: &Stanza) -> Outcome {
        self.heard(cx, account, stanza).await
    }

    async fn card_changed(&self, cx: &mut Cx<'_>, account: &mut Account, card: &Element) -> Outcome {
        self.photo_published(cx, account, card).await
    }

    async fn private_changed(&self, cx: &mut Cx<'_>, account: &mut Account, piece: &Element) -> Outcome {
        match piece.is("storage", bookmarks::STORAGE) {
            true => self.storage_changed(cx, account, piece).await,
            false => Ok(()),
        }
    }

    async fn due(&self, cx: &mut Cx<'_>, account: &mut Account, appointment: &Appointment) -> Outcome {
        due::due(cx, &mut self.home(account), appointment).await
    }

    async fn go_on(&self, cx: &mut Cx<'_>, account: &mut Account) -> Outcome {
        self.home(account).go_on(cx).await
    }

    fn describe_account(&self, info: &mut Info) {
        info.identities.push(crate::info::Identity { category: "pubsub", kind: "pep", name: None });
        service::RELATIONS.iter().for_each(|feature| info.add_feature(feature));
        service::COMMON.iter().chain(OF_ACCOUNTS).for_each(|name| info.add_feature(&format!("{NS}#{name}")));
    }

    async fn nodes(&self, cx: &mut Cx<'_>, account: &mut Account, asker: &Jid) -> Result<Vec<Element>, Halt> {
        discover::nodes(cx, &mut self.home(account), asker, None).await.map(|(nodes, _)| nodes)
    }

    async fn node(
        &self,
        cx: &mut Cx<'_>,
        account: &mut Account,
        asker: &Jid,
        query: &Element,
    ) -> Result<Option<Element>, Halt> {
        let mut home = self.home(account);
        let wish = if query.ns() == crate::info::NS { None } else { Wish::of(query)? };
        let found = match (query.attr("node"), query.ns(), &wish) {
            (_, _, Some(wish)) => discover_tree::discover(cx, &mut home, asker, query, wish).await,
            (None, ..) => return Ok(None),
            (Some(name), crate::info::NS, _) => discover::info(cx, &mut home, asker, name).await,
            (Some(name), ..) => {
                discover::items(cx, &mut home, asker, name, query.child("set", crate::pubsub::rsm::NS)).await
            }
        };
        match found {
            Ok(element) => Ok(Some(element)),
            Err(Halt::Refuse(error)) if error.condition == Condition::ItemNotFound => Ok(None),
            Err(halt) => Err(halt),
        }
    }
}
