//! The table of implemented XEPs, in the three forms in which people and programs read it: all are made from the features'
//! own statements, so none can say what the code does not.

mod titles;

use crate::feature::{About, Coverage};
use std::collections::BTreeMap;
use std::fmt::{self, Display, Write};

/// One XEP with all features that take part in it.
#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    pub number: u16,
    pub title: &'static str,
    pub version: &'static str,
    /// Partial when it is for one of the features.
    pub coverage: Coverage,
    pub features: Vec<&'static str>,
    pub notes: Vec<&'static str>,
}

/// The rows, by number.
pub fn rows(abouts: impl IntoIterator<Item = &'static About>) -> Vec<Row> {
    let mut rows: BTreeMap<u16, Row> = BTreeMap::new();
    for about in abouts {
        for xep in about.xeps {
            let row = rows.entry(xep.number).or_insert_with(|| Row {
                number: xep.number,
                title: title(xep.number),
                version: xep.version,
                coverage: Coverage::Complete,
                features: Vec::new(),
                notes: Vec::new(),
            });
            row.features.push(about.name);
            row.notes.extend(Some(xep.note).filter(|note| !note.is_empty()));
            if xep.coverage == Coverage::Partial {
                row.coverage = Coverage::Partial;
            }
        }
    }
    rows.into_values().collect()
}

fn title(number: u16) -> &'static str {
    let index = titles::TITLES.binary_search_by_key(&number, |(number, _)| *number);
    index.ok().and_then(|index| titles::TITLES.get(index)).map_or("", |(_, title)| title)
}

/// For the README.
pub fn markdown(rows: &[Row]) -> String {
    render(|out| {
        writeln!(out, "| XEP | Title | Version | Coverage | Feature | Notes |\n|---|---|---|---|---|---|")?;
        rows.iter().try_for_each(|row| {
            let (title, features, notes) = (row.title, row.features.join(", "), row.notes.join("; "));
            let notes = notes.replace('<', "&lt;").replace('|', "\\|");
            writeln!(
                out,
                "| [{}]({}) | {title} | {} | {} | {features} | {notes} |",
                row.name(),
                row.url(),
                row.version,
                row.coverage
            )
        })
    })
}

/// For `oriole xeps`: one line each, in columns.
pub fn text(rows: &[Row]) -> String {
    let width = |cell: &dyn Fn(&Row) -> String| rows.iter().map(|row| cell(row).chars().count()).max().unwrap_or(0);
    let features = |row: &Row| row.features.join(", ");
    let (titles, names) = (width(&|row| row.title.to_owned()), width(&features));
    render(|out| {
        rows.iter().try_for_each(|row| {
            let mut line = String::new();
            let (coverage, features) = (row.coverage.to_string(), features(row));
            write!(line, "{}  {:titles$}  {:8}  {coverage:8}  {features:names$}", row.name(), row.title, row.version)?;
            write!(line, "  {}", row.notes.join("; "))?;
            writeln!(out, "{}", line.trim_end())
        })
    })
}

/// The description of the project that xmpp.org and others read (DOAP, with the vocabulary of the XSF's list of software).
pub fn doap(rows: &[Row]) -> String {
    render(|out| {
        out.write_str(DOAP_HEAD)?;
        for rfc in RFCS {
            writeln!(out, "    <implements rdf:resource=\"https://www.rfc-editor.org/info/rfc{rfc}\"/>")?;
        }
        for row in rows {
            writeln!(out, "    <implements>\n      <xmpp:SupportedXep>")?;
            writeln!(out, "        <xmpp:xep rdf:resource=\"{}\"/>", row.url())?;
            writeln!(out, "        <xmpp:version>{}</xmpp:version>", row.version)?;
            writeln!(out, "        <xmpp:status>{}</xmpp:status>", row.coverage)?;
            if !row.notes.is_empty() {
                writeln!(out, "        <xmpp:note>{}</xmpp:note>", escaped(&row.notes.join("; ")))?;
            }
            writeln!(out, "      </xmpp:SupportedXep>\n    </implements>")?;
        }
        out.write_str("  </Project>\n</rdf:RDF>\n")
    })
}

/// What is implemented besides XEPs: SCRAM, core, instant messaging, TLS, addresses, passwords, channel binding.
const RFCS: [u16; 8] = [5802, 6120, 6121, 7590, 7622, 7677, 8265, 9266];

const DOAP_HEAD: &str = r#"<?xml version="1.0" encoding="UTF-8"?>
<rdf:RDF xmlns="http://usefulinc.com/ns/doap#"
         xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"
         xmlns:xmpp="https://linkmauve.fr/ns/xmpp-doap#">
  <Project>
    <name>Oriole</name>
    <shortdesc xml:lang="en">An XMPP server that starts with one command</shortdesc>
    <programming-language>Rust</programming-language>
    <license rdf:resource="https://spdx.org/licenses/MIT"/>
    <license rdf:resource="https://spdx.org/licenses/Apache-2.0"/>
    <category rdf:resource="https://linkmauve.fr/ns/xmpp-doap#category-server"/>
"#;

impl Row {
    /// `XEP-0030`
    fn name(&self) -> String {
        format!("XEP-{:04}", self.number)
    }

    fn url(&self) -> String {
        format!("https://xmpp.org/extensions/xep-{:04}.html", self.number)
    }
}

impl Display for Coverage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Coverage::Complete => "complete",
            Coverage::Partial => "partial",
        })
    }
}

/// Writing into a string does not fail.
fn render(write: impl FnOnce(&mut String) -> fmt::Result) -> String {
    let mut out = String::new();
    let _ = write(&mut out);
    out
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::feature::Xep;
    use wire::xml::{Element, Limits};

    const fn about(name: &'static str, xeps: &'static [Xep]) -> About {
        About { name, xeps, ..About::NOTHING }
    }

    static ONE: About = about(
        "one",
        &[
            Xep { number: 334, version: "1.0.0", coverage: Coverage::Partial, note: "<no-store/> & more" },
            Xep { number: 30, version: "2.5.0", coverage: Coverage::Complete, note: "" },
        ],
    );
    static TWO: About =
        about("two", &[Xep { number: 334, version: "1.0.0", coverage: Coverage::Complete, note: "<no-copy/>" }]);

    #[test]
    fn a_xep_has_one_row_with_all_its_features() {
        let rows = rows([&ONE, &TWO]);
        assert_eq!(rows.iter().map(|row| row.number).collect::<Vec<_>>(), [30, 334]);
        let hints = rows.last().unwrap();
        assert_eq!((hints.title, &*hints.features), ("Message Processing Hints", &["one", "two"][..]));
        assert_eq!((hints.coverage, hints.notes.len()), (Coverage::Partial, 2));
    }

    #[test]
    fn the_readme_has_a_table() {
        let expected = "\
| XEP | Title | Version | Coverage | Feature | Notes |
|---|---|---|---|---|---|
| [XEP-0030](https://xmpp.org/extensions/xep-0030.html) | Service Discovery | 2.5.0 | complete | one |  |
| [XEP-0334](https://xmpp.org/extensions/xep-0334.html) | Message Processing Hints | 1.0.0 | partial | one, two | &lt;no-store/> & more; &lt;no-copy/> |
";
        assert_eq!(markdown(&rows([&ONE, &TWO])), expected);
    }

    #[test]
    fn a_terminal_gets_columns() {
        let expected = "\
XEP-0030  Service Discovery         2.5.0     complete  one
XEP-0334  Message Processing Hints  1.0.0     partial   one, two  <no-store/> & more; <no-copy/>
";
        assert_eq!(text(&rows([&ONE, &TWO])), expected);
    }

    #[test]
    fn programs_get_well_formed_doap() {
        const NS: &str = "http://usefulinc.com/ns/doap#";
        const XMPP: &str = "https://linkmauve.fr/ns/xmpp-doap#";
        let doap = Element::parse_document(&doap(&rows([&ONE, &TWO])), &Limits::default()).unwrap();
        let project = doap.child("Project", NS).unwrap();
        let xeps: Vec<&Element> = project
            .children_named("implements", NS)
            .filter_map(|implements| implements.child("SupportedXep", XMPP))
            .collect();
        assert_eq!(xeps.len(), 2);
        assert_eq!(xeps[1].child("status", XMPP).unwrap().text(), "partial");
        assert_eq!(xeps[1].child("note", XMPP).unwrap().text(), "<no-store/> & more; <no-copy/>");
    }

    #[test]
    fn titles_are_in_order() {
        assert!(titles::TITLES.is_sorted_by(|(one, _), (two, _)| one < two));
        assert!(titles::TITLES.iter().all(|(_, title)| !title.contains(['|', '<', '&'])));
    }
}
