//! One session: the requests that wait for something to say, what there is to say, and the stream behind it.

use super::body::{self, Action, Condition, Created, Request};
use super::window::{Arrival, Window};
use crate::net::Carrier;
use async_trait::async_trait;
use parking_lot::Mutex;
use std::collections::VecDeque;
use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::{Notify, mpsc, oneshot};
use wire::framed::Piece;

/// Messages from the client that the stream has not taken yet.
const UNREAD: usize = 64;
/// Bytes that may wait for the next request; the stream's own outbox holds what is beyond.
const UNSENT: usize = 256 << 10;

/// A session as requests see it.
pub struct Session {
    pub created: Created,
    state: Mutex<State>,
    /// To the stream.
    messages: mpsc::Sender<String>,
    /// Something has changed that the carrier waits for.
    changed: Notify,
}

struct State {
    window: Window<Waiting>,
    /// Requests that are held until there is something to say, the oldest first.
    held: VecDeque<(u64, oneshot::Sender<String>)>,
    /// What there is to say.
    pieces: Vec<Piece>,
    bytes: usize,
    /// The first response is still to come: it tells what was agreed.
    fresh: bool,
    /// No request may come for so long.
    patience: Duration,
    /// When the last request was answered.
    silent_since: Instant,
    /// When the last new request was handled.
    asked: Instant,
    /// It brought nothing, and got nothing.
    in_vain: bool,
    ended: bool,
}

/// A request whose turn has not come, with the one who waits for its answer.
pub struct Waiting {
    request: Request,
    answer: oneshot::Sender<String>,
}

impl Session {
    /// A session that was created by a request, and the carrier of its stream.
    pub fn new(created: Created, rid: u64, newkey: Option<String>) -> (Arc<Session>, BoshCarrier) {
        let (messages, unread) = mpsc::channel(UNREAD);
        let state = State {
            window: Window::new(rid, created.requests, newkey),
            held: VecDeque::new(),
            pieces: Vec::new(),
            bytes: 0,
            fresh: true,
            patience: Duration::from_secs(created.inactivity),
            silent_since: Instant::now(),
            asked: Instant::now(),
            in_vain: false,
            ended: false,
        };
        let session = Arc::new(Session { created, state: Mutex::new(state), messages, changed: Notify::new() });
        let carrier = BoshCarrier { session: session.clone(), unread };
        (session, carrier)
    }

    /// Handles the request that has created the session.
    pub async fn begin(&self, rid: u64, open: String) -> oneshot::Receiver<String> {
        let (answer, answered) = oneshot::channel();
        self.state.lock().held.push_back((rid, answer));
        self.pass(vec![open]).await;
        answered
    }

    /// Handles a request of the session, whenever its turn is. The answer comes when there is something to say; see
    /// [`Session::give_up`] for when there is nothing for too long.
    pub async fn take(&self, request: Request) -> oneshot::Receiver<String> {
        let (answer, answered) = oneshot::channel();
        let messages = {
            let mut state = self.state.lock();
            let rid = request.rid;
            if let Some((_, waiting)) = state.held.iter_mut().find(|(held, _)| *held == rid) {
                // It has come again, for its connection broke: whoever may still wait there is told so.
                let _ = std::mem::replace(waiting, answer).send(body::recoverable());
                return answered;
            }
            match state.window.arrive(rid, Waiting { request, answer }) {
                Arrival::Early(former) => {
                    if let Some(former) = former {
                        let _ = former.answer.send(body::recoverable());
                    }
                    Vec::new()
                }
                Arrival::Now(requests) => {
                    let mut messages = Vec::new();
                    for (rid, waiting) in requests {
                        self.handle(&mut state, rid, waiting, &mut messages);
                    }
                    messages
                }
                Arrival::Repeated(text) => return ready(text),
                Arrival::Refused(condition) => {
                    self.end(&mut state, condition);
                    drop(state);
                    self.changed.notify_one();
                    return ready(body::terminate(condition));
                }
            }
        };
        self.pass(messages).await;
        answered
    }

    /// Answers the oldest held request, up to this one, with nothing: it has waited long enough.
    pub fn give_up(&self, rid: u64) {
        let mut state = self.state.lock();
        while state.held.front().is_some_and(|(held, _)| *held <= rid) {
            self.answer_oldest(&mut state);
        }
    }

    /// How long a request may wait.
    pub fn wait(&self) -> Duration {
        Duration::from_secs(self.created.wait)
    }

    fn handle(&self, state: &mut State, rid: u64, waiting: Waiting, messages: &mut Vec<String>) {
        let Waiting { request, answer } = waiting;
        if state.ended {
            let _ = answer.send(body::terminate(Condition::ItemNotFound));
            return;
        }
        let too_often = self.is_too_often(state, &request);
        state.asked = Instant::now();
        state.in_vain = request.is_empty();
        state.held.push_back((rid, answer));
        if too_often {
            return self.end(state, Condition::PolicyViolation);
        }
        if !state.window.unlocks(request.key.as_deref(), request.newkey) {
            return self.end(state, Condition::ItemNotFound);
        }
        state.patience = Duration::from_secs(self.created.inactivity);
        messages.extend(request.payload);
        match request.action {
            Action::Create(_) | Action::Exchange => {}
            Action::Restart(wishes) => messages.push(wishes.open()),
            // The oldest request is answered when the stream has ended.
            Action::Terminate => return messages.push(body::close()),
            Action::Pause(seconds) if seconds <= self.created.max_pause => {
                // All requests are answered at once: the client will have none open.
                state.patience = Duration::from_secs(seconds.max(self.created.inactivity));
                while !state.held.is_empty() {
                    self.answer_oldest(state);
                }
            }
            Action::Pause(_) => return self.end(state, Condition::PolicyViolation),
        }
        if !state.pieces.is_empty() {
            self.answer_oldest(state);
        }
        while state.held.len() as u64 > self.created.hold {
            self.answer_oldest(state);
        }
    }

    /// Sections 11 and 12: whether a request asks for nothing but what there is, and too soon after the last one.
    fn is_too_often(&self, state: &State, request: &Request) -> bool {
        let idle = match self.created.polls() {
            true => state.in_vain,
            false => state.held.len() as u64 + 1 >= self.created.requests,
        };
        request.is_empty() && idle && state.asked.elapsed() < Duration::from_secs(self.created.polling)
    }

    /// Gives what there is to the oldest request that is held.
    fn answer_oldest(&self, state: &mut State) {
        let Some((rid, answer)) = state.held.pop_front() else { return };
        let pieces = std::mem::take(&mut state.pieces);
        state.bytes = 0;
        state.in_vain &= pieces.is_empty();
        let created = std::mem::take(&mut state.fresh).then_some(&self.created);
        let received = state.window.received();
        // Only the first answer acknowledges its own request.
        let ack = (self.created.acks && (created.is_some() || received != rid)).then_some(received);
        let text = body::response(pieces, created, ack);
        state.window.answered(rid, &text);
        state.silent_since = Instant::now();
        // A client that has gone away asks again, and gets the answer that was kept.
        let _ = answer.send(text);
        self.changed.notify_one();
    }

    fn end(&self, state: &mut State, condition: Condition) {
        state.ended = true;
        for (_, answer) in state.held.drain(..) {
            let _ = answer.send(body::terminate(condition));
        }
        self.changed.notify_one();
    }

    /// Hands messages to the stream. When it is gone nobody wants them.
    async fn pass(&self, messages: Vec<String>) {
        for message in messages {
            let _ = self.messages.send(message).await;
        }
    }
}

fn ready(text: String) -> oneshot::Receiver<String> {
    let (answer, answered) = oneshot::channel();
    let _ = answer.send(text);
    answered
}

/// The stream's side of a session.
pub struct BoshCarrier {
    session: Arc<Session>,
    unread: mpsc::Receiver<String>,
}

#[async_trait]
impl Carrier for BoshCarrier {
    async fn receive(&mut self) -> io::Result<Option<String>> {
        loop {
            let (ended, silent_until) = {
                let state = self.session.state.lock();
                (state.ended, state.held.is_empty().then(|| state.silent_since + state.patience))
            };
            if ended {
                return Ok(None);
            }
            let silence = async {
                match silent_until {
                    Some(until) => tokio::time::sleep_until(until.into()).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                biased;
                message = self.unread.recv() => return Ok(message),
                // Section 10: a client that asks nothing for so long is gone.
                () = silence => return Ok(None),
                () = self.session.changed.notified() => {}
            }
        }
    }

    async fn send(&mut self, pieces: Vec<Piece>) -> io::Result<()> {
        let mut pieces = Some(pieces);
        loop {
            {
                let mut state = self.session.state.lock();
                if state.ended || (state.held.is_empty() && state.silent_since.elapsed() > state.patience) {
                    return Err(io::ErrorKind::NotConnected.into());
                }
                if state.bytes <= UNSENT
                    && let Some(pieces) = pieces.take()
                {
                    state.bytes = state.bytes.saturating_add(pieces.iter().map(weight).sum());
                    state.pieces.extend(pieces);
                    self.session.answer_oldest_if_held(&mut state);
                    return Ok(());
                }
            }
            tokio::select! {
                () = self.session.changed.notified() => {}
                () = tokio::time::sleep(Duration::from_secs(1)) => {}
            }
        }
    }

    async fn shutdown(&mut self) {
        let mut state = self.session.state.lock();
        self.session.answer_oldest_if_held(&mut state);
        self.session.end(&mut state, Condition::None);
    }
}

impl Session {
    fn answer_oldest_if_held(&self, state: &mut State) {
        if !state.held.is_empty() {
            self.answer_oldest(state);
        }
    }
}

fn weight(piece: &Piece) -> usize {
    match piece {
        Piece::Element(xml) => xml.len(),
        Piece::Open(_) | Piece::Close => 64,
    }
}
