//! The residents of services that are awake, each behind its lane.

use parking_lot::Mutex;
use std::collections::HashMap;
use std::sync::Arc;
use tokio::sync::{Mutex as Lock, MutexGuard};
use wire::jid::BareJid;
use xeps::{Resident, Service};

use super::served::Served;

/// A service as the engine holds it.
pub struct Serving {
    /// The host that it belongs to.
    pub host: Arc<Served>,
    pub domain: BareJid,
    service: Box<dyn Service>,
    /// The addresses that are awake.
    seats: Mutex<HashMap<Box<str>, Arc<Seat>>>,
}

/// The place of a resident. Its lane orders what comes for it.
pub struct Seat {
    address: BareJid,
    lane: Lock<Box<dyn Resident>>,
}

impl Seat {
    pub async fn lane(&self) -> MutexGuard<'_, Box<dyn Resident>> {
        self.lane.lock().await
    }
}

impl Serving {
    pub fn new(host: Arc<Served>, domain: BareJid, service: Box<dyn Service>) -> Serving {
        Serving { host, domain, service, seats: Mutex::default() }
    }

    pub fn service(&self) -> &dyn Service {
        self.service.as_ref()
    }

    /// The seat of an address, woken if need be.
    pub fn wake(&self, address: BareJid) -> Arc<Seat> {
        let mut seats = self.seats.lock();
        if let Some(seat) = seats.get(address.as_str()) {
            return seat.clone();
        }
        let seat = Arc::new(Seat { lane: Lock::new(self.service.wake(&address)), address });
        seats.insert(seat.address.as_str().into(), seat.clone());
        seat
    }

    /// Lets a resident that remembers nothing fall asleep, unless somebody else is at it.
    pub fn release(&self, seat: Arc<Seat>) {
        let mut seats = self.seats.lock();
        // Ours and the table's: nobody can get another one while the table is locked.
        if Arc::strong_count(&seat) == 2 && seat.lane.try_lock().is_ok_and(|resident| resident.is_idle()) {
            seats.remove(seat.address.as_str());
        }
    }
}
