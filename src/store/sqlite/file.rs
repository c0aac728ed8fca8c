//! The database file: how it is opened and brought to the present shape.
//!
//! Every connection waits up to five seconds for another process. A commit is on the disk when it
//! returns (`synchronous=FULL`). A file that a newer program shaped is refused, not guessed at.

use std::collections::BTreeMap;
use std::fs::OpenOptions;
use std::io;
use std::ops::Deref;
use std::path::{Path, PathBuf};
use std::time::Duration;

use jiff::Timestamp;
use rusqlite::{Connection, ErrorCode, OpenFlags, TransactionBehavior};

use super::{Stop, backup};
use crate::clock::Deadline;
use crate::store::StoreError;
use crate::store::seal::Keys;

/// The steps from an empty file to the present shape; `PRAGMA user_version` counts those taken.
const STEPS: [&str; 7] = [
    include_str!("schema.sql"),
    include_str!("schema_2.sql"),
    include_str!("schema_3.sql"),
    include_str!("schema_4.sql"),
    include_str!("schema_5.sql"),
    include_str!("schema_6.sql"),
    include_str!("schema_7.sql"),
];

/// Since this shape what is erased is overwritten; before, its traces stayed.
const OVERWRITES: usize = 6;

/// How long to wait for a process that writes.
const PATIENCE: Duration = Duration::from_secs(5);

/// The rest between two tries where SQLite does not wait by itself.
const REST: Duration = Duration::from_millis(10);

/// A connection, and the keys to what is stored.
pub(super) struct Db {
    connection: Connection,
    pub(super) keys: Keys,
}

impl Db {
    pub(super) fn new(connection: Connection, keys: Keys) -> Self {
        Self { connection, keys }
    }
}

impl Deref for Db {
    type Target = Connection;

    fn deref(&self) -> &Connection {
        &self.connection
    }
}

/// Opens the file to write, makes it when it is not there and brings it to the present shape.
pub(super) fn open_to_write(path: &Path, keys: &Keys, now: Timestamp) -> Result<Db, Stop> {
    make_private(path)?;
    let mut db = open(path)?;
    // It counts only for a new file, and only before anything is written.
    db.pragma_update(None, "auto_vacuum", "INCREMENTAL")?;
    write_ahead(&db)?;
    db.pragma_update(None, "synchronous", "FULL")?;
    db.pragma_update(None, "foreign_keys", "ON")?;
    // Fewer checkpoints: under load each page is written to the file once in many commits.
    db.pragma_update_and_check(None, "wal_autocheckpoint", 16_000, |_| Ok(()))?;
    db.pragma_update_and_check(None, "journal_size_limit", 64 << 20, |_| Ok(()))?;
    db.pragma_update(None, "cache_size", -16_000)?;
    // What is erased is overwritten: it may be somebody's data.
    db.pragma_update_and_check(None, "secure_delete", "ON", |_| Ok(()))?;
    take_steps(&mut db, path, now)?;
    prove(&mut db, keys)?;
    Ok(Db::new(db, keys.clone()))
}

/// Turns the write-ahead log on. Unlike for anything else, SQLite does not wait for whoever else is at
/// the file.
fn write_ahead(db: &Connection) -> Result<(), rusqlite::Error> {
    let patience = Deadline::after(PATIENCE);
    loop {
        match db.pragma_update_and_check(None, "journal_mode", "WAL", |_| Ok(())) {
            Err(error)
                if error.sqlite_error_code() == Some(ErrorCode::DatabaseBusy)
                    && !patience.left().is_zero() =>
            {
                std::thread::sleep(REST);
            }
            done => return done,
        }
    }
}

/// Opens the file to read.
pub(super) fn open_to_read(path: &Path, keys: &Keys) -> Result<Db, rusqlite::Error> {
    let db = open(path)?;
    db.pragma_update(None, "query_only", "ON")?;
    Ok(Db::new(db, keys.clone()))
}

pub(super) fn open(path: &Path) -> Result<Connection, rusqlite::Error> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let db = Connection::open_with_flags(path, flags)?;
    db.busy_timeout(PATIENCE)?;
    db.set_prepared_statement_cache_capacity(64);
    db.pragma_update(None, "temp_store", "MEMORY")?;
    Ok(db)
}

/// The file holds personal data: only its owner may read it. SQLite gives the files beside it the
/// same mode.
pub(super) fn make_private(path: &Path) -> Result<(), Stop> {
    let mut options = OpenOptions::new();
    options.create(true).append(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let opened = options.open(path);
    opened.map(drop).map_err(|e| {
        Stop::Other(io::Error::new(e.kind(), format!("{}: {e}", path.display())).into())
    })
}

fn take_steps(db: &mut Connection, path: &Path, now: Timestamp) -> Result<(), Stop> {
    let known = STEPS.len();
    if version(db)? == known {
        return Ok(());
    }
    // Another process may have been faster: look again when nobody else can write.
    let transaction = db.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let found = version(&transaction)?;
    let unreadable = |why| Stop::Store(StoreError::Unreadable { what: "database", why });
    if found > known {
        return Err(unreadable(format!(
            "it has version {found} and this program knows {known}: upgrade this program"
        )));
    }
    if found == 0 {
        let empty = "SELECT NOT EXISTS (SELECT 1 FROM sqlite_schema)";
        if !transaction.query_row(empty, [], |row| row.get(0))? {
            return Err(unreadable(
                "it is another program's: name another file in [store] url".into(),
            ));
        }
    }
    if (1..known).contains(&found) {
        let copy = backup::make(path, found, now)?;
        let copy = copy.display();
        tracing::info!(%copy, from = found, to = known, "the database gets a new shape; a copy is made");
    }
    for step in STEPS.iter().skip(found) {
        transaction.execute_batch(step)?;
    }
    if found == 0 {
        let epoch = uuid::Uuid::now_v7().to_string();
        transaction.execute("INSERT INTO meta (name, value) VALUES ('epoch', ?1)", [epoch])?;
    }
    let steps = i64::try_from(known).unwrap_or(i64::MAX);
    transaction.pragma_update(None, "user_version", steps)?;
    transaction.commit()?;
    if (1..OVERWRITES).contains(&found)
        && let Err(error) = db.execute_batch("VACUUM")
    {
        tracing::warn!(%error, "traces of what was erased before may lie in the database");
    }
    Ok(())
}

/// Moves the log into the file and empties it: it holds what stood there before.
pub(super) fn empty_log(path: &Path) -> Result<(), Stop> {
    let db = open(path)?;
    let busy: i64 = db.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get(0))?;
    if busy != 0 {
        return Err(Stop::Other("somebody reads the database all the time: do it again".into()));
    }
    Ok(())
}

/// How the rows of `meta` are named that prove a key.
const PROOF: &str = "key ";

/// Holds the keys against those that sealed something, and notes the newest among them.
fn prove(db: &mut Connection, keys: &Keys) -> Result<(), Stop> {
    let proofs = proofs(db)?;
    keys.verify(&proofs)?;
    if let Some((name, proof)) = keys.proof()
        && !proofs.contains_key(name)
    {
        let sql = "INSERT INTO meta (name, value) VALUES (?1, ?2) ON CONFLICT (name) DO NOTHING";
        db.execute(sql, (format!("{PROOF}{name}"), proof))?;
    }
    Ok(())
}

/// The keys that sealed something, each with its proof.
fn proofs(db: &Connection) -> Result<BTreeMap<String, String>, Stop> {
    let sql = "SELECT substr(name, 5), value FROM meta WHERE name LIKE 'key %'";
    let mut find = db.prepare(sql)?;
    let found = find.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
    Ok(found.collect::<Result<_, _>>()?)
}

/// Forgets every key but the newest: nothing is sealed with the others any more.
pub(super) fn retire_keys(db: &Db) -> Result<(), Stop> {
    let newest = db.keys.names().next().unwrap_or_default();
    let sql = "DELETE FROM meta WHERE name LIKE 'key %' AND name <> ?1";
    db.execute(sql, [format!("{PROOF}{newest}")])?;
    Ok(())
}

fn version(db: &Connection) -> Result<usize, rusqlite::Error> {
    let version: i64 = db.pragma_query_one(None, "user_version")?;
    Ok(usize::try_from(version).unwrap_or(usize::MAX))
}

/// The kind of network file system that the file lies on, if it does. There WAL does not hold what
/// it promises.
pub(super) fn network(path: &Path) -> Option<String> {
    let path = path.canonicalize().ok()?;
    let mounts = std::fs::read_to_string("/proc/self/mounts").ok()?;
    let mount = |line: &str| {
        let mut words = line.split(' ').skip(1);
        // Spaces in names are written as \040.
        let place = PathBuf::from(words.next()?.replace("\\040", " "));
        path.starts_with(&place).then_some((place.components().count(), words.next()?.to_owned()))
    };
    // Of two mounts on one place the later one counts.
    let (_, kind) = mounts.lines().filter_map(mount).max_by_key(|(depth, _)| *depth)?;
    let network = ["nfs", "nfs4", "cifs", "smb3", "smbfs", "9p", "ceph", "glusterfs", "afs"];
    (network.contains(&kind.as_str()) || kind.starts_with("fuse.sshfs")).then_some(kind)
}
