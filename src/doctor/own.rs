//! A domain of our own, as clients and other servers find it: every record, every address, every certificate.

use super::conclusion::{Conclusion, conclude_own};
use super::host_meta;
use super::words::{Context, place_words, sections};
use super::{Doctor, Report, Section};
use crate::config::DomainName;
use crate::s2s::{Journal, PLACES, Pair, Place, Step};
use std::net::SocketAddr;
use std::time::SystemTime;
use wire::stream::{Audience, Purpose};

impl Doctor<'_> {
    pub(super) async fn examine_own(&self, domain: &DomainName) -> Report {
        let context = Context { domain, own: true, dialback: false, now: SystemTime::now() };
        let (mut told, mut all_steps, mut wrong, mut tried) = (Vec::new(), Vec::new(), Vec::new(), 0);
        // A component has no clients.
        let clients = self.config.hosts.contains_key(domain).then_some((Audience::Clients, "For clients"));
        let servers = self.config.federation.enabled.then_some((Audience::Servers, "For other servers"));
        for (audience, title) in clients.into_iter().chain(servers) {
            let journal = Journal::default();
            let places = self.federation.places(domain, audience, &journal).await;
            let steps = journal.into_steps();
            all_steps.extend(steps.clone());
            told.extend(titled(sections(steps, &context), title));
            for place in places.unwrap_or_default().into_iter().take(PLACES) {
                tried += 1;
                let steps = self.look(domain, &place, audience).await;
                if !is_sound(&steps) {
                    wrong.push(place.clone());
                }
                all_steps.extend(steps.clone());
                told.extend(titled(sections(steps, &context), &format!("{title}: {}", place_words(&place))));
            }
        }
        told.push(Section {
            title: "For clients on the web (XEP-0156)".to_owned(),
            findings: vec![host_meta::look(self, domain).await],
        });
        let Conclusion { works, summary, advice } = conclude_own(domain, &wrong, tried, &all_steps);
        let domain = domain.to_string();
        Report { from: domain.clone(), domain, by_server: self.by_server, sections: told, advice, works, summary }
    }

    /// Looks at one place, at each of its addresses.
    async fn look(&self, domain: &DomainName, place: &Place, audience: Audience) -> Vec<Step> {
        let journal = Journal::default();
        let dialer = self.dialer(&journal);
        let pair = Pair { local: domain.jid().clone(), remote: domain.jid().clone() };
        let addresses: Vec<SocketAddr> = self.federation.addresses(place, &journal).await.unwrap_or_default();
        for address in addresses.into_iter().take(PLACES) {
            // What goes wrong is in the journal.
            let _ = dialer.open_via(&[address], place, &pair, domain, Purpose::Look(audience)).await;
        }
        journal.into_steps()
    }
}

/// Whether every address answered, with a certificate that is good for the domain.
fn is_sound(steps: &[Step]) -> bool {
    let looked = steps.iter().filter(|step| matches!(step, Step::Looked)).count();
    let failed = |step: &Step| match step {
        Step::Addresses { failure, .. } | Step::Tcp { failure, .. } | Step::Tls { failure, .. } => failure.is_some(),
        Step::Certificate { judgement, dane } => {
            let proves = judgement.as_ref().is_some_and(crate::s2s::Judgement::proves);
            !dane.map_or(proves, |dane| dane.proves() || (dane == crate::s2s::Verdict::Unusable && proves))
        }
        Step::Failed { .. } => true,
        _ => false,
    };
    looked > 0 && !steps.iter().any(failed)
}

/// One title for what was found.
fn titled(sections: Vec<Section>, title: &str) -> Option<Section> {
    let findings: Vec<_> = sections.into_iter().flat_map(|section| section.findings).collect();
    (!findings.is_empty()).then(|| Section { title: title.to_owned(), findings })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::s2s::Verdict;

    #[test]
    fn a_place_is_sound_when_every_address_answers_with_a_good_certificate() {
        let answers = Step::Tcp { address: "192.0.2.1:5269".parse().unwrap(), millis: 1, failure: None };
        let refuses = Step::Tcp {
            address: "192.0.2.2:5269".parse().unwrap(),
            millis: 1,
            failure: Some("Connection refused".to_owned()),
        };
        let certificate = |dane| Step::Certificate { judgement: None, dane };
        for (steps, sound) in [
            (vec![answers.clone(), certificate(Some(Verdict::OwnCertificate)), Step::Looked], true),
            (vec![answers.clone(), certificate(Some(Verdict::OwnCertificate))], false),
            (vec![answers.clone(), certificate(Some(Verdict::Mismatch)), Step::Looked], false),
            (vec![answers.clone(), certificate(Some(Verdict::Unusable)), Step::Looked], false),
            (vec![answers.clone(), certificate(None), Step::Looked], false),
            (vec![answers, Step::Looked, refuses], false),
            (vec![], false),
        ] {
            assert_eq!(is_sound(&steps), sound, "{steps:?}");
        }
    }
}
