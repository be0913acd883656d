//! What a query asks for (XEP-0313 section 4), and the form that says what may be asked.

use super::NS;
use super::search::{self, Search, Words};
use crate::form::{Field, Form, FormType};
use crate::rsm;
use crate::stanza_id::Ids;
use crate::store::Seq;
use wire::datetime::Timestamp;
use wire::jid::Jid;
use wire::stanza::{Condition, StanzaError};
use wire::xml::Element;

const VALIDATE: &str = "http://jabber.org/protocol/xdata-validate";
/// Messages that may be asked for by id at a time.
const IDS: usize = 100;

/// A query of an archive.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Query {
    /// Chosen by the client, and given back with each result.
    pub id: Option<String>,
    /// Only messages from or to this address.
    pub with: Option<Jid>,
    /// Only messages from this moment on.
    pub start: Option<Timestamp>,
    /// Only messages up to this moment.
    pub end: Option<Timestamp>,
    /// Only messages behind this one (`after-id`).
    pub after: Option<Seq>,
    /// Only messages before this one (`before-id`).
    pub before: Option<Seq>,
    /// Only these messages.
    pub ids: Option<Vec<Seq>>,
    /// Only messages with all these words (XEP-0431).
    pub words: Option<Words>,
    /// Messages of the page at most.
    pub max: Option<usize>,
    /// The message before the page.
    pub page_after: Option<Seq>,
    /// The message behind the page.
    pub page_before: Option<Seq>,
    /// Whether the page is counted from the end.
    pub backward: bool,
    /// Whether the results are sent in reverse order (section 4.3.4).
    pub flip: bool,
}

impl Query {
    /// Reads a `<query/>`.
    ///
    /// Errors: `feature-not-implemented` for a field that is not known (section 4.1.5), `item-not-found` for an id that can be
    /// in no archive of ours (sections 4.1.3 and 4.3.2), `bad-request` for what is malformed.
    pub fn parse(query: &Element, ids: &Ids, search: Search) -> Result<Query, StanzaError> {
        let page = rsm::Request::parse(query)?;
        if page.index.is_some() {
            // XEP-0059 section 2.6: it would have to count.
            return Err(StanzaError::new(Condition::FeatureNotImplemented).with_text("pages by index are not offered"));
        }
        let before = page.before.as_deref().filter(|before| !before.is_empty());
        let mut parsed = Query {
            id: query.attr("queryid").map(str::to_owned),
            max: page.max,
            backward: page.is_backward(),
            page_after: page.after.as_deref().map(|text| entry(ids, text)).transpose()?,
            page_before: before.map(|text| entry(ids, text)).transpose()?,
            flip: query.child("flip-page", NS).is_some(),
            ..Query::default()
        };
        if let Some(x) = query.child("x", crate::form::NS) {
            parsed.filter(x, ids, search)?;
        }
        Ok(parsed)
    }

    /// Whether the archive's order alone decides what is returned: nothing in between is left out.
    pub fn is_gapless(&self) -> bool {
        self.with.is_none() && self.ids.is_none() && self.words.is_none()
    }

    /// Whether nothing but the page is asked for.
    pub fn is_unfiltered(&self) -> bool {
        self.is_gapless() && (self.start, self.end).eq(&(None, None)) && (self.after, self.before).eq(&(None, None))
    }

    fn filter(&mut self, x: &Element, ids: &Ids, search: Search) -> Result<(), StanzaError> {
        let form = Form::parse(x).filter(|form| form.kind == FormType::Submit && form.form_type() == Some(NS));
        let Some(form) = form else {
            return Err(malformed("the form has to be submitted, and its FORM_TYPE to be this protocol's"));
        };
        for field in &form.fields {
            let first = field.values.first().map(String::as_str);
            match (field.var.as_deref(), first) {
                (Some("FORM_TYPE"), _) => {}
                // A field left empty asks for nothing.
                (Some("with" | "start" | "end" | "before-id" | "after-id" | "ids" | "include-groupchat"), None) => {}
                (Some("with"), Some(text)) => {
                    self.with = Some(Jid::parse(text).map_err(|_| malformed("'with' is no address"))?);
                }
                (Some("start"), Some(text)) => self.start = Some(time(text)?),
                (Some("end"), Some(text)) => self.end = Some(time(text)?),
                (Some("before-id"), Some(text)) => self.before = Some(entry(ids, text)?),
                (Some("after-id"), Some(text)) => self.after = Some(entry(ids, text)?),
                (Some("ids"), Some(_)) => self.ids = Some(entries(ids, &field.values)?),
                (Some(search::FIELD), text) if search == Search::Offered => {
                    self.words = text.filter(|text| !text.is_empty()).map(Words::of).transpose()?;
                }
                // Archives of accounts hold no groupchat messages, and those of rooms nothing else: either answer is the same.
                (Some("include-groupchat"), Some("true" | "1" | "false" | "0")) => {}
                (Some("include-groupchat"), Some(_)) => return Err(malformed("'include-groupchat' is true or false")),
                (var, _) => {
                    let text = format!("there is no field {:?}", var.unwrap_or_default());
                    return Err(StanzaError::new(Condition::FeatureNotImplemented).with_text(text));
                }
            }
        }
        Ok(())
    }
}

/// The `<query/>` that tells which fields there are (section 4.1.5).
pub fn form(search: Search) -> Element {
    let field = |var: &str, kind| Field::new(var).kind(kind);
    let mut form = Form::new(FormType::Form, NS)
        .field(field("with", "jid-single"))
        .field(field("start", "text-single"))
        .field(field("end", "text-single"))
        .field(field("before-id", "text-single"))
        .field(field("after-id", "text-single"))
        .field(field("ids", "list-multi"))
        .field(field("include-groupchat", "boolean"));
    if search == Search::Offered {
        form = form.field(field(search::FIELD, "text-single"));
    }
    let mut x = form.to_element();
    for field in x.children_mut().filter(|field| field.attr("var") == Some("ids")) {
        let open = Element::new("open", VALIDATE);
        field.push(Element::new("validate", VALIDATE).with_attr("datatype", "xs:string").with_child(open));
    }
    Element::new("query", NS).with_child(x)
}

fn entries(ids: &Ids, texts: &[String]) -> Result<Vec<Seq>, StanzaError> {
    if texts.len() > IDS {
        return Err(StanzaError::new(Condition::PolicyViolation).with_text("too many ids at a time"));
    }
    let mut entries = texts.iter().map(|text| entry(ids, text)).collect::<Result<Vec<_>, _>>()?;
    entries.sort_unstable();
    entries.dedup();
    Ok(entries)
}

fn entry(ids: &Ids, text: &str) -> Result<Seq, StanzaError> {
    ids.entry(text).ok_or_else(|| Condition::ItemNotFound.into())
}

fn time(text: &str) -> Result<Timestamp, StanzaError> {
    Timestamp::parse(text).map_err(|_| malformed("'start' and 'end' are dates with times as in XEP-0082"))
}

fn malformed(text: &str) -> StanzaError {
    StanzaError::new(Condition::BadRequest).with_text(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use wire::stanza::{UNLIMITED, content_scope};

    fn ids() -> Ids {
        Ids::new(&[0; 32])
    }

    fn parse(attrs: &str, inside: &str) -> Result<Query, StanzaError> {
        let xml = format!("<query xmlns='urn:xmpp:mam:2' {attrs}>{inside}</query>");
        Query::parse(&Element::parse(&xml, content_scope(), &UNLIMITED).unwrap(), &ids(), Search::Off)
    }

    fn fields(fields: &[(&str, &str)]) -> Result<Query, StanzaError> {
        let field = |(var, value): &(&str, &str)| format!("<field var='{var}'><value>{value}</value></field>");
        let fields: String = [("FORM_TYPE", NS)].iter().chain(fields).map(field).collect();
        parse("", &format!("<x xmlns='jabber:x:data' type='submit'>{fields}</x>"))
    }

    fn refused(query: Result<Query, StanzaError>) -> Condition {
        query.unwrap_err().condition
    }

    #[test]
    fn a_query_without_anything_asks_for_everything() {
        let query = parse("", "").unwrap();
        assert_eq!(query, Query::default());
        assert!(query.is_unfiltered());
        assert_eq!(parse("queryid='f27'", "").unwrap().id.as_deref(), Some("f27"));
    }

    #[test]
    fn every_field_is_read() {
        let query = fields(&[
            ("with", "juliet@capulet.lit/Balcony"),
            ("start", "2010-06-07T00:00:00Z"),
            ("end", "2010-07-07T13:23:54Z"),
            ("before-id", &ids().of(Seq(90))),
            ("after-id", &ids().of(Seq(10))),
            ("include-groupchat", "false"),
        ])
        .unwrap();
        assert_eq!(query.with.as_ref().map(|with| with.as_str()), Some("juliet@capulet.lit/Balcony"));
        assert_eq!(query.start.map(|time| time.to_string()).as_deref(), Some("2010-06-07T00:00:00.000Z"));
        assert_eq!(query.end.map(|time| time.to_string()).as_deref(), Some("2010-07-07T13:23:54.000Z"));
        assert_eq!((query.before, query.after), (Some(Seq(90)), Some(Seq(10))));
        assert!(!query.is_gapless() && !query.is_unfiltered());
        let (three, five) = (ids().of(Seq(3)), ids().of(Seq(5)));
        let xml = format!(
            "<x xmlns='jabber:x:data' type='submit'><field var='FORM_TYPE'><value>urn:xmpp:mam:2</value></field>
            <field var='ids'><value>{five}</value><value>{three}</value><value>{five}</value></field></x>"
        );
        assert_eq!(parse("", &xml).unwrap().ids, Some(vec![Seq(3), Seq(5)]));
    }

    #[test]
    fn pages_are_read() {
        let seven = ids().of(Seq(7));
        let page =
            |set: &str| parse("", &format!("<set xmlns='http://jabber.org/protocol/rsm'>{set}</set><flip-page/>"));
        let after = page(&format!("<max>10</max><after>{seven}</after>")).unwrap();
        assert_eq!((after.max, after.page_after, after.backward, after.flip), (Some(10), Some(Seq(7)), false, true));
        let last = page("<before/>").unwrap();
        assert_eq!((last.page_before, last.backward), (None, true));
        assert_eq!(page(&format!("<before>{seven}</before>")).unwrap().page_before, Some(Seq(7)));
        assert_eq!(refused(page("<index>7</index>")), Condition::FeatureNotImplemented);
    }

    #[test]
    fn what_cannot_be_answered_is_refused() {
        assert_eq!(refused(fields(&[("{urn:example}color", "red")])), Condition::FeatureNotImplemented);
        for (var, value) in
            [("with", "@"), ("start", "yesterday"), ("end", "2010-13-41T99:00:00Z"), ("include-groupchat", "maybe")]
        {
            assert_eq!(refused(fields(&[(var, value)])), Condition::BadRequest, "{var}");
        }
        for var in ["before-id", "after-id", "ids"] {
            assert_eq!(refused(fields(&[(var, "no-such-id")])), Condition::ItemNotFound, "{var}");
        }
        for page in ["<after>x</after>", "<before>x</before>"] {
            let set = format!("<set xmlns='http://jabber.org/protocol/rsm'>{page}</set>");
            assert_eq!(refused(parse("", &set)), Condition::ItemNotFound, "{page}");
        }
        let other =
            "<x xmlns='jabber:x:data' type='submit'><field var='FORM_TYPE'><value>urn:example</value></field></x>";
        assert_eq!(refused(parse("", other)), Condition::BadRequest);
        let many: String = (0..=IDS).map(|id| format!("<value>{id}</value>")).collect();
        let many = format!(
            "<x xmlns='jabber:x:data' type='submit'><field var='FORM_TYPE'><value>{NS}</value></field><field var='ids'>{many}</field></x>"
        );
        assert_eq!(refused(parse("", &many)), Condition::PolicyViolation);
    }

    #[test]
    fn the_form_requires_nothing_and_its_ids_are_open() {
        let query = form(Search::Off);
        let form = query.child("x", crate::form::NS).unwrap();
        let fields: Vec<_> =
            form.children().filter_map(|field| Some((field.attr("var")?, field.attr("type")?))).collect();
        assert_eq!(
            fields,
            [
                ("FORM_TYPE", "hidden"),
                ("with", "jid-single"),
                ("start", "text-single"),
                ("end", "text-single"),
                ("before-id", "text-single"),
                ("after-id", "text-single"),
                ("ids", "list-multi"),
                ("include-groupchat", "boolean")
            ]
        );
        assert!(form.children().all(|field| field.child("required", crate::form::NS).is_none()));
        let ids = form.children().find(|field| field.attr("var") == Some("ids")).unwrap();
        assert!(ids.child("validate", VALIDATE).unwrap().child("open", VALIDATE).is_some());
        assert!(ids.child("option", crate::form::NS).is_none());
    }
}
