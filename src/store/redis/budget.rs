//! Shared budgets of calls.

use std::time::Duration;

use super::script::{GRANT, PAUSE};
use super::{RedisStore, ms, read};
use crate::store::{Grant, Rate, StoreError};

impl RedisStore {
    /// See [`Store::grant`](crate::store::Store::grant).
    pub(super) async fn take_calls(
        &self,
        budget: &str,
        rate: Rate,
        want: u32,
    ) -> Result<Grant, StoreError> {
        let burst = rate.burst.clamp(1, rate.calls.max(1));
        // A burst that is the whole budget leaves no flow; one call in each period still comes,
        // when the burst is a period old.
        let flow = rate.calls.saturating_sub(burst).max(1);
        let gap = rate.per.as_secs_f64() * 1000.0 / f64::from(flow);
        let call = GRANT
            .on(&[self.names.budget(budget)])
            .arg(self.now())
            .arg(format!("{gap:.6}"))
            .arg(burst)
            .arg(want.max(1));
        let (calls, wait): (u32, u64) = read("grant", call.run(&self.connection).await)?;
        Ok(match calls {
            0 => Grant::Wait(Duration::from_millis(wait.max(1))),
            calls => Grant::Calls(calls),
        })
    }

    /// See [`Store::pause`](crate::store::Store::pause).
    pub(super) async fn close_budget(
        &self,
        budget: &str,
        pause: Duration,
    ) -> Result<(), StoreError> {
        let call = PAUSE.on(&[self.names.budget(budget)]).arg(self.now()).arg(ms(pause));
        read("pause", call.run(&self.connection).await)
    }
}
