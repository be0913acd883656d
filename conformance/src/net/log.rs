//! What the sessions of a play sent and received, for reports.

use std::sync::{Arc, Mutex, PoisonError};
use tokio::time::Instant;

#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Direction {
    Sent,
    Received,
    Note,
}

#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct LogEntry {
    /// Milliseconds since the play began.
    pub at: u64,
    pub actor: String,
    pub direction: Direction,
    pub text: String,
}

/// What a play's sessions sent and received, in order of time; shared by them.
#[derive(Clone)]
pub struct Log {
    start: Instant,
    entries: Arc<Mutex<Vec<LogEntry>>>,
}

/// Longer texts are cut in the log.
const LOG_TEXT: usize = 4000;

impl Default for Log {
    fn default() -> Log {
        Log { start: Instant::now(), entries: Arc::default() }
    }
}

impl Log {
    pub fn add(&self, actor: &str, direction: Direction, text: &str) {
        let at = u64::try_from(self.start.elapsed().as_millis()).unwrap_or(u64::MAX);
        let mut text = text.to_owned();
        if text.len() > LOG_TEXT {
            let end = (0..=LOG_TEXT).rev().find(|&end| text.is_char_boundary(end)).unwrap_or(0);
            text = format!("{}... ({} bytes)", &text[..end], text.len());
        }
        let mut entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        entries.push(LogEntry { at, actor: actor.to_owned(), direction, text });
    }

    pub fn entries(&self) -> Vec<LogEntry> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}
