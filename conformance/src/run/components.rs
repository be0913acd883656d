//! The components a run may be, lent to one play at a time.

use crate::net::ComponentAccess;
use std::sync::{Mutex, PoisonError};
use tokio::sync::Semaphore;

pub struct Components {
    free: Mutex<Vec<ComponentAccess>>,
    gate: Semaphore,
}

impl Components {
    pub fn new(all: &[ComponentAccess]) -> Components {
        Components { free: Mutex::new(all.to_vec()), gate: Semaphore::new(all.len()) }
    }

    /// Waits for a free component; `None` when the run has none at all.
    pub async fn borrow(&self) -> Option<ComponentAccess> {
        self.gate.acquire().await.ok()?.forget();
        self.free.lock().unwrap_or_else(PoisonError::into_inner).pop()
    }

    pub fn give_back(&self, component: ComponentAccess) {
        self.free.lock().unwrap_or_else(PoisonError::into_inner).push(component);
        self.gate.add_permits(1);
    }
}
