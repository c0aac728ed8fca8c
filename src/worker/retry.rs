//! Whether to try again, and when: the one place that decides it, and the only one that knows the
//! `backoff` crate.

use std::time::Duration;

use backoff::ExponentialBackoff;
use backoff::backoff::Backoff;

use crate::sources::SourceError;
use crate::targets::TargetError;

/// Delays between tries: exponential with full jitter.
#[derive(Clone, Copy, Debug)]
pub struct Delays {
    /// The upper bound of the first delay; it doubles with each try.
    pub first: Duration,
    /// No delay is longer.
    pub longest: Duration,
}

impl Delays {
    /// How long to wait after this many failed tries (1 is the first): a random time between
    /// nothing and the bound of that try, so that what failed together does not return together.
    pub fn after(&self, tries: u32) -> Duration {
        // The policy spreads over [0, 2 x interval] at a factor of 1: full jitter at half the bound.
        let mut policy = ExponentialBackoff {
            current_interval: self.first / 2,
            initial_interval: self.first / 2,
            randomization_factor: 1.0,
            multiplier: 2.0,
            max_interval: self.longest / 2,
            max_elapsed_time: None,
            ..ExponentialBackoff::default()
        };
        let mut delay = Duration::ZERO;
        for _ in 0..tries.clamp(1, 64) {
            delay = policy.next_backoff().unwrap_or(self.longest);
        }
        delay.min(self.longest)
    }
}

/// What an error asks us to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Give the work back without spending an attempt; due again after this.
    GiveBack(Duration),
    /// The same, and those who look are told why it waits.
    Waits {
        /// Due again after this.
        after: Duration,
        /// Why, in a sentence.
        why: String,
    },
    /// Something failed that may be wrong for everybody: a hold, unless it is this person's own.
    Failed(String),
    /// We are refused altogether: hold, and probe once a minute.
    Refused(String),
    /// Find the account again and plan again.
    LookAgain {
        /// The far end's code.
        code: String,
        /// What a person can do.
        advice: String,
    },
    /// A dead letter.
    Dead {
        /// The far end's code.
        code: String,
        /// What a person can do.
        advice: String,
    },
}

/// How long work rests when the store that it needs is away.
const STORE_REST: Duration = Duration::from_secs(1);

impl From<SourceError> for Verdict {
    fn from(error: SourceError) -> Self {
        match error {
            SourceError::Wait { after, .. } => Self::GiveBack(after),
            SourceError::OutOfTime => Self::GiveBack(Duration::ZERO),
            SourceError::Store(_) => Self::GiveBack(STORE_REST),
            SourceError::Again(why) => Self::Failed(why),
            SourceError::Hold(why) => Self::Refused(why),
        }
    }
}

impl From<TargetError> for Verdict {
    fn from(error: TargetError) -> Self {
        match error {
            TargetError::Wait { after } => Self::GiveBack(after),
            TargetError::OutOfTime => Self::GiveBack(Duration::ZERO),
            TargetError::Store(_) => Self::GiveBack(STORE_REST),
            TargetError::Again(why) => Self::Failed(why),
            TargetError::Hold(why) => Self::Refused(why),
            TargetError::LookAgain { code, advice } => Self::LookAgain { code, advice },
            TargetError::Refused { code, advice } => Self::Dead { code, advice },
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_delay_lies_between_nothing_and_its_bound(
            first in 1u64..10_000, longest in 1u64..10_000_000, tries in 0u32..100
        ) {
            let delays = Delays {
                first: Duration::from_millis(first),
                longest: Duration::from_millis(longest),
            };
            let bound = delays.first.saturating_mul(2u32.saturating_pow(tries.clamp(1, 64) - 1));
            // The policy rounds to nanoseconds.
            let bound = bound.min(delays.longest) + Duration::from_micros(1);
            prop_assert!(delays.after(tries) <= bound, "{:?} > {bound:?}", delays.after(tries));
        }
    }

    #[test]
    fn delays_are_spread_over_the_whole_bound() {
        let delays = Delays { first: Duration::from_secs(8), longest: Duration::from_secs(600) };
        let drawn: Vec<_> = (0..200).map(|_| delays.after(1)).collect();
        assert!(drawn.iter().any(|d| *d < Duration::from_secs(2)));
        assert!(drawn.iter().any(|d| *d > Duration::from_secs(6)));
    }
}
