//! The registrations of an account in the store, and in memory while it is awake.

use super::registration::{Registration, Registrations};
use crate::account::Account;
use crate::context::Cx;
use crate::store::{Batch, Expect, Key, Store, StoreError};
use crate::stored::{element_from_bytes, element_to_bytes};
use wire::jid::BareJid;

/// The store's collection: one record per account, a format byte and the registrations as XML.
const KIND: &str = "push";
const FORMAT: u8 = 1;

/// The registrations of an account that is awake, once they were needed.
#[derive(Debug, Default)]
struct Known(Option<Registrations>);

pub async fn registrations<'a>(
    store: &dyn Store,
    account: &'a mut Account,
) -> Result<&'a mut Registrations, StoreError> {
    let user = account.user.clone();
    let known: &mut Known = account.states.of();
    let registrations = match known.0.take() {
        Some(registrations) => registrations,
        None => match store.get(key(&user)).await? {
            None => Registrations::default(),
            Some(record) => match record.value.split_first() {
                Some((&FORMAT, xml)) => Registrations::from_element(&element_from_bytes(xml, "push registrations")?),
                _ => None,
            }
            .ok_or_else(|| StoreError::Corrupt(format!("the push registrations of {user}")))?,
        },
    };
    Ok(known.0.insert(registrations))
}

/// Those that have been looked up, since the account is awake.
pub fn known(account: &Account) -> &[Registration] {
    account.states.get::<Known>().and_then(|known| known.0.as_ref()).map_or(&[], |known| &known.all)
}

/// Has the next commit write them as they are now.
pub async fn stage(cx: &mut Cx<'_>, account: &mut Account) -> Result<(), StoreError> {
    let user = account.user.clone();
    let registrations = registrations(cx.store, account).await?;
    let mut batch = Batch::new();
    if registrations.is_empty() {
        batch.delete(key(&user), Expect::Any);
    } else {
        let mut value = vec![FORMAT];
        value.extend(element_to_bytes(&registrations.to_element()));
        batch.put(key(&user), value, Expect::Any);
    }
    cx.stage(batch);
    Ok(())
}

fn key(user: &BareJid) -> Key<'_> {
    Key::new(user.as_str(), KIND, "")
}
