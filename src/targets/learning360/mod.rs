//! 360Learning (API v2) as a target: finds accounts, and carries out changes that were decided
//! elsewhere.
//!
//! Promises: only [`Learning360::apply`] changes anything; a change names exactly what it changes;
//! a create is sent once, whatever happens to the answer; everything else can be repeated.

mod check;
mod claim;
mod client;
mod codes;
mod find;
mod kept;
mod lists;
mod road;
mod token;
mod wire;

use std::collections::BTreeMap;
use std::sync::Arc;

use reqwest::StatusCode;
use serde_json::Value;

use self::client::{Client, Turn};
use self::find::Finder;
use crate::clock::Deadline;
use crate::config::Learning360Settings;
use crate::model::{
    Account, AccountId, Catalogue, Change, Done, Field, GroupId, Kept, Lane, Needs,
};
use crate::store::budget::Budget;
use crate::targets::{Candidate, Probe, TargetError};

/// A 360Learning company.
pub struct Learning360 {
    client: Arc<Client>,
    finder: Finder,
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
        Ok(Self {
            finder: Finder::new(Arc::clone(&client), &settings.protected),
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

    /// The target's groups and custom fields, as far as they are needed; read at most once in a
    /// while and after something was not found or was made. `afresh`: read now.
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
        let _ = (needs, afresh, lane, deadline);
        Ok(Arc::default())
    }

    /// Whether `target.protected` lists this id or mail.
    pub fn is_listed(&self, id_or_mail: &str) -> bool {
        self.finder.is_listed(id_or_mail)
    }

    /// What a deactivation would take away from an account, to be written down before it is
    /// carried out; `None` when the account is deactivated already.
    ///
    /// # Errors
    /// When the target does not say, and when the account must never be deactivated: the owner's,
    /// a protected one.
    pub async fn belongings(
        &self,
        id: &AccountId,
        lane: Lane,
        deadline: Deadline,
    ) -> Result<Option<Kept>, TargetError> {
        let protection = |account: &Account| self.finder.protection(account);
        kept::belongings(&self.client, id, protection, Turn { lane, deadline }).await
    }

    /// The only method that changes anything. `account` is needed by all but `Create`.
    ///
    /// # Errors
    /// See [`TargetError`]. After [`TargetError::Again`] it is not known whether the change was
    /// made; all but a create can be done again.
    pub async fn apply(
        &self,
        platform: &str,
        account: Option<&AccountId>,
        change: &Change,
        lane: Lane,
        deadline: Deadline,
    ) -> Result<Done, TargetError> {
        let turn = Turn { lane, deadline };
        if let Change::Create { fields, group } = change {
            return self.create(fields, group, turn).await;
        }
        let id = account.ok_or_else(|| TargetError::Refused {
            code: "noAccount".into(),
            advice: "a change was planned for an account that is not known: this is a fault in \
                     Instep, please report it"
                .into(),
        })?;
        if self.finder.is_listed(id.as_str()) {
            return Err(protected(id, "it is listed under target.protected"));
        }
        match change {
            Change::Create { fields, group } => self.create(fields, group, turn).await,
            Change::Activate => {
                let call = self.client.call("PUT /users/{userId}/activate", &[id.as_str()])?;
                let account = self.client.user(call, turn).await?;
                Ok(Done { account: Some(account), ..Done::default() })
            }
            Change::Update(fields) => self.update(id, fields, turn).await,
            Change::ClaimExternalId(value) => {
                claim::claim(&self.client, platform, id, value, turn).await
            }
            Change::PutBack(kept) => kept::put_back(&self.client, id, kept, turn).await,
            Change::MakeGroup { .. }
            | Change::Join { .. }
            | Change::Leave { .. }
            | Change::SetCustom(_)
            | Change::SetManager { .. } => Ok(Done::default()),
            Change::Deactivate => {
                let call = self.client.call("DELETE /users/{userId}", &[id.as_str()])?;
                self.client.tell(call, turn).await?;
                Ok(Done::default())
            }
        }
    }

    /// Credentials and scopes; answers with problems in sentences. Changes nothing.
    pub async fn check(&self, deadline: Deadline) -> Vec<String> {
        let turn = Turn { lane: Lane::Live, deadline };
        check::check(&self.client, &self.default_group, turn).await
    }

    async fn create(
        &self,
        fields: &BTreeMap<Field, String>,
        group: &GroupId,
        turn: Turn,
    ) -> Result<Done, TargetError> {
        let body = wire::NewUser {
            // An empty text is not a value here: it would be refused.
            fields: fields
                .iter()
                .filter(|(_, value)| !value.is_empty())
                .map(|(field, value)| (wire::member(*field), value.as_str()))
                .collect(),
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
                Some(text) if !text.is_empty() => Value::from(text),
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

/// The refusal to touch an account.
fn protected(id: &AccountId, why: &str) -> TargetError {
    TargetError::Refused {
        code: "protected".into(),
        advice: format!("the account {id} is never changed: {why}"),
    }
}
