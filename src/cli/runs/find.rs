//! Finds one run by its id, by a unique beginning of it, or as the `last` one.

use crate::cli::deliveries::table::plain;
use crate::model::{Run, RunId};
use crate::store::{Runs, Store};

/// So many runs are looked through for the beginning of an id.
const LOOKED_THROUGH: usize = 2_000;

/// `Err` is a sentence for the person who asked.
pub(super) async fn find(store: &dyn Store, text: &str) -> anyhow::Result<Result<Run, String>> {
    let text = text.trim().to_ascii_lowercase();
    if text == "last" {
        let last = store.runs(None, Runs::All, 1).await?.pop();
        return Ok(last.ok_or_else(|| "There was no run yet.".to_owned()));
    }
    if let Some(run) = store.run(&RunId::new(text.clone())).await? {
        return Ok(Ok(run));
    }
    let mut fit = store.runs(None, Runs::All, LOOKED_THROUGH).await?;
    fit.retain(|run| !text.is_empty() && run.id.as_str().starts_with(&text));
    Ok(match fit.len() {
        0 => Err(format!("There is no run {}. `instep runs` lists them.", plain(&text))),
        1 => Ok(fit.remove(0)),
        _ => Err(format!("Several runs begin with {}: give more of the id.", plain(&text))),
    })
}
