//! The life of an established stream: one loop that reads stanzas onto the road and writes what the outbox holds.

use super::Shared;
use super::io::Io;
use crate::engine::{Client, Outbox, admit_from_component};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Instant;
use tracing::{debug, error};
use wire::stream::management::Receipt;
use wire::stream::{Closed, Event, Stream, StreamCondition, StreamError};
use xeps::store::{Position, StoreError};

/// A connection that has come through negotiation.
pub struct Connection {
    pub io: Io,
    pub stream: Stream,
    pub peer: Peer,
}

/// Who is at the other end.
pub enum Peer {
    Client(Client),
    Component { domain: String, outbox: Arc<Outbox> },
}

impl Peer {
    pub(super) fn outbox(&self) -> &Arc<Outbox> {
        match self {
            Peer::Client(client) => &client.outbox,
            Peer::Component { outbox, .. } => outbox,
        }
    }
}

/// Why the loop ends.
enum End {
    /// The stream is closed; what it still has to say is written.
    Closed(Closed),
    /// The connection is gone.
    Gone,
}

impl End {
    /// Whether the stream has broken, so that its session may go on without it (XEP-0198 section 7). A peer that closes it
    /// or breaks its rules ends its session.
    fn is_break(&self) -> bool {
        match self {
            End::Gone => true,
            End::Closed(Closed::WithError(error)) => matches!(
                error.condition,
                StreamCondition::ConnectionTimeout
                    | StreamCondition::Conflict
                    | StreamCondition::ResourceConstraint
                    | StreamCondition::SystemShutdown
            ),
            End::Closed(_) => false,
        }
    }
}

/// Serves the connection until it ends. Whatever is seldom going on is on the heap while it does: the task of an idle
/// connection keeps no room for it.
pub async fn run(shared: &Shared, mut connection: Box<Connection>) {
    if matches!(connection.peer, Peer::Client(_)) {
        shared.meters.sessions.increment(1);
        shared.open.sessions.fetch_add(1, Ordering::Relaxed);
    }
    let end = drive(shared, &mut connection).await;
    Box::pin(finish(shared, connection, end)).await;
}

/// Ends the session, or lays it to rest, and then the stream: whoever hears the goodbye may come back at once.
async fn finish(shared: &Shared, connection: Box<Connection>, end: End) {
    let Connection { mut io, mut stream, peer } = *connection;
    match peer {
        Peer::Client(client) => {
            let suspended = if end.is_break() { stream.suspend() } else { None };
            match suspended {
                Some(suspended) => shared.engine.hibernate(client, suspended).await,
                None => shared.engine.unbind(client, stream.take_unacknowledged()).await,
            }
            shared.meters.sessions.decrement(1);
            shared.open.sessions.fetch_sub(1, Ordering::Relaxed);
        }
        Peer::Component { domain, outbox } => {
            shared.engine.domains.disconnect(&domain);
            shared.engine.component_gone(outbox.finish()).await;
        }
    }
    match end {
        End::Gone => debug!("the connection is gone"),
        End::Closed(closed) => {
            debug!(?closed, "the stream is closed");
            say_goodbye(&mut io, &mut stream).await;
        }
    }
}

/// Writes what is left and closes, without waiting long for a peer that does not read.
pub async fn say_goodbye(io: &mut Io, stream: &mut Stream) {
    const PATIENCE: std::time::Duration = std::time::Duration::from_secs(5);
    let goodbye = async {
        if io.write_from(stream).await.is_ok() {
            io.shutdown().await;
        }
    };
    let _ = tokio::time::timeout(PATIENCE, goodbye).await;
}

async fn drive(shared: &Shared, connection: &mut Connection) -> End {
    let outbox = connection.peer.outbox().clone();
    let deadline = |stream: &Stream| stream.poll_timeout().unwrap_or_else(|| Instant::now() + A_DAY);
    let mut timer = Box::pin(tokio::time::sleep_until(deadline(&connection.stream).into()));
    let mut acks = Acks::default();
    // What the connection has been given, of a peer that does not acknowledge.
    let mut given = Vec::new();
    loop {
        while let Some(event) = connection.stream.poll_event() {
            if matches!(event, Event::AckWanted) {
                if let Err(error) = Box::pin(acks.want(shared, connection)).await {
                    return ended(not_stored(connection, &error)).unwrap_or(End::Gone);
                }
            } else if let Some(end) = Box::pin(handle(shared, connection, event)).await {
                return end;
            }
        }
        if let Some(end) = send_waiting(shared, connection, &outbox, &mut given).await {
            return end;
        }
        if let Some(Event::Closed(closed)) = connection.stream.request_acks(Instant::now()) {
            return End::Closed(closed);
        }
        if !write(connection, &outbox).await {
            return End::Gone;
        }
        if !given.is_empty() {
            Box::pin(confirm(shared, connection, &std::mem::take(&mut given))).await;
        }
        if outbox.is_waiting() {
            continue;
        }
        let due = deadline(&connection.stream);
        if due < timer.deadline().into_std() {
            timer.as_mut().reset(due.into());
        }
        tokio::select! {
            biased;
            safe = acks.safe(), if acks.is_waiting() => {
                if let Some(end) = Box::pin(acks.answer(shared, connection, safe)).await {
                    return end;
                }
            }
            read = connection.io.read_into(&mut connection.stream) => match read {
                Ok(true) => {}
                Ok(false) | Err(_) => return End::Gone,
            },
            () = outbox.ready() => {}
            () = &mut timer => {
                if let Some(Event::Closed(closed)) = connection.stream.handle_timeout(Instant::now()) {
                    return End::Closed(closed);
                }
                timer.as_mut().reset(deadline(&connection.stream).into());
            }
        }
    }
}

const A_DAY: std::time::Duration = std::time::Duration::from_secs(86_400);

/// The answer to a request for acknowledgement, while it waits for the disk. Nothing else waits with it.
#[derive(Default)]
struct Acks {
    waiting: Option<Waiting>,
    /// Requests that came meanwhile. Each is answered, but a flood of them with fewer.
    again: u8,
}

struct Waiting {
    h: u32,
    /// The requests that this answers.
    requests: u8,
    durable: Pin<Box<dyn Future<Output = Result<(), StoreError>> + Send>>,
}

impl Acks {
    async fn want(&mut self, shared: &Shared, connection: &mut Connection) -> Result<(), StoreError> {
        let (Peer::Client(client), Some(h)) = (&mut connection.peer, connection.stream.received()) else {
            return Ok(());
        };
        if self.waiting.is_some() {
            self.again = self.again.saturating_add(1);
            return Ok(());
        }
        // What the client is told must be what it is told again after a restart.
        client.counts(h);
        shared.engine.store_count(client).await?;
        let requests = std::mem::take(&mut self.again).max(1);
        let (store, position) = (shared.engine.store.clone(), client.written());
        let durable = Box::pin(async move { store.durable(position).await });
        self.waiting = Some(Waiting { h, requests, durable });
        Ok(())
    }

    fn is_waiting(&self) -> bool {
        self.waiting.is_some()
    }

    /// Returns when what is waited for is on disk, or never will be. Cancel safe.
    async fn safe(&mut self) -> Result<(), StoreError> {
        match &mut self.waiting {
            Some(waiting) => waiting.durable.as_mut().await,
            None => std::future::pending().await,
        }
    }

    async fn answer(
        &mut self,
        shared: &Shared,
        connection: &mut Connection,
        safe: Result<(), StoreError>,
    ) -> Option<End> {
        let waiting = self.waiting.take()?;
        if let Err(error) = safe {
            return ended(not_stored(connection, &error));
        }
        (0..waiting.requests).for_each(|_| connection.stream.acknowledge(waiting.h));
        if self.again > 0
            && let Err(error) = self.want(shared, connection).await
        {
            return ended(not_stored(connection, &error));
        }
        None
    }
}

/// The store has failed: whatever the peer sent may be lost, so it must not be told otherwise.
fn not_stored(connection: &mut Connection, error: &StoreError) -> Event {
    error!(%error, "the store failed: nothing can be acknowledged any more");
    let text = "what you sent may not have been stored";
    connection.stream.fail(StreamError::with_text(StreamCondition::InternalServerError, text))
}

/// Acts on one event of the stream.
async fn handle(shared: &Shared, connection: &mut Connection, event: Event) -> Option<End> {
    match event {
        Event::Stanza(stanza) => {
            shared.meters.stanzas_in.increment(1);
            let h = connection.stream.received();
            let outcome = match &mut connection.peer {
                Peer::Client(client) => {
                    h.into_iter().for_each(|h| client.counts(h));
                    shared.engine.receive(client, stanza).await
                }
                Peer::Component { domain, .. } => match admit_from_component(stanza, domain) {
                    Ok(stanza) => {
                        shared.engine.receive_from_outside(stanza).await;
                        Ok(())
                    }
                    Err(error) => Err(error),
                },
            };
            match outcome {
                Ok(()) => None,
                Err(error) => ended(connection.stream.fail(error)),
            }
        }
        Event::Enable(wish) => {
            let grant = match &mut connection.peer {
                Peer::Client(client) => shared.enable(client, &wish, &connection.io).await,
                Peer::Component { .. } => None,
            };
            connection.stream.enabled(grant.as_ref());
            None
        }
        Event::Acknowledged(receipts) => {
            confirm(shared, connection, &receipts).await;
            None
        }
        Event::ClientState(state) => {
            if let Peer::Client(client) = &connection.peer {
                shared.engine.client_state(client, state).await;
            }
            None
        }
        Event::Answer(reply) => {
            if let Peer::Client(client) = &connection.peer {
                shared.engine.answer(client, reply).await;
            }
            None
        }
        Event::Closed(closed) => Some(End::Closed(closed)),
        // The other events belong to negotiation, which is over.
        _ => None,
    }
}

/// The peer has what it was given under these receipts.
async fn confirm(shared: &Shared, connection: &Connection, receipts: &[Receipt]) {
    let h = connection.stream.acknowledged().filter(|_| connection.stream.is_resumable());
    if let Peer::Client(client) = &connection.peer {
        shared.engine.confirmed(client, h, receipts).await;
    }
}

/// Moves what is queued into the stream. What acknowledges something waits until that is on disk, and what is queued behind
/// it waits with it: order is kept. The receipts of what nobody will acknowledge are added to `given`.
async fn send_waiting(
    shared: &Shared,
    connection: &mut Connection,
    outbox: &Arc<Outbox>,
    given: &mut Vec<Receipt>,
) -> Option<End> {
    let taken = outbox.take();
    if !taken.parcels.is_empty() {
        shared.meters.stanzas_out.increment(taken.parcels.len() as u64);
        connection.stream.make_room(taken.parcels.iter().map(|parcel| parcel.stanza.weight()).sum());
    }
    let mut durable = Position::default();
    let unmanaged = !connection.stream.is_managed();
    for parcel in taken.parcels {
        if parcel.after > durable {
            if let Err(error) = shared.engine.store.durable(parcel.after).await {
                return ended(not_stored(connection, &error));
            }
            durable = parcel.after;
        }
        connection.stream.send_for(&parcel.stanza, parcel.receipt);
        given.extend(parcel.receipt.filter(|_| unmanaged));
    }
    match taken.end {
        Some(error) => ended(connection.stream.fail(error)),
        None => None,
    }
}

/// Writes the stream's output. A peer that does not read is left when its outbox overflows meanwhile. False: gone.
async fn write(connection: &mut Connection, outbox: &Outbox) -> bool {
    if connection.stream.output().is_empty() {
        return true;
    }
    tokio::select! {
        biased;
        written = connection.io.write_from(&mut connection.stream) => written.is_ok(),
        () = outbox.cut() => false,
    }
}

fn ended(event: Event) -> Option<End> {
    match event {
        Event::Closed(closed) => Some(End::Closed(closed)),
        _ => None,
    }
}
