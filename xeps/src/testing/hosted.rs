//! A service in memory: stanzas come for its addresses, and what its residents send is written down.

use super::written::{canonical_stanza, error_of};
use super::{CheapPasswords, DOMAIN, StillClock, now_or_never, stanza};
use crate::agenda::{self, Appointment};
use crate::context::{Act, Cx, Host};
use crate::feature::{Halt, Outcome};
use crate::registry::Registry;
use crate::service::{Resident, Service};
use crate::spoken::RoomSpoke;
use crate::store::memory::Memory;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use wire::jid::BareJid;
use wire::stanza::Stanza;

/// Why a resident is visited.
enum Visit<'a> {
    Stanza(Stanza),
    Starting,
    Due(&'a Appointment),
}

/// A service of the host [`DOMAIN`] with its residents.
pub struct Hosted {
    pub host: Host,
    pub store: Memory,
    pub clock: Arc<StillClock>,
    /// What absent members were told of rooms.
    pub told: Vec<RoomSpoke>,
    service: Box<dyn Service>,
    awake: BTreeMap<BareJid, Box<dyn Resident>>,
}

impl Hosted {
    pub fn new(service: Box<dyn Service>) -> Hosted {
        let clock = Arc::new(StillClock::default());
        let time = clock.clone();
        Hosted {
            host: Host::new(BareJid::parse(DOMAIN).unwrap(), Registry::new(Vec::new()).unwrap(), &[0; 32]),
            store: Memory::new(Arc::new(move || time.micros())),
            clock,
            told: Vec::new(),
            service,
            awake: BTreeMap::new(),
        }
    }

    /// A stanza comes, with `from` and `to`. What the service sends in return, in order, one line of XML each.
    pub fn receives(&mut self, text: &str) -> Vec<String> {
        self.takes(stanza(text)).iter().map(canonical_stanza).collect()
    }

    /// The same with stanzas as values.
    pub fn takes(&mut self, stanza: Stanza) -> Vec<Stanza> {
        let mut sent = Vec::new();
        self.takes_by_page(stanza, |page| sent.extend(page));
        sent
    }

    /// The same page by page, as the engine sends them on: each is what the service holds at a time.
    pub fn takes_by_page(&mut self, stanza: Stanza, mut page: impl FnMut(Vec<Stanza>)) {
        let address = stanza.to.as_ref().expect("the stanza has a recipient").to_bare();
        let outcome = self.visit(&address, Visit::Stanza(stanza.clone()), &mut page);
        match outcome {
            Ok(()) | Err(Halt::Silent(_)) => {}
            Err(halt) => page(stanza.error(&error_of(halt)).into_iter().collect()),
        }
    }

    fn visit(&mut self, address: &BareJid, visit: Visit<'_>, page: &mut dyn FnMut(Vec<Stanza>)) -> Outcome {
        let resident = self.awake.entry(address.clone()).or_insert_with(|| self.service.wake(address));
        let mut cx = Cx::new(&self.host, &self.store, &*self.clock, &CheapPasswords);
        let outcome = match visit {
            Visit::Stanza(stanza) => now_or_never(resident.receive(&mut cx, stanza)),
            Visit::Starting => now_or_never(resident.starting(&mut cx)),
            Visit::Due(appointment) => now_or_never(resident.due(&mut cx, appointment)),
        };
        let told = &mut self.told;
        let mut routed = |act| match act {
            Act::Route(stanza) | Act::RoutePast(stanza) => Some(stanza),
            Act::Tell(spoke) => {
                told.push(*spoke);
                None
            }
            other => panic!("a service has no sessions: {other:?}"),
        };
        page(std::mem::take(&mut cx.out).into_iter().filter_map(&mut routed).collect());
        while resident.has_more() {
            now_or_never(resident.go_on(&mut cx)).expect("what is left can be sent");
            page(std::mem::take(&mut cx.out).into_iter().filter_map(&mut routed).collect());
        }
        now_or_never(cx.commit_staged()).expect("what is staged can be committed");
        if resident.is_idle() {
            self.awake.remove(address);
        }
        outcome
    }

    /// A stanza comes, and the server is killed when it has been taken: what was to be done after that is not done.
    pub fn is_killed_after(&mut self, text: &str) {
        let stanza = stanza(text);
        let address = stanza.to.as_ref().expect("the stanza has a recipient").to_bare();
        let mut resident = self.service.wake(&address);
        let mut cx = Cx::new(&self.host, &self.store, &*self.clock, &CheapPasswords);
        now_or_never(resident.receive(&mut cx, stanza)).expect("the stanza is taken");
        now_or_never(cx.commit_staged()).expect("what is staged can be committed");
        self.awake.clear();
    }

    /// Keeps the appointments that are due, as the engine does; what the service sends.
    pub fn keeps_appointments(&mut self) -> Vec<String> {
        let mut sent = Vec::new();
        let due = agenda::due(&self.store, &self.host.domain, self.clock.time(), None, usize::MAX);
        for appointment in now_or_never(due).expect("the agenda can be read") {
            let mut page = |page: Vec<Stanza>| sent.extend(page.iter().map(canonical_stanza));
            self.visit(&appointment.at, Visit::Due(&appointment), &mut page).expect("an appointment can be kept");
        }
        sent
    }

    /// The server has started: what the service says first.
    pub fn starts(&mut self, domain: &str) -> Vec<String> {
        let (mut sent, domain) = (Vec::new(), BareJid::parse(domain).unwrap());
        let mut page = |page: Vec<Stanza>| sent.extend(page.iter().map(canonical_stanza));
        self.visit(&domain, Visit::Starting, &mut page).expect("the service can begin");
        sent
    }

    /// The server is about to stop: what residents say last.
    pub fn stops(&mut self) -> Vec<Stanza> {
        let mut cx = Cx::new(&self.host, &self.store, &*self.clock, &CheapPasswords);
        for resident in self.awake.values_mut() {
            now_or_never(resident.stopping(&mut cx)).expect("a resident can say goodbye");
        }
        now_or_never(cx.commit_staged()).expect("what is staged can be committed");
        let sent = cx.out.into_iter();
        let sent = sent.filter_map(|act| if let Act::Route(stanza) = act { Some(stanza) } else { None }).collect();
        self.awake.clear();
        sent
    }

    /// The server is stopped and started: what is not in the store is gone.
    pub fn restarts(&mut self) {
        self.awake.clear();
    }

    /// The same where the service itself remembers something: another one takes its place.
    pub fn restarts_with(&mut self, service: Box<dyn Service>) {
        self.awake.clear();
        self.service = service;
    }

    /// How many residents are awake.
    pub fn awake(&self) -> usize {
        self.awake.len()
    }

    /// Lets time pass.
    pub fn wait(&self, span: Duration) {
        self.clock.advance(span);
    }
}
