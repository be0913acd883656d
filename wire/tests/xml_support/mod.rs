//! What the XML tests share: the labelled documents, the corpus for mutation, and the properties that hold for any bytes.

#![allow(dead_code)] // every test binary uses another part

pub mod expat;
pub mod mutation;
pub mod properties;

use std::fs;
use std::path::{Path, PathBuf};

use proptest::test_runner::{Config, RngSeed};

/// A document and what a strict XMPP parser must make of it.
#[derive(Debug, Clone)]
pub struct Document {
    pub id: String,
    pub category: Category,
    pub bytes: Vec<u8>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Category {
    /// Accepted.
    Fine,
    /// Against XML 1.0.
    Malformed,
    /// Against Namespaces in XML 1.0.
    Namespaces,
    /// XML, but forbidden by RFC 6120 section 11.
    Restricted,
}

/// All of `data/documents.tsv`, whose head explains the format.
pub fn documents() -> Vec<Document> {
    let text = fs::read_to_string(data().join("documents.tsv")).unwrap();
    text.lines().filter(|line| !line.starts_with('#')).map(document).collect()
}

/// The files of `data/corpus`, in the order of their names.
pub fn corpus() -> Vec<(String, Vec<u8>)> {
    let mut files: Vec<_> = fs::read_dir(data().join("corpus"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .map(|path| (path.file_name().unwrap().to_string_lossy().into_owned(), fs::read(&path).unwrap()))
        .collect();
    files.sort();
    files
}

/// The same cases in every run; `PROPTEST_CASES` makes more of them, `PROPTEST_RNG_SEED` makes other ones.
pub fn proptest_config(cases: u32) -> Config {
    let given = Config::default();
    let rng_seed = match given.rng_seed {
        RngSeed::Random => RngSeed::Fixed(6120),
        fixed => fixed,
    };
    let cases = if std::env::var_os("PROPTEST_CASES").is_some() { given.cases } else { cases };
    Config { cases, rng_seed, failure_persistence: None, ..given }
}

fn data() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data")
}

fn document(line: &str) -> Document {
    let [id, category, text] = line.split('\t').collect::<Vec<_>>()[..] else { panic!("not three columns: {line}") };
    let category = match category {
        "ok" => Category::Fine,
        "wf" => Category::Malformed,
        "ns" => Category::Namespaces,
        "restricted" => Category::Restricted,
        other => panic!("category {other} in {line}"),
    };
    Document { id: id.to_owned(), category, bytes: unescape(text) }
}

fn unescape(text: &str) -> Vec<u8> {
    let mut out = Vec::new();
    let mut rest = text.as_bytes();
    while let Some((&byte, tail)) = rest.split_first() {
        rest = match (byte, tail) {
            (b'\\', [b'\\', tail @ ..]) => {
                out.push(b'\\');
                tail
            }
            (b'\\', [b'x', high, low, tail @ ..]) => {
                let digits = [*high, *low];
                out.push(u8::from_str_radix(std::str::from_utf8(&digits).unwrap(), 16).unwrap());
                tail
            }
            (b'\\', _) => panic!("a lone backslash in {text}"),
            _ => {
                out.push(byte);
                tail
            }
        };
    }
    out
}
