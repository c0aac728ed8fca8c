//! Pages of what runs have read, while they compare.

use redis::cmd;

use super::script::SAVE_PAGE;
use super::{RedisStore, read};
use crate::model::{Page, RunId};
use crate::store::StoreError;
use crate::store::seal::Place;

/// Pages of a run that nobody has carried on for a day go by themselves.
const KEPT_SECONDS: u64 = 24 * 3600;
/// How many are read in one step; others can be served in between.
const AT_ONCE: u64 = 20;

impl RedisStore {
    /// See [`Store::save_page`](crate::store::Store::save_page).
    pub(super) async fn write_page(&self, run: &RunId, page: &Page) -> Result<(), StoreError> {
        let names = &self.names;
        let keys = [names.runs.clone(), names.ended.clone(), names.pages(run)];
        let call = SAVE_PAGE.on(&keys).arg(run.as_str()).arg(page.number);
        let call = call
            .arg(self.keys().await?.write(&Place::page(run, page.number), page))
            .arg(KEPT_SECONDS);
        if read::<bool>("save_page", call.run(&self.connection).await)? {
            Ok(())
        } else {
            Err(StoreError::NoRun(run.clone()))
        }
    }

    /// See [`Store::pages`](crate::store::Store::pages).
    pub(super) async fn read_pages(
        &self,
        run: &RunId,
        after: u64,
        most: usize,
    ) -> Result<Vec<Page>, StoreError> {
        let key = self.names.pages(run);
        let most = u64::try_from(most).unwrap_or(u64::MAX);
        let (mut pages, mut next) = (Vec::new(), after.saturating_add(1));
        let end = next.saturating_add(most);
        while next < end {
            let numbers: Vec<u64> = (next..end.min(next.saturating_add(AT_ONCE))).collect();
            let command = cmd("HMGET").arg(&key).arg(&numbers).to_owned();
            let texts: Vec<Option<String>> = self.ask("pages", &command).await?;
            for (number, text) in numbers.iter().zip(texts) {
                let Some(text) = text else { return Ok(pages) };
                pages.push(self.keys().await?.read(&Place::page(run, *number), &text)?);
            }
            next += AT_ONCE;
        }
        Ok(pages)
    }

    /// See [`Store::drop_pages`](crate::store::Store::drop_pages).
    pub(super) async fn let_go_of_pages(&self, run: &RunId) -> Result<(), StoreError> {
        self.ask("drop_pages", cmd("UNLINK").arg(self.names.pages(run))).await
    }
}
