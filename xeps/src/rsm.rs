//! Result set management (XEP-0059): which page of a long list is wanted, and what is said about the page that is given.
//! What the ids mean is the business of the list's owner.

use wire::stanza::{Condition, StanzaError};
use wire::xml::Element;

/// The namespace.
pub const NS: &str = "http://jabber.org/protocol/rsm";

/// The page that is asked for (sections 2.1 to 2.7). The default is all of the list from its beginning.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Request {
    /// Items at most; 0 asks for the count only.
    pub max: Option<usize>,
    /// The item before the page.
    pub after: Option<String>,
    /// The item behind the page; empty for the last page.
    pub before: Option<String>,
    /// The position of the first item, counted from 0 (section 2.6).
    pub index: Option<usize>,
}

impl Request {
    /// Reads the `<set/>` of a request.
    ///
    /// Errors: `bad-request` when a number is none.
    pub fn parse(query: &Element) -> Result<Request, StanzaError> {
        let Some(set) = query.child("set", NS) else { return Ok(Request::default()) };
        let text = |name| set.child(name, NS).map(Element::text);
        let number = |name| match text(name) {
            None => Ok(None),
            Some(digits) => digits.trim().parse().map(Some).map_err(|_| {
                StanzaError::new(Condition::BadRequest).with_text(format!("<{name}/> has to be a whole number"))
            }),
        };
        Ok(Request { max: number("max")?, after: text("after"), before: text("before"), index: number("index")? })
    }

    /// Whether the page is counted from the end of the list (sections 2.3 and 2.5).
    pub fn is_backward(&self) -> bool {
        self.before.is_some()
    }
}

/// What is said about the page that is given.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Response {
    /// The ids of the first and the last item; None for an empty page (section 2.2).
    pub ends: Option<(String, String)>,
    /// The position of the first item in the whole list, if it is known.
    pub index: Option<u64>,
    /// The number of items in the whole list, if it is known.
    pub count: Option<u64>,
}

impl Response {
    /// The `<set/>` of an answer.
    pub fn to_element(&self) -> Element {
        let mut set = Element::new("set", NS);
        if let Some((first, last)) = &self.ends {
            let index = self.index.map(|index| index.to_string());
            set.push(Element::new("first", NS).maybe_attr("index", index).with_text(first));
            set.push(Element::new("last", NS).with_text(last));
        }
        let count = self.count.map(|count| Element::new("count", NS).with_text(count.to_string()));
        set.maybe_child(count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use wire::ns;
    use wire::stanza::{UNLIMITED, content_scope};

    fn parse(set: &str) -> Result<Request, StanzaError> {
        let xml = format!("<query xmlns='urn:example'>{set}</query>");
        Request::parse(&Element::parse(&xml, content_scope(), &UNLIMITED).unwrap())
    }

    #[test]
    fn a_request_is_read() {
        assert_eq!(parse(""), Ok(Request::default()));
        let page = parse("<set xmlns='http://jabber.org/protocol/rsm'><max>10</max><after>x</after></set>").unwrap();
        assert_eq!((page.max, page.after.as_deref(), page.is_backward()), (Some(10), Some("x"), false));
        let last = parse("<set xmlns='http://jabber.org/protocol/rsm'><max> 3 </max><before/></set>").unwrap();
        assert_eq!((last.max, last.before.as_deref(), last.is_backward()), (Some(3), Some(""), true));
        let at = parse("<set xmlns='http://jabber.org/protocol/rsm'><index>371</index></set>").unwrap();
        assert_eq!(at.index, Some(371));
    }

    #[test]
    fn what_is_no_number_is_refused() {
        for wrong in
            ["<max/>", "<max>ten</max>", "<max>-1</max>", "<index>x</index>", "<max>99999999999999999999</max>"]
        {
            let error = parse(&format!("<set xmlns='http://jabber.org/protocol/rsm'>{wrong}</set>")).unwrap_err();
            assert_eq!(error.condition, Condition::BadRequest, "{wrong}");
        }
    }

    #[test]
    fn an_answer_is_written() {
        let xml = |response: Response| String::from_utf8(response.to_element().to_bytes(ns::CLIENT)).unwrap();
        assert_eq!(xml(Response::default()), "<set xmlns='http://jabber.org/protocol/rsm'/>");
        let full = Response { ends: Some(("a".into(), "b".into())), index: Some(0), count: Some(2) };
        assert_eq!(
            xml(full),
            "<set xmlns='http://jabber.org/protocol/rsm'><first index='0'>a</first><last>b</last><count>2</count></set>"
        );
    }
}
