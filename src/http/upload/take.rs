//! A file comes (XEP-0363 sections 4 and 7).

use super::pace::{PATIENCE, Pace};
use super::refuse;
use crate::http::files::Arriving;
use crate::http::{Web, WebHost};
use axum::body::Body;
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use futures_util::StreamExt;
use serde::Deserialize;
use std::io;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{Instant, timeout_at};
use tracing::{debug, error, info};
use xeps::store::StoreError;
use xeps::upload::ledger::{self, File, NotEntered};
use xeps::upload::slot::{Slot, is_id};

/// What goes with the address of a slot.
#[derive(Deserialize)]
pub struct Proof {
    /// The proof that it was given.
    v: Option<String>,
}

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
        Err(failure) => {
            debug!(user = %slot.owner, id, ?failure, "a file was not taken");
            failure.into_response()
        }
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
#[derive(Debug)]
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

const OVER: Failure = Failure::Client(StatusCode::CONFLICT, "the slot has been used");
const NO_ROOM: Failure = Failure::Client(StatusCode::INSUFFICIENT_STORAGE, "there is no room for the file");

async fn receive(web: &Web, host: &WebHost, slot: &Slot, body: Body) -> Result<(), Failure> {
    let Some(config) = &host.upload else { return Err(Failure::Ours) };
    let ours = |error: io::Error| {
        error!(%error, user = %slot.owner, "an uploaded file could not be stored");
        if error.kind() == io::ErrorKind::StorageFull { NO_ROOM } else { Failure::Ours }
    };
    let (store, domain) = (web.shared.engine.store.as_ref(), config.domain.as_str());
    let broken = |error: StoreError| ours(io::Error::other(error));
    if ledger::find(store, domain, &slot.id).await.map_err(broken)?.is_some() {
        return Err(OVER);
    }
    // The quota is looked at again when the file is there. Before that, all that is on its way counts, lest it fill the disk.
    let used = ledger::used(store, domain, &slot.owner).await.map_err(broken)?;
    let _promise = web.underway.promise(config, &slot.owner, used, slot.size).ok_or(NO_ROOM)?;
    let mut arriving = web.files.receive(domain, &slot.id, slot.size).await.map_err(|error| match error.kind() {
        io::ErrorKind::AlreadyExists => OVER,
        _ => ours(error),
    })?;
    pour(body, slot.size, &mut arriving, PATIENCE).await.map_err(|ended| match ended {
        Ended::Broken(error) => ours(error),
        Ended::Peer(status, text) => Failure::Client(status, text),
    })?;
    arriving.complete().await.map_err(ours)?;
    let entered = ledger::enter(store, domain, &File::of(slot), &config.quota).await;
    let position = entered.map_err(|error| match error {
        NotEntered::Taken => OVER,
        NotEntered::Full(_) => NO_ROOM,
        NotEntered::Store(error) => broken(error),
    })?;
    store.durable(position).await.map_err(broken)?;
    arriving.settle().await.map_err(ours)
}

/// Why not all of a file came.
#[derive(Debug)]
enum Ended {
    /// The client did something wrong.
    Peer(StatusCode, &'static str),
    /// What has come could not be kept.
    Broken(io::Error),
}

/// Brings all of a body, which must have that many bytes, to where it is kept.
async fn pour(body: Body, size: u64, arriving: &mut Arriving, patience: Duration) -> Result<(), Ended> {
    let mut pace = Pace::new(Instant::now(), patience);
    let mut chunks = body.into_data_stream();
    loop {
        let chunk = match timeout_at(pace.deadline(Instant::now()), chunks.next()).await {
            Ok(Some(Ok(chunk))) => chunk,
            Ok(None) => break,
            Ok(Some(Err(_))) => return Err(Ended::Peer(StatusCode::BAD_REQUEST, "the upload was broken off")),
            Err(_) => return Err(Ended::Peer(StatusCode::REQUEST_TIMEOUT, "the upload is too slow")),
        };
        pace.moved(chunk.len() as u64);
        if pace.bytes() > size {
            return Err(Ended::Peer(StatusCode::PAYLOAD_TOO_LARGE, "the file is longer than the slot"));
        }
        arriving.write(chunk).await.map_err(Ended::Broken)?;
    }
    match pace.bytes() == size {
        true => Ok(()),
        false => Err(Ended::Peer(StatusCode::BAD_REQUEST, "the file is shorter than the slot")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::files::{Directory, Files};
    use bytes::Bytes;
    use futures_util::stream::{self, Stream};
    use std::path::Path;

    const SHORT: Duration = Duration::from_millis(30);

    /// What becomes of a file of so many bytes with this body, and what is left of it.
    async fn sent(
        size: u64,
        body: impl Stream<Item = &'static str> + Send + 'static,
        patience: Duration,
    ) -> (u16, usize) {
        let directory = tempfile::tempdir().unwrap();
        let files = Files::Directory(Directory::new(directory.path().to_owned()));
        let mut arriving = files.receive("upload.example.org", "006553f100-aBcDeFgHiJkLmNoP", size).await.unwrap();
        let body = body.map(|piece| Ok::<_, io::Error>(Bytes::from_static(piece.as_bytes())));
        let outcome = pour(Body::from_stream(body), size, &mut arriving, patience).await;
        drop(arriving);
        let status = match outcome {
            Ok(()) => 201,
            Err(Ended::Peer(status, _)) => status.as_u16(),
            Err(Ended::Broken(error)) => panic!("{error}"),
        };
        (status, left(&directory.path().join("incoming")))
    }

    fn left(incoming: &Path) -> usize {
        std::fs::read_dir(incoming).unwrap().count()
    }

    #[tokio::test]
    async fn a_byte_now_and_then_is_too_slow_and_leaves_nothing() {
        let bytes = stream::repeat("x").then(async |byte| {
            tokio::time::sleep(Duration::from_millis(1)).await;
            byte
        });
        assert_eq!(sent(100 << 20, bytes, SHORT).await, (408, 0));
    }

    #[tokio::test]
    async fn what_stops_is_given_up_and_leaves_nothing() {
        let stops = stream::iter(["the beginning"]).chain(stream::pending());
        assert_eq!(sent(1 << 20, stops, SHORT).await, (408, 0));
    }

    #[tokio::test]
    async fn what_is_longer_or_shorter_than_was_said_leaves_nothing() {
        for (pieces, status) in
            [(vec!["123", "456"], 413), (vec!["1234"], 400), (vec![], 400), (vec!["123", "45"], 201)]
        {
            assert_eq!(sent(5, stream::iter(pieces), PATIENCE).await, (status, 0));
        }
    }
}
