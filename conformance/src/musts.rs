//! Which sentences of a specification say what MUST be, and what shows of each that a server does it: the files of `musts/`.
//!
//! A file holds the sentences of one specification in its own words and order, all that say MUST, SHALL or REQUIRED outside of
//! examples. Below each stands one of
//!
//! ```text
//! shown by: play ID, test FILE NAME        by a play (or all rows of one with a table), or a test of this repository
//! owed by: WHO                             by somebody else than the server
//! not owed: WHY
//! ```
//!
//! and, where a sentence cannot be taken by its letter because another one contradicts it, `note: HOW IT IS READ`.

use crate::play::{Library, Requirement};
use std::fmt::Write as _;

include!(concat!(env!("OUT_DIR"), "/musts.rs"));

/// A specification with its sentences.
#[derive(Debug)]
pub struct Musts {
    /// As it is cited: `XEP-0198`.
    pub name: String,
    pub version: String,
    pub title: String,
    pub sentences: Vec<Sentence>,
}

#[derive(Debug)]
pub struct Sentence {
    pub section: String,
    pub says: String,
    pub whose: Whose,
    /// How the sentence is read.
    pub note: Option<String>,
}

/// Who owes what a sentence says.
#[derive(Debug, PartialEq, Eq)]
pub enum Whose {
    Servers(Vec<Proof>),
    /// Somebody else's, with what there is to say about it.
    Others(String),
    Nobodys(String),
}

/// What shows that a server does it.
#[derive(Debug, PartialEq, Eq)]
pub enum Proof {
    Play(String),
    Test { file: String, name: String },
}

impl Musts {
    /// Those of all files. What cannot be read is said as `file: what is wrong`.
    pub fn embedded() -> Result<Vec<Musts>, String> {
        MUSTS.iter().map(|(file, text)| Musts::parse(text).map_err(|what| format!("musts/{file}: {what}"))).collect()
    }

    fn parse(text: &str) -> Result<Musts, String> {
        let mut blocks = text.split("\n\n").filter(|block| !block.trim().is_empty());
        let head = blocks.next().unwrap_or_default();
        let sentences = blocks.map(Sentence::parse).collect::<Result<_, _>>()?;
        Ok(Musts {
            name: property(head, "specification")?,
            version: property(head, "version")?,
            title: property(head, "title")?,
            sentences,
        })
    }

    /// What the specification owes to the table: plays that do not exist, sentences that nothing shows.
    pub fn faults(&self, library: &Library) -> Vec<String> {
        let mut faults = Vec::new();
        for Sentence { section, says, whose, .. } in &self.sentences {
            let Whose::Servers(proofs) = whose else { continue };
            let plays = proofs.iter().filter_map(|proof| match proof {
                Proof::Play(id) => Some(id),
                Proof::Test { .. } => None,
            });
            for id in plays.filter(|id| shows(library, id).next().is_none()) {
                faults.push(format!("{} section {section}: there is no play '{id}'", self.name));
            }
            if proofs.is_empty() {
                faults.push(format!("{} section {section}: nothing shows \"{says}\"", self.name));
            }
        }
        faults
    }

    /// The table of this specification, a sentence and below it what shows it, and a line with the sums.
    pub fn table(&self) -> String {
        let Musts { name, version, title, sentences } = self;
        let mut table = format!("{name} {version}, {title}\n");
        for Sentence { section, says, whose, note } in sentences {
            let _ = writeln!(table, "\n  section {section}: {says}");
            let _ = match whose {
                Whose::Servers(proofs) => proofs.iter().try_for_each(|proof| match proof {
                    Proof::Play(id) => writeln!(table, "    play {id}"),
                    Proof::Test { file, name } => writeln!(table, "    test {name} in {file}"),
                }),
                Whose::Others(who) => writeln!(table, "    owed by: {who}"),
                Whose::Nobodys(why) => writeln!(table, "    not owed: {why}"),
            };
            if let Some(note) = note {
                let _ = writeln!(table, "    note: {note}");
            }
        }
        let count = |which: fn(&Whose) -> bool| sentences.iter().filter(|sentence| which(&sentence.whose)).count();
        let servers = count(|whose| matches!(whose, Whose::Servers(_)));
        let plays = count(
            |whose| matches!(whose, Whose::Servers(proofs) if proofs.iter().any(|proof| matches!(proof, Proof::Play(_)))),
        );
        let _ = writeln!(
            table,
            "\n{name}: {} sentences; {servers} are a server's: {plays} shown by plays, {} by tests alone; {} are others', {} nobody's",
            sentences.len(),
            servers - plays,
            count(|whose| matches!(whose, Whose::Others(_))),
            count(|whose| matches!(whose, Whose::Nobodys(_))),
        );
        table
    }
}

impl Sentence {
    fn parse(block: &str) -> Result<Sentence, String> {
        let says = property(block, "says")?;
        let whose = match (property(block, "shown by"), property(block, "owed by"), property(block, "not owed")) {
            (Ok(proofs), Err(_), Err(_)) => {
                Whose::Servers(proofs.split(',').map(|proof| Proof::parse(proof.trim())).collect::<Result<_, _>>()?)
            }
            (Err(_), Ok(who), Err(_)) => Whose::Others(who),
            (Err(_), Err(_), Ok(why)) => Whose::Nobodys(why),
            _ => return Err(format!("one of 'shown by', 'owed by' and 'not owed' is expected below \"{says}\"")),
        };
        Ok(Sentence { section: property(block, "section")?, says, whose, note: property(block, "note").ok() })
    }
}

impl Proof {
    fn parse(text: &str) -> Result<Proof, String> {
        let words: Vec<&str> = text.split(' ').collect();
        match words.as_slice() {
            ["play", id] => Ok(Proof::Play((*id).to_owned())),
            ["test", file, name] => Ok(Proof::Test { file: (*file).to_owned(), name: (*name).to_owned() }),
            _ => Err(format!("'play ID' or 'test FILE NAME' is expected, not '{text}'")),
        }
    }
}

/// The requirement of that id, or those that a table makes of it.
fn shows<'a>(library: &'a Library, id: &'a str) -> impl Iterator<Item = &'a Requirement> {
    library.requirements.iter().filter(move |requirement| {
        requirement.id.strip_prefix(id).is_some_and(|rest| rest.is_empty() || rest.starts_with('-'))
    })
}

fn property(block: &str, key: &str) -> Result<String, String> {
    let value = |line: &str| Some(line.strip_prefix(key)?.strip_prefix(": ")?.trim().to_owned());
    block.lines().find_map(value).ok_or_else(|| format!("'{key}:' is missing in \"{}\"", block.trim()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_note_stands_below_what_shows_the_sentence() {
        let head = "specification: XEP-0000\nversion: 1\ntitle: T\n\n";
        let sentence =
            "section: 1\nsays: It MUST.\nshown by: play a, test b.rs c\nnote: but section 2 says otherwise\n";
        let musts = Musts::parse(&format!("{head}{sentence}")).expect("no mistakes");
        assert!(
            musts.table().contains("    test c in b.rs\n    note: but section 2 says otherwise\n"),
            "{}",
            musts.table()
        );
        assert_eq!(
            Musts::parse(&format!("{head}section: 1\nsays: It MUST.\nowed by: client\n")).unwrap().sentences[0].note,
            None
        );
    }
}
