//! Nodes of a service in memory, or of an account, as the tests see them.

use wire::datetime::Timestamp;
use xeps::pubsub::{Config, PubSub};
use xeps::testing::{Hosted, World};

pub const SERVICE: &str = "pubsub.example.org";
pub const NS: &str = "http://jabber.org/protocol/pubsub";
pub const OWNER: &str = "http://jabber.org/protocol/pubsub#owner";
/// Whose nodes these are.
pub const FRANCISCO: &str = "francisco@example.org/barracks";
pub const HAMLET: &str = "hamlet@example.org/elsinore";
/// Of another server.
pub const BERNARDO: &str = "bernardo@example.net/home";

pub const LINK: &str = "{urn:xmpp:pubsub-relationships:0}link";
pub const PARENT: &str = "{urn:xmpp:pubsub-relationships:0}parent";
pub const TYPE: &str = "{urn:xmpp:pubsub-ext-sub:0}type";
pub const DEPTH: &str = "{urn:xmpp:pubsub-ext-sub:0}depth";

pub const BALCONY: &str = "juliet@example.org/balcony";
/// Of a contact of hers.
pub const ORCHARD: &str = "romeo@example.net/orchard";
pub const TUNE: &str = "http://jabber.org/protocol/tune";

/// Juliet, who is logged in and lets Romeo see her presence.
pub fn verona() -> World {
    World::new(xeps::features(xeps::Settings::new(Timestamp::UNIX_EPOCH)))
        .with_account("juliet", "secret")
        .with_session(BALCONY)
        .with_subscriber("juliet@example.org", "romeo@example.net")
}

pub type Fields<'a> = &'a [(&'a str, &'a str)];

pub fn service() -> Hosted {
    Hosted::new(Box::new(PubSub::new(&Config::default())))
}

/// A submitted form. Fields have the prefix of XEP-0060 unless they have one of their own; a value with commas is several.
pub fn form(form_type: &str, fields: Fields<'_>) -> String {
    let field = |(name, values): &(&str, &str)| {
        let var = if name.starts_with('{') { (*name).to_owned() } else { format!("pubsub#{name}") };
        let values: String = values.split(',').map(|value| format!("<value>{value}</value>")).collect();
        format!("<field var='{var}'>{values}</field>")
    };
    let fields: String = fields.iter().map(field).collect();
    format!(
        "<x xmlns='jabber:x:data' type='submit'><field var='FORM_TYPE' type='hidden'><value>{NS}#{form_type}</value></field>{fields}</x>"
    )
}

/// The same from words such as `access_model=open max_items=2`.
pub fn form_of(form_type: &str, fields: &str) -> String {
    let field = |field| str::split_once(field, '=').expect("name=value");
    form(form_type, &fields.split_whitespace().map(field).collect::<Vec<_>>())
}

/// A request and all that the service sends, as XML.
pub fn asks(service: &mut Hosted, who: &str, kind: &str, ns: &str, what: &str) -> Vec<String> {
    service.receives(&format!(
        "<iq type='{kind}' from='{who}' to='{SERVICE}' id='1'><pubsub xmlns='{ns}'>{what}</pubsub></iq>"
    ))
}

/// All that is sent besides the answer to a request, which is granted; as XML.
pub fn causes(service: &mut Hosted, who: &str, ns: &str, what: &str) -> Vec<String> {
    let mut sent = asks(service, who, "set", ns, what);
    let answer = sent.remove(0);
    assert!(answer.contains("type='result'"), "{what}: {answer}");
    sent
}

/// What a request brings: `result` or the conditions of the error, then who is told what.
pub fn brings(service: &mut Hosted, who: &str, ns: &str, what: &str) -> Vec<String> {
    asks(service, who, "set", ns, what).iter().map(|stanza| line(stanza)).collect()
}

/// `hamlet@example.org: items blog item 1`; of metadata the fields with their values.
pub fn line(stanza: &str) -> String {
    let stanza = xeps::testing::stanza(stanza);
    if let Some(error) = stanza.child("error", "jabber:client") {
        let error = error.element().unwrap();
        let conditions = error.children().filter(|child| child.name() != "text");
        return conditions.map(|child| child.name().to_owned()).collect::<Vec<_>>().join(" ");
    }
    let Some(event) = stanza.child("event", &format!("{NS}#event")) else { return "result".to_owned() };
    let event = event.element().unwrap();
    let body = event.children().next().unwrap();
    let mut parts = vec![format!("{}:", stanza.to.unwrap()), body.name().to_owned()];
    parts.extend(body.attr("node").map(str::to_owned));
    for child in body.children() {
        match child.name() {
            "x" => parts.extend(child.children().filter(|field| field.attr("var") != Some("FORM_TYPE")).map(|field| {
                let var = field.attr("var").unwrap().rsplit(['#', '}']).next().unwrap();
                let values: Vec<String> = field.children().map(|value| value.text()).collect();
                format!("{var}={}", values.join(","))
            })),
            name => parts.push(format!("{name} {}", child.attr("id").or(child.attr("node")).unwrap())),
        }
    }
    parts.join(" ")
}

pub fn create(service: &mut Hosted, name: &str, fields: Fields<'_>) -> Vec<String> {
    creates(service, FRANCISCO, name, fields)
}

pub fn creates(service: &mut Hosted, who: &str, name: &str, fields: Fields<'_>) -> Vec<String> {
    let what = format!("<create node='{name}'/><configure>{}</configure>", form("node_config", fields));
    brings(service, who, NS, &what)
}

pub fn configure(service: &mut Hosted, name: &str, fields: Fields<'_>) -> Vec<String> {
    let what = format!("<configure node='{name}'>{}</configure>", form("node_config", fields));
    brings(service, FRANCISCO, OWNER, &what)
}

pub fn publish(service: &mut Hosted, who: &str, node: &str, id: &str) -> Vec<String> {
    let what = format!("<publish node='{node}'><item id='{id}'><e xmlns='urn:e'/></item></publish>");
    brings(service, who, NS, &what)
}

pub fn delete(service: &mut Hosted, node: &str) -> Vec<String> {
    brings(service, FRANCISCO, OWNER, &format!("<delete node='{node}'/>"))
}

pub fn subscribe(service: &mut Hosted, who: &str, node: &str, options: Fields<'_>) -> Vec<String> {
    let jid = who.split('/').next().unwrap();
    let options = match options {
        [] => String::new(),
        options => format!("<options>{}</options>", form("subscribe_options", options)),
    };
    brings(service, who, NS, &format!("<subscribe node='{node}' jid='{jid}'/>{options}"))
}

/// Makes somebody a member, or whatever else, of a node.
pub fn affiliate(service: &mut Hosted, node: &str, who: &str, affiliation: &str) {
    let jid = who.split('/').next().unwrap();
    let what =
        format!("<affiliations node='{node}'><affiliation jid='{jid}' affiliation='{affiliation}'/></affiliations>");
    assert_eq!(brings(service, FRANCISCO, OWNER, &what)[0], "result");
}

/// The value of a field in the configuration of a node.
pub fn configured(service: &mut Hosted, node: &str, var: &str) -> Option<String> {
    let answer = asks(service, FRANCISCO, "get", OWNER, &format!("<configure node='{node}'/>")).remove(0);
    let root = xeps::testing::payload(&answer);
    let form = root.child("configure", OWNER).unwrap_or_else(|| panic!("{answer}")).children().next().unwrap();
    let field = form.children().find(|field| field.attr("var") == Some(var)).unwrap();
    field.child("value", "jabber:x:data").map(|value| value.text())
}

/// The ids of the items of a node, or the conditions of the error.
pub fn items(service: &mut Hosted, who: &str, node: &str) -> String {
    let answer = asks(service, who, "get", NS, &format!("<items node='{node}'/>")).remove(0);
    let refused = line(&answer);
    if refused != "result" {
        return refused;
    }
    let root = xeps::testing::payload(&answer);
    let ids: Vec<&str> = root.child("items", NS).unwrap().children().filter_map(|item| item.attr("id")).collect();
    ids.join(" ")
}

/// The nodes that an ordinary disco#items shows.
pub fn discovered(service: &mut Hosted, who: &str) -> Vec<String> {
    let query = "<query xmlns='http://jabber.org/protocol/disco#items'/>";
    let answer = service.receives(&format!("<iq type='get' from='{who}' to='{SERVICE}' id='1'>{query}</iq>")).remove(0);
    let query = xeps::testing::payload(&answer);
    query.children().filter_map(|item| item.attr("node")).map(str::to_owned).collect()
}

/// A host with the account of Hamlet, who is logged in.
pub fn account() -> World {
    let features = xeps::features(xeps::Settings::new(Timestamp::UNIX_EPOCH));
    World::new(features).with_account("hamlet", "x").with_session(HAMLET)
}

/// Hamlet publishes at the node `musings` of his account, which shall have these fields.
pub fn publish_own(world: &mut World, id: &str, fields: &str) {
    let options = format!("<publish-options>{}</publish-options>", form_of("publish-options", fields));
    let what = format!("<publish node='musings'><item id='{id}'><e xmlns='urn:e'/></item></publish>{options}");
    let answer = world.asks(HAMLET, &format!("<iq type='set' id='1'><pubsub xmlns='{NS}'>{what}</pubsub></iq>"));
    assert!(answer.contains("type='result'"), "{answer}");
}

/// Somebody subscribes an address to it.
pub fn subscribe_own(world: &mut World, who: &str, jid: &str, options: &str) {
    let options = format!("<options>{}</options>", form_of("subscribe_options", options));
    let what = format!("<pubsub xmlns='{NS}'><subscribe node='musings' jid='{jid}'/>{options}</pubsub>");
    let answer = world.asks(who, &format!("<iq type='set' id='1' to='hamlet@example.org'>{what}</iq>"));
    assert!(answer.contains("subscription='subscribed'"), "{answer}");
}
