//! The server as a whole: put together, run, and taken down again in order.

mod admin;
mod assemble;
mod channels;
mod invitations;
mod ports;
mod retention;
mod rooms;
mod token_key;
mod users;

pub use admin::{Offline, Operator};
pub use assemble::{abouts, open_store};

use crate::admin::AdminSocket;
use crate::config::{Config, Loaded};
use crate::engine::Engine;
use crate::http::{Web, listen_http, sweep_forever};
use crate::net::{Kind, Shared, listen};
use crate::s2s::{Federation, carry_all};
use crate::startup::{Facts, banner, bind_all, reloads, runtime, stop_requested};
use crate::store::Database;
use crate::telemetry::{Health, MetricsHandle, init_logs, init_metrics, serve_http};
use crate::tls::Tls;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::{Duration, SystemTime};
use tokio::sync::watch;
use tracing::{error, info, warn};
use wire::stream::{StreamCondition, StreamError};

/// Runs the server until it is told to stop. Every error is one line for the operator.
pub fn run(loaded: Loaded) -> Result<(), String> {
    let logs = init_logs(&loaded.config.log)?;
    let metrics = init_metrics()?;
    let runtime = runtime(&loaded.config).map_err(|error| format!("cannot start threads: {error}"))?;
    let store = open_store(&loaded.config)?;
    let outcome = runtime.block_on(serve(loaded, store.clone(), logs, metrics));
    // Whatever tasks are left must not hold the store open.
    runtime.shutdown_timeout(Duration::from_secs(5));
    store.close().map_err(|error| format!("the store could not be closed cleanly: {error}"))?;
    outcome
}

/// How long connections get to say goodbye when the server stops.
const FAREWELL: Duration = Duration::from_secs(10);

/// How much of it clients wait for other servers: what cannot be delivered any more comes back to them.
const SERVERS_FIRST: Duration = Duration::from_secs(3);

async fn serve(
    loaded: Loaded,
    store: Arc<Database>,
    logs: crate::telemetry::LogHandle,
    metrics: MetricsHandle,
) -> Result<(), String> {
    let Loaded { config, source } = loaded;
    let config = Arc::new(config);
    // Ports first: a taken one is the most likely mistake, and nothing has been made yet.
    let listeners = Listeners::bind(&config)?;
    let tls = Tls::load(&config, SystemTime::now()).map_err(|error| error.to_string())?;
    let over_http = assemble::over_http(&config, store.as_ref(), listeners.https_port()).await?;
    let tokens = token_key::token_key(&config)?;
    let engine = assemble::engine(&config, store.clone(), &over_http, listeners.https_port(), tokens).await?;
    let engine = Arc::new(engine);
    let (federation, lines) = match config.federation.enabled {
        true => Federation::new(&config.federation).map(|(federation, lines)| (Some(federation), Some(lines)))?,
        false => (None, None),
    };
    if let Some(federation) = &federation {
        // The engine is new: there is no other.
        let _ = engine.federation.set(federation.clone());
    }
    let (stop, stopping) = watch::channel(false);
    let (close, closing) = watch::channel(false);
    let shared = Arc::new(assemble::shared(&config, engine.clone(), tls, federation.clone(), stopping.clone()).await?);
    let carrying =
        federation.zip(lines).map(|(federation, lines)| tokio::spawn(carry_all(shared.clone(), federation, lines)));
    engine.restore_sessions().await.map_err(|error| format!("the store cannot be used: {error}"))?;
    if let Some(federation) = &shared.federation {
        federation.restore(store.as_ref()).await.map_err(|error| format!("the store cannot be used: {error}"))?;
    }
    let port = listeners.https_port().unwrap_or_default();
    let web = Arc::new(Web::new(shared.clone(), config.clone(), over_http.uploads, over_http.endpoints, port)?);
    let listening = listeners.addresses();
    let (health, watched_health) = watch::channel(Health::Starting);
    let mut accepting = listeners.start(&shared, &web, metrics, watched_health)?;
    accepting.spawn(sweep_forever(web));
    let operator = Operator::new(config.clone(), store, shared.clone(), logs, listening.clone());
    let accounts = operator.count_accounts().await.map_err(|error| error.to_string())?;
    let socket = AdminSocket::open(&config.admin_socket()).map_err(|error| error.to_string())?;
    let administration = tokio::spawn(async move { socket.serve(Arc::new(operator)).await });
    let stop_signal = stop_requested().map_err(|error| format!("cannot listen for signals: {error}"))?;
    let sleepers = tokio::spawn({
        let engine = engine.clone();
        async move { engine.end_sleepers().await }
    });
    let waking = tokio::spawn({
        let (engine, patience) = (engine.clone(), config.limits.session.wake_after.get());
        async move { engine.wake_restored(patience).await }
    });
    let expiring = tokio::spawn({
        let engine = engine.clone();
        async move { engine.expire_forever().await }
    });
    let keeping = tokio::spawn({
        let (engine, closing) = (engine.clone(), closing);
        async move {
            engine.greet_residents().await;
            engine.keep_appointments(closing).await;
        }
    });
    let reloading = tokio::spawn(reload_at_hangup(shared.clone(), config.clone()));
    let certificates = config.hosts.keys().map(|d| shared.tls.host(Some(d.as_str())).certificate().clone()).collect();
    eprintln!("{}", banner(&config, &Facts { source, listening, certificates, accounts }));
    info!("serving");
    let _ = health.send(Health::Serving);

    let why = stop_signal.await;
    info!(signal = why, "stopping");
    let _ = health.send(Health::Stopping);
    administration.abort();
    reloading.abort();
    sleepers.abort();
    waking.abort();
    expiring.abort();
    let _ = close.send(true);
    let _ = keeping.await;
    engine.dismiss_residents().await;
    let _ = stop.send(true);
    take_down(&engine, &shared, carrying).await;
    accepting.shutdown().await;
    info!("stopped");
    Ok(())
}

/// Ends every stream with `system-shutdown` (RFC 6120 section 4.9.3.23) and waits until they are gone.
async fn take_down(engine: &Engine, shared: &Shared, mut carrying: Option<tokio::task::JoinHandle<()>>) {
    if let Some(servers) = &mut carrying
        && tokio::time::timeout(SERVERS_FIRST, servers).await.is_ok()
    {
        carrying = None;
    }
    let goodbye = StreamError::from(StreamCondition::SystemShutdown);
    for entry in engine.awake.all() {
        engine.part_all(&entry, &goodbye).await;
    }
    engine.domains.connected().iter().for_each(|outbox| outbox.end(goodbye.clone()));
    let all_gone = async {
        shared.open.drained().await;
        if let Some(carrying) = carrying {
            let _ = carrying.await;
        }
    };
    if tokio::time::timeout(FAREWELL, all_gone).await.is_err() {
        warn!(connections = shared.open.connections(), "some peers did not say goodbye in time");
    }
    engine.put_away().await;
}

async fn reload_at_hangup(shared: Arc<Shared>, config: Arc<Config>) {
    let Ok(mut hangups) = reloads() else { return };
    loop {
        hangups.next().await;
        match shared.tls.reload(&config, SystemTime::now()) {
            Ok(()) => info!("certificates have been read anew"),
            Err(error) => error!(%error, "certificates could not be read anew; the old ones stay in use"),
        }
        if let Some(Err(error)) = shared.federation.as_ref().map(|federation| federation.reload()) {
            error!(%error, "the denied domains could not be read anew; the old ones stay denied");
        }
    }
}

/// The open ports.
struct Listeners {
    streams: Vec<(&'static str, Kind, TcpListener)>,
    /// With TLS or without.
    web: Vec<(bool, TcpListener)>,
    metrics: Vec<TcpListener>,
}

impl Listeners {
    fn bind(config: &Config) -> Result<Listeners, String> {
        let listen = &config.listen;
        let mut ports = vec![("c2s", Kind::Client, &listen.c2s), ("c2s_tls", Kind::ClientTls, &listen.c2s_tls)];
        if config.federation.enabled {
            ports.push(("s2s", Kind::Server, &listen.s2s));
            ports.push(("s2s_tls", Kind::ServerTls, &listen.s2s_tls));
        }
        if !config.components.is_empty() {
            ports.push(("component", Kind::Component, &listen.component));
        }
        let mut streams = Vec::new();
        for (name, kind, on) in ports {
            let bound = bind_all(&format!("listen.{name}"), &on.addresses).map_err(|error| error.to_string())?;
            streams.extend(bound.into_iter().map(|listener| (name, kind, listener)));
        }
        let metrics = bind_all("listen.metrics", &listen.metrics.addresses).map_err(|error| error.to_string())?;
        let mut web = Vec::new();
        for (name, tls, on) in [("https", true, &listen.https), ("http", false, &listen.http)] {
            let bound = bind_all(&format!("listen.{name}"), &on.addresses).map_err(|error| error.to_string())?;
            web.extend(bound.into_iter().map(|listener| (tls, listener)));
        }
        Ok(Listeners { streams, web, metrics })
    }

    fn addresses(&self) -> Vec<(&'static str, SocketAddr)> {
        let streams = self.streams.iter().map(|(name, _, listener)| (*name, listener));
        let web = self.web.iter().map(|(tls, listener)| (if *tls { "https" } else { "http" }, listener));
        let metrics = self.metrics.iter().map(|listener| ("metrics", listener));
        streams
            .chain(web)
            .chain(metrics)
            .filter_map(|(name, listener)| Some((name, listener.local_addr().ok()?)))
            .collect()
    }

    /// The port of HTTP over TLS.
    fn https_port(&self) -> Option<u16> {
        self.web.iter().find(|(tls, _)| *tls).and_then(|(_, listener)| Some(listener.local_addr().ok()?.port()))
    }

    fn start(
        self,
        shared: &Arc<Shared>,
        web: &Arc<Web>,
        metrics: MetricsHandle,
        health: watch::Receiver<Health>,
    ) -> Result<tokio::task::JoinSet<()>, String> {
        let asynchronous = |listener: TcpListener| {
            listener.set_nonblocking(true)?;
            tokio::net::TcpListener::from_std(listener)
        };
        let failed = |error: std::io::Error| format!("cannot listen: {error}");
        let mut tasks = tokio::task::JoinSet::new();
        for (_, kind, listener) in self.streams {
            tasks.spawn(listen(shared.clone(), asynchronous(listener).map_err(failed)?, kind));
        }
        for (tls, listener) in self.web {
            tasks.spawn(listen_http(web.clone(), asynchronous(listener).map_err(failed)?, tls));
        }
        for listener in self.metrics {
            tasks.spawn(serve_http(asynchronous(listener).map_err(failed)?, metrics.clone(), health.clone()));
        }
        // Histograms grow until they are rendered or tended.
        tasks.spawn(async move {
            loop {
                tokio::time::sleep(Duration::from_secs(5)).await;
                metrics.upkeep();
            }
        });
        Ok(tasks)
    }
}

#[cfg(test)]
mod tests;
