//! Sessions that no connection has, and features that reach their clients in another way: what they are told, and when.

use crate::engine::awake::{Entry, Lane};
use crate::engine::{Engine, Road, hooks};
use std::time::Duration;
use wire::stanza::Stanza;
use xeps::account::SessionId;
use xeps::feature::Hook;
use xeps::store::Position;

/// Between two accounts after a restart, so that push services are not asked for all of them at once.
const PACE: Duration = Duration::from_millis(1);

impl Engine {
    /// The connection of a session is gone. Features see what its client has perhaps not got.
    pub(super) async fn falls_asleep(&self, lane: &mut Lane, entry: &Entry, id: SessionId, road: &mut Road) {
        let Some(outlet) = lane.outlet(id) else { return };
        let rest = outlet.resumable.as_ref().and_then(|resumable| resumable.rest.as_ref());
        let unacknowledged = rest.into_iter().flat_map(|rest| rest.suspended.unacknowledged());
        let mut waiting: Vec<Stanza> = unacknowledged.map(|sent| sent.stanza.clone()).collect();
        waiting.extend(outlet.outbox.peek());
        self.tell_asleep(lane, entry, id, &waiting, road).await;
    }

    /// The client of a session is back.
    pub(super) async fn awakes(&self, lane: &mut Lane, entry: &Entry, id: SessionId, road: &mut Road) {
        let mut cx = self.context(&entry.served, road);
        for feature in cx.host.registry.chain(Hook::SessionAwake) {
            let outcome = feature.session_awake(&mut cx, &mut lane.account, id).await;
            hooks::report(outcome, feature.about().name);
        }
        let acts = road.close_quietly(cx).await;
        self.settle(lane, entry, acts, road).await;
    }

    /// After a restart: clients have so long to come back by themselves; then features see what those have not got that are
    /// still away.
    pub async fn wake_restored(&self, patience: Duration) {
        tokio::time::sleep(patience).await;
        for entry in self.awake.all() {
            let mut road = Road::new(None, None, Position::default());
            let found = {
                let mut lane = entry.lane().await;
                let restored: Vec<SessionId> = lane.restored().collect();
                for id in &restored {
                    let waiting = self.waiting(&mut lane, &entry, *id, &mut road).await;
                    self.tell_asleep(&mut lane, &entry, *id, &waiting, &mut road).await;
                }
                !restored.is_empty()
            };
            self.travel(&mut road).await;
            self.awake.release(entry);
            if found {
                tokio::time::sleep(PACE).await;
            }
        }
    }

    /// What lies in the store for a session from before a restart, and was not acknowledged.
    async fn waiting(&self, lane: &mut Lane, entry: &Entry, id: SessionId, road: &mut Road) -> Vec<Stanza> {
        let resumable = lane.outlet(id).and_then(|outlet| outlet.resumable.as_ref());
        let lost = resumable.and_then(|resumable| Some(resumable.restored.as_ref()?.lost.clone())).unwrap_or_default();
        let mut waiting = Vec::new();
        for one in lost {
            waiting.extend(self.recall(lane, entry, None, one.entry, road).await);
        }
        waiting
    }

    async fn tell_asleep(&self, lane: &mut Lane, entry: &Entry, id: SessionId, waiting: &[Stanza], road: &mut Road) {
        let mut cx = self.context(&entry.served, road);
        for feature in cx.host.registry.chain(Hook::SessionAsleep) {
            let outcome = feature.session_asleep(&mut cx, &mut lane.account, id, waiting).await;
            hooks::report(outcome, feature.about().name);
        }
        let acts = road.close_quietly(cx).await;
        self.settle(lane, entry, acts, road).await;
    }
}
