//! Where the files of uploads lie: a directory, or a bucket of an S3-compatible store.
//!
//! A file arrives in pieces, is made safe (`complete`), is then entered in the ledger by the caller, and moved to its place
//! (`settle`). Whatever stops before it is entered leaves nothing.

mod bucket;
mod client;
mod directory;

pub use bucket::Bucket;
pub use directory::Directory;

use axum::body::Body;
use axum::extract::Request;
use axum::http::header::RANGE;
use axum::response::Response;
use bytes::Bytes;
use mime::Mime;
use std::io;

pub enum Files {
    Directory(Directory),
    Bucket(Bucket),
}

/// A file on its way. Unless it arrives it leaves nothing.
pub enum Arriving {
    Directory(directory::Arriving),
    Bucket(Box<bucket::Arriving>),
}

impl Files {
    /// A place for a file of `size` bytes, under an id that belongs to the upload service at `domain`.
    ///
    /// Errors: `AlreadyExists` if a file of that id is on its way, or is there.
    pub async fn receive(&self, domain: &str, id: &str, size: u64) -> io::Result<Arriving> {
        match self {
            Files::Directory(files) => files.receive(id).await.map(Arriving::Directory),
            Files::Bucket(files) => files.receive(domain, id, size).await.map(Box::new).map(Arriving::Bucket),
        }
    }

    /// Answers a GET or HEAD for a file, of which a part may be asked for.
    pub async fn give(&self, id: &str, kind: &Mime, request: Request) -> io::Result<Response<Body>> {
        match self {
            Files::Directory(files) => Ok(files.give(id, kind, request).await),
            Files::Bucket(files) => files.give(id, kind, request.method(), request.headers().get(RANGE)).await,
        }
    }

    /// Removes a file; fine if there is none.
    pub async fn remove(&self, id: &str) -> io::Result<()> {
        match self {
            Files::Directory(files) => files.remove(id).await,
            Files::Bucket(files) => files.remove(id).await,
        }
    }
}

impl Arriving {
    /// Takes a piece. Returns when there is room for another one.
    pub async fn write(&mut self, piece: Bytes) -> io::Result<()> {
        match self {
            Arriving::Directory(file) => file.write(&piece).await,
            Arriving::Bucket(file) => file.write(piece).await,
        }
    }

    /// There are no more pieces: returns when all of them are safe.
    pub async fn complete(&mut self) -> io::Result<()> {
        match self {
            Arriving::Directory(file) => file.complete().await,
            Arriving::Bucket(file) => file.complete().await,
        }
    }

    /// The ledger has it: from now on it can be fetched.
    pub async fn settle(self) -> io::Result<()> {
        match self {
            Arriving::Directory(file) => file.settle().await,
            Arriving::Bucket(file) => {
                file.settle();
                Ok(())
            }
        }
    }
}
