//! A closer look at some accounts: what they hold in custom fields, and who manages them. The lists
//! of the LMS do not show that, and asking takes two calls for each account.
//!
//! So a run compares most people by what was last applied to their accounts, and asks about some: so
//! many in each run, those first whose turn was longest ago, until everybody had a turn. A note tells
//! whose turn was the last one. What was edited by hand is found when its turn comes.

use super::accounts::Accounts;
use super::links::Links;
use super::{ReconcileError, Reconciler};
use crate::clock::Deadline;
use crate::model::words::count_of;
use crate::model::{AccountId, AccountStatus, EmployeeId, Lane, Link};
use crate::targets::TargetError;

/// How a closer look went.
#[derive(Debug, Default)]
pub(super) struct Closer {
    /// So many accounts were asked about.
    pub looked: usize,
    /// So many there are whose turn comes at some time.
    pub all: usize,
    /// The calls that it took.
    pub calls: u64,
    /// Whose turn was the last one.
    pub last: Option<EmployeeId>,
    /// Why it ended early.
    pub broken: Option<TargetError>,
}

impl Reconciler<'_> {
    /// Looks at the accounts whose turn it is, and corrects what is known of them by what they hold.
    ///
    /// # Errors
    /// When the store is not available. What the target does not say is told, and does no harm.
    pub(super) async fn look_closer(
        &self,
        links: &mut Links,
        accounts: &Accounts,
    ) -> Result<Closer, ReconcileError> {
        let (custom, manager) =
            (!self.rules.needs().custom_fields.is_empty(), self.rules.names_managers());
        let mut closer = Closer::default();
        if self.settings.schedule.closer_looks == 0 || !(custom || manager) {
            return Ok(closer);
        }
        let last = self.store.note(&self.closer_note()).await?;
        let mut all: Vec<(EmployeeId, AccountId)> = Vec::new();
        for (employee, known) in &links.people {
            let link = &known.link;
            let Some(account) = &link.account else { continue };
            let is_in_use =
                accounts.status(account).is_some_and(|status| status != AccountStatus::Deleted);
            let holds = (custom && !link.custom.is_empty()) || (manager && link.manager.is_some());
            if is_in_use && holds && link.creating.is_none() && !link.restoring {
                all.push((employee.clone(), account.clone()));
            }
        }
        all.sort_unstable();
        closer.all = all.len();
        // Where the last run ended, this one begins; behind the last person comes the first.
        let behind = |last: &String| all.partition_point(|(id, _)| id.as_str() <= last.as_str());
        let from = last.as_ref().map_or(0, behind);
        all.rotate_left(from);
        all.truncate(self.settings.schedule.closer_looks as usize);
        for (employee, account) in all {
            let Some(known) = links.people.get_mut(&employee) else { continue };
            closer.calls += u64::from(custom) + u64::from(manager);
            match self.see(&account, custom, manager, &mut known.link).await {
                Ok(()) => {
                    closer.looked += 1;
                    closer.last = Some(employee);
                }
                Err(TargetError::Store(error)) => return Err(error.into()),
                Err(error) => {
                    closer.broken = Some(error);
                    break;
                }
            }
        }
        Ok(closer)
    }

    /// Corrects a link by what the account holds.
    async fn see(
        &self,
        account: &AccountId,
        custom: bool,
        manager: bool,
        link: &mut Link,
    ) -> Result<(), TargetError> {
        let deadline = Deadline::after(super::looking::CALL);
        let (values, managers) = tokio::try_join!(
            async {
                if !custom {
                    return Ok(None);
                }
                self.target.custom_values(account, Lane::Bulk, deadline).await.map(Some)
            },
            async {
                if !manager {
                    return Ok(None);
                }
                self.target.managers(account, Lane::Bulk, deadline).await.map(Some)
            },
        )?;
        link.see_belongings(values.as_ref(), managers.as_deref());
        Ok(())
    }

    /// Whoever had their turn has it again when everybody else has had theirs.
    ///
    /// # Errors
    /// When the store is not available.
    pub(super) async fn note_closer(&self, last: &EmployeeId) -> Result<(), ReconcileError> {
        let name = self.closer_note();
        let before = self.store.note(&name).await?;
        // Should somebody else have written it just now, theirs is as good.
        self.store.put_note(&name, before.as_deref(), Some(last.as_str())).await?;
        Ok(())
    }

    fn closer_note(&self) -> String {
        format!("closer:{}", self.name)
    }
}

impl Closer {
    /// What the report says of it; nothing when there was nothing to look at.
    pub fn remark(&self) -> Option<String> {
        if let Some(error) = &self.broken {
            let looked = count_of(self.looked, "account", "accounts");
            return Some(format!(
                "The custom fields and managers of {looked} were looked at, then the LMS \
                 did not say more: {error}. The next run goes on from there."
            ));
        }
        (self.looked > 0).then(|| {
            let (looked, all) = (self.looked, self.all);
            let runs = all.div_ceil(looked.max(1));
            let turn = match runs {
                1 => "in every run".to_owned(),
                runs => format!("in one run of {runs}"),
            };
            format!(
                "The custom fields and managers of {looked} of {} were looked at: each \
                 account's turn comes {turn} ([schedule] closer_looks).",
                count_of(all, "account", "accounts")
            )
        })
    }
}
