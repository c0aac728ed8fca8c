//! The whole store as a file, and a store from a file: how it is moved and backed up.
//!
//! A file has one line for its head, one for each thing and one for its end, which holds their
//! numbers and a checksum of everything before. Of a file that is not whole nothing is taken in.
//! Where the store has a key the lines are sealed with it, each for its own place in its own file.

use std::collections::BTreeMap;
use std::io::{self, BufRead, BufReader, BufWriter, Read, Seek, Write};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::model::words::people;
use crate::store::seal::{Keys, Place};
use crate::store::{Store, StoreError, Stored};

/// The version of the file that this program writes.
const VERSION: u32 = 1;
/// So many things are read or written in one step.
const AT_ONCE: usize = 500;
/// No line is longer: a record is far smaller.
const LONGEST: u64 = 64 << 20;

/// Why a store was not moved.
#[derive(Debug, thiserror::Error)]
pub enum MoveError {
    /// The store did not do it.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The file could not be read or written.
    #[error("the file: {0}")]
    File(#[from] io::Error),
    /// The file is not one, or not whole: nothing was taken in.
    #[error("the file is not an export that this program can take in: {0}. Nothing was changed")]
    NotWhole(String),
    /// The store holds something.
    #[error("the store is not empty: name a new file or namespace in [store], or empty it first")]
    NotEmpty,
    /// Somebody works on the store.
    #[error(
        "{} in hand now: stop every `instep serve` on this store first, and wait until all leases \
         have run out",
        people(*.0)
    )]
    AtWork(u64),
}

/// The note that is there while a file is taken in. It stays when the process dies before its end.
const UNDER_WAY: &str = "import";

#[derive(Serialize, Deserialize)]
struct Head {
    instep_export: u32,
    made_at: Timestamp,
    /// Tells files apart, so that no line moves from one to another.
    name: String,
    sealed: bool,
}

#[derive(Serialize, Deserialize)]
struct End {
    end: BTreeMap<String, u64>,
    sha256: String,
}

/// How many of each kind there are.
pub type Moved = BTreeMap<String, u64>;

fn place(file: &str, line: u64) -> Place {
    Place::new("line of an export", &[file, &line.to_string()])
}

fn hex(hash: Sha256) -> String {
    use std::fmt::Write as _;

    hash.finalize().iter().fold(String::new(), |mut text, byte| {
        // Writing to a string cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// Writes everything that the store holds; says how much of each kind.
///
/// # Errors
/// When the store does not answer, somebody works on it, or the file cannot be written.
pub async fn export(
    store: &dyn Store,
    keys: &Keys,
    to: impl Write,
    now: Timestamp,
    mut progress: impl FnMut(u64),
) -> Result<Moved, MoveError> {
    let leased = store.depth().await?.leased;
    if leased > 0 {
        return Err(MoveError::AtWork(leased));
    }
    let name = uuid::Uuid::now_v7().to_string();
    let head =
        Head { instep_export: VERSION, made_at: now, name: name.clone(), sealed: !keys.is_none() };
    let (mut to, mut hash, mut line) = (BufWriter::new(to), Sha256::new(), 0);
    let mut put = |text: &str| -> io::Result<()> {
        hash.update(text.as_bytes());
        hash.update(b"\n");
        to.write_all(text.as_bytes())?;
        to.write_all(b"\n")
    };
    put(&json(&head)?)?;
    let (mut counts, mut from) = (Moved::new(), None);
    loop {
        let part = store.dump(from.as_deref(), AT_ONCE).await?;
        for found in part.found {
            line += 1;
            *counts.entry(found.kept.word().to_owned()).or_default() += 1;
            put(&keys.shut(&place(&name, line), &json(&found.kept)?))?;
        }
        progress(line);
        from = part.next;
        if from.is_none() {
            break;
        }
    }
    let end = End { end: counts.clone(), sha256: hex(hash) };
    to.write_all(json(&end)?.as_bytes())?;
    to.write_all(b"\n")?;
    to.flush()?;
    Ok(counts)
}

fn json(record: &impl Serialize) -> io::Result<String> {
    serde_json::to_string(record).map_err(io::Error::other)
}

/// Takes a file in, into a store that holds nothing; says how much of each kind there was. The file
/// is read twice: first to see that it is whole.
///
/// # Errors
/// When the file is not whole or cannot be opened, or the store does not answer or holds something.
pub async fn import(
    store: &dyn Store,
    keys: &Keys,
    mut from: impl Read + Seek,
    mut progress: impl FnMut(u64, u64),
) -> Result<Moved, MoveError> {
    let (head, end) = examine(&mut from, keys)?;
    if !store.dump(None, 1).await?.found.is_empty() {
        return Err(MoveError::NotEmpty);
    }
    store.put_note(UNDER_WAY, None, Some(&head.name)).await?;
    from.rewind()?;
    let all = end.end.values().sum();
    let (mut lines, mut some) = (Lines::new(from), Vec::new());
    lines.next()?;
    let mut line = 0;
    while line < all {
        let Some(text) = lines.next()? else { return Err(not_whole("it became shorter")) };
        line += 1;
        some.push(read(&head, keys, line, &text)?);
        if some.len() == AT_ONCE || line == all {
            store.restore(&some).await?;
            some.clear();
            progress(line, all);
        }
    }
    store.put_note(UNDER_WAY, Some(&head.name), None).await?;
    Ok(end.end)
}

/// Whether an import into this store was not finished, so that it holds a part of what it should.
///
/// # Errors
/// When the store does not answer.
pub async fn is_half_imported(store: &dyn Store) -> Result<bool, StoreError> {
    Ok(store.note(UNDER_WAY).await?.is_some())
}

/// Reads all of it: whether it is whole, and opens.
fn examine(from: impl Read, keys: &Keys) -> Result<(Head, End), MoveError> {
    let (mut lines, mut hash) = (Lines::new(from), Sha256::new());
    let first = lines.next()?.ok_or_else(|| not_whole("it is empty"))?;
    let head: Head =
        serde_json::from_str(&first).map_err(|_| not_whole("it does not begin as one"))?;
    if head.instep_export > VERSION {
        return Err(not_whole("a newer program wrote it: upgrade this one"));
    }
    let (mut before, mut line, mut counts) = (first, 0, Moved::new());
    loop {
        hash.update(before.as_bytes());
        hash.update(b"\n");
        let Some(text) = lines.next()? else {
            return Err(not_whole("its end is missing"));
        };
        if let Ok(end) = serde_json::from_str::<End>(&text) {
            let more = lines.next()?.is_some();
            if more || end.end != counts || end.sha256 != hex(hash) {
                return Err(not_whole("it was changed since it was written"));
            }
            return Ok((head, end));
        }
        line += 1;
        let kept = read(&head, keys, line, &text)?;
        *counts.entry(kept.word().to_owned()).or_default() += 1;
        before = text;
    }
}

fn read(head: &Head, keys: &Keys, line: u64, text: &str) -> Result<Stored, MoveError> {
    let opened = keys
        .open(&place(&head.name, line), text)
        .map_err(|error| MoveError::NotWhole(format!("line {}: {error}", line + 1)))?;
    // The error of the library would show what stands there.
    serde_json::from_str(&opened)
        .map_err(|_| not_whole(&format!("line {} is none of its lines", line + 1)))
}

fn not_whole(why: &str) -> MoveError {
    MoveError::NotWhole(why.to_owned())
}

struct Lines<R>(BufReader<R>);

impl<R: Read> Lines<R> {
    fn new(from: R) -> Self {
        Self(BufReader::new(from))
    }

    /// The next line without its end; an unfinished one is none.
    fn next(&mut self) -> Result<Option<String>, MoveError> {
        let mut line = Vec::new();
        (&mut self.0).take(LONGEST).read_until(b'\n', &mut line)?;
        match line.pop() {
            None => Ok(None),
            Some(b'\n') => {
                String::from_utf8(line).map(Some).map_err(|_| not_whole("it is no text"))
            }
            Some(_) => Err(not_whole("its last line is cut off")),
        }
    }
}
