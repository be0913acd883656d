//! Another domain, as a server to talk to.

use super::conclusion::{Conclusion, Outcome, conclude};
use super::words::{Context, sections};
use super::{Doctor, Finding, Level, Report, Section};
use crate::config::{DomainName, Proof};
use crate::s2s::{Journal, Opened, Pair, Pong, Step, Witness, bid_farewell};
use std::time::{Instant, SystemTime};
use wire::stream::Purpose;

impl Doctor<'_> {
    pub(super) async fn examine_remote(&self, domain: &DomainName, from: &DomainName) -> Report {
        let journal = Journal::default();
        let outcome = self.meet(domain, from, &journal).await;
        let steps = journal.into_steps();
        let Conclusion { works, summary, advice } = conclude(domain, from, &outcome, &steps, self.by_server);
        let unsigned = !self.config.federation.dane && steps.iter().any(|step| matches!(step, Step::Srv { .. }));
        let context = Context {
            domain,
            own: false,
            dialback: self.config.federation.proof(domain) == Proof::CertificatesOrDialback,
            now: SystemTime::now(),
        };
        let mut sections = sections(steps, &context);
        if let Some(first) = sections.first_mut().filter(|_| unsigned) {
            let text = "whether DNS is signed (DNSSEC) is not looked at: federation.dane is false";
            first.findings.push(Finding::new(Level::Note, text));
        }
        if let Outcome::Pinged(pong) = &outcome {
            sections.push(Section { title: "There and back".to_owned(), findings: vec![pong_words(pong)] });
        }
        sections.retain(|section| !section.findings.is_empty());
        let (domain, from) = (domain.to_string(), from.to_string());
        Report { domain, from, by_server: self.by_server, sections, advice, works, summary }
    }

    /// Goes the way of a stanza, as far as possible.
    async fn meet(&self, domain: &DomainName, from: &DomainName, journal: &Journal) -> Outcome {
        if !self.config.federation.enabled || !self.federation.permits(domain) {
            journal.saw(Step::Denied);
            return Outcome::Denied;
        }
        let pair = Pair { local: from.jid().clone(), remote: domain.jid().clone() };
        match self.dialer(journal).open(&pair, Purpose::Stanzas).await {
            Ok(Opened::Link(mut link)) => {
                link.initiator.close(Instant::now());
                bid_farewell(&mut link.io, &mut link.initiator).await;
            }
            Ok(Opened::Verified(_) | Opened::Looked) => {}
            Err(trouble) => return Outcome::Ended(trouble),
        }
        match self.by_server {
            true => Outcome::Pinged(self.federation.ping(&pair).await),
            false => Outcome::LetIn,
        }
    }
}

fn pong_words(pong: &Pong) -> Finding {
    match pong {
        Pong::Answered(took) => {
            Finding::new(Level::Good, format!("a ping was answered within {} ms", took.as_millis()))
        }
        Pong::Returned(why) => Finding::new(Level::Bad, format!("a ping came back undelivered: {why}")),
        Pong::Nothing => Finding::new(Level::Bad, "a ping was delivered, but no answer came back"),
    }
}
