//! Rate limits: HiBob's window of a minute for each endpoint, 360Learning's bucket of a second.

use std::time::Duration;

use jiff::Timestamp;

/// A window that opens with the first call and then lets so many through.
#[derive(Clone, Debug)]
pub(super) struct Window {
    /// How many; `None` is no limit.
    pub limit: Option<u32>,
    /// How long it stays open.
    pub span: Duration,
    opened: Option<Timestamp>,
    used: u32,
}

/// What a window says of a call.
pub(super) struct Verdict {
    /// Whether it is let through.
    pub ok: bool,
    /// The limit.
    pub limit: u32,
    /// How many are left.
    pub remaining: u32,
    /// When the next window opens.
    pub reset: Timestamp,
}

impl Window {
    /// So many in each span.
    pub fn new(limit: Option<u32>, span: Duration) -> Self {
        Self { limit, span, opened: None, used: 0 }
    }

    /// Counts a call; `None` when there is no limit.
    pub fn call(&mut self, now: Timestamp) -> Option<Verdict> {
        let limit = self.limit?;
        let opened = match self.opened {
            Some(opened) if now < opened + self.span => opened,
            _ => {
                self.used = 0;
                *self.opened.insert(now)
            }
        };
        let ok = self.used < limit;
        self.used += u32::from(ok);
        Some(Verdict {
            ok,
            limit,
            remaining: limit - self.used.min(limit),
            reset: opened + self.span,
        })
    }
}

/// A bucket that holds one second's worth of calls.
#[derive(Clone, Debug)]
pub(super) struct Bucket {
    rate: Option<u32>,
    level: f64,
    at: Option<Timestamp>,
}

impl Bucket {
    /// So many a second; `None` is no limit.
    pub fn per_second(rate: Option<u32>) -> Self {
        Self { rate, level: f64::from(rate.unwrap_or(0)), at: None }
    }

    /// Takes a drop if there is one.
    pub fn call(&mut self, now: Timestamp) -> bool {
        let Some(rate) = self.rate else { return true };
        let rate = f64::from(rate);
        let since = self.at.map_or(0.0, |at| now.duration_since(at).as_secs_f64().max(0.0));
        self.at = Some(now);
        self.level = (self.level + since * rate).min(rate);
        let ok = self.level >= 1.0;
        if ok {
            self.level -= 1.0;
        }
        ok
    }
}
