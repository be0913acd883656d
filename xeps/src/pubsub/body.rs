//! What a notification says to people whose client does not understand its payload (XEP-0060 section 12.8). Atom is understood
//! here, and nothing else.

use super::EVENT;
use super::atom::ATOM;
use super::config::NodeConfig;
use wire::ns;
use wire::xml::Element;

/// Characters of a body; it stands for the payload and does not repeat a long one.
const LONGEST: usize = 1000;

/// Whether what is published at a node can be told in words, so that subscribers may choose that.
pub fn is_offered(config: &NodeConfig) -> bool {
    config.payload_type.as_deref() == Some(ATOM) && config.deliver_payloads
}

/// The words for an event of this node.
pub fn of(config: &NodeConfig, event: &Element) -> Option<Element> {
    if !is_offered(config) {
        return None;
    }
    let entry = event.child("item", EVENT)?.child("entry", ATOM)?;
    let text = |name: &str| {
        let text = entry.child(name, ATOM).filter(|text| is_plain(text)).map(Element::text);
        text.map(|text| text.trim().to_owned()).filter(|text| !text.is_empty())
    };
    let title = text("title");
    let rest = text("summary").or_else(|| text("content")).filter(|rest| title.as_ref() != Some(rest));
    let whole: Vec<String> = title.into_iter().chain(rest).collect();
    let body: String = whole.join("\n").chars().take(LONGEST).collect();
    (!body.is_empty()).then(|| Element::new("body", ns::CLIENT).with_text(body))
}

/// RFC 4287 section 3.1.1: what is marked up would be read as it is written.
fn is_plain(text: &Element) -> bool {
    matches!(text.attr("type"), None | Some("text"))
}

#[cfg(test)]
mod tests {
    use super::super::rules::Rules;
    use super::*;

    #[test]
    fn atom_is_told_in_words_where_the_node_says_that_it_is_atom() {
        let mut config = Rules::service(&Default::default()).defaults;
        let says = |config: &NodeConfig, entry: &str| {
            let event = format!("<items xmlns='{EVENT}'><item><entry xmlns='{ATOM}'>{entry}</entry></item></items>");
            of(config, &event.parse().unwrap()).map(|body| body.text())
        };
        let full = "<title>Soliloquy</title><summary> To be </summary><content>or not to be</content>";
        assert_eq!(says(&config, full), None, "the node has not said what it contains");
        config.payload_type = Some(ATOM.to_owned());
        assert_eq!(says(&config, full).as_deref(), Some("Soliloquy\nTo be"));
        assert_eq!(says(&config, "<title>A</title><content>A</content>").as_deref(), Some("A"));
        assert_eq!(says(&config, "<title type='xhtml'><b/></title><content>B</content>").as_deref(), Some("B"));
        assert_eq!(says(&config, "<id>urn:x</id>"), None);
        config.deliver_payloads = false;
        assert!(!is_offered(&config), "without the payload there is nothing to tell");
    }
}
