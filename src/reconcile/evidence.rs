//! A closer look at those who differ, one by one: what has been put right meanwhile is no difference,
//! and why the others differ is found out.

use tokio::sync::watch;

use super::comparing::{Comparison, Found};
use super::{Progress, ReconcileError, Reconciler, Stage};
use crate::model::{
    ChangeKind, Choice, Delivery, DeliveryState, Drift, Item, ItemState, Lane, Link, Person,
};
use crate::provisioning::blame::{Evidence, blame};
use crate::store::Filter;

/// So many of somebody's deliveries are looked at.
const DELIVERIES: usize = 50;

/// How a worker says that it found an account that is never changed.
const LEFT_ALONE: &str = "leave alone";

impl Reconciler<'_> {
    /// The items of a run, each with its blame. Those who are in step by now are counted so.
    pub(super) async fn items(
        &self,
        comparison: &mut Comparison<'_>,
        progress: &watch::Sender<Progress>,
    ) -> Result<Vec<Item>, ReconcileError> {
        let found = std::mem::take(&mut comparison.result.found);
        let all = u64::try_from(found.len()).unwrap_or(u64::MAX);
        let mut items = Vec::new();
        for (found, done) in found.into_iter().zip(0..) {
            if u64::is_multiple_of(done, 100) {
                progress.send_modify(|it| it.stage = Stage::Comparing { done, all });
            }
            match self.item(comparison, found).await? {
                Some(item) => items.push(item),
                None => comparison.result.in_step += 1,
            }
        }
        for (account, name) in comparison.accounts.orphans() {
            // It may be a person's of another source.
            if self.store.owner(&account).await?.is_some() {
                continue;
            }
            items.push(Item {
                number: 0,
                employee: None,
                name,
                account: Some(account),
                kind: None,
                drift: vec![Drift::Orphan],
                blame: None,
                state: ItemState::Told,
                again: Vec::new(),
            });
        }
        for (item, number) in items.iter_mut().zip(1..) {
            item.number = number;
        }
        Ok(items)
    }

    async fn item(
        &self,
        comparison: &Comparison<'_>,
        mut found: Found,
    ) -> Result<Option<Item>, ReconcileError> {
        let links = &comparison.links;
        let person = Person { source: self.name.clone(), employee: found.employee.clone() };
        let link = self.store.link(&person).await?;
        if links.print(link.as_ref()) != links.print_of(&found.employee) {
            // The live road had this person in hand meanwhile.
            return Ok(None);
        }
        if found.resembles.as_ref().is_some_and(|mail| comparison.result.mails.by_several(mail)) {
            return Ok(None);
        }
        let is_disputed = matches!(found.drift.as_slice(), [Drift::Disputed { .. }]);
        match self.store.choice(&person).await? {
            Some(Choice::Ignore) => return Ok(None),
            // A human has decided, and it is not done.
            Some(_) if is_disputed => found.kind = Some(ChangeKind::Update),
            _ => {}
        }
        if self.is_there_after_all(&found, link.as_ref()).await? {
            return Ok(None);
        }
        if found.is_takeover()
            && let Some(account) = &found.account
            && let Some(other) = self.store.owner(account).await?
            && other != person
        {
            let reason = format!(
                "account {account} could be this person's, but belongs to employee {} of {}: decide \
                 with instep match",
                other.employee, other.source
            );
            found.kind = None;
            found.drift = vec![Drift::Disputed { reason }];
        }
        let filter = Filter {
            source: Some(self.name.clone()),
            employee: Some(found.employee.to_string()),
            ..Filter::default()
        };
        let deliveries = self.store.deliveries(&filter, DELIVERIES).await?;
        if deliveries.iter().any(|delivery| did_something_since(delivery, comparison.since)) {
            // The accounts were read before that.
            return Ok(None);
        }
        if let (Some(account), true) = (&found.account, was_left_alone(&deliveries)) {
            let deadline = crate::clock::Deadline::after(super::looking::CALL);
            if self.target.protection(account, Lane::Bulk, deadline).await?.is_some() {
                return Ok(None);
            }
        }
        let account = found.account.as_ref().and_then(|id| comparison.accounts.get(id));
        let evidence = Evidence {
            link: link.as_ref(),
            account: account.as_ref(),
            deliveries: &deliveries,
            rules: self.rules.version(),
            catalogue: &comparison.catalogue,
            now: comparison.now,
        };
        let blame = blame(&found.drift, &evidence);
        Ok(Some(Item {
            number: 0,
            employee: Some(found.employee),
            name: found.name,
            account: found.account,
            kind: found.kind,
            drift: found.drift,
            blame: Some(blame),
            state: ItemState::Told,
            again: Vec::new(),
        }))
    }

    /// Whether a linked account that the list did not show exists: the list promises nothing about
    /// accounts that change while it is read.
    async fn is_there_after_all(
        &self,
        found: &Found,
        link: Option<&Link>,
    ) -> Result<bool, ReconcileError> {
        let missing = found.drift.contains(&Drift::MissingAccount);
        let Some(account) = link.and_then(|link| link.account.as_ref()).filter(|_| missing) else {
            return Ok(false);
        };
        let deadline = crate::clock::Deadline::after(super::looking::CALL);
        Ok(self.target.account(account, Lane::Bulk, deadline).await?.is_some())
    }
}

/// Whether a worker did something for this delivery at or after a moment.
fn did_something_since(delivery: &Delivery, since: jiff::Timestamp) -> bool {
    delivery.history.iter().any(|attempt| {
        let took = std::time::Duration::from_millis(attempt.took_ms);
        !attempt.done.is_empty() && attempt.at + took >= since
    })
}

/// Whether a worker last found an account that is never changed.
fn was_left_alone(deliveries: &[Delivery]) -> bool {
    let settled = deliveries.iter().find(|delivery| delivery.state == DeliveryState::Done);
    let last = settled.and_then(|delivery| delivery.history.last());
    last.is_some_and(|attempt| attempt.decided == LEFT_ALONE)
}
