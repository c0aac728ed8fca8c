//! Deliveries by what they show, a page at a time.

use super::Desk;
use crate::model::question::Answer;
use crate::model::{DeliveryId, Refused, Which};
use crate::store::finding::Finding;

/// The longest page.
const MOST: usize = 500;

/// So many portions are looked at before it is said where to go on, found or not: no page takes long.
const PORTIONS: usize = 4;

impl Desk {
    /// The next page. There may be more though it is short, or empty: then it says where to go on.
    pub(super) async fn deliveries(
        &self,
        which: Which,
        before: Option<DeliveryId>,
        most: usize,
    ) -> Result<Answer, Refused> {
        let most = most.clamp(1, MOST);
        let mut finding = Finding::of(which, before);
        let mut found = Vec::new();
        for _ in 0..PORTIONS {
            let Some(some) = finding.next(&*self.store).await? else { break };
            found.extend(some);
            if found.len() > most {
                break;
            }
        }
        let mut next = finding.place();
        if found.len() > most {
            found.truncate(most);
            next = found.last().map(|last| last.id.clone());
        }
        Ok(Answer::Deliveries { found, next })
    }
}
