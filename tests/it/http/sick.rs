//! A real store that can be made ill: down, or taking its time over an accept.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
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
use tokio::sync::Semaphore;

/// The store and its illnesses.
pub struct Sick {
    well: Arc<dyn Store>,
    down: AtomicBool,
    slow: AtomicBool,
    /// Accepts that wait to be let through.
    pub waiting: AtomicUsize,
    gate: Semaphore,
}

impl Sick {
    /// Well for now.
    pub fn new(well: Arc<dyn Store>) -> Self {
        Self {
            well,
            down: AtomicBool::new(false),
            slow: AtomicBool::new(false),
            waiting: AtomicUsize::new(0),
            gate: Semaphore::new(0),
        }
    }

    /// From now on nothing works, or all does.
    pub fn set_down(&self, down: bool) {
        self.down.store(down, Ordering::SeqCst);
    }

    /// From now on an accept waits until [`Sick::let_through`].
    pub fn set_slow(&self) {
        self.slow.store(true, Ordering::SeqCst);
    }

    /// Lets so many slow accepts through.
    pub fn let_through(&self, accepts: usize) {
        self.gate.add_permits(accepts);
    }

    fn up(&self, doing: &'static str) -> Result<&dyn Store, StoreError> {
        if self.down.load(Ordering::SeqCst) {
            let source = "the disk is full".into();
            return Err(StoreError::Unavailable { doing, source });
        }
        Ok(self.well.as_ref())
    }
}

#[async_trait]
impl Store for Sick {
    async fn accept(&self, arrival: Arrival) -> Result<Accepted, StoreError> {
        let well = self.up("accept")?;
        if self.slow.load(Ordering::SeqCst) {
            self.waiting.fetch_add(1, Ordering::SeqCst);
            self.gate.acquire().await.expect("never closed").forget();
        }
        well.accept(arrival).await
    }
    async fn accept_all(&self, arrivals: Vec<Arrival>) -> Result<Vec<Accepted>, StoreError> {
        self.up("accept_all")?.accept_all(arrivals).await
    }
    async fn lease(&self, request: LeaseRequest<'_>) -> Result<Vec<Lease>, StoreError> {
        self.up("lease")?.lease(request).await
    }
    async fn due(&self, source: &SourceName, most: usize) -> Result<Due, StoreError> {
        self.up("due")?.due(source, most).await
    }
    async fn save_link(&self, lease: &Lease, link: &Link) -> Result<(), StoreError> {
        self.up("save_link")?.save_link(lease, link).await
    }
    async fn settle(
        &self,
        lease: Lease,
        deliveries: Vec<Delivery>,
        link: Option<Link>,
    ) -> Result<(), StoreError> {
        self.up("settle")?.settle(lease, deliveries, link).await
    }
    async fn link(&self, person: &Person) -> Result<Option<Link>, StoreError> {
        self.up("link")?.link(person).await
    }
    async fn links(
        &self,
        source: &SourceName,
        from: Option<&str>,
        most: usize,
    ) -> Result<Links, StoreError> {
        self.up("links")?.links(source, from, most).await
    }
    async fn awaiting(
        &self,
        source: &SourceName,
        manager: &str,
        most: usize,
    ) -> Result<Vec<Person>, StoreError> {
        self.up("awaiting")?.awaiting(source, manager, most).await
    }
    async fn appointments(
        &self,
        until: Timestamp,
        most: usize,
    ) -> Result<Vec<(Person, Timestamp)>, StoreError> {
        self.up("appointments")?.appointments(until, most).await
    }
    async fn choose(&self, person: &Person, choice: Option<&Choice>) -> Result<(), StoreError> {
        self.up("choose")?.choose(person, choice).await
    }
    async fn choice(&self, person: &Person) -> Result<Option<Choice>, StoreError> {
        self.up("choice")?.choice(person).await
    }
    async fn unlink(&self, person: &Person) -> Result<bool, StoreError> {
        self.up("unlink")?.unlink(person).await
    }
    async fn note(&self, name: &str) -> Result<Option<String>, StoreError> {
        self.up("note")?.note(name).await
    }
    async fn put_note(
        &self,
        name: &str,
        before: Option<&str>,
        now: Option<&str>,
    ) -> Result<bool, StoreError> {
        self.up("put_note")?.put_note(name, before, now).await
    }
    async fn notes(&self, prefix: &str) -> Result<Vec<(String, String)>, StoreError> {
        self.up("notes")?.notes(prefix).await
    }
    async fn forget(&self, person: &Person, at: Timestamp) -> Result<bool, StoreError> {
        self.up("forget")?.forget(person, at).await
    }
    async fn remember(&self, person: &Person) -> Result<bool, StoreError> {
        self.up("remember")?.remember(person).await
    }
    async fn forgotten(&self, person: &Person) -> Result<Option<Timestamp>, StoreError> {
        self.up("forgotten")?.forgotten(person).await
    }
    async fn all_forgotten(
        &self,
        source: &SourceName,
    ) -> Result<std::collections::BTreeMap<EmployeeId, Timestamp>, StoreError> {
        self.up("all_forgotten")?.all_forgotten(source).await
    }
    async fn dump(&self, from: Option<&str>, most: usize) -> Result<Dump, StoreError> {
        self.up("dump")?.dump(from, most).await
    }
    async fn restore(&self, kept: &[Stored]) -> Result<(), StoreError> {
        self.up("restore")?.restore(kept).await
    }
    async fn swap(&self, changes: &[(Stored, Option<Stored>)]) -> Result<u64, StoreError> {
        self.up("swap")?.swap(changes).await
    }
    async fn retire_keys(&self) -> Result<(), StoreError> {
        self.up("retire_keys")?.retire_keys().await
    }
    async fn wipe(&self) -> Result<(), StoreError> {
        self.up("wipe")?.wipe().await
    }
    async fn write_audit(&self, entry: &AuditEntry) -> Result<(), StoreError> {
        self.up("write_audit")?.write_audit(entry).await
    }
    async fn audit(
        &self,
        before: Option<&AuditId>,
        most: usize,
    ) -> Result<Vec<AuditEntry>, StoreError> {
        self.up("audit")?.audit(before, most).await
    }
    async fn owner(&self, account: &AccountId) -> Result<Option<Person>, StoreError> {
        self.up("owner")?.owner(account).await
    }
    async fn delivery(&self, id: &DeliveryId) -> Result<Option<Delivery>, StoreError> {
        self.up("delivery")?.delivery(id).await
    }
    async fn event(&self, id: &EventId) -> Result<Option<KeptEvent>, StoreError> {
        self.up("event")?.event(id).await
    }
    async fn deliveries(&self, filter: &Filter, most: usize) -> Result<Vec<Delivery>, StoreError> {
        self.up("deliveries")?.deliveries(filter, most).await
    }
    async fn replay(
        &self,
        ids: &[DeliveryId],
        lane: Lane,
        at: Timestamp,
    ) -> Result<u64, StoreError> {
        self.up("replay")?.replay(ids, lane, at).await
    }
    async fn close(
        &self,
        ids: &[DeliveryId],
        state: DeliveryState,
        reason: &str,
        at: Timestamp,
    ) -> Result<u64, StoreError> {
        self.up("close")?.close(ids, state, reason, at).await
    }
    async fn save_run(&self, run: &Run) -> Result<bool, StoreError> {
        self.up("save_run")?.save_run(run).await
    }
    async fn run(&self, id: &RunId) -> Result<Option<Run>, StoreError> {
        self.up("run")?.run(id).await
    }
    async fn runs(&self, source: Option<&SourceName>, most: usize) -> Result<Vec<Run>, StoreError> {
        self.up("runs")?.runs(source, most).await
    }
    async fn save_items(&self, run: &RunId, items: &[Item]) -> Result<(), StoreError> {
        self.up("save_items")?.save_items(run, items).await
    }
    async fn items(&self, run: &RunId, after: u64, most: usize) -> Result<Vec<Item>, StoreError> {
        self.up("items")?.items(run, after, most).await
    }
    async fn grant(&self, budget: &str, rate: Rate, want: u32) -> Result<Grant, StoreError> {
        self.up("grant")?.grant(budget, rate, want).await
    }
    async fn pause(&self, budget: &str, pause: Duration) -> Result<(), StoreError> {
        self.up("pause")?.pause(budget, pause).await
    }
    async fn hold(&self, hold: &Hold) -> Result<(), StoreError> {
        self.up("hold")?.hold(hold).await
    }
    async fn release(&self, scope: &str) -> Result<bool, StoreError> {
        self.up("release")?.release(scope).await
    }
    async fn holds(&self) -> Result<Vec<Hold>, StoreError> {
        self.up("holds")?.holds().await
    }
    async fn depth(&self) -> Result<Depth, StoreError> {
        self.up("depth")?.depth().await
    }
    async fn trim(&self, retention: Retention) -> Result<u64, StoreError> {
        self.up("trim")?.trim(retention).await
    }
    async fn epoch(&self) -> Result<String, StoreError> {
        self.up("epoch")?.epoch().await
    }
    async fn check(&self) -> Result<Vec<String>, StoreError> {
        self.up("check")?.check().await
    }
    async fn save_page(&self, run: &RunId, page: &Page) -> Result<(), StoreError> {
        self.up("save_page")?.save_page(run, page).await
    }
    async fn pages(&self, run: &RunId, after: u64, most: usize) -> Result<Vec<Page>, StoreError> {
        self.up("pages")?.pages(run, after, most).await
    }
    async fn drop_pages(&self, run: &RunId) -> Result<(), StoreError> {
        self.up("drop_pages")?.drop_pages(run).await
    }
}
