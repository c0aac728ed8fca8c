//! Sealing everything anew: with the key that is the newest now, whatever sealed it before, or
//! nothing did.

use super::{Store, StoreError, Stored};

/// So many things are looked at in one step.
const AT_ONCE: usize = 500;

/// What was done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Resealed {
    /// How many things were looked at.
    pub looked: u64,
    /// How many were sealed anew.
    pub sealed: u64,
    /// Everything is sealed with the newest key: the others are not needed any more.
    pub complete: bool,
}

/// Goes through everything once and seals anew what the newest key did not seal. When there was
/// nothing, the older keys are retired. Others may work on the store meanwhile.
///
/// # Errors
/// When the store is not available, or something in it cannot be read.
pub async fn reseal(
    store: &dyn Store,
    mut progress: impl FnMut(Resealed),
) -> Result<Resealed, StoreError> {
    let (mut done, mut stale, mut from) = (Resealed::default(), 0, None);
    loop {
        let part = store.dump(from.as_deref(), AT_ONCE).await?;
        done.looked += part.found.len() as u64;
        let old = part.found.into_iter().filter(|found| !found.newest);
        let changes: Vec<(Stored, Option<Stored>)> =
            old.map(|found| (found.kept.clone(), Some(found.kept))).collect();
        stale += changes.len();
        if !changes.is_empty() {
            done.sealed += store.swap(&changes).await?;
        }
        progress(done);
        from = part.next;
        if from.is_none() {
            break;
        }
    }
    if stale == 0 {
        store.retire_keys().await?;
        done.complete = true;
    }
    Ok(done)
}
