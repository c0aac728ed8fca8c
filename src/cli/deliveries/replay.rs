//! `instep deliveries replay`: does deliveries again, after counting and asking.
//!
//! A replay never sends an old payload: each person is read again. It goes into the bulk lane, so
//! live work stays first. What waits already is left alone, and so is what names nobody.

use std::collections::HashSet;

use jiff::Timestamp;

use super::filter::FilterArgs;
use super::{Exit, Pages, Terminal, find};
use crate::model::{Delivery, DeliveryId, DeliveryState, Lane};
use crate::store::Store;

#[derive(Debug, clap::Args)]
pub(super) struct ReplayArgs {
    /// Ids of deliveries, or enough of their beginnings.
    #[arg(value_name = "ID")]
    ids: Vec<String>,
    #[command(flatten)]
    filter: FilterArgs,
    /// Does not ask.
    #[arg(long)]
    yes: bool,
}

/// What would be replayed, and what would be left alone.
#[derive(Default)]
struct Chosen {
    ids: Vec<DeliveryId>,
    waiting: usize,
    nobody: usize,
}

impl Chosen {
    fn add(&mut self, delivery: &Delivery) {
        if delivery.employee.is_none() {
            self.nobody += 1;
        } else if delivery.state == DeliveryState::Waiting {
            self.waiting += 1;
        } else {
            self.ids.push(delivery.id.clone());
        }
    }

    fn left_alone(&self) -> String {
        let mut why = Vec::new();
        if self.waiting > 0 {
            why.push(format!("{} that wait already", self.waiting));
        }
        if self.nobody > 0 {
            why.push(format!("{} that name nobody", self.nobody));
        }
        if why.is_empty() { String::new() } else { format!(" Left alone: {}.", why.join(", ")) }
    }
}

pub(super) async fn replay(
    args: &ReplayArgs,
    store: &dyn Store,
    now: Timestamp,
    terminal: &mut Terminal<'_>,
) -> anyhow::Result<Exit> {
    if args.ids.is_empty() == args.filter.is_empty() {
        terminal.note(
            "Say which deliveries: either ids, or conditions such as --state dead --since 2h.",
        )?;
        return Ok(Exit::Usage);
    }
    let mut chosen = Chosen::default();
    let mut seen = HashSet::new();
    for id in &args.ids {
        match find(store, id).await? {
            Ok(delivery) if seen.insert(delivery.id.clone()) => chosen.add(&delivery),
            Ok(_) => {}
            Err(sentence) => {
                terminal.note(&format!("{sentence} Nothing was replayed."))?;
                return Ok(Exit::Nothing);
            }
        }
    }
    if args.ids.is_empty() {
        let mut pages = Pages::of(args.filter.filter(now)?);
        loop {
            let page = pages.next(store, Pages::PAGE).await?;
            if page.is_empty() {
                break;
            }
            for delivery in &page {
                chosen.add(delivery);
            }
        }
    }
    let left_alone = chosen.left_alone();
    if chosen.ids.is_empty() {
        terminal.note(&format!("There is nothing to replay.{left_alone}"))?;
        return Ok(Exit::Nothing);
    }
    let many = many(chosen.ids.len());
    if !args.yes {
        match terminal.ask(&format!("Replay {many}?{left_alone}"))? {
            Some(true) => {}
            Some(false) => {
                terminal.note("Nothing was replayed.")?;
                return Ok(Exit::Nothing);
            }
            None => {
                terminal.note(&format!(
                    "This would replay {many}.{left_alone} There is no terminal to ask on: \
                     add --yes."
                ))?;
                return Ok(Exit::Usage);
            }
        }
    }
    carry_out(&chosen, store, now, terminal).await
}

async fn carry_out(
    chosen: &Chosen,
    store: &dyn Store,
    now: Timestamp,
    terminal: &mut Terminal<'_>,
) -> anyhow::Result<Exit> {
    let mut replayed = 0;
    for page in chosen.ids.chunks(Pages::PAGE) {
        match store.replay(page, Lane::Bulk, now).await {
            Ok(count) => replayed += usize::try_from(count).unwrap_or(usize::MAX),
            Err(error) => {
                let done = many(replayed);
                terminal.note(&format!("{done} wait again; then the store failed."))?;
                return Err(error.into());
            }
        }
    }
    terminal.line(&format!(
        "{} again. To watch: instep deliveries --state waiting",
        if replayed == 1 {
            "1 delivery waits".to_owned()
        } else {
            format!("{replayed} deliveries wait")
        }
    ))?;
    let missed = chosen.ids.len().saturating_sub(replayed);
    if missed > 0 {
        terminal.note(&format!("{} changed in between and were left alone.", many(missed)))?;
    }
    Ok(if replayed == 0 { Exit::Nothing } else { Exit::Done })
}

fn many(count: usize) -> String {
    if count == 1 { "1 delivery".to_owned() } else { format!("{count} deliveries") }
}
