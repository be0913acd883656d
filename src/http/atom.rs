//! Open channels as feeds (RFC 4287), for those who read them without XMPP.

use super::Web;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use sha2::{Digest, Sha256};
use std::sync::Arc;
use tracing::error;
use wire::jid::BareJid;
use xeps::pubsub::node::Node;
use xeps::pubsub::rsm::Page;
use xeps::pubsub::{Config, Rules, atom};
use xeps::store::StoreError;

/// Items in a feed.
const ITEMS: usize = 50;

/// `GET /channels/{node}`, and `HEAD`. A node that is not open to all is as good as none.
pub async fn feed(State(web): State<Arc<Web>>, Path(name): Path<String>, headers: HeaderMap) -> Response {
    let body = match read(&web, &headers, &name).await {
        Ok(Some(body)) => body,
        Ok(None) => return (StatusCode::NOT_FOUND, "there is no such channel").into_response(),
        Err(error) => {
            error!(%error, "the store failed: a feed was not given out");
            return (StatusCode::INTERNAL_SERVER_ERROR, "try again later").into_response();
        }
    };
    let digest: String = Sha256::digest(&body).iter().take(16).map(|byte| format!("{byte:02x}")).collect();
    let tag = format!("\"{digest}\"");
    let known = headers.get(header::IF_NONE_MATCH).and_then(|tags| tags.to_str().ok()).unwrap_or_default();
    let fields = [
        (header::ETAG, tag.as_str()),
        (header::CACHE_CONTROL, "public, max-age=60"),
        (header::CONTENT_TYPE, "application/atom+xml; charset=utf-8"),
        // Whatever somebody has published, it must not act in the name of this site.
        (header::CONTENT_SECURITY_POLICY, "default-src 'none'; sandbox"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    ];
    match known.trim() == "*" || known.contains(&tag) {
        true => (StatusCode::NOT_MODIFIED, fields).into_response(),
        false => (fields, body).into_response(),
    }
}

async fn read(web: &Web, headers: &HeaderMap, name: &str) -> Result<Option<Vec<u8>>, StoreError> {
    let engine = &web.shared.engine;
    let Some(host) = web.host(headers) else { return Ok(None) };
    let Some(config) = web.config.hosts.get(&host.domain) else { return Ok(None) };
    let domain = format!("{}.{}", config.pubsub.subdomain, host.domain.as_str());
    let served = engine.domains.service(&domain).is_some_and(|serving| serving.service().about().name == "pubsub");
    let Some(at) = BareJid::parse(&domain).ok().filter(|_| served) else { return Ok(None) };
    // What a node does not say of itself is as it is by default, whatever the limits are.
    let rules = Rules::service(&Config::default());
    let node = Node::load(engine.store.as_ref(), &at, name, &rules).await?;
    let Some(node) = node.filter(|node| atom::is_public(&node.config)) else { return Ok(None) };
    let lineage = node.lineage(engine.store.as_ref(), &rules).await?;
    if !lineage.is_some_and(|lineage| lineage.is_open()) {
        return Ok(None);
    }
    node.expire(engine.store.as_ref(), engine.clock.now()).await?;
    let items = node.items(engine.store.as_ref(), &Page::Last(ITEMS)).await?.unwrap_or_default().items;
    let url = format!("{}/channels/{}", host.url, atom::escape(name));
    let mut body = b"<?xml version='1.0' encoding='utf-8'?>\n".to_vec();
    atom::feed(&node, &items, &url).write(&mut body, "");
    Ok(Some(body))
}
