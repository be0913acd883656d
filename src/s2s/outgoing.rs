//! Carrying a line to another server: connect when there is something to say, write it in order, close when there is
//! nothing for long, and tell senders what could not be delivered.

use super::backoff::Backoff;
use super::link::{Aloft, arrived, broken, closing_time, give_back, stopped, too_late};
use super::open::{Link, Opened, Trouble, bid_farewell, open};
use super::remotes::Carrier;
use super::{Federation, Lines, chance};
use crate::net::{Moved, Shared};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::task::JoinSet;
use tokio::time::sleep_until;
use tracing::{Instrument, debug, info};
use wire::stream::{Closed, Initiated, Purpose};

/// Gives every line that wants one a task, until the server stops; then waits until all streams are closed.
pub async fn carry_all(shared: Arc<Shared>, federation: Arc<Federation>, mut lines: Lines) {
    let mut stopping = shared.stopping.clone();
    let mut tasks = JoinSet::new();
    loop {
        tokio::select! {
            line = lines.0.recv() => {
                let Some(carrier) = line else { break };
                let span = tracing::info_span!("outgoing", local = %carrier.pair().local, remote = %carrier.pair().remote);
                let task = Task { shared: shared.clone(), federation: federation.clone(), carrier };
                tasks.spawn(task.run().instrument(span));
            }
            Some(_) = tasks.join_next() => {}
            () = stopped(&mut stopping) => break,
        }
    }
    // From here on, what is sent is refused at once.
    lines.0.close();
    while let Some(carrier) = lines.0.recv().await {
        give_back(&shared, carrier.abandon(), &closing_time()).await;
    }
    while tasks.join_next().await.is_some() {}
}

struct Task {
    shared: Arc<Shared>,
    federation: Arc<Federation>,
    carrier: Carrier,
}

/// A stream that lived so long was worth its connection; the next one may be opened at once.
const WORTHWHILE: Duration = Duration::from_secs(10);

impl Task {
    /// Carries the line as long as there is something in it. What is left when the server stops goes back to its senders.
    async fn run(self) {
        self.carry_on().await;
        if *self.shared.stopping.borrow() {
            give_back(&self.shared, self.carrier.abandon(), &closing_time()).await;
        }
    }

    async fn carry_on(&self) {
        let mut stopping = self.shared.stopping.clone();
        let mut backoff = Backoff::new(self.federation.config.timeouts.longest_pause.get());
        loop {
            let attempt = open(&self.shared, &self.federation, self.carrier.pair(), Purpose::Stanzas);
            let opened = tokio::select! {
                opened = self.while_waiting(attempt) => opened,
                () = stopped(&mut stopping) => return,
            };
            let trouble = match opened {
                Ok(Opened::Link(link)) => {
                    let begun = Instant::now();
                    self.carry(*link).await;
                    if begun.elapsed() >= WORTHWHILE {
                        backoff.reset();
                    }
                    None
                }
                Ok(Opened::Verified(_) | Opened::Looked) => None,
                Err(trouble) => {
                    info!(%trouble, "no connection");
                    Some(trouble)
                }
            };
            // A server that has said no is not asked again for what waits now.
            if let Some(trouble) = trouble.as_ref().filter(|trouble| !trouble.may_pass()) {
                give_back(&self.shared, self.carrier.drain(), &trouble.stanza_error()).await;
            }
            if trouble.is_none() && self.carrier.is_empty() {
                return;
            }
            tokio::select! {
                () = self.pause(backoff.pause(chance()), trouble) => {}
                () = stopped(&mut stopping) => return,
            }
            if self.carrier.is_empty() {
                return;
            }
        }
    }

    /// Waits before the next attempt; meanwhile nothing may wait for too long, and a refusal stands.
    async fn pause(&self, pause: Duration, trouble: Option<Trouble>) {
        let until = tokio::time::Instant::now() + pause;
        let refusal = trouble.filter(|trouble| !trouble.may_pass()).map(|trouble| trouble.stanza_error());
        let wait = async {
            match refusal {
                Some(refusal) => loop {
                    self.carrier.ready().await;
                    give_back(&self.shared, self.carrier.drain(), &refusal).await;
                },
                None => std::future::pending::<()>().await,
            }
        };
        tokio::select! {
            () = self.while_waiting(sleep_until(until)) => {}
            () = wait => {}
        }
    }

    /// Does something that takes time; stanzas that have waited for too long are given back meanwhile.
    async fn while_waiting<T>(&self, work: impl Future<Output = T>) -> T {
        tokio::pin!(work);
        loop {
            // New stanzas wait as long as those before them, so the first deadline stays the first. An empty line is looked
            // at again by and by.
            let next = self.carrier.next_deadline().unwrap_or_else(|| Instant::now() + Duration::from_secs(1));
            tokio::select! {
                done = &mut work => return done,
                () = sleep_until(next.into()) => {
                    give_back(&self.shared, self.carrier.expired(Instant::now()), &too_late()).await;
                }
            }
        }
    }

    /// Carries the line until the stream ends.
    async fn carry(&self, mut link: Link) {
        let mut aloft = Aloft::default();
        let closed = self.drive(&mut link, &mut aloft).await;
        debug!(?closed, "the stream has ended");
        if closed.is_some() {
            bid_farewell(&mut link.io, &mut link.initiator).await;
            if link_is_flushed(&link) {
                aloft.landed();
            }
        }
        give_back(&self.shared, aloft.lost(), &broken()).await;
    }

    /// None: the connection is gone.
    async fn drive(&self, link: &mut Link, aloft: &mut Aloft) -> Option<Closed> {
        let timeouts = &self.federation.config.timeouts;
        let (idle, patience) = (timeouts.idle.get(), timeouts.deliver.get());
        let mut stopping = self.shared.stopping.clone();
        let mut active = Instant::now();
        let guest = self.federation.guests.enter(&self.carrier.pair().remote);
        loop {
            while let Some(event) = link.initiator.poll_event() {
                match event {
                    Initiated::Stanza(stanza) => arrived(&self.shared, &self.federation, stanza).await,
                    Initiated::Closed(closed) => return Some(closed),
                    // The other events belong to negotiation, which is over.
                    _ => {}
                }
            }
            if link.initiator.output().is_empty() {
                aloft.landed();
                if link.initiator.is_established() {
                    let loaded = aloft.load(&self.carrier, Instant::now());
                    self.shared.meters.stanzas_out.increment(loaded.len() as u64);
                    loaded.iter().for_each(|stanza| link.initiator.send(stanza));
                }
            }
            let writing = !link.initiator.output().is_empty();
            let deadlines = [
                Some(active + idle).filter(|_| link.initiator.is_established()),
                aloft.deadline(patience),
                self.carrier.next_deadline(),
                link.initiator.poll_timeout(),
            ];
            let due = deadlines.into_iter().flatten().min().unwrap_or(active + idle);
            tokio::select! {
                moved = link.io.exchange(&mut link.initiator) => match moved {
                    Ok(Moved::Out) => active = Instant::now(),
                    Ok(Moved::In(count)) => {
                        active = Instant::now();
                        if let Some(guest) = &guest {
                            tokio::time::sleep(guest.count(count, active)).await;
                        }
                    }
                    Ok(Moved::End) | Err(_) => return None,
                },
                () = self.carrier.ready(), if !writing => {}
                () = sleep_until(due.into()) => {
                    let now = Instant::now();
                    give_back(&self.shared, self.carrier.expired(now), &too_late()).await;
                    if aloft.deadline(patience).is_some_and(|deadline| deadline <= now) {
                        info!("the peer reads nothing: the connection is given up");
                        return None;
                    }
                    if let Some(Initiated::Closed(closed)) = link.initiator.handle_timeout(now) {
                        return Some(closed);
                    }
                    if active + idle <= now {
                        link.initiator.close(now);
                    }
                }
                () = stopped(&mut stopping), if link.initiator.is_established() => {
                    aloft.load(&self.carrier, Instant::now()).iter().for_each(|stanza| link.initiator.send(stanza));
                    link.initiator.close(Instant::now());
                }
            }
        }
    }
}

fn link_is_flushed(link: &Link) -> bool {
    link.initiator.output().is_empty()
}
