//! How often somebody may try to sign in. All processes on the store count together.
//!
//! Counted are the address, the name from that address, and the name from everywhere. An address
//! alone can so never use up what a name has from everywhere, and lock its owner out, not even with
//! other names that share its counter: those share the one of the address, too.

use std::net::IpAddr;
use std::time::Duration;

use super::digest;
use crate::store::{Grant, Rate, Store, StoreError};

/// From one address, in ten minutes.
const ADDRESS: Rate = Rate { calls: 60, per: Duration::from_secs(600), burst: 30 };
/// For one name from one address.
const PAIR: Rate = Rate { calls: 10, per: Duration::from_secs(600), burst: 6 };
/// For one name from everywhere.
const NAME: Rate = Rate { calls: 120, per: Duration::from_secs(3600), burst: 40 };
/// Entries of the audit log about those who did not get in.
const WRITTEN: Rate = Rate { calls: 120, per: Duration::from_secs(3600), burst: 30 };

/// So many counters there are of each kind: a stranger who tries ever new names must not fill the
/// store. Two names that share one are rare.
const COUNTERS: u64 = 4096;

/// Takes one attempt; `Some` says how long to wait instead.
///
/// # Errors
/// When the store is not available.
pub async fn take(
    store: &dyn Store,
    name: &str,
    from: Option<IpAddr>,
) -> Result<Option<Duration>, StoreError> {
    if let Some(wait) = take_from(store, from).await? {
        return Ok(Some(wait));
    }
    let from = from.map(network).unwrap_or_default();
    let name = counter(name);
    let counted = [
        (format!("sign-in:pair:{}", counter(&format!("{from} {name}"))), PAIR),
        (format!("sign-in:name:{name}"), NAME),
    ];
    for (budget, rate) in counted {
        if let Grant::Wait(wait) = store.grant(&budget, rate, 1).await? {
            return Ok(Some(wait));
        }
    }
    Ok(None)
}

/// Takes one attempt of an address alone, whoever it is for.
///
/// # Errors
/// When the store is not available.
pub async fn take_from(
    store: &dyn Store,
    from: Option<IpAddr>,
) -> Result<Option<Duration>, StoreError> {
    let from = from.map(network).unwrap_or_default();
    let budget = format!("sign-in:address:{}", counter(&from));
    Ok(match store.grant(&budget, ADDRESS, 1).await? {
        Grant::Calls(_) => None,
        Grant::Wait(wait) => Some(wait),
    })
}

/// Whether one more entry about somebody who did not get in may be written: the audit log is for
/// people to read, and a stranger must not fill it.
///
/// # Errors
/// When the store is not available.
pub async fn may_be_written(store: &dyn Store) -> Result<bool, StoreError> {
    Ok(matches!(store.grant("sign-in:audit", WRITTEN, 1).await?, Grant::Calls(_)))
}

fn counter(text: &str) -> u64 {
    u64::from_str_radix(&digest(text)[..15], 16).unwrap_or_default() % COUNTERS
}

/// What one customer of a provider has: with IPv6, a network of 2⁶⁴ addresses.
fn network(address: IpAddr) -> String {
    match address.to_canonical() {
        IpAddr::V4(address) => address.to_string(),
        IpAddr::V6(address) => format!("{:x}", address.to_bits() >> 64),
    }
}
