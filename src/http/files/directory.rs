//! Files in a directory. They are received into `incoming/`, made durable there, and moved to their place when the ledger has
//! them. A crash leaves a file that the ledger knows, whose move is made good at the next start, or one that goes then.

use axum::body::Body;
use axum::extract::Request;
use axum::response::Response;
use mime::Mime;
use std::io;
use std::path::{Path, PathBuf};
use tokio::fs;
use tokio::io::AsyncWriteExt;
use tower::ServiceExt;
use tower_http::services::ServeFile;
use tracing::warn;

pub struct Directory {
    root: PathBuf,
}

/// A file that is being written.
pub struct Arriving {
    file: fs::File,
    from: PathBuf,
    to: PathBuf,
    settled: bool,
}

impl Directory {
    pub fn new(root: PathBuf) -> Directory {
        Directory { root }
    }

    fn incoming(&self) -> PathBuf {
        self.root.join("incoming")
    }

    /// Where a file lies. Files of the same day or so share a directory.
    fn place(&self, id: &str) -> PathBuf {
        self.root.join(id.get(..6).unwrap_or("other")).join(id)
    }

    pub async fn receive(&self, id: &str) -> io::Result<Arriving> {
        let incoming = self.incoming();
        fs::create_dir_all(&incoming).await?;
        let from = incoming.join(id);
        let file = fs::OpenOptions::new().write(true).create_new(true).open(&from).await?;
        Ok(Arriving { file, from, to: self.place(id), settled: false })
    }

    pub async fn give(&self, id: &str, kind: &Mime, request: Request) -> Response<Body> {
        match ServeFile::new_with_mime(self.place(id), kind).oneshot(request).await {
            Ok(response) => response.map(Body::new),
            Err(never) => match never {},
        }
    }

    pub async fn remove(&self, id: &str) -> io::Result<()> {
        match fs::remove_file(self.place(id)).await {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }

    /// The ids of files that were on their way when the server ended.
    pub async fn interrupted(&self) -> io::Result<Vec<String>> {
        let mut entries = match fs::read_dir(self.incoming()).await {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(error),
        };
        let mut ids = Vec::new();
        while let Some(entry) = entries.next_entry().await? {
            ids.push(entry.file_name().to_string_lossy().into_owned());
        }
        Ok(ids)
    }

    /// Brings one of these to its place.
    pub async fn resume(&self, id: &str) -> io::Result<()> {
        settle(&self.incoming().join(id), &self.place(id)).await
    }

    /// Removes one of these.
    pub async fn abandon(&self, id: &str) -> io::Result<()> {
        fs::remove_file(self.incoming().join(id)).await
    }
}

impl Arriving {
    pub async fn write(&mut self, piece: &[u8]) -> io::Result<()> {
        self.file.write_all(piece).await
    }

    pub async fn complete(&mut self) -> io::Result<()> {
        self.file.flush().await?;
        self.file.sync_all().await
    }

    pub async fn settle(mut self) -> io::Result<()> {
        // It is in the ledger: should the move fail, the next start makes it good.
        self.settled = true;
        settle(&self.from, &self.to).await
    }
}

impl Drop for Arriving {
    fn drop(&mut self) {
        if !self.settled
            && let Err(error) = std::fs::remove_file(&self.from)
        {
            warn!(%error, file = %self.from.display(), "an interrupted upload could not be removed");
        }
    }
}

async fn settle(from: &Path, place: &Path) -> io::Result<()> {
    let Some(directory) = place.parent() else { return Err(io::ErrorKind::NotFound.into()) };
    fs::create_dir_all(directory).await?;
    fs::rename(from, place).await?;
    // The directory's own entry, and, should it be new, its parent's.
    for directory in [Some(directory), directory.parent()].into_iter().flatten() {
        fs::File::open(directory).await?.sync_all().await?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_file_has_a_place_below_the_directory() {
        let place = Directory::new("/data/uploads".into()).place("006553f100-aBcDeFgHiJkLmNoP");
        assert_eq!(place, Path::new("/data/uploads/006553/006553f100-aBcDeFgHiJkLmNoP"));
    }
}
