//! What was acknowledged stays: a process that is killed while it writes, and the order of syncs and acknowledgements
//! as the kernel saw it.
//!
//! The writing process is this test binary itself, started again with [`WRITE_TO`] in its environment.

mod store_support;

use oriole::store::{self, EngineKind, Options};
use std::collections::{BTreeMap, BTreeSet};
use std::env;
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;
use store_support::{block_on, open};
use xeps::store::{Batch, Expect, Key, LogKey, LogQuery, Seq, Store};

/// In the environment of the writing process: engine, number of writers, commits of each, and the directory.
const WRITE_TO: &str = "ORIOLE_TEST_WRITE_TO";
const LEFT: &str = "left@example.org";
const RIGHT: LogKey<'static> = LogKey::new("right@example.org", "log");

/// The tests of this file run one after the other. A process that is just being started holds, for a moment, copies of
/// all files of this one, and with them the locks that the engines have on theirs.
static ALONE: Mutex<()> = Mutex::new(());

fn alone() -> MutexGuard<'static, ()> {
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The writing process. Each writer commits, waits for `durable`, and only then says so on stdout.
#[test]
#[ignore = "started by the other tests, in a process of its own"]
fn writer() {
    let Ok(what) = env::var(WRITE_TO) else { return };
    let mut parts = what.splitn(4, ' ');
    let mut part = || parts.next().expect("four parts");
    let engine: EngineKind = part().parse().expect("an engine");
    let writers: usize = part().parse().expect("a number");
    let commits: usize = part().parse().expect("a number");
    say("opening");
    let store = open(&Options { cache_bytes: 8 << 20, ..Options::new(engine, part()) });
    block_on(async {
        let mut tasks = tokio::task::JoinSet::new();
        for writer in 0..writers {
            let store = Arc::clone(&store);
            tasks.spawn(async move {
                let kind = format!("writer{writer}");
                let done = store.list(LEFT, &kind, None, usize::MAX).await.expect("listed").len();
                for n in done..done + commits {
                    let name = format!("{n:06}");
                    let mark = payload(writer, n);
                    let mut batch = Batch::new();
                    batch.put(Key::new(LEFT, &kind, &name), long(&mark, n), Expect::Absent);
                    batch.append(RIGHT, &[&mark], mark.clone());
                    batch.put(Key::new("counter", &kind, ""), (n + 1).to_string(), Expect::Any);
                    let committed = store.commit(batch).await.expect("committed");
                    store.durable(committed.position).await.expect("durable");
                    say(&format!("acknowledged {writer} {n} {}", committed.seqs[0].0));
                }
            });
        }
        while let Some(done) = tasks.join_next().await {
            done.expect("a writer");
        }
    });
}

/// Writes a line in one system call.
fn say(text: &str) {
    let line = format!("\n{text}\n");
    std::io::stdout().lock().write_all(line.as_bytes()).and_then(|()| std::io::stdout().flush()).expect("written");
}

/// A text for one commit that nothing compresses away.
fn payload(writer: usize, n: usize) -> String {
    let mut state = (writer * 1_000_003 + n + 1) as u64;
    let mut letter = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        char::from(b'A' + (state >> 40) as u8 % 26)
    };
    (0..24).map(|_| letter()).collect()
}

/// Now and then the value is a long one.
fn long(mark: &str, n: usize) -> String {
    mark.repeat(if n.is_multiple_of(7) { 1000 } else { 1 })
}

fn start(command: &mut Command, engine: EngineKind, writers: usize, commits: usize, directory: &Path) -> Killed {
    command.args(["writer", "--exact", "--ignored", "--nocapture"]);
    command.env(WRITE_TO, format!("{engine} {writers} {commits} {}", directory.display()));
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().expect("started");
    let lines = BufReader::new(child.stdout.take().expect("a pipe"));
    Killed { child, lines }
}

/// A process that is killed when this is dropped.
struct Killed {
    child: Child,
    lines: BufReader<ChildStdout>,
}

impl Killed {
    /// The next line, or `None` at the end of the process.
    fn line(&mut self) -> Option<String> {
        let mut line = String::new();
        // Half a line at the end was not an acknowledgement.
        match self.lines.read_line(&mut line) {
            Ok(length) if length > 0 && line.ends_with('\n') => Some(line.trim().to_owned()),
            _ => None,
        }
    }
}

impl Drop for Killed {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn acknowledged(line: &str) -> Option<(usize, usize, Seq)> {
    let mut words = line.strip_prefix("acknowledged ")?.split(' ').map(|word| word.parse::<u64>().ok());
    let mut word = || words.next().flatten();
    Some((word()? as usize, word()? as usize, Seq(word()?)))
}

fn kill_again_and_again(engine: EngineKind) {
    let _alone = alone();
    const WRITERS: usize = 4;
    let directory = tempfile::tempdir().expect("a directory");
    let options = Options { cache_bytes: 8 << 20, ..Options::new(engine, directory.path()) };
    let mut acks: BTreeMap<(usize, usize), Seq> = BTreeMap::new();
    // Killed while it opens, then after so many acknowledgements.
    for after in [0, 1, 40, 0, 150, 7, 333, 1500] {
        let mut child =
            start(&mut Command::new(env::current_exe().expect("a path")), engine, WRITERS, 9999, directory.path());
        let mut seen = 0;
        while let Some(line) = child.line() {
            match acknowledged(&line) {
                Some((writer, n, seq)) => {
                    acks.insert((writer, n), seq);
                    seen += 1;
                }
                None if line != "opening" => continue,
                None => {}
            }
            if seen == after {
                child.child.kill().expect("killed");
            }
        }
        assert!(seen >= after, "{engine}: the writer has ended by itself");
        drop(child);
        check_after_crash(&options, WRITERS, &acks);
    }
    assert!(acks.len() >= 2031);
}

/// Kills a process a little later each time while it makes or recovers a store; it must open all the same.
fn kill_while_it_opens(engine: EngineKind) {
    let _alone = alone();
    for round in 0..16 {
        let directory = tempfile::tempdir().expect("a directory");
        let options = Options { cache_bytes: 8 << 20, ..Options::new(engine, directory.path()) };
        let mut acks = BTreeMap::new();
        for _ in ["it is made", "it is recovered"] {
            let mut child =
                start(&mut Command::new(env::current_exe().expect("a path")), engine, 1, 9999, directory.path());
            while child.line().is_some_and(|line| line != "opening") {}
            thread::sleep(Duration::from_micros(400 * round));
            child.child.kill().expect("killed");
            acks.extend(
                std::iter::from_fn(|| child.line()).filter_map(|line| acknowledged(&line)).map(|(w, n, s)| ((w, n), s)),
            );
            drop(child);
        }
        check_after_crash(&options, 1, &acks);
    }
}

#[test]
fn sled_opens_after_it_was_killed_while_opening() {
    kill_while_it_opens(EngineKind::Sled);
}

#[test]
fn fjall_opens_after_it_was_killed_while_opening() {
    kill_while_it_opens(EngineKind::Fjall);
}

fn check_after_crash(options: &Options, writers: usize, acks: &BTreeMap<(usize, usize), Seq>) {
    let engine = options.engine;
    match store::verify(options) {
        Ok(report) => assert_eq!(report.problems, Vec::<String>::new(), "{engine}"),
        // Killed before there was a store.
        Err(error) => assert!(acks.is_empty(), "{engine}: {error}"),
    }
    let database = open(options);
    block_on(async {
        let entries = database.read(RIGHT, LogQuery::forward(usize::MAX)).await.expect("read");
        let logged: BTreeMap<String, Seq> =
            entries.iter().map(|entry| (String::from_utf8_lossy(&entry.value).into_owned(), entry.seq)).collect();
        let mut recorded = BTreeSet::new();
        for writer in 0..writers {
            let kind = format!("writer{writer}");
            let records = database.list(LEFT, &kind, None, usize::MAX).await.expect("listed");
            for (n, (name, record)) in records.iter().enumerate() {
                assert_eq!(*name, format!("{n:06}"), "{engine}: no commit survives without the one before it");
                assert!(record.value == long(&payload(writer, n), n), "{engine}: {kind} {name} is whole");
                recorded.insert(payload(writer, n));
            }
            let counter = database.get(Key::new("counter", &kind, "")).await.expect("read");
            let counter = counter.map_or(0, |record| String::from_utf8_lossy(&record.value).parse().expect("a number"));
            assert_eq!(counter, records.len(), "{engine}: no batch is torn");
        }
        assert_eq!(recorded, logged.keys().cloned().collect(), "{engine}: no batch is torn");
        for ((writer, n), seq) in acks {
            assert_eq!(logged.get(&payload(*writer, *n)), Some(seq), "{engine}: acknowledged and lost");
        }
    });
}

#[test]
fn sled_keeps_what_was_acknowledged_when_it_is_killed() {
    kill_again_and_again(EngineKind::Sled);
}

#[test]
fn fjall_keeps_what_was_acknowledged_when_it_is_killed() {
    kill_again_and_again(EngineKind::Fjall);
}

#[test]
fn sled_acknowledges_after_the_sync() {
    acknowledged_after_sync(EngineKind::Sled);
}

#[test]
fn fjall_acknowledges_after_the_sync() {
    acknowledged_after_sync(EngineKind::Fjall);
}

/// Each commit's data must go to a file of the store, then a sync of this file must begin and end well, and only then
/// may the acknowledgement go out: in the order in which the kernel saw the calls.
fn acknowledged_after_sync(engine: EngineKind) {
    const COMMITS: usize = 12;
    let _alone = alone();
    if !cfg!(target_os = "linux") {
        eprintln!("SKIPPED: only Linux lets us watch the syncs of {engine}");
        return;
    }
    if Command::new("strace").arg("-V").stdout(Stdio::null()).status().is_err() {
        assert!(env::var_os("CI").is_none(), "strace is missing, and CI must have it");
        eprintln!("SKIPPED: strace is not installed, so nobody has watched the syncs of {engine}");
        return;
    }
    let directory = tempfile::tempdir().expect("a directory");
    let trace = directory.path().join("trace");
    let data = directory.path().join("data");
    let mut strace = Command::new("strace");
    strace.args([
        "-f",
        "-y",
        "-s",
        "65536",
        "-e",
        "trace=write,writev,pwrite64,pwritev,pwritev2,fsync,fdatasync",
        "-o",
    ]);
    strace.arg(&trace).arg(env::current_exe().expect("a path"));
    let mut child = start(&mut strace, engine, 1, COMMITS, &data);
    let acks = std::iter::from_fn(|| child.line()).filter_map(|line| acknowledged(&line)).count();
    assert_eq!(acks, COMMITS, "{engine}: the writer under strace has finished");
    drop(child);

    let calls = calls(&fs::read_to_string(&trace).expect("a trace"));
    let data = data.to_string_lossy();
    for n in 0..COMMITS {
        let mark = payload(0, n);
        let is_write = |call: &&Call| call.name.contains("write") && call.file.starts_with(&*data);
        let written = calls.iter().filter(is_write).find(|call| call.text.contains(&mark));
        let written = written.unwrap_or_else(|| panic!("{engine}: commit {n} is in no write to the store"));
        let covers = |call: &&Call| {
            call.name.ends_with("sync") && call.file == written.file && call.begin > written.end && call.succeeded
        };
        let synced = calls.iter().find(covers);
        let synced = synced.unwrap_or_else(|| panic!("{engine}: commit {n} is not synced"));
        let line = format!("acknowledged 0 {n} ");
        let acknowledged = calls.iter().find(|call| call.name == "write" && call.text.contains(&line));
        let acknowledged = acknowledged.expect("the acknowledgement is in the trace");
        assert!(synced.end < acknowledged.begin, "{engine}: commit {n} was acknowledged before it was on disk");
    }
}

/// A system call: its file, its arguments, and the lines of the trace where it begins and ends.
struct Call {
    name: String,
    file: String,
    text: String,
    begin: usize,
    end: usize,
    succeeded: bool,
}

/// Reads a trace of `strace -f -y`, in which a call that others overtake is in two lines.
fn calls(trace: &str) -> Vec<Call> {
    let mut calls: Vec<Call> = Vec::new();
    let mut unfinished: BTreeMap<&str, usize> = BTreeMap::new();
    for (number, line) in trace.lines().enumerate() {
        let Some((process, call)) = line.split_once(' ') else { continue };
        let call = call.trim_start();
        let succeeded = !call.rsplit(" = ").next().is_none_or(|result| result.starts_with('-'));
        if call.starts_with("<... ") {
            if let Some(call) = unfinished.remove(process).and_then(|index| calls.get_mut(index)) {
                (call.end, call.succeeded) = (number, succeeded);
            }
            continue;
        }
        let Some((name, text)) = call.split_once('(') else { continue };
        let file = text.split_once('<').and_then(|(_, rest)| rest.split_once('>')).map_or("", |(file, _)| file);
        let is_unfinished = call.ends_with("<unfinished ...>");
        if is_unfinished {
            unfinished.insert(process, calls.len());
        }
        calls.push(Call {
            name: name.to_owned(),
            file: file.to_owned(),
            text: text.to_owned(),
            begin: number,
            end: if is_unfinished { usize::MAX } else { number },
            succeeded: succeeded && !is_unfinished,
        });
    }
    calls
}
