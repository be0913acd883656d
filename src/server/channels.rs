//! What an operator says in channels, the nodes of publish-subscribe.

use super::admin::{durable, newest, store_failed};
use crate::admin::{AdminError, Post};
use crate::config::Config;
use crate::engine::Engine;
use wire::jid::BareJid;
use xeps::pubsub::node::Node;
use xeps::pubsub::operate::{self, publication};
use xeps::pubsub::{Config as Limits, Rules};

/// Publishes at a node in the name of the host.
pub(super) async fn post(config: &Config, engine: &Engine, post: &Post) -> Result<(), AdminError> {
    let mut hosts = config.hosts.keys().filter(|domain| post.host.as_ref().is_none_or(|host| host == *domain));
    let (Some(domain), None) = (hosts.next(), hosts.next()) else {
        return Err(match &post.host {
            Some(host) => AdminError::NotFound(format!("{host} is not served here")),
            None => AdminError::Invalid("expected --host where there is more than one".to_owned()),
        });
    };
    let unknown = || AdminError::NotFound(format!("there is no channel {} at {domain}", post.channel));
    let subdomain = config.hosts.get(domain).map(|host| host.pubsub.subdomain.as_str()).unwrap_or_default();
    let service = BareJid::parse(&format!("{subdomain}.{}", domain.as_str())).map_err(|_| unknown())?;
    let serving = engine.domains.service(service.as_str()).ok_or_else(unknown)?;
    let (store, now) = (engine.store.as_ref(), engine.clock.now());
    // What a node does not say of itself is as it is by default, whatever the limits are.
    let rules = Rules::service(&Limits::default());
    let node = Node::load(store, &service, &post.channel, &rules).await.map_err(store_failed)?.ok_or_else(unknown)?;
    let title = post.title.as_deref().or(post.text.lines().next()).unwrap_or_default();
    let id = engine.clock.id();
    let own = operate::Post { node: &node.name, id: &id, title, text: &post.text };
    engine.receive_from_outside(publication(&serving.host.host.domain, &service, &own, now)).await;
    if node.config.keeps_items() && node.item(store, &id).await.map_err(store_failed)?.is_none() {
        return Err(AdminError::Refused(format!(
            "{} does not take it: see its configuration and limits",
            post.channel
        )));
    }
    durable(store, newest(store).await?).await
}
