//! The time, as a thing that is passed in. A lint forbids asking for it anywhere else.
//!
//! The system clock is read once, at the start; from then on it advances with the machine's
//! monotonic clock. A wall clock that jumps can therefore neither end a lease early nor keep a due
//! delivery waiting.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant};

use jiff::{SignedDuration, Timestamp};

/// Tells the time.
#[derive(Clone, Debug)]
pub enum Clock {
    /// The machine's, steady.
    Steady {
        /// The wall clock at the start.
        start: Timestamp,
        /// The monotonic clock at the same moment.
        since: Instant,
    },
    /// Moved by hand, for tests: milliseconds since 1970.
    Manual(Arc<AtomicI64>),
}

impl Clock {
    /// The machine's clock.
    #[expect(clippy::disallowed_methods, reason = "the one place where the time is asked for")]
    pub fn system() -> Self {
        Self::Steady { start: Timestamp::now(), since: Instant::now() }
    }

    /// A clock that stands at `start` until it is moved.
    pub fn manual(start: Timestamp) -> Self {
        Self::Manual(Arc::new(AtomicI64::new(start.as_millisecond())))
    }

    /// Now.
    ///
    /// # Panics
    /// Not before the year 9999.
    pub fn now(&self) -> Timestamp {
        match self {
            Self::Steady { start, since } => *start + since.elapsed(),
            Self::Manual(ms) => {
                Timestamp::from_millisecond(ms.load(Ordering::SeqCst)).expect("a time of this age")
            }
        }
    }

    /// Moves a manual clock; the machine's clock does not care.
    pub fn advance(&self, by: Duration) {
        if let Self::Manual(ms) = self {
            let by = i64::try_from(by.as_millis()).unwrap_or(i64::MAX);
            ms.fetch_add(by, Ordering::SeqCst);
        }
    }
}

/// The last moment at which a call may still be under way. Measured by the monotonic clock.
#[derive(Clone, Copy, Debug)]
pub struct Deadline(Instant);

impl Deadline {
    /// So long from now.
    #[expect(clippy::disallowed_methods, reason = "the clock's own file")]
    pub fn after(time: Duration) -> Self {
        Self(Instant::now() + time)
    }

    /// What is left; zero when it has passed.
    #[expect(clippy::disallowed_methods, reason = "the clock's own file")]
    pub fn left(self) -> Duration {
        self.0.saturating_duration_since(Instant::now())
    }
}

/// Measures how long something takes, by the monotonic clock.
#[derive(Clone, Copy, Debug)]
pub struct Stopwatch(Instant);

impl Stopwatch {
    /// From now on.
    #[expect(clippy::disallowed_methods, reason = "the clock's own file")]
    pub fn start() -> Self {
        Self(Instant::now())
    }

    /// How long it has taken so far.
    pub fn took(self) -> Duration {
        self.0.elapsed()
    }
}

/// How many milliseconds lie between two times; never negative.
pub fn elapsed_ms(from: Timestamp, to: Timestamp) -> u64 {
    u64::try_from(to.duration_since(from).max(SignedDuration::ZERO).as_millis()).unwrap_or(0)
}
