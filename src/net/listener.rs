//! Accepting connections.

use super::{Place, Shared, established, negotiate};
use crate::s2s;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tracing::{Instrument, warn};

/// What comes in on a port.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Clients that secure the stream with STARTTLS.
    Client,
    /// Clients with TLS from the first byte.
    ClientTls,
    /// Clients over HTTP, encrypted on their way here or not. They come in another way than by [`listen`].
    Carried { encrypted: bool },
    /// External components.
    Component,
    /// Other servers that secure the stream with STARTTLS.
    Server,
    /// Other servers with TLS from the first byte.
    ServerTls,
}

/// Accepts connections until the server stops.
pub async fn listen(shared: Arc<Shared>, listener: TcpListener, kind: Kind) {
    let mut stopping = shared.stopping.clone();
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            _ = stopping.wait_for(|stop| *stop) => return,
        };
        match accepted {
            Ok((socket, peer)) => admit(&shared, socket, peer, kind),
            Err(error) => {
                // Out of file descriptors, most likely: those that close will make room.
                warn!(%error, "a connection could not be accepted");
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
    }
}

fn admit(shared: &Arc<Shared>, socket: TcpStream, peer: SocketAddr, kind: Kind) {
    let Some(place) = Place::take(shared, peer.ip()) else { return };
    // Stanzas are written whole: waiting for more to send only delays them.
    let _ = socket.set_nodelay(true);
    let shared = shared.clone();
    let span = tracing::info_span!("stream", id = tracing::field::Empty, jid = tracing::field::Empty, %peer);
    tokio::spawn(
        async move {
            if let (Kind::Server | Kind::ServerTls, Some(federation)) = (kind, &shared.federation) {
                Box::pin(s2s::serve(&shared, federation, socket, kind == Kind::ServerTls)).await;
            } else if let Some(connection) =
                // Negotiation needs room that a connection should not hold for the rest of its life.
                Box::pin(negotiate::run(&shared, socket, peer, kind)).await
            {
                established::run(&shared, connection).await;
            }
            drop(place);
        }
        .instrument(span),
    );
}
