//! What people ask here, in the command line, the console and the API alike. Asking changes nothing.

use serde::{Deserialize, Serialize};

use super::{AccountId, Delivery, DeliveryId, Failure, Person, Which};

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
