//! Reading a store from its text form.

use super::{EndLine, EntryLine, FORMAT, Line, Moved, RecordLine, TransferError, hexadecimal};
use crate::store::chunks::{Changes, Chunked};
use crate::store::index;
use crate::store::keys;
use crate::store::options::{Missing, OpenError, Options, open_engine};
use crate::store::schema::{self, number};
use crate::store::values::{self, Sums};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use bytes::Bytes;
use compact_str::CompactString;
use sha2::{Digest, Sha256};
use std::io::{BufRead, Read};
use std::ops::ControlFlow;
use xeps::store::{Key, LogKey, Seq, limits};

/// No line is longer: a value in base64, and names in which every byte is escaped.
const LONGEST_LINE: u64 = 8 << 20;
/// How much is written in one go, in bytes of keys and values.
const LOAD: usize = 1 << 20;
/// Entries that are indexed together.
const INDEXED: usize = 64;

/// Reads an export into an empty store, which it may make. Content, versions and ids are those of the export. Blocks.
///
/// A file that is cut off or altered, or does not follow the format, is refused, and the store is empty again. Should
/// the import itself be killed, the store cannot be opened before another import has succeeded.
pub fn import(options: &Options, input: &mut dyn BufRead) -> Result<Moved, TransferError> {
    let opened = open_engine(options, Missing::Create)?;
    read_into(&opened.engine, input)
}

fn read_into(engine: &Chunked, input: &mut dyn BufRead) -> Result<Moved, TransferError> {
    if engine.get(keys::IMPORTING).map_err(OpenError::Store)?.is_none() {
        schema::require_unused(engine)?;
    }
    wipe(engine)?;
    let begun = Changes::from([(keys::IMPORTING.to_vec(), Some(Bytes::new()))]);
    write(engine, &begun)?;
    let mut reader = Reader::new(engine, input);
    let outcome = reader.read();
    if outcome.is_err() {
        wipe(engine)?;
    }
    outcome
}

struct Reader<'a> {
    engine: &'a Chunked,
    input: &'a mut dyn BufRead,
    hash: Sha256,
    line: u64,
    moved: Moved,
    /// The key of the line before.
    last: Vec<u8>,
    highest: u64,
    changes: Changes,
    load: usize,
    /// The log whose entries are coming, and what they sum up to.
    log: Option<(String, String)>,
    sums: Sums,
    /// Those of them that are not indexed yet, with their tags.
    tagged: Vec<(Seq, Vec<CompactString>)>,
}

impl<'a> Reader<'a> {
    fn new(engine: &'a Chunked, input: &'a mut dyn BufRead) -> Self {
        Self {
            engine,
            input,
            hash: Sha256::new(),
            line: 0,
            moved: Moved::default(),
            last: Vec::new(),
            highest: 0,
            changes: Changes::new(),
            load: 0,
            log: None,
            sums: Sums::default(),
            tagged: Vec::new(),
        }
    }

    fn read(&mut self) -> Result<Moved, TransferError> {
        let text = self.next_line()?;
        match self.parse(&text)? {
            Line::Store(store) if store.format == FORMAT => {}
            Line::Store(store) => return Err(self.refuse(format!("format {} is not known", store.format))),
            _ => return Err(self.refuse("this is not the export of a store")),
        }
        self.hash.update(&text);
        loop {
            let text = self.next_line()?;
            match self.parse(&text)? {
                Line::Entry(entry) => self.entry(entry)?,
                Line::Record(record) => self.record(record)?,
                Line::End(end) => return self.end(&end),
                Line::Store(_) => return Err(self.refuse("a second beginning")),
            }
            self.hash.update(&text);
        }
    }

    fn next_line(&mut self) -> Result<Vec<u8>, TransferError> {
        let mut text = Vec::new();
        (&mut *self.input).take(LONGEST_LINE).read_until(b'\n', &mut text)?;
        if text.len() as u64 == LONGEST_LINE {
            self.line += 1;
            return Err(self.refuse("the line is too long"));
        }
        if text.last() != Some(&b'\n') {
            return Err(TransferError::Truncated(self.line));
        }
        self.line += 1;
        Ok(text)
    }

    fn parse(&self, text: &[u8]) -> Result<Line, TransferError> {
        serde_json::from_slice(text).map_err(|error| self.refuse(error.to_string()))
    }

    fn record(&mut self, line: RecordLine) -> Result<(), TransferError> {
        let name = Key::new(&line.owner, &line.kind, &line.name);
        name.check().map_err(|error| self.refuse(error.to_string()))?;
        let value = self.value(&line.value)?;
        self.moved.records += 1;
        self.highest = self.highest.max(line.version);
        self.add(keys::record(name), values::record(line.version, &value))
    }

    fn entry(&mut self, line: EntryLine) -> Result<(), TransferError> {
        let log = LogKey::new(&line.owner, &line.kind);
        log.check().map_err(|error| self.refuse(error.to_string()))?;
        let value = self.value(&line.value)?;
        let tags: Vec<CompactString> = line.tags.iter().map(CompactString::from).collect();
        let unique = tags.iter().enumerate().all(|(index, tag)| !tags.iter().skip(index + 1).any(|other| other == tag));
        if tags.len() > limits::TAGS || tags.iter().any(|tag| tag.len() > limits::TAG) || !unique {
            return Err(self.refuse("too many, too long or repeated tags"));
        }
        if self.log.as_ref().is_none_or(|(owner, kind)| (owner, kind) != (&line.owner, &line.kind)) {
            self.end_of_log();
            self.log = Some((line.owner.clone(), line.kind.clone()));
        }
        self.sums.entries += 1;
        self.sums.bytes += value.len() as u64;
        self.sums.up_to = Seq(line.seq);
        self.moved.entries += 1;
        self.highest = self.highest.max(line.seq);
        let stored = values::entry(&tags, &value);
        self.tagged.push((Seq(line.seq), tags));
        if self.tagged.len() >= INDEXED {
            self.index(log);
        }
        self.add(keys::entry(log, Seq(line.seq)), stored)
    }

    fn value(&self, text: &str) -> Result<Vec<u8>, TransferError> {
        let value = BASE64_STANDARD.decode(text).map_err(|error| self.refuse(error.to_string()))?;
        if value.len() > limits::VALUE { Err(self.refuse("the value is too large")) } else { Ok(value) }
    }

    fn add(&mut self, key: Vec<u8>, value: Bytes) -> Result<(), TransferError> {
        if key <= self.last {
            return Err(self.refuse("the line is out of order or repeated"));
        }
        self.load += key.len() + value.len();
        self.last.clone_from(&key);
        self.changes.insert(key, Some(value));
        if self.load >= LOAD {
            self.load = 0;
            apply(self.engine, &std::mem::take(&mut self.changes))?;
        }
        Ok(())
    }

    /// Indexes the entries of the log that came since the last time.
    fn index(&mut self, log: LogKey<'_>) {
        let blocks = index::blocks(log, &std::mem::take(&mut self.tagged));
        self.changes.extend(blocks.into_iter().map(|(key, value)| (key, Some(value))));
    }

    fn end_of_log(&mut self) {
        let sums = std::mem::take(&mut self.sums);
        if let Some((owner, kind)) = self.log.take() {
            let log = LogKey::new(&owner, &kind);
            self.index(log);
            self.changes.insert(keys::sums(log), Some(values::sums(sums)));
        }
    }

    fn end(&mut self, end: &EndLine) -> Result<Moved, TransferError> {
        if end.sha256 != hexadecimal(&self.hash.clone().finalize()) {
            return Err(self.refuse("the checksum is wrong: the file was altered"));
        }
        if (end.records, end.entries) != (self.moved.records, self.moved.entries) {
            return Err(self.refuse("the numbers of records and entries are wrong"));
        }
        if end.mark < self.highest {
            return Err(self.refuse("the mark is below an id"));
        }
        if !self.input.fill_buf()?.is_empty() {
            return Err(self.refuse("something follows the end"));
        }
        self.end_of_log();
        apply(self.engine, &std::mem::take(&mut self.changes))?;
        let mut done = schema::version_is(schema::current(schema::MIGRATIONS));
        done.insert(keys::MARK.to_vec(), Some(number(end.mark)));
        done.insert(keys::IMPORTING.to_vec(), None);
        write(self.engine, &done)?;
        Ok(self.moved)
    }

    fn refuse(&self, problem: impl Into<String>) -> TransferError {
        TransferError::Line { line: self.line, problem: problem.into() }
    }
}

/// Every key is written once, so one stamp does, and no later commit has it. No entry replaces another.
fn apply(engine: &Chunked, changes: &Changes) -> Result<(), OpenError> {
    engine.apply_over(Seq::MIN, changes, 0).map_err(OpenError::Store)
}

/// Applies and makes everything durable.
fn write(engine: &Chunked, changes: &Changes) -> Result<(), OpenError> {
    apply(engine, changes)?;
    engine.sync().map_err(OpenError::Store)
}

/// Removes everything; the marks of the store itself last, so that what is half removed is not taken for a store.
fn wipe(engine: &Chunked) -> Result<(), OpenError> {
    for span in [keys::pieces(), keys::data(), keys::everything()] {
        loop {
            let mut writes = Vec::new();
            engine.scan_raw(&span, &mut |key, _| {
                writes.push((key.to_vec(), None));
                Ok(if writes.len() < 1000 { ControlFlow::Continue(()) } else { ControlFlow::Break(()) })
            })?;
            if writes.is_empty() {
                break;
            }
            engine.apply_raw(writes)?;
        }
    }
    Ok(engine.sync()?)
}
