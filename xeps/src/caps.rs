//! Entity capabilities (XEP-0115, XEP-0390): what a client announces in presence, whether an answer is what was announced, and what the
//! server announces of itself.
//!
//! Pure: [`Caps::of`] reads presence, [`Caps::verify`] checks a disco#info answer against the hash, [`Own::of`] makes the hashes of one.

use crate::form::{self, Form};
use crate::info;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use compact_str::CompactString;
use sha1::{Digest, Sha1};
use sha2::{Sha256, Sha512};
use wire::jid::Jid;
use wire::ns;
use wire::stanza::Stanza;
use wire::xml::Element;

/// The namespace of XEP-0115.
pub const NS: &str = "http://jabber.org/protocol/caps";
/// The namespace of XEP-0390.
pub const NS2: &str = "urn:xmpp:caps";
const HASHES: &str = "urn:xmpp:hashes:2";
/// Which software the server is (XEP-0115 section 4), as a URI.
const SOFTWARE: &str = "urn:oriole";
/// Bytes of what a client may announce.
const LONGEST: usize = 512;

/// What a client announces: the hash of its disco#info.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Caps {
    form: Kind,
    hash: Algorithm,
    /// Base64.
    ver: CompactString,
    /// The node to ask for (XEP-0115 section 6.2, XEP-0390 section 4.3).
    node: CompactString,
    /// Whose announcement it is if it cannot be checked: what is behind it is then believed of this one alone.
    only: Option<Jid>,
}

/// What the server announces of itself in one of the two forms.
#[derive(Clone, Debug)]
pub struct Own {
    /// For the stream features (XEP-0115 section 6.3, XEP-0390 section 5.2).
    pub element: Element,
    /// At this node there is the disco#info that it is a hash of.
    pub node: String,
}

impl Own {
    /// In both forms, as far as this disco#info can be hashed.
    pub fn of(query: &Element) -> Vec<Own> {
        let classic = classic_text(query).map(|text| {
            let ver = BASE64.encode(Sha1::digest(text));
            let element = Element::new("c", NS).with_attr("hash", "sha-1").with_attr("node", SOFTWARE);
            Own { element: element.with_attr("ver", &ver), node: format!("{SOFTWARE}#{ver}") }
        });
        let modern = modern_text(query).map(|text| {
            let digest = BASE64.encode(Sha256::digest(text));
            let hash = Element::new("hash", HASHES).with_attr("algo", "sha-256").with_text(&digest);
            Own { element: Element::new("c", NS2).with_child(hash), node: format!("{NS2}#sha-256.{digest}") }
        });
        classic.into_iter().chain(modern).collect()
    }
}

/// How the text that is hashed is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Kind {
    Xep0115,
    Xep0390,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Algorithm {
    Sha1,
    Sha256,
    Sha512,
    /// One that is not known here.
    Other,
}

impl Algorithm {
    fn parse(name: &str) -> Option<Algorithm> {
        match name {
            "sha-1" => Some(Algorithm::Sha1),
            "sha-256" => Some(Algorithm::Sha256),
            "sha-512" => Some(Algorithm::Sha512),
            _ => None,
        }
    }

    fn digest(self, text: &[u8]) -> Option<String> {
        match self {
            Algorithm::Sha1 => Some(BASE64.encode(Sha1::digest(text))),
            Algorithm::Sha256 => Some(BASE64.encode(Sha256::digest(text))),
            Algorithm::Sha512 => Some(BASE64.encode(Sha512::digest(text))),
            Algorithm::Other => None,
        }
    }
}

impl Caps {
    /// What presence announces; the stronger of the two forms if there are both. None for the form without a hash, which
    /// XEP-0115 has given up.
    pub fn of(presence: &Stanza) -> Option<Caps> {
        let element = |ns| presence.child("c", ns)?.element();
        element(NS2).and_then(|c| Caps::modern(&c)).or_else(|| Caps::classic(&element(NS)?, presence.from.as_ref()))
    }

    /// Whether presence announces anything, without looking at what.
    pub fn are_in(presence: &Stanza) -> bool {
        presence.has_child("c", NS) || presence.has_child("c", NS2)
    }

    fn classic(c: &Element, from: Option<&Jid>) -> Option<Caps> {
        let (ver, node) = (c.attr("ver")?, c.attr("node")?);
        let known = Algorithm::parse(c.attr("hash")?);
        // Section 5.4, step 2.
        let (hash, only) =
            known.map_or_else(|| Some((Algorithm::Other, Some(from?.clone()))), |hash| Some((hash, None)))?;
        let fits = ver.len() + node.len() < LONGEST;
        let node = compact_str::format_compact!("{node}#{ver}");
        fits.then(|| Caps { form: Kind::Xep0115, hash, ver: ver.into(), node, only })
    }

    fn modern(c: &Element) -> Option<Caps> {
        let hashes = || c.children_named("hash", HASHES);
        let pick = |name| hashes().find(|hash| hash.attr("algo") == Some(name));
        let hash = pick("sha-256").or_else(|| pick("sha-512"))?;
        let (name, ver) = (hash.attr("algo")?, hash.text().trim().to_owned());
        let fits = !ver.is_empty() && ver.len() < LONGEST;
        let node = compact_str::format_compact!("{NS2}#{name}.{ver}");
        let hash = Algorithm::parse(name)?;
        fits.then(|| Caps { form: Kind::Xep0390, hash, ver: ver.into(), node, only: None })
    }

    /// The question that the announcement is a hash of.
    pub fn question(&self) -> Element {
        Element::new("query", info::NS).with_attr("node", &self.node)
    }

    /// Whether the announcement is the hash of this answer (XEP-0115 section 5.4, XEP-0390 section 4.4), which has the language with it that
    /// it has come in.
    pub fn verify(&self, query: &Element) -> bool {
        let text = match self.form {
            Kind::Xep0115 => classic_text(query),
            Kind::Xep0390 => modern_text(query),
        };
        let digest = |text: String| self.hash.digest(text.as_bytes()).is_none_or(|digest| digest == self.ver);
        text.is_some_and(digest)
    }
}

/// The nodes of whose events an answer wants to be notified (XEP-0060 section 9.2), in order.
pub fn interests(query: &Element) -> Vec<Box<str>> {
    let features = query.children_named("feature", info::NS).filter_map(|feature| feature.attr("var"));
    let wanted = features.filter_map(|var| var.strip_suffix(NOTIFY)).take(MOST_INTERESTS);
    let mut room = LONGEST_INTERESTS;
    let fits = |node: &&str| room.checked_sub(node.len()).map(|left| room = left).is_some();
    let mut nodes: Vec<Box<str>> = wanted.take_while(fits).map(Box::from).collect();
    nodes.sort_unstable();
    nodes.dedup();
    nodes
}

/// Nodes that one client may be interested in.
const MOST_INTERESTS: usize = 200;
/// Bytes of their names together: they are remembered for as long as anybody announces the hash.
const LONGEST_INTERESTS: usize = 16 << 10;

/// The end of the features that are interests.
const NOTIFY: &str = "+notify";

/// XEP-0115 section 5.1. None when the answer is ill-formed (section 5.4, step 3), or made to have the hash of another one (section
/// 9.3): the text says where a part ends and not what it is a part of, so that two answers can have the same one. What counts here are
/// interests; with no `<` in any part, and none of them hidden in a part that is no feature, they are the same in both.
fn classic_text(query: &Element) -> Option<String> {
    let mut text = String::new();
    let identities: Vec<[&str; 4]> = query.children_named("identity", info::NS).map(classic_identity).collect();
    if identities.iter().flatten().any(|part| part.contains('<') || part.contains(NOTIFY)) {
        return None;
    }
    for [category, kind, lang, name] in sorted_without_repeats(identities)? {
        text.push_str(&format!("{category}/{kind}/{lang}/{name}<"));
    }
    let features = query.children_named("feature", info::NS);
    for feature in sorted_without_repeats(features.map(|feature| feature.attr("var")).collect::<Option<Vec<_>>>()?)? {
        if feature.contains('<') {
            return None;
        }
        text.push_str(feature);
        text.push('<');
    }
    let mut forms: Vec<(String, String)> = Vec::new();
    for x in query.children_named("x", form::NS) {
        if let Some(form) = classic_form(x)? {
            forms.push(form);
        }
    }
    forms.sort_unstable();
    if forms.windows(2).any(|pair| matches!(pair, [(one, _), (two, _)] if one == two)) {
        return None;
    }
    forms.iter().for_each(|(_, form)| text.push_str(form));
    Some(text)
}

/// In the order in which identities are sorted.
fn classic_identity(identity: &Element) -> [&str; 4] {
    let part = |name| identity.attr(name).unwrap_or_default();
    [part("category"), part("type"), identity.attr_ns("lang", ns::XML).unwrap_or_default(), part("name")]
}

/// (FORM_TYPE, text); inner None: the form does not count; outer None: it spoils everything.
fn classic_form(x: &Element) -> Option<Option<(String, String)>> {
    let Some(form) = Form::parse(x) else { return Some(None) };
    let is_type = |field: &&form::Field| field.var.as_deref() == Some("FORM_TYPE");
    let Some(kind) = form.fields.iter().find(is_type) else { return Some(None) };
    if kind.values.iter().any(|value| Some(value) != kind.values.first()) {
        return None;
    }
    let Some(name) = kind.values.first().filter(|_| kind.kind == Some("hidden")) else { return Some(None) };
    let mut fields: Vec<&form::Field> = form.fields.iter().filter(|field| !is_type(field)).collect();
    fields.sort_by_key(|field| field.var.as_deref().unwrap_or_default());
    let parts = || form.fields.iter().flat_map(|field| field.var.iter().chain(&field.values));
    if parts().any(|part| part.contains('<') || part.contains(NOTIFY)) {
        return None;
    }
    let mut text = format!("{name}<");
    for field in fields {
        let mut values: Vec<&str> = field.values.iter().map(String::as_str).collect();
        values.sort_unstable();
        text.push_str(field.var.as_deref().unwrap_or_default());
        text.push('<');
        values.iter().flat_map(|value| [*value, "<"]).for_each(|part| text.push_str(part));
    }
    Some(Some((name.clone(), text)))
}

/// None when something is there twice.
fn sorted_without_repeats<T: Ord>(mut parts: Vec<T>) -> Option<Vec<T>> {
    parts.sort_unstable();
    let repeats = parts.windows(2).any(|pair| matches!(pair, [one, two] if one == two));
    (!repeats).then_some(parts)
}

/// XEP-0390 section 4.1. None when the answer has something in it that the algorithm does not cover.
fn modern_text(query: &Element) -> Option<String> {
    let known =
        |child: &Element| child.is("identity", info::NS) || child.is("feature", info::NS) || child.is("x", form::NS);
    if !query.children().all(known) {
        return None;
    }
    let mut features: Vec<String> = query
        .children_named("feature", info::NS)
        .map(|feature| feature.attr("var").map(|var| format!("{var}\u{1f}")))
        .collect::<Option<_>>()?;
    let inherited = query.attr_ns("lang", ns::XML);
    let identities = query.children_named("identity", info::NS);
    let mut identities: Vec<String> = identities.map(|identity| modern_identity(identity, inherited)).collect();
    let mut forms: Vec<String> = query.children_named("x", form::NS).map(modern_form).collect::<Option<_>>()?;
    let mut text = String::new();
    for parts in [&mut features, &mut identities, &mut forms] {
        parts.sort_unstable();
        text.push_str(&parts.concat());
        text.push('\u{1c}');
    }
    Some(text)
}

/// `inherited`: the language of those that name none.
fn modern_identity(identity: &Element, inherited: Option<&str>) -> String {
    let part = |name| identity.attr(name).unwrap_or_default();
    let lang = identity.attr_ns("lang", ns::XML).or(inherited).unwrap_or_default();
    format!("{}\u{1f}{}\u{1f}{lang}\u{1f}{}\u{1f}\u{1e}", part("category"), part("type"), part("name"))
}

fn modern_form(x: &Element) -> Option<String> {
    if x.children().any(|child| matches!(child.name(), "reported" | "item")) {
        return None;
    }
    let form = Form::parse(x)?;
    form.form_type()?;
    let mut fields: Vec<String> = Vec::new();
    for field in &form.fields {
        let mut values: Vec<String> = field.values.iter().map(|value| format!("{value}\u{1f}")).collect();
        values.sort_unstable();
        fields.push(format!("{}\u{1f}{}\u{1e}", field.var.as_deref().unwrap_or_default(), values.concat()));
    }
    fields.sort_unstable();
    Some(format!("{}\u{1d}", fields.concat()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use wire::stanza::{PresenceType, UNLIMITED, content_scope};

    fn element(xml: &str) -> Element {
        Element::parse(xml, content_scope(), &UNLIMITED).unwrap()
    }

    fn announced(xml: &str) -> Option<Caps> {
        Caps::of(&Stanza::new(PresenceType::Available).with_child(&element(xml)))
    }

    fn classic(ver: &str) -> Caps {
        announced(&format!("<c xmlns='{NS}' hash='sha-1' node='urn:x' ver='{ver}'/>")).unwrap()
    }

    /// XEP-0115 section 5.2.
    const SIMPLE: &str = "<query xmlns='http://jabber.org/protocol/disco#info'>
        <identity category='client' name='Exodus 0.9.1' type='pc'/>
        <feature var='http://jabber.org/protocol/caps'/>
        <feature var='http://jabber.org/protocol/disco#info'/>
        <feature var='http://jabber.org/protocol/disco#items'/>
        <feature var='http://jabber.org/protocol/muc'/></query>";

    /// XEP-0115 section 5.3.
    const COMPLEX: &str = "<query xmlns='http://jabber.org/protocol/disco#info'>
        <identity xml:lang='en' category='client' name='Psi 0.11' type='pc'/>
        <identity xml:lang='el' category='client' name='Ψ 0.11' type='pc'/>
        <feature var='http://jabber.org/protocol/caps'/>
        <feature var='http://jabber.org/protocol/disco#info'/>
        <feature var='http://jabber.org/protocol/disco#items'/>
        <feature var='http://jabber.org/protocol/muc'/>
        <x xmlns='jabber:x:data' type='result'>
        <field var='FORM_TYPE' type='hidden'><value>urn:xmpp:dataforms:softwareinfo</value></field>
        <field var='ip_version' type='text-multi'><value>ipv4</value><value>ipv6</value></field>
        <field var='os'><value>Mac</value></field><field var='os_version'><value>10.5.1</value></field>
        <field var='software'><value>Psi</value></field><field var='software_version'><value>0.11</value></field>
        </x></query>";

    #[test]
    fn the_examples_of_xep_0115_verify() {
        assert!(classic("QgayPKawpkPSDYmwT/WM94uAlu0=").verify(&element(SIMPLE)));
        assert!(classic("q07IKJEyjvHSyhy//CH0CxmKi8w=").verify(&element(COMPLEX)));
        assert!(!classic("q07IKJEyjvHSyhy//CH0CxmKi8w=").verify(&element(SIMPLE)));
    }

    #[test]
    fn an_ill_formed_answer_never_verifies() {
        let twice = SIMPLE.replace("</query>", "<feature var='http://jabber.org/protocol/muc'/></query>");
        assert_eq!(classic_text(&element(&twice)), None);
        let odd = SIMPLE.replace("</query>", "<other xmlns='urn:x'/></query>");
        assert!(classic_text(&element(&odd)).is_some());
        assert_eq!(modern_text(&element(&odd)), None);
    }

    /// XEP-0115 section 9.3: answers that have the hash of what another client is, and hide what that is interested in.
    #[test]
    fn nobody_speaks_for_another_client_with_an_answer_that_has_its_hash() {
        let info = |inside: &str| {
            let client = "<identity category='client' type='pc'/><feature var='a:b'/>";
            element(&format!("<query xmlns='http://jabber.org/protocol/disco#info'>{client}{inside}</query>"))
        };
        let honest = info("<feature var='m+notify'/><feature var='n+notify'/>");
        let caps = classic(&BASE64.encode(Sha1::digest(b"client/pc//<a:b<m+notify<n+notify<")));
        assert!(caps.verify(&honest) && interests(&honest).len() == 2);
        let form = |kind: &str, field: &str| {
            format!(
                "<x xmlns='jabber:x:data' type='result'><field var='FORM_TYPE' type='hidden'><value>{kind}</value></field>{field}</x>"
            )
        };
        for lie in [
            info("<feature var='m+notify&lt;n+notify'/>"),
            info(&form("m+notify", "<field var='n+notify'/>")),
            info(&format!("<feature var='m+notify'/>{}", form("n+notify", ""))),
            info(&form("m+notify&lt;n+notify", "")),
            element(
                "<query xmlns='http://jabber.org/protocol/disco#info'>
                 <identity category='client' type='pc' name='&lt;a:b&lt;m+notify&lt;n+notify'/></query>",
            ),
        ] {
            assert!(!caps.verify(&lie), "{lie:?}");
        }
    }

    /// XEP-0390 section 4.5.1.
    #[test]
    fn the_simple_example_of_xep_0390_verifies() {
        let features = [
            "http://jabber.org/protocol/si",
            "http://jabber.org/protocol/bytestreams",
            "http://jabber.org/protocol/chatstates",
            "http://jabber.org/protocol/disco#info",
            "http://jabber.org/protocol/disco#items",
            "urn:xmpp:ping",
            "jabber:iq:time",
            "jabber:iq:privacy",
            "jabber:iq:version",
            "http://jabber.org/protocol/rosterx",
            "urn:xmpp:time",
            "jabber:x:oob",
            "http://jabber.org/protocol/ibb",
            "http://jabber.org/protocol/si/profile/file-transfer",
            "urn:xmpp:receipts",
            "jabber:iq:roster",
            "jabber:iq:last",
        ];
        let identity = Element::new("identity", info::NS).with_attr("category", "client").with_attr("type", "mobile");
        let query = Element::new("query", info::NS)
            .with_child(identity.with_attr("name", "BombusMod"))
            .with_children(features.iter().map(|var| Element::new("feature", info::NS).with_attr("var", var)));
        let caps = announced(
            "<c xmlns='urn:xmpp:caps'><hash xmlns='urn:xmpp:hashes:2'
             algo='sha-256'>kzBZbkqJ3ADrj7v08reD1qcWUwNGHaidNUgD7nHpiw8=</hash></c>",
        );
        assert!(caps.unwrap().verify(&query));
    }

    #[test]
    fn the_language_of_an_identity_may_be_that_of_the_answer() {
        let info = |lang: &str| {
            let identity = "<identity category='client' type='pc'/>";
            element(&format!("<query xmlns='http://jabber.org/protocol/disco#info'{lang}>{identity}</query>"))
        };
        let hashed = Some("\u{1c}client\u{1f}pc\u{1f}it\u{1f}\u{1f}\u{1e}\u{1c}\u{1c}".to_owned());
        assert_eq!(modern_text(&info(" xml:lang='it'")), hashed);
        assert_ne!(modern_text(&info("")), hashed);
    }

    #[test]
    fn what_the_server_announces_is_verified_by_what_is_at_the_node() {
        let query = element(COMPLEX);
        let own = Own::of(&query);
        assert_eq!(own.len(), 2);
        for Own { element, node } in own {
            let presence = Stanza::new(PresenceType::Available).with_child(&element);
            let caps = Caps::of(&presence).unwrap();
            assert_eq!(caps.question().attr("node"), Some(node.as_str()));
            assert!(caps.verify(&query));
        }
    }

    #[test]
    fn what_cannot_be_checked_is_not_taken() {
        assert_eq!(announced(&format!("<c xmlns='{NS}' node='urn:x' ver='1.0' ext='a b'/>")), None);
        assert_eq!(announced(&format!("<c xmlns='{NS}' hash='sha-1' node='urn:x' ver='{}'/>", "a".repeat(600))), None);
    }

    /// XEP-0115 section 5.4, step 2.
    #[test]
    fn what_cannot_be_checked_is_believed_of_one_alone() {
        let c = element(&format!("<c xmlns='{NS}' node='urn:x' ver='1.0' hash='md5'/>"));
        let of = |from: &str| {
            let presence = Stanza::new(PresenceType::Available).with_from(Jid::parse(from).unwrap());
            Caps::of(&presence.with_child(&c)).unwrap()
        };
        let caps = of("romeo@example.net/orchard");
        assert!(caps.verify(&element(SIMPLE)));
        assert_ne!(caps, of("romeo@example.net/garden"), "so nobody else is taken for it");
        assert_eq!(Caps::of(&Stanza::new(PresenceType::Available).with_child(&c)), None, "of nobody");
    }

    #[test]
    fn interests_are_what_ends_in_notify() {
        let query = element(
            "<query xmlns='http://jabber.org/protocol/disco#info'><feature var='b+notify'/><feature var='a'/>
             <feature var='a+notify'/><feature var='b+notify'/></query>",
        );
        assert_eq!(interests(&query), ["a".into(), "b".into()] as [Box<str>; 2]);
    }

    #[test]
    fn only_so_much_is_remembered_of_what_a_client_wants() {
        let want = |var: String| Element::new("feature", info::NS).with_attr("var", format!("{var}+notify"));
        let query = Element::new("query", info::NS).with_children((0..300).map(|number| want(number.to_string())));
        assert_eq!(interests(&query).len(), MOST_INTERESTS);
        let query =
            Element::new("query", info::NS).with_children((0..150).map(|number| want(format!("{number:01000}"))));
        assert_eq!(interests(&query).len(), LONGEST_INTERESTS / 1000);
    }
}
