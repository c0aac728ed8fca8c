//! Who sees personal data on a page: nobody, until they ask for it. Asking is a deed, so it stands in
//! the audit log; its entry's id in the address shows that page to whoever asked, for a while.

use jiff::Timestamp;

use super::fields::{Fields, is_id};
use super::visit::{Visit, to};
use crate::clock::elapsed_ms;
use crate::http::HttpState;
use crate::model::{Access, AuditEntry, AuditId, Refused, Verb};

/// For so long personal data is shown, in milliseconds: 15 minutes.
const LASTING: u64 = 15 * 60 * 1000;

/// The field of the address that holds the entry's id.
pub const SHOWN: &str = "shown";

/// What somebody sees of a page.
#[derive(Clone, Debug)]
pub struct Sight {
    /// Personal data is shown.
    pub sees: bool,
    /// They can ask for it.
    pub may_ask: bool,
}

impl Sight {
    /// What somebody sees on the page that is about this: `person bob/17`. The words are compared
    /// with what was asked for, so they hold ids and no values.
    pub async fn of(state: &HttpState, visit: &Visit, about: &str, asked: &Fields) -> Self {
        let may = visit.actor.access >= Access::Operator;
        let sees = match asked.one(SHOWN).filter(|id| may && is_id(id)) {
            None => false,
            Some(id) => entry(state, id).await.is_some_and(|entry| {
                entry.who == visit.actor.name
                    && entry.via == visit.actor.via
                    && shows(&entry, about, visit.now)
            }),
        };
        Self { sees, may_ask: may && !sees }
    }
}

fn shows(entry: &AuditEntry, about: &str, now: Timestamp) -> bool {
    let asked = Verb::Unmask { about: about.to_owned() };
    let done = entry.outcome.is_some() && !entry.refused;
    let is_it = entry.verb == asked.word() && entry.about == about;
    done && is_it && elapsed_ms(entry.at, now) < LASTING
}

/// That it cannot be read shows nothing.
async fn entry(state: &HttpState, id: &str) -> Option<AuditEntry> {
    // Entries are read from before a place on; `~` comes after everything that ids are made of.
    let place = AuditId::new(format!("{id}~"));
    let found = state.store.audit(Some(&place), 1).await.ok()?.pop()?;
    (found.id.as_str() == id).then_some(found)
}

/// Asks for it: answers with the page at `path` as they see it now.
///
/// # Errors
/// When they may not.
pub async fn ask(
    state: &HttpState,
    visit: &Visit,
    about: &str,
    path: &str,
) -> Result<axum::response::Response, Refused> {
    let outcome = state.act(&visit.actor, Verb::Unmask { about: about.to_owned() }).await?;
    let mark = if path.contains('?') { '&' } else { '?' };
    let shown = outcome.audit.as_ref().map(AuditId::as_str).unwrap_or_default();
    Ok(to(&format!("{path}{mark}{SHOWN}={shown}")))
}
