//! In-band registration (XEP-0077): making an account before authentication, with an invitation where one is needed (XEP-0445);
//! changing the password and removing the account after it.
//!
//! Who may make accounts is decided by invitation or network address, how many by a throttle. A new password is acknowledged only when it
//! is on disk; a new account too, which the engine sees to, because there is no session yet whose acknowledgement could wait.

mod creation;
mod submission;
mod throttle;

pub use throttle::Rate;

use crate::account::Account;
use crate::accounts::{self, AccountRecord, BadPassword};
use crate::context::{Act, Cx};
use crate::feature::{About, Answer, At, Coverage, Feature, Halt, IqKey, Request, Scope, Xep};
use crate::info::Info;
use crate::invitation::PREAUTH;
use async_trait::async_trait;
use creation::{is_invited, uninvited};
use ipnet::IpNet;
use std::net::IpAddr;
use std::time::Duration;
use submission::Submission;
use throttle::Throttle;
use wire::jid::BareJid;
use wire::stanza::{Condition, StanzaError};

const NS: &str = "jabber:iq:register";
const STREAM_FEATURE: &[(&str, &str)] = &[("register", "http://jabber.org/features/iq-register")];
/// With the one of XEP-0445 section 3.
const STREAM_FEATURES: &[(&str, &str)] =
    &[("register", "urn:xmpp:ibr-token:0"), ("register", "http://jabber.org/features/iq-register")];

static ABOUT: About = About {
    name: "register",
    xeps: &[
        Xep {
            number: 77,
            version: "2.4",
            coverage: Coverage::Partial,
            note: "accounts of the server; errors come without the old numeric codes",
        },
        Xep { number: 445, version: "0.2.0", coverage: Coverage::Complete, note: "" },
    ],
    iq: &[
        IqKey::set(Scope::Stream, "preauth", PREAUTH),
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
    /// For how long nobody may register the name of an account that was removed.
    pub former_names: Duration,
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
    /// Whoever has an invitation.
    Invite,
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

impl Mode {
    /// Whether an account can be made by an invitation. Where everybody may make one, it still brings a contact.
    pub fn takes_invitations(self) -> bool {
        matches!(self, Mode::Open | Mode::Invite)
    }
}

impl Default for Config {
    fn default() -> Self {
        Config {
            mode: Mode::Closed,
            allow: Vec::new(),
            rate: Rate { count: 3, window: Duration::from_secs(3600) },
            reserved: RESERVED.map(str::to_owned).to_vec(),
            former_names: Duration::from_secs(60 * 86_400),
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
            Mode::Closed | Mode::Invite => false,
            Mode::Open => true,
            Mode::Loopback => address.is_some_and(|address| self.is_near(address.to_canonical())),
        }
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
            (At::Stream(early), true) if request.child.ns == PREAUTH => self.show_invitation(cx, early, request).await,
            (At::Stream(early), true) => self.create(cx, early, Submission::read(&request.element()?)?).await,
            (At::Stream(early), false) if self.admits(cx.address) || is_invited(early) => {
                Ok(Answer::Result(submission::blank_form()))
            }
            (At::Stream(_), false) if self.config.mode == Mode::Invite => Err(uninvited()),
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
        match self.config.mode {
            mode if mode.takes_invitations() => STREAM_FEATURES,
            _ if self.admits(address) => STREAM_FEATURE,
            _ => &[],
        }
    }
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
