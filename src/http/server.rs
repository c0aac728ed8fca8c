//! The accept loop: connections are limited in number and in time, and a stop ends by its deadline.
//!
//! `axum::serve` 0.8.9 sets no timer on hyper, so a head that is sent half is waited for for ever
//! and holds up every graceful shutdown. Hence this loop on hyper itself.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt as _;

use super::Limits;
use super::client::Peer;

/// The largest head of a request, in bytes; more is answered 431.
const HEAD: usize = 32 * 1024;

/// How long to rest when a connection cannot be accepted, because files or memory ran out.
const REST: Duration = Duration::from_millis(100);

/// Serves until `shutdown` is cancelled. Then nothing new is accepted, requests under way are
/// answered, and what is still open when `deadline` has passed is cut.
pub async fn serve(
    listener: TcpListener,
    router: Router,
    limits: Limits,
    shutdown: CancellationToken,
    deadline: Duration,
) {
    let mut http = http1::Builder::new();
    // Without a timer hyper would not mind how long a head takes.
    http.timer(TokioTimer::new()).header_read_timeout(limits.head_time);
    // By default a head may grow to 400 kB, on every connection.
    http.max_buf_size(HEAD);
    let seats = Arc::new(Semaphore::new(limits.connections.clamp(1, Semaphore::MAX_PERMITS)));
    let graceful = GracefulShutdown::new();
    let mut open = JoinSet::new();
    loop {
        let (stream, peer, seat) = tokio::select! {
            next = accept(&listener, &seats) => next,
            Some(_) = open.join_next() => continue,
            () = shutdown.cancelled() => break,
        };
        let service = router.clone().map_request(move |mut request: Request<Incoming>| {
            request.extensions_mut().insert(Peer(peer.ip()));
            request
        });
        let service = TowerToHyperService::new(service);
        let connection = graceful.watch(http.serve_connection(TokioIo::new(stream), service));
        open.spawn(async move {
            if let Err(error) = connection.await {
                tracing::debug!(%error, "a connection ended early");
            }
            drop(seat);
        });
    }
    drop(listener);
    if tokio::time::timeout(deadline, graceful.shutdown()).await.is_err() {
        while open.try_join_next().is_some() {}
        tracing::warn!(open = open.len(), "connections were cut at the end of the shutdown time");
    }
    open.shutdown().await;
}

/// Waits for a seat first: who finds none waits in the listener's backlog and costs us nothing.
async fn accept(
    listener: &TcpListener,
    seats: &Arc<Semaphore>,
) -> (TcpStream, SocketAddr, Option<OwnedSemaphorePermit>) {
    let seat = Arc::clone(seats).acquire_owned().await.ok();
    loop {
        match listener.accept().await {
            Ok((stream, peer)) => {
                // Answers are small; waiting to fill a packet would add 40 ms to each.
                let _ = stream.set_nodelay(true);
                return (stream, peer, seat);
            }
            Err(error) => {
                tracing::warn!(%error, "a connection could not be accepted");
                tokio::time::sleep(REST).await;
            }
        }
    }
}
