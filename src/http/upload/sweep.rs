//! What is too old goes, and what a crash has left.

use super::give::find;
use crate::http::files::Files;
use crate::http::{Web, WebHost};
use axum::http::HeaderMap;
use std::io;
use std::sync::Arc;
use std::time::Duration;
use tracing::error;
use xeps::store::Store;
use xeps::upload::ledger;

/// Removes what is too old, now and then, until the server ends. Finishes first what a crash has interrupted.
pub async fn sweep_forever(web: Arc<Web>) {
    if let Err(error) = make_good(&web).await {
        error!(%error, "interrupted uploads could not be cleared away");
    }
    loop {
        for host in web.hosts.values() {
            if let Err(error) = sweep(&web, host).await {
                error!(%error, host = %host.domain, "old uploads could not be removed");
            }
        }
        tokio::time::sleep(Duration::from_secs(3600)).await;
    }
}

/// Clears away what uploads have left that were under way when the server ended.
async fn make_good(web: &Web) -> io::Result<()> {
    match &web.files {
        Files::Directory(files) => {
            for id in files.interrupted().await? {
                match find(web, &HeaderMap::new(), &id).await.map_err(io::Error::other)? {
                    Some(_) => files.resume(&id).await?,
                    None => files.abandon(&id).await?,
                }
            }
        }
        Files::Bucket(files) => {
            for upload in web.hosts.values().filter_map(|host| host.upload.as_ref()) {
                files.clear(upload.domain.as_str()).await?;
            }
        }
    }
    Ok(())
}

/// Removes what is too old of one host's files.
async fn sweep(web: &Web, host: &WebHost) -> io::Result<()> {
    let Some(config) = &host.upload else { return Ok(()) };
    let now = web.shared.engine.clock.now();
    let Some(then) = config.expiry.and_then(|expiry| now.checked_sub(expiry)) else { return Ok(()) };
    let store: &dyn Store = web.shared.engine.store.as_ref();
    loop {
        let old = ledger::older_than(store, config.domain.as_str(), then, 100).await.map_err(io::Error::other)?;
        if old.is_empty() {
            return Ok(());
        }
        for file in old {
            web.files.remove(&file.id).await?;
            ledger::strike(store, config.domain.as_str(), &file).await.map_err(io::Error::other)?;
        }
    }
}
