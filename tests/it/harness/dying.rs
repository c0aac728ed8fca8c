//! A store whose process dies at a chosen write, right before it takes effect: all that was written
//! before is there, and nothing that is asked for after it is answered, as nothing is to a process
//! that is gone.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use instep::store::{Store, StoreError};
use tokio::sync::Notify;

use super::guarded::{Door, Guarded, Kind};

/// The store.
pub struct Dying {
    inner: Arc<dyn Store>,
    /// So many writes go well still.
    left: AtomicUsize,
    died: Notify,
    /// How often each note was read.
    read: Mutex<HashMap<String, usize>>,
}

impl Dying {
    /// Dies at the write with this number, from 0.
    pub fn at(inner: &Arc<dyn Store>, write: usize) -> Arc<Guarded<Self>> {
        let (inner, left, died) = (Arc::clone(inner), AtomicUsize::new(write), Notify::new());
        Arc::new(Guarded(Self { inner, left, died, read: Mutex::default() }))
    }

    /// Does this with it until it dies or it is done; what was done, or nothing when it died.
    pub async fn do_with<T>(&self, work: impl Future<Output = T>) -> Option<T> {
        tokio::select! {
            biased;
            () = self.died.notified() => None,
            done = work => Some(done),
        }
    }

    /// How often the note with this name was read.
    pub fn read(&self, note: &str) -> usize {
        self.read.lock().expect("a count").get(note).copied().unwrap_or_default()
    }
}

#[async_trait]
impl Door for Dying {
    async fn pass(&self, _: &'static str, kind: Kind) -> Result<&dyn Store, StoreError> {
        let take = |left: usize| left.checked_sub(1);
        if kind == Kind::Write
            && self.left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, take).is_err()
        {
            self.died.notify_one();
            return std::future::pending().await;
        }
        Ok(self.inner.as_ref())
    }

    async fn note(&self, name: &str) -> Result<Option<String>, StoreError> {
        *self.read.lock().expect("a count").entry(name.to_owned()).or_default() += 1;
        self.inner.note(name).await
    }
}
