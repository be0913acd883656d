//! The documents say what the code says: the table of XEPs in the README and the DOAP file are made from the statements of
//! the features, links lead somewhere, and what is told of files, options and metrics is there.
//!
//! `UPDATE_DOCS=1 cargo test --test documents` writes the generated parts anew.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::{env, fs};
use xeps::feature::Coverage;
use xeps::table::{self, Row};

const BEGIN: &str = "<!-- begin of the table of XEPs: made by tests/documents.rs -->\n";
const END: &str = "<!-- end of the table of XEPs -->\n";

/// The documents that people read.
const DOCUMENTS: [&str; 4] = ["README.md", "CONTRIBUTING.md", "docs/ARCHITECTURE.md", "docs/OPERATING.md"];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn read(name: &str) -> String {
    fs::read_to_string(root().join(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

fn rows() -> Vec<Row> {
    table::rows(oriole::server::abouts().unwrap())
}

/// Compares a file with what it should be, or makes it so if that was asked for.
fn agrees(name: &str, expected: &str) {
    if env::var_os("UPDATE_DOCS").is_some() {
        return fs::write(root().join(name), expected).unwrap();
    }
    assert!(read(name) == expected, "{name} is not up to date: run `UPDATE_DOCS=1 cargo test --test documents`");
}

#[test]
fn the_readme_has_the_table_of_xeps() {
    let readme = read("README.md");
    let (before, rest) = readme.split_once(BEGIN).expect("the table begins with a marker");
    let (_, after) = rest.split_once(END).expect("the table ends with a marker");
    agrees("README.md", &format!("{before}{BEGIN}\n{}\n{END}{after}", table::markdown(&rows())));
}

#[test]
fn the_doap_file_lists_what_is_implemented() {
    agrees("doap.xml", &table::doap(&rows()));
}

#[test]
fn the_table_has_titles_and_reasons() {
    for row in rows() {
        assert!(!row.title.is_empty(), "XEP-{:04} needs a title in xeps/src/table/titles.rs", row.number);
        let whole = row.coverage == Coverage::Complete;
        assert!(whole || !row.notes.is_empty(), "XEP-{:04} does not say what is left out", row.number);
    }
}

#[test]
fn links_and_named_files_are_there() {
    for document in DOCUMENTS {
        let text = read(document);
        let beside = root().join(document).parent().map(Path::to_owned).unwrap_or_default();
        for target in links(&text).filter(|target| !target.contains("://") && !target.starts_with('#')) {
            let file = target.split('#').next().unwrap_or_default();
            assert!(beside.join(file).exists(), "{document} links to {target}, which is not there");
        }
        for file in named_files(&text) {
            assert!(root().join(&file).exists(), "{document} names {}, which is not there", file.display());
        }
    }
}

/// The targets of Markdown links.
fn links(text: &str) -> impl Iterator<Item = &str> {
    text.split("](").skip(1).filter_map(|rest| rest.split(')').next())
}

/// Paths of the source tree, as prose and diagrams name them: a word that begins with one of its directories.
fn named_files(text: &str) -> Vec<PathBuf> {
    const PLACES: [&str; 7] = ["wire/", "xeps/", "src/", "tests/", "docs/", "fuzz/", "conformance/"];
    // Files that the instructions have the reader make.
    const MADE_UP: [&str; 2] = ["xeps/src/greet.rs", "xeps/tests/features/greet.rs"];
    let words = text.split(|c: char| !(c.is_ascii_alphanumeric() || "/._-*<>".contains(c)));
    let paths = words.map(|word| word.trim_end_matches(['.', '/'])).filter(|word| {
        PLACES.iter().any(|place| word.starts_with(place)) && !word.contains(['*', '<']) && !MADE_UP.contains(word)
    });
    paths.map(PathBuf::from).collect()
}

/// The document explains the order of features; the list in `xeps/src/lib.rs` is the order.
#[test]
fn features_are_explained_in_their_order() {
    let document = read("docs/ARCHITECTURE.md");
    let (_, explained) = document.split_once("The order today, and why:").unwrap();
    let (explained, _) = explained.split_once("**Hooks.**").unwrap();
    let names: Vec<&str> = explained.split('`').skip(1).step_by(2).collect();
    assert!(names.len() > 5);
    let order: Vec<&str> = oriole::server::abouts().unwrap().into_iter().map(|about| about.name).collect();
    let places: Vec<usize> = names
        .iter()
        .map(|name| order.iter().position(|feature| feature == name).unwrap_or_else(|| panic!("{name} is no feature")))
        .collect();
    assert!(places.is_sorted(), "the document has the order {names:?}, the code has {order:?}");
}

#[test]
fn the_metrics_that_are_described_are_those_that_there_are() {
    let (document, code) = (read("docs/OPERATING.md"), sources(&root().join("src")));
    let (described, counted) = (metrics(&document), metrics(&code));
    assert!(!counted.is_empty());
    assert_eq!(described, counted, "docs/OPERATING.md and the code name different metrics");
}

/// All the code below a directory.
fn sources(directory: &Path) -> String {
    let entries = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path());
    let texts = entries.map(|path| if path.is_dir() { sources(&path) } else { fs::read_to_string(path).unwrap() });
    texts.collect()
}

/// Names of metrics, each once. Those that only a test counts say so.
fn metrics(text: &str) -> BTreeSet<&str> {
    let words = text.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_'));
    words.filter(|word| word.starts_with("oriole_") && !word.starts_with("oriole_test_")).collect()
}

#[test]
fn the_examples_of_configuration_are_valid() {
    for document in DOCUMENTS {
        let text = read(document);
        for (number, block) in text.split("```toml\n").skip(1).enumerate() {
            let example = block.split("```").next().unwrap_or_default();
            // Secrets in files are read when the configuration is: these are not on every machine.
            let example = example.replace("secret_file = \"/etc/oriole/gateway.secret\"", "secret = \"s\"");
            if let Err(error) = oriole::config::parse(&example, &root().join("oriole.toml")) {
                panic!("{document}, example {}: {error}", number + 1);
            }
        }
    }
}

#[test]
fn the_licences_are_there() {
    assert!(read("LICENSE-MIT").contains("MIT License"));
    assert!(read("LICENSE-APACHE").contains("Apache License"));
    assert!(read("Cargo.toml").contains("license = \"MIT OR Apache-2.0\""));
}
