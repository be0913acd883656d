//! The HTTP steps: requests, in the background if a play wants several at a time, and what their responses say.

use super::performance::{Failure, Performance};
use crate::net::{Direction, http};
use crate::play::{HttpBody, HttpRequest, HttpStep, JsonPattern, Pattern, Template, Value};
use crate::xml::{Element, Event, Reader, write_element};
use std::collections::VecDeque;
use std::time::Duration;
use tokio::task::JoinSet;
use tokio::time::timeout;

/// What a play has asked by HTTP. Requests that nobody waits for any more end with it.
#[derive(Default)]
pub struct Web {
    /// Requests in the background, the oldest first; one in each set.
    under_way: VecDeque<JoinSet<Result<http::Response, String>>>,
    /// The fields of the last response's header.
    fields: Vec<(String, String)>,
}

impl Performance<'_> {
    pub(super) async fn http(&mut self, step: &HttpStep, limit: Duration) -> Result<(), Failure> {
        match step {
            HttpStep::Request(request) => self.request(request).await,
            HttpStep::Comes => self.http_comes(limit).await,
            HttpStep::Answers(pattern) => self.http_answers(pattern),
            HttpStep::AnswersJson(pattern) => self.http_answers_json(pattern),
            HttpStep::Header(name, value) => self.http_header(name, value),
            HttpStep::Refuses(conditions) => self.http_refuses(conditions),
        }
    }

    async fn request(&mut self, step: &HttpRequest) -> Result<(), Failure> {
        let eval = |template: &Template| template.eval(&self.scope);
        let (body, kind) = match &step.body {
            HttpBody::None => (String::new(), "text/plain"),
            HttpBody::Text(template) => (eval(template)?, "text/plain"),
            HttpBody::Xml(element) => (write_element(&self.fill_in(element)?, ""), "text/xml; charset=utf-8"),
        };
        let (url, method) = (eval(&step.url)?, step.method.clone());
        let authorization = step.authorization.as_ref().map_or(Ok(String::new()), eval)?;
        self.log.add("http", Direction::Sent, &format!("{method} {url} {body}"));
        let target = self.run.target.clone();
        let sending = async move {
            let request =
                http::Request { method: &method, url: &url, body: &body, kind, authorization: &authorization };
            http::send(&target, &request).await
        };
        if step.background {
            let mut one = JoinSet::new();
            one.spawn(sending);
            self.web.under_way.push_back(one);
            return Ok(());
        }
        let response = sending.await?;
        self.note_response(response);
        Ok(())
    }

    /// Waits for the response to the oldest request in the background.
    async fn http_comes(&mut self, limit: Duration) -> Result<(), Failure> {
        let mut one = self.web.under_way.pop_front().ok_or_else(|| "no request is in the background".to_owned())?;
        let response = timeout(limit, one.join_next()).await.map_err(|_| "no response came".to_owned())?;
        let response = response.and_then(Result::ok).ok_or_else(|| "the request was lost".to_owned())??;
        self.note_response(response);
        Ok(())
    }

    fn note_response(&mut self, response: http::Response) {
        self.log.add("http", Direction::Received, &format!("{} {}", response.status, response.body));
        self.scope.set("http-status", &response.status);
        self.scope.set("http-type", response.field("content-type").unwrap_or_default());
        self.scope.set("http-body", &response.body);
        self.web.fields = response.fields;
    }

    fn http_header(&mut self, name: &str, value: &Value) -> Result<(), Failure> {
        let field = self.web.fields.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str());
        let mut saved = Vec::new();
        value.check(field, &self.scope, &mut saved)?;
        self.save(saved);
        Ok(())
    }

    fn http_answers_json(&mut self, pattern: &JsonPattern) -> Result<(), Failure> {
        let body = self.scope.get("http-body").unwrap_or_default();
        let failure = |why: String| Failure { why, expected: vec![pattern.describe()], got: vec![body.to_owned()] };
        let captures = pattern.matches(body, &self.scope).map_err(failure)?;
        self.save(captures);
        Ok(())
    }

    fn http_answers(&mut self, pattern: &Pattern) -> Result<(), Failure> {
        let body = self.scope.get("http-body").unwrap_or_default().to_owned();
        let failure = |why: String| Failure { why, expected: vec![pattern.describe("")], got: vec![body.clone()] };
        let element = read_element(&body).map_err(&failure)?;
        let captures = pattern.matches(&element, &self.scope).map_err(|mismatch| failure(mismatch.why))?;
        self.save(captures);
        Ok(())
    }

    fn http_refuses(&self, conditions: &[String]) -> Result<(), Failure> {
        let (status, body) = (self.scope.get("http-status"), self.scope.get("http-body"));
        let (status, body) = (status.unwrap_or_default(), body.unwrap_or_default());
        let element = read_element(body).ok().filter(|body| body.attr("type") == Some("terminate"));
        let condition = element.as_ref().and_then(|body| body.attr("condition"));
        let found = if status == "200" { condition.unwrap_or("no condition") } else { status };
        if conditions.iter().any(|wanted| wanted == found) {
            return Ok(());
        }
        Err(Failure { why: found.to_owned(), expected: conditions.to_vec(), got: vec![format!("{status} {body}")] })
    }
}

/// The one element that a text is, behind an XML declaration or without one.
fn read_element(text: &str) -> Result<Element, String> {
    let text = match text.strip_prefix("<?xml ").and_then(|rest| rest.split_once("?>")) {
        Some((_, rest)) => rest.trim_start(),
        None => text,
    };
    let mut reader = Reader::fragments(&[]);
    reader.feed(text.as_bytes());
    match reader.next_event() {
        Ok(Some(Event::Element(element))) => Ok(element),
        Ok(_) => Err("the answer is not an XML element".to_owned()),
        Err(error) => Err(format!("the answer is not XML: {error}")),
    }
}
