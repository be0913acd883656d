//! The steps that wait for something, or make sure that nothing comes.

use super::performance::{Failure, Performance, show};
use crate::net::{Closed, LastSent, Received, Session};
use crate::play::{Actors, Mode, Pattern, Scope, Stage, Value};
use crate::xml::{Element, STANZAS, STREAM, STREAMS};
use std::time::Duration;
use tokio::time::{Instant, sleep};

impl Performance<'_> {
    pub(super) async fn receive(
        &mut self,
        actors: &Actors,
        mode: Mode,
        patterns: &[Pattern],
        limit: Duration,
    ) -> Result<(), Failure> {
        let deadline = Instant::now() + limit;
        match actors {
            Actors::All(names) => {
                for name in names {
                    self.receive_one(name, mode, patterns, deadline).await?;
                }
            }
            Actors::Any(names) => self.receive_any(names, patterns, deadline).await?,
        }
        if mode == Mode::Exactly {
            self.nothing(actors.names()).await?;
        }
        Ok(())
    }

    async fn receive_one(
        &mut self,
        name: &str,
        mode: Mode,
        patterns: &[Pattern],
        deadline: Instant,
    ) -> Result<(), Failure> {
        if mode == Mode::OneOf {
            return self.receive_alternative(name, patterns, deadline).await;
        }
        let mut from = 0;
        for pattern in patterns {
            loop {
                let scope = self.scope.clone();
                let session = self.session(name)?;
                if let Some((index, captures)) = find(session, pattern, &scope, from) {
                    session.inbox.remove(index);
                    from = if mode == Mode::InOrder { index } else { 0 };
                    self.save(captures);
                    break;
                }
                if is_decided(session, pattern, &scope) || !session.fill(deadline).await {
                    return Err(missing(session, &[pattern], &scope));
                }
            }
        }
        Ok(())
    }

    async fn receive_alternative(
        &mut self,
        name: &str,
        patterns: &[Pattern],
        deadline: Instant,
    ) -> Result<(), Failure> {
        loop {
            let scope = self.scope.clone();
            let session = self.session(name)?;
            let hit = patterns.iter().find_map(|pattern| find(session, pattern, &scope, 0));
            if let Some((index, captures)) = hit {
                session.inbox.remove(index);
                self.save(captures);
                return Ok(());
            }
            if !session.fill(deadline).await {
                let patterns: Vec<&Pattern> = patterns.iter().collect();
                return Err(missing(session, &patterns, &scope));
            }
        }
    }

    /// At least one of the actors receives all patterns.
    async fn receive_any(&mut self, names: &[String], patterns: &[Pattern], deadline: Instant) -> Result<(), Failure> {
        loop {
            for name in names {
                let scope = self.scope.clone();
                let session = self.session(name)?;
                if patterns.iter().all(|pattern| find(session, pattern, &scope, 0).is_some()) {
                    return self.receive_one(name, Mode::AnyOrder, patterns, deadline).await;
                }
                session.fill(Instant::now() + Duration::from_millis(10)).await;
            }
            if Instant::now() > deadline {
                let mut failure = Failure::default();
                for name in names {
                    let scope = self.scope.clone();
                    let patterns: Vec<&Pattern> = patterns.iter().collect();
                    let one = missing(self.session(name)?, &patterns, &scope);
                    failure.expected = one.expected;
                    failure.got.extend(one.got.into_iter().map(|got| format!("{name}: {got}")));
                    failure.why = one.why;
                }
                return Err(failure);
            }
        }
    }

    pub(super) async fn nothing(&mut self, actors: &[String]) -> Result<(), Failure> {
        self.settle().await;
        for actor in actors {
            let session = self.session(actor)?;
            let got: Vec<String> = stanzas(session).map(|element| show(element, session.default_ns)).collect();
            if !got.is_empty() {
                return Err(Failure { why: format!("{actor} received something"), expected: Vec::new(), got });
            }
        }
        Ok(())
    }

    pub(super) async fn none_of(&mut self, actors: &[String], patterns: &[Pattern]) -> Result<(), Failure> {
        self.settle().await;
        for actor in actors {
            let scope = self.scope.clone();
            let session = self.session(actor)?;
            for pattern in patterns {
                if let Some((index, _)) = find(session, pattern, &scope, 0) {
                    let why = format!("{actor} received what must not come");
                    let expected = vec![format!("no {}", pattern.describe(session.default_ns))];
                    return Err(Failure { why, expected, got: vec![shown(&session.inbox[index], session.default_ns)] });
                }
            }
        }
        Ok(())
    }

    /// The answer to the IQ asked last.
    pub(super) async fn answered(
        &mut self,
        name: &str,
        pattern: Option<&Pattern>,
        limit: Duration,
    ) -> Result<(), Failure> {
        let scope = self.scope.clone();
        let session = self.session(name)?;
        let answer = reply(session, limit).await?;
        check_from(session, &answer)?;
        let wants_type = pattern.is_some_and(|pattern| pattern.wants("type", &scope).is_some());
        let bare = Pattern::from_element(&Element::new(session.default_ns, "iq")).map_err(Failure::from)?;
        let mut pattern = pattern.cloned().unwrap_or(bare);
        if !wants_type {
            pattern.default_attribute("type", Value::Equals(crate::play::Template::literal("result")));
        }
        match pattern.matches(&answer, &scope) {
            Ok(captures) => {
                self.save(captures);
                Ok(())
            }
            Err(mismatch) => Err(Failure {
                why: mismatch.why,
                expected: vec![pattern.describe(session.default_ns)],
                got: vec![show(&answer, session.default_ns)],
            }),
        }
    }

    /// A stanza error in answer to what was sent last.
    pub(super) async fn refused(&mut self, name: &str, conditions: &[String], limit: Duration) -> Result<(), Failure> {
        let session = self.session(name)?;
        let answer = reply(session, limit).await?;
        let failure = |why: String| Failure {
            why,
            expected: vec![format!(
                "an error: {}",
                if conditions.is_empty() { "any".to_owned() } else { conditions.join(" or ") }
            )],
            got: vec![show(&answer, session.default_ns)],
        };
        if answer.attr("type") != Some("error") {
            return Err(failure("no error".to_owned()));
        }
        check_from(session, &answer)?;
        let Some(error) = answer.elements().find(|element| element.is(session.default_ns, "error")) else {
            return Err(failure("an error stanza without <error/>".to_owned()));
        };
        if !matches!(error.attr("type"), Some("auth" | "cancel" | "continue" | "modify" | "wait")) {
            return Err(failure("<error/> without one of the five types".to_owned()));
        }
        let condition = error.elements().find(|element| element.ns == STANZAS && element.name != "text");
        match condition {
            None => Err(failure("<error/> without a defined condition".to_owned())),
            Some(found) if conditions.is_empty() || conditions.contains(&found.name) => Ok(()),
            Some(found) => Err(failure(format!("condition '{}'", found.name))),
        }
    }

    pub(super) async fn stream_ends(
        &mut self,
        name: &str,
        conditions: &[String],
        limit: Duration,
    ) -> Result<(), Failure> {
        let deadline = Instant::now() + limit;
        let session = self.session(name)?;
        loop {
            if let Some(error) = stream_error(session) {
                let found = error.elements().find(|element| element.ns == STREAMS && element.name != "text");
                let found = found.map_or("no condition", |element| element.name.as_str());
                if conditions.is_empty() || conditions.iter().any(|wanted| wanted == found) {
                    return Ok(());
                }
                let why = format!("stream error '{found}'");
                return Err(Failure { why, expected: conditions.to_vec(), got: rest(session) });
            }
            let ended = session.inbox.contains(&Received::StreamEnd) || session.closed.is_some();
            if ended && (conditions.is_empty() || conditions.iter().any(|wanted| wanted == "close")) {
                return Ok(());
            }
            if ended {
                let why = "the stream ended without a stream error".to_owned();
                return Err(Failure { why, expected: conditions.to_vec(), got: rest(session) });
            }
            if !session.fill(deadline).await && session.closed.is_none() {
                let why = "the stream did not end".to_owned();
                return Err(Failure { why, expected: conditions.to_vec(), got: rest(session) });
            }
        }
    }

    pub(super) async fn stream_is_closed(&mut self, name: &str, limit: Duration) -> Result<(), Failure> {
        let deadline = Instant::now() + limit;
        let session = self.session(name)?;
        while !session.inbox.contains(&Received::StreamEnd) {
            if !session.fill(deadline).await {
                let why = "</stream:stream> did not come".to_owned();
                return Err(Failure { why, expected: vec!["</stream:stream>".to_owned()], got: rest(session) });
            }
        }
        Ok(())
    }

    pub(super) async fn connection_closes(&mut self, name: &str, limit: Duration) -> Result<(), Failure> {
        let deadline = Instant::now() + limit;
        let session = self.session(name)?;
        while session.closed.is_none() {
            if !session.fill(deadline).await {
                return Err(Failure::from("the server left the connection open".to_owned()));
            }
        }
        match &session.closed {
            Some(Closed::Eof) => Ok(()),
            other => Err(Failure::from(format!("the connection ended otherwise: {other:?}"))),
        }
    }

    pub(super) async fn stays_open(&mut self, name: &str) -> Result<(), Failure> {
        let quiet = self.run.target.quiet;
        let session = self.session(name)?;
        if session.stage >= Stage::Connected {
            session.barrier().await;
        } else {
            sleep(quiet).await;
            while session.fill(Instant::now() + Duration::from_millis(5)).await {}
        }
        if session.is_open() && stream_error(session).is_none() && !session.inbox.contains(&Received::StreamEnd) {
            return Ok(());
        }
        Err(Failure { why: "the stream ended".to_owned(), expected: Vec::new(), got: rest(session) })
    }
}

/// The first received element from `from` on that matches.
fn find(session: &Session, pattern: &Pattern, scope: &Scope, from: usize) -> Option<(usize, Vec<(String, String)>)> {
    session.inbox.iter().enumerate().skip(from).find_map(|(index, item)| match item {
        Received::Element(element) => pattern.matches(element, scope).ok().map(|captures| (index, captures)),
        Received::StreamEnd => None,
    })
}

/// Whether the answer to an IQ, or the error to another stanza, has come and is not what the pattern wants: waiting longer
/// is useless.
fn is_decided(session: &Session, pattern: &Pattern, scope: &Scope) -> bool {
    let (Some((_, name)), Some(id)) = (pattern.name(), pattern.wants("id", scope)) else { return false };
    let error_is_wanted = pattern.wants("type", scope).as_deref() == Some("error");
    session.inbox.iter().any(|item| match item {
        Received::Element(e) if e.name == name && e.attr("id") == Some(id.as_str()) => match e.attr("type") {
            Some("result") => name == "iq",
            Some("error") => name == "iq" || error_is_wanted,
            _ => false,
        },
        _ => false,
    })
}

/// Takes the answer to the stanza sent last.
async fn reply(session: &mut Session, limit: Duration) -> Result<Element, Failure> {
    let deadline = Instant::now() + limit;
    let Some(LastSent { name, id, .. }) = session.last_sent.clone() else {
        return Err(Failure::from("nothing was sent that could be answered".to_owned()));
    };
    let is_reply = |element: &Element| {
        let kind = element.attr("type");
        element.name == name
            && element.attr("id") == id.as_deref()
            && (kind == Some("error") || (name == "iq" && kind == Some("result")))
    };
    match session.take(deadline, is_reply).await {
        Some(answer) => Ok(answer),
        None => Err(Failure {
            why: "no answer".to_owned(),
            expected: vec![format!("an answer to <{name} id=\"{}\"/>", id.unwrap_or_default())],
            got: rest(session),
        }),
    }
}

/// An answer must come from whom was asked; questions without `to` are answered by the own account.
fn check_from(session: &Session, answer: &Element) -> Result<(), Failure> {
    let from = answer.attr("from");
    let same = |a: &str, b: &str| a.to_lowercase() == b.to_lowercase();
    let bare = session.account.bare();
    let asked = session.last_sent.as_ref().and_then(|sent| sent.to.as_deref());
    let holds = match (asked, from) {
        (Some(to), Some(from)) => same(to, from),
        (Some(to), None) => same(to, &bare),
        (None, None) => true,
        (None, Some(from)) => {
            same(from, &bare)
                || same(from, &session.target.domain)
                || session.full_jid.as_deref().is_some_and(|full| same(from, full))
        }
    };
    if holds {
        return Ok(());
    }
    Err(Failure {
        why: format!("the answer is from '{}'", from.unwrap_or("nobody")),
        expected: vec![format!("an answer from '{}'", asked.unwrap_or(&bare))],
        got: vec![show(answer, session.default_ns)],
    })
}

/// Stanzas that came and were not accounted for; questions of the server (pings, versions) do not count.
fn stanzas(session: &Session) -> impl Iterator<Item = &Element> {
    session.inbox.iter().filter_map(|item| match item {
        Received::Element(e) if e.is_stanza() && !(e.name == "iq" && e.attr("type") == Some("get")) => Some(e),
        _ => None,
    })
}

fn stream_error(session: &Session) -> Option<&Element> {
    session.inbox.iter().find_map(|item| match item {
        Received::Element(element) if element.is(STREAM, "error") => Some(element),
        _ => None,
    })
}

fn shown(item: &Received, default_ns: &str) -> String {
    match item {
        Received::Element(element) => show(element, default_ns),
        Received::StreamEnd => "</stream:stream>".to_owned(),
    }
}

fn rest(session: &Session) -> Vec<String> {
    let mut got: Vec<String> = session.inbox.iter().map(|item| shown(item, session.default_ns)).collect();
    match &session.closed {
        Some(Closed::Eof) => got.push("(the server closed the connection)".to_owned()),
        Some(Closed::Broken(what)) => got.push(format!("({what})")),
        Some(Closed::Here) | None => {}
    }
    got
}

fn missing(session: &Session, patterns: &[&Pattern], scope: &Scope) -> Failure {
    let closest = session
        .inbox
        .iter()
        .filter_map(|item| match item {
            Received::Element(element) => Some(element),
            Received::StreamEnd => None,
        })
        .flat_map(|element| patterns.iter().filter_map(|pattern| pattern.matches(element, scope).err()))
        .max_by_key(|mismatch| mismatch.depth);
    let why = match closest {
        Some(mismatch) => format!("the closest that came: {}", mismatch.why),
        None if session.closed.is_some() => "the stream ended".to_owned(),
        None => "nothing came".to_owned(),
    };
    let expected = patterns.iter().map(|pattern| pattern.describe(session.default_ns)).collect();
    Failure { why, expected, got: rest(session) }
}
