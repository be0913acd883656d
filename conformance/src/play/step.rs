//! One step of a play: `romeo sends:`, `juliet receives within 3 s:`, `probe's stream ends with not-authorized`.

use super::http_step::HttpStep;
use super::pattern::{Pattern, Value};
use super::source::{Line, words};
use super::template::Template;
use super::{Actor, Fault, Role, Stage, Verdict, Worth};
use crate::xml::{CLIENT, COMPONENT, DIALBACK, Element, Event, PLAY, Reader, SERVER, STREAM};
use std::time::Duration;

#[derive(Clone, Debug)]
pub struct Step {
    /// Where it is written; a scene's steps may be in another file than the requirement.
    pub file: String,
    pub line: usize,
    /// The step's first line, as written.
    pub text: String,
    pub kind: StepKind,
    /// Time limit other than the run's.
    pub within: Option<Duration>,
    pub otherwise: ElseResult,
}

/// What it means when a receiving step does not get what it waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ElseResult {
    Fail,
    NotSupported,
    NotTestable,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Actors {
    /// `a, b and c`: each of them.
    All(Vec<String>),
    /// `a or b`: at least one of them.
    Any(Vec<String>),
}

impl Actors {
    pub fn names(&self) -> &[String] {
        match self {
            Actors::All(names) | Actors::Any(names) => names,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    AnyOrder,
    InOrder,
    /// Those and nothing else.
    Exactly,
    OneOf,
}

#[derive(Clone, Debug)]
pub enum StepKind {
    /// Elements whose strings are templates.
    Send(String, Vec<Element>),
    SendRaw(String, Template),
    /// An IQ; gets an id if it has none.
    Ask(String, Element),
    /// From now on, questions for an element like this are answered with it.
    AnswerWith(String, Element),
    Answered(String, Option<Box<Pattern>>),
    /// An error to what was sent last; any of these conditions, or any at all.
    Refused(String, Vec<String>),
    Receive(Actors, Mode, Vec<Pattern>),
    ReceiveNothing(Vec<String>),
    /// No stanza that matches any of these.
    ReceiveNo(Vec<String>, Vec<Pattern>),
    StreamEnds(String, Vec<String>),
    StreamStaysOpen(String),
    /// `</stream:stream>` comes.
    StreamIsClosed(String),
    /// The server closes the connection.
    ConnectionCloses(String),
    /// Brings a stream to a stage: `logs in`, `connects`, ...
    Reach(String, Stage),
    /// A connection that is under TLS from the first byte.
    DialTls(String),
    OpenStream(String),
    StartTls(String),
    Authenticate(String, Credentials),
    /// The same, but the server must refuse; its answer stays to be received.
    FailToAuthenticate(String, Credentials),
    /// Another server's stream is proved by dialback.
    DialBack(String),
    /// How another server answers `<db:result/>` or `<db:verify/>` from now on.
    Answers(String, String, Verdict),
    /// The stream features of another server from now on.
    Offers(String, Vec<Element>),
    /// The certificate that is shown from now on, and the names in it.
    Shows(String, Worth, Vec<Template>),
    /// Elements over the connection that the server under test opened last.
    SendBack(String, Vec<Element>),
    /// The connections of the server under test are closed without a word.
    HangUp(String),
    Bind(String, Option<Template>),
    CloseStream(String),
    Disconnect(String),
    Drop(String),
    Forget(Vec<String>),
    Wait(Duration),
    Check(Template, Value),
    Let(String, Template),
    Http(HttpStep),
}

/// How to log in; what is absent is chosen by the suite.
#[derive(Clone, Debug, Default)]
pub struct Credentials {
    pub mechanism: Option<String>,
    pub password: Option<Template>,
    /// `tls-exporter`, `tls-server-end-point`, either with `wrong ` before it, or `none`.
    pub binding: Option<String>,
}

/// Parses one step: its line and the block below it.
pub fn parse(line: &Line, block: &[Line], cast: &[Actor]) -> Result<Step, Fault> {
    let (text, has_block) = match line.text.strip_suffix(':') {
        Some(text) => (text, true),
        None => (line.text.as_str(), false),
    };
    let first_of_block = block.iter().find(|line| !line.is_blank());
    match (has_block, first_of_block) {
        (true, None) => return Err(line.fault(line.text.len(), "a block must follow the colon")),
        (false, Some(stray)) => return Err(stray.fault(1, "indented lines, but the step has no colon")),
        _ => {}
    }
    let (text, otherwise) = match text.rsplit_once(" else ") {
        Some((text, "not supported")) => (text, ElseResult::NotSupported),
        Some((text, "not testable")) => (text, ElseResult::NotTestable),
        _ => (text, ElseResult::Fail),
    };
    let (text, within) = within(text.trim_end_matches(','), line)?;
    let mut words = words(text);
    let parser = Parser { line, block, cast };
    let kind = match words.first().map(String::as_str) {
        Some("wait") => StepKind::Wait(duration(&words[1..], line)?),
        Some("check") => parser.check(&words)?,
        Some("let") => parser.let_be(&words)?,
        Some("http") => StepKind::Http(parser.http(&words)?),
        _ => {
            let (actors, used) = parser.actors(&words)?;
            words.drain(..used);
            parser.kind(actors, &words.join(" "))?
        }
    };
    Ok(Step { file: line.file.clone(), line: line.number, text: line.text.clone(), kind, within, otherwise })
}

/// A step that is being read.
pub(super) struct Parser<'a> {
    pub line: &'a Line,
    pub block: &'a [Line],
    cast: &'a [Actor],
}

impl Parser<'_> {
    /// The actors at the start of a step and how many words they take.
    fn actors(&self, words: &[String]) -> Result<(Actors, usize), Fault> {
        let mut names = Vec::new();
        let mut any = false;
        let mut used = 0;
        for word in words {
            let name = word.trim_end_matches(',').trim_end_matches("'s");
            if word == "and" || word == "or" {
                any |= word == "or";
            } else if self.cast.iter().any(|actor| actor.name == name) {
                names.push(name.to_owned());
            } else {
                break;
            }
            used += 1;
        }
        if names.is_empty() {
            let word = words.first().map_or("", String::as_str);
            return Err(self.line.fault(1, format!("'{word}' is no actor of this play, and no step or scene")));
        }
        Ok((if any { Actors::Any(names) } else { Actors::All(names) }, used))
    }

    fn kind(&self, actors: Actors, verb: &str) -> Result<StepKind, Fault> {
        let one = || match actors.names() {
            [name] => Ok(name.clone()),
            _ => Err(self.line.fault(1, format!("only one actor can be said to '{verb}'"))),
        };
        let many = actors.names().to_vec();
        let kind = match verb {
            "sends" => StepKind::Send(one()?, self.elements(&many)?),
            "sends raw" => StepKind::SendRaw(one()?, self.raw()?),
            "sends back" => StepKind::SendBack(one()?, self.elements(&many)?),
            "offers" => StepKind::Offers(one()?, self.elements(&many)?),
            "hangs up" => StepKind::HangUp(one()?),
            "asks" => match self.elements(&many)?.as_slice() {
                [iq] if iq.name == "iq" => StepKind::Ask(one()?, iq.clone()),
                _ => return Err(self.block_fault("one <iq/> is asked")),
            },
            "answers questions with" => match self.elements(&many)?.as_slice() {
                [payload] => StepKind::AnswerWith(one()?, payload.clone()),
                _ => return Err(self.block_fault("one element is the answer")),
            },
            "is answered" => StepKind::Answered(one()?, self.patterns(&many)?.pop().map(Box::new)),
            "is refused" => StepKind::Refused(one()?, Vec::new()),
            "receives" | "receive" => StepKind::Receive(actors, Mode::AnyOrder, self.some_patterns(&many)?),
            "receives in order" | "receive in order" => {
                StepKind::Receive(actors, Mode::InOrder, self.some_patterns(&many)?)
            }
            "receives exactly" | "receive exactly" => {
                StepKind::Receive(actors, Mode::Exactly, self.some_patterns(&many)?)
            }
            "receives one of" | "receive one of" => StepKind::Receive(actors, Mode::OneOf, self.some_patterns(&many)?),
            "receives nothing" | "receive nothing" => StepKind::ReceiveNothing(many),
            "receives no" | "receive no" => StepKind::ReceiveNo(many.clone(), self.some_patterns(&many)?),
            "stream ends" => StepKind::StreamEnds(one()?, Vec::new()),
            "stream is closed" => StepKind::StreamIsClosed(one()?),
            "connection closes" => StepKind::ConnectionCloses(one()?),
            "stream stays open" => StepKind::StreamStaysOpen(one()?),
            "logs in" => StepKind::Reach(one()?, Stage::Available),
            "connects" => StepKind::Reach(one()?, Stage::Connected),
            "dials with TLS" => StepKind::DialTls(one()?),
            "dials" => StepKind::Reach(one()?, Stage::Raw),
            "secures a stream" => StepKind::Reach(one()?, Stage::Secured),
            "authenticates a stream" => StepKind::Reach(one()?, Stage::Authenticated),
            "opens a stream" => StepKind::OpenStream(one()?),
            "negotiates TLS" => StepKind::StartTls(one()?),
            "dials back" => StepKind::DialBack(one()?),
            "closes the stream" => StepKind::CloseStream(one()?),
            "disconnects" => StepKind::Disconnect(one()?),
            "drops the connection" => StepKind::Drop(one()?),
            "forgets" | "forget" => StepKind::Forget(many),
            _ => return self.kind_with_argument(one()?, verb),
        };
        Ok(kind)
    }

    fn kind_with_argument(&self, actor: String, verb: &str) -> Result<StepKind, Fault> {
        let conditions = |list: &str| list.split(" or ").map(|word| word.trim().to_owned()).collect();
        if let Some(list) = verb.strip_prefix("is refused with ") {
            return Ok(StepKind::Refused(actor, conditions(list)));
        }
        if let Some(list) = verb.strip_prefix("stream ends with ") {
            return Ok(StepKind::StreamEnds(actor, conditions(list)));
        }
        if let Some((name, verdict)) = verb.strip_prefix("answers ").and_then(|rest| rest.split_once(" with ")) {
            let found = Verdict::ALL.iter().find(|(_, known)| *known == verdict).map(|(verdict, _)| *verdict);
            return match (name, found) {
                ("result" | "verify", Some(verdict)) => Ok(StepKind::Answers(actor, name.to_owned(), verdict)),
                _ => Err(self.line.fault(1, "answers result|verify with valid|invalid|error|nothing|close")),
            };
        }
        if let Some((what, names)) = verb.strip_prefix("shows ").and_then(|rest| rest.split_once(" for ")) {
            let known = Worth::ALL.iter().find(|(_, known)| *known == what);
            let fault = || self.line.fault(1, "shows a|an expired|a strange|a self-signed certificate for \"name\"");
            let (worth, _) = known.ok_or_else(fault)?;
            let names = names.split(" and ").map(|name| self.template(name)).collect::<Result<_, _>>()?;
            return Ok(StepKind::Shows(actor, *worth, names));
        }
        if verb == "binds" {
            return Ok(StepKind::Bind(actor, None));
        }
        if let Some(resource) = verb.strip_prefix("binds ") {
            return Ok(StepKind::Bind(actor, Some(self.template(resource)?)));
        }
        let fails = verb.strip_prefix("fails to authenticate");
        if let Some(rest) = fails.or_else(|| verb.strip_prefix("authenticates")) {
            let (rest, password) = match rest.split_once(" using password ") {
                Some((rest, password)) => (rest, Some(self.template(password)?)),
                None => (rest, None),
            };
            let (rest, binding) = match rest.split_once(" bound to ") {
                Some((rest, binding)) => (rest, Some(self.binding(binding)?)),
                None => (rest, None),
            };
            let mechanism = match rest.strip_prefix(" with ") {
                Some(mechanism) => Some(mechanism.to_owned()),
                None if rest.is_empty() => None,
                None => return Err(self.line.fault(1, format!("'{verb}' is not understood"))),
            };
            let credentials = Credentials { mechanism, password, binding };
            return Ok(match fails {
                Some(_) => StepKind::FailToAuthenticate(actor, credentials),
                None => StepKind::Authenticate(actor, credentials),
            });
        }
        Err(self.line.fault(1, format!("'{verb}' is not a step")))
    }

    fn binding(&self, text: &str) -> Result<String, Fault> {
        match text.strip_prefix("wrong ").unwrap_or(text) {
            "tls-exporter" | "tls-server-end-point" => Ok(text.to_owned()),
            "none" if text == "none" => Ok(text.to_owned()),
            _ => Err(self.line.fault(1, "bound to [wrong] tls-exporter|tls-server-end-point, or to none")),
        }
    }

    fn check(&self, words: &[String]) -> Result<StepKind, Fault> {
        match words {
            [_, value, is, wanted] if is == "is" => {
                let wanted = Value::parse(wanted.trim_matches('"')).map_err(|what| self.line.fault(1, what))?;
                Ok(StepKind::Check(self.template(value)?, wanted))
            }
            _ => Err(self.line.fault(1, "check \"value\" is \"matcher\"")),
        }
    }

    fn let_be(&self, words: &[String]) -> Result<StepKind, Fault> {
        match words {
            [_, name, be, value] if be == "be" => Ok(StepKind::Let(name.clone(), self.template(value)?)),
            _ => Err(self.line.fault(1, "let name be \"value\"")),
        }
    }

    pub fn template(&self, text: &str) -> Result<Template, Fault> {
        let text = text.trim_matches('"');
        Template::parse(text).map_err(|(at, what)| {
            let start = self.line.text.find(text).unwrap_or(0);
            self.line.fault(start + at + 1, what)
        })
    }

    pub fn block_fault(&self, what: &str) -> Fault {
        self.block.iter().find(|line| !line.is_blank()).unwrap_or(self.line).fault(1, what)
    }

    /// A raw block: its lines without the indentation, joined without line ends (write `\n` where one is meant).
    pub fn raw(&self) -> Result<Template, Fault> {
        for line in self.block {
            let text = line.text.trim_start();
            if let Err((at, what)) = Template::parse_raw(text) {
                return Err(line.fault(line.text.len() - text.len() + at + 1, what));
            }
        }
        let joined: String = self.block.iter().map(|line| line.text.trim_start()).collect();
        Template::parse_raw(&joined).map_err(|(_, what)| self.block_fault(&what))
    }

    pub fn some_patterns(&self, actors: &[String]) -> Result<Vec<Pattern>, Fault> {
        let patterns = self.patterns(actors)?;
        if patterns.is_empty() { Err(self.line.fault(1, "says nothing to receive")) } else { Ok(patterns) }
    }

    fn patterns(&self, actors: &[String]) -> Result<Vec<Pattern>, Fault> {
        let elements = self.elements(actors)?;
        elements.iter().map(|e| Pattern::from_element(e).map_err(|what| self.block_fault(&what))).collect()
    }

    pub fn elements(&self, actors: &[String]) -> Result<Vec<Element>, Fault> {
        for line in self.block {
            check_templates(line)?;
        }
        let namespace = |actor: &Actor| match (actor.role, actor.stage) {
            (Role::Remote | Role::Outgoing, _) => SERVER,
            (Role::Client, Stage::Component) => COMPONENT,
            (Role::Client, _) => CLIENT,
        };
        let own = |name: &String| self.cast.iter().find(|actor| actor.name == *name).map(namespace);
        let default_ns = actors.iter().filter_map(own).find(|ns| *ns != CLIENT).unwrap_or(CLIENT);
        let text: String = self.block.iter().map(|line| format!("{}\n", line.text)).collect();
        let mut reader = Reader::fragments(&[("", default_ns), ("stream", STREAM), ("play", PLAY), ("db", DIALBACK)]);
        reader.feed(text.as_bytes());
        let mut elements = Vec::new();
        loop {
            match reader.next_event() {
                Ok(Some(Event::Element(element))) => elements.push(element),
                Ok(Some(_)) => {}
                Ok(None) if reader.is_complete() => return Ok(elements),
                Ok(None) => return Err(self.block_fault("an element of this block is not closed")),
                Err(error) => return Err(self.place(&text, error.offset, &error.what)),
            }
        }
    }

    /// The fault at a byte offset of the block's text.
    fn place(&self, text: &str, offset: usize, what: &str) -> Fault {
        let before = text.get(..offset).unwrap_or(text);
        let index = before.matches('\n').count();
        let column = before.len() - before.rfind('\n').map_or(0, |at| at + 1) + 1;
        self.block.get(index).unwrap_or(self.line).fault(column, what)
    }
}

/// Finds a bad `${...}` in the lines of an XML block, where its column is known.
fn check_templates(line: &Line) -> Result<(), Fault> {
    Template::parse(&line.text).map(|_| ()).map_err(|(at, what)| line.fault(at + 1, what))
}

fn within<'a>(text: &'a str, line: &Line) -> Result<(&'a str, Option<Duration>), Fault> {
    match text.split_once(" within ") {
        Some((text, limit)) => Ok((text, Some(duration(&words(limit), line)?))),
        None => Ok((text, None)),
    }
}

fn duration(words: &[String], line: &Line) -> Result<Duration, Fault> {
    let fault = || line.fault(1, "a time is a number and 's' or 'ms'");
    let [number, unit] = words else { return Err(fault()) };
    let number: u64 = number.parse().map_err(|_| fault())?;
    match unit.as_str() {
        "s" => Ok(Duration::from_secs(number)),
        "ms" => Ok(Duration::from_millis(number)),
        _ => Err(fault()),
    }
}
