//! Who of those whose presence a service looks at is available, in memory: what other servers would tell it again if it asked.

use super::Show;
use compact_str::CompactString;
use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use wire::jid::{BareJid, Jid};

/// Addresses that are remembered while they are available. Who comes when there are as many is not seen, and counts as unavailable.
const MOST: usize = 100_000;
/// Clients of one address.
const CLIENTS: usize = 25;

/// The clients that are available.
#[derive(Default)]
pub struct Seen(Mutex<Table>);

type Table = HashMap<BareJid, Vec<Client>>;

struct Client {
    resource: CompactString,
    show: Show,
}

/// What is new about a client that shows itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Arrival {
    /// It is the first of its address.
    First,
    /// There are others.
    Another,
    /// It was here before.
    Known,
    /// There is no room to remember it.
    Overlooked,
}

impl Seen {
    /// A client is available, in this state.
    pub fn came(&self, jid: &Jid, show: Show) -> Arrival {
        let (who, resource, mut table) = (jid.to_bare(), jid.resource().unwrap_or_default(), self.table());
        if table.len() >= MOST && !table.contains_key(&who) {
            return Arrival::Overlooked;
        }
        let clients = table.entry(who).or_default();
        if let Some(client) = clients.iter_mut().find(|client| client.resource == resource) {
            client.show = show;
            return Arrival::Known;
        }
        if clients.len() >= CLIENTS {
            return Arrival::Overlooked;
        }
        clients.push(Client { resource: resource.into(), show });
        if clients.len() == 1 { Arrival::First } else { Arrival::Another }
    }

    /// A client has become unavailable, or with its bare address all of them. True if none is left.
    pub fn went(&self, jid: &Jid) -> bool {
        let (who, mut table) = (jid.to_bare(), self.table());
        let Some(clients) = table.get_mut(&who) else { return true };
        match jid.resource() {
            Some(resource) => clients.retain(|client| client.resource != resource),
            None => clients.clear(),
        }
        let none = clients.is_empty();
        if none {
            table.remove(&who);
        }
        none
    }

    /// In which states an address is available: a client, or all clients of a bare address.
    pub fn of(&self, jid: &Jid) -> Vec<Show> {
        let table = self.table();
        let clients = table.get(&jid.to_bare()).map(Vec::as_slice).unwrap_or_default();
        let meant = |client: &&Client| jid.resource().is_none_or(|resource| client.resource == resource);
        clients.iter().filter(meant).map(|client| client.show).collect()
    }

    fn table(&self) -> MutexGuard<'_, Table> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How many addresses are remembered.
    #[cfg(test)]
    fn len(&self) -> usize {
        self.table().len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_available_as_long_as_one_of_its_clients_is() {
        let jid = |text: &str| Jid::parse(text).unwrap();
        let (balcony, chamber) = (jid("juliet@example.org/balcony"), jid("juliet@example.org/chamber"));
        let seen = Seen::default();
        assert_eq!(seen.came(&balcony, Show::Online), Arrival::First);
        assert_eq!(seen.came(&chamber, Show::Dnd), Arrival::Another);
        assert_eq!(seen.came(&balcony, Show::Away), Arrival::Known, "it has changed its mind");
        assert_eq!(seen.of(&jid("juliet@example.org")), [Show::Away, Show::Dnd]);
        assert_eq!(seen.of(&chamber), [Show::Dnd]);
        assert!(!seen.went(&balcony) && seen.of(&balcony).is_empty());
        assert!(seen.went(&chamber));
        assert_eq!(seen.len(), 0, "who is not there takes no room");
        assert!(seen.went(&chamber), "nor was it there before");
        seen.came(&balcony, Show::Online);
        seen.came(&chamber, Show::Online);
        assert!(seen.went(&jid("juliet@example.org")));
    }
}
