//! The HTTP steps: one request at a time, and what its response says.

use super::performance::{Failure, Performance};
use crate::net::{Direction, http};
use crate::play::{HttpBody, Pattern, StepKind, Template};
use crate::xml::{Element, Event, Reader, write_element};

impl Performance<'_> {
    pub(super) async fn http(&mut self, step: &StepKind) -> Result<(), Failure> {
        match step {
            StepKind::Http { method, url, body, authorization } => {
                self.request(method, url, body, authorization.as_ref()).await
            }
            StepKind::HttpAnswers(pattern) => self.http_answers(pattern),
            StepKind::HttpRefuses(conditions) => self.http_refuses(conditions),
            _ => Ok(()),
        }
    }

    async fn request(
        &mut self,
        method: &str,
        url: &Template,
        body: &HttpBody,
        authorization: Option<&Template>,
    ) -> Result<(), Failure> {
        let eval = |template: &Template| template.eval(&self.scope);
        let (body, kind) = match body {
            HttpBody::None => (String::new(), "text/plain"),
            HttpBody::Text(template) => (eval(template)?, "text/plain"),
            HttpBody::Xml(element) => (write_element(&self.fill_in(element)?, ""), "text/xml; charset=utf-8"),
        };
        let (url, authorization) = (eval(url)?, authorization.map_or(Ok(String::new()), eval)?);
        self.log.add("http", Direction::Sent, &format!("{method} {url} {body}"));
        let request = http::Request { method, url: &url, body: &body, kind, authorization: &authorization };
        let response = http::send(&self.run.target, &request).await?;
        self.log.add("http", Direction::Received, &format!("{} {}", response.status, response.body));
        self.scope.set("http-status", &response.status);
        self.scope.set("http-type", &response.kind);
        self.scope.set("http-body", &response.body);
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

/// The one element that a text is.
fn read_element(text: &str) -> Result<Element, String> {
    let mut reader = Reader::fragments(&[]);
    reader.feed(text.as_bytes());
    match reader.next_event() {
        Ok(Some(Event::Element(element))) => Ok(element),
        Ok(_) => Err("the answer is not an XML element".to_owned()),
        Err(error) => Err(format!("the answer is not XML: {error}")),
    }
}
