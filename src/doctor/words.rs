//! What a step means, in words for an operator. Pure: the time is handed in.

use super::{Finding, Level, Section};
use crate::config::DomainName;
use crate::s2s::{Host, Judgement, Place, Proof, Security, Srv, Step, Tlsas, Verdict};
use std::net::IpAddr;
use std::time::{Duration, SystemTime};
use time::OffsetDateTime;

/// What the words depend on besides the step.
pub(super) struct Context<'a> {
    /// Whose server it is.
    pub domain: &'a DomainName,
    /// Whether it is one of our own.
    pub own: bool,
    /// Whether a server that proves nothing by its certificate may do so by dialback.
    pub dialback: bool,
    pub now: SystemTime,
}

/// A certificate that ends sooner than this deserves a warning.
const SOON: Duration = Duration::from_secs(14 * 86_400);

/// The steps in sections: what DNS says, and a section for each place.
pub(super) fn sections(steps: Vec<Step>, context: &Context<'_>) -> Vec<Section> {
    let mut sections = vec![Section { title: "Where the server is".to_owned(), findings: Vec::new() }];
    for step in steps {
        if let Step::HostMeta { url, .. } = &step {
            sections.push(Section { title: format!("What {url} says"), findings: Vec::new() });
        }
        if let Step::Try { place } = &step {
            sections.push(Section { title: format!("At {}", place_words(place)), findings: Vec::new() });
        } else if let (Some(section), Some((level, text))) = (sections.last_mut(), finding(&step, context)) {
            section.findings.push(Finding { level, text, step: Some(step) });
        }
    }
    sections
}

pub(super) fn place_words(place: &Place) -> String {
    let how = match place.security {
        Security::StartTls => "STARTTLS",
        Security::Direct => "TLS from the first byte",
    };
    match &place.host {
        Host::Address(address) | Host::Named { address, .. } => format!("{address} port {}, {how}", place.port),
        Host::Name(name) => format!("{name} port {}, {how}", place.port),
    }
}

/// None: nothing that an operator has to know.
fn finding(step: &Step, context: &Context<'_>) -> Option<(Level, String)> {
    Some(match step {
        Step::Denied => {
            (Level::Bad, "federation.enabled, allow, deny or deny_file says that it is not talked to".to_owned())
        }
        Step::Route { place } => {
            (Level::Note, format!("federation.routes says {}; DNS is not asked", place_words(place)))
        }
        Step::Srv { name, failure: Some(failure), .. } => (Level::Bad, format!("{name}: {failure}")),
        Step::Srv { name, records, .. } if records.is_empty() => (Level::Note, format!("{name}: no records")),
        Step::Srv { name, records, ttl, .. } => srv(name, records, *ttl),
        Step::Places { places } => {
            let list: Vec<String> = places.iter().map(place_words).collect();
            (Level::Note, format!("to be tried, in this order: {}", list.join("; ")))
        }
        Step::HostMeta { failure: Some(failure), .. } => (Level::Note, format!("nothing of use: {failure}")),
        Step::HostMeta { places, .. } => {
            let list: Vec<String> = places.iter().map(place_words).collect();
            (Level::Good, format!("to be tried, in this order: {}", list.join("; ")))
        }
        Step::Addresses { host, failure: Some(failure), .. } => (Level::Bad, format!("{host}: {failure}")),
        Step::Addresses { host, addresses, ttl, .. } => self::addresses(host, addresses, *ttl, context.own),
        Step::Tcp { address, millis, failure: None } => (Level::Good, format!("{address} answers within {millis} ms")),
        Step::Tcp { address, millis, failure: Some(failure) } => {
            (Level::Bad, format!("{address} cannot be connected to: {failure}, after {millis} ms"))
        }
        Step::Dane { name, found } => dane(name, found),
        Step::Tls { version, cipher, millis, failure: None, .. } => {
            (Level::Good, format!("{version} with {cipher}, negotiated within {millis} ms"))
        }
        Step::Tls { failure: Some(failure), .. } => (Level::Bad, format!("TLS cannot be negotiated: {failure}")),
        Step::Certificate { judgement, dane } => certificate(judgement.as_ref(), *dane, context),
        Step::Offer { secured, features } => offer(*secured, features),
        Step::Established { by } => {
            let by = if *by == Proof::Certificate { "certificate" } else { "dialback keys" };
            (Level::Good, format!("it accepts our {by}: stanzas can flow to it"))
        }
        Step::Failed { why } => (Level::Bad, why.clone()),
        Step::Unconvinced { .. } | Step::Looked | Step::Try { .. } => return None,
    })
}

fn srv(name: &str, records: &[Srv], ttl: Option<u32>) -> (Level, String) {
    let record = |one: &Srv| match one.host.as_str() {
        "" => "\".\", which says that the service is not there".to_owned(),
        host => format!("{host} port {} (priority {}, weight {})", one.port, one.priority, one.weight),
    };
    let list: Vec<String> = records.iter().map(record).collect();
    let level = if records.iter().all(|one| one.host.is_empty()) { Level::Warning } else { Level::Good };
    (level, format!("{name}: {}{}", list.join("; "), for_seconds(ttl)))
}

fn addresses(host: &str, addresses: &[IpAddr], ttl: Option<u32>, own: bool) -> (Level, String) {
    let list: Vec<String> = addresses.iter().map(ToString::to_string).collect();
    let text = format!("{host}: {}{}", list.join(", "), for_seconds(ttl));
    match own && addresses.iter().any(is_private) {
        true => (Level::Warning, format!("{text}; not all of them can be reached from the Internet")),
        false => (Level::Good, text),
    }
}

/// Addresses that lead nowhere from elsewhere (RFC 6890).
fn is_private(address: &IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => v4.is_private() || v4.is_loopback() || v4.is_link_local() || v4.is_unspecified(),
        IpAddr::V6(v6) => v6.is_loopback() || v6.is_unspecified() || v6.is_unique_local() || v6.is_unicast_link_local(),
    }
}

fn for_seconds(ttl: Option<u32>) -> String {
    ttl.map(|ttl| format!(" [for {ttl} s]")).unwrap_or_default()
}

fn dane(name: &str, found: &Tlsas) -> (Level, String) {
    match found {
        Tlsas::Nothing => (Level::Note, format!("{name}: no TLSA records that DNSSEC proves")),
        Tlsas::Unsigned => {
            (Level::Note, format!("{name}: not looked at, because the SRV records are not signed (DNSSEC)"))
        }
        Tlsas::Unknown(why) => {
            (Level::Warning, format!("{name}: it cannot be found out whether there are TLSA records: {why}"))
        }
        Tlsas::Records(records) => {
            let kind = |one: &crate::s2s::Tlsa| format!("{} {} {}", one.usage, one.selector, one.matching);
            let list: Vec<String> = records.iter().map(kind).collect();
            (Level::Good, format!("{name}: TLSA {}, proved by DNSSEC", list.join(", ")))
        }
    }
}

fn certificate(judgement: Option<&Judgement>, dane: Option<Verdict>, context: &Context<'_>) -> (Level, String) {
    match dane {
        Some(Verdict::OwnCertificate) => return (Level::Good, "its certificate is that of a TLSA record".to_owned()),
        Some(Verdict::Authority) => {
            return (Level::Good, "a TLSA record is of the authority of its certificate".to_owned());
        }
        Some(Verdict::Mismatch) => return (Level::Bad, "no TLSA record is of its certificate".to_owned()),
        Some(Verdict::Unusable) | None => {}
    }
    // Where dialback will do, a bad certificate is not the end.
    let bad = if context.dialback && !context.own { Level::Warning } else { Level::Bad };
    let rest = if bad == Level::Warning { "; it has to prove itself by dialback" } else { "" };
    let Some(judgement) = judgement else { return (bad, format!("it shows no certificate{rest}")) };
    let Judgement { names, matched, fault, self_signed, not_after, .. } = judgement;
    let until = date(*not_after);
    match (matched, fault) {
        (Some(name), None) => match not_after.duration_since(context.now) {
            Ok(left) if left < SOON => (Level::Warning, format!("its certificate for {name} expires soon, on {until}")),
            _ => (Level::Good, format!("its certificate for {name} is good until {until}")),
        },
        (None, None) => {
            (bad, format!("its certificate is not for {}, but for {}{rest}", context.domain, list_of(names)))
        }
        (_, Some(fault)) => {
            let what = if *self_signed { "self-signed certificate" } else { "certificate" };
            let name = matched.as_deref().map_or_else(|| list_of(names), str::to_owned);
            (bad, format!("its {what} for {name}, until {until}, is not good: {fault}{rest}"))
        }
    }
}

fn list_of(names: &[String]) -> String {
    if names.is_empty() { "nobody".to_owned() } else { names.join(", ") }
}

fn offer(secured: bool, features: &[String]) -> (Level, String) {
    let list = if features.is_empty() { "nothing".to_owned() } else { features.join(", ") };
    match secured {
        true => (Level::Good, format!("offers when encrypted: {list}")),
        false if features.iter().any(|one| one == "starttls") => {
            (Level::Good, format!("offers before encryption: {list}"))
        }
        false => (Level::Bad, format!("offers no encryption, but: {list}")),
    }
}

/// The day, as 2027-01-31.
pub(super) fn date(at: SystemTime) -> String {
    OffsetDateTime::from(at).date().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judgement(matched: Option<&str>, fault: Option<&str>, days: u64) -> Judgement {
        Judgement {
            names: vec!["mantua.example".to_owned(), "*.mantua.example".to_owned()],
            matched: matched.map(str::to_owned),
            fault: fault.map(str::to_owned),
            self_signed: false,
            fingerprint: String::new(),
            not_before: SystemTime::UNIX_EPOCH,
            not_after: SystemTime::UNIX_EPOCH + Duration::from_secs(86_400 * (10_000 + days)),
        }
    }

    fn tell(step: &Step, own: bool, dialback: bool) -> (Level, String) {
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(86_400 * 10_000);
        let domain = "mantua.example".parse().unwrap();
        finding(step, &Context { domain: &domain, own, dialback, now }).unwrap()
    }

    #[test]
    fn certificates_are_told_apart() {
        let cert = |judgement, dane| Step::Certificate { judgement, dane };
        let good = || Some(judgement(Some("mantua.example"), None, 100));
        for (step, dialback, level, words) in [
            (cert(good(), None), false, Level::Good, "for mantua.example is good until 1997-08-27"),
            (cert(Some(judgement(Some("a"), None, 3)), None), false, Level::Warning, "expires soon, on 1997-05-22"),
            (cert(Some(judgement(None, None, 99)), None), false, Level::Bad, "not for mantua.example, but for mantua"),
            (cert(Some(judgement(None, None, 99)), None), true, Level::Warning, "prove itself by dialback"),
            (cert(Some(judgement(Some("a"), Some("it is old"), 9)), None), false, Level::Bad, "not good: it is old"),
            (cert(None, None), false, Level::Bad, "no certificate"),
            (cert(good(), Some(Verdict::Mismatch)), true, Level::Bad, "no TLSA record is of its certificate"),
            (cert(None, Some(Verdict::OwnCertificate)), false, Level::Good, "that of a TLSA record"),
            (cert(good(), Some(Verdict::Unusable)), false, Level::Good, "is good until"),
        ] {
            let (told, text) = tell(&step, false, dialback);
            assert!(told == level && text.contains(words), "{told:?} {text}");
        }
        let (own, _) = tell(&cert(Some(judgement(None, None, 99)), None), true, true);
        assert_eq!(own, Level::Bad, "of ours, nothing less is good");
    }

    #[test]
    fn services_that_are_said_to_be_absent_are_pointed_out() {
        let record = |host: &str| Srv {
            priority: 1,
            weight: 2,
            host: host.to_owned(),
            port: 5269,
            security: Security::StartTls,
        };
        let step = |records| Step::Srv { name: "_a".to_owned(), records, ttl: Some(60), failure: None };
        assert_eq!(tell(&step(vec![]), false, true).0, Level::Note);
        assert_eq!(tell(&step(vec![record("")]), false, true).0, Level::Warning);
        let (level, text) = tell(&step(vec![record("x.example")]), false, true);
        assert_eq!((level, text.as_str()), (Level::Good, "_a: x.example port 5269 (priority 1, weight 2) [for 60 s]"));
    }

    #[test]
    fn encryption_must_be_on_offer() {
        let step = |secured, features: &[&str]| Step::Offer {
            secured,
            features: features.iter().map(|one| (*one).to_owned()).collect(),
        };
        assert_eq!(tell(&step(false, &["starttls"]), false, true).0, Level::Good);
        assert_eq!(tell(&step(false, &["dialback"]), false, true).0, Level::Bad);
        assert_eq!(tell(&step(true, &[]), false, true), (Level::Good, "offers when encrypted: nothing".to_owned()));
    }
}
