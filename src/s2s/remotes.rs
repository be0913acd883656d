//! The lines to other servers: one queue per (local, remote) pair of domains, and who is emptying it.
//!
//! A line exists as long as somebody carries it: a task of its own that connects to the remote server, or an incoming
//! stream that may be used in both directions (XEP-0288). A line that nobody carries any more is handed to a new task if
//! something waits in it, and gone otherwise: a pair of domains that has nothing to say costs nothing.

use super::queue::{Bounds, Queue};
use parking_lot::Mutex;
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;
use tokio::sync::{Notify, mpsc};
use wire::jid::BareJid;
use wire::stanza::Stanza;

/// Who speaks to whom; both are domains.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Pair {
    pub local: BareJid,
    pub remote: BareJid,
}

/// Limits over all lines.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// For each line.
    pub line: Bounds,
    /// Bytes in all lines together.
    pub bytes: usize,
    pub lines: usize,
}

/// Why a stanza is not queued.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Full {
    /// There is no room for it.
    Room,
    /// The server stops: nobody will carry it.
    Time,
}

/// All lines.
pub struct Remotes {
    limits: Limits,
    lines: Mutex<HashMap<Pair, Arc<Line>>>,
    /// Bytes in all of them.
    bytes: AtomicUsize,
    /// Lines that need a task to carry them.
    wanted: mpsc::UnboundedSender<Carrier>,
}

struct Line {
    queue: Mutex<Queue>,
    /// Wakes whoever carries the line.
    wake: Mutex<Arc<Notify>>,
}

impl Remotes {
    /// The lines, and where those come out that need a task.
    pub fn new(limits: Limits) -> (Arc<Remotes>, mpsc::UnboundedReceiver<Carrier>) {
        let (wanted, carriers) = mpsc::unbounded_channel();
        let remotes = Remotes { limits, lines: Mutex::default(), bytes: AtomicUsize::new(0), wanted };
        (Arc::new(remotes), carriers)
    }

    /// Queues a stanza.
    pub fn send(self: &Arc<Self>, pair: Pair, stanza: Stanza, now: Instant) -> Result<(), Full> {
        if self.bytes.load(Ordering::Relaxed).saturating_add(stanza.weight()) > self.limits.bytes {
            return Err(Full::Room);
        }
        let mut lines = self.lines.lock();
        if let Some(line) = lines.get(&pair) {
            self.push(line, stanza, now).map_err(|_| Full::Room)?;
            line.wake.lock().notify_one();
            return Ok(());
        }
        if lines.len() >= self.limits.lines {
            return Err(Full::Room);
        }
        let line = self.line(Arc::default());
        self.push(&line, stanza, now).map_err(|_| Full::Room)?;
        lines.insert(pair.clone(), line.clone());
        drop(lines);
        match self.give_to_a_task(pair, line) {
            true => Ok(()),
            false => Err(Full::Time),
        }
    }

    /// Has a task carry a line in which nothing waits yet, because the other server may have something left for it.
    pub fn reopen(self: &Arc<Self>, pair: Pair) {
        let mut lines = self.lines.lock();
        if !lines.contains_key(&pair) && lines.len() < self.limits.lines {
            let line = self.line(Arc::default());
            lines.insert(pair.clone(), line.clone());
            drop(lines);
            self.give_to_a_task(pair, line);
        }
    }

    /// Takes a line for an incoming stream that may be used in both directions. None: it is carried already, or there are
    /// too many lines. `wake` is notified when there is something to take.
    pub fn carry(self: &Arc<Self>, pair: Pair, wake: Arc<Notify>) -> Option<Carrier> {
        let mut lines = self.lines.lock();
        if lines.contains_key(&pair) || lines.len() >= self.limits.lines {
            return None;
        }
        let line = self.line(wake);
        lines.insert(pair.clone(), line.clone());
        Some(Carrier { remotes: self.clone(), pair, line, held: AtomicUsize::new(0) })
    }

    /// Whether there is hardly room for more.
    pub fn is_crowded(&self, pair: &Pair) -> bool {
        let full = self.bytes.load(Ordering::Relaxed) > self.limits.bytes / 2;
        full || self.lines.lock().get(pair).is_some_and(|line| line.queue.lock().is_crowded())
    }

    fn line(&self, wake: Arc<Notify>) -> Arc<Line> {
        Arc::new(Line { queue: Mutex::new(Queue::new(self.limits.line)), wake: Mutex::new(wake) })
    }

    fn push(&self, line: &Line, stanza: Stanza, now: Instant) -> Result<(), Stanza> {
        let mut queue = line.queue.lock();
        let before = queue.bytes();
        queue.push(stanza, now)?;
        self.bytes.fetch_add(queue.bytes() - before, Ordering::Relaxed);
        Ok(())
    }

    /// False: the server stops. Nobody will carry the line, and it is gone.
    fn give_to_a_task(self: &Arc<Self>, pair: Pair, line: Arc<Line>) -> bool {
        let carrier = Carrier { remotes: self.clone(), pair, line, held: AtomicUsize::new(0) };
        let taken = self.wanted.send(carrier);
        // It must not come back here.
        taken.map_err(|refused| refused.0.abandon()).is_ok()
    }
}

/// The right and the duty to empty a line.
pub struct Carrier {
    remotes: Arc<Remotes>,
    pair: Pair,
    line: Arc<Line>,
    /// Bytes that were taken from the line and are kept until they are acknowledged.
    held: AtomicUsize,
}

impl Carrier {
    pub fn pair(&self) -> &Pair {
        &self.pair
    }

    /// Waits until something may have come. Cancel safe.
    pub async fn ready(&self) {
        let wake = self.line.wake.lock().clone();
        wake.notified().await;
    }

    /// Has somebody else woken when something comes.
    pub fn wakes(&self, wake: Arc<Notify>) {
        *self.line.wake.lock() = wake;
    }

    pub fn is_empty(&self) -> bool {
        self.line.queue.lock().is_empty()
    }

    /// See [`Queue::take`].
    pub fn take(&self, bytes: usize) -> Vec<Stanza> {
        self.change(|queue| queue.take(bytes))
    }

    /// See [`Queue::put_back`].
    pub fn put_back(&self, stanzas: Vec<Stanza>, now: Instant) {
        let mut queue = self.line.queue.lock();
        let before = queue.bytes();
        queue.put_back(stanzas, now);
        self.remotes.bytes.fetch_add(queue.bytes() - before, Ordering::Relaxed);
    }

    /// See [`Queue::expired`].
    pub fn expired(&self, now: Instant) -> Vec<Stanza> {
        self.change(|queue| queue.expired(now))
    }

    /// See [`Queue::drain`].
    pub fn drain(&self) -> Vec<Stanza> {
        self.change(Queue::drain)
    }

    /// See [`Queue::next_deadline`].
    pub fn next_deadline(&self) -> Option<Instant> {
        self.line.queue.lock().next_deadline()
    }

    /// Says how many bytes that were taken from the line are still kept: they count like those in it.
    pub fn hold(&self, bytes: usize) {
        let before = self.held.swap(bytes, Ordering::Relaxed);
        if bytes >= before {
            self.remotes.bytes.fetch_add(bytes - before, Ordering::Relaxed);
        } else {
            self.remotes.bytes.fetch_sub(before - bytes, Ordering::Relaxed);
        }
    }

    /// Lets go of the line, and returns what is in it.
    pub fn abandon(self) -> Vec<Stanza> {
        let mut lines = self.remotes.lines.lock();
        lines.remove(&self.pair);
        drop(lines);
        self.drain()
    }

    fn change(&self, change: impl FnOnce(&mut Queue) -> Vec<Stanza>) -> Vec<Stanza> {
        let mut queue = self.line.queue.lock();
        let before = queue.bytes();
        let taken = change(&mut queue);
        self.remotes.bytes.fetch_sub(before - queue.bytes(), Ordering::Relaxed);
        taken
    }
}

impl Drop for Carrier {
    /// What still waits is handed to a new task; an empty line ends here.
    fn drop(&mut self) {
        self.hold(0);
        let mut lines = self.remotes.lines.lock();
        let own = lines.get(&self.pair).is_some_and(|line| Arc::ptr_eq(line, &self.line));
        if !own {
            return;
        }
        if self.is_empty() {
            lines.remove(&self.pair);
            return;
        }
        // A line of its own for the task: the notifications of this one belong to the stream that carried it.
        let queue = std::mem::replace(&mut *self.line.queue.lock(), Queue::new(self.remotes.limits.line));
        let line = Arc::new(Line { queue: Mutex::new(queue), wake: Mutex::default() });
        lines.insert(self.pair.clone(), line.clone());
        drop(lines);
        self.remotes.give_to_a_task(self.pair.clone(), line);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;
    use wire::stanza::MessageType;

    fn pair(remote: &str) -> Pair {
        Pair { local: BareJid::parse("a.example").unwrap(), remote: BareJid::parse(remote).unwrap() }
    }

    fn stanza(id: &str) -> Stanza {
        Stanza::new(MessageType::Chat).with_id(id)
    }

    fn limits(stanzas: usize, bytes: usize, lines: usize) -> Limits {
        Limits { line: Bounds { stanzas, bytes: usize::MAX, patience: Duration::from_secs(60) }, bytes, lines }
    }

    fn ids(stanzas: &[Stanza]) -> Vec<&str> {
        stanzas.iter().filter_map(|stanza| stanza.id.as_deref()).collect()
    }

    #[test]
    fn a_pair_has_one_task_and_its_order() {
        let (remotes, mut wanted) = Remotes::new(limits(10, usize::MAX, 10));
        for id in ["1", "2"] {
            remotes.send(pair("b.example"), stanza(id), Instant::now()).unwrap();
        }
        let carrier = wanted.try_recv().unwrap();
        assert!(wanted.try_recv().is_err(), "one task for both");
        assert_eq!(ids(&carrier.take(usize::MAX)), ["1", "2"]);
        drop(carrier);
        assert!(remotes.lines.lock().is_empty(), "nothing is left of it");
    }

    #[test]
    fn what_a_stream_leaves_behind_gets_a_task() {
        let (remotes, mut wanted) = Remotes::new(limits(10, usize::MAX, 10));
        let stream = remotes.carry(pair("b.example"), Arc::default()).unwrap();
        assert!(remotes.carry(pair("b.example"), Arc::default()).is_none(), "it is carried");
        remotes.send(pair("b.example"), stanza("1"), Instant::now()).unwrap();
        assert!(wanted.try_recv().is_err(), "the stream carries it");
        drop(stream);
        assert_eq!(ids(&wanted.try_recv().unwrap().drain()), ["1"]);
    }

    #[test]
    fn another_stream_can_take_a_line_over_with_what_was_not_acknowledged() {
        let (remotes, mut wanted) = Remotes::new(limits(10, usize::MAX, 10));
        let [first, second]: [Arc<Notify>; 2] = Default::default();
        let line = remotes.carry(pair("b.example"), first).unwrap();
        for id in ["1", "2", "3"] {
            remotes.send(pair("b.example"), stanza(id), Instant::now()).unwrap();
        }
        let sent = line.take(1);
        line.put_back(sent, Instant::now());
        line.wakes(second.clone());
        remotes.send(pair("b.example"), stanza("4"), Instant::now()).unwrap();
        assert!(is_ready(second.notified()), "the new stream is woken");
        assert_eq!(ids(&line.take(usize::MAX)), ["1", "2", "3", "4"]);
        drop(line);
        assert!(wanted.try_recv().is_err());
        assert_eq!(remotes.bytes.load(Ordering::Relaxed), 0);
    }

    /// Whether a future is ready at once.
    fn is_ready(future: impl Future<Output = ()>) -> bool {
        let mut cx = std::task::Context::from_waker(std::task::Waker::noop());
        std::pin::pin!(future).poll(&mut cx).is_ready()
    }

    #[test]
    fn memory_is_bounded_over_all_lines() {
        let weight = stanza("1").weight();
        let (remotes, mut wanted) = Remotes::new(limits(10, 2 * weight, 10));
        remotes.send(pair("b.example"), stanza("1"), Instant::now()).unwrap();
        remotes.send(pair("c.example"), stanza("2"), Instant::now()).unwrap();
        assert!(remotes.send(pair("d.example"), stanza("3"), Instant::now()).is_err());
        let carrier = wanted.try_recv().unwrap();
        carrier.take(1);
        carrier.hold(weight);
        assert!(remotes.send(pair("d.example"), stanza("3"), Instant::now()).is_err(), "it is not acknowledged");
        drop(carrier);
        assert!(remotes.send(pair("d.example"), stanza("3"), Instant::now()).is_ok(), "room is given back");
        let (few, _wanted) = Remotes::new(limits(10, usize::MAX, 1));
        few.send(pair("b.example"), stanza("1"), Instant::now()).unwrap();
        assert!(few.send(pair("c.example"), stanza("2"), Instant::now()).is_err());
        assert!(few.send(pair("b.example"), stanza("3"), Instant::now()).is_ok());
    }

    #[test]
    fn an_empty_line_is_reopened_once_and_within_the_limit() {
        let (remotes, mut wanted) = Remotes::new(limits(10, usize::MAX, 1));
        ["b.example", "b.example", "c.example"].into_iter().for_each(|remote| remotes.reopen(pair(remote)));
        let carrier = wanted.try_recv().unwrap();
        assert!(carrier.is_empty() && *carrier.pair() == pair("b.example") && wanted.try_recv().is_err());
        drop(carrier);
        assert!(remotes.lines.lock().is_empty(), "nothing is left of it");
    }

    #[test]
    fn after_the_end_nothing_is_kept() {
        let (remotes, wanted) = Remotes::new(limits(10, usize::MAX, 10));
        drop(wanted);
        assert_eq!(remotes.send(pair("b.example"), stanza("1"), Instant::now()), Err(Full::Time));
        assert!(remotes.lines.lock().is_empty());
        assert_eq!(remotes.bytes.load(Ordering::Relaxed), 0);
    }
}
