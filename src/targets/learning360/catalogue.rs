//! The platform's groups and custom fields: read when somebody needs them, and kept for a while.
//!
//! Promises: nothing is read that nobody needs; one caller reads and the others wait for the same;
//! whoever asks afresh gets what a read showed that began after the asking; a group that was made
//! here is known at once.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::client::{Client, Turn};
use super::codes;
use super::failure::Failure;
use super::wire::{self, Definition, NewGroup};
use crate::clock::Deadline;
use crate::model::catalogue::Found;
use crate::model::{Catalogue, CustomField, CustomFieldId, Group, GroupId, Needs};
use crate::targets::TargetError;

/// How long what was read is believed.
const FRESH: Duration = Duration::from_secs(600);

/// Keeps the catalogue.
pub(super) struct Shelf {
    client: Arc<Client>,
    state: Mutex<State>,
    /// Held by the one who reads, or makes a group.
    flight: tokio::sync::Mutex<()>,
}

#[derive(Default)]
struct State {
    catalogue: Arc<Catalogue>,
    /// The read that showed the groups.
    groups: Option<Read>,
    /// The read that showed the custom fields.
    fields: Option<Read>,
    /// The names that were looked for then; some may not exist.
    names: BTreeSet<String>,
    /// All custom fields of accounts, without their authorised values.
    definitions: Arc<Vec<CustomField>>,
    /// Reads that were begun, and that ended.
    begun: u64,
    ended: u64,
    /// A read that failed: which one to end, what it was for, and how.
    failed: Option<(u64, Needs, Failure)>,
}

/// A read: which one, and until when it is believed.
#[derive(Clone, Copy)]
struct Read {
    number: u64,
    until: Deadline,
}

/// When somebody asked: after so many reads had begun and ended.
#[derive(Clone, Copy)]
struct Asked {
    begun: u64,
    ended: u64,
}

/// What a read showed.
#[derive(Default)]
struct Fetched {
    groups: Option<Vec<Group>>,
    definitions: Option<Vec<CustomField>>,
    /// The fields that were looked for, and what was found.
    fields: Option<(BTreeSet<String>, Vec<CustomField>)>,
}

impl Shelf {
    pub fn new(client: Arc<Client>) -> Self {
        Self { client, state: Mutex::default(), flight: tokio::sync::Mutex::default() }
    }

    /// What is needed; perhaps more.
    pub async fn get(
        &self,
        needs: &Needs,
        afresh: bool,
        turn: Turn,
    ) -> Result<Arc<Catalogue>, TargetError> {
        if !needs.groups && needs.custom_fields.is_empty() {
            return Ok(Arc::default());
        }
        let asked = {
            let state = self.state();
            if !afresh && let Some(catalogue) = state.enough(needs, 0) {
                return Ok(catalogue);
            }
            state.asked()
        };
        let _flight = self.flight(turn).await?;
        self.read(needs, if afresh { asked.begun } else { 0 }, asked, turn).await
    }

    /// The names of all custom fields of accounts, as the last read showed them.
    pub fn custom_field_names(&self) -> Vec<String> {
        self.state().definitions.iter().map(|field| field.name.clone()).collect()
    }

    /// The group at the end of a path. Looks afresh before it says that there is none.
    pub async fn group(&self, path: &[String], turn: Turn) -> Result<GroupId, TargetError> {
        let known = self.get(&groups(), false, turn).await?;
        if let Found::Group(id) = known.group(path) {
            return Ok(id);
        }
        match self.get(&groups(), true, turn).await?.group(path) {
            Found::Group(id) => Ok(id),
            Found::Missing(_) => Err(gone()),
            Found::Ambiguous(ids) => Err(ambiguous(&ids)),
        }
    }

    /// Makes the group at the end of a path, unless it is there. The group above must be.
    pub async fn make(&self, path: &[String], turn: Turn) -> Result<GroupId, TargetError> {
        let asked = self.state().asked();
        let _flight = self.flight(turn).await?;
        let catalogue = self.read(&groups(), asked.begun, asked, turn).await?;
        let above = match (catalogue.group(path), path) {
            (Found::Group(id), _) => return Ok(id),
            (Found::Ambiguous(ids), _) => return Err(ambiguous(&ids)),
            (Found::Missing(_), [id]) if wire::is_object_id(id) => return Err(gone()),
            (Found::Missing(there), [above @ .., _]) if there == above.len() => {
                catalogue.group(above)
            }
            (Found::Missing(_), _) => return Err(gone()),
        };
        let Found::Group(parent_id) = above else { return Err(gone()) };
        let name = path.last().map(|name| name.trim()).unwrap_or_default();
        if name.is_empty() {
            return Err(TargetError::Refused {
                code: "noGroupName".into(),
                advice:
                    "a group without a name cannot be made: correct the path of the rule under \
                         rules.groups that gives it"
                        .into(),
            });
        }
        let body = NewGroup { name, public: false, parent_id: &parent_id };
        let call = self.client.call("POST /groups", &[])?.json(&body);
        let made = match self.client.ask::<wire::GroupRow>(call, turn).await {
            Ok((_, made)) => Group::from(made),
            Err(error) if codes::of(&error) == Some("parentGroupNotFound") => {
                self.forget();
                return Err(codes::look_again(error));
            }
            Err(error) => return Err(error),
        };
        let id = made.id.clone();
        let mut state = self.state();
        Arc::make_mut(&mut state.catalogue).groups.push(made);
        Ok(id)
    }

    /// The custom field with this id, without its authorised values.
    pub async fn field(
        &self,
        id: &CustomFieldId,
        turn: Turn,
    ) -> Result<Option<CustomField>, TargetError> {
        let known = |state: &State| state.definitions.iter().find(|field| field.id == *id).cloned();
        if let Some(field) = known(&self.state()) {
            return Ok(Some(field));
        }
        let _flight = self.flight(turn).await?;
        if let Some(field) = known(&self.state()) {
            return Ok(Some(field));
        }
        let definitions = self.definitions(turn).await?;
        let mut state = self.state();
        state.definitions = Arc::new(definitions);
        Ok(known(&state))
    }

    /// Something was not as the catalogue says: the next who needs it reads it.
    pub fn forget(&self) {
        let mut state = self.state();
        (state.groups, state.fields) = (None, None);
        state.definitions = Arc::default();
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Nothing panics while it is held, and each change leaves it whole.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn flight(&self, turn: Turn) -> Result<tokio::sync::MutexGuard<'_, ()>, TargetError> {
        tokio::time::timeout(turn.deadline.left(), self.flight.lock())
            .await
            .map_err(|_| TargetError::OutOfTime)
    }

    /// What is needed, as a read showed it that began after the first `after` ones; read now if
    /// nobody did while we waited for our turn.
    async fn read(
        &self,
        needs: &Needs,
        after: u64,
        asked: Asked,
        turn: Turn,
    ) -> Result<Arc<Catalogue>, TargetError> {
        let (number, groups, names) = {
            let mut state = self.state();
            if let Some(catalogue) = state.enough(needs, after) {
                return Ok(catalogue);
            }
            // Another caller's read failed meanwhile: its failure is ours too, or a hundred callers
            // would try one after the other.
            if let Some((ended, what, failure)) = &state.failed
                && *ended > asked.ended
                && what == needs
            {
                return Err(failure.clone().into());
            }
            state.begun += 1;
            let names = !state.has_fields(needs, after);
            let names = names.then(|| &state.names | &needs.custom_fields);
            (state.begun, needs.groups && !state.has_groups(after), names)
        };
        let end = self.fetch(groups, names, turn).await;
        let mut state = self.state();
        state.ended += 1;
        match end {
            Ok(fetched) => {
                state.keep(number, fetched);
                Ok(Arc::clone(&state.catalogue))
            }
            Err(error) => {
                let ended = state.ended;
                let failure = Failure::of(&error);
                state.failed = failure.map(|failure| (ended, needs.clone(), failure));
                Err(error)
            }
        }
    }

    async fn fetch(
        &self,
        groups: bool,
        names: Option<BTreeSet<String>>,
        turn: Turn,
    ) -> Result<Fetched, TargetError> {
        let mut fetched = Fetched::default();
        if groups {
            let rows = self.client.list(self.client.call("GET /groups", &[])?, turn).await?;
            fetched.groups = Some(rows.into_iter().map(|row: wire::GroupRow| row.into()).collect());
        }
        if let Some(names) = names {
            let definitions = self.definitions(turn).await?;
            let is_wanted = |name: &str| names.iter().any(|wanted| wanted.trim() == name.trim());
            let mut fields = Vec::new();
            for field in definitions.iter().filter(|field| is_wanted(&field.name)) {
                let endpoint = "GET /custom-fields/{customFieldId}/authorized-values";
                let call = self.client.call(endpoint, &[field.id.as_str()])?;
                let allowed = match self.client.list(call, turn).await {
                    // Deleted since the list was read.
                    Err(error) if codes::of(&error) == Some(codes::CUSTOM_FIELD_NOT_FOUND) => {
                        continue;
                    }
                    allowed => allowed?,
                };
                fields.push(CustomField { allowed, ..field.clone() });
            }
            fetched.definitions = Some(definitions);
            fetched.fields = Some((names, fields));
        }
        Ok(fetched)
    }

    async fn definitions(&self, turn: Turn) -> Result<Vec<CustomField>, TargetError> {
        let call = self.client.call("GET /custom-fields", &[])?.with("targetType[eq]", "users");
        let rows: Vec<Definition> = self.client.list(call, turn).await?;
        Ok(rows.into_iter().filter_map(Definition::of_accounts).collect())
    }
}

impl State {
    fn asked(&self) -> Asked {
        Asked { begun: self.begun, ended: self.ended }
    }

    fn has_groups(&self, after: u64) -> bool {
        self.groups.is_some_and(|read| read.is_good(after))
    }

    fn has_fields(&self, needs: &Needs, after: u64) -> bool {
        needs.custom_fields.is_empty()
            || needs.custom_fields.is_subset(&self.names)
                && self.fields.is_some_and(|read| read.is_good(after))
    }

    /// The catalogue, if it holds what is needed.
    fn enough(&self, needs: &Needs, after: u64) -> Option<Arc<Catalogue>> {
        let enough = (!needs.groups || self.has_groups(after)) && self.has_fields(needs, after);
        enough.then(|| Arc::clone(&self.catalogue))
    }

    fn keep(&mut self, number: u64, fetched: Fetched) {
        let read = Some(Read { number, until: Deadline::after(FRESH) });
        let catalogue = Arc::make_mut(&mut self.catalogue);
        if let Some(groups) = fetched.groups {
            catalogue.groups = groups;
            self.groups = read;
        }
        if let Some((names, fields)) = fetched.fields {
            catalogue.custom_fields = fields;
            self.names = names;
            self.fields = read;
        }
        if let Some(definitions) = fetched.definitions {
            self.definitions = Arc::new(definitions);
        }
    }
}

impl Read {
    fn is_good(self, after: u64) -> bool {
        self.number > after && !self.until.left().is_zero()
    }
}

fn groups() -> Needs {
    Needs { groups: true, ..Needs::default() }
}

/// There is no such group, or none above it.
fn gone() -> TargetError {
    codes::look_again(codes::judge(codes::GROUP_NOT_FOUND))
}

fn ambiguous(ids: &[GroupId]) -> TargetError {
    let ids: Vec<&str> = ids.iter().map(GroupId::as_str).collect();
    TargetError::Refused {
        code: "ambiguousGroup".into(),
        advice: format!(
            "several groups in 360Learning have the same path ({}): rename one of them there, or \
             give the group's id in place of its path",
            ids.join(", ")
        ),
    }
}
