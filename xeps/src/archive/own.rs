//! What an operator has decided for the archive of one account, in place of what holds for its host.

use super::Retention;
use crate::store::{Batch, Expect, Key, Position, Store, StoreError};
use std::time::Duration;
use wire::jid::BareJid;

/// The store's collection: one record per account that has limits of its own.
const KIND: &str = "archive-retention";
const FORMAT: u8 = 1;
/// In the place of a limit that is the host's.
const NONE: u64 = u64::MAX;

/// The limits of one account; None: that of its host.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Own {
    pub expiry: Option<Duration>,
    pub max_messages: Option<u64>,
}

impl Own {
    pub async fn read(store: &dyn Store, user: &BareJid) -> Result<Own, StoreError> {
        let Some(record) = store.get(key(user)).await? else { return Ok(Own::default()) };
        decode(&record.value).ok_or_else(|| StoreError::Corrupt(format!("the archive's limits of {user}")))
    }

    pub async fn write(&self, store: &dyn Store, user: &BareJid) -> Result<Position, StoreError> {
        let mut batch = Batch::new();
        if *self == Own::default() {
            batch.delete(key(user), Expect::Any);
        } else {
            batch.put(key(user), encode(self), Expect::Any);
        }
        Ok(store.commit(batch).await?.position)
    }

    /// What holds for the account.
    pub(super) fn within(&self, host: Retention) -> Retention {
        Retention {
            expiry: self.expiry.unwrap_or(host.expiry),
            max_messages: self.max_messages.unwrap_or(host.max_messages),
        }
    }
}

fn key(user: &BareJid) -> Key<'_> {
    Key::new(user.as_str(), KIND, "")
}

/// Format, milliseconds, messages.
fn encode(own: &Own) -> Vec<u8> {
    let millis = own.expiry.map_or(NONE, |expiry| u64::try_from(expiry.as_millis()).unwrap_or(NONE));
    let mut out = vec![FORMAT];
    out.extend_from_slice(&millis.to_be_bytes());
    out.extend_from_slice(&own.max_messages.unwrap_or(NONE).to_be_bytes());
    out
}

fn decode(bytes: &[u8]) -> Option<Own> {
    let (&format, limits) = bytes.split_first()?;
    let (expiry, max_messages) = limits.split_first_chunk::<8>()?;
    let limit = |bytes: [u8; 8]| Some(u64::from_be_bytes(bytes)).filter(|limit| *limit != NONE);
    let own =
        Own { expiry: limit(*expiry).map(Duration::from_millis), max_messages: limit(max_messages.try_into().ok()?) };
    (format == FORMAT).then_some(own)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_can_be_read() {
        for expiry in [None, Some(Duration::ZERO), Some(Duration::from_secs(86_400))] {
            for max_messages in [None, Some(0), Some(1_000)] {
                let own = Own { expiry, max_messages };
                assert_eq!(decode(&encode(&own)), Some(own));
            }
        }
        let written = encode(&Own::default());
        assert_eq!(decode(&[]), None);
        assert_eq!(decode(written.get(..16).unwrap()), None);
        assert_eq!(decode(&[&[9], written.get(1..).unwrap()].concat()), None);
    }
}
