//! The key that tokens are made from (XEP-0484, XEP-0397), in a file of its own beside the store: whoever gets hold of the store, of an export or
//! of a copy of it has no token. Without the file another key is made, and clients need their passwords once.

use super::ports;
use crate::config::{Config, Engine};
use std::fs::{self, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use wire::sasl::TokenKey;

const FILE: &str = "token.key";

/// Reads the key, or makes it when there is none. A server that keeps nothing on disk makes one for each run.
pub fn token_key(config: &Config) -> Result<TokenKey, String> {
    if config.store.engine == Engine::Memory {
        return Ok(for_once());
    }
    let file = config.data_dir().join(FILE);
    let key = read_or_make(&file).map_err(|error| format!("cannot use {}: {error}", file.display()))?;
    Ok(TokenKey::new(key))
}

/// A key that nobody will ever have again.
pub fn for_once() -> TokenKey {
    TokenKey::new(fresh())
}

fn read_or_make(file: &Path) -> io::Result<[u8; 32]> {
    match fs::read(file) {
        Ok(octets) => octets.try_into().map_err(|_| io::Error::new(ErrorKind::InvalidData, "it is damaged; remove it")),
        Err(error) if error.kind() == ErrorKind::NotFound => {
            let key = fresh();
            // Under another name first: a key that is cut short would keep the server from starting.
            let unfinished = file.with_extension("new");
            let mut out = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&unfinished)?;
            out.write_all(&key)?;
            out.sync_all()?;
            fs::rename(&unfinished, file)?;
            Ok(key)
        }
        Err(error) => Err(error),
    }
}

fn fresh() -> [u8; 32] {
    let mut key = [0; 32];
    ports::fill(&mut key);
    key
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn a_key_is_made_once_and_for_nobody_else_to_read() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join(FILE);
        let key = read_or_make(&file).unwrap();
        assert_eq!(read_or_make(&file).unwrap(), key);
        assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
        fs::remove_file(&file).unwrap();
        assert_ne!(read_or_make(&file).unwrap(), key);
        fs::write(&file, "short").unwrap();
        assert!(read_or_make(&file).is_err(), "a damaged key is not replaced in silence");
    }
}
