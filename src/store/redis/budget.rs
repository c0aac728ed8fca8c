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
        if rate.calls == 0 {
            return Ok(Grant::Wait(rate.per.max(Duration::from_millis(1))));
        }
        // A burst of all calls would leave no steady flow, so one call is always kept for it. A
        // single call in each period has no burst, and needs a little more than the period.
        let burst = rate.burst.min(rate.calls - 1).max(1);
        let per = rate.per.as_secs_f64() * 1000.0;
        let gap = match rate.calls - burst {
            0 => per + 1.0,
            flow => per / f64::from(flow),
        };
        let call = GRANT
            .on(&[self.names.budget(budget)])
            .arg(self.now())
            .arg(format!("{gap:.6}"))
            .arg(burst)
            .arg(want.max(1));
        let (calls, pause): (u32, u64) = read("grant", call.run(&self.connection).await)?;
        Ok(match calls {
            0 => Grant::Wait(Duration::from_millis(pause.max(1))),
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
