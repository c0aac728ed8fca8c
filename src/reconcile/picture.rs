//! The picture of the LMS by which a run compares, page by page. What was read is kept with the run
//! until it has compared: whoever carries on a run of a dead process goes on behind its last page.
//!
//! A picture that was begun too long ago is read anew: it would show differences that are none. For
//! the same reason, what the live road did since it was begun is no difference.

use std::io::{Read, Write};

use base64::Engine;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use flate2::Compression;
use flate2::read::DeflateDecoder;
use flate2::write::DeflateEncoder;
use jiff::{SignedDuration, Timestamp};

use super::{ReconcileError, Reconciler};
use crate::model::{Page, Run};
use crate::store::StoreError;
use crate::targets::learning360::snapshot::{List, Part, Rows, Snapshot};

/// A picture that was begun earlier is read anew.
const OLDEST: SignedDuration = SignedDuration::from_mins(30);

/// No more than so many bytes of a picture are kept: about a million accounts. What is behind them is
/// read again.
const MOST_BYTES: usize = 64 << 20;

/// A page holds less, however well it was packed.
const MOST_UNPACKED: u64 = 64 << 20;

/// So many pages are read from the store at once.
const AT_ONCE: usize = 20;

/// What is kept of a picture while it is read.
pub(super) struct Keeper {
    /// When the picture was begun.
    pub since: Timestamp,
    /// So many pages are there.
    pages: u64,
    /// So many bytes.
    bytes: usize,
    /// Nobody will carry this run on, or there is no room for more.
    is_closed: bool,
}

impl Reconciler<'_> {
    /// Hands on what was kept of the picture of this run, and has the snapshot go on behind it.
    ///
    /// # Errors
    /// When the store is not available.
    pub(super) async fn kept(
        &self,
        run: &Run,
        snapshot: &mut Snapshot<'_>,
        mut hand_on: impl FnMut(&List, Rows) + Send,
    ) -> Result<Keeper, ReconcileError> {
        let now = self.clock.now();
        let mut keeper = Keeper { since: now, pages: 0, bytes: 0, is_closed: run.plan_only };
        if keeper.is_closed {
            return Ok(keeper);
        }
        loop {
            let pages = match self.store.pages(&run.id, keeper.pages, AT_ONCE).await {
                // What cannot be read is read again from where it is true.
                Err(StoreError::Unreadable { .. }) => Vec::new(),
                pages => pages?,
            };
            if pages.is_empty() {
                break;
            }
            for page in pages {
                if page.number == 1 {
                    if now.duration_since(page.read_at) > OLDEST {
                        self.store.drop_pages(&run.id).await?;
                        return Ok(keeper);
                    }
                    keeper.since = page.read_at;
                }
                let Some(rows) = unpack(&page.rows) else {
                    return Ok(keeper);
                };
                keeper.pages = page.number;
                keeper.bytes += page.rows.len();
                if let Some(list) = snapshot.skip(&page.list, &rows, page.next.as_deref()) {
                    hand_on(&list, rows);
                }
            }
        }
        Ok(keeper)
    }

    /// Keeps a page that was read.
    ///
    /// # Errors
    /// When the store is not available, or the run has ended.
    pub(super) async fn keep(
        &self,
        run: &Run,
        keeper: &mut Keeper,
        part: &Part,
    ) -> Result<(), ReconcileError> {
        if keeper.is_closed {
            return Ok(());
        }
        let rows = pack(&part.rows);
        keeper.bytes += rows.len();
        if keeper.bytes > MOST_BYTES {
            keeper.is_closed = true;
            return Ok(());
        }
        keeper.pages += 1;
        let page = Page {
            number: keeper.pages,
            list: part.list.name(),
            read_at: self.clock.now(),
            rows,
            next: part.next.clone(),
        };
        self.store.save_page(&run.id, &page).await?;
        Ok(())
    }
}

/// Rows as they are kept: a page of 500 accounts takes about 20 KiB.
fn pack(rows: &Rows) -> String {
    let mut packed = DeflateEncoder::new(Vec::new(), Compression::fast());
    let written = serde_json::to_writer(&mut packed, rows).map_err(std::io::Error::from);
    let packed = written.and_then(|()| packed.flush()).and_then(|()| packed.finish());
    // Writing to memory does not fail; what were not whole would not be taken for a page.
    STANDARD_NO_PAD.encode(packed.unwrap_or_default())
}

/// The rows that were packed.
fn unpack(packed: &str) -> Option<Rows> {
    let packed = STANDARD_NO_PAD.decode(packed).ok()?;
    let mut text = Vec::new();
    DeflateDecoder::new(packed.as_slice()).take(MOST_UNPACKED).read_to_end(&mut text).ok()?;
    serde_json::from_slice(&text).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::AccountId;

    #[test]
    fn what_is_packed_comes_back_and_what_is_damaged_does_not() {
        let rows = Rows::Claims(vec![(AccountId::new("a"), "Zoë \u{1F984}".into())]);
        let packed = pack(&rows);
        assert_eq!(unpack(&packed), Some(rows));
        for damaged in ["", "not base64", &packed[..packed.len() / 2]] {
            assert_eq!(unpack(damaged), None, "{damaged}");
        }
    }

    #[test]
    fn many_rows_take_little_room() {
        let claim = |n: u32| (AccountId::new(format!("65f0c1d2e3a4b5c6{n:08x}")), n.to_string());
        let packed = pack(&Rows::Claims((0..5000).map(claim).collect()));
        assert!(packed.len() < 60_000, "{}", packed.len());
    }
}
