//! Takes away sessions and tokens that count no more, and says when a token is about to expire.

use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tokio_util::sync::CancellationToken;

use crate::access::sessions::Lasting;
use crate::access::{sessions, tokens};
use crate::clock::Clock;
use crate::store::{Grant, Rate, Store, StoreError};

/// How often.
const EACH: Duration = Duration::from_secs(3600);

/// Once an hour, of all processes on the store.
const RATE: Rate = Rate { calls: 1, per: EACH, burst: 1 };

/// How long before its end a token is told of.
const SOON: SignedDuration = SignedDuration::from_hours(7 * 24);

/// Sweeps until it is told to stop.
pub(super) async fn keep_clean(
    store: Arc<dyn Store>,
    lasting: Lasting,
    clock: Clock,
    stop: CancellationToken,
) {
    loop {
        if let Err(error) = sweep(&*store, lasting, clock.now()).await {
            tracing::debug!(error = &error as &dyn std::error::Error, "nothing was swept");
        }
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(EACH) => {}
        }
    }
}

async fn sweep(store: &dyn Store, lasting: Lasting, now: Timestamp) -> Result<(), StoreError> {
    let Grant::Calls(_) = store.grant("sweep", RATE, 1).await? else { return Ok(()) };
    sessions::sweep(store, lasting, now).await?;
    tokens::sweep(store, now).await?;
    for token in tokens::tokens(store).await? {
        let left = token.expires.duration_since(now);
        if left > SignedDuration::ZERO && left < SOON {
            let (token, expires) = (token.name, token.expires.to_string());
            tracing::warn!(token, expires, "a token is about to expire: make another one");
        }
    }
    Ok(())
}
