//! `instep matches` and `instep match`: whose account is it, where a human must say.
//!
//! It shows values, for the administrator's eyes; nothing of it is logged.

use std::collections::BTreeMap;
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::bail;
use serde_json::json;

use super::colours::{BOLD, DIM, GOOD, WARN};
use super::deliveries::table::{plain, time};
use super::deliveries::{Exit, Terminal};
use super::explain::show_candidate;
use super::runs::who;
use crate::app::{self, Desk, Dispute, Matter, NotDecided, Preview, Previewer, Verdict};
use crate::clock::Clock;
use crate::config::Settings;
use crate::model::story::Suspect;
use crate::model::{AccountId, Actor, Candidate, Choice, EmployeeId, Person, Refused, Verb};
use crate::store::Store;

/// What `instep matches` takes.
#[derive(Debug, clap::Args)]
pub struct MatchesArgs {
    /// How many at most.
    #[arg(long, value_name = "N", default_value_t = 50)]
    limit: usize,
    /// One JSON object per person.
    #[arg(long)]
    json: bool,
}

/// What `instep match` takes.
#[derive(Debug, clap::Args)]
pub struct MatchArgs {
    /// Somebody, by id (or SOURCE/ID), mail or full name.
    #[arg(value_name = "EMPLOYEE")]
    employee: String,
    #[command(flatten)]
    choice: ChoiceArgs,
    /// Does not ask before an account is taken away from somebody.
    #[arg(long)]
    yes: bool,
}

#[derive(Debug, clap::Args)]
#[group(required = true, multiple = false)]
struct ChoiceArgs {
    /// This account is theirs.
    #[arg(long, value_name = "ID")]
    account: Option<String>,
    /// None of those that were found: a new one is made.
    #[arg(long)]
    create: bool,
    /// The person is left alone.
    #[arg(long)]
    ignore: bool,
    /// Takes back what was decided before: the matching rules decide again.
    #[arg(long)]
    undo: bool,
}

impl ChoiceArgs {
    fn choice(&self) -> Option<Choice> {
        match &self.account {
            Some(id) => Some(Choice::Account(AccountId::new(id.trim()))),
            None if self.create => Some(Choice::Create),
            None if self.ignore => Some(Choice::Ignore),
            None => None,
        }
    }
}

/// Lists everybody whose account is disputed, newest first, with the candidates. Exit code 1 when
/// there is somebody.
///
/// # Errors
/// When the store does not answer.
pub async fn list(
    args: MatchesArgs,
    settings: &Settings,
    store: &Arc<dyn Store>,
) -> anyhow::Result<ExitCode> {
    let mut disputed = app::disputes(settings, &**store).await?;
    if disputed.is_empty() {
        anstream::eprintln!("Nobody's account is disputed.");
        return Ok(ExitCode::SUCCESS);
    }
    let more = disputed.len().saturating_sub(args.limit);
    disputed.truncate(args.limit);
    let mut previews = previews(&disputed, settings, store).await?;
    // Whom only a full sync found waits for nobody when it is so no more.
    disputed.retain(|it| {
        let preview = previews.get(&it.person);
        let is_so = preview.is_none_or(|it| matches!(it.verdict, Verdict::Disputed(_)));
        it.delivery.is_some() || is_so
    });
    if disputed.is_empty() && more == 0 {
        anstream::eprintln!("Nobody's account is disputed.");
        return Ok(ExitCode::SUCCESS);
    }
    for dispute in &disputed {
        let preview = previews.remove(&dispute.person);
        let mut owners = BTreeMap::new();
        for candidate in preview.iter().flat_map(|preview| &preview.candidates) {
            let id = &candidate.account.id;
            owners.extend(store.owner(id).await?.map(|owner| (id.clone(), owner)));
        }
        if args.json {
            println!("{}", as_json(dispute, preview.as_ref(), &owners));
        } else {
            show(dispute, preview.as_ref(), &owners);
        }
    }
    if more > 0 {
        anstream::eprintln!("{more} more: --limit {}", args.limit.saturating_mul(4));
    }
    Ok(ExitCode::FAILURE)
}

/// The candidates as they are now. Where a far end does not answer, the list is shown without them.
async fn previews(
    disputed: &[Dispute],
    settings: &Settings,
    store: &Arc<dyn Store>,
) -> anyhow::Result<BTreeMap<Person, Preview>> {
    let mut found = BTreeMap::new();
    for previewer in Previewer::all(settings, store)? {
        let of_source = disputed.iter().filter(|it| it.person.source == *previewer.name());
        let ids: Vec<EmployeeId> = of_source.map(|it| it.person.employee.clone()).collect();
        if ids.is_empty() {
            continue;
        }
        match previewer.contested(&ids).await {
            Ok(previews) => {
                found.extend(previews.into_iter().map(|it| (it.person.clone(), it)));
            }
            Err(error) => anstream::eprintln!(
                "{WARN}The accounts that were found cannot be shown now: {error}{WARN:#}"
            ),
        }
    }
    Ok(found)
}

fn show(dispute: &Dispute, preview: Option<&Preview>, owners: &BTreeMap<AccountId, Person>) {
    let Dispute { person, since, reason, delivery, run } = dispute;
    let name = plain(&person.to_string());
    let since = time(*since);
    let by = match (delivery, run) {
        (Some(delivery), _) => delivery.to_string(),
        (None, Some(run)) => format!("by run {run}"),
        (None, None) => String::new(),
    };
    anstream::println!("{BOLD}{name}{BOLD:#}  {DIM}since {since} UTC, {by}{DIM:#}");
    if let Some(reason) = reason {
        anstream::println!("  {}", plain(reason));
    }
    if let Some(preview) = preview {
        let known = preview.record.as_ref().and_then(|it| it.0.get("displayName")?.as_str());
        if let Some(known) = known {
            anstream::println!("  {:<13} {}", "in HR", plain(known));
        }
        if let Verdict::Planned { desired, .. } = &preview.verdict {
            for (field, value) in &desired.fields {
                let value = value.as_deref().unwrap_or("(empty)");
                anstream::println!("  {DIM}wanted:{DIM:#} {:<13} {}", field.word(), plain(value));
            }
        }
        for candidate in &preview.candidates {
            show_candidate(&suspect(candidate, owners), None);
        }
        if !matches!(preview.verdict, Verdict::Disputed(_)) {
            let said = plain(&app::planned(preview).said);
            anstream::println!("  {GOOD}not disputed any more ({said}): replay it{GOOD:#}");
        }
    }
    anstream::println!("  instep match {name} --account ID | --create | --ignore\n");
}

fn suspect(candidate: &Candidate, owners: &BTreeMap<AccountId, Person>) -> Suspect {
    app::suspect(candidate, owners.get(&candidate.account.id).cloned())
}

fn as_json(
    dispute: &Dispute,
    preview: Option<&Preview>,
    owners: &BTreeMap<AccountId, Person>,
) -> serde_json::Value {
    let candidates = preview
        .map(|preview| preview.candidates.iter().map(|it| suspect(it, owners)).collect::<Vec<_>>());
    json!({
        "person": dispute.person.to_string(),
        "delivery": dispute.delivery,
        "run": dispute.run,
        "since": dispute.since,
        "reason": dispute.reason,
        "disputed": preview.map(|it| matches!(it.verdict, Verdict::Disputed(_))),
        "candidates": candidates,
    })
}

/// Writes down what a human decided, on the real terminal. Exit code 1 when it was not done, 2 when
/// it was asked wrongly.
///
/// # Errors
/// When a far end or the store does not answer.
pub async fn decide(
    args: MatchArgs,
    settings: Settings,
    store: &Arc<dyn Store>,
    clock: &Clock,
) -> anyhow::Result<ExitCode> {
    let settings = Arc::new(settings);
    Terminal::real(async |terminal| {
        Box::pin(act(&args, settings.clone(), store, clock, terminal)).await
    })
    .await
}

async fn act(
    args: &MatchArgs,
    settings: Arc<Settings>,
    store: &Arc<dyn Store>,
    clock: &Clock,
    terminal: &mut Terminal<'_>,
) -> anyhow::Result<Exit> {
    let choice = args.choice.choice();
    let account = match &choice {
        Some(Choice::Account(id)) => Some(id),
        _ => None,
    };
    let matter = match app::consider(&settings, store, &args.employee, account).await {
        Ok(matter) => matter,
        Err(error @ (NotDecided::Preview(_) | NotDecided::Store(_))) => return Err(error.into()),
        Err(refusal) => {
            terminal.note(&plain(&refusal.to_string()))?;
            return Ok(Exit::Nothing);
        }
    };
    if let Some(exit) = ask(args.yes, &matter, choice.as_ref(), terminal)? {
        return Ok(exit);
    }
    let person = matter.person;
    let verb = Verb::Decide { person: person.clone(), choice: choice.clone() };
    let by = Actor::at_the_command_line(&who(None).unwrap_or_else(|| "somebody".to_owned()));
    match Desk::new(settings, store.clone(), clock.clone()).act(&by, verb).await {
        Ok(done) => {
            let (person, said) = (plain(&person.to_string()), plain(&done.said));
            terminal.line(&format!("{said}. To watch: instep person {person}"))?;
            if let (Some(Choice::Account(_)), Some(loser)) =
                (&choice, matter.account.and_then(|it| it.1))
            {
                let loser = plain(&loser.to_string());
                terminal
                    .line(&format!("To take that back for {loser}: instep match {loser} --undo"))?;
            }
            Ok(Exit::Done)
        }
        Err(Refused::Unavailable(why)) => bail!(why),
        Err(refused) => {
            terminal.note(&plain(&refused.to_string()))?;
            Ok(Exit::Nothing)
        }
    }
}

/// Asks before somebody loses an account; an exit when it is not to be done.
fn ask(
    yes: bool,
    matter: &Matter,
    choice: Option<&Choice>,
    terminal: &mut Terminal<'_>,
) -> anyhow::Result<Option<Exit>> {
    let person = &matter.person;
    let mut losses = Vec::new();
    if let (Some(loser), Some(Choice::Account(id))) = (matter.loser(), choice) {
        losses.push(format!(
            "account {id} belongs to {loser} now, who would lose it and be left alone from then on"
        ));
    }
    if let Some(account) = matter.leaves(choice) {
        losses.push(format!(
            "{person} has account {account} now, which would stay as it is and be nobody's"
        ));
    }
    if losses.is_empty() || yes {
        return Ok(None);
    }
    let losses = plain(&losses.join("; "));
    Ok(match terminal.ask(&format!("{losses}. Do it?"))? {
        Some(true) => None,
        Some(false) => {
            terminal.note("Nothing was decided.")?;
            Some(Exit::Nothing)
        }
        None => {
            terminal.note(&format!("{losses}. There is no terminal to ask on: add --yes."))?;
            Some(Exit::Usage)
        }
    })
}
