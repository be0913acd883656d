//! In-band registration (XEP-0077): making an account before authentication; changing the password and removing the account
//! after it.
//!
//! Who may make accounts is decided by the network address, how many by a throttle. A new password is acknowledged only when it
//! is on disk; a new account too, which the engine sees to, because there is no session yet whose acknowledgement could wait.

mod submission;
mod throttle;

pub use throttle::Rate;

use crate::account::Account;
use crate::accounts::{self, AccountRecord, BadPassword};
use crate::context::{Act, Cx};
use crate::feature::{About, Answer, At, Coverage, Feature, Halt, IqKey, Request, Scope, Xep};
use crate::info::Info;
use crate::store::StoreError;
use async_trait::async_trait;
use ipnet::IpNet;
use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;
use submission::Submission;
use throttle::Throttle;
use wire::jid::BareJid;
use wire::stanza::{Condition, StanzaError};

const NS: &str = "jabber:iq:register";
const STREAM_FEATURE: &[(&str, &str)] = &[("register", "http://jabber.org/features/iq-register")];

static ABOUT: About = About {
    name: "register",
    xeps: &[Xep {
        number: 77,
        version: "2.4",
        coverage: Coverage::Partial,
        note: "accounts of the server; errors come without the old numeric codes",
    }],
    iq: &[
        IqKey::get(Scope::Stream, "query", NS),
        IqKey::set(Scope::Stream, "query", NS),
        IqKey::get(Scope::Server, "query", NS),
        IqKey::set(Scope::Server, "query", NS),
        IqKey::get(Scope::Own, "query", NS),
        IqKey::set(Scope::Own, "query", NS),
    ],
    ..About::NOTHING
};

/// Who may do what in-band.
#[derive(Clone, Debug)]
pub struct Config {
    pub mode: Mode,
    /// Networks whose addresses may register as well, in mode [`Mode::Loopback`].
    pub allow: Vec<IpNet>,
    /// What one address may register in mode [`Mode::Open`]; this machine and `allow` are not limited.
    pub rate: Rate,
    /// Localparts, in their prepared form, that nobody may register.
    pub reserved: Vec<String>,
    /// Whether users may change their password.
    pub change_password: bool,
    /// Whether users may remove their account.
    pub remove: bool,
}

/// Who may make an account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Nobody: accounts are made by the operator.
    Closed,
    /// Everybody.
    Open,
    /// Whoever connects from this machine, and the networks of [`Config::allow`].
    Loopback,
}

/// The mailbox names of RFC 2142, and those that people take for the operator.
const RESERVED: [&str; 16] = [
    "abuse",
    "admin",
    "administrator",
    "help",
    "hostmaster",
    "info",
    "noc",
    "operator",
    "postmaster",
    "root",
    "security",
    "server",
    "support",
    "system",
    "webmaster",
    "xmpp",
];

impl Default for Config {
    fn default() -> Self {
        Config {
            mode: Mode::Closed,
            allow: Vec::new(),
            rate: Rate { count: 3, window: Duration::from_secs(3600) },
            reserved: RESERVED.map(str::to_owned).to_vec(),
            change_password: true,
            remove: true,
        }
    }
}

/// The feature.
pub struct Register {
    config: Config,
    throttle: Throttle,
}

impl Register {
    pub fn new(config: Config) -> Self {
        Register { throttle: Throttle::new(config.rate), config }
    }

    /// Whether the address is one that the operator has named.
    fn is_near(&self, address: IpAddr) -> bool {
        address.is_loopback() || self.config.allow.iter().any(|network| network.contains(&address))
    }

    fn admits(&self, address: Option<IpAddr>) -> bool {
        match self.config.mode {
            Mode::Closed => false,
            Mode::Open => true,
            Mode::Loopback => address.is_some_and(|address| self.is_near(address.to_canonical())),
        }
    }

    /// Section 3.1, before authentication.
    async fn create(&self, cx: &mut Cx<'_>, wish: Submission) -> Result<Answer, Halt> {
        // Section 3.2: there is nobody yet whose account could be removed.
        let Submission::Fields { username, password } = wish else { return Err(Condition::UnexpectedRequest.into()) };
        if !self.admits(cx.address) {
            return Err(Condition::NotAllowed.into());
        }
        let (Some(username), Some(password)) = (username, password) else {
            return Err(not_acceptable("both username and password are needed"));
        };
        let user = BareJid::from_parts(Some(&username), cx.host.domain.as_str())
            .map_err(|error| not_acceptable(error.to_string()))?;
        if user.local().is_some_and(|local| self.config.reserved.iter().any(|name| name == local)) {
            return Err(not_acceptable("this username is reserved"));
        }
        let address = cx.address.map_or(Ipv4Addr::UNSPECIFIED.into(), |address| address.to_canonical());
        if !self.is_near(address) && !self.throttle.take(address, cx.clock.now()) {
            let text = "too many registrations from your network, try again later";
            return Err(StanzaError::new(Condition::ResourceConstraint).with_text(text).into());
        }
        let created = make_account(cx, &user, &password).await;
        if created.is_err() {
            self.throttle.give_back(address);
        }
        created
    }

    /// Sections 3.2 and 3.3, of a user who is logged in.
    async fn manage(&self, cx: &mut Cx<'_>, account: &Account, request: &Request<'_>) -> Result<Answer, Halt> {
        let wish = Submission::read(&request.element()?)?;
        let allowed = if wish == Submission::Remove { self.config.remove } else { self.config.change_password };
        if !allowed {
            return Err(Condition::NotAllowed.into());
        }
        let Some(record) = accounts::find(cx.store, &account.user).await? else {
            return Err(Condition::RegistrationRequired.into());
        };
        let Submission::Fields { username, password } = wish else {
            // The engine removes it, answers, and ends the sessions, in this order.
            cx.out.push(Act::RemoveAccount);
            return Ok(Answer::Done);
        };
        let (Some(username), Some(password)) = (username, password) else {
            return Err(Condition::BadRequest.into());
        };
        if !is_own_name(&account.user, &username) {
            return Err(StanzaError::new(Condition::NotAllowed).with_text("this is not your username").into());
        }
        let credentials = cx.passwords.derive(&password).await.map_err(bad_password)?;
        let record = AccountRecord { credentials: Some(credentials), ..record };
        let position = accounts::update(cx.store, &account.user, &record).await?;
        cx.store.durable(position).await?;
        Ok(Answer::Done)
    }

    /// The answer to a get of a user who is logged in.
    async fn show(&self, cx: &Cx<'_>, account: &Account) -> Result<Answer, Halt> {
        let registered = accounts::find(cx.store, &account.user).await?.is_some();
        match account.user.local() {
            Some(local) if registered && self.serves_users() => Ok(Answer::Result(submission::registered(local))),
            _ => Err(Condition::ServiceUnavailable.into()),
        }
    }

    fn serves_users(&self) -> bool {
        self.config.change_password || self.config.remove
    }
}

#[async_trait]
impl Feature for Register {
    fn about(&self) -> &'static About {
        &ABOUT
    }

    async fn iq(&self, cx: &mut Cx<'_>, at: At<'_>, request: &Request<'_>) -> Result<Answer, Halt> {
        match (at, request.is_set()) {
            (At::Stream, true) => self.create(cx, Submission::read(&request.element()?)?).await,
            (At::Stream, false) if self.admits(cx.address) => Ok(Answer::Result(submission::blank_form())),
            (At::Own(account) | At::Server(Some(account)), true) => self.manage(cx, account, request).await,
            (At::Own(account) | At::Server(Some(account)), false) => self.show(cx, account).await,
            // Somebody from another server has no account here and cannot make one this way.
            (_, true) if Submission::read(&request.element()?)? == Submission::Remove => {
                Err(Condition::RegistrationRequired.into())
            }
            (_, true) => Err(Condition::NotAllowed.into()),
            (_, false) => Err(Condition::ServiceUnavailable.into()),
        }
    }

    /// Section 10: clients look here to learn whether the password can be changed.
    fn describe_server(&self, info: &mut Info) {
        if self.serves_users() || self.config.mode != Mode::Closed {
            info.add_feature(NS);
        }
    }

    fn early_stream_features(&self, address: Option<IpAddr>) -> &'static [(&'static str, &'static str)] {
        if self.admits(address) { STREAM_FEATURE } else { &[] }
    }
}

async fn make_account(cx: &mut Cx<'_>, user: &BareJid, password: &str) -> Result<Answer, Halt> {
    // Asked before the password is hashed, because hashing is dear; asked again by `create`, because time passes.
    if accounts::find(cx.store, user).await?.is_some() {
        return Err(Condition::Conflict.into());
    }
    let credentials = cx.passwords.derive(password).await.map_err(bad_password)?;
    let record = AccountRecord { created: cx.clock.now(), disabled: false, credentials: Some(credentials) };
    match accounts::create(cx.store, user, &record).await {
        Ok(position) => cx.written = cx.written.max(position),
        Err(StoreError::Conflict) => return Err(Condition::Conflict.into()),
        Err(error) => return Err(error.into()),
    }
    Ok(Answer::Done)
}

/// Whether a username, as typed, names this account.
fn is_own_name(user: &BareJid, typed: &str) -> bool {
    BareJid::from_parts(Some(typed), user.domain()).is_ok_and(|typed| typed == *user)
}

fn bad_password(error: BadPassword) -> Halt {
    not_acceptable(error.to_string())
}

fn not_acceptable(text: impl Into<String>) -> Halt {
    StanzaError::new(Condition::NotAcceptable).with_text(text).into()
}
