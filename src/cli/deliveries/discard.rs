//! `instep deliveries discard`: closes dead letters without doing them again, after counting and
//! asking.

use jiff::Timestamp;

use super::filter::FilterArgs;
use super::{Exit, Terminal, find};
use crate::app::Desk;
use crate::cli::runs::who;
use crate::model::words::count_of;
use crate::model::{Actor, DeliveryState, Verb, Which};
use crate::store::Store;
use crate::store::finding::Finding;

#[derive(Debug, clap::Args)]
pub(super) struct DiscardArgs {
    /// Ids of deliveries, or enough of their beginnings.
    #[arg(value_name = "ID")]
    ids: Vec<String>,
    #[command(flatten)]
    filter: FilterArgs,
    /// Why, for those who look at them later.
    #[arg(long, value_name = "TEXT")]
    reason: String,
    /// Who discards them; the login name of the system when it is left out.
    #[arg(long, value_name = "NAME")]
    by: Option<String>,
    /// Does not ask.
    #[arg(long)]
    yes: bool,
}

pub(super) async fn discard(
    args: &DiscardArgs,
    desk: &Desk,
    store: &dyn Store,
    now: Timestamp,
    terminal: &mut Terminal<'_>,
) -> anyhow::Result<Exit> {
    let which = match which(&args.ids, &args.filter, store, now).await? {
        Ok(which) => Which { state: Some(DeliveryState::Dead), ..which },
        Err((exit, sentence)) => {
            terminal.note(&format!("{sentence} Nothing was discarded."))?;
            return Ok(exit);
        }
    };
    let mut finding = Finding::of(which.clone(), None);
    let mut many = 0;
    while let Some(found) = finding.next(store).await? {
        many += found.len();
    }
    let letters = count_of(many, "dead letter", "dead letters");
    if many == 0 {
        terminal.note("No dead letter fits.")?;
        return Ok(Exit::Nothing);
    }
    if !args.yes {
        match terminal.ask(&format!("Discard {letters}? They are not done again."))? {
            Some(true) => {}
            Some(false) => {
                terminal.note("Nothing was discarded.")?;
                return Ok(Exit::Nothing);
            }
            None => {
                terminal.note(&format!(
                    "This would discard {letters}. There is no terminal to ask on: add --yes."
                ))?;
                return Ok(Exit::Usage);
            }
        }
    }
    let by = who(args.by.as_deref()).unwrap_or_else(|| "somebody at a terminal".to_owned());
    let verb = Verb::Discard { which, reason: args.reason.clone() };
    match desk.act(&Actor::at_the_command_line(&by), verb).await {
        Ok(outcome) => {
            terminal.line(&outcome.said)?;
            Ok(Exit::Done)
        }
        Err(refused) => {
            terminal.note(&refused.to_string())?;
            Ok(Exit::Nothing)
        }
    }
}

/// Which deliveries are meant: either ids, or conditions. `Err` is how the command ends, and why.
pub(in crate::cli) async fn which(
    ids: &[String],
    filter: &FilterArgs,
    store: &dyn Store,
    now: Timestamp,
) -> anyhow::Result<Result<Which, (Exit, String)>> {
    let which = filter.which(now)?;
    if ids.is_empty() == which.is_empty() {
        let sentence = "Say which deliveries: either ids, or conditions such as --state dead \
                        --since 2h."
            .to_owned();
        return Ok(Err((Exit::Usage, sentence)));
    }
    let mut named = Vec::new();
    for id in ids {
        match find(store, id).await? {
            Ok(delivery) => named.push(delivery.id),
            Err(sentence) => return Ok(Err((Exit::Nothing, sentence))),
        }
    }
    named.sort_unstable();
    named.dedup();
    Ok(Ok(Which { ids: named, ..which }))
}
