//! EXTERNAL (RFC 4422 appendix A) over TLS client certificates (XEP-0178), the server's side.

use super::authzid::{localpart, same_domain};
use super::error::Refusal;
use super::exchange::{Identity, Machine, Principal, Step};
use super::prep;

/// Which identities a certificate proves is found out by whoever reads certificates; here only the choice among them is made.
pub(super) struct External {
    identities: Vec<String>,
    host: String,
}

impl External {
    /// Of the addresses a certificate proves only those count that could be accounts of this host (XEP-0178 section 2, step 11); of the
    /// domains all.
    pub fn new(mut identities: Vec<String>, host: &str) -> External {
        identities.retain(|proven| proven.split_once('@').is_none_or(|(_, domain)| same_domain(domain, host)));
        External { identities, host: host.to_owned() }
    }

    /// RFC 4422 appendix A.1: an empty authorization identity asks the server to derive one from the certificate. With several to
    /// choose from it must not guess (XEP-0178 section 2, step 11).
    fn choose(&self, authzid: &str) -> Result<&str, Refusal> {
        match (authzid, self.identities.as_slice()) {
            (_, []) => Err(Refusal::unproven("no certificate proves an identity")),
            ("", [only]) => Ok(only),
            ("", _) => Err(Refusal::authzid("the certificate proves several identities and none was named")),
            (asked, all) => all
                .iter()
                .find(|proven| same_address(proven, asked))
                .map(String::as_str)
                .ok_or(Refusal::authzid("the certificate does not prove the identity that was named")),
        }
    }
}

impl Machine for External {
    fn respond(&mut self, message: &[u8]) -> Result<Step, Refusal> {
        // RFC 4422 appendix A.4: UTF-8 without NUL.
        let authzid = str::from_utf8(message).map_err(|_| Refusal::malformed("EXTERNAL message is not UTF-8"))?;
        if authzid.contains('\0') {
            return Err(Refusal::malformed("EXTERNAL message holds NUL"));
        }
        let proven = self.choose(authzid)?;
        let principal = match proven.contains('@') {
            true => Principal::User(localpart(proven, &self.host)?),
            false => Principal::Server(proven.to_owned()),
        };
        let authzid = (!authzid.is_empty()).then(|| authzid.to_owned());
        Ok(Step::Success(Identity { principal, authzid, additional_data: None, token: None }))
    }
}

/// Whether two spellings are the same bare JID or the same domain.
fn same_address(a: &str, b: &str) -> bool {
    match (a.split_once('@'), b.split_once('@')) {
        (Some((a, host_a)), Some((b, host_b))) => prep::fold(a) == prep::fold(b) && same_domain(host_a, host_b),
        (None, None) => same_domain(a, b),
        _ => false,
    }
}
