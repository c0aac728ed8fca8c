//! Tombstones: who was forgotten, and that nothing new of them is kept.

use std::collections::BTreeMap;

use jiff::Timestamp;
use redis::cmd;

use super::links::read_person;
use super::script::FORGET;
use super::{RedisStore, names, read};
use crate::model::{EmployeeId, Person, SourceName};
use crate::store::{StoreError, from_ms, ms_up};

impl RedisStore {
    /// See [`Store::forget`](crate::store::Store::forget).
    pub(super) async fn leave_tombstone(
        &self,
        person: &Person,
        at: Timestamp,
    ) -> Result<bool, StoreError> {
        let call = FORGET
            .on(&self.names.of_source_and(&person.source, &self.names.forgotten))
            .arg(self.now())
            .arg(names::part(person.employee.as_str()).as_ref())
            .arg(names::person(person))
            .arg(ms_up(at));
        read("forget", call.run(&self.connection).await)
    }

    /// Writes a tombstone; the first one stays.
    pub(super) async fn put_tombstone(
        &self,
        person: &Person,
        at: Timestamp,
    ) -> Result<(), StoreError> {
        let mut command = cmd("HSETNX");
        command.arg(&self.names.forgotten).arg(names::person(person)).arg(ms_up(at));
        self.ask("restore", &command).await
    }

    /// See [`Store::remember`](crate::store::Store::remember).
    pub(super) async fn take_tombstone(&self, person: &Person) -> Result<bool, StoreError> {
        let mut command = cmd("HDEL");
        command.arg(&self.names.forgotten).arg(names::person(person));
        self.ask("remember", &command).await
    }

    /// See [`Store::forgotten`](crate::store::Store::forgotten).
    pub(super) async fn tombstone(&self, person: &Person) -> Result<Option<Timestamp>, StoreError> {
        let mut command = cmd("HGET");
        command.arg(&self.names.forgotten).arg(names::person(person));
        let at: Option<i64> = self.ask("forgotten", &command).await?;
        Ok(at.map(from_ms))
    }

    /// See [`Store::all_forgotten`](crate::store::Store::all_forgotten).
    pub(super) async fn tombstones(
        &self,
        source: &SourceName,
    ) -> Result<BTreeMap<EmployeeId, Timestamp>, StoreError> {
        let command = cmd("HGETALL").arg(&self.names.forgotten).to_owned();
        let all: Vec<(String, i64)> = self.ask("all_forgotten", &command).await?;
        let mut found = BTreeMap::new();
        for (person, at) in all {
            let person = read_person(&person)?;
            if person.source == *source {
                found.insert(person.employee, from_ms(at));
            }
        }
        Ok(found)
    }
}
