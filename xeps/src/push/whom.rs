//! Who is woken for what has come: the clients that do not get it by a connection of their own.

use super::registration::Registration;
use super::storage;
use crate::account::{Account, Session, SessionId};
use crate::delivery::Delivery;
use crate::login::Login;
use crate::reach::Reach;
use compact_str::CompactString;
use wire::stanza::Stanza;

/// Whose push services are told of something.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Whom {
    Nobody,
    /// All: no client gets it.
    Everybody,
    /// Those of clients that have no connection: others have, and get it.
    TheAway,
    /// Those of one client, for which it is; if it has none, those of all clients that have no connection.
    Client(CompactString),
}

/// What tells the client of a session from others of the account.
pub fn client_of(session: &Session) -> CompactString {
    session.states.get::<Login>().cloned().unwrap_or_default().client(&session.jid)
}

/// Whether there is a connection, as far as anybody knows. Whether anybody looks (XEP-0352) does not matter.
pub fn is_connected(session: &Session) -> bool {
    session.states.get() != Some(&Reach::Asleep)
}

impl Whom {
    /// Who is woken for a stanza about which that was decided.
    pub fn of(account: &Account, stanza: &Stanza, delivery: &Delivery) -> Whom {
        match delivery {
            Delivery::Stored => Whom::Everybody,
            Delivery::Sessions(targets) => Whom::of_targets(account, stanza, targets),
            Delivery::Offline | Delivery::Refuse(_) | Delivery::Ignore(_) => Whom::Nobody,
        }
    }

    /// Who is woken when a stanza goes to these sessions, or to none.
    pub fn of_targets(account: &Account, stanza: &Stanza, targets: &[SessionId]) -> Whom {
        let sessions = || targets.iter().filter_map(|id| account.session(*id));
        let reached = sessions().any(is_connected);
        match sessions().find(|session| stanza.to.as_ref() == Some(&session.jid)) {
            Some(_) if reached => Whom::Nobody,
            Some(session) => Whom::Client(client_of(session)),
            None if reached => Whom::TheAway,
            None => Whom::Everybody,
        }
    }

    /// The registrations that are meant, by their index, among those of an account for which they have been looked up.
    pub fn among(&self, account: &Account) -> Vec<usize> {
        let all = storage::known(account);
        let connected: Vec<CompactString> =
            account.sessions.iter().filter(|session| is_connected(session)).map(client_of).collect();
        let select = |is_meant: &dyn Fn(&Registration) -> bool| -> Vec<usize> {
            all.iter().enumerate().filter(|(_, one)| is_meant(one)).map(|(index, _)| index).collect()
        };
        let away = |one: &Registration| one.client.as_ref().is_none_or(|client| !connected.contains(client));
        match self {
            Whom::Nobody => Vec::new(),
            Whom::Everybody => select(&|_| true),
            Whom::TheAway => select(&away),
            Whom::Client(client) => match select(&|one| one.client.as_ref() == Some(client)) {
                own if own.is_empty() => select(&away),
                own => own,
            },
        }
    }
}
