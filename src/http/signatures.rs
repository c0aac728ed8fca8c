//! Which secrets sign a source's webhooks, and how many fitted none: what this process has heard since
//! it was last asked.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use jiff::Timestamp;

/// What was heard.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Heard {
    /// When each secret last signed, by its print.
    pub signed: BTreeMap<Arc<str>, Timestamp>,
    /// Webhooks with a signature that fits no secret, since the last one that fitted.
    pub refused: u64,
    /// When the first and the last of them came.
    pub between: Option<(Timestamp, Timestamp)>,
}

/// The ear at one source's door.
#[derive(Debug, Default)]
pub struct Signatures(Mutex<Heard>);

impl Signatures {
    /// One came whose signature fits this secret.
    pub(super) fn fits(&self, print: &Arc<str>, now: Timestamp) {
        self.change(|heard| {
            heard.signed.insert(Arc::clone(print), now);
            (heard.refused, heard.between) = (0, None);
        });
    }

    /// One came whose signature fits none.
    pub(super) fn refused(&self, now: Timestamp) {
        self.change(|heard| {
            heard.refused += 1;
            let first = heard.between.map_or(now, |(first, _)| first);
            heard.between = Some((first, now));
        });
    }

    /// What was heard since the last call.
    pub fn take(&self) -> Heard {
        let mut taken = Heard::default();
        self.change(|heard| taken = std::mem::take(heard));
        taken
    }

    /// It could not be written down: it counts together with what came since.
    pub fn put_back(&self, old: Heard) {
        self.change(|heard| {
            let is_over = !heard.signed.is_empty();
            for (print, at) in old.signed {
                heard.signed.entry(print).or_insert(at);
            }
            if !is_over {
                heard.refused += old.refused;
                heard.between = match (old.between, heard.between) {
                    (Some((first, _)), Some((_, last))) => Some((first, last)),
                    (one, other) => one.or(other),
                };
            }
        });
    }

    fn change(&self, change: impl FnOnce(&mut Heard)) {
        change(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner));
    }
}
