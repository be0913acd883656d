//! The steps that begin with `http`: a request, and what is said of its response.

use super::Fault;
use super::json::JsonPattern;
use super::pattern::{Pattern, Value};
use super::step::Parser;
use super::template::Template;
use crate::xml::Element;

#[derive(Clone, Debug)]
pub enum HttpStep {
    /// One request; `http-status`, `http-type` and `http-body` keep what came.
    Request(Box<HttpRequest>),
    /// The response comes to the oldest of the requests that were sent in the background.
    Comes,
    /// The body of the last response, as XML.
    Answers(Box<Pattern>),
    /// The body of the last response, as JSON.
    AnswersJson(JsonPattern),
    /// A field of the last response's header.
    Header(String, Value),
    /// The last response ends a BOSH session with one of these conditions, or has one of these status codes.
    Refuses(Vec<String>),
}

#[derive(Clone, Debug)]
pub struct HttpRequest {
    pub method: String,
    pub url: Template,
    pub body: HttpBody,
    pub authorization: Option<Template>,
    /// Whether the play goes on without waiting for the response.
    pub background: bool,
}

/// What a request carries.
#[derive(Clone, Debug)]
pub enum HttpBody {
    None,
    Text(Template),
    Xml(Box<Element>),
}

const FORMS: &str = "http METHOD \"url\" [with \"body\" [and authorization \"value\"]] [in the background]";

impl Parser<'_> {
    /// `words` are the step's, `http` first.
    pub fn http(&self, words: &[String]) -> Result<HttpStep, Fault> {
        let plain: Vec<&str> = words.iter().skip(1).map(String::as_str).collect();
        match plain.as_slice() {
            ["answers"] => match self.some_patterns(&[])?.as_slice() {
                [pattern] => Ok(HttpStep::Answers(Box::new(pattern.clone()))),
                _ => Err(self.block_fault("one element is the answer")),
            },
            ["answers", "json"] => self.json().map(HttpStep::AnswersJson),
            ["comes"] => Ok(HttpStep::Comes),
            ["header", name, "is", wanted] => {
                let wanted = Value::parse(wanted.trim_matches('"')).map_err(|what| self.line.fault(1, what))?;
                Ok(HttpStep::Header(name.to_lowercase(), wanted))
            }
            ["refuses", "with", conditions @ ..] => {
                let conditions = conditions.iter().filter(|word| **word != "or").map(|word| (*word).to_owned());
                Ok(HttpStep::Refuses(conditions.collect()))
            }
            [request @ .., "in", "the", "background"] => self.request(request, true),
            request => self.request(request, false),
        }
    }

    fn request(&self, words: &[&str], background: bool) -> Result<HttpStep, Fault> {
        let (method, url, body, authorization) = match words {
            [method, url] => (method, url, None, None),
            [method, url, "with", body] => (method, url, Some(body), None),
            [method, url, "with", body, "and", "authorization", value] => (method, url, Some(body), Some(value)),
            _ => return Err(self.line.fault(1, FORMS)),
        };
        Ok(HttpStep::Request(Box::new(HttpRequest {
            method: method.to_uppercase(),
            url: self.template(url)?,
            body: match (body, self.elements(&[])?.as_slice()) {
                (None, []) => HttpBody::None,
                (None, [element]) => HttpBody::Xml(Box::new(element.clone())),
                (Some(text), []) => HttpBody::Text(self.template(text)?),
                _ => return Err(self.line.fault(1, "a request has one body")),
            },
            authorization: authorization.map(|text| self.template(text)).transpose()?,
            background,
        })))
    }

    fn json(&self) -> Result<JsonPattern, Fault> {
        let text: String = self.block.iter().map(|line| format!("{}\n", line.text)).collect();
        JsonPattern::parse(&text).map_err(|what| self.block_fault(&what))
    }
}
