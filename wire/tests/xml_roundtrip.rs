//! Any tree that can be built can be written, and is the same when it is read again.

mod xml_support;

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;
use wire::ns;
use wire::xml::{Element, Limits, Scope, write};
use xml_support::properties::check_tree;
use xml_support::proptest_config;

fn name() -> impl Strategy<Value = String> {
    prop_oneof![
        3 => select(vec!["message", "body", "x", "a0", "xmlns", "xml", "stream"]).prop_map(str::to_owned),
        1 => "[A-Za-z_éλ語][A-Za-z0-9._éλ語-]{0,8}",
    ]
}

fn namespace() -> impl Strategy<Value = String> {
    prop_oneof![
        4 => select(vec!["", ns::CLIENT, ns::SERVER, ns::STREAM, ns::XML, "urn:x"]).prop_map(str::to_owned),
        1 => "[a-zé:/#&';?]{1,12}",
    ]
}

/// Every character that XML can express.
fn text() -> impl Strategy<Value = String> {
    let char = prop_oneof![
        4 => select(vec!['&', '<', '>', ']', '\'', '"', '\r', '\n', '\t', ' ', ';', '\u{FFFD}', '\u{F000}', '\u{10FFFF}']),
        2 => proptest::char::range(' ', '~'),
        1 => proptest::char::range('\u{7F}', '\u{D7FF}'),
    ];
    vec(char, 0..20).prop_map(|chars| chars.into_iter().collect())
}

fn element() -> impl Strategy<Value = Element> {
    let leaf = (name(), namespace(), vec((name(), option::weighted(0.3, namespace()), text()), 0..4));
    let leaf = leaf.prop_map(|(name, ns, attrs)| {
        attrs.into_iter().fold(Element::new(name, ns.as_str()), |element, (name, ns, value)| {
            match ns.unwrap_or_default() {
                ns if ns.is_empty() && name == "xmlns" => element,
                ns => element.with_attr_ns(name, ns.as_str(), value),
            }
        })
    });
    leaf.prop_recursive(5, 30, 5, |inner| {
        let node = prop_oneof![inner.clone().prop_map(Ok), text().prop_map(Err)];
        (inner, vec(node, 0..5)).prop_map(|(element, nodes)| {
            nodes.into_iter().fold(element, |element, node| match node {
                Ok(child) => element.with_child(child),
                Err(text) => element.with_text(text),
            })
        })
    })
}

proptest! {
    #![proptest_config(proptest_config(1000))]

    #[test]
    fn trees_survive(element in element()) {
        check_tree(&element);
    }

    #[test]
    fn trees_survive_with_the_prefixes_of_a_stream(element in element()) {
        let header = "<stream:stream xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams' xmlns:a0='urn:x'>";
        let (_, scope) = Scope::from_header(header, &Limits::AFTER_AUTH).unwrap();
        let context = write::Context { default_ns: ns::CLIENT, prefixes: &[("stream", ns::STREAM), ("a0", "urn:x")] };
        let mut written = Vec::new();
        element.write_in(&mut written, &context);
        let written = String::from_utf8(written).unwrap();
        prop_assert_eq!(Element::parse(&written, &scope, &Limits::AFTER_AUTH), Ok(element), "{}", written);
    }

    /// What XML cannot express is replaced, and never makes the output unreadable.
    #[test]
    fn any_string_can_be_written(text in vec(any::<char>(), 0..20), value in vec(any::<char>(), 0..20)) {
        let (text, value): (String, String) = (text.into_iter().collect(), value.into_iter().collect());
        let written = Element::new("a", "").with_attr("b", &value).with_text(&text).to_string();
        let expressible = |s: &str| s.replace(|c: char| c < ' ' && !"\t\r\n".contains(c) || "\u{FFFE}\u{FFFF}".contains(c), "\u{FFFD}");
        let read: Element = written.parse().unwrap();
        prop_assert_eq!(read.text(), expressible(&text));
        prop_assert_eq!(read.attr("b").unwrap_or_default(), expressible(&value));
    }
}
