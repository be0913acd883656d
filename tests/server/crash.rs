//! What the server has acknowledged is there after `kill -9` at any moment.
//!
//! An IQ that is answered acknowledges everything that its session sent before it, and so does `<a h=.../>` of XEP-0198 for as
//! many stanzas as it counts. Several clients register accounts, change
//! their rosters, publish items at a node of theirs (XEP-0163) and write to users who are offline, as fast as they can; the process is killed at a random moment and
//! started again; then everything that was acknowledged is looked for. What was sent and not acknowledged may be there or not.
//!
//! `ORIOLE_CRASH_ROUNDS` sets how many rounds there are, `ORIOLE_CRASH_SEED` repeats the choices of an earlier run, as far
//! as the moments of a process can be repeated.

use crate::phone::{bodies, letters, numbers};
use crate::support::{Client, Server, login::error_condition, random, random::Random, user};
use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;
use wire::xml::Element;

const WRITERS: usize = 3;
const PUBSUB: &str = "http://jabber.org/protocol/pubsub";
const NODE: &str = "urn:example:thought";

#[test]
fn whatever_was_acknowledged_survives_kill_9() {
    endure("sled", Server::kill9, 6);
}

#[test]
fn on_the_other_engine_too() {
    endure("fjall", Server::kill9, 4);
}

/// The same traffic, and an operator who stops the server in the middle of it.
#[test]
fn nothing_is_lost_when_the_server_is_told_to_stop() {
    let stop = |server: &mut Server| {
        server.sigterm();
        assert_eq!(server.wait().code(), Some(0));
    };
    endure("sled", stop, 3);
}

/// A client is given what waited for it, and the server is killed before the client has said that it has it.
#[test]
fn offline_messages_survive_until_they_are_confirmed() {
    let mut server = Server::start();
    server.add_user("juliet");
    server.add_user("romeo");
    let mut romeo = server.log_in("romeo", "garden");
    romeo.send(letters(&user("juliet"), 1..=5));
    romeo.settle();
    let mut juliet = server.log_in("juliet", "balcony");
    juliet.send("<enable xmlns='urn:xmpp:sm:3'/><presence/>");
    assert_eq!(bodies(&juliet.settled()), numbers(1..=5));
    // Presence, and two messages.
    juliet.send("<a xmlns='urn:xmpp:sm:3' h='3'/>");
    juliet.settle();
    // What a client has confirmed is gone for good once something that came later is answered.
    let answer = juliet.iq("set", None, "<query xmlns='jabber:iq:roster'><item jid='nurse@example.net'/></query>");
    assert_eq!(error_condition(&answer), None);
    server.kill9();
    server.restart();
    let mut juliet = server.log_in("juliet", "balcony");
    juliet.send("<presence/>");
    assert_eq!(bodies(&juliet.settled()), numbers(3..=5), "each of them, once");
    juliet.leave();
    let mut juliet = server.log_in("juliet", "balcony");
    juliet.send("<presence/>");
    assert_eq!(bodies(&juliet.settled()), [""; 0], "without acknowledgements, what was written has arrived");
}

fn endure(engine: &str, end: fn(&mut Server), rounds: u64) {
    let rounds = random::setting("ORIOLE_CRASH_ROUNDS").unwrap_or(rounds);
    let mut random = Random::seeded("ORIOLE_CRASH_SEED");
    let mut server = Server::configured(&format!(
        "store.engine = '{engine}'\ndefault_host.require_tls = false\nlimits.account.offline_messages = 100000\n\
         limits.account.offline_size = '1 GiB'\nlimits.account.roster_items = 100000\nlog.level = 'info'",
    ));
    let mut writers: Vec<Writer> = (0..WRITERS).map(Writer::new).collect();
    for writer in &writers {
        server.add_user(&writer.name);
        server.add_user(&writer.reader);
    }
    let mut acknowledged = 0;
    for round in 0..rounds {
        let enough = random.below(120) as usize;
        let pause = Duration::from_micros(random.below(40_000));
        let at = Place { address: server.c2s(), certificate: server.certificate() };
        let progress = AtomicUsize::new(0);
        thread::scope(|scope| {
            let working: Vec<_> = writers
                .iter_mut()
                .map(|writer| {
                    let (at, progress, random) = (&at, &progress, random.another());
                    let sessions = Sessions::open(at, &writer.name);
                    scope.spawn(move || writer.work(sessions, at, progress, random))
                })
                .collect();
            // A moment of the traffic, not of the clock: a slow machine gets as far as a fast one.
            while progress.load(Ordering::Relaxed) < enough && working.iter().any(|writer| !writer.is_finished()) {
                thread::sleep(Duration::from_millis(1));
            }
            thread::sleep(pause);
            end(&mut server);
        });
        acknowledged += progress.into_inner();
        let verified = server.oriole(&["store", "verify"]);
        assert!(verified.status.success(), "round {round}: {}", String::from_utf8_lossy(&verified.stderr));
        server.restart();
        let at = Place { address: server.c2s(), certificate: server.certificate() };
        for writer in &mut writers {
            writer.check(&at, round);
        }
    }
    assert!(acknowledged > 0, "nothing was acknowledged in any round, so nothing was tested");
    eprintln!("{acknowledged} acknowledgements in {rounds} rounds");
}

struct Place {
    address: SocketAddr,
    certificate: PathBuf,
}

impl Place {
    /// `None` when the server is gone by now.
    fn connect(&self) -> Option<Client> {
        Client::try_connect(self.address, &self.certificate).ok()
    }

    fn log_in(&self, name: &str) -> Client {
        let mut client = self.connect().expect("the server is up");
        client.log_in_unencrypted(name, "crash");
        client
    }
}

/// What a writer has open.
struct Sessions {
    plain: Client,
    /// One with stream management (XEP-0198), and how many stanzas it has sent since.
    counted: Client,
    sent: u64,
}

impl Sessions {
    fn open(at: &Place, name: &str) -> Sessions {
        let mut counted = at.connect().expect("the server is up");
        counted.log_in_unencrypted(name, "counted");
        counted.send("<enable xmlns='urn:xmpp:sm:3'/>");
        counted.find(|element| element.name() == "enabled");
        Sessions { plain: at.log_in(name), counted, sent: 0 }
    }
}

/// One user at work, with a memory of what the server must know.
struct Writer {
    name: String,
    /// Who is written to, and is online only to see what has come.
    reader: String,
    count: u64,
    roster: Roster,
    messages: Messages,
    accounts: Accounts,
    items: Items,
}

/// What was published at the writer's node.
#[derive(Default)]
struct Items {
    acknowledged: Vec<u64>,
    open: Option<u64>,
}

#[derive(Default)]
struct Roster {
    /// Name by address, as acknowledged.
    acknowledged: BTreeMap<String, String>,
    /// What was sent last, and not acknowledged: the contact with its new name, or `None` when it was to be removed.
    open: BTreeMap<String, Vec<Option<String>>>,
}

#[derive(Default)]
struct Messages {
    acknowledged: Vec<u64>,
    open: Vec<u64>,
}

#[derive(Default)]
struct Accounts {
    acknowledged: BTreeSet<String>,
    open: BTreeSet<String>,
}

impl Writer {
    fn new(number: usize) -> Writer {
        Writer {
            name: format!("writer{number}"),
            reader: format!("reader{number}"),
            count: 0,
            roster: Roster::default(),
            messages: Messages::default(),
            accounts: Accounts::default(),
            items: Items::default(),
        }
    }

    fn fresh(&mut self) -> u64 {
        self.count += 1;
        self.count
    }

    /// Goes on until the server is gone.
    fn work(&mut self, mut sessions: Sessions, at: &Place, progress: &AtomicUsize, mut random: Random) {
        loop {
            let done = match random.below(10) {
                0 => self.register(at),
                8 | 9 => self.publish(&mut sessions.plain),
                1..=3 => self.change_roster(&mut sessions.plain, &mut random),
                4 | 5 => self.write_and_ping(&mut sessions.plain, 1 + random.below(6)),
                _ => self.write_and_count(&mut sessions, 1 + random.below(6)),
            };
            match done {
                Some(()) => progress.fetch_add(1, Ordering::Relaxed),
                None => return,
            };
        }
    }

    fn register(&mut self, at: &Place) -> Option<()> {
        let number = self.fresh();
        let name = format!("{}-child{number}", self.name);
        let mut client = at.connect()?;
        client.try_open()?;
        self.accounts.open.insert(name.clone());
        let answer = client.try_register(&name)?;
        assert_eq!(answer.attr("type"), Some("result"), "{answer:?}");
        self.accounts.open.remove(&name);
        self.accounts.acknowledged.insert(name);
        Some(())
    }

    /// Adds, renames or removes one of a few contacts, or two at once.
    fn change_roster(&mut self, session: &mut Client, random: &mut Random) -> Option<()> {
        let contact = format!("contact{}@montague.example", random.below(40));
        let known = self.roster.acknowledged.contains_key(&contact);
        let name = (!known || random.below(3) > 0).then(|| format!("name{}", self.fresh()));
        let item = match &name {
            Some(name) => format!("<item jid='{contact}' name='{name}'/>"),
            None => format!("<item jid='{contact}' subscription='remove'/>"),
        };
        self.roster.open.entry(contact.clone()).or_default().push(name.clone());
        let answer = session.try_iq("set", None, &format!("<query xmlns='jabber:iq:roster'>{item}</query>"))?;
        assert_eq!(error_condition(&answer), None, "{answer:?}");
        self.roster.open.remove(&contact);
        match name {
            Some(name) => self.roster.acknowledged.insert(contact, name),
            None => self.roster.acknowledged.remove(&contact),
        };
        Some(())
    }

    /// An item, whose result says that it is kept. The first one makes the node.
    fn publish(&mut self, session: &mut Client) -> Option<()> {
        let number = self.fresh();
        self.items.open = Some(number);
        let item = format!("<item id='{number}'><thought xmlns='urn:example:thought'>{number}</thought></item>");
        let options = "<field var='FORM_TYPE'><value>http://jabber.org/protocol/pubsub#publish-options</value></field>\
            <field var='pubsub#max_items'><value>max</value></field>";
        let answer = session.try_iq(
            "set",
            None,
            &format!(
                "<pubsub xmlns='{PUBSUB}'><publish node='{NODE}'>{item}</publish><publish-options>\
                 <x xmlns='jabber:x:data' type='submit'>{options}</x></publish-options></pubsub>"
            ),
        )?;
        assert_eq!(error_condition(&answer), None, "{answer:?}");
        self.items.acknowledged.extend(self.items.open.take());
        Some(())
    }

    /// A few messages to someone who is offline, and one ping that acknowledges them all.
    fn write_and_ping(&mut self, session: &mut Client, count: u64) -> Option<()> {
        let letters = self.letters(count);
        session.try_send(letters).ok()?;
        let pong = session.try_iq("get", None, "<ping xmlns='urn:xmpp:ping'/>")?;
        assert_eq!(pong.attr("type"), Some("result"), "{pong:?}");
        self.messages.acknowledged.append(&mut self.messages.open);
        Some(())
    }

    /// A few messages, and then the question how many have arrived.
    fn write_and_count(&mut self, sessions: &mut Sessions, count: u64) -> Option<()> {
        let letters = self.letters(count);
        sessions.counted.try_send(letters).ok()?;
        sessions.sent += count;
        sessions.counted.try_send("<r xmlns='urn:xmpp:sm:3'/>").ok()?;
        let answer = sessions.counted.try_find(|element| element.is("a", "urn:xmpp:sm:3"))?;
        assert_eq!(answer.attr("h"), Some(sessions.sent.to_string().as_str()));
        self.messages.acknowledged.append(&mut self.messages.open);
        Some(())
    }

    fn letters(&mut self, count: u64) -> String {
        let to = user(&self.reader);
        let mut letters = String::new();
        for _ in 0..count {
            let number = self.fresh();
            self.messages.open.push(number);
            // Some of them are large.
            let padding = if number.is_multiple_of(10) { "x".repeat(20_000) } else { String::new() };
            letters.push_str(&format!(
                "<message to='{to}' type='chat' id='{number}'><body>{number} {padding}</body></message>"
            ));
        }
        letters
    }

    /// Looks for everything that was acknowledged, and takes what is found for the truth from then on.
    fn check(&mut self, at: &Place, round: u64) {
        for name in std::mem::take(&mut self.accounts.acknowledged) {
            at.log_in(&name).leave();
        }
        self.accounts.open.clear();
        let mut session = at.log_in(&self.name);
        self.check_roster(&session.iq("get", None, "<query xmlns='jabber:iq:roster'/>"), round);
        self.check_items(&mut session, round);
        session.leave();
        self.check_messages(at, round);
    }

    fn check_roster(&mut self, answer: &Element, round: u64) {
        let query = answer.child("query", "jabber:iq:roster").unwrap();
        let attr = |item: &Element, name| item.attr(name).unwrap().to_owned();
        let found: BTreeMap<_, _> = query.children().map(|item| (attr(item, "jid"), attr(item, "name"))).collect();
        let Roster { acknowledged, open } = &self.roster;
        let contacts: BTreeSet<&String> = found.keys().chain(acknowledged.keys()).collect();
        for contact in contacts {
            let (has, had) = (found.get(contact), acknowledged.get(contact));
            let in_flight = open.get(contact).is_some_and(|open| open.iter().any(|one| one.as_ref() == has));
            assert!(has == had || in_flight, "round {round}: {contact} is {has:?}, acknowledged was {had:?}");
        }
        self.roster = Roster { acknowledged: found, open: BTreeMap::new() };
    }

    /// Every acknowledged item once, in the order in which they were published, and behind them at most what was under way.
    fn check_items(&mut self, session: &mut Client, round: u64) {
        let request = format!("<pubsub xmlns='{PUBSUB}'><items node='{NODE}'/></pubsub>");
        let answer = session.iq("get", None, &request);
        let items = answer.child("pubsub", PUBSUB).and_then(|pubsub| pubsub.child("items", PUBSUB));
        let numbers = items.iter().flat_map(|items| items.children()).map(|item| item.attr("id").unwrap().parse());
        let found: Vec<u64> = numbers.map(Result::unwrap).collect();
        let Items { acknowledged, open } = std::mem::take(&mut self.items);
        let (sure, rest) = found.split_at_checked(acknowledged.len()).unwrap_or((&found, &[]));
        assert_eq!(sure, acknowledged, "round {round}: not exactly what was acknowledged to {}", self.name);
        assert!(rest.is_empty() || rest == open.as_slice(), "round {round}: {rest:?} was never published");
        self.items = Items { acknowledged: found, open: None };
    }

    /// Every acknowledged message once, in the order in which they were sent.
    fn check_messages(&mut self, at: &Place, round: u64) {
        let mut session = at.log_in(&self.reader);
        session.send("<presence/>");
        let number = |element: Element| element.attr("id")?.parse().ok();
        let delivered = session.settled().into_iter().filter(|element| element.name() == "message");
        let delivered: Vec<u64> = delivered.filter_map(number).collect();
        let Messages { acknowledged, open } = std::mem::take(&mut self.messages);
        let (sure, rest) = delivered.split_at_checked(acknowledged.len()).unwrap_or((&delivered, &[]));
        assert_eq!(sure, acknowledged, "round {round}: not exactly what was acknowledged to {}", self.name);
        assert!(open.starts_with(rest), "round {round}: {rest:?} is no beginning of {open:?}");
        // They are delivered, and that too must be remembered: nothing may come twice in the next round.
        session.leave();
    }
}

impl Client {
    /// As `open`, but `None` when the server is gone.
    fn try_open(&mut self) -> Option<()> {
        self.try_send(format!(
            "<stream:stream to='{}' version='1.0' xmlns='jabber:client' \
             xmlns:stream='http://etherx.jabber.org/streams'>",
            crate::support::DOMAIN
        ))
        .ok()?;
        self.try_find(|element| element.name() == "features").map(drop)
    }
}
