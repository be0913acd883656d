//! All plays: those embedded at build time, or those of a folder.

use super::source::Scene;
use super::{Fault, Requirement, parse};
use std::collections::BTreeMap;
use std::path::Path;
use std::{fs, io};

include!(concat!(env!("OUT_DIR"), "/embedded.rs"));

/// Every requirement, in the order of the files and within them.
#[derive(Debug)]
pub struct Library {
    pub requirements: Vec<Requirement>,
}

impl Library {
    pub fn embedded() -> Result<Library, Vec<Fault>> {
        let files: Vec<(String, String)> = EMBEDDED.iter().map(|(n, t)| ((*n).to_owned(), (*t).to_owned())).collect();
        Library::from_files(&files)
    }

    /// Reads `*.play` below a folder instead.
    pub fn from_folder(folder: &Path) -> Result<Library, Vec<Fault>> {
        let mut files = Vec::new();
        let outcome = collect(folder, folder, &mut files);
        files.sort();
        match outcome {
            Ok(()) => Library::from_files(&files),
            Err(error) => {
                Err(vec![Fault { file: folder.display().to_string(), line: 1, column: 1, what: error.to_string() }])
            }
        }
    }

    /// Parses files given as (name, text). Scenes of files directly in the root are known to all.
    pub fn from_files(files: &[(String, String)]) -> Result<Library, Vec<Fault>> {
        let mut faults = Vec::new();
        let mut shared: Vec<Scene> = Vec::new();
        for (name, text) in files.iter().filter(|(name, _)| !name.contains('/')) {
            match parse::scenes(name, text) {
                Ok(scenes) => shared.extend(scenes),
                Err(fault) => faults.push(fault),
            }
        }
        let mut requirements = Vec::new();
        for (name, text) in files {
            match parse::requirements(name, text, &shared) {
                Ok(found) => requirements.extend(found),
                Err(fault) => faults.push(fault),
            }
        }
        let mut seen: BTreeMap<&str, &Requirement> = BTreeMap::new();
        for requirement in &requirements {
            if let Some(first) = seen.insert(&requirement.id, requirement) {
                let what = format!("'{}' is already in {}:{}", requirement.id, first.file, first.line);
                faults.push(Fault { file: requirement.file.clone(), line: requirement.line, column: 1, what });
            }
        }
        if faults.is_empty() { Ok(Library { requirements }) } else { Err(faults) }
    }

    pub fn get(&self, id: &str) -> Option<&Requirement> {
        self.requirements.iter().find(|requirement| requirement.id == id)
    }
}

fn collect(root: &Path, folder: &Path, into: &mut Vec<(String, String)>) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            collect(root, &path, into)?;
        } else if path.extension().is_some_and(|extension| extension == "play") {
            let name = path.strip_prefix(root).unwrap_or(&path).to_string_lossy().replace('\\', "/");
            into.push((name, fs::read_to_string(&path)?));
        }
    }
    Ok(())
}
