//! Files in a bucket of an S3-compatible store.
//!
//! The size of a file is known before its first byte, so it is one PUT that is streamed through: the object is there when all
//! of it is, and never in part, and no piece of it has to be kept for a second attempt. An id is claimed in the ledger before
//! that, so that nothing of a file can be forgotten, nor be replaced: what a crash leaves behind has a claim and is no file.

use super::client::Client;
use crate::config::S3;
use axum::body::Body;
use axum::http::{HeaderMap, HeaderValue, Method, Request, StatusCode, header};
use axum::response::Response;
use bytes::Bytes;
use futures_util::stream;
use mime::Mime;
use rusty_s3::{Credentials, S3Action, UrlStyle};
use std::io;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tracing::warn;
use xeps::store::Store;
use xeps::upload::ledger;

/// How long a signed request may be begun. Clocks differ.
const SIGNED_FOR: Duration = Duration::from_secs(900);
/// The pause after which an answer is no longer waited for.
const PATIENCE: Duration = Duration::from_secs(60);
/// Pieces that wait to be sent on.
const WAITING: usize = 2;

pub struct Bucket(Arc<Inner>);

struct Inner {
    bucket: rusty_s3::Bucket,
    credentials: Credentials,
    prefix: String,
    client: Client,
    store: Arc<dyn Store>,
}

/// An object that is being sent.
pub struct Arriving {
    bucket: Arc<Inner>,
    domain: String,
    id: String,
    /// None: there is no more to send.
    pieces: Option<mpsc::Sender<Bytes>>,
    answer: JoinHandle<io::Result<()>>,
    settled: bool,
}

impl Bucket {
    pub fn new(config: &S3, store: Arc<dyn Store>) -> Result<Bucket, String> {
        let wrong = |error: &dyn std::fmt::Display| format!("http.s3: {error}");
        let endpoint = config.endpoint.parse().map_err(|error| wrong(&error))?;
        let style = if config.path_style { UrlStyle::Path } else { UrlStyle::VirtualHost };
        let bucket = rusty_s3::Bucket::new(endpoint, style, config.bucket.clone(), config.region.clone());
        let secret = config.read_secret_key().map_err(|error| wrong(&error))?;
        Ok(Bucket(Arc::new(Inner {
            bucket: bucket.map_err(|error| wrong(&error))?,
            credentials: Credentials::new(config.access_key.clone(), secret.expose()),
            prefix: config.prefix.clone(),
            client: Client::new().map_err(|error| wrong(&error))?,
            store,
        })))
    }

    pub async fn receive(&self, domain: &str, id: &str, size: u64) -> io::Result<Arriving> {
        let taken = || io::Error::from(io::ErrorKind::AlreadyExists);
        let inner = &self.0;
        let claimed = ledger::claim(inner.store.as_ref(), domain, id).await.map_err(io::Error::other)?;
        inner.store.durable(claimed.ok_or_else(taken)?).await.map_err(io::Error::other)?;
        let (pieces, waiting) = mpsc::channel(WAITING);
        let answer = tokio::spawn(put(inner.clone(), id.to_owned(), size, waiting));
        let (domain, id, pieces) = (domain.to_owned(), id.to_owned(), Some(pieces));
        Ok(Arriving { bucket: inner.clone(), domain, id, pieces, answer, settled: false })
    }

    pub async fn give(
        &self,
        id: &str,
        kind: &Mime,
        method: &Method,
        range: Option<&HeaderValue>,
    ) -> io::Result<Response<Body>> {
        let inner = &self.0;
        let key = inner.key(id);
        let url = match *method {
            Method::HEAD => inner.bucket.head_object(Some(&inner.credentials), &key).sign(SIGNED_FOR),
            _ => inner.bucket.get_object(Some(&inner.credentials), &key).sign(SIGNED_FOR),
        };
        let mut asked = request(method.clone(), url.as_str(), Body::empty())?;
        if let Some(range) = range {
            asked.headers_mut().insert(header::RANGE, range.clone());
        }
        let late = |_| io::Error::new(io::ErrorKind::TimedOut, "the object store does not answer");
        let answer = tokio::time::timeout(PATIENCE, inner.client.send(asked)).await.map_err(late)??;
        let (head, body) = answer.into_parts();
        let body = match head.status {
            StatusCode::OK | StatusCode::PARTIAL_CONTENT => Body::new(body),
            StatusCode::RANGE_NOT_SATISFIABLE | StatusCode::NOT_FOUND => Body::empty(),
            status => return Err(refused(status)),
        };
        let mut response = Response::new(body);
        *response.status_mut() = head.status;
        response.headers_mut().extend(passed_on(&head.headers, head.status));
        if head.status.is_success() {
            let kind = kind.as_ref().parse().map_err(io::Error::other)?;
            response.headers_mut().insert(header::CONTENT_TYPE, kind);
        }
        Ok(response)
    }

    pub async fn remove(&self, id: &str) -> io::Result<()> {
        self.0.remove(id).await
    }

    /// Removes what is there of files that were on their way when the server ended.
    pub async fn clear(&self, domain: &str) -> io::Result<()> {
        for id in ledger::claims(self.0.store.as_ref(), domain).await.map_err(io::Error::other)? {
            self.0.abandon(domain, &id).await?;
        }
        Ok(())
    }
}

impl Inner {
    fn key(&self, id: &str) -> String {
        format!("{}{id}", self.prefix)
    }

    async fn remove(&self, id: &str) -> io::Result<()> {
        let url = self.bucket.delete_object(Some(&self.credentials), &self.key(id)).sign(SIGNED_FOR);
        let request = request(Method::DELETE, url.as_str(), Body::empty())?;
        match self.client.send(request).await?.status() {
            status if status.is_success() || status == StatusCode::NOT_FOUND => Ok(()),
            status => Err(refused(status)),
        }
    }

    /// Removes an object that is no file, and then its claim.
    async fn abandon(&self, domain: &str, id: &str) -> io::Result<()> {
        self.remove(id).await?;
        ledger::give_up(self.store.as_ref(), domain, id).await.map_err(io::Error::other)
    }
}

impl Arriving {
    pub async fn write(&mut self, piece: Bytes) -> io::Result<()> {
        let Some(pieces) = &self.pieces else { return Err(io::ErrorKind::BrokenPipe.into()) };
        match pieces.send(piece).await {
            Ok(()) => Ok(()),
            // The store has answered before it had everything.
            Err(_) => Err(self.complete().await.err().unwrap_or(io::ErrorKind::BrokenPipe.into())),
        }
    }

    pub async fn complete(&mut self) -> io::Result<()> {
        self.pieces = None;
        match tokio::time::timeout(PATIENCE, &mut self.answer).await {
            Ok(Ok(outcome)) => outcome,
            Ok(Err(error)) => Err(io::Error::other(error)),
            Err(_) => Err(io::Error::new(io::ErrorKind::TimedOut, "the object store does not answer")),
        }
    }

    /// The claim has become a file.
    pub fn settle(mut self) {
        self.settled = true;
    }
}

impl Drop for Arriving {
    fn drop(&mut self) {
        if self.settled {
            return;
        }
        self.answer.abort();
        let (bucket, domain, id) =
            (self.bucket.clone(), std::mem::take(&mut self.domain), std::mem::take(&mut self.id));
        tokio::spawn(async move {
            // What was entered in the last moment is a file, and has no claim any more.
            let entered = ledger::find(bucket.store.as_ref(), &domain, &id).await;
            if matches!(entered, Ok(None))
                && let Err(error) = bucket.abandon(&domain, &id).await
            {
                warn!(%error, id, "an interrupted upload could not be removed; the next start tries again");
            }
        });
    }
}

async fn put(inner: Arc<Inner>, id: String, size: u64, waiting: mpsc::Receiver<Bytes>) -> io::Result<()> {
    let url = inner.bucket.put_object(Some(&inner.credentials), &inner.key(&id)).sign(SIGNED_FOR);
    let pieces = stream::unfold(waiting, async |mut waiting| {
        let piece = waiting.recv().await?;
        Some((Ok::<_, io::Error>(piece), waiting))
    });
    let mut request = request(Method::PUT, url.as_str(), Body::from_stream(pieces))?;
    request.headers_mut().insert(header::CONTENT_LENGTH, size.into());
    match inner.client.send(request).await?.status() {
        status if status.is_success() => Ok(()),
        status => Err(refused(status)),
    }
}

fn request(method: Method, url: &str, body: Body) -> io::Result<Request<Body>> {
    Request::builder().method(method).uri(url).body(body).map_err(io::Error::other)
}

/// What the client has to know of the object store's answer.
fn passed_on(headers: &HeaderMap, status: StatusCode) -> HeaderMap {
    let mut fields = HeaderMap::new();
    let length = status.is_success().then_some(header::CONTENT_LENGTH);
    for name in length.into_iter().chain([header::CONTENT_RANGE]) {
        if let Some(value) = headers.get(&name) {
            fields.insert(name, value.clone());
        }
    }
    fields.insert(header::ACCEPT_RANGES, HeaderValue::from_static("bytes"));
    fields
}

fn refused(status: StatusCode) -> io::Error {
    io::Error::other(format!("the object store answers {status}"))
}
