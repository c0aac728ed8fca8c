//! How far a run is, for those who watch it: in this process by a channel, in others by the note
//! that says who carries the run out.

use serde::{Deserialize, Serialize};

use crate::model::RunId;

/// How far a run is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Progress {
    /// Which run; none before it has begun.
    pub run: Option<RunId>,
    /// What is done just now.
    pub stage: Stage,
}

/// What a run is doing.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stage {
    /// It begins: what is known of everybody's accounts is read.
    #[default]
    Beginning,
    /// The LMS is read.
    ReadingLms {
        /// So many accounts so far.
        accounts: u64,
        /// So many memberships of groups so far.
        members: u64,
    },
    /// HR is read, and each person is compared as they come.
    ReadingHr {
        /// So many people so far.
        people: u64,
    },
    /// Why each difference existed is looked up.
    Comparing {
        /// Differences that are looked at.
        done: u64,
        /// Differences that there are.
        all: u64,
    },
    /// The people of a replay are read again, and what would change is worked out.
    Previewing {
        /// Deliveries that are looked at.
        done: u64,
        /// Deliveries that there are.
        all: u64,
    },
    /// What is to be changed is queued.
    Queueing {
        /// Queued so far.
        done: u64,
        /// All that are to be.
        all: u64,
    },
    /// The workers change the LMS.
    Applying {
        /// Settled so far, failed ones included.
        settled: u64,
        /// All that were queued.
        all: u64,
        /// Those who failed.
        failed: u64,
        /// Seconds that it will take still, as far as the budget of writes can tell.
        seconds_left: Option<u64>,
    },
    /// It has ended, except for what is held.
    Ended,
}
