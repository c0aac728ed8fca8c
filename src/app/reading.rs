//! Whom a command is about: finds people by id, mail or name, and reads their records.

use std::collections::BTreeMap;

use super::names::knows;
use super::preview::{PreviewError, Previewer};
use crate::config::nearest;
use crate::model::story::Lack;
use crate::model::{Answer, EmployeeId, Lane, Record};

/// Somebody's record; none when the source does not show the person.
pub type Shown = (EmployeeId, Option<Record>);

impl Previewer {
    /// The ids of those whom a key names: an id (also as SOURCE/ID), a mail, or a full name. An id
    /// is not looked up.
    ///
    /// # Errors
    /// When the source does not answer.
    pub async fn who(&self, key: &str) -> Result<Vec<EmployeeId>, PreviewError> {
        let key = key.trim();
        let id = match key.split_once('/') {
            Some((source, id)) if source == self.name.as_str() => id,
            Some((_, id)) if is_id(id) => return Ok(Vec::new()),
            _ => key,
        };
        if is_id(id) {
            return Ok(vec![EmployeeId::new(id)]);
        }
        if key.contains('@') {
            return Ok(self.live.source.with_email(key, Lane::Live, self.deadline).await?);
        }
        let everyone = self.names.everyone(self.deadline).await?;
        let has_name = |record: &Record| {
            let name = record.0.get("displayName").and_then(serde_json::Value::as_str);
            name.is_some_and(|name| name.to_lowercase() == key.to_lowercase())
        };
        Ok(everyone.into_iter().filter(|(_, record)| has_name(record)).map(|(id, _)| id).collect())
    }

    /// The records of these people, in this order.
    ///
    /// # Errors
    /// When the source does not answer.
    pub async fn records(&self, ids: &[EmployeeId]) -> Result<Vec<Shown>, PreviewError> {
        let mut answers = self.live.source.employees(ids, Lane::Bulk, self.deadline).await?;
        let shown = |id: &EmployeeId| match answers.remove(id) {
            Some(Answer::Present(record)) => (id.clone(), Some(record)),
            Some(Answer::Absent) | None => (id.clone(), None),
        };
        Ok(ids.iter().map(shown).collect())
    }

    /// Everyone whom the source shows, without their records.
    ///
    /// # Errors
    /// When the source does not answer.
    pub async fn everyone(&self) -> Result<Vec<EmployeeId>, PreviewError> {
        let everyone = self.names.everyone(self.deadline).await?;
        Ok(everyone.into_iter().map(|(id, _)| id).collect())
    }

    /// Everyone's record, read in a single call; `read` hears how many there are so far.
    ///
    /// # Errors
    /// When the source does not answer to the end.
    pub async fn everyones_records(
        &self,
        mut read: impl FnMut(usize) + Send,
    ) -> Result<Vec<Shown>, PreviewError> {
        let mut people: Vec<Shown> = Vec::new();
        let each = |id, record| {
            people.push((id, Some(record)));
            read(people.len());
        };
        self.live.source.each(self.deadline, each).await?;
        people.sort_unstable_by(|(one, _), (other, _)| one.cmp(other));
        Ok(people)
    }

    /// Why records lack these fields, as HiBob's list of its fields shows. What it does not say,
    /// because it does not answer, is left out.
    pub async fn lacks(&self, fields: &[&str]) -> BTreeMap<String, Lack> {
        if fields.is_empty() {
            return BTreeMap::new();
        }
        let Ok(known) = self.live.source.fields(self.deadline).await else {
            return BTreeMap::new();
        };
        let lack = |field: &&str| {
            if knows(&known, field) {
                return Lack::NotPermitted;
            }
            let nearest = nearest(field, known.iter().map(|info| info.id.as_str()));
            Lack::NoSuchField { nearest: nearest.map(str::to_owned) }
        };
        fields.iter().map(|field| ((*field).to_owned(), lack(field))).collect()
    }
}

fn is_id(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}
