//! Accepting HTTP connections, with TLS or without.

use super::origin;
use super::patient::Patient;
use super::{Web, router};
use crate::net::Place;
use crate::tls::Begin;
use axum::Router;
use axum::extract::Request;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tower::ServiceExt as _;
use tracing::{debug, warn};

/// A handshake and a request's head must each be there within this time.
const PATIENCE: Duration = Duration::from_secs(15);

/// The pause after which a client that does not take what it has asked for is given up.
const UNREAD: Duration = Duration::from_secs(120);

/// What is read of a connection before it is passed on, in bytes; a head must fit into it. Memory of each upload.
const BUFFER: usize = 64 << 10;

/// Answers on `listener` until the server stops.
pub async fn listen_http(web: Arc<Web>, listener: TcpListener, tls: bool) {
    let places = Arc::new(Semaphore::new(web.config.http.connections as usize));
    let routes = router(web.clone());
    let mut stopping = web.shared.stopping.clone();
    loop {
        let Ok(place) = places.clone().acquire_owned().await else { return };
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            _ = stopping.wait_for(|stop| *stop) => return,
        };
        match accepted {
            Ok((socket, peer)) => {
                let (web, routes) = (web.clone(), routes.clone());
                tokio::spawn(async move {
                    connection(web, routes, socket, peer, tls).await;
                    drop(place);
                });
            }
            Err(error) => {
                // Out of file descriptors, most likely: those that close will make room.
                warn!(%error, "an HTTP connection could not be accepted");
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
    }
}

async fn connection(web: Arc<Web>, routes: Router, socket: TcpStream, peer: SocketAddr, tls: bool) {
    let Some(_place) = Place::take(&web.shared, peer.ip()) else { return };
    let _ = socket.set_nodelay(true);
    if !tls {
        return talk(&web, routes, socket, peer, false).await;
    }
    let shaken = tokio::time::timeout(PATIENCE, Box::pin(web.shared.tls.accept(socket, Begin::Web, None))).await;
    match shaken {
        Ok(Ok((stream, _))) => talk(&web, routes, stream, peer, true).await,
        Ok(Err(error)) => debug!(%peer, %error, "the TLS handshake failed"),
        Err(_) => debug!(%peer, "the TLS handshake took too long"),
    }
}

async fn talk<S>(web: &Arc<Web>, routes: Router, stream: S, peer: SocketAddr, tls: bool)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let http = web.clone();
    let service = routes.map_request(move |mut request: Request<hyper::body::Incoming>| {
        let client = origin::client(&http.config.http, peer, tls, request.headers());
        request.extensions_mut().insert(client);
        request
    });
    let served = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(PATIENCE)
        .max_buf_size(BUFFER)
        .serve_connection(TokioIo::new(Patient::new(stream, UNREAD)), TowerToHyperService::new(service))
        .with_upgrades();
    let mut stopping = web.shared.stopping.clone();
    let stopped = async move { drop(stopping.wait_for(|stop| *stop).await.map(|_| ())) };
    tokio::pin!(served);
    let outcome = tokio::select! {
        outcome = served.as_mut() => outcome,
        () = stopped => {
            served.as_mut().graceful_shutdown();
            match tokio::time::timeout(PATIENCE, served).await {
                Ok(outcome) => outcome,
                Err(_) => return,
            }
        }
    };
    if let Err(error) = outcome {
        debug!(%peer, %error, "an HTTP connection ended badly");
    }
}
