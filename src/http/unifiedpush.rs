//! UnifiedPush: what other people's servers leave here for an app goes to the client that has registered the endpoint, as a
//! request. An endpoint is a push resource (RFC 8030 section 5) that keeps nothing: who is not there does not get it, and
//! the answer says so.

use super::Web;
use crate::config::Rate;
use crate::net::Throttle;
use axum::body::{Body, to_bytes};
use axum::extract::{Path, State};
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tracing::{debug, error};
use xeps::accounts;
use xeps::store::StoreError;
use xeps::unifiedpush::endpoint::{self, Endpoint};
use xeps::unifiedpush::{Config, LARGEST, revoked};

/// What is known of a host's endpoints.
pub struct Endpoints {
    config: Config,
    /// How often something may be left at one of them.
    pushes: Throttle,
}

impl Endpoints {
    pub fn new(config: Config, pushes: Rate) -> Endpoints {
        Endpoints { config, pushes: Throttle::new(pushes.count, pushes.window.get()) }
    }
}

/// A push is small: whoever needs longer is not sending it.
const PATIENCE: Duration = Duration::from_secs(30);
/// When it is worth trying again, in seconds.
const LATER: &str = "60";

/// What became of a push.
enum Fate {
    Delivered,
    /// The endpoint is none, or none any more.
    Gone,
    TooMany,
    Empty,
    TooLarge,
    TooSlow,
    /// The client has no session now.
    Away,
    /// Our fault; the log says why.
    Broken(StoreError),
}

/// `GET /up/{token}`: that this is UnifiedPush, for whoever wants to know before it pushes.
pub async fn describe() -> Response {
    ([(header::CONTENT_TYPE, "application/json")], r#"{"unifiedpush":{"version":1}}"#).into_response()
}

/// `POST /up/{token}`
pub async fn take(State(web): State<Arc<Web>>, Path(token): Path<String>, body: Body) -> Response {
    let fate = push(&web, &token, body).await.unwrap_or_else(Fate::Broken);
    let (status, text) = match fate {
        Fate::Delivered => (StatusCode::CREATED, ""),
        Fate::Gone => (StatusCode::NOT_FOUND, "there is no such endpoint, or it is over\n"),
        Fate::TooMany => (StatusCode::TOO_MANY_REQUESTS, "less often\n"),
        Fate::Empty => (StatusCode::BAD_REQUEST, "there is nothing to push\n"),
        Fate::TooLarge => (StatusCode::PAYLOAD_TOO_LARGE, "a push has 4096 bytes at most\n"),
        Fate::TooSlow => (StatusCode::REQUEST_TIMEOUT, "the request did not move\n"),
        Fate::Away => (StatusCode::SERVICE_UNAVAILABLE, "the device is not connected\n"),
        Fate::Broken(error) => {
            error!(%error, "the store failed: a push was refused");
            (StatusCode::INTERNAL_SERVER_ERROR, "try again later\n")
        }
    };
    let mut response = (status, text).into_response();
    let fields = response.headers_mut();
    match status {
        // RFC 8030 section 5.2: it is not kept for later.
        StatusCode::CREATED => drop(fields.insert(HeaderName::from_static("ttl"), HeaderValue::from_static("0"))),
        StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE => {
            fields.insert(header::RETRY_AFTER, HeaderValue::from_static(LATER));
        }
        _ => {}
    }
    response
}

async fn push(web: &Web, token: &str, body: Body) -> Result<Fate, StoreError> {
    let engine = &web.shared.engine;
    let Some((endpoints, endpoint)) = open(web, token) else { return Ok(Fate::Gone) };
    let name = endpoint::name(token);
    let store = engine.store.as_ref();
    if endpoint.is_over(engine.clock.now()) || revoked::is_revoked(store, &endpoint.owner, &name).await? {
        return Ok(Fate::Gone);
    }
    let now = Instant::now();
    if endpoints.pushes.is_exhausted(&name, now) {
        return Ok(Fate::TooMany);
    }
    endpoints.pushes.count(&name, now);
    let payload = match tokio::time::timeout(PATIENCE, to_bytes(body, LARGEST)).await {
        Ok(Ok(payload)) if payload.is_empty() => return Ok(Fate::Empty),
        Ok(Ok(payload)) => payload,
        Ok(Err(_)) => return Ok(Fate::TooLarge),
        Err(_) => return Ok(Fate::TooSlow),
    };
    let request = endpoint.push(&endpoints.config.domain, &name, &engine.clock.id(), &payload);
    if engine.ask(&endpoint.owner, request).await {
        debug!(to = %endpoint.owner, bytes = payload.len(), "pushed");
        return Ok(Fate::Delivered);
    }
    let exists = accounts::find(store, &endpoint.owner.to_bare()).await?.is_some();
    Ok(if exists { Fate::Away } else { Fate::Gone })
}

/// The endpoint, and the settings of the host whose user has it, if the token is one of ours.
fn open<'a>(web: &'a Web, token: &str) -> Option<(&'a Endpoints, Endpoint)> {
    // One secret seals the endpoints of all hosts.
    let secret = web.hosts.values().find_map(|host| host.endpoints.as_ref())?.config.secret;
    let endpoint = Endpoint::open(&secret, token)?;
    let host = web.hosts.get(endpoint.owner.domain())?;
    Some((host.endpoints.as_ref()?, endpoint))
}
