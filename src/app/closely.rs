//! A closer look than the worker's: protected accounts, managers by their names, and what an account
//! has besides its fields.

use super::preview::{Look, Preview, PreviewError, Previewer, Verdict};
use crate::model::{Account, AccountId, Change, Field, Lane};
use crate::provisioning::resolving::ManagerFound;
use crate::targets::TargetError;

impl Previewer {
    /// Leaves protected accounts alone, names managers, and reads what the account has besides its
    /// fields.
    pub(super) async fn look_closely(
        &self,
        preview: &mut Preview,
        look: Look,
    ) -> Result<(), PreviewError> {
        if let Verdict::Planned { plan, .. } = &preview.verdict
            && let Some(account) = plan.account.as_ref().filter(|_| !plan.steps.is_empty())
            && look != Look::Usual
            && let Some(why) = self.target.protection(account, Lane::Bulk, self.deadline).await?
        {
            let why = format!("account {account} is never changed: {why}");
            preview.verdict = Verdict::LeftAlone(why);
        }
        let steps = match &preview.verdict {
            Verdict::Planned { plan, .. } => plan.steps.as_slice(),
            _ => &[],
        };
        let mut managers: Vec<AccountId> = Vec::new();
        for step in steps {
            if let Change::SetManager { add, remove } = step {
                managers.extend(add.iter().chain(remove).cloned());
            }
        }
        if let (Some(account), Look::Closest) = (&preview.account, look) {
            let read = self.target.belongings(&account.id, Lane::Bulk, self.deadline).await;
            // A protected account does not say what it has: it is never changed. One that has gone
            // in the meantime has nothing.
            preview.belongings = match read {
                Err(TargetError::Refused { .. } | TargetError::LookAgain { .. }) => None,
                read => read?,
            };
            managers.extend(preview.belongings.iter().flat_map(|had| had.managers.clone()));
        }
        if let ManagerFound::Account(manager) = &preview.manager {
            managers.push(manager.clone());
        }
        managers.sort();
        managers.dedup();
        for manager in managers {
            let name = self.manager(&manager, look).await?;
            preview.managers.insert(manager, name);
        }
        Ok(())
    }

    /// A manager for people: whose account it is and, looked at closely, the name there.
    async fn manager(&self, account: &AccountId, look: Look) -> Result<String, PreviewError> {
        let owner = self.store.owner(account).await?;
        let who = owner.map_or_else(|| format!("account {account}"), |owner| owner.to_string());
        if matches!(look, Look::Usual | Look::Changing) {
            return Ok(who);
        }
        let shown = self.target.account(account, Lane::Bulk, self.deadline).await?;
        let name = shown.as_ref().map(full_name).unwrap_or_default();
        Ok(if name.is_empty() { who } else { format!("{who}, {name}") })
    }
}

/// The name that an account shows; empty when it shows none.
pub(super) fn full_name(account: &Account) -> String {
    let names =
        [Field::FirstName, Field::LastName].map(|field| account.fields.get(&field).cloned());
    names.into_iter().flatten().collect::<Vec<_>>().join(" ")
}
