//! Client access management (XEP-0494): the clients that have access to an account, for its owner to see and to revoke.
//!
//! A client is known by the id that it gives when it logs in by SASL2 (XEP-0388 section 2.3). A session of a client that gives none is
//! listed as long as it is connected. What is kept of a client, and for how long, is the operator's choice.

mod device;
mod record;
mod storage;
mod token;

pub use crate::login::{Login, Method, device_id, resource_part};
pub use device::Device;
pub use storage::{Admission, Attempt, Proof, Refused, admit, all, candidates};
pub use token::Salt;

use crate::account::{Account, Session};
use crate::accounts;
use crate::context::{Act, Cx};
use crate::feature::{About, Answer, At, Coverage, Feature, Halt, Hook, IqKey, Outcome, Request, Scope, Xep};
use crate::store::{Batch, Expect, StoreError};
use async_trait::async_trait;
use std::time::Duration;
use wire::datetime::Timestamp;
use wire::jid::Jid;
use wire::sasl::Fingerprint;
use wire::stanza::{Condition, StanzaError};
use wire::stream::StreamCondition;
use wire::xml::Element;

const NS: &str = "urn:xmpp:cam:0";

static ABOUT: About = About {
    name: "devices",
    xeps: &[Xep {
        number: 494,
        version: "0.1.0",
        coverage: Coverage::Complete,
        note: "a client that knows the password loses its tokens and sessions, and is answered that the password must change",
    }],
    account_features: &[NS],
    iq: &[IqKey::get(Scope::Own, "list", NS), IqKey::set(Scope::Own, "revoke", NS)],
    hooks: &[Hook::SessionEnded],
    ..About::NOTHING
};

/// What is kept of clients.
#[derive(Clone, Debug)]
pub struct Config {
    /// Clients of one account that are kept; the one not seen for longest makes room. With 0 none are kept, and no tokens given.
    pub max_devices: usize,
    /// How long a client that does not come back is kept.
    pub remember: Duration,
    /// How long a token can be used.
    pub token_lifetime: Duration,
}

impl Default for Config {
    fn default() -> Self {
        const DAY: Duration = Duration::from_secs(86_400);
        Config { max_devices: 50, remember: DAY * 90, token_lifetime: DAY * 21 }
    }
}

/// The feature.
pub struct Devices {
    config: Config,
}

impl Devices {
    pub fn new(config: Config) -> Self {
        Devices { config }
    }

    /// Section 3.1.
    async fn list(&self, cx: &Cx<'_>, account: &Account) -> Result<Answer, Halt> {
        let known = all(cx.store, &account.user, &self.config, cx.clock.now()).await?;
        let password = fingerprint(cx, account).await?;
        let now = cx.clock.now();
        let connected = |id: &str| logins(account).any(|(_, login)| login.device.as_deref() == Some(id));
        let mut clients = Element::new("clients", NS);
        for (id, device) in &known {
            clients.push(described(id, device, connected(id), password, now));
        }
        for (jid, login) in logins(account).filter(|(_, login)| login.device.is_none()) {
            clients.push(anonymous(jid, login));
        }
        Ok(Answer::Result(clients))
    }

    /// Section 3.2.
    async fn revoke(
        &self,
        cx: &mut Cx<'_>,
        account: &mut Account,
        request: &Request<'_>,
        id: &str,
    ) -> Result<Answer, Halt> {
        let (user, password) = (&account.user.clone(), fingerprint(cx, account).await?);
        let knows_password = match storage::find(cx.store, user, id).await? {
            Some((mut device, version)) => {
                let knows_password = device.knows(password);
                let mut batch = Batch::new();
                if knows_password {
                    device.forget_tokens();
                    batch.put(storage::key(user, id), record::encode(&device), Expect::Version(version));
                } else {
                    batch.delete(storage::key(user, id), Expect::Version(version));
                }
                match cx.commit(batch).await {
                    // It logs in at this moment.
                    Err(StoreError::Conflict) => return Err(Condition::ResourceConstraint.into()),
                    committed => committed?,
                };
                knows_password
            }
            None => {
                let session = logins(account).find(|(jid, login)| login.device.is_none() && login.client(jid) == id);
                session.ok_or(Condition::ItemNotFound)?.1.method == Method::Password
            }
        };
        for feature in cx.host.registry.chain(Hook::ClientRevoked) {
            feature.client_revoked(cx, account, id).await?;
        }
        let is_its =
            |session: &&Session| session.states.get::<Login>().is_some_and(|login| login.client(&session.jid) == id);
        let ended = account.sessions.iter().filter(is_its);
        let ended: Vec<_> = ended.map(|session| Act::Close(session.id, StreamCondition::NotAuthorized)).collect();
        let answer = if knows_password { answer_that_it_knows(cx, request)? } else { Answer::Done };
        // After the answer: the session that asks may be one of them.
        cx.out.extend(ended);
        Ok(answer)
    }
}

/// Section 3.2: only another password keeps such a client out.
fn answer_that_it_knows(cx: &mut Cx<'_>, request: &Request<'_>) -> Result<Answer, Halt> {
    let text = "its tokens are void and its sessions have ended, but it knows the password";
    let reset = Element::new("password-reset-required", NS);
    let error = StanzaError::new(Condition::ServiceUnavailable).with_text(text).with_extra(reset);
    let (Some(session), Some(reply)) = (request.session, request.stanza.error(&error)) else {
        return Err(error.into());
    };
    cx.push(session, reply);
    Ok(Answer::Sent)
}

#[async_trait]
impl Feature for Devices {
    fn about(&self) -> &'static About {
        &ABOUT
    }

    async fn iq(&self, cx: &mut Cx<'_>, at: At<'_>, request: &Request<'_>) -> Result<Answer, Halt> {
        let At::Own(account) = at else { return Err(Condition::ServiceUnavailable.into()) };
        if !request.is_set() {
            return self.list(cx, account).await;
        }
        let element = request.element()?;
        match element.attr("id") {
            Some(id) => self.revoke(cx, account, request, id).await,
            None => Err(Condition::BadRequest.into()),
        }
    }

    fn save_session(&self, session: &Session) -> Option<String> {
        session.states.get::<Login>().map(Login::save)
    }

    fn restore_session(&self, session: &mut Session, saved: &str) {
        if let Some(login) = Login::restore(saved) {
            *session.states.of() = login;
        }
    }

    /// When a client was last here is when its session ended, not when it began.
    async fn session_ended(&self, cx: &mut Cx<'_>, account: &mut Account, session: &Session) -> Outcome {
        let Some(id) = session.states.get::<Login>().and_then(|login| login.device.as_deref()) else { return Ok(()) };
        let Some((mut device, version)) = storage::find(cx.store, &account.user, id).await? else { return Ok(()) };
        device.last_seen = cx.clock.now();
        let mut batch = Batch::new();
        batch.put(storage::key(&account.user, id), record::encode(&device), Expect::Version(version));
        // A conflict is a login of the same client at this moment, which has been later.
        let _ = cx.store.commit(batch).await;
        Ok(())
    }
}

/// What tells the password of now from earlier ones; None when the account has none.
async fn fingerprint(cx: &Cx<'_>, account: &Account) -> Result<Option<Fingerprint>, Halt> {
    let record = accounts::find(cx.store, &account.user).await?;
    Ok(record.and_then(|record| record.credentials?.fingerprint()))
}

/// The sessions that are connected, with how they have logged in.
fn logins(account: &Account) -> impl Iterator<Item = (&Jid, &Login)> {
    account.sessions.iter().filter_map(|session| Some((&session.jid, session.states.get::<Login>()?)))
}

fn described(id: &str, device: &Device, connected: bool, password: Option<Fingerprint>, now: Timestamp) -> Element {
    let methods = [
        device.knows(password).then(|| Element::new("password", NS)),
        device.has_tokens(password, now).then(|| Element::new("fast", NS)),
        device.certificate.then(|| Element::new("certificate", OWN_NS)),
    ];
    let text =
        |name: &'static str, text: &Option<String>| text.as_ref().map(|text| Element::new(name, NS).with_text(text));
    let agent = Element::new("user-agent", NS)
        .maybe_child(text("software", &device.software))
        .maybe_child(text("device", &device.device));
    client(id, connected, (device.first_seen, device.last_seen), methods.into_iter().flatten()).with_child(agent)
}

fn anonymous(jid: &Jid, login: &Login) -> Element {
    let method = match login.method {
        Method::Password => Some(Element::new("password", NS)),
        Method::Certificate => Some(Element::new("certificate", OWN_NS)),
        Method::Token => Some(Element::new("fast", NS)),
        Method::Nothing => None,
    };
    client(&login.client(jid), true, (login.since, login.since), method)
}

/// The `<auth/>` of section 3.1 is open for other methods under their own names.
const OWN_NS: &str = "urn:oriole:cam:0";

fn client(
    id: &str,
    connected: bool,
    (first, last): (Timestamp, Timestamp),
    methods: impl IntoIterator<Item = Element>,
) -> Element {
    let time = |name: &'static str, time: Timestamp| Element::new(name, NS).with_text(time.format());
    Element::new("client", NS)
        .with_attr("connected", if connected { "true" } else { "false" })
        .with_attr("id", id)
        .with_attr("type", "session")
        .with_child(time("first-seen", first))
        .with_child(time("last-seen", last))
        .with_child(Element::new("auth", NS).with_children(methods))
        .with_child(Element::new("permission", NS).with_attr("status", "unrestricted"))
}
