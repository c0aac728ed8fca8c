//! What people do here, in the command line, the console and the API alike: one word per deed.

use std::collections::BTreeSet;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::words::count_of;
use super::{
    Access, AuditId, ChangeKind, Choice, DeliveryId, EmployeeId, PauseScope, Person, Proof, RunId,
    SourceName, Which,
};

/// Whom an approval is for.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Selection {
    /// Everybody in the slice.
    #[default]
    All,
    /// Only these.
    Only(BTreeSet<EmployeeId>),
    /// Everybody but these.
    Except(BTreeSet<EmployeeId>),
}

impl Selection {
    /// Whether it is for somebody.
    pub fn has(&self, employee: &EmployeeId) -> bool {
        match self {
            Self::All => true,
            Self::Only(these) => these.contains(employee),
            Self::Except(these) => !these.contains(employee),
        }
    }
}

/// Something that changes what Instep does or knows. Each is written down in the audit log.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "verb", rename_all = "snake_case", deny_unknown_fields)]
pub enum Verb {
    /// Asks for a full sync.
    Sync {
        /// Of this source; of all when there is none.
        source: Option<SourceName>,
        /// It only looks: nothing is queued.
        #[serde(default)]
        plan: bool,
    },
    /// Has a held slice of a run applied, or a part of it.
    Approve {
        /// Which run.
        run: RunId,
        /// Which slice; all that are held when there is none.
        slice: Option<ChangeKind>,
        /// Whom.
        #[serde(default)]
        whom: Selection,
    },
    /// Leaves everything in a held slice as it is.
    Reject {
        /// Which run.
        run: RunId,
        /// Which slice; all that are held when there is none.
        slice: Option<ChangeKind>,
        /// Why.
        reason: String,
    },
    /// Stops a run.
    Cancel {
        /// Which run.
        run: RunId,
    },
    /// Queues nothing more of a run until it is resumed.
    PauseRun {
        /// Which run.
        run: RunId,
    },
    /// Goes on with a paused run.
    ResumeRun {
        /// Which run.
        run: RunId,
    },
    /// Makes a run that shows what doing these deliveries again would change; nothing is applied
    /// until it is approved.
    Replay {
        /// Which deliveries.
        which: Which,
        /// Why.
        reason: String,
        /// So many people a minute at most; the configured rate when there is none.
        per_minute: Option<u32>,
    },
    /// Closes dead letters without doing them again.
    Discard {
        /// Which.
        which: Which,
        /// Why.
        reason: String,
    },
    /// Reads one person again now and brings them in step.
    SyncPerson {
        /// Whom.
        person: Person,
    },
    /// Says whose account is whose; `None` takes it back.
    Decide {
        /// Whom.
        person: Person,
        /// What.
        choice: Option<Choice>,
    },
    /// Leases nothing of this until it is resumed.
    Pause {
        /// What.
        scope: PauseScope,
        /// Why.
        reason: String,
        /// It ends by itself then.
        until: Option<Timestamp>,
    },
    /// Ends a pause.
    Resume {
        /// What was paused.
        scope: PauseScope,
    },
    /// Has every process take the rules anew, if they check.
    Reload,
    /// Looks at somebody's personal data.
    Unmask {
        /// Whose, or where: `person bob/17`, `run 0199…`.
        about: String,
    },
    /// Erases a person everywhere.
    Forget {
        /// Whom.
        person: Person,
        /// Why; it stays in the audit log, where nothing else about the person does.
        #[serde(default)]
        reason: Option<String>,
    },
    /// Lets a forgotten person be synchronised again.
    LiftForgetting {
        /// Whom.
        person: Person,
    },
    /// Makes a local user, or changes what one may do.
    SaveUser {
        /// The name.
        name: String,
        /// What they may do.
        access: Access,
        /// Against what their password is checked from now on; as before when there is none.
        #[serde(skip)]
        password: Option<Proof>,
    },
    /// Takes a local user away, and ends their sessions.
    RemoveUser {
        /// The name.
        name: String,
    },
    /// Makes a token for the API.
    MakeToken {
        /// Its name.
        name: String,
        /// What it may do.
        access: Access,
        /// Until when.
        expires: Timestamp,
        /// Against what it is checked. Whoever makes a token has it, and nobody else ever does.
        #[serde(skip)]
        proof: Option<Proof>,
    },
    /// Takes a token away.
    RevokeToken {
        /// Its name.
        name: String,
    },
}

impl Verb {
    /// The word under which it is written down.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Sync { .. } => "sync",
            Self::Approve { .. } => "approve",
            Self::Reject { .. } => "reject",
            Self::Cancel { .. } => "cancel",
            Self::PauseRun { .. } => "pause_run",
            Self::ResumeRun { .. } => "resume_run",
            Self::Replay { .. } => "replay",
            Self::Discard { .. } => "discard",
            Self::SyncPerson { .. } => "sync_person",
            Self::Decide { .. } => "decide",
            Self::Pause { .. } => "pause",
            Self::Resume { .. } => "resume",
            Self::Reload => "reload",
            Self::Unmask { .. } => "unmask",
            Self::Forget { .. } => "forget",
            Self::LiftForgetting { .. } => "lift_forgetting",
            Self::SaveUser { .. } => "save_user",
            Self::RemoveUser { .. } => "remove_user",
            Self::MakeToken { .. } => "make_token",
            Self::RevokeToken { .. } => "revoke_token",
        }
    }

    /// What somebody must at least be allowed to do it.
    pub fn needs(&self) -> Access {
        match self {
            Self::Reload
            | Self::Forget { .. }
            | Self::LiftForgetting { .. }
            | Self::SaveUser { .. }
            | Self::RemoveUser { .. }
            | Self::MakeToken { .. }
            | Self::RevokeToken { .. } => Access::Administrator,
            _ => Access::Operator,
        }
    }

    /// On what, by ids: what the audit log says of it.
    pub fn about(&self) -> String {
        let slice = |slice: &Option<ChangeKind>| {
            slice.map_or_else(|| "all slices".to_owned(), |kind| format!("slice {}", kind.word()))
        };
        match self {
            Self::Sync { source, plan } => {
                let whom = source
                    .as_ref()
                    .map_or_else(|| "all sources".to_owned(), |it| format!("source {it}"));
                if *plan { format!("{whom}, only a look") } else { whom }
            }
            Self::Approve { run, slice: kind, whom } => {
                let whom = match whom {
                    Selection::All => String::new(),
                    Selection::Only(these) => {
                        format!(", {} only", count_of(these.len(), "person", "people"))
                    }
                    Selection::Except(these) => {
                        format!(", all but {}", count_of(these.len(), "person", "people"))
                    }
                };
                format!("run {run} {}{whom}", slice(kind))
            }
            Self::Reject { run, slice: kind, .. } => format!("run {run} {}", slice(kind)),
            Self::Cancel { run } | Self::PauseRun { run } | Self::ResumeRun { run } => {
                format!("run {run}")
            }
            Self::Replay { which, .. } | Self::Discard { which, .. } => {
                format!("deliveries {}", serde_json::to_string(which).unwrap_or_default())
            }
            Self::SyncPerson { person }
            | Self::Decide { person, .. }
            | Self::Forget { person, .. }
            | Self::LiftForgetting { person } => format!("person {person}"),
            Self::Pause { scope, .. } | Self::Resume { scope } => scope.to_string(),
            Self::Reload => "rules".to_owned(),
            Self::Unmask { about } => about.clone(),
            Self::SaveUser { name, access, password } => {
                let new = if password.is_some() { ", with a new password" } else { "" };
                format!("user {name} as {}{new}", access.word())
            }
            Self::RemoveUser { name } => format!("user {name}"),
            Self::MakeToken { name, access, expires, .. } => {
                format!("token {name} as {} until {expires}", access.word())
            }
            Self::RevokeToken { name } => format!("token {name}"),
        }
    }

    /// What makes no sense in it, whatever the verb: a text that is empty, too long or not for
    /// people's eyes. Nothing of it is to be written down then.
    pub fn problem(&self) -> Option<String> {
        let said = serde_json::to_value(self).ok()?;
        problem_in("verb", &said)
    }

    /// Why, in the words of whoever does it.
    pub fn reason(&self) -> Option<&str> {
        match self {
            Self::Reject { reason, .. }
            | Self::Discard { reason, .. }
            | Self::Pause { reason, .. }
            | Self::Replay { reason, .. } => Some(reason),
            Self::Forget { reason, .. } => reason.as_deref(),
            _ => None,
        }
    }
}

/// The longest text in a verb, in characters.
const LONGEST: usize = 500;

fn problem_in(name: &str, said: &Value) -> Option<String> {
    match said {
        Value::String(text) if text.trim().is_empty() => {
            Some(format!("{name} is empty: say something, or leave it out"))
        }
        Value::String(text) if text.chars().count() > LONGEST => {
            Some(format!("{name} is too long: {LONGEST} characters at most"))
        }
        Value::String(text) if text.chars().any(char::is_control) => {
            Some(format!("{name} holds characters that nobody can see: take them out"))
        }
        Value::Array(all) => all.iter().find_map(|one| problem_in(name, one)),
        Value::Object(all) => all.iter().find_map(|(name, one)| problem_in(name, one)),
        _ => None,
    }
}

/// What came of a deed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outcome {
    /// In a sentence for whoever did it.
    pub said: String,
    /// Its entry in the audit log.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub audit: Option<AuditId>,
    /// The runs that it made or moved.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub runs: Vec<RunId>,
    /// The deliveries that it made.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub deliveries: Vec<DeliveryId>,
}

impl Outcome {
    /// Done, in a sentence.
    pub fn said(sentence: impl Into<String>) -> Self {
        Self { said: sentence.into(), ..Self::default() }
    }
}

/// Why a deed was not done; a variant is something that whoever wants it does. Nothing was changed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// They may not.
    #[error("that takes the access of an {}: ask somebody who has it", .0.word())]
    Forbidden(Access),
    /// What it is about is not there.
    #[error("{0}")]
    NotFound(String),
    /// What was asked makes no sense: ask otherwise.
    #[error("{0}")]
    Wrong(String),
    /// Somebody else was faster, or it has ended: look again.
    #[error("{0}")]
    Conflict(String),
    /// The store or a far end is not available: try again later.
    #[error("{0}")]
    Unavailable(String),
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reject(reason: &str) -> Verb {
        Verb::Reject { run: RunId::new("1"), slice: None, reason: reason.to_owned() }
    }

    #[test]
    fn a_verb_says_something_to_people() {
        assert_eq!(reject("it is a mistake of HR's").problem(), None);
        for (reason, told) in [
            ("", "reason is empty"),
            (" \u{a0}", "reason is empty"),
            ("a\nb", "reason holds characters"),
            (&"a".repeat(LONGEST + 1), "reason is too long"),
        ] {
            let found = reject(reason).problem().expect("a problem");
            assert!(found.starts_with(told), "{found}");
        }
        let nobody = Verb::SyncPerson {
            person: Person { source: SourceName::new(""), employee: EmployeeId::new("7") },
        };
        assert!(nobody.problem().is_some_and(|told| told.starts_with("source is empty")));
    }

    #[test]
    fn what_nobody_knows_is_refused() {
        let read = |text: &str| serde_json::from_str::<Verb>(text);
        assert!(read(r#"{"verb": "cancel", "run": "1"}"#).is_ok());
        assert!(read(r#"{"verb": "cancel", "run": "1", "force": true}"#).is_err());
        assert!(read(r#"{"verb": "destroy"}"#).is_err());
        assert!(read(r#"{"run": "1"}"#).is_err());
    }
}
