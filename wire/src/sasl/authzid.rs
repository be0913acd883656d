//! Names inside SASL messages: who logs in, and as whom (RFC 6120 sections 6.3.7 and 6.3.8).

use super::error::Refusal;
use super::prep;

/// RFC 7622 section 3.3.1: a localpart has at most 1023 octets.
const MAX_LOCALPART: usize = 1023;

/// The localpart that an authentication identity names, as the peer spelt it.
///
/// RFC 6120 section 6.3.7 wants the bare localpart; many clients send the whole bare JID, so `user@host` is taken for `user`. Only what no
/// localpart may hold (RFC 7622 section 3.3.1) is refused here; preparing the name is up to the caller.
pub(super) fn localpart(name: &str, host: &str) -> Result<String, Refusal> {
    let local = match name.split_once('@') {
        Some((local, domain)) if same_domain(domain, host) => local,
        Some(_) => return Err(Refusal::unproven("the user name belongs to another domain")),
        None => name,
    };
    if local.is_empty() || local.len() > MAX_LOCALPART || local.contains(forbidden) {
        return Err(Refusal::unproven("the user name cannot be a localpart"));
    }
    Ok(local.to_owned())
}

/// Whether the peer may act as `authzid` once it has proven to be `user`: only as itself, by localpart or bare JID.
pub(super) fn check(authzid: &str, user: &str, host: &str) -> Result<(), Refusal> {
    let asked = match authzid.rsplit_once('@') {
        Some((local, domain)) if same_domain(domain, host) => local,
        Some(_) => return Err(Refusal::authzid("the authorization identity belongs to another domain")),
        None => authzid,
    };
    if asked.is_empty() || prep::fold(asked) != prep::fold(user) {
        return Err(Refusal::authzid("the authorization identity is not the user's own"));
    }
    Ok(())
}

/// Whether two spellings are the same domain: case does not count.
pub(super) fn same_domain(a: &str, b: &str) -> bool {
    a.eq_ignore_ascii_case(b) || a.to_lowercase() == b.to_lowercase()
}

fn forbidden(c: char) -> bool {
    c.is_control() || c.is_whitespace() || matches!(c, '"' | '&' | '\'' | '/' | ':' | '<' | '>' | '@')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_a_localpart_or_a_bare_jid_of_the_host() {
        for (name, local) in [("juliet", "juliet"), ("Juliet@capulet.lit", "Juliet"), ("jülia@CAPULET.LIT", "jülia")]
        {
            assert_eq!(localpart(name, "capulet.lit").unwrap(), local);
        }
        let long = "x".repeat(1024);
        for name in [
            "",
            "@capulet.lit",
            "a@b@capulet.lit",
            "juliet@montague.lit",
            "a b",
            "a\0",
            "a/b",
            "a:b",
            "<a>",
            "a&b",
            &long,
        ] {
            assert!(localpart(name, "capulet.lit").is_err(), "{name:?}");
        }
    }

    #[test]
    fn one_acts_only_as_oneself() {
        for authzid in ["juliet", "JULIET", "juliet@capulet.lit", "Juliet@Capulet.Lit"] {
            assert_eq!(check(authzid, "juliet", "capulet.lit"), Ok(()), "{authzid}");
        }
        for authzid in [
            "",
            "romeo",
            "romeo@capulet.lit",
            "juliet@montague.lit",
            "juliet@capulet.lit/balcony",
            "@capulet.lit",
            "capulet.lit",
        ] {
            assert!(check(authzid, "juliet", "capulet.lit").is_err(), "{authzid}");
        }
    }
}
