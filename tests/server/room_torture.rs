//! The promise of rooms as a whole: several people talk in one room while the server is killed again and again. Afterwards the
//! archive of the room has every message whose acknowledgement its author had, once, each author's in their order; and what
//! anybody heard, and the archive kept, is a part of the archive without a gap: there is one order for all.
//!
//! `ORIOLE_ROOM_TORTURE=60` plays so many rounds; `ORIOLE_TORTURE_SEED` repeats a run.

use crate::phone::SM;
use crate::rooms::{configure, enter, room};
use crate::support::client::Incoming;
use crate::support::random::{Random, setting};
use crate::support::{Client, Server};
use std::collections::{HashMap, VecDeque};
use wire::xml::Element;

const PEOPLE: usize = 4;
const MAM: &str = "urn:xmpp:mam:2";

/// Somebody in the room, with what is remembered of all visits.
struct Occupant {
    name: String,
    client: Client,
    written: u32,
    /// Stanzas of this visit that the server has not acknowledged: the messages among them by their text.
    unacknowledged: VecDeque<Option<String>>,
    acknowledged: u32,
    /// The messages that the server has acknowledged, in the order in which they were written.
    safe: Vec<String>,
    /// What was heard in each visit: ids in the archive with the texts.
    visits: Vec<Vec<(String, String)>>,
}

impl Occupant {
    fn new(server: &Server, name: &str) -> Occupant {
        server.add_user(name);
        let client = server.log_in(name, "x");
        let (unacknowledged, visits) = (VecDeque::new(), Vec::new());
        Occupant {
            name: name.to_owned(),
            client,
            written: 0,
            unacknowledged,
            acknowledged: 0,
            safe: Vec::new(),
            visits,
        }
    }

    fn enters(&mut self) {
        enter(&mut self.client, &self.name);
        self.client.send(format!("<enable xmlns='{SM}'/>"));
        // What comes before the answer is heard already.
        self.client.find(|element| element.is("enabled", SM));
        (self.acknowledged, self.unacknowledged) = (0, VecDeque::new());
        self.visits.push(Vec::new());
    }

    fn writes(&mut self, count: u64) {
        for _ in 0..count {
            self.written += 1;
            let text = format!("{} {}", self.name, self.written);
            let xml =
                format!("<message to='{}' type='groupchat'><body>{text}</body></message><r xmlns='{SM}'/>", room());
            self.unacknowledged.push_back(Some(text));
            let _ = self.client.try_send(xml);
        }
    }

    /// Hears all that has come.
    fn settles(&mut self) {
        self.unacknowledged.push_back(None);
        let all = self.client.settled();
        self.takes(all);
    }

    /// The server is gone; what had come is heard.
    fn loses_connection(&mut self) {
        let rest = self.client.rest().into_iter();
        let elements = rest.filter_map(|one| if let Incoming::Element(element) = one { Some(element) } else { None });
        self.takes(elements.collect());
    }

    fn takes(&mut self, elements: Vec<Element>) {
        for element in elements {
            if element.is("a", SM) {
                let h: u32 = element.attr("h").unwrap().parse().unwrap();
                while self.acknowledged < h {
                    self.acknowledged += 1;
                    self.safe.extend(self.unacknowledged.pop_front().expect("no more than was sent"));
                }
            } else if let Some(message) = said(&element) {
                self.visits.last_mut().unwrap().push(message);
            }
        }
    }
}

/// The id in the archive, and the text, of a message of the room.
fn said(message: &Element) -> Option<(String, String)> {
    let text = message.child("body", "jabber:client")?.text();
    let id = message.child("stanza-id", "urn:xmpp:sid:0").expect("a message with its id").attr("id").unwrap();
    Some((id.to_owned(), text))
}

/// The whole archive of the room.
fn archive(client: &mut Client) -> Vec<(String, String)> {
    let (mut all, mut last) = (Vec::<(String, String)>::new(), String::new());
    loop {
        let query = format!(
            "<query xmlns='{MAM}'><set xmlns='http://jabber.org/protocol/rsm'><max>50</max>{last}</set></query>"
        );
        let end = client.iq("set", Some(&room()), &query);
        let results = client.settled();
        for result in results.iter().filter_map(|stanza| stanza.child("result", MAM)) {
            let message = result.child("forwarded", "urn:xmpp:forward:0").unwrap().child("message", "jabber:client");
            let text = message.unwrap().child("body", "jabber:client").map(Element::text).unwrap_or_default();
            all.push((result.attr("id").unwrap().to_owned(), text));
        }
        if end.child("fin", MAM).unwrap().attr("complete") == Some("true") {
            return all;
        }
        last = format!("<after>{}</after>", all.last().unwrap().0);
    }
}

#[test]
fn a_room_keeps_what_it_has_acknowledged_in_one_order_for_all() {
    let rounds = setting("ORIOLE_ROOM_TORTURE").unwrap_or(4);
    let mut random = Random::seeded("ORIOLE_TORTURE_SEED");
    let mut server = Server::start();
    let mut people: Vec<_> = (0..PEOPLE).map(|n| Occupant::new(&server, &format!("witch{n}"))).collect();
    enter(&mut people[0].client, "witch0");
    configure(&mut people[0].client, &[("persistentroom", "1")]);
    for _ in 0..rounds {
        people.iter_mut().for_each(Occupant::enters);
        for _ in 0..random.below(5) + 1 {
            people.iter_mut().for_each(|person| person.writes(random.below(10)));
            if random.below(2) == 0 {
                people.iter_mut().for_each(Occupant::settles);
            }
        }
        std::thread::sleep(std::time::Duration::from_millis(random.below(40)));
        server.kill9();
        people.iter_mut().for_each(Occupant::loses_connection);
        server.restart();
        people.iter_mut().for_each(|person| person.client = server.log_in(&person.name, "x"));
    }

    let kept = archive(&mut people[0].client);
    let places: HashMap<&str, usize> = kept.iter().enumerate().map(|(place, (id, _))| (id.as_str(), place)).collect();
    assert_eq!(places.len(), kept.len(), "an id is there twice");
    let (mut heard, mut phantoms) = (0, 0);
    for person in &people {
        let own: Vec<&String> = kept.iter().map(|(_, text)| text).filter(|text| is_by(text, &person.name)).collect();
        let numbers: Vec<u32> = own.iter().map(|text| text.split(' ').nth(1).unwrap().parse().unwrap()).collect();
        assert!(numbers.is_sorted_by(|one, next| one < next), "{}: {numbers:?}", person.name);
        let missing: Vec<_> = person.safe.iter().filter(|text| !own.contains(text)).collect();
        assert!(missing.is_empty(), "acknowledged to {} and not kept: {missing:?}", person.name);
        for visit in &person.visits {
            // What was heard and is not kept was lost with the server before its author was told that it was.
            let part: Vec<usize> = visit.iter().filter_map(|(id, _)| places.get(id.as_str()).copied()).collect();
            phantoms += visit.len() - part.len();
            heard += part.len();
            assert!(part.is_sorted_by(|one, next| one + 1 == *next), "{} heard {part:?} of the archive", person.name);
        }
    }
    let (written, safe): (u32, usize) =
        (people.iter().map(|person| person.written).sum(), people.iter().map(|person| person.safe.len()).sum());
    eprintln!(
        "{rounds} rounds: {written} messages written, {safe} acknowledged, {} kept, heard {heard} times; {phantoms} heard \
         and not kept, none of them acknowledged",
        kept.len()
    );
}

fn is_by(text: &str, name: &str) -> bool {
    text.split(' ').next() == Some(name)
}
