//! The walls of the house, held: what each crate may know, how features stay apart, and how large a file may grow.
//!
//! Cargo refuses crates that depend on each other in a circle; it cannot refuse a clock in a state machine, or a feature that
//! reaches into another one. The sources are read as text, without their comments and tests.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// A source file, without what is only there for readers and tests.
struct Source {
    /// From the root of the repository.
    path: String,
    code: String,
    lines: usize,
}

/// Every Rust file under `dir`.
fn sources(dir: &str) -> Vec<Source> {
    let mut files = Vec::new();
    collect(&root().join(dir), &mut files);
    files.sort();
    assert!(!files.is_empty(), "there is no {dir}");
    let read = |file: &PathBuf| {
        let text = fs::read_to_string(file).unwrap();
        let path = file.strip_prefix(root()).unwrap().to_str().unwrap().to_owned();
        Source { path, code: code_of(&text), lines: text.lines().count() }
    };
    files.iter().map(read).collect()
}

/// As [`sources`], without the files that hold nothing but tests and what tests share.
fn shipped(dir: &str) -> Vec<Source> {
    let for_tests = |source: &Source| {
        source.path.ends_with("/tests.rs") || source.path.contains("/tests/") || source.path.contains("/testing/")
    };
    sources(dir).into_iter().filter(|source| !for_tests(source)).collect()
}

fn collect(dir: &Path, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect(&path, files);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
}

/// A file's code: no comments, and nothing from its tests on, which stand last.
fn code_of(text: &str) -> String {
    let text = text.split("\n#[cfg(test)]\nmod ").next().unwrap_or_default();
    let line = |line: &str| match line.find("//") {
        // Not the slashes of a namespace or a URI.
        Some(at) if !line[..at].ends_with(':') => line[..at].to_owned(),
        _ => line.to_owned(),
    };
    text.lines().map(line).collect::<Vec<_>>().join("\n")
}

/// The files in which one of `words` stands.
fn with_any(sources: &[Source], words: &[&str]) -> Vec<String> {
    let found = |source: &Source| {
        let word = words.iter().find(|word| source.code.contains(**word))?;
        Some(format!("{}: {word}", source.path))
    };
    sources.iter().filter_map(found).collect()
}

const NOTHING: [String; 0] = [];

/// Bytes and `now` are handed in; so there is nothing in there that a test could not own.
#[test]
fn the_protocol_and_the_features_know_no_sockets_tasks_clocks_or_files() {
    const OUTSIDE: [&str; 17] = [
        "tokio",
        "rustls",
        "sled",
        "fjall",
        "TcpStream",
        "TcpListener",
        "UdpSocket",
        "UnixStream",
        "SystemTime::now",
        "Instant::now",
        "std::thread",
        "std::fs",
        "std::env::var",
        "std::process",
        "spawn(",
        " sleep(",
        "::sleep(",
    ];
    for dir in ["wire/src", "xeps/src"] {
        assert_eq!(with_any(&shipped(dir), &OUTSIDE), NOTHING);
    }
}

#[test]
fn the_crates_know_each_other_in_one_direction() {
    assert_eq!(with_any(&sources("wire/src"), &["xeps::", "oriole::", "conformance::"]), NOTHING);
    assert_eq!(with_any(&sources("xeps/src"), &["oriole::", "conformance::"]), NOTHING);
    // A mistake in `wire` must not be able to hide itself.
    assert_eq!(with_any(&sources("conformance/src"), &["wire::", "xeps::", "oriole::"]), NOTHING);
}

#[test]
fn nothing_that_talks_to_the_world_comes_in_by_a_dependency() {
    const OUTSIDE: [&str; 9] = ["tokio", "mio", "rustls", "sled", "fjall", "socket2", "hyper", "oriole", "conformance"];
    for package in ["wire", "xeps"] {
        let comes_in: Vec<String> =
            dependencies(package).into_iter().filter(|d| OUTSIDE.contains(&d.as_str())).collect();
        assert_eq!(comes_in, NOTHING, "by {package}");
    }
    for own in ["wire", "xeps", "oriole"] {
        assert!(!dependencies("conformance").contains(own), "conformance depends on {own}");
    }
    assert!(!dependencies("wire").contains("xeps"));
}

/// All packages that end up in a package, itself not counted.
fn dependencies(package: &str) -> BTreeSet<String> {
    let cargo = std::env::var_os("CARGO").unwrap_or("cargo".into());
    let mut command = Command::new(cargo);
    command.current_dir(root()).args(["tree", "--offline", "--edges", "normal", "--prefix", "none", "-p", package]);
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let tree = String::from_utf8(output.stdout).unwrap();
    tree.lines().skip(1).filter_map(|line| line.split(' ').next()).map(str::to_owned).collect()
}

/// The modules of the features, as the one list of them in `xeps/src/lib.rs` has them.
fn features() -> BTreeSet<String> {
    let list = fs::read_to_string(root().join("xeps/src/lib.rs")).unwrap();
    let (_, list) = list.split_once("pub fn features(").unwrap();
    let module = |line: &str| Some(line.trim().strip_prefix("Box::new(")?.split_once("::")?.0.to_owned());
    let features: BTreeSet<String> = list.lines().filter_map(module).collect();
    assert!(features.len() >= 10, "the list of features is not where it was: {features:?}");
    features
}

/// A feature can be taken out, or written anew, without a look at any other.
#[test]
fn features_do_not_import_features() {
    let features = features();
    let mut across = Vec::new();
    for source in shipped("xeps/src") {
        let path = source.path.strip_prefix("xeps/src/").unwrap().trim_end_matches(".rs");
        let feature = path.split('/').next().unwrap();
        if !features.contains(feature) {
            continue;
        }
        // How this file spells the root of the crate.
        let depth = path.trim_end_matches("/mod").split('/').count();
        for root in ["crate::".to_owned(), "super::".repeat(depth)] {
            for module in imported(&source.code, &root) {
                if module != feature && features.contains(&module) {
                    across.push(format!("{} imports {module}", source.path));
                }
            }
        }
    }
    assert_eq!(across, NOTHING);
}

/// The modules that are named behind `root`, alone or in braces.
fn imported(code: &str, root: &str) -> Vec<String> {
    let name = |text: &str| -> String {
        text.trim_start().chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '_').collect()
    };
    let mut names = Vec::new();
    for (at, _) in code.match_indices(root) {
        // Not the end of a longer `super::super::`.
        if code[..at].ends_with("::") {
            continue;
        }
        let rest = &code[at + root.len()..];
        match rest.strip_prefix('{') {
            None => names.push(name(rest)),
            Some(group) => {
                let mut depth = 0;
                let mut begin = 0;
                for (at, c) in group.char_indices() {
                    match c {
                        '{' => depth += 1,
                        '}' if depth > 0 => depth -= 1,
                        ',' | '}' if depth == 0 => {
                            names.push(name(&group[begin..at]));
                            begin = at + 1;
                            if c == '}' {
                                break;
                            }
                        }
                        _ => {}
                    }
                }
            }
        }
    }
    names.retain(|name| !name.is_empty());
    names
}

#[test]
fn imports_are_found_however_they_are_written() {
    let code = "use crate::a::B;\nuse crate::{\n    c::{D, e},\n    f,\n};\nuse super::g::H;\nuse super::super::i;\n crate::j::k();";
    assert_eq!(imported(code, "crate::"), ["a", "c", "f", "j"].map(str::to_owned));
    assert_eq!(imported(code, "super::super::"), ["i"].map(str::to_owned));
    assert_eq!(imported(code, "super::")[0], "g");
    assert_eq!(
        code_of("a // b\nuse c; // super::x\n'http://d'\n\n#[cfg(test)]\nmod tests {}"),
        "a \nuse c; \n'http://d'"
    );
}

/// The store has records and logs. What is in them is the business of those who put it there.
#[test]
fn the_store_names_no_feature() {
    let mut names = Vec::new();
    for source in shipped("src/store") {
        for feature in features() {
            for word in [format!("xeps::{feature}"), format!("\"{feature}\""), format!("b\"{feature}\"")] {
                if source.code.contains(&word) {
                    names.push(format!("{}: {word}", source.path));
                }
            }
        }
    }
    assert_eq!(names, NOTHING);
}

#[test]
fn unsafe_code_is_forbidden_everywhere() {
    let manifest = |dir: &str| fs::read_to_string(root().join(dir).join("Cargo.toml")).unwrap();
    assert!(manifest("").contains("[workspace.lints.rust]\nunsafe_code = \"forbid\""));
    for package in ["", "wire", "xeps", "conformance"] {
        assert!(manifest(package).contains("[lints]\nworkspace = true"), "{package:?} does not take the lints over");
    }
    for dir in ["src", "wire", "xeps", "conformance", "tests"] {
        // Written in two parts, or this file would be found.
        assert_eq!(
            with_any(&sources(dir), &[concat!("unsafe", " {"), concat!("unsafe", " fn"), concat!("unsafe", " impl")]),
            NOTHING
        );
    }
}

#[test]
fn nothing_from_the_network_may_panic() {
    for lib in ["wire/src/lib.rs", "xeps/src/lib.rs"] {
        let text = fs::read_to_string(root().join(lib)).unwrap();
        for lint in ["unwrap_used", "expect_used", "indexing_slicing", "clippy::panic"] {
            assert!(text.contains(lint), "{lib} does not deny {lint}");
        }
    }
}

/// A file is a concept, and a concept fits on a few screens.
#[test]
fn files_are_small() {
    const LARGE: usize = 500;
    /// No file may be larger than this.
    const LARGEST: usize = 700;
    /// So many may be large; who makes another one splits one.
    const LARGE_FILES: usize = 6;
    let all: Vec<Source> = ["src", "wire", "xeps", "conformance", "tests"].into_iter().flat_map(sources).collect();
    let mut large: Vec<String> = Vec::new();
    for source in all.iter().filter(|source| source.lines > LARGE) {
        assert!(source.lines <= LARGEST, "{} has {} lines", source.path, source.lines);
        large.push(format!("{} ({} lines)", source.path, source.lines));
    }
    println!("large files: {large:#?}");
    assert!(large.len() <= LARGE_FILES, "too many large files: {large:#?}");
    let mut shipped: Vec<usize> =
        ["src", "wire/src", "xeps/src"].into_iter().flat_map(shipped).map(|s| s.lines).collect();
    shipped.sort_unstable();
    let median = shipped[shipped.len() / 2];
    assert!(median <= 150, "half of all files have more than {median} lines");
}
