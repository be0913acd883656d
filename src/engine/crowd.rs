//! Waiting for room. What goes to very many may go to many of them by one way, a stream to another server or to a component, which
//! takes so much at a time: whoever has more to send than it wants to hold waits until that way is free again, and does not
//! have the rest refused. A way that stays full is not waited for without end.

use super::{Engine, Outbox, Road};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{Instant, sleep};
use wire::jid::BareJid;
use wire::stanza::Stanza;

/// How long all that one stanza causes waits for room.
const PATIENCE: Duration = Duration::from_secs(10);
const PAUSE: Duration = Duration::from_millis(5);

/// A way that is more than half full.
pub enum Crowd {
    Component(Arc<Outbox>),
    Remote { local: BareJid, remote: BareJid },
}

/// The patience that is left.
pub struct Patience(Duration);

impl Default for Patience {
    fn default() -> Self {
        Patience(PATIENCE)
    }
}

impl Engine {
    /// Notes that the way that a stanza has gone to another server is crowded, if it is one of very many.
    pub(super) fn note_remote(&self, stanza: &Stanza, road: &mut Road) {
        if let (true, Some(from), Some(to)) = (road.by_page, &stanza.from, &stanza.to) {
            let crowd = Crowd::Remote { local: from.domain_of(), remote: to.domain_of() };
            road.crowd = Some(crowd).filter(|crowd| self.is_crowded(crowd));
        }
    }

    /// The same for a component.
    pub(super) fn note_component(&self, outbox: &Arc<Outbox>, road: &mut Road) {
        if road.by_page && outbox.is_crowded() {
            road.crowd = Some(Crowd::Component(outbox.clone()));
        }
    }

    /// Waits until there is room where the last stanza has gone.
    pub(super) async fn wait_for_room(&self, road: &mut Road) {
        let Some(crowd) = road.crowd.take() else { return };
        let begin = Instant::now();
        while begin.elapsed() < road.patience.0 && self.is_crowded(&crowd) {
            sleep(PAUSE).await;
        }
        road.patience.0 = road.patience.0.saturating_sub(begin.elapsed());
    }

    fn is_crowded(&self, crowd: &Crowd) -> bool {
        match crowd {
            Crowd::Component(outbox) => outbox.is_crowded(),
            Crowd::Remote { local, remote } => {
                self.federation.get().is_some_and(|federation| federation.is_crowded(local, remote))
            }
        }
    }
}
