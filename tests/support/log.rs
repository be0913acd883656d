//! What a child process says on standard error, kept for the test to look into and shown when the test fails.

use super::wait;
use std::io::{BufRead, BufReader, Read};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

pub struct Log {
    lines: Arc<Mutex<Vec<String>>>,
    reader: Option<JoinHandle<()>>,
}

impl Log {
    /// Collects lines until the other end is closed.
    pub fn follow(pipe: impl Read + Send + 'static) -> Log {
        let lines = Arc::new(Mutex::new(Vec::new()));
        let collected = lines.clone();
        let reader = std::thread::spawn(move || {
            for line in BufReader::new(pipe).split(b'\n').map_while(Result::ok) {
                collected.lock().unwrap().push(String::from_utf8_lossy(&line).into_owned());
            }
        });
        Log { lines, reader: Some(reader) }
    }

    /// All lines so far.
    pub fn lines(&self) -> Vec<String> {
        self.lines.lock().unwrap().clone()
    }

    /// Waits until a line holds `text`, and returns it.
    pub fn wait_for(&self, text: &str) -> Option<String> {
        wait::until(|| self.lines().into_iter().find(|line| line.contains(text)))
    }

    /// All lines, once the process has ended.
    pub fn finish(&mut self) -> Vec<String> {
        if let Some(reader) = self.reader.take() {
            reader.join().unwrap();
        }
        self.lines()
    }
}
