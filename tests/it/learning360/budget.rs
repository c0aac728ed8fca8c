//! A store that keeps nothing but budgets: it grants at once and remembers what was taken.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::time::Duration;

use async_trait::async_trait;
use instep::model::{
    AccountId, Arrival, AuditEntry, AuditId, Choice, Delivery, DeliveryId, EmployeeId, EventId,
    Item, Lane, Link, Page, Person, Run, RunId, SourceName,
};
use instep::store::{
    Accepted, Depth, Due, Dump, Filter, Grant, Hold, KeptEvent, Lease, LeaseRequest, Links, Rate,
    Retention, Store, StoreError, Stored,
};
use jiff::Timestamp;

/// What was taken from each budget, and for how long each was paused.
#[derive(Default)]
pub struct Budgets {
    pub taken: Mutex<BTreeMap<String, u32>>,
    pub pauses: Mutex<Vec<(String, Duration)>>,
}

fn no<T>(doing: &'static str) -> Result<T, StoreError> {
    Err(StoreError::Unavailable { doing, source: "this store only keeps budgets".into() })
}

#[async_trait]
impl Store for Budgets {
    async fn grant(&self, budget: &str, _: Rate, want: u32) -> Result<Grant, StoreError> {
        *self.taken.lock().unwrap().entry(budget.into()).or_default() += want;
        Ok(Grant::Calls(want))
    }

    async fn pause(&self, budget: &str, pause: Duration) -> Result<(), StoreError> {
        self.pauses.lock().unwrap().push((budget.into(), pause));
        Ok(())
    }

    async fn accept(&self, _: Arrival) -> Result<Accepted, StoreError> {
        no("accept")
    }
    async fn lease(&self, _: LeaseRequest<'_>) -> Result<Vec<Lease>, StoreError> {
        no("lease")
    }
    async fn due(&self, _: &SourceName, _: usize) -> Result<Due, StoreError> {
        no("due")
    }
    async fn save_link(&self, _: &Lease, _: &Link) -> Result<(), StoreError> {
        no("save_link")
    }
    async fn settle(&self, _: Lease, _: Vec<Delivery>, _: Option<Link>) -> Result<(), StoreError> {
        no("settle")
    }
    async fn link(&self, _: &Person) -> Result<Option<Link>, StoreError> {
        no("link")
    }
    async fn links(&self, _: &SourceName, _: Option<&str>, _: usize) -> Result<Links, StoreError> {
        no("links")
    }
    async fn awaiting(&self, _: &SourceName, _: &str, _: usize) -> Result<Vec<Person>, StoreError> {
        no("awaiting")
    }
    async fn appointments(
        &self,
        _: Timestamp,
        _: usize,
    ) -> Result<Vec<(Person, Timestamp)>, StoreError> {
        no("appointments")
    }
    async fn choose(&self, _: &Person, _: Option<&Choice>) -> Result<(), StoreError> {
        no("choose")
    }
    async fn choice(&self, _: &Person) -> Result<Option<Choice>, StoreError> {
        no("choice")
    }
    async fn unlink(&self, _: &Person) -> Result<bool, StoreError> {
        no("unlink")
    }
    async fn note(&self, _: &str) -> Result<Option<String>, StoreError> {
        no("note")
    }
    async fn put_note(
        &self,
        _: &str,
        _: Option<&str>,
        _: Option<&str>,
    ) -> Result<bool, StoreError> {
        no("put_note")
    }
    async fn notes(&self, _: &str) -> Result<Vec<(String, String)>, StoreError> {
        no("notes")
    }
    async fn forget(&self, _: &Person, _: Timestamp) -> Result<bool, StoreError> {
        no("forget")
    }
    async fn remember(&self, _: &Person) -> Result<bool, StoreError> {
        no("remember")
    }
    async fn forgotten(&self, _: &Person) -> Result<Option<Timestamp>, StoreError> {
        no("forgotten")
    }
    async fn all_forgotten(
        &self,
        _: &SourceName,
    ) -> Result<std::collections::BTreeMap<EmployeeId, Timestamp>, StoreError> {
        no("all_forgotten")
    }
    async fn dump(&self, _: Option<&str>, _: usize) -> Result<Dump, StoreError> {
        no("dump")
    }
    async fn restore(&self, _: &[Stored]) -> Result<(), StoreError> {
        no("restore")
    }
    async fn swap(&self, _: &[(Stored, Option<Stored>)]) -> Result<u64, StoreError> {
        no("swap")
    }
    async fn retire_keys(&self) -> Result<(), StoreError> {
        no("retire_keys")
    }
    async fn wipe(&self) -> Result<(), StoreError> {
        no("wipe")
    }
    async fn write_audit(&self, _: &AuditEntry) -> Result<(), StoreError> {
        no("write_audit")
    }
    async fn audit(&self, _: Option<&AuditId>, _: usize) -> Result<Vec<AuditEntry>, StoreError> {
        no("audit")
    }
    async fn owner(&self, _: &AccountId) -> Result<Option<Person>, StoreError> {
        no("owner")
    }
    async fn delivery(&self, _: &DeliveryId) -> Result<Option<Delivery>, StoreError> {
        no("delivery")
    }
    async fn event(&self, _: &EventId) -> Result<Option<KeptEvent>, StoreError> {
        no("event")
    }
    async fn deliveries(&self, _: &Filter, _: usize) -> Result<Vec<Delivery>, StoreError> {
        no("deliveries")
    }
    async fn close(
        &self,
        _: &[DeliveryId],
        _: instep::model::DeliveryState,
        _: &str,
        _: Timestamp,
    ) -> Result<u64, StoreError> {
        no("close")
    }
    async fn replay(&self, _: &[DeliveryId], _: Lane, _: Timestamp) -> Result<u64, StoreError> {
        no("replay")
    }
    async fn accept_all(&self, _: Vec<Arrival>) -> Result<Vec<Accepted>, StoreError> {
        no("accept_all")
    }
    async fn save_run(&self, _: &Run) -> Result<bool, StoreError> {
        no("save_run")
    }
    async fn run(&self, _: &RunId) -> Result<Option<Run>, StoreError> {
        no("run")
    }
    async fn runs(&self, _: Option<&SourceName>, _: usize) -> Result<Vec<Run>, StoreError> {
        no("runs")
    }
    async fn save_items(&self, _: &RunId, _: &[Item]) -> Result<(), StoreError> {
        no("save_items")
    }
    async fn items(&self, _: &RunId, _: u64, _: usize) -> Result<Vec<Item>, StoreError> {
        no("items")
    }
    async fn hold(&self, _: &Hold) -> Result<(), StoreError> {
        no("hold")
    }
    async fn release(&self, _: &str) -> Result<bool, StoreError> {
        no("release")
    }
    async fn holds(&self) -> Result<Vec<Hold>, StoreError> {
        no("holds")
    }
    async fn depth(&self) -> Result<Depth, StoreError> {
        no("depth")
    }
    async fn trim(&self, _: Retention) -> Result<u64, StoreError> {
        no("trim")
    }
    async fn epoch(&self) -> Result<String, StoreError> {
        no("epoch")
    }
    async fn check(&self) -> Result<Vec<String>, StoreError> {
        no("check")
    }
    async fn save_page(&self, _: &RunId, _: &Page) -> Result<(), StoreError> {
        no("save_page")
    }
    async fn pages(&self, _: &RunId, _: u64, _: usize) -> Result<Vec<Page>, StoreError> {
        no("pages")
    }
    async fn drop_pages(&self, _: &RunId) -> Result<(), StoreError> {
        no("drop_pages")
    }
}
