//! `instep person`: one person's account, waiting work and last deliveries.
//!
//! Prints ids, statuses and the names of fields; never a name, a mail or another value.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::process::ExitCode;
use std::sync::Arc;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::deliveries::table::{BOLD, DIM, plain, table, time};
use super::deliveries::{Exit, Terminal};
use crate::clock::Clock;
use crate::model::{AccountStatus, Delivery, DeliveryState, EmployeeId, Link, Person, SourceName};
use crate::store::{Filter, Hold, Store, StoreError};

/// Shows what is known of one person. Times are UTC.
#[derive(Debug, clap::Args)]
pub struct PersonArgs {
    /// The person's id in the source, or SOURCE/ID.
    #[arg(value_name = "KEY")]
    key: String,
    /// As one JSON object per line, one for each source that knows the id.
    #[arg(long)]
    json: bool,
}

/// How many of the last deliveries are shown.
const LAST: usize = 10;

/// How many waiting deliveries are shown.
const WAITING: usize = 20;

/// Runs the command on the real terminal. `sources` are those of the configuration: a bare id is
/// looked up in each of them.
///
/// # Errors
/// When the store is not available or the output cannot be written.
pub async fn run(
    args: PersonArgs,
    store: Arc<dyn Store>,
    _clock: &Clock,
    sources: &[SourceName],
) -> anyhow::Result<ExitCode> {
    Terminal::real(async |terminal| show(&args, store.as_ref(), sources, terminal).await).await
}

/// Everything that is shown of one person.
struct Sight {
    person: Person,
    link: Option<Link>,
    forgotten: Option<Timestamp>,
    waiting: Vec<Delivery>,
    last: Vec<Delivery>,
    holds: Vec<Hold>,
}

async fn show(
    args: &PersonArgs,
    store: &dyn Store,
    sources: &[SourceName],
    terminal: &mut Terminal<'_>,
) -> anyhow::Result<Exit> {
    let mut found = false;
    for person in candidates(&args.key, store, sources).await? {
        let sight = look(store, person).await?;
        let forgotten = sight.forgotten.is_some();
        if !forgotten && sight.link.is_none() && sight.waiting.is_empty() && sight.last.is_empty() {
            continue;
        }
        if args.json {
            terminal.line(&sight.json().to_string())?;
        } else {
            let gap = if found { "\n" } else { "" };
            terminal.text(&format!("{gap}{}", sight.page(terminal.width())))?;
        }
        found = true;
    }
    if found {
        return Ok(Exit::Done);
    }
    let key = plain(&args.key);
    terminal.note(&format!(
        "Nothing is known of {key}. KEY is the id in the source (in HiBob the number at the end of \
         the profile's address), or SOURCE/ID; `instep deliveries` shows the ids that came in."
    ))?;
    Ok(Exit::Nothing)
}

/// Who could be meant: in the named source, or in each source that we know or that sent the id.
async fn candidates(
    key: &str,
    store: &dyn Store,
    sources: &[SourceName],
) -> Result<Vec<Person>, StoreError> {
    let key = key.trim();
    if let Some((source, employee)) = key.split_once('/') {
        let (source, employee) = (SourceName::new(source), EmployeeId::new(employee));
        return Ok(vec![Person { source, employee }]);
    }
    let filter = Filter { employee: Some(key.to_owned()), ..Filter::default() };
    let sent = store.deliveries(&filter, 100).await?.into_iter().map(|delivery| delivery.source);
    let all: BTreeSet<SourceName> = sent.chain(sources.iter().cloned()).collect();
    Ok(all.into_iter().map(|source| Person { source, employee: EmployeeId::new(key) }).collect())
}

async fn look(store: &dyn Store, person: Person) -> Result<Sight, StoreError> {
    let of = |state| Filter {
        source: Some(person.source.clone()),
        employee: Some(person.employee.as_str().to_owned()),
        state,
        ..Filter::default()
    };
    let scope = format!("source {}", person.source);
    let mut holds = store.holds().await?;
    holds.retain(|hold| hold.scope == "target" || hold.scope == scope);
    Ok(Sight {
        link: store.link(&person).await?,
        forgotten: store.forgotten(&person).await?,
        waiting: store.deliveries(&of(Some(DeliveryState::Waiting)), WAITING).await?,
        last: store.deliveries(&of(None), LAST).await?,
        holds,
        person,
    })
}

impl Sight {
    fn json(&self) -> Value {
        let link = self.link.as_ref().map(|link| {
            json!({
                "account": link.account,
                "status": link.status,
                "applied": fields(link),
                "external_id": link.external_id,
                "creating_since": link.creating.as_ref().map(|intent| intent.at),
                "restoring": link.restoring,
                "kept": link.kept.as_ref().map(|kept| json!({
                    "roles": kept.roles.len(),
                    "custom_values": kept.custom_values.len(),
                    "managers": kept.managers.len(),
                    "subordinates": kept.subordinates.len(),
                })),
            })
        });
        json!({
            "source": self.person.source,
            "employee": self.person.employee,
            "forgotten": self.forgotten,
            "link": link,
            "holds": self.holds,
            "waiting": self.waiting,
            "deliveries": self.last,
        })
    }

    fn page(&self, width: Option<usize>) -> String {
        let mut text = String::new();
        let person = plain(&self.person.to_string());
        let _ = writeln!(text, "{BOLD}Person {person}{BOLD:#}");
        let mut say = |what: &str, said: &str| {
            let _ = writeln!(text, "  {DIM}{what:<11}{DIM:#} {}", plain(said));
        };
        if let Some(at) = self.forgotten {
            say("forgotten", &format!("on {} UTC: nothing new is kept or done", time(at)));
        }
        match &self.link {
            None => say("account", "none is linked yet"),
            Some(link) => link_lines(link, &mut say),
        }
        for hold in &self.holds {
            let (scope, probe) = (&hold.scope, time(hold.probe_at));
            let reason = &hold.reason;
            say("hold", &format!("{scope}, tried again at {probe} UTC: {reason}"));
        }
        if self.waiting.is_empty() {
            say("waiting", "nothing");
        } else {
            let least = if self.waiting.len() == WAITING { "at least " } else { "" };
            let count = self.waiting.len();
            let due = self.waiting.iter().map(|delivery| delivery.due).min();
            let due =
                due.map_or_else(String::new, |due| format!(", the first due {} UTC", time(due)));
            say("waiting", &format!("{least}{count}{due}"));
        }
        if !self.last.is_empty() {
            let _ = writeln!(text, "\n{BOLD}Last deliveries{BOLD:#}");
            text.push_str(&table(&self.last, width));
        }
        text
    }
}

fn link_lines(link: &Link, say: &mut impl FnMut(&str, &str)) {
    let account = link.account.as_ref().map_or("none yet", |account| account.as_str());
    say("account", account);
    if let Some(status) = link.status {
        say("status", word(status));
    }
    if let Some(intent) = &link.creating {
        let at = time(intent.at);
        say(
            "creating",
            &format!("since {at} UTC; its end is not known yet, the next attempt looks"),
        );
    }
    if let Some(external_id) = &link.external_id {
        say("external id", external_id);
    }
    let fields = fields(link);
    say("applied", &if fields.is_empty() { "no field".to_owned() } else { fields.join(", ") });
    if let Some(kept) = &link.kept {
        say("kept", &format!("from the deactivation: {}", kept.counts()));
    }
    if link.restoring {
        say("restoring", "begun; what the deactivation took away is not all put back yet");
    }
}

fn fields(link: &Link) -> Vec<&'static str> {
    link.applied.keys().map(|field| field.word()).collect()
}

fn word(status: AccountStatus) -> &'static str {
    match status {
        AccountStatus::Invited => "invited",
        AccountStatus::Active => "active",
        AccountStatus::Deleted => "deactivated",
    }
}

#[cfg(test)]
mod tests;
