//! Making a group that is missing: one process at a time, and only after a look.
//!
//! The target takes two groups of the same name side by side, and from then on nobody knows which is
//! meant. So whoever makes one says so in a note that all processes share, until it is made or the
//! time of the lease is used up: no call can be under way after that.

use std::time::Duration;

use jiff::Timestamp;

use super::Worker;
use super::process::Case;
use super::retry::Verdict;
use super::turn::lane;
use crate::model::Needs;
use crate::model::catalogue::Found;
use crate::targets::TargetError;

/// How long others leave it to the one who makes the group.
const OTHERS_REST: Duration = Duration::from_secs(2);

/// How far the clocks of two processes may be apart.
const CLOCKS_APART: Duration = Duration::from_secs(5);

/// The right to make one group.
pub(super) struct Making {
    note: String,
    says: String,
}

impl Worker {
    /// The right to make the group at the end of a path; none when it is there already. While
    /// somebody else has it, the work is given back for a moment.
    pub(super) async fn begin_making(
        &self,
        case: &Case,
        path: &[String],
    ) -> Result<Option<Making>, Verdict> {
        if self.is_there(case, path, false).await? {
            return Ok(None);
        }
        // A slash may be part of a name.
        let note = format!("making group {}", path.join("\u{1f}"));
        let now = self.clock.now();
        let until = now + case.lease.deadline.left() + CLOCKS_APART;
        let says = format!("{} {}", until.as_millisecond(), case.lease.token);
        let before = self.store.note(&note).await.map_err(TargetError::Store)?;
        if before.as_deref().is_none_or(|before| is_over(before, now)) {
            let put = self.store.put_note(&note, before.as_deref(), Some(&says)).await;
            if put.map_err(TargetError::Store)? {
                return Ok(Some(Making { note, says }));
            }
        }
        if self.is_there(case, path, true).await? {
            return Ok(None);
        }
        Err(Verdict::GiveBack(OTHERS_REST))
    }

    async fn is_there(&self, case: &Case, path: &[String], afresh: bool) -> Result<bool, Verdict> {
        let needs = Needs { groups: true, ..Needs::default() };
        let (target, lease) = (&self.target.target, &case.lease);
        let catalogue = target.catalogue(&needs, afresh, lane(lease), lease.deadline).await?;
        Ok(matches!(catalogue.group(path), Found::Group(_)))
    }

    /// The group is made, or could not be.
    pub(super) async fn end_making(&self, making: Making) {
        let Making { note, says } = making;
        if let Err(error) = self.store.put_note(&note, Some(&says), None).await {
            // It ends by itself, a little later.
            tracing::debug!(error = &error as &dyn std::error::Error, "a note was not taken away");
        }
    }
}

/// Whether whoever wrote this has no time left.
fn is_over(says: &str, now: Timestamp) -> bool {
    let until = says.split(' ').next().and_then(|until| until.parse::<i64>().ok());
    until.is_none_or(|until| until < now.as_millisecond())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_note_ends_with_the_lease_of_who_wrote_it() {
        let now = Timestamp::from_millisecond(1_000).expect("a time");
        assert!(!is_over("1000 token", now));
        assert!(is_over("999 token", now));
        assert!(is_over("scribble", now), "what nobody understands holds nobody up");
    }
}
