//! What people ask here, in the command line, the console and the API alike. Asking changes nothing.

use std::path::PathBuf;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::story::{Planned, Story};
use super::{
    AccountId, Delivery, DeliveryId, EmployeeId, Failure, Going, Item, Miss, Person, Pulse, Run,
    RunId, SourceName, Which,
};

/// Something that is asked of the parts that a page may not call by itself.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::large_enum_variant, reason = "there is one for each request, never many")]
pub enum Question {
    /// Dead letters and held deliveries by cause, the gravest first.
    Failures,
    /// Deliveries, newest first.
    Deliveries {
        /// Which.
        which: Which,
        /// Older than this one: where the last page ended.
        before: Option<DeliveryId>,
        /// So many at most.
        most: usize,
    },
    /// People whose id, mail or name begins with a text, or contains it.
    People {
        /// The text.
        text: String,
        /// So many at most.
        most: usize,
    },
    /// How things are.
    Pulse,
    /// How far a run is that some process has in hand.
    Progress(RunId),
    /// All that a report tells of a run. It is read in full: not for pages.
    Told(RunId),
    /// The rules of each source: what is live, what was, and what their tables lack.
    Rules,
    /// What an expression gives on somebody's record, which is read from the source now.
    Try {
        /// The expression.
        expression: String,
        /// Who: an id, a mail or a full name.
        key: String,
    },
    /// Why somebody's account is as it is: HR and the LMS are read now.
    Explain {
        /// Whom.
        person: Person,
    },
    /// What would be done for somebody: HR and, where it must be, the LMS are read now.
    Plan {
        /// Whom.
        person: Person,
    },
}

/// What is answered, in the order of [`Question`].
#[derive(Clone, Debug)]
pub enum Answer {
    /// To [`Question::Failures`].
    Failures(Vec<Failure>),
    /// To [`Question::Deliveries`].
    Deliveries {
        /// These.
        found: Vec<Delivery>,
        /// Where to go on; none at the end.
        next: Option<DeliveryId>,
    },
    /// To [`Question::People`].
    People(Vec<Somebody>),
    /// To [`Question::Pulse`].
    Pulse(Box<Pulse>),
    /// To [`Question::Progress`].
    Progress(Option<Going>),
    /// To [`Question::Told`].
    Told(Box<Told>),
    /// To [`Question::Rules`].
    Rules(Box<RulesTold>),
    /// To [`Question::Try`]: for each person who was found.
    Tried(Vec<Tried>),
    /// To [`Question::Explain`].
    Explain(Box<Story>),
    /// To [`Question::Plan`].
    Plan(Box<Planned>),
}

/// Everything that a report tells of a run.
#[derive(Clone, Debug)]
pub struct Told {
    /// The run.
    pub run: Run,
    /// Everybody who was out of step.
    pub items: Vec<Item>,
    /// Earlier runs, the newest first.
    pub before: Vec<Run>,
    /// Values that a lookup table does not know, and how many people have each.
    pub misses: Vec<(Miss, u64)>,
}

/// The rules of all sources.
#[derive(Clone, Debug, Default)]
pub struct RulesTold {
    /// By source.
    pub sources: Vec<SourceRules>,
    /// What their tables lack; nothing when it is being counted for the first time.
    pub misses: Option<Missing>,
}

/// The rules of one source.
#[derive(Clone, Debug)]
pub struct SourceRules {
    /// Which.
    pub source: SourceName,
    /// The version that is live in this process.
    pub live: String,
    /// Every version that is kept, the one that went live last first.
    pub versions: Vec<RulesVersion>,
}

/// A version of rules that was live.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RulesVersion {
    /// Its name.
    pub version: String,
    /// When it went live first.
    pub first: Timestamp,
    /// When it went live last.
    pub last: Timestamp,
    /// Who or what had it go live last: `ann`, `the start of a process`.
    pub by: String,
    /// The text of its file without secrets and comments; its tables by their names and sizes.
    pub text: String,
}

/// Values that lookup tables lack.
#[derive(Clone, Debug)]
pub struct Missing {
    /// When that was counted.
    pub at: Timestamp,
    /// Those that touch the most people first.
    pub values: Vec<MissedValue>,
}

/// A value that a table lacks, and whom that touches.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct MissedValue {
    /// Whose people.
    pub source: SourceName,
    /// The table.
    pub table: String,
    /// Its file, when the configuration still has the table.
    pub file: Option<PathBuf>,
    /// What was looked for, one text for each key column.
    pub keys: Vec<String>,
    /// How many people it touches.
    pub people: usize,
    /// Some of them, by their ids.
    pub some: Vec<EmployeeId>,
}

/// What an expression gave on somebody's record.
#[derive(Clone, Debug)]
pub struct Tried {
    /// Whose.
    pub person: Person,
    /// The fields that it read, and what each held; nothing where the record has none.
    pub inputs: Vec<(String, Option<String>)>,
    /// What it gave, or why it gave nothing.
    pub result: Result<String, String>,
    /// Values that were not in a lookup table: the table, and what was looked for.
    pub misses: Vec<(String, String)>,
}

/// A person as a search shows them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Somebody {
    /// Who.
    pub person: Person,
    /// The name that their account has, as we last applied it; empty when we never did.
    pub name: String,
    /// The mail likewise.
    pub mail: String,
    /// Their account.
    pub account: Option<AccountId>,
    /// Whether the account is in use.
    pub active: bool,
}
