//! Files by HTTP (XEP-0363): put into the place that a slot names, and fetched from there.
//!
//! A file is received, made durable, entered in the ledger, and moved to its place; only then is the client told. Where the files
//! lie is the business of [`files`](super::files).

use super::files::Files;
use super::{Web, WebHost};
use axum::body::Body;
use axum::extract::{Path, Query, Request, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use futures_util::StreamExt;
use serde::Deserialize;
use std::io;
use std::sync::Arc;
use std::time::Duration;
use tracing::{debug, error, info};
use xeps::store::Store;
use xeps::upload::ledger::{self, File, NotEntered};
use xeps::upload::slot::{Slot, is_id};

/// The proof of a slot.
#[derive(Deserialize)]
pub struct Proof {
    v: Option<String>,
}

/// The pause after which an upload that does not move is given up.
const STALLED: Duration = Duration::from_secs(60);

/// `PUT /upload/{id}/{name}`
pub async fn take(
    State(web): State<Arc<Web>>,
    Path((id, name)): Path<(String, String)>,
    Query(proof): Query<Proof>,
    headers: HeaderMap,
    body: Body,
) -> Response {
    let Some((host, slot)) = open(&web, &id, &name, proof.v.as_deref()) else {
        return refuse(StatusCode::FORBIDDEN, "this is no slot of this server");
    };
    if slot.is_over(web.shared.engine.clock.now()) {
        return refuse(StatusCode::GONE, "the slot is over: ask for a new one");
    }
    if let Err(refusal) = check(&slot, &headers) {
        return refusal;
    }
    match receive(&web, host, &slot, body).await {
        Ok(()) => {
            info!(user = %slot.owner, bytes = slot.size, id, "a file was uploaded");
            StatusCode::CREATED.into_response()
        }
        Err(failure) => failure.into_response(),
    }
}

/// `GET /upload/{id}/{name}`, and `HEAD`.
pub async fn give(
    State(web): State<Arc<Web>>,
    Path((id, name)): Path<(String, String)>,
    headers: HeaderMap,
    mut request: Request,
) -> Response {
    let not_there = || refuse(StatusCode::NOT_FOUND, "there is no such file");
    if !is_id(&id) {
        return not_there();
    }
    let found = match find(&web, &headers, &id).await {
        Ok(found) => found,
        Err(error) => {
            error!(%error, "the store failed: a file was not given out");
            return refuse(StatusCode::INTERNAL_SERVER_ERROR, "try again later");
        }
    };
    let Some(file) = found.filter(|file| file.name == name) else { return not_there() };
    // What an id stands for never changes.
    let tag = format!("\"{id}\"");
    let field = |name| headers.get(name).and_then(|tags| tags.to_str().ok());
    let fields = request.headers_mut();
    if field(header::IF_RANGE).is_some_and(|known| known != tag) {
        // RFC 9110 section 13.1.5: of anything else the client has a part, it needs all.
        fields.remove(header::RANGE);
    }
    // These are judged here, by the tag that is told.
    [header::IF_RANGE, header::IF_MATCH, header::IF_NONE_MATCH].iter().for_each(|name| drop(fields.remove(name)));
    let mut response = if field(header::IF_NONE_MATCH).is_some_and(|tags| tags.trim() == "*" || tags.contains(&tag)) {
        StatusCode::NOT_MODIFIED.into_response()
    } else if field(header::IF_MATCH).is_some_and(|tags| tags.trim() != "*" && !tags.contains(&tag)) {
        StatusCode::PRECONDITION_FAILED.into_response()
    } else {
        let kind = file.content_type.parse().unwrap_or(mime::APPLICATION_OCTET_STREAM);
        match web.files.give(&id, &kind, request).await {
            Ok(response) => response,
            Err(error) => {
                error!(%error, id, "a file could not be given out");
                return refuse(StatusCode::BAD_GATEWAY, "try again later");
            }
        }
    };
    let success = response.status().is_success() || response.status() == StatusCode::NOT_MODIFIED;
    let fields = response.headers_mut();
    if success && let Ok(tag) = HeaderValue::from_str(&tag) {
        fields.insert(header::ETAG, tag);
        fields.insert(header::CACHE_CONTROL, HeaderValue::from_static("public, max-age=31536000, immutable"));
    }
    // Whatever the file is, it must not act in the name of this site.
    fields.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    fields.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static("default-src 'none'; sandbox"));
    let disposition = if is_harmless(&file.content_type) { "inline" } else { "attachment" };
    fields.insert(header::CONTENT_DISPOSITION, HeaderValue::from_static(disposition));
    response
}

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

/// The host whose user was given the slot, and the slot, if the proof holds.
fn open<'a>(web: &'a Web, id: &str, name: &str, proof: Option<&str>) -> Option<(&'a WebHost, Slot)> {
    if !is_id(id) {
        return None;
    }
    // One secret seals the slots of all hosts.
    let secret = web.hosts.values().find_map(|host| host.upload.as_ref())?.secret;
    let slot = Slot::open(&secret, id, name, proof?)?;
    let host = web.hosts.get(slot.owner.domain())?;
    host.upload.is_some().then_some((host, slot))
}

/// Whether the request is for the file that the slot was given for (XEP-0363 section 4).
fn check(slot: &Slot, headers: &HeaderMap) -> Result<(), Response> {
    let field = |name| headers.get(name).and_then(|value: &HeaderValue| value.to_str().ok());
    let length = field(header::CONTENT_LENGTH).and_then(|length| length.parse::<u64>().ok());
    match length {
        None => return Err(refuse(StatusCode::LENGTH_REQUIRED, "Content-Length is needed")),
        Some(length) if length != slot.size => {
            return Err(refuse(StatusCode::PAYLOAD_TOO_LARGE, "the slot is for a file of another size"));
        }
        Some(_) => {}
    }
    let essence = |text: &str| text.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    match field(header::CONTENT_TYPE) {
        Some(given) if essence(given) != essence(&slot.content_type) => {
            Err(refuse(StatusCode::UNSUPPORTED_MEDIA_TYPE, "the slot is for a file of another type"))
        }
        _ => Ok(()),
    }
}

/// Why a file was not taken.
enum Failure {
    Client(StatusCode, &'static str),
    /// The reason is in the log.
    Ours,
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        match self {
            Failure::Client(status, text) => refuse(status, text),
            Failure::Ours => refuse(StatusCode::INTERNAL_SERVER_ERROR, "the file could not be stored"),
        }
    }
}

async fn receive(web: &Web, host: &WebHost, slot: &Slot, body: Body) -> Result<(), Failure> {
    let Some(config) = &host.upload else { return Err(Failure::Ours) };
    let ours = |error: io::Error| {
        error!(%error, user = %slot.owner, "an uploaded file could not be stored");
        Failure::Ours
    };
    let domain = config.domain.as_str();
    let mut arriving = web.files.receive(domain, &slot.id, slot.size).await.map_err(|error| match error.kind() {
        io::ErrorKind::AlreadyExists => Failure::Client(StatusCode::CONFLICT, "the slot has been used"),
        _ => ours(error),
    })?;
    let mut missing = slot.size;
    let mut chunks = body.into_data_stream();
    loop {
        let chunk = match tokio::time::timeout(STALLED, chunks.next()).await {
            Ok(Some(Ok(chunk))) => chunk,
            Ok(None) => break,
            Ok(Some(Err(error))) => {
                debug!(%error, "an upload was broken off");
                return Err(Failure::Client(StatusCode::BAD_REQUEST, "the upload was broken off"));
            }
            Err(_) => return Err(Failure::Client(StatusCode::REQUEST_TIMEOUT, "the upload did not move")),
        };
        let Some(rest) = missing.checked_sub(chunk.len() as u64) else {
            return Err(Failure::Client(StatusCode::PAYLOAD_TOO_LARGE, "the file is longer than the slot"));
        };
        missing = rest;
        arriving.write(chunk).await.map_err(ours)?;
    }
    if missing > 0 {
        return Err(Failure::Client(StatusCode::BAD_REQUEST, "the file is shorter than the slot"));
    }
    arriving.complete().await.map_err(ours)?;
    let store = web.shared.engine.store.as_ref();
    let entered = ledger::enter(store, domain, &File::of(slot), config.quota).await;
    let position = entered.map_err(|error| match error {
        NotEntered::Taken => Failure::Client(StatusCode::CONFLICT, "the file has been uploaded already"),
        NotEntered::OverQuota => Failure::Client(StatusCode::INSUFFICIENT_STORAGE, "you have no room for the file"),
        NotEntered::Store(error) => ours(io::Error::other(error)),
    })?;
    store.durable(position).await.map_err(|error| ours(io::Error::other(error)))?;
    arriving.settle().await.map_err(ours)
}

async fn find(web: &Web, headers: &HeaderMap, id: &str) -> Result<Option<File>, xeps::store::StoreError> {
    let asked = web.host(headers).and_then(|host| host.upload.as_ref());
    let all = web.hosts.values().filter_map(|host| host.upload.as_ref());
    for upload in asked.into_iter().chain(all) {
        let found = ledger::find(web.shared.engine.store.as_ref(), upload.domain.as_str(), id).await?;
        if found.is_some() {
            return Ok(found);
        }
    }
    Ok(None)
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

/// Whether a browser may show it at once: it cannot be made to run anything (XEP-0363 section 9).
fn is_harmless(content_type: &str) -> bool {
    let essence = content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    let (kind, subtype) = essence.split_once('/').unwrap_or_default();
    matches!(kind, "audio" | "video") || essence == "text/plain" || (kind == "image" && !subtype.contains("svg"))
}

fn refuse(status: StatusCode, text: &'static str) -> Response {
    (status, format!("{text}\n")).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_could_run_is_downloaded_not_shown() {
        for (kind, harmless) in [
            ("image/jpeg", true),
            ("video/mp4", true),
            ("audio/ogg; codecs=opus", true),
            ("text/plain; charset=utf-8", true),
            ("text/html", false),
            ("image/svg+xml", false),
            ("IMAGE/SVG+XML", false),
            ("application/xhtml+xml", false),
            ("application/pdf", false),
            ("nonsense", false),
        ] {
            assert_eq!(is_harmless(kind), harmless, "{kind}");
        }
    }
}
