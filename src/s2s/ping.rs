//! A request to another server on the usual road, and the answer that comes back on it (XEP-0199 section 4.4).

use super::remotes::Pair;
use super::{Federation, StanzaError};
use compact_str::CompactString;
use parking_lot::Mutex;
use std::collections::HashMap;
use std::time::{Duration, Instant};
use tokio::sync::oneshot;
use tokio::time::timeout;
use wire::jid::BareJid;
use wire::stanza::{IqType, Kind, Stanza};
use wire::xml::Element;

/// Pings that wait for their answers, by id.
#[derive(Default)]
pub struct Pings(Mutex<HashMap<CompactString, Waiting>>);

struct Waiting {
    /// Who was asked.
    remote: BareJid,
    answer: oneshot::Sender<Pong>,
}

/// What became of a ping.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Pong {
    /// The other server has answered, be it with an error: both directions work.
    Answered(Duration),
    /// It came back undelivered.
    Returned(String),
    /// It went away, and nothing came back in time.
    Nothing,
}

impl Pings {
    /// Takes the answer to a ping; false: it is none. Only the one that was asked can answer.
    pub fn answered(&self, stanza: &Stanza) -> bool {
        let (Kind::Iq(IqType::Result | IqType::Error), Some(id), Some(from)) = (&stanza.kind, &stanza.id, &stanza.from)
        else {
            return false;
        };
        let mut waiting = self.0.lock();
        if waiting.get(id).is_none_or(|one| one.remote.as_jid() != from) {
            return false;
        }
        waiting.remove(id).is_some_and(|one| one.answer.send(Pong::Answered(Duration::ZERO)).is_ok())
    }

    /// Takes pings out of what is given back to its senders.
    pub fn returned(&self, stanzas: &mut Vec<Stanza>, error: &StanzaError) {
        let mut waiting = self.0.lock();
        if waiting.is_empty() {
            return;
        }
        stanzas.retain(|stanza| {
            let own = stanza.id.as_ref().filter(|_| matches!(stanza.kind, Kind::Iq(IqType::Get)));
            match own.and_then(|id| waiting.remove(id)) {
                Some(one) => one.answer.send(Pong::Returned(words(error))).is_err(),
                None => true,
            }
        });
    }
}

impl Federation {
    /// Asks another server for an answer, as stanzas of users are sent to it.
    pub async fn ping(&self, pair: &Pair) -> Pong {
        let mut octets = [0; 16];
        crate::net::random(&mut octets);
        let id: CompactString = octets.iter().map(|octet| format!("{octet:02x}")).collect();
        let ping = Stanza::new(IqType::Get).with_id(id.clone()).with_child(&Element::new("ping", "urn:xmpp:ping"));
        let ping = ping.with_from(pair.local.clone()).with_to(pair.remote.clone());
        let (answer, pong) = oneshot::channel();
        self.pings.0.lock().insert(id.clone(), Waiting { remote: pair.remote.clone(), answer });
        let begun = Instant::now();
        let pong = match self.send(&ping) {
            // The line gives it back when it cannot be delivered in that time; the answer needs as long at most.
            Ok(()) => timeout(2 * self.config.timeouts.deliver.get(), pong).await,
            Err(error) => Ok(Ok(Pong::Returned(words(&error)))),
        };
        self.pings.0.lock().remove(&id);
        match pong {
            Ok(Ok(Pong::Answered(_))) => Pong::Answered(begun.elapsed()),
            Ok(Ok(other)) => other,
            Ok(Err(_)) | Err(_) => Pong::Nothing,
        }
    }
}

fn words(error: &StanzaError) -> String {
    match &error.text {
        Some(text) => format!("{} ({text})", error.condition.name()),
        None => error.condition.name().to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use wire::stanza::Condition;

    fn asked(pings: &Pings) -> oneshot::Receiver<Pong> {
        let (answer, pong) = oneshot::channel();
        pings.0.lock().insert("1".into(), Waiting { remote: "b.example".parse().unwrap(), answer });
        pong
    }

    fn iq(kind: IqType, from: &str) -> Stanza {
        Stanza::new(kind).with_id("1").with_from(from.parse::<BareJid>().unwrap())
    }

    #[test]
    fn only_who_was_asked_answers() {
        let pings = Pings::default();
        let mut pong = asked(&pings);
        assert!(!pings.answered(&iq(IqType::Result, "c.example")));
        assert!(!pings.answered(&iq(IqType::Get, "b.example")));
        assert!(pong.try_recv().is_err());
        assert!(pings.answered(&iq(IqType::Error, "b.example")));
        assert_eq!(pong.try_recv(), Ok(Pong::Answered(Duration::ZERO)));
        assert!(!pings.answered(&iq(IqType::Error, "b.example")), "once");
    }

    #[test]
    fn what_comes_back_is_told_to_who_asked() {
        let pings = Pings::default();
        let mut pong = asked(&pings);
        let mut stanzas = vec![iq(IqType::Get, "a.example"), iq(IqType::Get, "a.example").with_id("2")];
        pings.returned(&mut stanzas, &StanzaError::new(Condition::RemoteServerNotFound));
        assert_eq!(stanzas.len(), 1);
        assert!(matches!(pong.try_recv(), Ok(Pong::Returned(_))));
    }
}
