//! The promise as a whole: pairs of clients exchange numbered messages while connections are cut, clients are away for a while,
//! and the server is killed or stopped and started again. Afterwards every message whose acknowledgement its sender had is in the
//! recipient's archive once and in order, and was heard by the recipient once.
//!
//! `ORIOLE_TORTURE=60` plays so many rounds; `ORIOLE_TORTURE_SEED` repeats a run.

use crate::archive::archived;
use crate::phone::{Phone, SM, is_stanza};
use crate::support::client::Incoming;
use crate::support::random::{Random, setting};
use crate::support::{Server, user};
use std::collections::{HashSet, VecDeque};
use wire::xml::Element;

const PAIRS: usize = 3;

/// A person with a phone, and what the two remember.
struct Correspondent {
    phone: Phone,
    peer: String,
    /// The number of the last message written.
    written: u32,
    /// Stanzas that the server has not acknowledged, the numbers of messages among them.
    unacknowledged: VecDeque<Option<u32>>,
    /// How many the server has acknowledged since the phone counts.
    acknowledged: u32,
    /// The highest message among these.
    safe: u32,
    /// The messages heard, in their order: their ids in the archive, and their numbers.
    heard: Vec<(String, u32)>,
    connected: bool,
}

impl Correspondent {
    fn new(server: &Server, name: &str, peer: &str) -> Correspondent {
        server.add_user(name);
        let mut phone = Phone::new(server, name, "phone");
        // The server keeps streams that it has acknowledged something of; from here on this one survives everything.
        phone
            .client
            .send("<iq type='set' id='r'><query xmlns='jabber:iq:roster'><item jid='a@b.example'/></query></iq>");
        let mut correspondent = Correspondent {
            phone,
            peer: user(peer),
            written: 0,
            unacknowledged: VecDeque::from([None]),
            acknowledged: 0,
            safe: 0,
            heard: Vec::new(),
            connected: true,
        };
        correspondent.settle();
        correspondent
    }

    /// Writes some messages. When the connection breaks meanwhile, those that did not get through are sent later.
    fn writes(&mut self, count: u64) {
        for _ in 0..count {
            self.written += 1;
            self.unacknowledged.push_back(Some(self.written));
            self.sends_message(self.written);
        }
    }

    fn sends_message(&mut self, number: u32) {
        let text = format!(
            "<message to='{}' type='chat' id='m{number}'><body>{number}</body></message><r xmlns='{SM}'/>",
            self.peer
        );
        if self.connected {
            let _ = self.phone.client.try_send(text);
        }
    }

    /// Hears all that has come, and confirms it.
    fn settle(&mut self) {
        // The ping with which the phone settles, and the confirmation.
        self.unacknowledged.push_back(None);
        let all = self.phone.client.settled();
        self.phone.h += 1;
        self.takes(all);
        let confirmation = format!("<a xmlns='{SM}' h='{}'/><r xmlns='{SM}'/>", self.phone.h);
        self.phone.client.send(confirmation);
    }

    fn takes(&mut self, elements: Vec<Element>) {
        for element in elements {
            if element.is("a", SM) {
                self.is_acknowledged(element.attr("h").unwrap().parse().unwrap());
            } else if element.is("r", SM) {
                let _ = self.phone.client.try_send(format!("<a xmlns='{SM}' h='{}'/>", self.phone.h));
            } else if is_stanza(&element) {
                self.phone.h += 1;
                if let Some(body) = element.child("body", "jabber:client") {
                    let id = archived(&element, &user(&self.phone.name)).expect("a message with its id");
                    self.heard.push((id, body.text().parse().unwrap()));
                }
            }
        }
    }

    fn is_acknowledged(&mut self, h: u32) {
        while self.acknowledged < h {
            self.acknowledged += 1;
            let stanza = self.unacknowledged.pop_front().expect("no more than was sent");
            self.safe = stanza.unwrap_or(self.safe);
        }
    }

    /// The connection is gone; what had come is heard, as far as the phone gets to it.
    fn loses_connection(&mut self, reads: bool) {
        if reads {
            let rest = self.phone.client.rest().into_iter();
            let elements =
                rest.filter_map(|one| if let Incoming::Element(element) = one { Some(element) } else { None });
            self.takes(elements.collect());
        }
        self.phone.breaks();
        self.connected = false;
    }

    /// Comes back, and sends again what the server does not have.
    fn comes_back(&mut self, server: &Server) {
        if self.connected {
            return;
        }
        let handled = self.phone.resumes(server);
        self.is_acknowledged(handled);
        self.connected = true;
        // What is not a message has had its time.
        self.unacknowledged.retain(Option::is_some);
        for number in self.unacknowledged.clone().into_iter().flatten() {
            self.sends_message(number);
        }
    }
}

#[test]
fn nothing_acknowledged_is_lost_or_doubled_whatever_happens() {
    let rounds = setting("ORIOLE_TORTURE").unwrap_or(6);
    let mut random = Random::seeded("ORIOLE_TORTURE_SEED");
    let mut server = Server::start();
    let mut people = Vec::new();
    for pair in 0..PAIRS {
        let (a, b) = (format!("a{pair}"), format!("b{pair}"));
        people.push(Correspondent::new(&server, &a, &b));
        people.push(Correspondent::new(&server, &b, &a));
    }
    let (mut kills, mut stops, mut cuts) = (0, 0, 0);
    for round in 0..rounds {
        for _ in 0..random.below(4) + 1 {
            for person in &mut people {
                person.writes(random.below(8));
            }
        }
        match if round == 0 { 0 } else { random.below(4) } {
            0 => {
                kills += 1;
                std::thread::sleep(std::time::Duration::from_millis(random.below(40)));
                server.kill9();
                people.iter_mut().filter(|person| person.connected).for_each(|person| person.loses_connection(true));
                server.restart();
            }
            1 => {
                stops += 1;
                server.sigterm();
                people.iter_mut().filter(|person| person.connected).for_each(|person| person.loses_connection(true));
                assert_eq!(server.wait().code(), Some(0));
                server.restart();
            }
            _ => {
                for person in people.iter_mut().filter(|person| person.connected) {
                    if random.below(2) == 0 {
                        cuts += 1;
                        person.loses_connection(false);
                    }
                }
            }
        }
        // Some stay away for a while.
        for person in &mut people {
            if random.below(4) > 0 {
                person.comes_back(&server);
                person.settle();
            }
        }
    }
    people.iter_mut().for_each(|person| person.comes_back(&server));
    for _ in 0..3 {
        people.iter_mut().for_each(Correspondent::settle);
    }
    let written: u32 = people.iter().map(|person| person.written).sum();
    let safe: u32 = people.iter().map(|person| person.safe).sum();
    assert_eq!(safe, written, "all is acknowledged at last");

    let mut phantoms = 0;
    for index in 0..people.len() {
        let peer = &people[index ^ 1];
        let person = &people[index];
        let mut reader = server.log_in(&person.phone.name, "reader");
        let kept: Vec<(String, u32)> = crate::archive::archive_from(&mut reader, &person.peer);
        let numbers: Vec<u32> = kept.iter().map(|(_, number)| *number).collect();
        assert_eq!(numbers, (1..=peer.written).collect::<Vec<_>>(), "the archive of {}", person.phone.name);
        // What was heard, and lost with the server before anybody was told that it was kept, was kept under another id later.
        let ids: HashSet<&String> = kept.iter().map(|(id, _)| id).collect();
        let heard: Vec<u32> =
            person.heard.iter().filter(|(id, _)| ids.contains(id)).map(|(_, number)| *number).collect();
        phantoms += person.heard.len() - heard.len();
        assert_eq!(heard, numbers, "what {} heard", person.phone.name);
    }
    eprintln!(
        "{rounds} rounds: {kills} kills, {stops} stops, {cuts} cuts; {written} messages written, acknowledged, archived once \
         and heard once; {phantoms} heard twice under different ids"
    );
}
