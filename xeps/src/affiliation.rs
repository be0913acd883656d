//! What the server has to do with the user of an account (XEP-0489): a guest, somebody who registered, somebody for whom the
//! account was made, an administrator.
//!
//! Only whom the operator names is told. For everybody else all addresses look alike, whether or not there is such an account.

use crate::access::may_see_presence;
use crate::account::Account;
use crate::accounts::{self, AccountRecord, Origin};
use crate::context::Cx;
use crate::feature::{About, Answer, At, Coverage, Feature, Halt, IqKey, Request, Scope, Xep};
use crate::store::{Store, StoreError};
use async_trait::async_trait;
use wire::datetime::Timestamp;
use wire::jid::{BareJid, Jid};
use wire::stanza::Condition;
use wire::xml::Element;

const NS: &str = "urn:xmpp:raa:0";
const DAY_MILLIS: i64 = 24 * 3600 * 1000;

static ABOUT: About = About {
    server_features: &[NS],
    iq: &[
        IqKey::get(Scope::Own, "query", NS),
        IqKey::get(Scope::Other, "query", NS),
        IqKey::get(Scope::Nobody, "query", NS),
    ],
    ..SILENT
};

/// Where nobody is told.
static SILENT: About = About {
    name: "affiliation",
    xeps: &[Xep {
        number: 489,
        version: "0.1.0",
        coverage: Coverage::Partial,
        note: "answers whom the operator names; nothing is embedded in stanzas",
    }],
    ..About::NOTHING
};

/// Who is told.
#[derive(Clone, Debug, Default)]
pub struct Config {
    /// Those who may see the presence of the user.
    pub contacts: bool,
    /// These domains and everybody there.
    pub domains: Vec<BareJid>,
    /// The administrators of the host.
    pub admins: Vec<BareJid>,
}

/// The feature.
pub struct Affiliation {
    config: Config,
}

/// Section 3.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Relation {
    Anonymous,
    Registered,
    Member,
    Admin,
}

impl Relation {
    fn name(self) -> &'static str {
        match self {
            Relation::Anonymous => "anonymous",
            Relation::Registered => "registered",
            Relation::Member => "member",
            Relation::Admin => "admin",
        }
    }
}

impl Affiliation {
    pub fn new(config: Config) -> Self {
        Affiliation { config }
    }

    fn trusts(&self, asker: &Jid) -> bool {
        self.config.domains.iter().any(|domain| domain.as_str() == asker.domain())
    }

    async fn tells(&self, store: &dyn Store, account: &Account, asker: &Jid) -> Result<bool, StoreError> {
        if asker.bare_str() == account.user.as_str() || self.trusts(asker) {
            return Ok(true);
        }
        Ok(self.config.contacts && may_see_presence(store, account, Some(asker)).await?)
    }

    fn relation(&self, user: &BareJid, record: Option<&AccountRecord>) -> Relation {
        match record {
            // It lives as long as its session.
            None => Relation::Anonymous,
            Some(_) if self.config.admins.contains(user) => Relation::Admin,
            Some(record) => match record.origin {
                Origin::Provided => Relation::Member,
                // The server vouches for nobody whom it does not know.
                Origin::Registered | Origin::Unknown => Relation::Registered,
            },
        }
    }
}

#[async_trait]
impl Feature for Affiliation {
    fn about(&self) -> &'static About {
        if self.config.contacts || !self.config.domains.is_empty() { &ABOUT } else { &SILENT }
    }

    async fn iq(&self, cx: &mut Cx<'_>, at: At<'_>, request: &Request<'_>) -> Result<Answer, Halt> {
        let Some(asker) = &request.stanza.from else { return Err(Condition::Forbidden.into()) };
        let account = match at {
            At::Own(account) | At::Other(account) => account,
            At::Nobody if self.trusts(asker) => return Err(Condition::ItemNotFound.into()),
            _ => return Err(Condition::Forbidden.into()),
        };
        if !self.tells(cx.store, account, asker).await? {
            return Err(Condition::Forbidden.into());
        }
        let record = accounts::find(cx.store, &account.user).await?;
        let relation = self.relation(&account.user, record.as_ref());
        // Section 5: what a registered account is worth depends on its age.
        let since = record.filter(|_| relation == Relation::Registered).and_then(|record| day_of(record.created));
        let info = Element::new("info", NS).with_attr("affiliation", relation.name());
        Ok(Answer::Result(info.maybe_attr("since", since.map(Timestamp::format))))
    }
}

/// The beginning of that day: more precision would tell when somebody is awake (section 7.1).
fn day_of(time: Timestamp) -> Option<Timestamp> {
    Timestamp::from_millis(time.millis() - time.millis().rem_euclid(DAY_MILLIS))
}
