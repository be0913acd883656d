//! Carrying a line to another server: connect when there is something to say, write it in order, close when there is
//! nothing for long, and tell senders what could not be delivered.
//!
//! Where the peer manages the stream (XEP-0198), what it has not acknowledged when the connection breaks goes first on the
//! next one. A stream that goes both ways is opened again even if nothing is left to say: the peer may have something left.
//! What came back is counted in the store, in the commit that stores what a message leaves behind, so that this holds over a
//! restart too.

use super::acks::Acks;
use super::backoff::Backoff;
use super::link::{Aloft, UNREAD, arrived, broken, closing_time, give_back, stopped, too_late};
use super::open::{Link, Opened, bid_farewell, open};
use super::remotes::Carrier;
use super::resumption::opened::Record;
use super::{Federation, Lines, Reopened, chance};
use crate::net::{Moved, Shared};
use parking_lot::Mutex;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::task::JoinSet;
use tokio::time::{interval, sleep, sleep_until};
use tracing::{Instrument, debug, error, info};
use wire::stanza::{Kind, Stanza, StanzaError};
use wire::stream::management::Suspended;
use wire::stream::{Closed, Initiated, Initiator, Purpose};
use xeps::store::{Batch, Position, StoreError};

/// How often the store forgets incoming streams that are over.
const CLEANING: Duration = Duration::from_secs(60);

/// Gives every line that wants one a task, until the server stops; then waits until all streams are closed.
pub async fn carry_all(shared: Arc<Shared>, federation: Arc<Federation>, mut lines: Lines) {
    let mut stopping = shared.stopping.clone();
    let mut tasks = JoinSet::new();
    let mut cleaning = interval(CLEANING);
    loop {
        tokio::select! {
            line = lines.0.recv() => {
                let Some(carrier) = line else { break };
                let span = tracing::info_span!("outgoing", local = %carrier.pair().local, remote = %carrier.pair().remote);
                let (shared, federation) = (shared.clone(), federation.clone());
                tasks.spawn(Task::new(shared, federation, carrier).run().instrument(span));
            }
            Some(_) = tasks.join_next() => {}
            now = cleaning.tick() => {
                let cleaned = federation.resumables.clean(shared.engine.store.as_ref(), now.into_std()).await;
                if let Err(error) = cleaned {
                    error!(%error, "the store failed: streams that are over stay in it");
                }
            }
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
    left: Mutex<Option<Left>>,
    /// What the store has of the stream.
    record: Mutex<Record>,
    /// Before the first attempt.
    pause: Duration,
}

/// What the peer has not acknowledged on a stream that has ended.
struct Left {
    suspended: Suspended,
    /// How long it waits for the next stream.
    until: Instant,
    /// Whether stanzas came back on the stream, and the latest write that they have caused.
    both_ways: bool,
    written: Position,
}

impl Left {
    fn into_stanzas(self) -> Vec<Stanza> {
        self.suspended.into_unacknowledged().into_iter().map(|sent| sent.stanza).collect()
    }
}

/// What comes back on a stream that goes both ways.
struct Back {
    acks: Acks,
    /// The latest write that it has caused.
    written: Position,
}

/// A stream that lived so long was worth its connection; the next one may be opened at once.
const WORTHWHILE: Duration = Duration::from_secs(10);

impl Task {
    fn new(shared: Arc<Shared>, federation: Arc<Federation>, carrier: Carrier) -> Task {
        let reopened = federation.reopened.lock().remove(carrier.pair());
        let (record, left, pause) = match reopened {
            None => (Record::new(carrier.pair()), None, Duration::ZERO),
            Some(Reopened { record, suspended, pause }) => {
                let until = Instant::now() + federation.config.timeouts.deliver.get();
                let left = Left { suspended, until, both_ways: true, written: Position::default() };
                (record, Some(left), pause)
            }
        };
        Task { shared, federation, carrier, left: Mutex::new(left), record: Mutex::new(record), pause }
    }

    /// Carries the line as long as there is something in it. What is left when the server stops goes back to its senders.
    async fn run(self) {
        self.carry_on().await;
        // A peer that has not answered our farewell may have something left.
        if self.left.lock().is_none() {
            let over = self.record.lock().forget();
            if let Err(error) = self.save(over).await {
                error!(%error, "the store failed: a stream that is over stays in it");
            }
        }
        if *self.shared.stopping.borrow() {
            give_back(&self.shared, self.take_left(None), &closing_time()).await;
            give_back(&self.shared, self.carrier.abandon(), &closing_time()).await;
        }
    }

    async fn carry_on(&self) {
        let mut backoff = Backoff::new(self.federation.config.timeouts.longest_pause.get());
        if self.while_waiting(sleep(self.pause), None).await.is_none() {
            return;
        }
        loop {
            let attempt = open(&self.shared, &self.federation, self.carrier.pair(), Purpose::Stanzas);
            let Some(opened) = self.while_waiting(attempt, None).await else { return };
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
                give_back(&self.shared, self.take_left(None), &trouble.stanza_error()).await;
                give_back(&self.shared, self.carrier.drain(), &trouble.stanza_error()).await;
            }
            if trouble.is_none() && self.is_done() {
                return;
            }
            // Nothing may wait for too long meanwhile, and a refusal stands.
            let refusal = trouble.filter(|trouble| !trouble.may_pass()).map(|trouble| trouble.stanza_error());
            let pause = sleep_until((Instant::now() + backoff.pause(chance())).into());
            if self.while_waiting(pause, refusal.as_ref()).await.is_none() || self.is_done() {
                return;
            }
        }
    }

    fn is_done(&self) -> bool {
        self.carrier.is_empty() && self.left.lock().is_none()
    }

    /// Takes what a stream has left, if its time has come by then, or in any case.
    fn take_left(&self, by: Option<Instant>) -> Vec<Stanza> {
        let mut left = self.left.lock();
        let taken = left.take_if(|left| by.is_none_or(|now| left.until <= now));
        if taken.is_some() {
            self.carrier.hold(0);
        }
        taken.into_iter().flat_map(Left::into_stanzas).collect()
    }

    /// Does something that takes time. Stanzas that have waited for too long are given back meanwhile, and all of them where there is
    /// a refusal; what is begun of that is seen through, or some would be lost without a word. None: the server stops.
    async fn while_waiting<T>(&self, work: impl Future<Output = T>, refusal: Option<&StanzaError>) -> Option<T> {
        let mut stopping = self.shared.stopping.clone();
        tokio::pin!(work);
        loop {
            // New stanzas wait as long as those before them, so the first deadline stays the first. An empty line is looked
            // at again by and by.
            let left = self.left.lock().as_ref().map(|left| left.until);
            let next = [self.carrier.next_deadline(), left].into_iter().flatten().min();
            let next = next.unwrap_or_else(|| Instant::now() + Duration::from_secs(1));
            tokio::select! {
                done = &mut work => return Some(done),
                () = stopped(&mut stopping) => return None,
                () = sleep_until(next.into()) => {
                    let now = Instant::now();
                    give_back(&self.shared, self.take_left(Some(now)), &broken()).await;
                    give_back(&self.shared, self.carrier.expired(now), &too_late()).await;
                }
                () = self.carrier.ready(), if refusal.is_some() => {
                    if let Some(refusal) = refusal {
                        give_back(&self.shared, self.carrier.drain(), refusal).await;
                    }
                }
            }
        }
    }

    /// Carries the line until the stream ends.
    async fn carry(&self, mut link: Link) {
        let mut aloft = Aloft::default();
        let left = self.left.lock().take();
        let until = left.as_ref().map(|left| left.until);
        let mut back = Back { acks: Acks::default(), written: Position::default() };
        let former = self.former(left, &link, &mut back).await;
        link.initiator.manage(former);
        let closed = self.drive(&mut link, &mut aloft, &mut back).await;
        debug!(?closed, managed = link.initiator.is_managed(), "the stream has ended");
        // What is told on the next one may not be taken back after a restart.
        let counted = self.save_count(&link.initiator, &mut back).await;
        // A stream that has acknowledged nothing buys no time: else a peer that never does would be sent the same forever.
        let until = until.filter(|_| !link.initiator.has_acknowledged());
        let until = until.unwrap_or_else(|| Instant::now() + self.federation.config.timeouts.deliver.get());
        if link.initiator.is_managed() {
            aloft.landed();
        }
        // Whoever answers our closing tag has read all that came before it.
        let both_ways = link.initiator.is_bidirectional();
        let left = link.initiator.suspend().filter(|_| closed != Some(Closed::Answered));
        let left = left.map(|suspended| Left { suspended, until, both_ways, written: back.written });
        // What a peer has closed, it has nothing left on.
        let left = left.filter(|left| closed.is_none() || left.suspended.unacknowledged().len() > 0);
        match left {
            Some(left) if counted.is_err() => give_back(&self.shared, left.into_stanzas(), &broken()).await,
            // Nobody can find out how much of it has arrived, and it must not come twice.
            Some(left) if left.suspended.id().is_empty() => {
                give_back(&self.shared, left.into_stanzas(), &broken()).await
            }
            left => *self.left.lock() = left,
        }
        if closed.is_some() {
            bid_farewell(&mut link.io, &mut link.initiator).await;
            if link_is_flushed(&link) {
                aloft.landed();
            }
        }
        give_back(&self.shared, aloft.lost(), &broken()).await;
    }

    /// What a former stream has left for this one. What came back on it is on disk by then: the peer will be told that it was
    /// taken.
    async fn former(&self, left: Option<Left>, link: &Link, back: &mut Back) -> Option<Suspended> {
        let left = left?;
        back.written = left.written;
        let safe = self.shared.engine.store.durable(left.written).await;
        if safe.is_ok() && left.both_ways == link.initiator.is_bidirectional() {
            return Some(left.suspended);
        }
        give_back(&self.shared, left.into_stanzas(), &broken()).await;
        None
    }

    /// None: the connection is gone.
    async fn drive(&self, link: &mut Link, aloft: &mut Aloft, back: &mut Back) -> Option<Closed> {
        let timeouts = &self.federation.config.timeouts;
        let (idle, patience) = (timeouts.idle.get(), timeouts.deliver.get());
        let mut stopping = self.shared.stopping.clone();
        let mut active = Instant::now();
        let guest = self.federation.guests.enter(&self.carrier.pair().remote);
        loop {
            while let Some(event) = link.initiator.poll_event() {
                match event {
                    Initiated::Stanza(stanza) => {
                        // Others than messages may be done twice without harm.
                        let counts = matches!(stanza.kind, Kind::Message(_));
                        let count = if counts { self.count(&link.initiator) } else { Batch::new() };
                        let written = Box::pin(arrived(&self.shared, &self.federation, stanza, count)).await;
                        back.written = back.written.max(written);
                    }
                    Initiated::AckWanted => self.want_ack(link, back).await.ok()?,
                    Initiated::Closed(closed) => return Some(closed),
                    // The other events belong to negotiation, which is over.
                    _ => {}
                }
            }
            if link.initiator.resumable_id().is_some_and(|id| !self.record.lock().has(id)) {
                self.save_count(&link.initiator, back).await.ok()?;
            }
            if link.initiator.output().len() > UNREAD {
                info!("the peer asks and asks and does not read the answers: the connection is given up");
                return None;
            }
            if link.initiator.output().is_empty() {
                aloft.landed();
                if link.initiator.is_ready() {
                    self.load(link, aloft, Instant::now());
                }
            }
            self.carrier.hold(link.initiator.kept());
            let writing = !link.initiator.output().is_empty();
            let deadlines = [
                Some(active + idle).filter(|_| link.initiator.is_established()),
                aloft.deadline(patience),
                link.initiator.asked_since().map(|asked| asked + patience),
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
                safe = back.acks.safe(), if back.acks.is_waiting() => {
                    let Some((h, again)) = back.acks.take() else { continue };
                    if let Err(failure) = safe {
                        not_stored(&failure);
                        return None;
                    }
                    link.initiator.acknowledge(h);
                    if again {
                        self.want_ack(link, back).await.ok()?;
                    }
                }
                () = self.carrier.ready(), if !writing => {}
                () = sleep_until(due.into()) => {
                    let now = Instant::now();
                    give_back(&self.shared, self.carrier.expired(now), &too_late()).await;
                    let owed = link.initiator.asked_since().map(|asked| asked + patience);
                    if [aloft.deadline(patience), owed].into_iter().flatten().any(|deadline| deadline <= now) {
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
                    if link.initiator.is_ready() {
                        self.load(link, aloft, Instant::now());
                    }
                    if let Some(h) = link.initiator.received()
                        && self.save_count(&link.initiator, back).await.is_ok()
                        && self.shared.engine.store.durable(back.written).await.is_ok()
                    {
                        link.initiator.acknowledge(h);
                    }
                    link.initiator.close(Instant::now());
                }
            }
        }
    }

    /// The peer wants to know how many of the stanzas that came back are safe.
    async fn want_ack(&self, link: &Link, back: &mut Back) -> Result<(), StoreError> {
        self.save_count(&link.initiator, back).await?;
        if let Some(h) = link.initiator.received() {
            back.acks.want(&self.shared.engine.store, h, back.written);
        }
        Ok(())
    }

    /// What the store does not know yet of what has come back on a stream that may be taken up.
    fn count(&self, initiator: &Initiator) -> Batch {
        match (initiator.is_bidirectional(), initiator.resumable_id(), initiator.received()) {
            (true, Some(id), Some(h)) => self.record.lock().update(id, h),
            _ => Batch::new(),
        }
    }

    /// Has the store know how much has come back. What that stored was stored before, so that it is on disk when this is.
    async fn save_count(&self, initiator: &Initiator, back: &mut Back) -> Result<(), StoreError> {
        let saved = self.save(self.count(initiator)).await;
        saved.inspect_err(not_stored).map(|position| back.written = back.written.max(position))
    }

    async fn save(&self, batch: Batch) -> Result<Position, StoreError> {
        match batch.is_empty() {
            true => Ok(Position::default()),
            false => self.shared.engine.store.commit(batch).await.map(|committed| committed.position),
        }
    }

    /// Hands the stream what is to be sent next: what a former one has left, or else the first in the line. When much waits
    /// for acknowledgement, the line waits too.
    fn load(&self, link: &mut Link, aloft: &mut Aloft, now: Instant) {
        let left = link.initiator.take_left();
        let loaded: &[Stanza] = match (left.is_empty(), link.initiator.is_full()) {
            (false, _) => aloft.add(left, now),
            (true, true) => &[],
            (true, false) => aloft.load(&self.carrier, now),
        };
        self.shared.meters.stanzas_out.increment(loaded.len() as u64);
        loaded.iter().for_each(|stanza| link.initiator.send(stanza));
        link.initiator.request_acks(now);
    }
}

fn not_stored(failure: &StoreError) {
    error!(error = %failure, "the store failed: nothing can be acknowledged any more");
}

fn link_is_flushed(link: &Link) -> bool {
    link.initiator.output().is_empty()
}
