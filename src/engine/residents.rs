//! The residents of services that are awake, each behind its two locks.
//!
//! They are the locks of an account (see [`Entry`](super::Entry)): the **lane** is held while the resident looks at a stanza,
//! the **turn** until everything that it wants sent has been handed over, so that all who are sent the same things get them in
//! the same order. A road takes the turn of the first resident that it comes to and no other one, after the turn of the
//! sender's account and before any lane: there is no circle in which two roads could wait for each other.

use parking_lot::Mutex;
use std::collections::HashMap;
use std::sync::Arc;
use tokio::sync::{Mutex as Lock, MutexGuard, OwnedMutexGuard};
use tracing::error;
use wire::jid::{BareJid, Jid};
use wire::stanza::Stanza;
use xeps::agenda::Appointment;
use xeps::store::Position;
use xeps::{Resident, Service};

use super::served::Served;
use super::{Engine, Road, Unfinished};

/// A service as the engine holds it.
pub struct Serving {
    /// The host that it belongs to.
    pub host: Arc<Served>,
    pub domain: BareJid,
    service: Box<dyn Service>,
    /// The residents that are awake.
    seats: Mutex<HashMap<Key, Arc<Seat>>>,
}

/// An address, and which of its residents.
type Key = (BareJid, u64);

/// Why a resident is called on without a stanza.
#[derive(Clone, Copy)]
pub(super) enum Call<'a> {
    Starting,
    /// It had more to send.
    GoOn,
    Due(&'a Appointment),
    Stopping,
}

impl Call<'_> {
    /// What it could not do if it fails.
    fn aim(self) -> &'static str {
        match self {
            Call::Starting => "begin",
            Call::GoOn => "send all that it has to send",
            Call::Due(_) => "keep an appointment",
            Call::Stopping => "say goodbye",
        }
    }
}

/// The place of a resident.
pub struct Seat {
    key: Key,
    turn: Arc<Lock<()>>,
    lane: Lock<Box<dyn Resident>>,
}

impl Seat {
    pub async fn lane(&self) -> MutexGuard<'_, Box<dyn Resident>> {
        self.lane.lock().await
    }
}

/// The turn of a resident, held by a road.
pub struct Turn {
    serving: Arc<Serving>,
    seat: Arc<Seat>,
    guard: OwnedMutexGuard<()>,
}

impl Turn {
    pub async fn take(serving: &Arc<Serving>, seat: &Arc<Seat>) -> Turn {
        let guard = seat.turn.clone().lock_owned().await;
        Turn { serving: serving.clone(), seat: seat.clone(), guard }
    }

    /// The next one may come. Without this the seat would stay.
    pub fn end(self) {
        drop(self.guard);
        self.serving.release(self.seat);
    }
}

impl Serving {
    pub fn new(host: Arc<Served>, domain: BareJid, service: Box<dyn Service>) -> Serving {
        Serving { host, domain, service, seats: Mutex::default() }
    }

    pub fn service(&self) -> &dyn Service {
        self.service.as_ref()
    }

    /// The seat of the resident that a stanza for this address is for, woken if need be.
    pub fn wake(&self, address: BareJid, stanza: &Stanza) -> Arc<Seat> {
        self.seat(address, self.service.lane(stanza))
    }

    /// The seat of a resident of that address, woken if need be.
    pub fn seat(&self, address: BareJid, lane: u64) -> Arc<Seat> {
        let key = (address, lane);
        let mut seats = self.seats.lock();
        if let Some(seat) = seats.get(&key) {
            return seat.clone();
        }
        let lane = Lock::new(self.service.wake(&key.0));
        let seat = Arc::new(Seat { key: key.clone(), turn: Arc::default(), lane });
        seats.insert(key, seat.clone());
        seat
    }

    /// The seats of all residents that are in memory.
    pub fn awake(&self) -> Vec<Arc<Seat>> {
        self.seats.lock().values().cloned().collect()
    }

    /// Lets a resident that remembers nothing fall asleep, unless somebody else is at it.
    pub fn release(&self, seat: Arc<Seat>) {
        let mut seats = self.seats.lock();
        // Ours and the table's: nobody can get another one while the table is locked.
        if Arc::strong_count(&seat) == 2 && seat.lane.try_lock().is_ok_and(|resident| resident.is_idle()) {
            seats.remove(&seat.key);
        }
    }
}

impl Engine {
    /// A resident of a service takes whatever comes; what it wants sent goes on the road.
    pub(super) async fn to_service(&self, serving: &Arc<Serving>, to: &Jid, stanza: Stanza, road: &mut Road) {
        let seat = serving.wake(to.to_bare(), &stanza);
        if road.turn.is_none() {
            road.turn = Some(Turn::take(serving, &seat).await);
        }
        let has_more = {
            let mut resident = seat.lane().await;
            let mut cx = self.context(&serving.host, road);
            cx.staged = std::mem::take(&mut road.staged);
            let outcome = resident.receive(&mut cx, stanza.clone()).await;
            let (outcome, acts) = road.close(cx, outcome).await;
            road.follow(acts);
            if let Err(halt) = outcome {
                road.answer(&stanza, halt);
            }
            resident.has_more()
        };
        road.rise(serving, seat, has_more);
    }

    /// The server has started: services say what they have to say before anybody asks them.
    pub async fn greet_residents(&self) {
        for serving in self.domains.servings() {
            let seat = serving.seat(serving.domain.clone(), 0);
            self.call_on(serving, seat, Call::Starting).await;
        }
    }

    /// The server is about to stop: residents that are awake say goodbye.
    pub async fn dismiss_residents(&self) {
        for serving in self.domains.servings() {
            for seat in serving.awake() {
                self.call_on(serving, seat, Call::Stopping).await;
            }
        }
    }

    /// Calls on a resident for whom no stanza has come, and sees through what it wants sent.
    pub(super) async fn call_on(&self, serving: &Arc<Serving>, seat: Arc<Seat>, call: Call<'_>) {
        let mut road = Road::new(None, None, Position::default());
        road.turn = Some(Turn::take(serving, &seat).await);
        self.visit(serving, seat, call, &mut road).await;
        self.travel(&mut road).await;
    }

    /// Goes back to a resident that had more to send.
    pub(super) async fn go_on(&self, serving: &Arc<Serving>, seat: Arc<Seat>, road: &mut Road) {
        self.visit(serving, seat, Call::GoOn, road).await;
    }

    async fn visit(&self, serving: &Arc<Serving>, seat: Arc<Seat>, call: Call<'_>, road: &mut Road) {
        let has_more = {
            let mut resident = seat.lane().await;
            let mut cx = self.context(&serving.host, road);
            let outcome = match call {
                Call::Starting => resident.starting(&mut cx).await,
                Call::GoOn => resident.go_on(&mut cx).await,
                Call::Due(appointment) => resident.due(&mut cx, appointment).await,
                Call::Stopping => resident.stopping(&mut cx).await,
            };
            let (outcome, acts) = road.close(cx, outcome).await;
            road.follow(acts);
            if let Err(halt) = outcome {
                error!(service = %serving.domain, ?halt, "a service could not {}", call.aim());
            }
            // What is left of one that stops is left for good.
            resident.has_more() && !matches!(call, Call::Stopping)
        };
        road.rise(serving, seat, has_more);
    }
}

impl Road {
    /// Leaves the seat of a resident, to come back to it if it has more to send.
    fn rise(&mut self, serving: &Arc<Serving>, seat: Arc<Seat>, has_more: bool) {
        match has_more {
            true => self.unfinished.push_back(Unfinished::Resident(serving.clone(), seat)),
            false => serving.release(seat),
        }
    }
}
