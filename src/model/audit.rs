//! The audit log: who did what, from where, and what came of it. It holds ids, never values.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Access, Actor, AuditId, Via};

/// Somebody did something, or wanted to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditEntry {
    /// Its name.
    pub id: AuditId,
    /// When.
    pub at: Timestamp,
    /// Who.
    pub who: String,
    /// What they may do.
    pub access: Access,
    /// By which way they came in.
    pub via: Via,
    /// The address they came from, when they came by a network.
    pub from: Option<String>,
    /// What they did, in a word: `approve`.
    pub verb: String,
    /// On what, by ids: `run 0199… slice deactivate`.
    pub about: String,
    /// Why, in their own words.
    #[serde(alias = "why")]
    pub reason: Option<String>,
    /// What came of it, in a sentence; nothing while it is under way, or when its process died.
    pub outcome: Option<String>,
    /// It was refused.
    pub refused: bool,
}

impl AuditEntry {
    /// Something that is about to be done.
    pub fn begun(actor: &Actor, verb: &str, about: String, at: Timestamp) -> Self {
        Self {
            id: AuditId::fresh(),
            at,
            who: actor.name.clone(),
            access: actor.access,
            via: actor.via,
            from: actor.from.clone(),
            verb: verb.to_owned(),
            about,
            reason: None,
            outcome: None,
            refused: false,
        }
    }
}
