//! Looking after what nobody touches: an account's archive is trimmed when the account is used, a room's when somebody enters.
//! Those that nobody comes to are gone through one after the other, slowly, so that it costs next to nothing.

use super::Engine;
use std::time::Duration;
use tracing::{debug, error};
use wire::jid::BareJid;
use xeps::accounts;
use xeps::feature::Hook;
use xeps::store::StoreError;

/// Between two accounts or rooms at first, and at least: one in a second, so that a small server has nothing to do, then more and
/// more, up to twenty: a million in fourteen hours.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LEAST_PAUSE: Duration = Duration::from_millis(50);
/// After so many the pause is half of the first one, after twice as many a third.
const HALVING: u32 = 1000;
/// Between two rounds.
const REST: Duration = Duration::from_secs(3600);
/// Accounts that are listed at once.
const PAGE: usize = 100;

impl Engine {
    /// Goes round for ever.
    pub async fn expire_forever(&self) {
        loop {
            match self.expire_all().await {
                Ok(()) => debug!("all accounts and rooms have been looked after"),
                Err(error) => error!(%error, "what is too old cannot be removed"),
            }
            tokio::time::sleep(REST).await;
        }
    }

    /// One round.
    async fn expire_all(&self) -> Result<(), StoreError> {
        let (store, mut done) = (self.store.as_ref(), 0_u32);
        for served in self.domains.hosts() {
            let (domain, mut after) = (served.host.domain.as_str(), None::<String>);
            loop {
                let page = accounts::list(store, domain, after.as_deref(), PAGE).await?;
                for (local, _) in &page {
                    tokio::time::sleep(pause(done)).await;
                    done = done.saturating_add(1);
                    let Ok(user) = BareJid::from_parts(Some(local), domain) else { continue };
                    for feature in served.host.registry.chain(Hook::Expiry) {
                        feature.expire(store, &user, self.clock.now()).await?;
                    }
                }
                match page.last() {
                    Some((local, _)) if page.len() == PAGE => after = Some(local.clone()),
                    _ => break,
                }
            }
        }
        for serving in self.domains.services() {
            let (service, mut after) = (serving.service(), None::<String>);
            loop {
                tokio::time::sleep(pause(done)).await;
                done = done.saturating_add(1);
                after = service.expire_next(store, &serving.domain, after.as_deref(), self.clock.now()).await?;
                if after.is_none() {
                    break;
                }
            }
        }
        Ok(())
    }
}

/// Before the next one in a round.
fn pause(done: u32) -> Duration {
    (FIRST_PAUSE / (1 + done / HALVING)).max(LEAST_PAUSE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_round_is_slow_at_first_and_yet_comes_to_its_end() {
        let takes = |accounts: u32| (0..accounts).map(pause).sum::<Duration>().as_secs() / 60;
        assert_eq!([100, 2_000, 10_000, 100_000].map(takes), [1, 25, 48, 126]);
        assert_eq!(pause(u32::MAX), LEAST_PAUSE);
    }
}
