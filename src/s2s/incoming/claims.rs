//! Who a peer says it is, and what proves it: its certificate, DNS, or dialback (XEP-0178 section 3, XEP-0220 section 2).

use super::{Incoming, Next};
use crate::config::DomainName;
use crate::s2s::remotes::Pair;
use crate::s2s::verify::{self, Claim, unanswered};
use std::time::Instant;
use tracing::{Span, debug, info};
use wire::jid::{BareJid, Jid};
use wire::sasl::{Identity, Principal, SaslError};
use wire::stanza::Condition;
use wire::stream::dialback::{Request, Verdict};
use wire::stream::{StreamCondition, StreamError};

/// Dialback claims of one stream that are being verified at a time, before one of them is proved and afterwards. Further
/// ones are refused.
const CLAIMS: [usize; 2] = [4, 16];

impl Incoming<'_> {
    /// Whether the peer's certificate proves a domain, as far as is known.
    pub(super) fn proves(&self, domain: &DomainName) -> bool {
        self.by_dns.contains(domain) || self.federation.proves(&self.chain, domain)
    }

    /// Asks DNS whether the peer's certificate is the domain's (DANE).
    pub(super) async fn learn(&mut self, domain: &DomainName) -> bool {
        let proven = self.federation.proves_by_dns(&self.chain, domain).await;
        if proven {
            self.by_dns.insert(domain.clone());
        }
        proven
    }

    /// The domain that a peer claims, if it may.
    pub(super) fn foreign(&self, from: &Jid) -> Result<DomainName, StreamError> {
        let name = from.as_str().parse::<DomainName>();
        let name = name.map_err(|_| StreamError::with_text(StreamCondition::InvalidFrom, "'from' is no domain"))?;
        if self.serves(name.as_str()) {
            return Err(StreamError::with_text(StreamCondition::InvalidFrom, "that domain is served here"));
        }
        if !self.federation.lists.permit(name.as_str()) {
            info!(from = %name, "a domain that is not talked to wants to connect");
            return Err(StreamError::with_text(StreamCondition::PolicyViolation, "this server does not talk to you"));
        }
        Ok(name)
    }

    /// SASL EXTERNAL: the certificate must prove the domain that is asked for (XEP-0178 section 3).
    pub(super) fn authorize(&mut self, identity: &Identity) -> Next {
        let domain = match &identity.principal {
            Principal::Server(name) | Principal::User(name) => name.parse::<DomainName>().ok(),
            Principal::Anonymous => None,
        };
        let proven = domain.filter(|domain| self.foreign(domain.jid().as_jid()).is_ok() && self.proves(domain));
        let (Some(domain), Some(local)) = (proven, self.local.clone()) else {
            return self.deny(SaslError::NotAuthorized, "the certificate does not prove that domain");
        };
        if !self.welcome(domain.jid()) {
            return self.deny(SaslError::TemporaryAuthFailure, "the domain has too many streams");
        }
        info!(from = %domain, to = %local, how = "External", "connected");
        Span::current().record("jid", domain.as_str());
        self.proved.insert(Pair { local, remote: domain.jid().clone() });
        self.stream.authorized_server(domain.jid().clone());
        Next::Go
    }

    pub(super) fn dialback(&mut self, request: Request) {
        match request {
            Request::Verify { from, to, id, key } => {
                let claim = Claim { from, to, id, key };
                let verdict = match self.serves(claim.to.as_str()) {
                    false => unanswered(Condition::ItemNotFound),
                    true if verify::is_ours(self.federation, &claim) => Verdict::Valid,
                    true => Verdict::Invalid,
                };
                debug!(from = %claim.from, ?verdict, "asked for a dialback key");
                self.stream.answer_verify(&claim.from, &claim.to, &claim.id, &verdict);
            }
            Request::Result { from, to, key } => {
                let claim = Claim { from, to, id: self.stream.id().into(), key };
                if let Some(verdict) = self.decide(&claim) {
                    return self.answer(&claim, verdict);
                }
                let (shared, federation) = (self.shared.clone(), self.federation.clone());
                self.claims.spawn(async move {
                    let verdict = verify::ask(&shared, &federation, &claim).await;
                    (claim, verdict)
                });
            }
        }
    }

    /// What can be said of a claim without asking the authoritative server.
    fn decide(&self, claim: &Claim) -> Option<Verdict> {
        if !self.serves(claim.to.as_str()) {
            return Some(unanswered(Condition::ItemNotFound));
        }
        let Ok(from) = self.foreign(claim.from.as_jid()) else { return Some(unanswered(Condition::NotAllowed)) };
        // XEP-0220 section 2.2.2: a certificate that proves the domain saves the question.
        if self.proves(&from) {
            return Some(Verdict::Valid);
        }
        if !self.federation.may_dial_back(&from) {
            return Some(unanswered(Condition::NotAuthorized));
        }
        let most = CLAIMS[usize::from(!self.proved.is_empty())];
        (self.claims.len() >= most).then(|| unanswered(Condition::ResourceConstraint))
    }

    /// Tells the peer what has become of its claim. A key that is not of its server ends the stream, unless the stream carries
    /// others who have done no wrong (XEP-0220 section 2.2.1).
    pub(super) fn answer(&mut self, claim: &Claim, verdict: Verdict) {
        let verdict = match verdict {
            Verdict::Valid if !self.welcome(&claim.from) => unanswered(Condition::ResourceConstraint),
            Verdict::Invalid if !self.proved.is_empty() => unanswered(Condition::Forbidden),
            verdict => verdict,
        };
        if verdict == Verdict::Valid {
            info!(from = %claim.from, to = %claim.to, how = "Dialback", "connected");
            Span::current().record("jid", claim.from.as_str());
            self.proved.insert(claim.pair());
        }
        self.stream.answer_result(&claim.from, &claim.to, &verdict);
        if verdict == Verdict::Invalid {
            self.claims.abort_all();
            self.stream.close(Instant::now());
        }
    }

    /// Takes up a place for a domain, unless this stream has one already. False: there is none left.
    fn welcome(&mut self, domain: &BareJid) -> bool {
        if self.guests.iter().any(|guest| guest.domain() == domain) {
            return true;
        }
        let Some(pass) = self.federation.guests.enter(domain) else { return false };
        self.guests.push(pass);
        true
    }
}
