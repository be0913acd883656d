//! The verdicts of expat, by way of Python's standard library.

use std::io::Write;
use std::process::{Command, Stdio};

const SCRIPT: &str = "
import sys, pyexpat
for line in sys.stdin:
    parser = pyexpat.ParserCreate(namespace_separator=' ')
    try:
        parser.Parse(bytes.fromhex(line), True)
        print('yes')
    except (pyexpat.ExpatError, LookupError, ValueError):
        print('no')
";

/// Whether expat, minding namespaces, accepts each of the documents. `None`, and a loud word, where there is no `python3`;
/// a panic if that is so although the environment variable `CI` is set.
pub fn verdicts<'a>(documents: impl Iterator<Item = &'a [u8]>) -> Option<Vec<bool>> {
    let spawned = Command::new("python3").args(["-c", SCRIPT]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn();
    let mut python = match spawned {
        Ok(python) => python,
        Err(error) if std::env::var_os("CI").is_none() => {
            eprintln!("SKIPPED: expat was not asked, because python3 does not start: {error}");
            return None;
        }
        Err(error) => panic!("python3, which asks expat, does not start: {error}"),
    };
    let lines: String = documents.map(|d| d.iter().map(|b| format!("{b:02x}")).collect::<String>() + "\n").collect();
    let count = lines.lines().count();
    let mut input = python.stdin.take().unwrap();
    let writer = std::thread::spawn(move || input.write_all(lines.as_bytes()));
    let output = python.wait_with_output().unwrap();
    writer.join().unwrap().unwrap();
    let verdicts: Vec<bool> = String::from_utf8(output.stdout).unwrap().lines().map(|line| line == "yes").collect();
    assert_eq!(verdicts.len(), count, "expat answered every document");
    Some(verdicts)
}
