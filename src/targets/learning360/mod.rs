//! 360Learning (API v2) as a target: finds accounts, and carries out changes that were decided
//! elsewhere.
//!
//! Promises: only [`Learning360::apply`] and its plural for memberships change anything; a change names exactly what it changes;
//! a create is sent once, whatever happens to the answer; everything else can be repeated.

pub mod bulk;
mod catalogue;
mod check;
mod claim;
mod client;
mod codes;
mod custom;
mod failure;
mod find;
mod groups;
mod kept;
mod lists;
mod managers;
mod names;
mod protection;
mod road;
pub mod snapshot;
mod token;
mod wire;

pub use self::wire::member;

use std::collections::BTreeMap;
use std::sync::Arc;

use reqwest::StatusCode;
use serde_json::Value;

use self::catalogue::Shelf;
use self::client::{Client, Turn};
use self::find::Finder;
use self::protection::Protection;
use crate::clock::Deadline;
use crate::config::Learning360Settings;
use crate::model::{
    Account, AccountId, Catalogue, Change, CustomFieldId, Done, Field, GroupId, Kept, Lane, Needs,
    Role,
};
use crate::store::budget::Budget;
use crate::targets::{Candidate, Probe, TargetError};

pub use self::names::key as name_key;

/// A 360Learning company.
pub struct Learning360 {
    client: Arc<Client>,
    finder: Finder,
    shelf: Shelf,
    protection: Arc<Protection>,
    default_group: String,
    send_invitation: bool,
}

impl Learning360 {
    /// Connects nothing yet: the first call fetches the token.
    ///
    /// # Errors
    /// [`TargetError::Hold`] when the settings cannot work.
    pub fn new(
        settings: &Learning360Settings,
        reads: Arc<Budget>,
        writes: Arc<Budget>,
    ) -> Result<Self, TargetError> {
        let client = Arc::new(Client::new(settings, reads, writes)?);
        let protection = Arc::new(Protection::new(Arc::clone(&client), settings));
        Ok(Self {
            finder: Finder::new(Arc::clone(&client), Arc::clone(&protection)),
            shelf: Shelf::new(Arc::clone(&client)),
            protection,
            client,
            default_group: settings.default_group.clone(),
            send_invitation: settings.send_invitation,
        })
    }

    /// Every account that could be each person's, surest first, in as few calls as the API allows:
    /// external ids and mails of many persons are asked for together. One answer for each probe.
    ///
    /// # Errors
    /// When a single one of the calls fails: half an answer would look like absence.
    pub async fn find(
        &self,
        platform: &str,
        probes: &[Probe],
        lane: Lane,
        deadline: Deadline,
    ) -> Result<Vec<Vec<Candidate>>, TargetError> {
        self.finder.find(platform, probes, Turn { lane, deadline }).await
    }

    /// The account with this id, if there is one.
    ///
    /// # Errors
    /// When the target does not say.
    pub async fn account(
        &self,
        id: &AccountId,
        lane: Lane,
        deadline: Deadline,
    ) -> Result<Option<Account>, TargetError> {
        self.client.account(id, Turn { lane, deadline }).await
    }

    /// The target's groups and custom fields, as far as they are needed (perhaps more), as they were
    /// some minutes ago at most; no call when nothing is needed. `afresh`: as a read shows them that
    /// begins now. Many callers wait for the same read.
    ///
    /// # Errors
    /// When the target does not say.
    pub async fn catalogue(
        &self,
        needs: &Needs,
        afresh: bool,
        lane: Lane,
        deadline: Deadline,
    ) -> Result<Arc<Catalogue>, TargetError> {
        self.shelf.get(needs, afresh, Turn { lane, deadline }).await
    }

    /// The names of all custom fields of accounts, as the last read of the catalogue that was for
    /// custom fields showed them; a misspelt name was meant to be one of these.
    pub fn custom_field_names(&self) -> Vec<String> {
        self.shelf.custom_field_names()
    }

    /// Why this account must never be changed, if so: it is listed by its id, it belongs to the
    /// company's owner, or (unless `target.protect_admins` is false) it has the role admin in some
    /// group. One call for an account that was not asked about in the last minutes.
    ///
    /// # Errors
    /// When the target does not say.
    pub async fn protection(
        &self,
        account: &AccountId,
        lane: Lane,
        deadline: Deadline,
    ) -> Result<Option<String>, TargetError> {
        self.protection.of(account, Turn { lane, deadline }).await
    }

    /// The groups that an account is in, and its role in each.
    ///
    /// # Errors
    /// When the target does not say.
    pub async fn roles(
        &self,
        account: &AccountId,
        lane: Lane,
        deadline: Deadline,
    ) -> Result<Vec<(GroupId, Role)>, TargetError> {
        let roles = groups::roles(&self.client, account, Turn { lane, deadline }).await?;
        Ok(roles.into_iter().map(|row| (row.group_id, row.role)).collect())
    }

    /// What an account holds in custom fields.
    ///
    /// # Errors
    /// When the target does not say.
    pub async fn custom_values(
        &self,
        account: &AccountId,
        lane: Lane,
        deadline: Deadline,
    ) -> Result<BTreeMap<CustomFieldId, String>, TargetError> {
        let values = custom::values(&self.client, account, Turn { lane, deadline }).await?;
        let value = |it: wire::CustomValue| {
            Some((CustomFieldId::new(it.custom_field_id), it.value.as_str()?.to_owned()))
        };
        Ok(values.into_iter().filter_map(value).collect())
    }

    /// Who manages an account.
    ///
    /// # Errors
    /// When the target does not say.
    pub async fn managers(
        &self,
        account: &AccountId,
        lane: Lane,
        deadline: Deadline,
    ) -> Result<Vec<AccountId>, TargetError> {
        managers::of(&self.client, account, Turn { lane, deadline }).await
    }

    /// Whether `target.protected` lists this id or mail.
    pub fn is_listed(&self, id_or_mail: &str) -> bool {
        self.protection.is_listed(id_or_mail)
    }

    /// What a deactivation would take away from an account, to be written down before it is
    /// carried out; `None` when the account is deactivated already.
    ///
    /// # Errors
    /// When the target does not say, and when the account must never be deactivated: see
    /// [`Self::protection`].
    pub async fn belongings(
        &self,
        id: &AccountId,
        lane: Lane,
        deadline: Deadline,
    ) -> Result<Option<Kept>, TargetError> {
        kept::belongings(&self.client, id, &self.protection, Turn { lane, deadline }).await
    }

    /// The only method that changes anything, beside its plural for memberships,
    /// [`Self::apply_together`]. `account` is needed by all but `Create` and
    /// `MakeGroup`. Whoever asks for a change of an existing account has seen [`Self::protection`].
    ///
    /// # Errors
    /// See [`TargetError`]. After [`TargetError::Again`] it is not known whether the change was
    /// made; all but a create can be done again (a group is looked for before it is made).
    pub async fn apply(
        &self,
        platform: &str,
        account: Option<&AccountId>,
        change: &Change,
        lane: Lane,
        deadline: Deadline,
    ) -> Result<Done, TargetError> {
        let turn = Turn { lane, deadline };
        match (change, account) {
            (Change::Create { fields, group }, _) => self.create(fields, group, turn).await,
            (Change::MakeGroup { path }, _) => {
                let group = self.shelf.make(path, turn).await?;
                Ok(Done { group: Some(group), ..Done::default() })
            }
            (_, Some(id)) if self.protection.is_listed(id.as_str()) => {
                Err(protected(id, "it is listed under target.protected"))
            }
            (_, Some(id)) => self.change(platform, id, change, turn).await,
            (_, None) => Err(TargetError::Refused {
                code: "noAccount".into(),
                advice:
                    "a change was planned for an account that is not known: this is a fault in \
                         Instep, please report it"
                        .into(),
            }),
        }
    }

    /// Changes an account that is there.
    async fn change(
        &self,
        platform: &str,
        id: &AccountId,
        change: &Change,
        turn: Turn,
    ) -> Result<Done, TargetError> {
        let (client, known) = (&self.client, &self.shelf);
        match change {
            // These need no account and were done.
            Change::Create { .. } | Change::MakeGroup { .. } => Ok(Done::default()),
            Change::Activate => {
                let call = client.call("PUT /users/{userId}/activate", &[id.as_str()])?;
                let account = client.user(call, turn).await?;
                Ok(Done { account: Some(account), ..Done::default() })
            }
            Change::Update(fields) => self.update(id, fields, turn).await,
            Change::ClaimExternalId(value) => claim::claim(client, platform, id, value, turn).await,
            Change::Join { group, path, role } => {
                self.protection.forget(id);
                groups::join(client, known, id, (group.as_ref(), path), role, turn).await
            }
            Change::Leave { group, role } => {
                self.protection.forget(id);
                groups::leave(client, known, id, group, role, turn).await
            }
            Change::SetCustom(values) => custom::set(client, known, id, values, turn).await,
            Change::SetManager { add, remove } => {
                managers::set(client, id, add.as_ref(), remove.as_ref(), turn).await
            }
            Change::PutBack(kept) => {
                self.protection.forget(id);
                kept::put_back(client, id, kept, turn).await
            }
            Change::Deactivate => {
                let call = client.call("DELETE /users/{userId}", &[id.as_str()])?;
                client.tell(call, turn).await?;
                Ok(Done::default())
            }
        }
    }

    /// Credentials and scopes, those for custom fields only when one is needed; answers with
    /// problems in sentences. Changes nothing.
    pub async fn check(&self, needs: &Needs, deadline: Deadline) -> Vec<String> {
        let turn = Turn { lane: Lane::Live, deadline };
        check::check(&self.client, &self.default_group, needs, turn).await
    }

    async fn create(
        &self,
        fields: &BTreeMap<Field, String>,
        group: &GroupId,
        turn: Turn,
    ) -> Result<Done, TargetError> {
        // An empty text is not a value here: it would be refused.
        let mut filled = BTreeMap::new();
        for (field, value) in fields.iter().filter(|(_, value)| !value.is_empty()) {
            filled.insert(wire::member(*field), wire::written(*field, value)?);
        }
        let body = wire::NewUser {
            fields: filled,
            membership: wire::Membership { group_id: group, role: "learner" },
        };
        let invitation = if self.send_invitation { "true" } else { "false" };
        let call = self
            .client
            .call("POST /users", &[])?
            .with("sendInvitationEmail", invitation)
            .json(&body);
        let unknown = |error| match error {
            TargetError::Again(why) => {
                TargetError::Again(format!("{why}; whether the account was made is unknown"))
            }
            other => other,
        };
        let (status, user) = self.client.ask::<wire::User>(call, turn).await.map_err(unknown)?;
        let account = Account::try_from(user).map_err(unknown)?;
        let restored = status != StatusCode::CREATED;
        Ok(Done { account: Some(account), restored, ..Done::default() })
    }

    async fn update(
        &self,
        id: &AccountId,
        fields: &BTreeMap<Field, Option<String>>,
        turn: Turn,
    ) -> Result<Done, TargetError> {
        let mut body = BTreeMap::new();
        for (field, value) in fields {
            let value = match value.as_deref() {
                Some(text) if !text.is_empty() => Value::from(wire::written(*field, text)?),
                // A language can be changed, not cleared.
                _ if *field == Field::Lang => continue,
                _ => Value::Null,
            };
            body.insert(wire::member(*field), value);
        }
        if body.is_empty() {
            return Ok(Done::default());
        }
        let call = self.client.call("PATCH /users/{userId}", &[id.as_str()])?.json(&body);
        let account = self.client.user(call, turn).await?;
        Ok(Done { account: Some(account), ..Done::default() })
    }
}

/// An account from one of 360Learning's user objects; `None` when it is none.
pub fn account(user: Value) -> Option<Account> {
    serde_json::from_value::<wire::User>(user).ok()?.try_into().ok()
}

/// The refusal to touch an account.
fn protected(id: &AccountId, why: &str) -> TargetError {
    TargetError::Refused {
        code: "protected".into(),
        advice: format!("the account {id} is never changed: {why}"),
    }
}
