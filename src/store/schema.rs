//! The version of what is on disk, and how an older one becomes the current one.

mod version_2;

use super::OpenError;
use super::chunks::{Changes, Chunked};
use super::{keys, values};
use bytes::Bytes;
use std::ops::ControlFlow;
use xeps::store::{Direction, Result, StoreError};

/// The version that this layout began with.
const FIRST: u64 = 1;

/// How each version came out of the one before, in their order.
pub const MIGRATIONS: &[Migration] = &[
    Migration { to: 2, what: "the sums of logs say up to where they count", run: version_2::sums_say_up_to_where },
    // What is there stays as it is; programs that do not know the new form must not open the store.
    Migration { to: 3, what: "entries that are written together are compressed", run: |_| Ok(()) },
];

/// A step from one version to the next.
pub struct Migration {
    /// The version that it leads to.
    pub to: u64,
    /// What it does, for the log.
    pub what: &'static str,
    /// Does it. A crash may interrupt it anywhere; then it runs again from the start, so it must accept what it has
    /// done already.
    pub run: fn(&mut Migrator<'_>) -> Result<()>,
}

/// What a migration works with: the store, before anyone else sees it.
pub struct Migrator<'a> {
    /// The store.
    pub engine: &'a Chunked,
    mark: u64,
}

impl<'a> Migrator<'a> {
    fn new(engine: &'a Chunked) -> Result<Self> {
        let mark = engine.get(keys::MARK)?.map_or(Ok(0), |stored| values::parse_number(&stored))?;
        Ok(Self { engine, mark })
    }

    /// Makes all changes or none, and makes them durable.
    pub fn apply(&mut self, mut changes: Changes) -> Result<()> {
        self.mark += 1;
        changes.insert(keys::MARK.to_vec(), Some(number(self.mark)));
        self.engine.apply(&changes, self.mark)?;
        self.engine.sync()
    }
}

/// The version that a store has when all `migrations` were done.
pub fn current(migrations: &[Migration]) -> u64 {
    migrations.last().map_or(FIRST, |migration| migration.to)
}

/// Brings what is on disk to the current version. An empty store gets it at once.
pub fn prepare(engine: &Chunked, migrations: &[Migration]) -> std::result::Result<(), OpenError> {
    let known = current(migrations);
    let Some(found) = version(engine)? else {
        require_empty(engine)?;
        return Ok(Migrator::new(engine)?.apply(version_is(known))?);
    };
    if found > known {
        return Err(OpenError::Newer { found, known });
    }
    let mut migrator = Migrator::new(engine)?;
    for migration in migrations.iter().filter(|migration| migration.to > found) {
        tracing::info!(to = migration.to, what = migration.what, "migrating the store");
        (migration.run)(&mut migrator)?;
        migrator.apply(version_is(migration.to))?;
    }
    Ok(())
}

/// Accepts a store of the current version only: for those who look but do not touch.
pub fn require_current(engine: &Chunked) -> std::result::Result<(), OpenError> {
    let known = current(MIGRATIONS);
    match version(engine)? {
        None => Err(OpenError::NotAStore),
        Some(found) if found > known => Err(OpenError::Newer { found, known }),
        Some(found) if found < known => Err(OpenError::Older { found, known }),
        Some(_) => Ok(()),
    }
}

/// Accepts an engine that holds nothing at all.
pub fn require_empty(engine: &Chunked) -> std::result::Result<(), OpenError> {
    let mut empty = true;
    engine.scan_raw(&keys::everything(), &mut |_, _| {
        empty = false;
        Ok(ControlFlow::Break(()))
    })?;
    if empty { Ok(()) } else { Err(OpenError::NotAStore) }
}

/// Accepts a store that nothing was ever kept in.
pub fn require_unused(engine: &Chunked) -> std::result::Result<(), OpenError> {
    let mut unused = true;
    engine.scan(&keys::data(), Direction::Forward, &mut |_, _| {
        unused = false;
        Ok(ControlFlow::Break(()))
    })?;
    if unused { Ok(()) } else { Err(OpenError::NotEmpty) }
}

/// The change that sets the version.
pub fn version_is(version: u64) -> Changes {
    Changes::from([(keys::VERSION.to_vec(), Some(number(version)))])
}

/// A number as it is stored.
pub fn number(number: u64) -> Bytes {
    Bytes::copy_from_slice(&number.to_be_bytes())
}

fn version(engine: &Chunked) -> std::result::Result<Option<u64>, OpenError> {
    if engine.get(keys::IMPORTING)?.is_some() {
        return Err(OpenError::Importing);
    }
    let stored = engine.get(keys::VERSION)?;
    Ok(stored.map(|stored| values::parse_number(&stored)).transpose()?)
}

impl From<StoreError> for OpenError {
    fn from(error: StoreError) -> Self {
        OpenError::Store(error)
    }
}

#[cfg(test)]
mod tests {
    use super::super::engine::memory::Memory;
    use super::*;
    use xeps::store::Key;

    const KEY: Key<'static> = Key::new("juliet@example.org", "roster", "romeo@example.net");

    /// Two made-up steps: names in capitals, then an exclamation mark on each.
    const STEPS: &[Migration] = &[
        Migration { to: 2, what: "capitals", run: |migrator| rewrite(migrator, |text| text.to_uppercase()) },
        Migration { to: 3, what: "exclamation", run: |migrator| rewrite(migrator, |text| format!("{text}!")) },
    ];

    fn rewrite(migrator: &mut Migrator<'_>, change: impl Fn(&str) -> String) -> Result<()> {
        let mut changes = Changes::new();
        migrator.engine.scan(&keys::data(), Direction::Forward, &mut |key, stored| {
            let record = values::parse_record(stored)?;
            let text = change(&String::from_utf8_lossy(&record.value));
            changes.insert(key.to_vec(), Some(values::record(record.version, text.as_bytes())));
            Ok(ControlFlow::Continue(()))
        })?;
        migrator.apply(changes)
    }

    fn store(version: Option<u64>) -> Chunked {
        let engine = Chunked::new(Box::new(Memory::default()));
        let mut changes = version.map(version_is).unwrap_or_default();
        changes.insert(keys::record(KEY), Some(values::record(7, b"friend")));
        engine.apply(&changes, 0).expect("applied");
        engine
    }

    fn text(engine: &Chunked) -> String {
        let stored = engine.get(&keys::record(KEY)).expect("read").expect("there");
        String::from_utf8(values::parse_record(stored).expect("a record").value.to_vec()).expect("text")
    }

    #[test]
    fn every_step_from_the_version_found_is_taken_once() {
        for (found, expected) in [(1, "FRIEND!"), (2, "friend!"), (3, "friend")] {
            let engine = store(Some(found));
            prepare(&engine, STEPS).expect("migrated");
            assert_eq!(text(&engine), expected);
            prepare(&engine, STEPS).expect("nothing to do");
            assert_eq!(text(&engine), expected);
            assert_eq!(version(&engine).expect("read"), Some(3));
        }
    }

    #[test]
    fn a_step_that_fails_stops_and_is_taken_again() {
        let failing = [Migration { to: 2, what: "fails", run: |_| Err(StoreError::Full) }];
        let engine = store(Some(1));
        assert!(matches!(prepare(&engine, &failing), Err(OpenError::Store(StoreError::Full))));
        assert_eq!(version(&engine).expect("read"), Some(1));
        prepare(&engine, STEPS).expect("migrated");
        assert_eq!(text(&engine), "FRIEND!");
    }

    #[test]
    fn what_is_newer_or_foreign_or_half_imported_is_refused() {
        assert!(matches!(prepare(&store(Some(4)), STEPS), Err(OpenError::Newer { found: 4, known: 3 })));
        assert!(matches!(prepare(&store(None), STEPS), Err(OpenError::NotAStore)));
        let engine = store(Some(1));
        engine.apply(&Changes::from([(keys::IMPORTING.to_vec(), Some(Bytes::new()))]), 1).expect("applied");
        assert!(matches!(prepare(&engine, STEPS), Err(OpenError::Importing)));
    }

    #[test]
    fn an_empty_store_begins_with_the_current_version() {
        let engine = Chunked::new(Box::new(Memory::default()));
        prepare(&engine, STEPS).expect("prepared");
        assert_eq!(version(&engine).expect("read"), Some(3));
        require_unused(&engine).expect("unused");
    }
}
