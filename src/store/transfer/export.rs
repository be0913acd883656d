//! Writing a store as text.

use super::{EndLine, EntryLine, FORMAT, Line, Moved, RecordLine, StoreLine, TransferError, hexadecimal};
use crate::store::database::{Database, open_existing};
use crate::store::keys::{self, Parsed};
use crate::store::options::{OpenError, Options};
use crate::store::values;
use crate::store::view::View;
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use bytes::Bytes;
use sha2::{Digest, Sha256};
use std::io::Write;
use std::ops::ControlFlow;
use xeps::store::{Direction, Result, Seq, StoreError};

/// Writes everything of a store that nobody has open. See the module `transfer` for the format. Blocks.
pub fn export(options: &Options, out: &mut dyn Write) -> std::result::Result<Moved, TransferError> {
    open_existing(options)?.export(out)
}

impl Database {
    /// Writes everything while the store goes on working. Each record and entry is whole; what is committed meanwhile
    /// may be in the export or not. See the module `transfer` for the format. Blocks.
    pub fn export(&self, out: &mut dyn Write) -> std::result::Result<Moved, TransferError> {
        let view = self.view();
        let mut writer = Writer { out, hash: Sha256::new() };
        writer.line(&Line::Store(StoreLine { format: FORMAT }))?;
        let mut moved = Moved::default();
        let mut broken = None;
        let mut mark = 0;
        view.scan(&keys::data(), Direction::Forward, &mut |key, stored| {
            let Some((line, id)) = line(key, stored)? else { return Ok(ControlFlow::Continue(())) };
            match line {
                Line::Entry(_) => moved.entries += 1,
                _ => moved.records += 1,
            }
            mark = mark.max(id);
            Ok(match writer.line(&line) {
                Ok(()) => ControlFlow::Continue(()),
                Err(error) => {
                    broken = Some(error);
                    ControlFlow::Break(())
                }
            })
        })
        .map_err(OpenError::Store)?;
        if let Some(error) = broken {
            return Err(error.into());
        }
        let mark = mark.max(stored_mark(view).map_err(OpenError::Store)?);
        let sha256 = hexadecimal(&writer.hash.clone().finalize());
        writer.line(&Line::End(EndLine { records: moved.records, entries: moved.entries, mark, sha256 }))?;
        writer.out.flush()?;
        Ok(moved)
    }
}

struct Writer<'a> {
    out: &'a mut dyn Write,
    hash: Sha256,
}

impl Writer<'_> {
    fn line(&mut self, line: &Line) -> std::io::Result<()> {
        let mut text = serde_json::to_vec(line)?;
        text.push(b'\n');
        self.hash.update(&text);
        self.out.write_all(&text)
    }
}

/// The line of a key with its id or version; `None` for what an import makes anew.
fn line(key: &[u8], stored: Bytes) -> Result<Option<(Line, u64)>> {
    match keys::parse(key) {
        Some(Parsed::Record { owner, kind, name }) => {
            let record = values::parse_record(stored)?;
            let value = BASE64_STANDARD.encode(&record.value);
            let version = record.version;
            Ok(Some((Line::Record(RecordLine { owner, kind, name, version, value }), version)))
        }
        Some(Parsed::Entry { owner, kind, seq: Seq(seq) }) => {
            let entry = values::parse_entry(Seq(seq), stored)?;
            let tags = entry.tags.iter().map(ToString::to_string).collect();
            let value = BASE64_STANDARD.encode(&entry.value);
            Ok(Some((Line::Entry(EntryLine { owner, kind, seq, tags, value }), seq)))
        }
        Some(_) => Ok(None),
        None => Err(StoreError::Corrupt(format!("no key looks like {}", key.escape_ascii()))),
    }
}

fn stored_mark(view: &View) -> Result<u64> {
    view.get(keys::MARK)?.map_or(Ok(0), |stored| values::parse_number(&stored))
}
