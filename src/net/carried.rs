//! Streams that are carried by something else than a socket of their own: by a WebSocket (RFC 7395), by HTTP requests
//! (XEP-0206). From here on they are streams like all others.

use super::{Kind, Place, Shared, established, negotiate};
use crate::net::io::Io;
use async_trait::async_trait;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use sync_wrapper::SyncWrapper;
use tracing::Instrument;
use wire::framed::{NotAPiece, Outgoing, Piece, incoming};
use wire::xml::Limits;

/// A transport of whole elements.
#[async_trait]
pub trait Carrier: Send {
    /// The next element from the peer; None when there will be no more. Cancel safe.
    async fn receive(&mut self) -> io::Result<Option<String>>;

    /// Sends pieces in their order.
    async fn send(&mut self, pieces: Vec<Piece>) -> io::Result<()>;

    /// Ends the transport in good order.
    async fn shutdown(&mut self);
}

/// A carrier with what is needed to talk to a stream machine.
pub struct Carried {
    /// Never touched by two at once; a connection's task may move between threads while it is looked at.
    carrier: SyncWrapper<Box<dyn Carrier>>,
    outgoing: Outgoing,
    limits: Limits,
}

/// What no stream may contain: the machine finds out and says so to the peer.
const NOT_WELL_FORMED: &[u8] = b"<\0>";

impl Carried {
    fn new(carrier: Box<dyn Carrier>, limits: Limits) -> Carried {
        Carried { carrier: SyncWrapper::new(carrier), outgoing: Outgoing::default(), limits }
    }

    /// The bytes that the peer's next element is in a stream; None when the peer is gone. Cancel safe.
    pub async fn read(&mut self) -> io::Result<Option<Vec<u8>>> {
        let Some(message) = self.carrier.get_mut().receive().await? else { return Ok(None) };
        Ok(Some(match incoming(&message, &self.limits) {
            Ok(bytes) => bytes,
            // The machine will find the same.
            Err(NotAPiece::Xml(_)) => message.into_bytes(),
            Err(NotAPiece::NotOne) => NOT_WELL_FORMED.to_vec(),
        }))
    }

    pub async fn write(&mut self, output: &[u8]) -> io::Result<()> {
        let pieces = self.outgoing.cut(output).map_err(io::Error::other)?;
        self.carrier.get_mut().send(pieces).await
    }

    pub async fn shutdown(&mut self) {
        self.carrier.get_mut().shutdown().await;
    }
}

/// Runs a stream of a client at this address over a carrier until it is over.
pub async fn carry(shared: Arc<Shared>, carrier: Box<dyn Carrier>, address: IpAddr, encrypted: bool) {
    let Some(_place) = Place::take(&shared, address) else { return };
    let peer = SocketAddr::new(address, 0);
    let span = tracing::info_span!("stream", id = tracing::field::Empty, jid = tracing::field::Empty, %peer);
    let limits = Limits::AFTER_AUTH.with_frame_bytes(shared.limits.stream.stanza.as_usize());
    let io = Io::Carried(Box::new(Carried::new(carrier, limits)));
    async {
        let kind = Kind::Carried { encrypted };
        if let Some(connection) = Box::pin(negotiate::run_carried(&shared, io, peer, kind)).await {
            established::run(&shared, connection).await;
        }
    }
    .instrument(span)
    .await;
}
