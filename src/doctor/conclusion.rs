//! What to make of it: works or not, why, and what can be done about it. Pure.

use super::words::{date, place_words};
use crate::config::DomainName;
use crate::s2s::{NO_ANSWER, Place, Pong, Proof, Step, Tlsas, Trouble, Verdict};

/// The end of an examination of another domain.
pub(super) enum Outcome {
    Denied,
    /// The way there ends.
    Ended(Trouble),
    /// It has let us in, and that is all that the command can try.
    LetIn,
    /// It has let us in, and was asked for an answer.
    Pinged(Pong),
}

pub(super) struct Conclusion {
    pub works: bool,
    pub summary: String,
    pub advice: Vec<String>,
}

pub(super) fn conclude(
    domain: &DomainName,
    from: &DomainName,
    outcome: &Outcome,
    steps: &[Step],
    by_server: bool,
) -> Conclusion {
    let mut advice: Vec<String> = Vec::new();
    let (works, summary) = match outcome {
        Outcome::Denied => {
            advice.push("let [federation] allow it: enabled, allow, deny, deny_file".to_owned());
            (false, format!("this server does not talk to {domain}"))
        }
        Outcome::Ended(trouble) => {
            for step in steps {
                advice.extend(advise(step, domain, from, by_server).filter(|one| !advice.contains(one)));
            }
            if !steps.iter().any(|step| matches!(step, Step::Try { .. })) && advice.is_empty() {
                advice.push(no_server(domain));
            }
            (false, format!("{from} cannot talk to {domain}: {trouble}"))
        }
        Outcome::LetIn => {
            advice.push("start the server and ask again, to see whether answers come back".to_owned());
            (true, format!("{domain} lets {from} in"))
        }
        Outcome::Pinged(Pong::Answered(took)) => {
            (true, format!("{domain} and {from} talk to each other; an answer takes {} ms", took.as_millis()))
        }
        Outcome::Pinged(Pong::Returned(why)) => {
            (false, format!("{domain} lets {from} in, but a stanza came back undelivered: {why}"))
        }
        Outcome::Pinged(Pong::Nothing) => {
            advice.push(format!("see how {from} looks to others: oriole doctor {from}"));
            advice.push(format!("ask the operator of {domain} what its log says of {from}"));
            (false, format!("{domain} lets {from} in, but no answer comes back: it may not find {from}"))
        }
    };
    Conclusion { works, summary, advice }
}

/// What can be done about a step that failed.
fn advise(step: &Step, domain: &DomainName, from: &DomainName, by_server: bool) -> Option<String> {
    Some(match step {
        Step::Srv { name, failure: Some(_), .. } => {
            format!("see whether the name server answers: dig SRV {name}; federation.resolver says which one is asked")
        }
        Step::Addresses { host, failure: Some(_), .. } => {
            format!("{host} needs an A or AAAA record, or {domain} SRV records that name another host")
        }
        Step::Tcp { address, failure: Some(failure), .. } if failure == NO_ANSWER => {
            format!("{address}: the server is off, or a firewall drops what comes to port {}", address.port())
        }
        Step::Tcp { address, failure: Some(_), .. } => {
            format!("{address}: nobody listens on port {}, or a firewall forbids it", address.port())
        }
        Step::Tls { direct: true, failure: Some(_), .. } => {
            "the port must speak TLS from the first byte, or have no _xmpps-server record".to_owned()
        }
        Step::Tls { failure: Some(_), .. } => format!("{domain} must speak TLS 1.2 or 1.3"),
        Step::Certificate { dane: Some(Verdict::Mismatch), .. } => {
            format!("the TLSA records of {domain} must be changed together with its certificate")
        }
        Step::Certificate { judgement: Some(one), dane: None | Some(Verdict::Unusable) } if !one.proves() => {
            match (&one.matched, one.self_signed) {
                (None, _) => format!("{domain} needs a certificate that names {domain}"),
                (Some(_), true) => {
                    format!("{domain} needs a certificate of a public authority, or signed TLSA records")
                }
                (Some(_), false) => format!(
                    "{domain} needs a certificate that is valid (this one until {}), with the whole chain",
                    date(one.not_after)
                ),
            }
        }
        Step::Dane { found: Tlsas::Unknown(_), .. } => {
            "DANE needs a name server that passes on DNSSEC signatures (federation.resolver)".to_owned()
        }
        Step::Offer { secured: false, features } if !features.iter().any(|one| one == "starttls") => {
            format!("{domain} must offer STARTTLS, or be excepted here: federation.domains.\"{domain}\".require_tls")
        }
        Step::Unconvinced { by: Proof::Certificate } if by_server => {
            format!("{from} needs a certificate that {domain} accepts: see oriole doctor {from}")
        }
        Step::Unconvinced { by: Proof::Certificate } => {
            "start the server and ask again: only then dialback can be tried".to_owned()
        }
        Step::Unconvinced { by: Proof::DialbackKey } => {
            format!("{domain} must find {from} in DNS and reach it: see oriole doctor {from}")
        }
        _ => return None,
    })
}

fn no_server(domain: &DomainName) -> String {
    format!(
        "{domain} needs an SRV record such as: _xmpp-server._tcp.{}. 3600 IN SRV 0 5 5269 xmpp.{}.",
        domain.to_ascii(),
        domain.to_ascii()
    )
}

/// The end of an examination of a domain of our own. `wrong` are the places that failed.
pub(super) fn conclude_own(domain: &DomainName, wrong: &[Place], tried: usize, steps: &[Step]) -> Conclusion {
    let mut advice: Vec<String> = Vec::new();
    for step in steps {
        advice.extend(advise(step, domain, domain, true).filter(|one| !advice.contains(one)));
    }
    let summary = match (tried, wrong) {
        (0, _) => {
            advice.push(no_server(domain));
            format!("nobody can find {domain}")
        }
        (_, []) => format!("{domain} can be reached at all its places, as far as can be seen from here"),
        (_, [first, rest @ ..]) => {
            let more = if rest.is_empty() { String::new() } else { format!(", and {} more", rest.len()) };
            format!("something is wrong with {domain} at {}{more}", place_words(first))
        }
    };
    Conclusion { works: tried > 0 && wrong.is_empty(), summary, advice }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn concluded(outcome: Outcome, steps: &[Step], by_server: bool) -> Conclusion {
        conclude(&"mantua.example".parse().unwrap(), &"verona.example".parse().unwrap(), &outcome, steps, by_server)
    }

    #[test]
    fn the_end_says_who_and_why() {
        let refused = || Outcome::Ended(Trouble::Refused("no".to_owned()));
        for (outcome, works, words) in [
            (Outcome::Denied, false, "does not talk to mantua.example"),
            (refused(), false, "verona.example cannot talk to mantua.example: no"),
            (Outcome::LetIn, true, "mantua.example lets verona.example in"),
            (Outcome::Pinged(Pong::Answered(Duration::from_millis(7))), true, "an answer takes 7 ms"),
            (Outcome::Pinged(Pong::Returned("x".to_owned())), false, "came back undelivered: x"),
            (Outcome::Pinged(Pong::Nothing), false, "no answer comes back"),
        ] {
            let end = concluded(outcome, &[], true);
            assert!(end.works == works && end.summary.contains(words), "{}", end.summary);
        }
    }

    #[test]
    fn every_failure_has_its_advice_once() {
        let dead = Step::Tcp { address: "192.0.2.1:5269".parse().unwrap(), millis: 1, failure: Some("refused".into()) };
        let ended = || Outcome::Ended(Trouble::Unreachable("no".to_owned()));
        let end = concluded(ended(), &[dead.clone(), dead], true);
        assert_eq!(end.advice, ["192.0.2.1:5269: nobody listens on port 5269, or a firewall forbids it"]);
        let end = concluded(ended(), &[], true);
        assert!(end.advice[0].contains("_xmpp-server._tcp.mantua.example. 3600 IN SRV"), "{:?}", end.advice);
        let plain = Step::Offer { secured: false, features: vec![] };
        assert!(concluded(ended(), &[plain], true).advice[0].contains("must offer STARTTLS"));
        let refused = Step::Unconvinced { by: Proof::Certificate };
        assert!(concluded(ended(), std::slice::from_ref(&refused), false).advice[0].contains("start the server"));
        assert!(concluded(ended(), &[refused], true).advice[0].contains("oriole doctor verona.example"));
    }
}
