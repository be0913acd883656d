//! Standard output and standard error, without panics when nobody reads them.

use super::Failure;
use std::io::{self, Write};

/// Writes to standard output. A reader that has seen enough (`oriole user list | head`) is no failure.
pub(super) fn print(text: &str) -> Result<(), Failure> {
    print_bytes(text.as_bytes())
}

/// As [`print`].
pub(super) fn print_bytes(bytes: &[u8]) -> Result<(), Failure> {
    let mut stdout = io::stdout().lock();
    match stdout.write_all(bytes).and_then(|()| stdout.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(Failure::Io(error)),
        _ => Ok(()),
    }
}

/// Writes a line to standard error.
pub(super) fn complain(line: &str) {
    let _ = writeln!(io::stderr(), "oriole: {line}");
}
