//! Waiting for room. What goes to very many may go to many of them by one way, a stream to another server or to a component, which
//! takes so much at a time: whoever has more to send than it wants to hold waits until that way is free again, and does not
//! have the rest refused. A way that stays full is not
//! waited for without end, and for a while not again: whoever takes nothing must not keep the others waiting.

use super::{Engine, Outbox, Road};
use parking_lot::Mutex;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{Instant, sleep};
use wire::jid::BareJid;
use wire::stanza::Stanza;

/// How long all that one stanza causes waits for room.
const PATIENCE: Duration = Duration::from_secs(10);
const PAUSE: Duration = Duration::from_millis(5);

/// For how long a way that stayed full is not waited for.
const DISTRUST: Duration = Duration::from_secs(60);

/// A way that is more than half full.
pub struct Crowd {
    way: Way,
    /// Without it, another server.
    component: Option<Arc<Outbox>>,
}

/// From one domain to another.
type Way = (BareJid, BareJid);

/// The patience that is left.
pub struct Patience(Duration);

impl Default for Patience {
    fn default() -> Self {
        Patience(PATIENCE)
    }
}

/// Ways that stayed full, and until when they are not waited for.
#[derive(Default)]
pub struct Stalled(Mutex<HashMap<Way, Instant>>);

impl Stalled {
    fn note(&self, way: Way, now: Instant) {
        let mut ways = self.0.lock();
        ways.retain(|_, until| *until > now);
        ways.insert(way, now + DISTRUST);
    }

    fn has(&self, way: &Way, now: Instant) -> bool {
        self.0.lock().get(way).is_some_and(|until| *until > now)
    }
}

impl Engine {
    /// Notes that the way that a stanza has gone is crowded, if it is one of very many: to a component, or else to another server.
    pub(super) fn note_crowd(&self, stanza: &Stanza, component: Option<&Arc<Outbox>>, road: &mut Road) {
        if let (true, Some(from), Some(to)) = (road.by_page, &stanza.from, &stanza.to) {
            let crowd = Crowd { way: (from.domain_of(), to.domain_of()), component: component.cloned() };
            let waited_for = self.is_crowded(&crowd) && !self.stalled.has(&crowd.way, Instant::now());
            road.crowd = Some(crowd).filter(|_| waited_for);
        }
    }

    /// Waits until there is room where the last stanza has gone.
    pub(super) async fn wait_for_room(&self, road: &mut Road) {
        let Some(crowd) = road.crowd.take().filter(|_| !road.patience.0.is_zero()) else { return };
        let begin = Instant::now();
        while self.is_crowded(&crowd) {
            if begin.elapsed() >= road.patience.0 {
                self.stalled.note(crowd.way, Instant::now());
                break;
            }
            sleep(PAUSE).await;
        }
        road.patience.0 = road.patience.0.saturating_sub(begin.elapsed());
    }

    fn is_crowded(&self, crowd: &Crowd) -> bool {
        let (local, remote) = &crowd.way;
        match (&crowd.component, self.federation.get()) {
            (Some(outbox), _) => outbox.is_crowded(),
            (None, Some(federation)) => federation.is_crowded(local, remote),
            (None, None) => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_way_that_stalled_is_waited_for_again_after_a_while() {
        let way = |remote| (BareJid::parse("a.example").unwrap(), BareJid::parse(remote).unwrap());
        let (stalled, now) = (Stalled::default(), Instant::now());
        stalled.note(way("b.example"), now);
        assert!(stalled.has(&way("b.example"), now) && !stalled.has(&way("c.example"), now));
        let later = now + DISTRUST;
        assert!(!stalled.has(&way("b.example"), later));
        stalled.note(way("c.example"), later);
        assert_eq!(stalled.0.lock().len(), 1, "what is over is forgotten");
    }
}
