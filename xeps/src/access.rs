//! Who may know whether an account is online: the question behind every answer that could leak presence.

use crate::account::Account;
use crate::store::{Store, StoreError};
use wire::jid::Jid;

/// Whether `asker` is allowed to see the presence of the account: it is the account itself, or a contact that the account
/// has granted a subscription ("from" or "both", RFC 6121 section 2.1.2.5).
pub async fn may_see_presence(store: &dyn Store, account: &Account, asker: Option<&Jid>) -> Result<bool, StoreError> {
    let Some(asker) = asker else { return Ok(false) };
    if asker.bare_str() == account.user.as_str() {
        return Ok(true);
    }
    Ok(account.subscription(store, asker.bare_str()).await?.from)
}
