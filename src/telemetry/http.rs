//! A small HTTP server for the operator: `GET /metrics` and `GET /healthz`, nothing else.

use super::MetricsHandle;
use http_body_util::Full;
use hyper::{
    Method, Request, Response, StatusCode, body::Bytes, body::Incoming, header, server::conn::http1,
    service::service_fn,
};
use hyper_util::rt::{TokioIo, TokioTimer};
use std::{convert::Infallible, io, sync::Arc, time::Duration};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{Semaphore, watch},
    time::{sleep, timeout},
};

/// Whether the server does its work.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Health {
    /// Not yet: 503.
    Starting,
    /// Yes: 200.
    Serving,
    /// Not any more: 503.
    Stopping,
}

/// Connections at one time; more wait until one of these ends.
const CONNECTIONS: usize = 32;

/// A connection that lasts longer is closed, whatever it does.
const LONGEST_CONNECTION: Duration = Duration::from_secs(300);

/// A request's head must be there within this time.
const HEAD_DEADLINE: Duration = Duration::from_secs(10);

/// Answers on `listener` for as long as the future is polled.
pub async fn serve_http(listener: TcpListener, metrics: MetricsHandle, health: watch::Receiver<Health>) {
    let places = Arc::new(Semaphore::new(CONNECTIONS));
    loop {
        let Ok(place) = places.clone().acquire_owned().await else { return };
        match listener.accept().await {
            Ok((stream, _)) => {
                let (metrics, health) = (metrics.clone(), health.clone());
                tokio::spawn(async move {
                    let _ = timeout(LONGEST_CONNECTION, connection(stream, metrics, health)).await;
                    drop(place);
                });
            }
            Err(error) => pause_after(&error).await,
        }
    }
}

/// An accept fails for the peer's reasons (go on) or for want of file descriptors (wait for some to be freed).
async fn pause_after(error: &io::Error) {
    tracing::debug!(%error, "a connection to the HTTP listener could not be accepted");
    sleep(Duration::from_millis(100)).await;
}

async fn connection(stream: TcpStream, metrics: MetricsHandle, health: watch::Receiver<Health>) {
    let answer = service_fn(|request: Request<Incoming>| {
        let response = respond(request.method(), request.uri().path(), *health.borrow(), || metrics.render());
        async move { Ok::<_, Infallible>(response) }
    });
    let served = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_DEADLINE)
        .serve_connection(TokioIo::new(stream), answer)
        .await;
    if let Err(error) = served {
        tracing::debug!(%error, "a connection to the HTTP listener ended badly");
    }
}

fn respond(method: &Method, path: &str, health: Health, render: impl FnOnce() -> String) -> Response<Full<Bytes>> {
    let (status, body) = match (path, method == Method::GET || method == Method::HEAD) {
        ("/metrics" | "/healthz", false) => (StatusCode::METHOD_NOT_ALLOWED, "only GET is possible\n".to_owned()),
        ("/metrics", true) => (StatusCode::OK, render()),
        ("/healthz", true) => match health {
            Health::Serving => (StatusCode::OK, "serving\n".to_owned()),
            Health::Starting => (StatusCode::SERVICE_UNAVAILABLE, "starting\n".to_owned()),
            Health::Stopping => (StatusCode::SERVICE_UNAVAILABLE, "stopping\n".to_owned()),
        },
        _ => (StatusCode::NOT_FOUND, "here are /metrics and /healthz\n".to_owned()),
    };
    let mut response = Response::new(Full::new(Bytes::from(body)));
    *response.status_mut() = status;
    let text = header::HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");
    response.headers_mut().insert(header::CONTENT_TYPE, text);
    if status == StatusCode::METHOD_NOT_ALLOWED {
        response.headers_mut().insert(header::ALLOW, header::HeaderValue::from_static("GET, HEAD"));
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    async fn ask(listener: std::net::SocketAddr, request: &str) -> String {
        let mut stream = TcpStream::connect(listener).await.unwrap();
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        answer
    }

    #[tokio::test]
    async fn metrics_and_health_are_served_and_nothing_else() {
        let metrics = super::super::init_metrics().unwrap();
        metrics::counter!("oriole_test_total").increment(3);
        let (health, watching) = watch::channel(Health::Starting);
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(serve_http(listener, metrics, watching));

        let get = |path: &str| format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
        let answer = ask(address, &get("/metrics")).await;
        assert!(answer.starts_with("HTTP/1.1 200 ") && answer.contains("oriole_test_total 3"), "{answer}");
        assert!(ask(address, &get("/healthz")).await.starts_with("HTTP/1.1 503 "));
        health.send(Health::Serving).unwrap();
        assert!(ask(address, &get("/healthz")).await.starts_with("HTTP/1.1 200 "));
        assert!(ask(address, &get("/etc/passwd")).await.starts_with("HTTP/1.1 404 "));
        let post = "POST /metrics HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
        assert!(ask(address, post).await.starts_with("HTTP/1.1 405 "));
        assert!(ask(address, "nonsense\r\n\r\n").await.starts_with("HTTP/1.1 400 "));
    }
}
