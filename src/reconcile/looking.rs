//! The comparison of a run: links, the LMS, then HR as a stream; the certificate, and the brake over
//! the whole plan. Nothing is written to a far end.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::watch;

use super::accounts::Accounts;
use super::comparing::Comparison;
use super::links::Links;
use super::{Progress, ReconcileError, Reconciler, Stage};
use crate::clock::Deadline;
use crate::config::MatchBy;
use crate::model::words;
use crate::model::{
    Certificate, ChangeKind, Delivery, DeliveryId, Drift, EmployeeId, Item, ItemState, Lane, Run,
    RunState, Slice,
};
use crate::provisioning::certificate::{self, Shown};
use crate::provisioning::{brake, drift};
use crate::sources::SourceError;
use crate::sources::hibob::everyone::Snapshot;
use crate::store::Runs;
use crate::targets::learning360::snapshot::{List, Rows};

/// How long reading one side may take.
const READING: Duration = Duration::from_secs(6 * 3600);

/// How long a single call may take, waiting for the budget included.
pub(super) const CALL: Duration = Duration::from_secs(600);

/// How often HR is asked for everyone before a run is given up.
const TRIES: u32 = 3;

/// The rest after HR did not show everyone; it grows with each try.
const REST: Duration = Duration::from_secs(5);

/// How often HR may ask us to wait.
const WAITS: u32 = 20;

/// Among so many earlier runs are those by which the certificate judges.
const HISTORY: usize = 100;

/// Progress is told after so many people.
const TELL: u64 = 250;

/// What a comparison came to.
pub(super) struct Looked {
    pub run: Run,
    pub items: Vec<Item>,
    /// The last person whose account was looked at closer.
    pub closer: Option<EmployeeId>,
}

/// What was called, and what was waited for.
#[derive(Default)]
struct Costs {
    calls: BTreeMap<String, u64>,
    waited_ms: BTreeMap<String, u64>,
}

impl Costs {
    fn called(&mut self, what: &str, calls: u64) {
        *self.calls.entry(what.to_owned()).or_default() += calls;
    }

    /// So many calls in all, of which some may be counted already.
    fn set(&mut self, what: &str, calls: u64) {
        self.calls.insert(what.to_owned(), calls);
    }

    fn waited(&mut self, whom: &str, time: Duration) {
        let ms = u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
        *self.waited_ms.entry(whom.to_owned()).or_default() += ms;
    }
}

impl Reconciler<'_> {
    /// Compares, and says what the run is then: its items with their states, its slices. A far end
    /// that does not show everything makes it a failed one.
    ///
    /// # Errors
    /// When the store is not available.
    pub(super) async fn look(
        &self,
        run: Run,
        progress: &watch::Sender<Progress>,
    ) -> Result<Looked, ReconcileError> {
        let mut costs = Costs::default();
        let mut failed = run.clone();
        let looked = self.compare(run, &mut costs, progress).await;
        let reason = match looked {
            Ok(mut looked) => {
                looked.run.calls = costs.calls;
                looked.run.waited_ms = costs.waited_ms;
                return Ok(looked);
            }
            Err(ReconcileError::Source(SourceError::Store(error))) => return Err(error.into()),
            Err(ReconcileError::Target(crate::targets::TargetError::Store(error))) => {
                return Err(error.into());
            }
            Err(ReconcileError::Source(error)) => {
                let shown = Shown { broken: Some(error.to_string()), ..Shown::default() };
                failed.certificate = certificate::judge(&shown, &[], &self.settings.certificate);
                format!("HR did not show everyone: {error}. Nothing was changed")
            }
            Err(ReconcileError::Target(error)) => {
                format!("the LMS did not show everything: {error}. Nothing was changed")
            }
            Err(error) => return Err(error),
        };
        failed.state = RunState::Failed { reason };
        failed.ended_at = Some(self.clock.now());
        failed.calls = costs.calls;
        failed.waited_ms = costs.waited_ms;
        Ok(Looked { run: failed, items: Vec::new(), closer: None })
    }

    async fn compare(
        &self,
        mut run: Run,
        costs: &mut Costs,
        progress: &watch::Sender<Progress>,
    ) -> Result<Looked, ReconcileError> {
        progress.send_modify(|it| it.stage = Stage::Beginning);
        let mut links = Links::read(&**self.store, self.name).await?;
        let linked = links.linked();
        let (accounts, catalogue, since) = self.read_lms(&mut run, &links, costs, progress).await?;
        let closer = self.look_closer(&mut links, &accounts).await?;
        if closer.calls > 0 {
            costs.called("360learning closer looks", closer.calls);
        }
        run.remarks.extend(closer.remark());
        let now = self.clock.now();
        let mut comparison = Comparison::new(
            self.rules,
            self.matching,
            self.policy,
            self.target,
            catalogue,
            accounts,
            links,
            now,
        );
        comparison.since = since;
        let snapshot = self.read_hr(&mut comparison, costs, progress).await?;
        let absent = comparison.absent();
        let held = self.store.holds().await?;
        let scope = format!("source {}", self.name);
        let shown = Shown {
            broken: None,
            held: held.into_iter().find(|hold| hold.scope == scope).map(|hold| hold.reason),
            people: snapshot.people,
            doubled: snapshot.doubled,
            fields: comparison.result.fields.clone(),
            deciding: self.rules.decides_by(),
            linked,
            absent,
        };
        let history = self.store.runs(Some(self.name), Runs::FullSyncs, HISTORY).await?;
        let history: Vec<Run> = history.into_iter().filter(|it| it.id != run.id).collect();
        run.certificate = certificate::judge(&shown, &history, &self.settings.certificate);
        let mut items = self.items(&mut comparison, progress).await?;
        run.slices = self.slices(&items, linked, &run.certificate, &comparison);
        for item in &mut items {
            item.state = state(item, &run.slices, run.plan_only);
        }
        if run.held().next().is_some() {
            // Whoever sees a normal day held learns which limits would fit this company.
            run.remarks.extend(brake::suggest(&history, &self.settings.brake));
        }
        let Comparison { result, accounts, .. } = comparison;
        (run.people, run.accounts, run.linked) = (result.people, accounts.count(), linked);
        (run.in_step, run.filtered) = (result.in_step, result.filtered);
        run.rules = self.rules.version().to_owned();
        for (rule, (people, fields)) in result.unjudged {
            let fields: Vec<String> = fields.into_iter().collect();
            let why = if fields.is_empty() {
                "it has no result for their records".to_owned()
            } else {
                format!("HR's answer lacks {}", fields.join(", "))
            };
            run.remarks.push(format!(
                "{} could not be judged by {rule}: {why}. They are left as they are.",
                words::people(people)
            ));
        }
        if !shown.doubled.is_empty() {
            let many = words::count_of(shown.doubled.len(), "person", "people");
            run.remarks.push(format!("HR listed {many} more than once."));
        }
        if run.plan_only {
            run.state = RunState::Done;
            run.ended_at = Some(self.clock.now());
        } else {
            run.state = RunState::Applying;
        }
        Ok(Looked { run, items, closer: closer.last })
    }

    /// All accounts, whose they are, and the members of the groups in which rules have put somebody;
    /// and since when.
    async fn read_lms(
        &self,
        run: &mut Run,
        links: &Links,
        costs: &mut Costs,
        progress: &watch::Sender<Progress>,
    ) -> Result<(Accounts, std::sync::Arc<crate::model::Catalogue>, Timestamp), ReconcileError>
    {
        let needs = self.rules.needs();
        let groups: Vec<_> =
            if needs.groups { links.groups().into_iter().collect() } else { Vec::new() };
        let lists = [List::InUse, List::Deactivated, List::ExternalIds].into_iter();
        let lists = lists.chain(groups.iter().cloned().map(List::Members));
        let platform = format!("instep-{}", self.name);
        let mut snapshot = self.target.snapshot(&platform, lists, Deadline::after(READING));
        let mut accounts = Accounts::new(self.matching.iter().any(|rule| rule.by == MatchBy::Name));
        let mut members = 0;
        let mut take = |accounts: &mut Accounts, list: &List, rows: Rows| {
            match rows {
                Rows::Accounts(some) => accounts.add(some),
                Rows::Claims(some) => accounts.claim(some),
                Rows::Members(some) => {
                    members += u64::try_from(some.len()).unwrap_or(0);
                    if let List::Members(group) = list {
                        accounts.join(group, some);
                    }
                }
            }
            let accounts = accounts.count();
            progress.send_modify(|it| it.stage = Stage::ReadingLms { accounts, members });
        };
        let mut keeper =
            self.kept(run, &mut snapshot, |list, rows| take(&mut accounts, list, rows)).await?;
        loop {
            let part = snapshot.next().await;
            costs.set("360learning reads", snapshot.counted().calls);
            let Some(part) = part? else { break };
            self.keep(run, &mut keeper, &part).await?;
            take(&mut accounts, &part.list, part.rows);
        }
        accounts.index();
        accounts.index_claims();
        accounts.know_groups(groups);
        let doubled = snapshot.counted().doubled;
        if doubled > 0 {
            let rows = words::count(doubled, "row", "rows");
            run.remarks.push(format!("The LMS showed {rows} more than once; each counts once."));
        }
        let gone = snapshot.counted().gone.len();
        if gone > 0 {
            let groups = words::count_of(gone, "group", "groups");
            run.remarks.push(format!("Gone: {groups} in which rules had put people."));
        }
        let catalogue = if needs.groups || !needs.custom_fields.is_empty() {
            self.target.catalogue(&needs, true, Lane::Bulk, Deadline::after(CALL)).await?
        } else {
            std::sync::Arc::default()
        };
        Ok((accounts, catalogue, keeper.since))
    }

    /// Compares everyone while HR's answer arrives; from the beginning again when it breaks off.
    async fn read_hr(
        &self,
        comparison: &mut Comparison<'_>,
        costs: &mut Costs,
        progress: &watch::Sender<Progress>,
    ) -> Result<Snapshot, ReconcileError> {
        let (mut tried, mut waited) = (0, 0);
        loop {
            comparison.start_anew();
            costs.called("hibob searches", 1);
            let read = self
                .source
                .each(Deadline::after(READING), |id, record| {
                    comparison.person(id, &record);
                    let people = comparison.result.people;
                    if people.is_multiple_of(TELL) {
                        progress.send_modify(|it| it.stage = Stage::ReadingHr { people });
                    }
                })
                .await;
            let rest = match read {
                Ok(snapshot) => return Ok(snapshot),
                Err(SourceError::Wait { after, .. }) if waited < WAITS => {
                    waited += 1;
                    after
                }
                Err(error @ SourceError::Again(_)) if tried + 1 < TRIES => {
                    tried += 1;
                    tracing::warn!(source = %self.name, %error, "HR did not show everyone");
                    REST * tried
                }
                Err(error) => return Err(error.into()),
            };
            costs.waited("hibob", rest);
            tokio::time::sleep(rest).await;
        }
    }

    /// The brake's judgement of the plan, with what the people of held slices have in common.
    fn slices(
        &self,
        items: &[Item],
        linked: u64,
        certificate: &Certificate,
        comparison: &Comparison<'_>,
    ) -> Vec<Slice> {
        let mut plan: BTreeMap<ChangeKind, u64> = BTreeMap::new();
        for kind in items.iter().filter_map(|item| item.kind) {
            *plan.entry(kind).or_default() += 1;
        }
        let now = self.clock.now();
        let mut slices = brake::judge(&plan, linked, certificate, &self.settings.brake, now);
        for slice in slices.iter_mut().filter(|slice| slice.is_held()) {
            slice.common = comparison.common(slice.kind);
            let is_gone = |item: &&Item| {
                item.kind == Some(slice.kind) && item.drift.contains(&Drift::NotShown)
            };
            let (gone, all) = (items.iter().filter(is_gone).count(), slice.people);
            if gone > 0 {
                // What the others have in common is counted among those whom HR shows.
                let are = if gone == 1 { "is" } else { "are" };
                let told = format!(
                    "{gone} of {all} {are} not in HR any more; the lines below count the others"
                );
                slice.common.insert(0, told);
            }
        }
        slices
    }
}

/// Where an item stands when the comparison ends.
fn state(item: &Item, slices: &[Slice], plan_only: bool) -> ItemState {
    let queued = || ItemState::Queued { delivery: DeliveryId::fresh() };
    match item.kind {
        _ if plan_only => ItemState::Told,
        // Only the link is to be made: the brake has nothing to judge.
        None if is_link(item) => queued(),
        None => ItemState::Told,
        Some(kind) if slices.iter().any(|slice| slice.kind == kind && slice.is_held()) => {
            ItemState::Held
        }
        Some(_) => queued(),
    }
}

/// Whether an account is as it should be, and only not known to be the person's.
fn is_link(item: &Item) -> bool {
    matches!(item.drift.as_slice(), [Drift::Field { name, .. }] if name == drift::LINK)
}

/// What was done for somebody, call by call.
pub(super) fn done(delivery: &Delivery) -> Vec<String> {
    let mut seen = BTreeSet::new();
    let all = delivery.history.iter().flat_map(|attempt| &attempt.done);
    all.filter(|what| seen.insert(*what)).cloned().collect()
}
