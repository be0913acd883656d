//! Makes requirements of a play file: its head, its scenes and its `requirement:` sections.

use super::http_step::{HttpBody, HttpStep};
use super::source::{self, Line, Scene, Section, block_end, expand, property, substitute_lines};
use super::step::{self, StepKind};
use super::{Actor, Carrier, Condition, Fault, Level, Need, Place, Requirement, Role, RunOption, Specification, Stage};
use std::sync::Arc;

const HEAD_KEYS: [&str; 3] = ["specification", "version", "title"];
const KEYS: [&str; 10] =
    ["section", "examples", "level", "title", "says", "needs", "cast", "friends", "table", "alone"];
/// Variables every play has besides those of its cast.
const BUILT_IN: &[&str] =
    &["domain", "host", "port", "muc", "pubsub", "upload", "proxy", "component", "admin", "websocket", "bosh", "web"];

/// The scenes of a file.
pub fn scenes(file: &str, text: &str) -> Result<Vec<Scene>, Fault> {
    let (_, sections) = source::sections(file, text);
    sections.iter().filter(|section| section.head.text.starts_with("scene:")).map(Scene::new).collect()
}

/// The requirements of a file; `shared` are scenes from elsewhere.
pub fn requirements(file: &str, text: &str, shared: &[Scene]) -> Result<Vec<Requirement>, Fault> {
    let (head, sections) = source::sections(file, text);
    let mut scenes = scenes(file, text)?;
    scenes.extend(shared.iter().cloned());
    let mut sections = sections.iter().filter(|section| section.head.text.starts_with("requirement:")).peekable();
    if sections.peek().is_none() {
        return Ok(Vec::new());
    }
    let spec = Arc::new(specification(file, &head)?);
    let mut found = Vec::new();
    for section in sections {
        found.extend(one_section(section, &spec, &scenes)?);
    }
    Ok(found)
}

fn specification(file: &str, head: &[Line]) -> Result<Specification, Fault> {
    let fault = |line: usize, what: String| Fault { file: file.to_owned(), line, column: 1, what };
    let mut spec = Specification {
        name: String::new(),
        title: String::new(),
        version: String::new(),
        folder: file.split('/').next().unwrap_or_default().to_owned(),
    };
    for line in head.iter().filter(|line| !line.is_blank()) {
        match property(line, &HEAD_KEYS) {
            Some(("specification", value)) => spec.name = value.to_owned(),
            Some(("version", value)) => spec.version = value.to_owned(),
            Some((_, value)) => spec.title = value.to_owned(),
            None => return Err(line.fault(1, "before the first requirement: specification, version and title")),
        }
    }
    if spec.name.is_empty() || spec.version.is_empty() || spec.title.is_empty() {
        return Err(fault(1, "the file must begin with specification, version and title".to_owned()));
    }
    Ok(spec)
}

fn one_section(section: &Section, spec: &Arc<Specification>, scenes: &[Scene]) -> Result<Vec<Requirement>, Fault> {
    let id = section.head.text.trim_start_matches("requirement:").trim();
    if id.is_empty() || id.contains(char::is_whitespace) {
        return Err(section.head.fault(1, "a requirement needs an id without spaces"));
    }
    let mut rows = None;
    let mut lines = Vec::new();
    let mut index = 0;
    while let Some(line) = section.lines.get(index) {
        index += 1;
        if property(line, &["table"]).is_some() {
            let end = block_end(&section.lines, index);
            rows = Some(source::table(&source::dedent(&section.lines[index..end]))?);
            index = end;
        } else {
            lines.push(line.clone());
        }
    }
    let Some(rows) = rows else { return Ok(vec![requirement(id, section, &lines, spec, scenes)?]) };
    rows.iter()
        .map(|bindings| {
            let name = bindings.first().map_or("", |(_, value)| value.as_str());
            let lines = substitute_lines(&lines, bindings);
            requirement(&format!("{id}-{name}"), section, &lines, spec, scenes)
        })
        .collect()
}

fn requirement(
    id: &str,
    section: &Section,
    lines: &[Line],
    spec: &Arc<Specification>,
    scenes: &[Scene],
) -> Result<Requirement, Fault> {
    let mut level = None;
    let mut found = Requirement {
        id: id.to_owned(),
        spec: spec.clone(),
        section: String::new(),
        level: Level::Must,
        title: String::new(),
        says: String::new(),
        examples: Vec::new(),
        needs: Vec::new(),
        cast: Vec::new(),
        friends: Vec::new(),
        alone: false,
        steps: Vec::new(),
        file: section.head.file.clone(),
        line: section.head.number,
        source: lines.iter().map(|line| format!("{}\n", line.text)).collect::<String>().trim_end().to_owned(),
        script: String::new(),
    };
    let mut body = Vec::new();
    let mut index = 0;
    while let Some(line) = lines.get(index) {
        index += 1;
        let Some((key, value)) = property(line, &KEYS) else {
            body.push(line.clone());
            continue;
        };
        let end = block_end(lines, index);
        let more: Vec<&str> = lines[index..end].iter().map(|line| line.text.trim()).collect();
        let value = format!("{value} {}", more.join(" ")).trim().to_owned();
        index = end;
        match key {
            "section" => found.section = value,
            "level" => {
                let parsed = Level::parse(&value);
                level = Some(parsed.ok_or_else(|| line.fault(8, format!("'{value}' is not a level")))?);
            }
            "title" => found.title = value,
            "says" => found.says = value,
            "examples" => found.examples = examples(&value).map_err(|what| line.fault(11, what))?,
            "needs" => found.needs.push(need(&value).map_err(|what| line.fault(8, what))?),
            "cast" => found.cast.extend(cast(&value).map_err(|what| line.fault(7, what))?),
            "friends" => match value.split_once(" and ") {
                Some((a, b)) => found.friends.push((a.to_owned(), b.to_owned())),
                None => return Err(line.fault(10, "friends: a and b")),
            },
            _ => found.alone = true,
        }
    }
    found.level = level.ok_or_else(|| section.head.fault(1, format!("'{id}' has no level")))?;
    for (key, value) in [("section", &found.section), ("title", &found.title), ("says", &found.says)] {
        if value.is_empty() {
            return Err(section.head.fault(1, format!("'{id}' has no {key}")));
        }
    }
    for (a, b) in &found.friends {
        for name in [a, b] {
            if !found.cast.iter().any(|actor| actor.account == *name) {
                return Err(section.head.fault(1, format!("'{name}' among the friends is not in the cast")));
            }
        }
    }
    let expanded = expand(&body, scenes, 0)?;
    found.script = expanded.iter().map(|line| format!("{}\n", line.text)).collect();
    found.steps = steps(&expanded, &found.cast)?;
    if found.steps.is_empty() {
        return Err(section.head.fault(1, format!("'{id}' has no steps")));
    }
    Ok(found)
}

/// `25, 27-29`
fn examples(text: &str) -> Result<Vec<u16>, String> {
    let number = |text: &str| text.trim().parse::<u16>().map_err(|_| format!("'{text}' is no number of an example"));
    let mut found = Vec::new();
    for part in text.split(',') {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        found.extend(number(first)?..=number(last)?);
    }
    Ok(found)
}

fn steps(lines: &[Line], cast: &[Actor]) -> Result<Vec<step::Step>, Fault> {
    let mut known: Vec<String> = BUILT_IN.iter().map(|name| (*name).to_owned()).collect();
    for actor in cast {
        known.extend([actor.name.clone(), actor.account.clone()]);
        for part in
            ["user", "password", "full", "resource", "stream", "certificate", "name", "alpn", "exporter", "endpoint"]
        {
            known.extend([format!("{}.{part}", actor.name), format!("{}.{part}", actor.account)]);
        }
    }
    let mut steps = Vec::new();
    let mut index = 0;
    while let Some(line) = lines.get(index) {
        index += 1;
        if line.is_blank() {
            continue;
        }
        if line.is_indented() {
            return Err(line.fault(1, "an indented line that belongs to no step"));
        }
        let end = block_end(lines, index);
        let block = &lines[index..end];
        let step = step::parse(line, block, cast)?;
        let (mut uses, mut saves) = (Vec::new(), Vec::new());
        names(&step.kind, &mut uses, &mut saves);
        known.extend(saves);
        if let Some(unknown) = uses.iter().find(|name| !known.contains(name)) {
            let written = format!("${{{unknown}}}");
            let place = std::iter::once(line).chain(block).find_map(|l| l.text.find(&written).map(|at| (l, at + 1)));
            let (line, column) = place.unwrap_or((line, 1));
            return Err(line.fault(column, format!("'{written}' is neither given nor saved before")));
        }
        steps.push(step);
        index = end;
    }
    Ok(steps)
}

/// The variables a step uses and saves.
fn names(kind: &StepKind, uses: &mut Vec<String>, saves: &mut Vec<String>) {
    match kind {
        StepKind::Send(_, elements) => elements.iter().for_each(|element| element_names(element, uses)),
        StepKind::Ask(_, element) | StepKind::AnswerWith(_, element) => element_names(element, uses),
        StepKind::SendRaw(_, template) | StepKind::Bind(_, Some(template)) => template.variables(uses),
        StepKind::Authenticate(_, credentials) | StepKind::FailToAuthenticate(_, credentials) => {
            credentials.password.iter().for_each(|template| template.variables(uses));
        }
        StepKind::Answered(_, Some(pattern)) => pattern.variables(uses, saves),
        StepKind::Receive(_, _, patterns) | StepKind::ReceiveNo(_, patterns) => {
            patterns.iter().for_each(|pattern| pattern.variables(uses, saves));
        }
        StepKind::Check(template, value) => {
            template.variables(uses);
            value.variables(uses, saves);
        }
        StepKind::Http(step) => http_names(step, uses, saves),
        StepKind::Let(name, template) => {
            template.variables(uses);
            saves.push(name.clone());
        }
        _ => {}
    }
}

fn http_names(step: &HttpStep, uses: &mut Vec<String>, saves: &mut Vec<String>) {
    let response = || ["http-status", "http-type", "http-body"].map(str::to_owned);
    match step {
        HttpStep::Request(request) => {
            request.url.variables(uses);
            match &request.body {
                HttpBody::None => {}
                HttpBody::Text(template) => template.variables(uses),
                HttpBody::Xml(element) => element_names(element, uses),
            }
            request.authorization.iter().for_each(|template| template.variables(uses));
            if !request.background {
                saves.extend(response());
            }
        }
        HttpStep::Comes => saves.extend(response()),
        HttpStep::Answers(pattern) => pattern.variables(uses, saves),
        HttpStep::AnswersJson(pattern) => pattern.variables(uses, saves),
        HttpStep::Header(_, value) => value.variables(uses, saves),
        HttpStep::Refuses(_) => {}
    }
}

fn element_names(element: &crate::xml::Element, uses: &mut Vec<String>) {
    let texts = element.attrs.iter().map(|attr| attr.value.clone()).chain(std::iter::once(element.text()));
    for text in texts {
        if let Ok(template) = super::Template::parse(&text) {
            template.variables(uses);
        }
    }
    element.elements().for_each(|child| element_names(child, uses));
}

/// `romeo, juliet/balcony priority 5, nurse registered`
fn cast(text: &str) -> Result<Vec<Actor>, String> {
    text.split(',')
        .map(|entry| {
            let mut words = entry.split_whitespace();
            let name = words.next().ok_or("an empty place in the cast")?.to_owned();
            let (account, resource) = name.split_once('/').unwrap_or((&name, "main"));
            let mut actor = Actor {
                account: account.to_owned(),
                resource: resource.to_owned(),
                name: name.clone(),
                stage: Stage::Available,
                priority: None,
                role: Role::Client,
                carrier: Carrier::Tcp,
                way: None,
            };
            while let Some(word) = words.next() {
                if word == "priority" {
                    let number = words.next().and_then(|number| number.parse().ok());
                    actor.priority = Some(number.ok_or("priority needs a number from -128 to 127")?);
                } else if word == "websocket" {
                    actor.carrier = Carrier::WebSocket;
                } else if word == "bosh" {
                    actor.carrier = Carrier::Bosh;
                } else if word == "remote" {
                    actor.role = Role::Remote;
                } else if word == "by" {
                    actor.way = Some(words.next().ok_or("'by' needs a way")?.to_owned());
                } else if word == "outgoing" {
                    actor.role = Role::Outgoing;
                    actor.stage = Stage::Secured;
                } else {
                    let stage = Stage::ALL.iter().find(|(_, name)| *name == word).map(|(stage, _)| *stage);
                    actor.stage = stage.ok_or_else(|| format!("'{word}' is not a stage of an actor"))?;
                }
            }
            Ok(actor)
        })
        .collect()
}

/// `feature urn:xmpp:mam:2 on account or stream urn:x or service muc or option component`
fn need(text: &str) -> Result<Need, String> {
    let place = |name: &str| {
        let found = Place::ALL.iter().find(|(_, known)| *known == name).map(|(place, _)| *place);
        found.ok_or_else(|| format!("'{name}' is not a place"))
    };
    let condition = |text: &str| -> Result<Condition, String> {
        let words: Vec<&str> = text.split_whitespace().collect();
        match words.as_slice() {
            ["feature", var, "on", at] => Ok(Condition::Feature { var: (*var).to_owned(), at: place(at)? }),
            ["no", "feature", var, "on", at] => Ok(Condition::NoFeature { var: (*var).to_owned(), at: place(at)? }),
            ["identity", identity, "on", at] => {
                let (category, kind) = identity.split_once('/').ok_or("an identity is category/type")?;
                Ok(Condition::Identity { category: category.to_owned(), kind: kind.to_owned(), at: place(at)? })
            }
            ["stream", ns] => Ok(Condition::StreamFeature((*ns).to_owned())),
            ["mechanism", name] => Ok(Condition::Mechanism((*name).to_owned())),
            ["service", at] => Ok(Condition::Service(place(at)?)),
            ["option", name] => {
                let found = RunOption::ALL.iter().find(|(_, known)| known == name).map(|(option, _)| *option);
                found.map(Condition::Option).ok_or_else(|| format!("'{name}' is not an option"))
            }
            _ => Err(format!("'{text}' is not a need")),
        }
    };
    let any_of = text.split(" or ").map(condition).collect::<Result<Vec<_>, _>>()?;
    Ok(Need { any_of, text: text.to_owned() })
}
