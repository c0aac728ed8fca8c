//! A page of what a run has read of the target, as it is kept while the run compares: whoever carries
//! on a run of a dead process goes on behind its last page.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// A page.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Page {
    /// Its place among the pages of the run, from 1.
    pub number: u64,
    /// Of which list.
    pub list: String,
    /// When it was read.
    pub read_at: Timestamp,
    /// Its rows, packed by whoever reads them again.
    pub rows: String,
    /// Where the list goes on, as the target said it; nothing at its end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}
