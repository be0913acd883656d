//! The documents say what the code says: the table of XEPs in the README and the DOAP file are made from the statements of
//! the features, links lead somewhere, and what is told of files, options and metrics is there.
//!
//! `UPDATE_DOCS=1 cargo test --test documents` writes the generated parts anew.

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
    const PLACES: [&str; 6] = ["wire/", "xeps/", "src/", "tests/", "docs/", "fuzz/"];
    // Files that the instructions have the reader make.
    const MADE_UP: [&str; 2] = ["xeps/src/greet.rs", "xeps/tests/feature_greet.rs"];
    let words = text.split(|c: char| !(c.is_ascii_alphanumeric() || "/._-*<>".contains(c)));
    let paths = words.map(|word| word.trim_end_matches(['.', '/'])).filter(|word| {
        PLACES.iter().any(|place| word.starts_with(place)) && !word.contains(['*', '<']) && !MADE_UP.contains(word)
    });
    paths.map(PathBuf::from).collect()
}

#[test]
fn the_metrics_that_are_described_are_those_that_there_are() {
    let described: Vec<String> = metrics(&read("docs/OPERATING.md"));
    let counted = metrics(&read("src/net/mod.rs"));
    assert!(!counted.is_empty());
    assert_eq!(described, counted, "docs/OPERATING.md and src/net/mod.rs name different metrics");
}

/// Names of metrics, sorted, each once.
fn metrics(text: &str) -> Vec<String> {
    let words = text.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_'));
    let mut names: Vec<String> = words
        .filter(|word| word.starts_with("oriole_") && *word != "oriole_")
        .map(str::to_owned)
        .collect();
    names.sort();
    names.dedup();
    names
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
