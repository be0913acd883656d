//! Lines of a play file, and what is expanded before anything else is understood: tables, scenes and repetitions.
//!
//! Expansion is textual: `$NAME` (capitals) stands for a table column, a scene's parameter or, as `$I`, the number of
//! the repetition. Every line keeps the number it has in its file, so that mistakes are reported where they are.

use super::Fault;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    pub file: String,
    pub number: usize,
    pub text: String,
}

impl Line {
    pub fn fault(&self, column: usize, what: impl Into<String>) -> Fault {
        Fault { file: self.file.clone(), line: self.number, column, what: what.into() }
    }

    pub fn is_indented(&self) -> bool {
        self.text.starts_with([' ', '\t'])
    }

    pub fn is_blank(&self) -> bool {
        self.text.trim().is_empty()
    }
}

/// A part of a file that starts with `requirement:` or `scene:`; the lines before the first are the head.
#[derive(Clone, Debug)]
pub struct Section {
    pub head: Line,
    pub lines: Vec<Line>,
}

/// Splits a file into its head and its sections; comment lines (`#` in the first column) are dropped.
pub fn sections(file: &str, text: &str) -> (Vec<Line>, Vec<Section>) {
    let mut head = Vec::new();
    let mut sections: Vec<Section> = Vec::new();
    for (index, text) in text.lines().enumerate() {
        if text.starts_with('#') {
            continue;
        }
        let line = Line { file: file.to_owned(), number: index + 1, text: text.trim_end().to_owned() };
        if line.text.starts_with("requirement:") || line.text.starts_with("scene:") {
            sections.push(Section { head: line, lines: Vec::new() });
        } else if let Some(section) = sections.last_mut() {
            section.lines.push(line);
        } else {
            head.push(line);
        }
    }
    (head, sections)
}

/// `key: value` with one of the known keys, as a property line.
pub fn property<'a>(line: &'a Line, keys: &[&str]) -> Option<(&'a str, &'a str)> {
    let (key, value) = line.text.split_once(':')?;
    keys.contains(&key).then(|| (key, value.trim()))
}

/// A name and what it stands for.
pub type Binding = (String, String);

/// Replaces `$NAME` by its value; longer names first. Unknown names stay.
pub fn substitute(text: &str, bindings: &[Binding]) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('$') {
        out.push_str(before);
        let length = after.bytes().take_while(|b| b.is_ascii_uppercase() || b.is_ascii_digit() || *b == b'_').count();
        let (name, tail) = after.split_at(length);
        match bindings.iter().find(|(known, _)| known == name) {
            Some((_, value)) => out.push_str(value),
            None => {
                out.push('$');
                out.push_str(name);
            }
        }
        rest = tail;
    }
    out.push_str(rest);
    out
}

pub fn substitute_lines(lines: &[Line], bindings: &[Binding]) -> Vec<Line> {
    lines.iter().map(|line| Line { text: substitute(&line.text, bindings), ..line.clone() }).collect()
}

/// The rows of a `table:` block: per row the bindings of its columns.
pub fn table(rows: &[Line]) -> Result<Vec<Vec<Binding>>, Fault> {
    let cells = |line: &Line| -> Vec<String> {
        format!("{} ", line.text).split(" | ").map(|cell| cell.trim().to_owned()).collect()
    };
    let mut rows = rows.iter().filter(|line| !line.is_blank());
    let Some(head) = rows.next() else { return Ok(Vec::new()) };
    let names = cells(head);
    for name in &names {
        if name.is_empty() || !name.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'_') {
            return Err(head.fault(1, format!("'{name}' is not a column name (capitals, digits and _)")));
        }
    }
    rows.map(|line| {
        let values = cells(line);
        if values.len() != names.len() {
            return Err(line.fault(1, format!("{} cells under {} columns", values.len(), names.len())));
        }
        Ok(names.iter().cloned().zip(values).collect())
    })
    .collect()
}

/// Reusable steps: `scene: WHO enters ROOM as NICK` and the indented lines below it.
#[derive(Clone, Debug)]
pub struct Scene {
    words: Vec<String>,
    body: Vec<Line>,
}

impl Scene {
    pub fn new(section: &Section) -> Result<Scene, Fault> {
        let title = section.head.text.trim_start_matches("scene:").trim();
        let words: Vec<String> = title.split_whitespace().map(str::to_owned).collect();
        if words.len() < 2 {
            return Err(section.head.fault(1, "a scene needs words to call it by"));
        }
        let body = dedent(&section.lines);
        Ok(Scene { words, body })
    }

    /// The bindings if a line calls this scene.
    fn call(&self, line: &str) -> Option<Vec<Binding>> {
        let words = words(line);
        if words.len() != self.words.len() {
            return None;
        }
        let mut bindings = Vec::new();
        for (word, wanted) in words.iter().zip(&self.words) {
            let is_parameter = wanted.bytes().all(|b| b.is_ascii_uppercase() || b == b'_');
            if is_parameter {
                bindings.push((wanted.clone(), word.trim_matches('"').to_owned()));
            } else if wanted != word {
                return None;
            }
        }
        Some(bindings)
    }
}

/// Replaces calls of scenes and `repeat N times:` blocks until none is left.
pub fn expand(lines: &[Line], scenes: &[Scene], depth: usize) -> Result<Vec<Line>, Fault> {
    let mut out = Vec::new();
    let mut index = 0;
    while let Some(line) = lines.get(index) {
        index += 1;
        if line.is_indented() || line.is_blank() {
            out.push(line.clone());
            continue;
        }
        if depth > 8 {
            return Err(line.fault(1, "scenes call each other too deeply"));
        }
        if let Some(times) = line.text.strip_prefix("repeat ").and_then(|rest| rest.strip_suffix(" times:")) {
            let times: usize = times.parse().map_err(|_| line.fault(8, format!("'{times}' is not a number")))?;
            let end = block_end(lines, index);
            let body = dedent(&lines[index..end]);
            for number in 1..=times {
                let body = substitute_lines(&body, &[("I".to_owned(), number.to_string())]);
                out.extend(expand(&body, scenes, depth + 1)?);
            }
            index = end;
            continue;
        }
        match scenes.iter().find_map(|scene| scene.call(&line.text).map(|bindings| (scene, bindings))) {
            Some((scene, bindings)) => {
                out.extend(expand(&substitute_lines(&scene.body, &bindings), scenes, depth + 1)?);
            }
            None => out.push(line.clone()),
        }
    }
    Ok(out)
}

/// Index behind the indented (or blank) lines that start at `from`.
pub fn block_end(lines: &[Line], from: usize) -> usize {
    let mut end = from;
    for (index, line) in lines.iter().enumerate().skip(from) {
        if line.is_indented() {
            end = index + 1;
        } else if !line.is_blank() {
            break;
        }
    }
    end
}

/// Removes the indentation all lines share.
pub fn dedent(lines: &[Line]) -> Vec<Line> {
    let width = |line: &Line| line.text.len() - line.text.trim_start().len();
    let shared = lines.iter().filter(|line| !line.is_blank()).map(width).min().unwrap_or(0);
    let cut = |line: &Line| line.text.get(shared..).unwrap_or_default().to_owned();
    lines.iter().map(|line| Line { text: cut(line), ..line.clone() }).collect()
}

/// Words separated by spaces; a `"quoted phrase"` and a `${...}` are one word.
pub fn words(text: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut word = String::new();
    let mut quoted = false;
    let mut depth = 0;
    for c in text.chars() {
        match c {
            '"' => quoted = !quoted,
            '{' => depth += 1,
            '}' => depth -= 1,
            _ => {}
        }
        if c.is_whitespace() && !quoted && depth <= 0 {
            if !word.is_empty() {
                words.push(std::mem::take(&mut word));
            }
        } else {
            word.push(c);
        }
    }
    if !word.is_empty() {
        words.push(word);
    }
    words
}
