//! The kinds of spoilt traffic, each with the play that must notice it.

use crate::proxy::{Memory, Spoil};
use conformance_suite::xml::{CLIENT, DIALBACK, Element, Node, SERVER, STANZAS};

pub struct Kind {
    /// What is wrong with the traffic.
    pub what: &'static str,
    /// The requirement whose play notices.
    pub play: &'static str,
    pub spoil: Spoil,
    /// Whose traffic it is: of clients, or of other servers that connect.
    pub side: Side,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Side {
    Clients,
    Servers,
}

const SASL: &str = "urn:ietf:params:xml:ns:xmpp-sasl";
const BIND: &str = "urn:ietf:params:xml:ns:xmpp-bind";
const SM: &str = "urn:xmpp:sm:3";
const DELAY: &str = "urn:xmpp:delay";
const SID: &str = "urn:xmpp:sid:0";
const CARBONS: &str = "urn:xmpp:carbons:2";
const MAM: &str = "urn:xmpp:mam:2";
const ROSTER: &str = "jabber:iq:roster";
const INFO: &str = "http://jabber.org/protocol/disco#info";
const XML: &str = "http://www.w3.org/XML/1998/namespace";

const fn kind(what: &'static str, play: &'static str, spoil: Spoil) -> Kind {
    Kind { what, play, spoil, side: Side::Clients }
}

const fn between_servers(what: &'static str, play: &'static str, spoil: Spoil) -> Kind {
    Kind { what, play, spoil, side: Side::Servers }
}

#[rustfmt::skip]
pub const KINDS: &[Kind] = &[
    // Addresses.
    kind("a message from somebody else", "rfc6120-8.1.2.1-from-full-message", Spoil::Down(|e, _| messages(e, |e| e.set("from", "tybalt@example.net/else")))),
    kind("a message from the bare address", "rfc6120-8.1.2.1-from-full-message", Spoil::Down(|e, _| messages(e, make_from_bare))),
    kind("a message without 'from'", "rfc6121-8.5.3.1-message-chat", Spoil::Down(|e, _| messages(e, |e| remove(e, "from")))),
    kind("presence from the bare address", "rfc6120-8.1.2.1-from-full-presence", Spoil::Down(|e, _| presences(e, make_from_bare))),
    kind("a request for a subscription from the full address", "rfc6121-3.1.2-from-bare", Spoil::Down(|e, _| presences(e, |e| append(e, "from", "/orchard")))),
    kind("a bare 'to' made full", "rfc6121-8.5.2.1.1-to-unchanged-chat", Spoil::Down(|e, _| messages(e, |e| append(e, "to", "/main")))),
    kind("an answer from somebody else", "rfc6121-8.5.2.1.3-iq-refused-set", Spoil::Down(|e, _| answers(e, |e| e.set("from", "else.example")))),
    kind("a resource of the server's choice instead of the wished one", "rfc6120-7.7.1-client-submitted", Spoil::Down(|e, _| vec![rebound(e)])),
    // Errors.
    kind("a missing error", "rfc6121-8.5.1-iq-get", Spoil::Down(|e, _| unless(is_error(&e), e))),
    kind("another error condition", "rfc6121-8.5.1-iq-get", Spoil::Down(|e, _| errors(e, |error| error.children = vec![Node::Element(Element::new(STANZAS, "item-not-found"))]))),
    kind("an error without a condition", "rfc6121-8.5.2.1.3-iq-refused-get", Spoil::Down(|e, _| errors(e, |error| error.children.clear()))),
    kind("an error without a type", "rfc6121-8.5.1-iq-set", Spoil::Down(|e, _| errors(e, |error| error.attrs.clear()))),
    kind("an error of an unknown type", "rfc6121-8.5.1-iq-set", Spoil::Down(|e, _| errors(e, |error| error.set("type", "fatal")))),
    kind("a condition of a foreign namespace", "rfc6121-8.5.2.1.3-iq-refused-get", Spoil::Down(|e, _| errors(e, |error| error.children = vec![Node::Element(Element::new("urn:example", "service-unavailable"))]))),
    kind("an error without <error/>", "rfc6121-8.5.2.1.3-iq-refused-get", Spoil::Down(|mut e, _| { if is_error(&e) { e.children.clear(); } vec![e] })),
    kind("a result instead of an error", "rfc6121-8.5.2.1.3-iq-refused-get", Spoil::Down(|mut e, _| { if is_error(&e) { e.set("type", "result"); } vec![e] })),
    kind("an error instead of a result", "xep0199-4.2-client-to-server", Spoil::Down(|mut e, _| { if is_answer(&e) && e.attr("id").is_some_and(|id| id.starts_with("ask-")) { e.set("type", "error"); } vec![e] })),
    kind("the sender of a groupchat message is not told", "rfc6121-8.5.2.1.1-groupchat-error", Spoil::Down(|mut e, _| { if e.name == "message" && is_error(&e) { e.set("type", "groupchat"); } vec![e] })),
    kind("an error in answer to an error", "rfc6121-8.5.2.1.1-error", Spoil::Down(|e, memory| with_stray(e, memory, "error"))),
    // What comes, and how often.
    kind("a lost message", "rfc6121-8.5.3.1-message-chat", Spoil::Down(|e, _| unless(e.name == "message", e))),
    kind("a message lost on its way to the server", "rfc6121-8.5.2.2.1-stored-chat", Spoil::Up(|e, _| unless(e.name == "message", e))),
    kind("the last words of a client are lost", "rfc6120-4.4-processes-before-close", Spoil::Up(|e, _| unless(e.is_stanza() && e.name == "message", e))),
    kind("a doubled message", "rfc6120-10-delivered-once-message", Spoil::Down(|e, _| twice(e.name == "message", e))),
    kind("a doubled presence", "rfc6120-10-delivered-once-presence", Spoil::Down(|e, _| twice(e.attr("id") == Some("once-1"), e))),
    kind("a doubled answer", "rfc6120-8.2.3-answered-once-server-get", Spoil::Down(|e, _| twice(e.attr("id") == Some("once-1"), e))),
    kind("two messages in the wrong order", "rfc6120-10.1-in-order", Spoil::Down(|e, memory| swapped(e.name == "message", e, memory))),
    kind("stored messages in the wrong order", "xep0160-2-order", Spoil::Down(|e, memory| swapped(e.name == "message", e, memory))),
    kind("a message nobody sent", "rfc6121-8.5.2.1.1-error", Spoil::Down(|e, memory| with_stray(e, memory, "chat"))),
    kind("presence shown to a stranger", "rfc6121-4.2.2-strangers", Spoil::Down(leak_presence)),
    kind("a missing farewell", "rfc6121-4.5.2-closed", Spoil::Down(|e, _| unless(e.attr("type") == Some("unavailable"), e))),
    kind("a roster push that does not come", "rfc6121-2.1.6-push-to-interested", Spoil::Down(|e, _| unless(e.name == "iq" && e.attr("type") == Some("set") && e.get(ROSTER, "query").is_some(), e))),
    kind("a roster push of all items", "rfc6121-2.1.6-push-one-item", Spoil::Down(|e, _| vec![with_another_item(e)])),
    // Content.
    kind("another id", "rfc6120-8.1.3-id-kept-message", Spoil::Down(|e, _| messages(e, |e| e.set("id", "other")))),
    kind("a missing id", "rfc6120-8.1.3-id-kept-message", Spoil::Down(|e, _| messages(e, |e| remove(e, "id")))),
    kind("an answer with another id", "rfc6120-8.2.3-answered-get", Spoil::Down(|mut e, _| { if is_answer(&e) && e.attr("id").is_some_and(|id| id.starts_with("x-1")) { e.set("id", "x-1"); } vec![e] })),
    kind("another type", "rfc6121-5.2.2-type-headline", Spoil::Down(|e, _| messages(e, |e| e.set("type", "normal")))),
    kind("another namespace", "rfc6120-8.4-unknown-content-message", Spoil::Down(|e, _| messages(e, |e| each_child(e, |child| child.ns = "urn:example:b".to_owned())))),
    kind("a dropped attribute", "rfc6120-8.1.5-lang-kept", Spoil::Down(|e, _| messages(e, |e| e.attrs.retain(|attr| attr.ns != XML)))),
    kind("an attribute of a foreign namespace dropped", "rfc6120-8.4-unknown-content-message", Spoil::Down(|e, _| messages(e, |e| each_child(e, |child| child.attrs.retain(|attr| attr.ns.is_empty()))))),
    kind("a dropped child", "rfc6121-5.2.5-extended", Spoil::Down(|e, _| messages(e, |e| e.children.retain(|node| matches!(node, Node::Element(child) if child.ns == CLIENT))))),
    kind("a changed body", "rfc6121-8.5.3.1-message-chat", Spoil::Down(|e, _| messages(e, |e| each_child(e, |child| child.children.push(Node::Text("!".to_owned())))))),
    kind("one body of two", "rfc6121-5.2.3-bodies", Spoil::Down(|e, _| messages(e, |e| e.children.truncate(1)))),
    kind("white space taken away", "rfc6120-11.3-content-kept-line-ends", Spoil::Text(|text| text.replace('\n', ""))),
    kind("text that is not escaped", "rfc6120-11.3-content-kept-cdata", Spoil::Text(|text| text.replace("&lt;", "<").replace("&gt;", ">"))),
    kind("text that is escaped twice", "rfc6120-11.3-content-kept-predefined-entities", Spoil::Text(|text| if text.starts_with("<message") { text.replace('&', "&amp;") } else { text.to_owned() })),
    kind("characters beyond the first plane replaced", "rfc6120-11.3-content-kept-emoji", Spoil::Text(|text| text.chars().map(|c| if c > '\u{ffff}' { '?' } else { c }).collect())),
    kind("a comment in the stream", "rfc6121-8.5.3.1-message-chat", Spoil::Text(|text| text.replace("<body>", "<!-- here --><body>"))),
    kind("a priority out of range", "rfc6121-4.7.2.3-priority-highest", Spoil::Text(|text| text.replace(">127<", ">128<"))),
    kind("the subscription of another contact", "rfc6121-2.4.2-keeps-subscription", Spoil::Text(|text| text.replace("subscription=\"both\"", "subscription=\"none\""))),
    kind("a feature that is not named", "xep0030-3.1-info-feature-server", Spoil::Down(|e, _| vec![without_feature(e, INFO)])),
    // Stored messages.
    kind("no delay stamp", "xep0160-2-delay", Spoil::Down(|e, _| messages(e, |e| e.children.retain(|node| !matches!(node, Node::Element(child) if child.ns == DELAY))))),
    kind("a delay stamp of the old format", "xep0160-2-delay", Spoil::Down(|e, _| delays(e, |delay| { let stamp = delay.attr("stamp").unwrap_or_default().replace('-', ""); delay.set("stamp", &stamp); }))),
    kind("a delay stamp that is not in UTC", "xep0203-2-utc", Spoil::Down(|e, _| delays(e, |delay| { let stamp = delay.attr("stamp").unwrap_or_default().replace('Z', "+02:00"); delay.set("stamp", &stamp); }))),
    kind("a delay by somebody else", "xep0203-2-from", Spoil::Down(|e, _| delays(e, |delay| delay.set("from", "else.example")))),
    kind("somebody else's stanza-id taken away", "xep0359-3-others-kept-a-stanza-id-of-another", Spoil::Down(|e, _| messages(e, |e| e.children.retain(|node| !matches!(node, Node::Element(child) if child.ns == SID))))),
    // Streams.
    kind("a stream id that does not change", "rfc6120-4.3.3-new-id", Spoil::Text(|text| replaced_id(text, "id=\"always\""))),
    kind("the same stream id for all", "rfc6120-4.7.3-unique", Spoil::Text(|text| replaced_id(text, "id=\"always\""))),
    kind("a stream without an id", "rfc6120-4.7.3-id", Spoil::Text(|text| replaced_id(text, ""))),
    kind("a stream of another domain", "rfc6120-4.7.1-from", Spoil::Text(|text| if is_header(text) { text.replace("from=\"", "from=\"else.") } else { text.to_owned() })),
    kind("a stream without a version", "rfc6120-4.7.5-version", Spoil::Text(|text| if is_header(text) { text.replace(" version=\"1.0\"", "") } else { text.to_owned() })),
    kind("a stream in the wrong namespace", "rfc6120-4.8.1-stream-namespace", Spoil::Text(|text| text.replace("http://etherx.jabber.org/streams", "http://etherx.jabber.org/stream"))),
    kind("features twice", "rfc6120-4.3.2-once", Spoil::Down(|e, _| twice(e.name == "features", e))),
    kind("no features", "rfc6120-4.3.2-features", Spoil::Down(|e, _| unless(e.name == "features" && e.get(SASL, "mechanisms").is_some(), e))),
    kind("another stream error", "rfc6120-4.9.3.6-host-unknown", Spoil::Text(|text| text.replace("<host-unknown", "<host-gone"))),
    kind("a stream error without a condition", "rfc6120-4.9.2-condition", Spoil::Down(|mut e, _| { if e.name == "error" { e.children.clear(); } vec![e] })),
    kind("a stream that does not end after an error", "rfc6120-4.9.1.1-error-closes", Spoil::NeverEnds),
    kind("a stream that is not closed in return", "rfc6120-4.4-close", Spoil::NeverEnds),
    kind("a connection that is not closed", "rfc6120-4.4-connection", Spoil::NeverEnds),
    // Authentication.
    kind("a wrong signature of the server", "rfc6120-6.4-login-SCRAM-SHA-1", Spoil::Down(|mut e, _| { if e.is(SASL, "success") { e.children = vec![Node::Text("dj1yb25nAAAAAAAAAAAAAAAAAAA=".to_owned())]; } vec![e] })),
    kind("a nonce that is not the client's", "rfc6120-6.4-login-SCRAM-SHA-256", Spoil::Down(|mut e, _| { if e.is(SASL, "challenge") { e.children = vec![Node::Text("cj1mb3JnZWQscz1RU1hDUitRNnNlazhiZjkyLGk9NDA5Ng==".to_owned())]; } vec![e] })),
    kind("success for a wrong password", "rfc6120-6.5.5-wrong-password-SCRAM-SHA-1", Spoil::Down(|mut e, _| { if e.is(SASL, "failure") { e.name = "success".to_owned(); e.children.clear(); } vec![e] })),
    kind("another reason for a failure", "rfc6120-6.5.7-invalid-mechanism", Spoil::Down(|mut e, _| { if e.is(SASL, "failure") { e.children = vec![Node::Element(Element::new(SASL, "aborted"))]; } vec![e] })),
    // Acknowledgements.
    kind("a count that is too high", "xep0198-4-counts-messages", Spoil::Down(|e, _| vec![counted(e, 1)])),
    kind("a count that is too low", "xep0198-4-counts-mixed", Spoil::Down(|e, _| vec![counted(e, -1)])),
    kind("an acknowledgement that comes late", "xep0198-4-every-request", Spoil::Down(|e, memory| late(e.is(SM, "a"), e, memory))),
    kind("an acknowledgement without a count", "xep0198-4-zero", Spoil::Down(|mut e, _| { if e.is(SM, "a") { remove(&mut e, "h"); } vec![e] })),
    kind("no request for an acknowledgement", "xep0198-4-asks", Spoil::Down(|e, _| unless(e.is(SM, "r"), e))),
    kind("an acknowledgement of the client that is lost", "xep0198-4-acknowledged", Spoil::Up(|e, _| unless(e.is(SM, "a"), e))),
    // Copies and the archive.
    kind("a copy that does not come", "xep0280-7-received-chat-with-body", Spoil::Down(|e, _| unless(has(&e, CARBONS), e))),
    kind("a copy from a full address", "xep0280-7-from-bare", Spoil::Down(|e, _| changed(has(&e, CARBONS), e, |e| append(e, "from", "/x")))),
    kind("results of the archive in the wrong order", "xep0313-4-order", Spoil::Down(|e, memory| swapped(has(&e, MAM), e, memory))),
    kind("a result of another query", "xep0313-4-queryid", Spoil::Text(|text| text.replace("queryid=\"unlike", "queryid=\"like"))),
    kind("a result that is never complete", "xep0313-4-complete", Spoil::Text(|text| text.replace("complete=\"true\"", "complete=\"false\""))),
    kind("a forged stanza-id that is left", "xep0313-3.5-forged-id", Spoil::Down(|e, _| messages(e, |e| add_stanza_id(e, "forged")))),
    kind("two stanza-ids of one archive", "xep0359-3-one", Spoil::Down(|e, _| messages(e, |e| add_stanza_id(e, "another")))),
    // Other servers.
    between_servers("a verdict in the name of another domain", "xep0220-2.2.1-valid", Spoil::Down(|e, _| changed(is_verdict(&e, "result"), e, |e| append(e, "from", ".example")))),
    between_servers("a verdict that is not passed on", "xep0220-2.2.1-valid", Spoil::Down(|e, _| unless(is_verdict(&e, "result"), e))),
    between_servers("an invalid key that is called valid", "xep0220-2.2.1-invalid", Spoil::Down(|e, _| changed(is_verdict(&e, "result"), e, |e| e.set("type", "valid")))),
    between_servers("a key of another stream that is vouched for", "xep0220-2.2.2-invalid-another-stream", Spoil::Down(|e, _| changed(is_verdict(&e, "verify"), e, |e| e.set("type", "valid")))),
    between_servers("a key that is vouched for to another domain", "xep0185-2-receiver", Spoil::Down(|e, _| changed(is_verdict(&e, "verify"), e, |e| e.set("type", "valid")))),
    between_servers("an own key that is not vouched for", "xep0185-2-validated", Spoil::Down(|e, _| changed(is_verdict(&e, "verify"), e, |e| e.set("type", "invalid")))),
    between_servers("a key that is verified on the stream on which it came", "xep0288-2.2-verified-elsewhere", Spoil::Down(|e, _| if e.name == "features" { vec![e, Element::new(DIALBACK, "verify")] } else { vec![e] })),
    between_servers("a stanza that comes back unasked", "xep0288-2.2-not-without", Spoil::Down(|e, _| if is_verdict(&e, "result") { vec![e, Element::new(SERVER, "message")] } else { vec![e] })),
    between_servers("a stanza that comes back before the verdict", "xep0288-2.2-not-before", Spoil::Down(|e, _| if e.name == "features" { vec![e, Element::new(SERVER, "message")] } else { vec![e] })),
    between_servers("an address that is missing and nobody minds", "rfc6120-8.1-server-improper-addressing-message-to", Spoil::Down(|e, _| unless(e.name == "error", e))),
];

fn is_error(e: &Element) -> bool {
    e.is_stanza() && e.attr("type") == Some("error")
}

fn is_answer(e: &Element) -> bool {
    e.name == "iq" && matches!(e.attr("type"), Some("result" | "error"))
}

/// An answer of dialback.
fn is_verdict(e: &Element, name: &str) -> bool {
    e.is(DIALBACK, name) && e.attr("type").is_some()
}

fn is_header(text: &str) -> bool {
    text.contains("<stream:stream ")
}

fn unless(lost: bool, e: Element) -> Vec<Element> {
    if lost { Vec::new() } else { vec![e] }
}

fn twice(doubled: bool, e: Element) -> Vec<Element> {
    if doubled { vec![e.clone(), e] } else { vec![e] }
}

fn changed(applies: bool, mut e: Element, change: impl Fn(&mut Element)) -> Vec<Element> {
    if applies {
        change(&mut e);
    }
    vec![e]
}

fn messages(e: Element, change: impl Fn(&mut Element)) -> Vec<Element> {
    changed(e.name == "message", e, change)
}

fn presences(e: Element, change: impl Fn(&mut Element)) -> Vec<Element> {
    changed(e.name == "presence", e, change)
}

/// Changes answers that a play has asked for, not those that prepare it.
fn answers(e: Element, change: impl Fn(&mut Element)) -> Vec<Element> {
    changed(is_answer(&e) && e.attr("id").is_some_and(|id| id.starts_with("ask-")), e, change)
}

fn each_child(e: &mut Element, change: impl Fn(&mut Element)) {
    for node in &mut e.children {
        if let Node::Element(child) = node {
            change(child);
        }
    }
}

fn errors(e: Element, change: impl Fn(&mut Element)) -> Vec<Element> {
    changed(is_error(&e), e, |e| {
        each_child(e, |child| {
            if child.is(CLIENT, "error") {
                change(child)
            }
        })
    })
}

fn delays(e: Element, change: impl Fn(&mut Element)) -> Vec<Element> {
    messages(e, |e| {
        each_child(e, |child| {
            if child.ns == DELAY {
                change(child)
            }
        })
    })
}

/// Whether a message has content of a namespace.
fn has(e: &Element, ns: &str) -> bool {
    e.name == "message" && e.elements().any(|child| child.ns == ns)
}

fn add_stanza_id(e: &mut Element, id: &str) {
    let by = e.attr("to").and_then(|to| to.split('/').next()).unwrap_or_default().to_owned();
    e.children.push(Node::Element(Element::new(SID, "stanza-id").with("by", &by).with("id", id)));
}

fn remove(e: &mut Element, name: &str) {
    e.attrs.retain(|attr| attr.name != name || !attr.ns.is_empty());
}

fn append(e: &mut Element, name: &str, what: &str) {
    let value = format!("{}{what}", e.attr(name).unwrap_or_default());
    e.set(name, &value);
}

fn make_from_bare(e: &mut Element) {
    let bare = e.attr("from").and_then(|from| from.split('/').next()).unwrap_or_default().to_owned();
    e.set("from", &bare);
}

fn rebound(mut e: Element) -> Element {
    let jid = e.get(BIND, "bind").and_then(|bind| bind.get(BIND, "jid")).map(Element::text);
    if let Some(jid) = jid.filter(|jid| jid.ends_with("/orchard")) {
        let jid = Element::new(BIND, "jid").text_child(&jid.replace("/orchard", "/garden"));
        e.children = vec![Node::Element(Element::new(BIND, "bind").child(jid))];
    }
    e
}

/// Messages go out two by two, the second first.
fn swapped(applies: bool, e: Element, memory: &mut Memory) -> Vec<Element> {
    match memory.held.pop() {
        Some(first) if applies => vec![e, first],
        None if applies => {
            memory.held.push(e);
            Vec::new()
        }
        Some(first) => vec![first, e],
        None => vec![e],
    }
}

/// What applies comes only with the next of its kind.
fn late(applies: bool, e: Element, memory: &mut Memory) -> Vec<Element> {
    if !applies {
        return vec![e];
    }
    memory.held.push(e);
    if memory.held.len() > 1 { vec![memory.held.remove(0)] } else { Vec::new() }
}

/// A message comes with the answer to the question that ends the play (the first ended its preparation).
fn with_stray(e: Element, memory: &mut Memory, kind: &str) -> Vec<Element> {
    let is_question = e.attr("id").is_some_and(|id| id.starts_with("barrier-"));
    memory.count += usize::from(is_question);
    if e.name == "message" {
        memory.held = vec![e.clone()];
    }
    let stray = Element::new(CLIENT, "message").with("from", "somebody@example.net/x").with("type", kind);
    match is_question && memory.count > 1 {
        true => vec![memory.held.pop().unwrap_or(stray), e],
        false => vec![e],
    }
}

/// Presence that comes back to its sender goes to everybody else, too.
fn leak_presence(e: Element, memory: &mut Memory) -> Vec<Element> {
    if e.name == "presence" {
        memory.others.push(e.clone());
    }
    vec![e]
}

fn with_another_item(mut e: Element) -> Element {
    let push = e.name == "iq" && e.attr("type") == Some("set");
    let another = Element::new(ROSTER, "item").with("jid", "another@example.com").with("subscription", "none");
    each_child(&mut e, |child| {
        if push && child.is(ROSTER, "query") {
            child.children.push(Node::Element(another.clone()));
        }
    });
    e
}

fn without_feature(mut e: Element, var: &str) -> Element {
    let unwanted = |node: &Node| matches!(node, Node::Element(feature) if feature.attr("var") == Some(var));
    each_child(&mut e, |child| child.children.retain(|node| !unwanted(node)));
    e
}

/// The `id` of a stream header as another attribute, or none.
fn replaced_id(text: &str, by: &str) -> String {
    let Some((before, after)) = text.split_once(" id=\"").filter(|_| is_header(text)) else { return text.to_owned() };
    let after = after.split_once('"').map_or("", |(_, after)| after);
    format!("{before} {by}{after}")
}

fn counted(mut e: Element, by: i64) -> Element {
    if e.is(SM, "a") {
        let h: i64 = e.attr("h").and_then(|h| h.parse().ok()).unwrap_or_default();
        e.set("h", &(h + by).to_string());
    }
    e
}
