//! What the tests that measure share: what this process has used of the machine, and what is on its disk.

#![allow(dead_code, reason = "each test uses its part")]

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

/// What this process has used.
#[derive(Clone, Copy)]
pub struct Spent {
    time: Instant,
    cpu: Duration,
    read: u64,
}

pub struct Difference {
    time: Duration,
    cpu: Duration,
    read: u64,
}

impl Spent {
    pub fn so_far() -> Spent {
        // proc(5): user and system time in hundredths of a second, behind the name in brackets.
        let stat = fs::read_to_string("/proc/self/stat").unwrap();
        let fields: Vec<&str> = stat.rsplit_once(") ").unwrap().1.split(' ').collect();
        let ticks: u64 = fields[11..13].iter().map(|ticks| ticks.parse::<u64>().unwrap()).sum();
        let io = fs::read_to_string("/proc/self/io").unwrap();
        let read = io.lines().find_map(|line| line.strip_prefix("rchar: ")).unwrap().parse().unwrap();
        Spent { time: Instant::now(), cpu: Duration::from_millis(ticks * 10), read }
    }

    pub fn since(self) -> Difference {
        let now = Spent::so_far();
        Difference { time: now.time - self.time, cpu: now.cpu - self.cpu, read: now.read - self.read }
    }
}

impl Difference {
    /// A row of a table: what each of so many times has taken.
    pub fn print(&self, what: &str, times: usize) {
        let each = |whole: Duration| format!("{:.0} us", whole.as_secs_f64() * 1e6 / times as f64);
        let read = format!("{:.1} KB", self.read as f64 / 1024.0 / times as f64);
        println!("{what:>34}  {:>12}  {:>12}  {read:>14}", each(self.cpu), each(self.time));
    }
}

/// The heads of the columns of [`Difference::print`].
pub fn print_heads(what: &str, each: &str) {
    let [cpu, time, read] = ["CPU", "time", "read"].map(|column| format!("{column} a {each}"));
    println!("{what:>34}  {cpu:>12}  {time:>12}  {read:>14}");
}

impl std::fmt::Display for Difference {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Difference { time, cpu, read } = self;
        write!(f, "{:.2} s of CPU, {:.2} s, {} MB read", cpu.as_secs_f64(), time.as_secs_f64(), read >> 20)
    }
}

/// Bytes of this process that are in memory.
pub fn resident() -> u64 {
    // proc(5): the second number is the pages that are in memory.
    let statm = fs::read_to_string("/proc/self/statm").unwrap();
    statm.split(' ').nth(1).unwrap().parse::<u64>().unwrap() * 4096
}

/// Bytes below a folder.
pub fn size(folder: &Path) -> u64 {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap());
    entries.map(|entry| if entry.path().is_dir() { size(&entry.path()) } else { entry.metadata().unwrap().len() }).sum()
}
