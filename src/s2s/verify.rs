//! Dialback (XEP-0220): asking the authoritative server, and being it.

use super::open::{Opened, open};
use super::remotes::Pair;
use super::{Federation, domain_name};
use crate::net::Shared;
use compact_str::CompactString;
use tracing::{debug, info};
use wire::jid::BareJid;
use wire::stanza::{Condition, StanzaError};
use wire::stream::Purpose;
use wire::stream::dialback::{self, Verdict};

/// A claim to be verified: a stream of ours with this id was told that `from` speaks on it, to `to`.
#[derive(Clone, Debug)]
pub struct Claim {
    pub from: BareJid,
    pub to: BareJid,
    pub id: CompactString,
    pub key: String,
}

impl Claim {
    pub fn pair(&self) -> Pair {
        Pair { local: self.to.clone(), remote: self.from.clone() }
    }
}

/// Asks the authoritative server of the claimed domain whether the key is its own (XEP-0220 section 2.3).
pub async fn ask(shared: &Shared, federation: &Federation, claim: &Claim) -> Verdict {
    let Ok(_place) = federation.verifying.acquire().await else { return unanswered(Condition::ResourceConstraint) };
    let purpose = Purpose::Verify { id: claim.id.clone(), key: claim.key.clone() };
    match open(shared, federation, &claim.pair(), purpose).await {
        Ok(Opened::Verified(Verdict::Valid)) => Verdict::Valid,
        Ok(Opened::Verified(Verdict::Invalid)) => {
            info!(from = %claim.from, "the dialback key is not of that server");
            Verdict::Invalid
        }
        // XEP-0220 section 2.5: whatever it is, the one who shows the key learns that its server is not to be found.
        Ok(Opened::Verified(Verdict::Error(error))) => {
            let why = format!("the authoritative server says {}", error.condition.name());
            info!(from = %claim.from, why, "the dialback key could not be verified");
            Verdict::Error(StanzaError::new(Condition::RemoteServerNotFound).with_text(why))
        }
        Ok(Opened::Link(_) | Opened::Looked) => unanswered(Condition::InternalServerError),
        Err(trouble) => {
            debug!(from = %claim.from, %trouble, "no answer from the authoritative server");
            Verdict::Error(trouble.stanza_error())
        }
    }
}

/// Whether a key that is said to be of a stream of ours is (XEP-0220 section 2.4).
pub fn is_ours(federation: &Federation, claim: &Claim) -> bool {
    let expected = dialback::key(&federation.secret, claim.from.as_str(), claim.to.as_str(), &claim.id);
    // Compared by their hashes, so that the time it takes says nothing about the key.
    use sha2::{Digest, Sha256};
    domain_name(&claim.to).is_some() && Sha256::digest(expected.as_bytes()) == Sha256::digest(claim.key.as_bytes())
}

pub fn unanswered(condition: Condition) -> Verdict {
    Verdict::Error(StanzaError::new(condition))
}
