//! Runs and their items. Beside each run stands which call wrote it, so that a call made twice knows
//! its own text, and its revision, so that no script has to look into the stored form.

use redis::cmd;
use uuid::Uuid;

use super::script::{SAVE_ITEMS, SAVE_RUN, TRIM_RUN};
use super::{RedisStore, read};
use crate::model::{Item, Run, RunId, SourceName};
use crate::store::seal::{Keys, Place};
use crate::store::{Retention, Runs, StoreError, portion};

/// How many runs one step looks at, or lets go of.
const RUNS: usize = 50;
/// How many items are read in one step; others can be served in between.
const ITEMS: usize = 1000;

impl RedisStore {
    /// See [`Store::save_run`](crate::store::Store::save_run).
    pub(super) async fn write_run(&self, run: &Run) -> Result<bool, StoreError> {
        // There is none before the first.
        let Some(before) = run.revision.checked_sub(1) else { return Ok(false) };
        self.put_run(run, before).await
    }

    /// Writes a run, if what is stored has this revision.
    pub(super) async fn put_run(&self, run: &Run, before: u64) -> Result<bool, StoreError> {
        let names = &self.names;
        let began = run.ended_at.map(|_| run.started_at.as_millisecond().to_string());
        let call = SAVE_RUN
            .on(&[&names.runs, &names.run_ids, &names.ended, &names.closed])
            .arg(run.id.as_str())
            .arg(Uuid::now_v7().to_string())
            .arg(before)
            .arg(run.revision)
            .arg(self.keys().await?.write(&Place::run(&run.id), run))
            .arg(began.unwrap_or_default())
            .arg(u8::from(!run.is_open()));
        read("save_run", call.run(&self.connection).await)
    }

    /// See [`Store::run`](crate::store::Store::run).
    pub(super) async fn read_run(&self, id: &RunId) -> Result<Option<Run>, StoreError> {
        let command = cmd("HGET").arg(&self.names.runs).arg(id.as_str()).to_owned();
        let stored: Option<String> = self.ask("run", &command).await?;
        let keys = self.keys().await?;
        stored.map(|stored| read_stored(id, &stored, keys)).transpose()
    }

    /// See [`Store::runs`](crate::store::Store::runs).
    pub(super) async fn list_runs(
        &self,
        source: Option<&SourceName>,
        which: Runs,
        most: usize,
    ) -> Result<Vec<Run>, StoreError> {
        let (mut runs, mut place) = (Vec::new(), "+".to_owned());
        while runs.len() < most {
            let mut command = cmd("ZREVRANGEBYLEX");
            command.arg(&self.names.run_ids).arg(&place).arg("-");
            command.arg("LIMIT").arg(0).arg(RUNS);
            let ids: Vec<String> = self.ask("runs", &command).await?;
            let Some(last) = ids.last() else { break };
            place = format!("({last}");
            runs.extend(self.some_of(&ids, source, which).await?);
        }
        runs.truncate(most);
        Ok(runs)
    }

    /// Of those that are not known to be closed, the ones that are open.
    pub(super) async fn open_runs(
        &self,
        source: Option<&SourceName>,
        most: usize,
    ) -> Result<Vec<Run>, StoreError> {
        let names = &self.names;
        let command = cmd("ZDIFF").arg(2).arg(&names.run_ids).arg(&names.closed).to_owned();
        let mut ids: Vec<String> = self.ask("runs", &command).await?;
        ids.reverse();
        let mut runs = Vec::new();
        for ids in ids.chunks(RUNS) {
            runs.extend(self.some_of(ids, source, Runs::Open).await?);
            if runs.len() >= most {
                break;
            }
        }
        runs.truncate(most);
        Ok(runs)
    }

    /// Those among them that are meant, in their order.
    async fn some_of(
        &self,
        ids: &[String],
        source: Option<&SourceName>,
        which: Runs,
    ) -> Result<Vec<Run>, StoreError> {
        let command = cmd("HMGET").arg(&self.names.runs).arg(ids).to_owned();
        let stored: Vec<Option<String>> = self.ask("runs", &command).await?;
        let (keys, mut runs) = (self.keys().await?, Vec::new());
        for (id, stored) in ids.iter().zip(stored) {
            // Let go in between.
            let Some(stored) = stored else { continue };
            match read_stored(&RunId::new(id), &stored, keys) {
                Ok(run)
                    if source.is_none_or(|source| run.source == *source) && which.fits(&run) =>
                {
                    runs.push(run);
                }
                Ok(_) => {}
                Err(error) => tracing::error!(run = id, %error, "it is not listed"),
            }
        }
        Ok(runs)
    }

    /// See [`Store::save_items`](crate::store::Store::save_items).
    pub(super) async fn write_items(&self, run: &RunId, items: &[Item]) -> Result<(), StoreError> {
        let keys = [self.names.runs.clone(), self.names.items(run)];
        for some in portion::portions(run, items, self.keys().await?) {
            let mut call = SAVE_ITEMS.on(&keys).arg(run.as_str());
            for (number, text) in some {
                call = call.arg(number).arg(text);
            }
            if !read::<bool>("save_items", call.run(&self.connection).await)? {
                return Err(StoreError::NoRun(run.clone()));
            }
        }
        Ok(())
    }

    /// See [`Store::items`](crate::store::Store::items).
    pub(super) async fn read_items(
        &self,
        run: &RunId,
        after: u64,
        most: usize,
    ) -> Result<Vec<Item>, StoreError> {
        let (key, mut items, mut after) = (self.names.items(run), Vec::<Item>::new(), after);
        let keys = self.keys().await?;
        while items.len() < most {
            let some = ITEMS.min(most - items.len());
            let mut command = cmd("ZRANGEBYSCORE");
            command.arg(&key).arg(format!("({after}")).arg("+inf");
            command.arg("WITHSCORES").arg("LIMIT").arg(0).arg(some);
            let texts: Vec<(String, u64)> = self.ask("items", &command).await?;
            for (text, number) in &texts {
                items.push(keys.read(&Place::item(run, *number), text)?);
            }
            if texts.len() < some {
                break;
            }
            after = items.last().map_or(after, |item| item.number);
        }
        Ok(items)
    }

    /// Lets go of runs that ended; says how many records went.
    pub(super) async fn let_go_of_runs(&self, retention: Retention) -> Result<u64, StoreError> {
        let names = &self.names;
        let before = retention.runs.as_millisecond();
        let mut command = cmd("ZRANGEBYSCORE");
        command.arg(&names.ended).arg("-inf").arg(format!("({before}"));
        let runs: Vec<String> = self.ask("trim", command.arg("LIMIT").arg(0).arg(RUNS)).await?;
        let mut count = 0;
        for run in runs.into_iter().map(RunId::new) {
            let (items, pages) = (names.items(&run), names.pages(&run));
            let keys = [&names.runs, &names.run_ids, &names.ended, &names.closed, &items, &pages];
            let call = TRIM_RUN.on(&keys).arg(run.as_str()).arg(before);
            count += read::<u64>("trim", call.run(&self.connection).await)?;
        }
        Ok(count)
    }
}

/// Reads a run from `token NUL revision NUL JSON`.
pub(super) fn read_stored(id: &RunId, stored: &str, keys: &Keys) -> Result<Run, StoreError> {
    match stored.splitn(3, '\0').nth(2) {
        Some(text) => keys.read(&Place::run(id), text),
        None => Err(StoreError::Unreadable { what: "run", why: "a part is missing".into() }),
    }
}
