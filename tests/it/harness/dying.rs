//! A store whose process dies at a chosen write, right before it takes effect: all that was written
//! before is there, and nothing that is asked for after it is answered, as nothing is to a process
//! that is gone.

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use instep::model::{
    AccountId, Arrival, AuditEntry, AuditId, Choice, Delivery, DeliveryId, DeliveryState,
    EmployeeId, EventId, Item, Lane, Link, Page, Person, Run, RunId, SourceName,
};
use instep::store::{
    Accepted, Depth, Due, Dump, Filter, Grant, Hold, KeptEvent, Lease, LeaseRequest, Links, Rate,
    Retention, Store, StoreError, Stored,
};
use jiff::Timestamp;
use tokio::sync::Notify;

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
    pub fn at(inner: &Arc<dyn Store>, write: usize) -> Arc<Self> {
        let (inner, left, died) = (Arc::clone(inner), AtomicUsize::new(write), Notify::new());
        Arc::new(Self { inner, left, died, read: Mutex::default() })
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

    async fn write<T>(&self, write: impl Future<Output = T>) -> T {
        let take = |left: usize| left.checked_sub(1);
        if self.left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, take).is_ok() {
            return write.await;
        }
        self.died.notify_one();
        std::future::pending().await
    }
}

#[async_trait]
impl Store for Dying {
    async fn accept(&self, arrival: Arrival) -> Result<Accepted, StoreError> {
        self.write(self.inner.accept(arrival)).await
    }

    async fn accept_all(&self, arrivals: Vec<Arrival>) -> Result<Vec<Accepted>, StoreError> {
        self.write(self.inner.accept_all(arrivals)).await
    }

    async fn lease(&self, request: LeaseRequest<'_>) -> Result<Vec<Lease>, StoreError> {
        self.write(self.inner.lease(request)).await
    }

    async fn due(&self, source: &SourceName, most: usize) -> Result<Due, StoreError> {
        self.inner.due(source, most).await
    }

    async fn save_link(&self, lease: &Lease, link: &Link) -> Result<(), StoreError> {
        self.write(self.inner.save_link(lease, link)).await
    }

    async fn settle(
        &self,
        lease: Lease,
        deliveries: Vec<Delivery>,
        link: Option<Link>,
    ) -> Result<(), StoreError> {
        self.write(self.inner.settle(lease, deliveries, link)).await
    }

    async fn link(&self, person: &Person) -> Result<Option<Link>, StoreError> {
        self.inner.link(person).await
    }

    async fn links(
        &self,
        source: &SourceName,
        from: Option<&str>,
        most: usize,
    ) -> Result<Links, StoreError> {
        self.inner.links(source, from, most).await
    }

    async fn awaiting(
        &self,
        source: &SourceName,
        manager: &str,
        most: usize,
    ) -> Result<Vec<Person>, StoreError> {
        self.inner.awaiting(source, manager, most).await
    }

    async fn appointments(
        &self,
        until: Timestamp,
        most: usize,
    ) -> Result<Vec<(Person, Timestamp)>, StoreError> {
        self.inner.appointments(until, most).await
    }

    async fn choose(&self, person: &Person, choice: Option<&Choice>) -> Result<(), StoreError> {
        self.write(self.inner.choose(person, choice)).await
    }

    async fn forget(&self, person: &Person, at: Timestamp) -> Result<bool, StoreError> {
        self.write(self.inner.forget(person, at)).await
    }

    async fn remember(&self, person: &Person) -> Result<bool, StoreError> {
        self.write(self.inner.remember(person)).await
    }

    async fn forgotten(&self, person: &Person) -> Result<Option<Timestamp>, StoreError> {
        self.inner.forgotten(person).await
    }

    async fn all_forgotten(
        &self,
        source: &SourceName,
    ) -> Result<BTreeMap<EmployeeId, Timestamp>, StoreError> {
        self.inner.all_forgotten(source).await
    }

    async fn dump(&self, from: Option<&str>, most: usize) -> Result<Dump, StoreError> {
        self.inner.dump(from, most).await
    }

    async fn restore(&self, kept: &[Stored]) -> Result<(), StoreError> {
        self.write(self.inner.restore(kept)).await
    }

    async fn swap(&self, changes: &[(Stored, Option<Stored>)]) -> Result<u64, StoreError> {
        self.write(self.inner.swap(changes)).await
    }

    async fn retire_keys(&self) -> Result<(), StoreError> {
        self.write(self.inner.retire_keys()).await
    }

    async fn wipe(&self) -> Result<(), StoreError> {
        self.write(self.inner.wipe()).await
    }

    async fn choice(&self, person: &Person) -> Result<Option<Choice>, StoreError> {
        self.inner.choice(person).await
    }

    async fn unlink(&self, person: &Person) -> Result<bool, StoreError> {
        self.write(self.inner.unlink(person)).await
    }

    async fn note(&self, name: &str) -> Result<Option<String>, StoreError> {
        *self.read.lock().expect("a count").entry(name.to_owned()).or_default() += 1;
        self.inner.note(name).await
    }

    async fn put_note(
        &self,
        name: &str,
        before: Option<&str>,
        now: Option<&str>,
    ) -> Result<bool, StoreError> {
        self.write(self.inner.put_note(name, before, now)).await
    }

    async fn notes(&self, prefix: &str) -> Result<Vec<(String, String)>, StoreError> {
        self.inner.notes(prefix).await
    }

    async fn write_audit(&self, entry: &AuditEntry) -> Result<(), StoreError> {
        self.write(self.inner.write_audit(entry)).await
    }

    async fn audit(
        &self,
        before: Option<&AuditId>,
        most: usize,
    ) -> Result<Vec<AuditEntry>, StoreError> {
        self.inner.audit(before, most).await
    }

    async fn owner(&self, account: &AccountId) -> Result<Option<Person>, StoreError> {
        self.inner.owner(account).await
    }

    async fn delivery(&self, id: &DeliveryId) -> Result<Option<Delivery>, StoreError> {
        self.inner.delivery(id).await
    }

    async fn event(&self, id: &EventId) -> Result<Option<KeptEvent>, StoreError> {
        self.inner.event(id).await
    }

    async fn deliveries(&self, filter: &Filter, most: usize) -> Result<Vec<Delivery>, StoreError> {
        self.inner.deliveries(filter, most).await
    }

    async fn replay(
        &self,
        ids: &[DeliveryId],
        lane: Lane,
        at: Timestamp,
    ) -> Result<u64, StoreError> {
        self.write(self.inner.replay(ids, lane, at)).await
    }

    async fn close(
        &self,
        ids: &[DeliveryId],
        state: DeliveryState,
        reason: &str,
        at: Timestamp,
    ) -> Result<u64, StoreError> {
        self.write(self.inner.close(ids, state, reason, at)).await
    }

    async fn save_run(&self, run: &Run) -> Result<bool, StoreError> {
        self.write(self.inner.save_run(run)).await
    }

    async fn run(&self, id: &RunId) -> Result<Option<Run>, StoreError> {
        self.inner.run(id).await
    }

    async fn runs(&self, source: Option<&SourceName>, most: usize) -> Result<Vec<Run>, StoreError> {
        self.inner.runs(source, most).await
    }

    async fn save_items(&self, run: &RunId, items: &[Item]) -> Result<(), StoreError> {
        self.write(self.inner.save_items(run, items)).await
    }

    async fn items(&self, run: &RunId, after: u64, most: usize) -> Result<Vec<Item>, StoreError> {
        self.inner.items(run, after, most).await
    }

    async fn grant(&self, budget: &str, rate: Rate, want: u32) -> Result<Grant, StoreError> {
        self.inner.grant(budget, rate, want).await
    }

    async fn pause(&self, budget: &str, pause: Duration) -> Result<(), StoreError> {
        self.inner.pause(budget, pause).await
    }

    async fn hold(&self, hold: &Hold) -> Result<(), StoreError> {
        self.write(self.inner.hold(hold)).await
    }

    async fn release(&self, scope: &str) -> Result<bool, StoreError> {
        self.write(self.inner.release(scope)).await
    }

    async fn holds(&self) -> Result<Vec<Hold>, StoreError> {
        self.inner.holds().await
    }

    async fn depth(&self) -> Result<Depth, StoreError> {
        self.inner.depth().await
    }

    async fn trim(&self, retention: Retention) -> Result<u64, StoreError> {
        self.write(self.inner.trim(retention)).await
    }

    async fn epoch(&self) -> Result<String, StoreError> {
        self.inner.epoch().await
    }

    async fn check(&self) -> Result<Vec<String>, StoreError> {
        self.inner.check().await
    }

    async fn save_page(&self, run: &RunId, page: &Page) -> Result<(), StoreError> {
        self.write(self.inner.save_page(run, page)).await
    }

    async fn pages(&self, run: &RunId, after: u64, most: usize) -> Result<Vec<Page>, StoreError> {
        self.inner.pages(run, after, most).await
    }

    async fn drop_pages(&self, run: &RunId) -> Result<(), StoreError> {
        self.write(self.inner.drop_pages(run)).await
    }
}
