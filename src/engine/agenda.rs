//! Keeping appointments (`xeps::agenda`): what is due is looked up every second, and whoever it is with is woken for it.

use super::hooks::report;
use super::residents::Call;
use super::served::{Destination, Served};
use super::{Engine, Road};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::timeout;
use tracing::error;
use wire::jid::Jid;
use xeps::agenda::{self, Appointment};
use xeps::feature::Hook;
use xeps::store::{Batch, Position, StoreError};

/// How exactly appointments are kept.
const PAUSE: Duration = Duration::from_secs(1);
/// Appointments that are listed at once.
const PAGE: usize = 100;

impl Engine {
    /// Goes on until the server stops, and leaves nothing half done then.
    pub async fn keep_appointments(&self, mut stopping: watch::Receiver<bool>) {
        loop {
            for served in self.domains.hosts() {
                if let Err(error) = self.keep_due(served, &stopping).await {
                    error!(%error, host = %served.host.domain, "what is due cannot be looked up");
                }
            }
            if timeout(PAUSE, stopping.wait_for(|stopping| *stopping)).await.is_ok() {
                return;
            }
        }
    }

    /// Keeps all appointments of a host that are due. One that fails is tried again the next time, and keeps nobody waiting.
    async fn keep_due(&self, served: &Arc<Served>, stopping: &watch::Receiver<bool>) -> Result<(), StoreError> {
        let (store, now, mut after) = (self.store.as_ref(), self.clock.now(), None::<String>);
        loop {
            let page = agenda::due(store, &served.host.domain, now, after.as_deref(), PAGE).await?;
            for appointment in &page {
                if *stopping.borrow() {
                    return Ok(());
                }
                self.keep(served, appointment).await?;
            }
            match page.last() {
                Some(last) if page.len() == PAGE => after = Some(last.name.clone()),
                _ => return Ok(()),
            }
        }
    }

    async fn keep(&self, served: &Arc<Served>, appointment: &Appointment) -> Result<(), StoreError> {
        match self.domains.destination(&Jid::from(appointment.at.clone())) {
            Destination::Service(serving) => {
                let lane = serving.service().lane_of(appointment);
                let seat = serving.seat(appointment.at.clone(), lane);
                self.call_on(&serving, seat, Call::Due(appointment)).await;
                Ok(())
            }
            Destination::Account(served) => self.keep_with_account(&served, appointment).await,
            // Nobody whom it could be with is served any more.
            _ => self.strike(served, appointment).await,
        }
    }

    async fn keep_with_account(&self, served: &Arc<Served>, appointment: &Appointment) -> Result<(), StoreError> {
        let entry = self.awake.wake(served, &appointment.at);
        let mut road = Road::new(None, None, Position::default());
        let kept = {
            let mut lane = entry.lane().await;
            match lane.exists(self.store.as_ref()).await {
                Ok(true) => {
                    let mut cx = self.context(served, &road);
                    for feature in cx.host.registry.chain(Hook::Due) {
                        let outcome = feature.due(&mut cx, &mut lane.account, appointment).await;
                        report(outcome, feature.about().name);
                    }
                    let acts = road.close_quietly(cx).await;
                    self.settle(&mut lane, &entry, acts, &mut road).await;
                    Ok(())
                }
                Ok(false) => self.strike(served, appointment).await,
                Err(error) => Err(error),
            }
        };
        self.travel(&mut road).await;
        self.awake.release(entry);
        kept
    }

    async fn strike(&self, served: &Arc<Served>, appointment: &Appointment) -> Result<(), StoreError> {
        let mut batch = Batch::new();
        agenda::strike(&mut batch, &served.host.domain, &appointment.name);
        self.store.commit(batch).await.map(|_| ())
    }
}
