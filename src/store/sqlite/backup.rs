//! The copy of the file that is made before a newer program changes its shape.
//!
//! It lies beside the file, is named with the shape and the time (`instep.db.v3-20261122T020000Z.bak`)
//! and is as private as the file. The newest few are kept.

use std::ffi::OsString;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use rusqlite::Connection;

use super::{Stop, file};

/// So many copies are kept.
const KEPT: usize = 3;

/// How a copy ends…
const WHOLE: &str = ".bak";
/// …and one while it is made.
const PART: &str = ".part";

/// Copies the file as it is now; gives the copy's name. The caller sees to it that nobody writes.
///
/// # Errors
/// When there is too little room, or the copy cannot be written: then there is none.
pub(super) fn make(path: &Path, version: usize, now: Timestamp) -> Result<PathBuf, Stop> {
    let from = file::open(path)?;
    let pages: i64 = from.pragma_query_one(None, "page_count")?;
    let size: i64 = from.pragma_query_one(None, "page_size")?;
    let needed = u64::try_from(pages.saturating_mul(size)).unwrap_or(u64::MAX);
    if let Some(room) = room(path)
        && room < needed.saturating_add(needed / 10)
    {
        return Err(Stop::Other(too_full(path, needed, room).into()));
    }
    let stamp = now.strftime("%Y%m%dT%H%M%SZ");
    let copy = beside(path, &format!(".v{version}-{stamp}{WHOLE}"));
    let part = beside(path, &format!(".v{version}-{stamp}{PART}"));
    let _ = fs::remove_file(&part);
    if let Err(stop) = write(&from, &part).and_then(|()| put(&part, &copy)) {
        let _ = fs::remove_file(&part);
        return Err(stop);
    }
    tidy(path);
    Ok(copy)
}

fn write(from: &Connection, part: &Path) -> Result<(), Stop> {
    // SQLite writes into an empty file, which keeps its mode.
    file::make_private(part)?;
    let name = part.to_str().ok_or_else(|| Stop::Other("its path is not UTF-8".into()))?;
    from.execute("VACUUM INTO ?1", [name])?;
    Ok(())
}

fn put(part: &Path, copy: &Path) -> Result<(), Stop> {
    let done = || -> io::Result<()> {
        fs::File::open(part)?.sync_all()?;
        fs::rename(part, copy)
    };
    done().map_err(|e| Stop::Other(e.into()))
}

fn too_full(path: &Path, needed: u64, room: u64) -> String {
    let mib = |bytes: u64| bytes.div_ceil(1 << 20);
    format!(
        "this program needs another shape of {}, of which a copy is made first: that takes {} MiB \
         beside it and there are {}; make room and start again",
        path.display(),
        mib(needed),
        mib(room),
    )
}

fn beside(path: &Path, ending: &str) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(ending);
    name.into()
}

/// The copies that lie beside the file, oldest first.
pub fn copies(path: &Path) -> Vec<PathBuf> {
    lying_beside(path, WHOLE)
}

fn lying_beside(path: &Path, ending: &str) -> Vec<PathBuf> {
    let (Some(name), folder) = (path.file_name().and_then(|it| it.to_str()), path.parent()) else {
        return Vec::new();
    };
    let folder = folder.filter(|it| !it.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
    let stamp = |path: &PathBuf| -> Option<String> {
        let rest = path.file_name()?.to_str()?.strip_prefix(name)?.strip_prefix(".v")?;
        Some(rest.strip_suffix(ending)?.split_once('-')?.1.to_owned())
    };
    let paths = entries.filter_map(|entry| Some(entry.ok()?.path()));
    let mut copies: Vec<(String, PathBuf)> =
        paths.filter_map(|path| Some((stamp(&path)?, path))).collect();
    copies.sort();
    copies.into_iter().map(|(_, path)| path).collect()
}

/// Lets go of all copies but the newest few, and of what a process left that died while it made one.
fn tidy(path: &Path) {
    let copies = copies(path);
    let old = &copies[..copies.len().saturating_sub(KEPT)];
    for old in old.iter().chain(&lying_beside(path, PART)) {
        if let Err(error) = fs::remove_file(old) {
            tracing::warn!(copy = %old.display(), %error, "an old copy stays");
        }
    }
}

/// How many bytes can be written beside the file, where that can be known.
#[cfg(unix)]
fn room(path: &Path) -> Option<u64> {
    let stat = rustix::fs::statvfs(path).ok()?;
    stat.f_bavail.checked_mul(stat.f_frsize)
}

#[cfg(not(unix))]
fn room(_: &Path) -> Option<u64> {
    None
}
