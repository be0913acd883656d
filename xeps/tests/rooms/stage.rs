//! A room on a stage: people enter and speak, and everything that the service sends is told to whom it goes.

use std::time::Duration;
use wire::jid::BareJid;
use wire::ns;
use wire::stanza::Stanza;
use wire::xml::Element;
use xeps::muc::{Config, Rooms};
use xeps::testing::{Hosted, stanza};

pub const ROOM: &str = "coven@muc.example.org";
pub const MUC: &str = "http://jabber.org/protocol/muc";
pub const USER: &str = "http://jabber.org/protocol/muc#user";

pub const CRONE1: &str = "crone1@example.org/desktop";
pub const WISER: &str = "wiccarocks@example.org/laptop";
pub const HAG: &str = "hag66@example.org/pda";

/// The settings of the service, to be changed.
pub fn config() -> Config {
    Config::new(BareJid::parse("example.org").unwrap(), BareJid::parse("muc.example.org").unwrap())
}

pub struct Stage {
    pub hosted: Hosted,
    /// Everything since this was last asked.
    sent: Vec<Stanza>,
    ids: u32,
}

impl Stage {
    /// No room yet.
    pub fn empty() -> Stage {
        Stage::with(config())
    }

    pub fn with(config: Config) -> Stage {
        Stage { hosted: Hosted::new(Box::new(Rooms::new(config))), sent: Vec::new(), ids: 0 }
    }

    /// A room of CRONE1, called firstwitch, who is in it.
    pub fn new() -> Stage {
        let mut stage = Stage::empty();
        stage.enters(CRONE1, "firstwitch");
        stage.configures(CRONE1, &[]);
        stage.forget();
        stage
    }

    /// The room of the examples: its owner is firstwitch; wiccarocks is an admin called secondwitch, and hag66 has no
    /// affiliation and is called thirdwitch.
    pub fn coven() -> Stage {
        let mut stage = Stage::new();
        stage.makes(CRONE1, WISER, "admin");
        stage.enters(WISER, "secondwitch");
        stage.enters(HAG, "thirdwitch");
        stage.forget();
        stage
    }

    /// Sends a stanza; the `from` is added, and a `to` to the room if there is none.
    pub fn sends(&mut self, from: &str, xml: &str) {
        let mut stanza = stanza(xml);
        stanza.from = Some(from.parse().unwrap());
        if stanza.to.is_none() {
            stanza.to = Some(ROOM.parse().unwrap());
        }
        self.sent.extend(self.hosted.takes(stanza));
    }

    /// Sends an iq to the room, and returns the answer.
    pub fn asks(&mut self, from: &str, kind: &str, payload: &str) -> Answer {
        self.asks_at(from, ROOM, kind, payload)
    }

    pub fn asks_at(&mut self, from: &str, to: &str, kind: &str, payload: &str) -> Answer {
        self.ids += 1;
        let id = format!("iq{}", self.ids);
        self.sends(from, &format!("<iq to='{to}' id='{id}' type='{kind}'>{payload}</iq>"));
        let own = |one: &Stanza| one.id.as_deref() == Some(&id) && one.to.as_ref().is_some_and(|to| *to == *from);
        let at = self.sent.iter().position(own).unwrap_or_else(|| panic!("no answer to {payload}"));
        Answer(self.sent.remove(at))
    }

    pub fn enters(&mut self, from: &str, nick: &str) {
        self.enters_with(from, nick, "");
    }

    pub fn enters_with(&mut self, from: &str, nick: &str, inside: &str) {
        self.sends(from, &format!("<presence to='{ROOM}/{nick}' id='enter'><x xmlns='{MUC}'>{inside}</x></presence>"));
    }

    pub fn leaves(&mut self, from: &str) {
        self.sends(from, &format!("<presence to='{ROOM}/x' type='unavailable'/>"));
    }

    pub fn says(&mut self, from: &str, words: &str) {
        self.sends(from, &format!("<message type='groupchat' id='said'><body>{words}</body></message>"));
    }

    pub fn makes(&mut self, from: &str, whom: &str, affiliation: &str) {
        let whom = whom.split('/').next().unwrap();
        self.admin(from, &format!("<item affiliation='{affiliation}' jid='{whom}'/>")).is_result();
    }

    pub fn lets(&mut self, from: &str, nick: &str, role: &str) {
        self.admin(from, &format!("<item role='{role}' nick='{nick}'/>")).is_result();
    }

    pub fn admin(&mut self, from: &str, items: &str) -> Answer {
        self.asks(from, "set", &format!("<query xmlns='http://jabber.org/protocol/muc#admin'>{items}</query>"))
    }

    pub fn lists(&mut self, from: &str, item: &str) -> Answer {
        self.asks(from, "get", &format!("<query xmlns='http://jabber.org/protocol/muc#admin'>{item}</query>"))
    }

    /// What the service or a room says that it can do.
    pub fn features(&mut self, of: &str) -> Vec<String> {
        let query = self.asks_at(HAG, of, "get", "<query xmlns='http://jabber.org/protocol/disco#info'/>").payload();
        let features = query.children().filter(|child| child.name() == "feature");
        features.map(|child| child.attr("var").unwrap().to_owned()).collect()
    }

    pub fn owner(&mut self, from: &str, kind: &str, inside: &str) -> Answer {
        self.asks(from, kind, &format!("<query xmlns='http://jabber.org/protocol/muc#owner'>{inside}</query>"))
    }

    pub fn submits(&mut self, from: &str, fields: &[(&str, &str)]) -> Answer {
        let field = |(var, value): &(&str, &str)| {
            let value: String = value.split('|').map(|value| format!("<value>{value}</value>")).collect();
            format!("<field var='{var}'>{value}</field>")
        };
        let kind = ("FORM_TYPE", "http://jabber.org/protocol/muc#roomconfig");
        let fields: String = std::iter::once(&kind).chain(fields).map(field).collect();
        self.owner(from, "set", &format!("<x xmlns='jabber:x:data' type='submit'>{fields}</x>"))
    }

    pub fn configures(&mut self, from: &str, fields: &[(&str, &str)]) {
        self.submits(from, fields).is_result();
    }

    /// An option of the room is set, and what this causes is not looked at.
    pub fn sets(&mut self, var: &str, value: &str) {
        self.configures(CRONE1, &[(&format!("muc#roomconfig_{var}"), value)]);
        self.forget();
    }

    pub fn forget(&mut self) {
        self.sent.clear();
    }

    /// What was sent to somebody since this was last asked.
    pub fn gets(&mut self, who: &str) -> Vec<Got> {
        let (own, rest) =
            std::mem::take(&mut self.sent).into_iter().partition(|one| one.to.as_ref().is_some_and(|to| *to == *who));
        self.sent = rest;
        let own: Vec<Stanza> = own;
        own.into_iter().map(Got).collect()
    }

    /// The only thing that was sent to somebody.
    pub fn gets_one(&mut self, who: &str) -> Got {
        let mut all = self.gets(who);
        assert_eq!(all.len(), 1, "{who} gets {all:?}");
        all.remove(0)
    }

    pub fn gets_nothing(&mut self, who: &str) {
        assert_eq!(self.gets(who).iter().map(Got::xml).collect::<Vec<_>>(), Vec::<String>::new(), "{who}");
    }

    pub fn nobody_gets_anything(&mut self) {
        assert!(self.sent.is_empty(), "{:?}", self.sent);
    }

    /// What the service has sent to a room arrives there.
    pub fn delivers(&mut self) {
        let (own, rest) = std::mem::take(&mut self.sent)
            .into_iter()
            .partition(|one: &Stanza| one.to.as_ref().is_some_and(|to| *to == *ROOM));
        self.sent = rest;
        let own: Vec<Stanza> = own;
        own.into_iter().for_each(|stanza| self.sent.extend(self.hosted.takes(stanza)));
    }

    /// The server stops in good order, and starts again.
    pub fn stops(&mut self) {
        self.sent.extend(self.hosted.stops());
    }

    /// Who was told, although not in the room, of what was said there; with an asterisk who is mentioned.
    pub fn told(&mut self) -> Vec<String> {
        let name = |spoke: xeps::spoken::RoomSpoke| {
            let star = if spoke.mentioned { "*" } else { "" };
            format!("{}{star}", spoke.member.local().unwrap_or_default())
        };
        let mut names: Vec<String> = std::mem::take(&mut self.hosted.told).into_iter().map(name).collect();
        names.sort_unstable();
        names
    }

    pub fn restarts(&mut self) {
        self.hosted.restarts();
    }

    pub fn wait(&self, seconds: u64) {
        self.hosted.wait(Duration::from_secs(seconds));
    }
}

/// A stanza that somebody got, with questions about it.
pub struct Got(pub Stanza);

impl Got {
    pub fn xml(&self) -> String {
        let mut bytes = Vec::new();
        self.0.write(&mut bytes);
        String::from_utf8(bytes).unwrap()
    }

    pub fn element(&self) -> Element {
        let xml = self.xml();
        Element::parse(&xml, wire::stanza::content_scope(), &wire::stanza::UNLIMITED).unwrap()
    }

    pub fn child(&self, name: &str, ns: &str) -> Option<Element> {
        self.element().child(name, ns).cloned()
    }

    /// The nickname that it is from; empty for the room itself.
    pub fn nick(&self) -> String {
        let from = self.0.from.as_ref().expect("it has a sender");
        assert_eq!(from.bare_str(), ROOM);
        from.resource().unwrap_or_default().to_owned()
    }

    pub fn kind(&self) -> &'static str {
        self.0.kind.type_attr().unwrap_or("")
    }

    pub fn body(&self) -> String {
        self.child("body", ns::CLIENT).map(|body| body.text()).unwrap_or_default()
    }

    /// The codes of a presence or message, in order of number.
    pub fn codes(&self) -> Vec<u16> {
        let x = self.child("x", USER).unwrap_or_else(|| panic!("no <x/>: {}", self.xml()));
        let mut codes: Vec<u16> =
            x.children_named("status", USER).map(|status| status.attr("code").unwrap().parse().unwrap()).collect();
        codes.sort_unstable();
        codes
    }

    pub fn item(&self) -> Element {
        let x = self.child("x", USER).unwrap_or_else(|| panic!("no <x/>: {}", self.xml()));
        let items: Vec<_> = x.children_named("item", USER).collect();
        assert_eq!(items.len(), 1, "{}", self.xml());
        items[0].clone()
    }

    /// Affiliation, role and real address as `owner/moderator hag66@example.org/pda`.
    pub fn standing(&self) -> String {
        let item = self.item();
        let of = |name| item.attr(name).unwrap_or("");
        format!("{}/{} {}", of("affiliation"), of("role"), of("jid")).trim_end().to_owned()
    }

    pub fn occupant_id(&self) -> String {
        let element = self.element();
        let ids: Vec<_> = element.children_named("occupant-id", "urn:xmpp:occupant-id:0").collect();
        assert_eq!(ids.len(), 1, "{}", self.xml());
        ids[0].attr("id").unwrap().to_owned()
    }

    pub fn stanza_id(&self) -> String {
        let id = self.child("stanza-id", "urn:xmpp:sid:0").unwrap_or_else(|| panic!("no id: {}", self.xml()));
        assert_eq!(id.attr("by"), Some(ROOM));
        id.attr("id").unwrap().to_owned()
    }

    /// The condition of an error.
    pub fn condition(&self) -> String {
        let error = self.child("error", ns::CLIENT).unwrap_or_else(|| panic!("no error: {}", self.xml()));
        error.children().find(|child| child.ns() == ns::STANZA_ERROR).unwrap().name().to_owned()
    }
}

impl std::fmt::Debug for Got {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.xml())
    }
}

/// The answer to a request.
#[derive(Debug)]
pub struct Answer(pub Stanza);

impl Answer {
    pub fn is_result(&self) {
        assert_eq!(self.0.kind.type_attr(), Some("result"), "{:?}", Got(self.0.clone()));
    }

    pub fn payload(&self) -> Element {
        self.is_result();
        self.0.request().and_then(|child| child.element()).expect("the answer has a child")
    }

    pub fn refused(&self) -> String {
        assert_eq!(self.0.kind.type_attr(), Some("error"), "{:?}", Got(self.0.clone()));
        Got(self.0.clone()).condition()
    }

    /// The items of a list, as attributes in the order of affiliation, jid, nick and role.
    pub fn items(&self) -> Vec<String> {
        let query = self.payload();
        let item = |item: &Element| {
            let attrs = ["affiliation", "jid", "nick", "role"].map(|name| item.attr(name).unwrap_or(""));
            attrs.join(" ").trim_end().to_owned()
        };
        query.children().filter(|child| child.name() == "item").map(item).collect()
    }

    /// The value of a field of the form inside.
    pub fn field(&self, var: &str) -> Vec<String> {
        let query = self.payload();
        let x = query.child("x", "jabber:x:data").expect("there is a form");
        let field = x.children_named("field", "jabber:x:data").find(|field| field.attr("var") == Some(var));
        let field = field.unwrap_or_else(|| panic!("no field {var}"));
        field.children_named("value", "jabber:x:data").map(Element::text).collect()
    }
}
