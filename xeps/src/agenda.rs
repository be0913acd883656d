//! Appointments: what is to be done at a certain time, kept in the store, so that nobody has to stay awake for it and a restart
//! forgets none. The engine looks at what is due every second and calls whom it is with: a resident of a service
//! ([`Resident::due`](crate::Resident::due)) or the features of an account ([`Feature::due`](crate::Feature::due)).
//!
//! ```text
//! example.org / agenda / 00001700000000000000 US id  -> whose appointment it is, and what it is about
//! ```
//!
//! US is U+001F, which no text of XMPP contains. The number is the time in milliseconds since the Unix epoch. Whoever keeps an
//! appointment strikes it out; until then it comes again.

use crate::store::{Batch, Expect, Key, Store, StoreError};
use wire::datetime::Timestamp;
use wire::jid::BareJid;

const KIND: &str = "agenda";
const UNIT: char = '\u{1f}';

/// Something that is due.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Appointment {
    /// Its name in the agenda of the host.
    pub name: String,
    /// The account, or an address of a service.
    pub at: BareJid,
    /// What it is about, in the words of who has made it.
    pub what: String,
}

/// Makes an appointment in the agenda of a host, and returns its name. `id` is one that was never given before.
pub fn note(batch: &mut Batch, host: &BareJid, due: Timestamp, id: &str, at: &BareJid, what: &str) -> String {
    let name = format!("{:020}{UNIT}{id}", due.millis().max(0));
    batch.put(Key::new(host.as_str(), KIND, &name), format!("{at}{UNIT}{what}"), Expect::Any);
    name
}

/// Strikes an appointment out; fine if there is none of that name.
pub fn strike(batch: &mut Batch, host: &BareJid, name: &str) {
    batch.delete(Key::new(host.as_str(), KIND, name), Expect::Any);
}

/// Up to `limit` appointments that are due, the oldest first, from the first one whose name is greater than `after`.
pub async fn due(
    store: &dyn Store,
    host: &BareJid,
    now: Timestamp,
    after: Option<&str>,
    limit: usize,
) -> Result<Vec<Appointment>, StoreError> {
    // The name of all that is due now or was due before sorts below this.
    let end = format!("{:020}", now.millis().max(0).saturating_add(1));
    let page = store.list(host.as_str(), KIND, after, limit).await?;
    page.into_iter().take_while(|(name, _)| *name < end).map(|(name, record)| decode(name, &record.value)).collect()
}

fn decode(name: String, value: &[u8]) -> Result<Appointment, StoreError> {
    let parse = || {
        let (at, what) = std::str::from_utf8(value).ok()?.split_once(UNIT)?;
        Some((BareJid::parse(at).ok()?, what.to_owned()))
    };
    let (at, what) = parse().ok_or_else(|| StoreError::Corrupt("an appointment".to_owned()))?;
    Ok(Appointment { name, at, what })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::memory::Memory;
    use crate::testing::now_or_never;

    #[test]
    fn what_is_due_comes_in_order_until_it_is_struck_out() {
        let (store, host) = (Memory::at(1), BareJid::parse("example.org").unwrap());
        let at = BareJid::parse("juliet@example.org").unwrap();
        let time = |millis| Timestamp::from_millis(millis).unwrap();
        let mut batch = Batch::new();
        let names: Vec<String> = [(2000, "later"), (1000, "sooner"), (1001, "then")]
            .into_iter()
            .map(|(due, what)| note(&mut batch, &host, time(due), what, &at, what))
            .collect();
        now_or_never(store.commit(batch)).unwrap();
        let due = |now, after: Option<&str>| -> Vec<String> {
            let found = now_or_never(due(&store, &host, time(now), after, 10)).unwrap();
            found.into_iter().map(|appointment| appointment.what).collect()
        };
        assert_eq!(due(999, None), [""; 0]);
        assert_eq!(due(1000, None), ["sooner"]);
        assert_eq!(due(5000, None), ["sooner", "then", "later"]);
        assert_eq!(due(5000, Some(&names[1])), ["then", "later"]);
        let mut batch = Batch::new();
        strike(&mut batch, &host, &names[1]);
        now_or_never(store.commit(batch)).unwrap();
        assert_eq!(due(1999, None), ["then"]);
    }
}
