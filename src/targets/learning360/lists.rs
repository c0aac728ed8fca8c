//! Lists that are filtered for one of many values, in as few calls as the far end takes.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde::de::DeserializeOwned;

use super::client::{Client, Turn};
use crate::targets::TargetError;

/// How many values one filter may hold. 360Learning documents no limit; this one is our assumption.
const VALUES: usize = 50;

/// A refused filter is halved, but never below this: by then it is not its length.
const FEWEST_VALUES: usize = 10;

/// How long the values of one filter may be together, in bytes, before they are escaped: escaped
/// and with their names they stay below the 8 KiB that servers take for a first line.
const VALUE_BYTES: usize = 2000;

/// A filter for one of several values.
#[derive(Clone, Copy)]
pub(super) struct OneOf<'a> {
    pub endpoint: &'static str,
    /// Filters that apply as well: `("type[eq]", "user")`.
    pub also: &'a [(&'a str, &'a str)],
    /// `mail`.
    pub field: &'a str,
}

/// Reads lists.
pub(super) struct Lists {
    client: Arc<Client>,
    /// How many values one filter holds; learned, should the far end take fewer.
    values: AtomicUsize,
}

impl Lists {
    pub fn new(client: Arc<Client>) -> Self {
        Self { client, values: AtomicUsize::new(VALUES) }
    }

    /// All rows that have one of these values.
    pub async fn one_of<T: DeserializeOwned>(
        &self,
        filter: OneOf<'_>,
        values: Vec<&str>,
        turn: Turn,
    ) -> Result<Vec<T>, TargetError> {
        let mut rows = Vec::new();
        let mut rest = values.as_slice();
        while !rest.is_empty() {
            let most = self.values.load(Ordering::Relaxed);
            let mut bytes = 0;
            let fit = rest.iter().take(most).take_while(|value| {
                bytes += value.len();
                bytes <= VALUE_BYTES
            });
            let (now, later) = rest.split_at(fit.count().max(1));
            let mut call = self.client.call(filter.endpoint, &[])?;
            for (name, value) in filter.also {
                call = call.with(name, value);
            }
            // The index in the brackets is optional. Written out it could be wrong: common parsers
            // stop taking a list for a list above index 20.
            let name = format!("{}[in][]", filter.field);
            for value in now {
                call = call.with(&name, value);
            }
            match self.client.list(call, turn).await {
                Ok(page) => rows.extend::<Vec<T>>(page),
                Err(TargetError::Refused { .. }) if now.len() > FEWEST_VALUES => {
                    let fewer = now.len().div_ceil(2).max(FEWEST_VALUES);
                    self.values.fetch_min(fewer, Ordering::Relaxed);
                    continue;
                }
                Err(error) => return Err(error),
            }
            rest = later;
        }
        Ok(rows)
    }
}
