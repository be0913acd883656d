//! A new engine's directory appears whole or not at all.
//!
//! A process that is killed while an engine makes its first files can leave a directory that the engine never opens
//! again: fjall, for one, stumbles over its own first journal. So a new engine is made under another name, which is
//! changed when everything in it is on disk. A draft that was left behind never held anything, and is thrown away.

use super::{io_error, sync_directory};
use std::fs::{self, File};
use std::io;
use std::path::Path;
use xeps::store::Result;

/// Opens the engine in `directory` with `open`. If there is no such directory, makes it first.
pub fn open_whole<E>(directory: &Path, open: impl Fn(&Path) -> Result<E>) -> Result<E> {
    if !directory.is_dir() {
        let draft = directory.with_extension("new");
        if draft.is_dir() {
            tracing::warn!(draft = %draft.display(), "removing a store that was never finished");
            fs::remove_dir_all(&draft).map_err(|error| io_error("cannot remove an unfinished store", &error))?;
        }
        fs::create_dir(&draft).map_err(|error| io_error("cannot make the store's directory", &error))?;
        drop(open(&draft)?);
        sync_all(&draft).map_err(|error| io_error("cannot sync a new store", &error))?;
        fs::rename(&draft, directory).map_err(|error| io_error("cannot name a new store", &error))?;
        directory.parent().map_or(Ok(()), sync_directory)?;
    }
    open(directory)
}

/// Makes a directory durable with everything in it.
fn sync_all(directory: &Path) -> io::Result<()> {
    for entry in fs::read_dir(directory)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            sync_all(&entry.path())?;
        } else {
            File::open(entry.path())?.sync_all()?;
        }
    }
    File::open(directory)?.sync_all()
}
