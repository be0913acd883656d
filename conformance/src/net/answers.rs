//! Questions that a session answers without being told each time.

use crate::xml::Element;

/// The result for an IQ-get whose question one of the payloads answers; the `node` asked for is repeated.
pub fn automatic_reply(element: &Element, answers: &[Element]) -> Option<Element> {
    if element.name != "iq" || element.attr("type") != Some("get") {
        return None;
    }
    let question = element.elements().next()?;
    let mut payload = answers.iter().find(|payload| payload.is(&question.ns, &question.name))?.clone();
    if let Some(node) = question.attr("node") {
        payload.set("node", node);
    }
    let mut reply = Element::new(&element.ns, "iq").with("type", "result");
    for (to, from) in [("id", "id"), ("to", "from"), ("from", "to")] {
        if let Some(value) = element.attr(from) {
            reply.set(to, value);
        }
    }
    Some(reply.child(payload))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::xml::CLIENT;

    const INFO: &str = "http://jabber.org/protocol/disco#info";

    #[test]
    fn a_question_is_answered_with_the_payload_of_its_name() {
        let answers = [Element::new(INFO, "query").child(Element::new(INFO, "feature").with("var", "a+notify"))];
        let question = |kind: &str, ns: &str| {
            let query = Element::new(ns, "query").with("node", "caps#1");
            Element::new(CLIENT, "iq").with("type", kind).with("id", "d1").with("from", "localhost").child(query)
        };
        let reply = automatic_reply(&question("get", INFO), &answers).expect("a reply");
        assert_eq!(
            (reply.attr("type"), reply.attr("id"), reply.attr("to")),
            (Some("result"), Some("d1"), Some("localhost"))
        );
        let payload = reply.get(INFO, "query").expect("the payload");
        assert_eq!(payload.attr("node"), Some("caps#1"));
        assert!(payload.get(INFO, "feature").is_some());
        assert_eq!(automatic_reply(&question("result", INFO), &answers), None);
        assert_eq!(automatic_reply(&question("get", "urn:other"), &answers), None);
    }
}
