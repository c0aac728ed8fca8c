//! Which rules were live, since when and by whom: the last versions of each source, with their texts
//! as far as anybody may see them.
//!
//! Each version is a note of its own, so that none is ever written over by another; old ones go.

use std::fmt::Write as _;

use jiff::Timestamp;
use sha2::{Digest, Sha256};

use crate::config::{self, RuleSettings};
use crate::model::SourceName;
use crate::model::question::RulesVersion;
use crate::store::{LONGEST_NOTE, Store, StoreError};

/// So many versions of a source are kept.
const KEPT: usize = 20;

/// The most bytes of a text; the note has a little more around it, and quotes take two.
const TEXT: usize = LONGEST_NOTE / 3;

/// How often a note is written again when others write at the same moment.
const TRIES: usize = 10;

fn prefix(source: &SourceName) -> String {
    format!("rules of {source}: ")
}

/// Writes down that these rules are live.
pub(super) async fn went_live(
    store: &dyn Store,
    source: &SourceName,
    rules: &RuleSettings,
    by: &str,
    now: Timestamp,
) -> Result<(), StoreError> {
    let name = prefix(source) + &rules.version;
    for _ in 0..TRIES {
        let before = store.note(&name).await?;
        let known = before.as_deref().and_then(read);
        let first = known.as_ref().map_or(now, |known| known.first);
        let version = RulesVersion {
            version: rules.version.clone(),
            first,
            last: now,
            by: by.to_owned(),
            text: text(rules),
        };
        let note = serde_json::to_string(&version).unwrap_or_default();
        if note.len() > LONGEST_NOTE {
            return Ok(());
        }
        if store.put_note(&name, before.as_deref(), Some(&note)).await? {
            break;
        }
    }
    forget_old(store, source).await
}

/// Lets go of all but the newest versions.
async fn forget_old(store: &dyn Store, source: &SourceName) -> Result<(), StoreError> {
    let mut all: Vec<_> = store.notes(&prefix(source)).await?;
    all.sort_by_key(|(_, note)| std::cmp::Reverse(read(note).map(|version| version.last)));
    for (name, note) in all.into_iter().skip(KEPT) {
        // Whoever changed it meanwhile still needs it.
        store.put_note(&name, Some(&note), None).await?;
    }
    Ok(())
}

/// Every version that is kept, the one that went live last first.
pub(super) async fn versions(
    store: &dyn Store,
    source: &SourceName,
) -> Result<Vec<RulesVersion>, StoreError> {
    let notes = store.notes(&prefix(source)).await?;
    let mut versions: Vec<RulesVersion> = notes.iter().filter_map(|(_, note)| read(note)).collect();
    versions.sort_by_key(|version| std::cmp::Reverse(version.last));
    Ok(versions)
}

/// A note that cannot be read is none: a newer program wrote it.
fn read(note: &str) -> Option<RulesVersion> {
    serde_json::from_str(note).ok()
}

/// What rules say, as far as anybody may see it. Their tables are told by name and size, with the
/// beginning of a hash by which another content shows.
fn text(rules: &RuleSettings) -> String {
    let mut text = only_rules(&config::veiled(&rules.origin.text));
    if text.len() > TEXT {
        let end = (0..=TEXT).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
        text.truncate(end);
        text.push_str("\n# ... and more, which is not kept");
    }
    for (name, table) in &rules.tables {
        let mut hash = Sha256::new();
        for (line, cells) in &table.rows {
            hash.update(format!("{line} {cells:?}"));
        }
        let digest = hash.finalize();
        let rows = table.rows.len();
        let (a, b, c) = (digest[0], digest[1], digest[2]);
        let _ = write!(text, "\n# table {name}: {rows} rows, content {a:02x}{b:02x}{c:02x}");
    }
    text
}

/// Of a whole configuration the tables of the rules; a file of rules as it is.
fn only_rules(text: &str) -> String {
    let header = |line: &str| {
        let name = line.strip_prefix('[')?.trim_start_matches('[');
        let name = name.split(']').next()?.trim();
        Some(name == "rules" || name.starts_with("rules."))
    };
    if !text.lines().any(|line| header(line) == Some(true)) {
        return text.to_owned();
    }
    let mut inside = false;
    let mut kept = Vec::new();
    for line in text.lines() {
        inside = header(line).unwrap_or(inside);
        if inside {
            kept.push(line);
        }
    }
    kept.join("\n").trim_end().to_owned()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use jiff::SignedDuration;
    use tempfile::TempDir;

    use super::{KEPT, only_rules, versions, went_live};
    use crate::clock::Clock;
    use crate::config::{Expression, RuleSettings};
    use crate::model::SourceName;
    use crate::store::Store;
    use crate::store::sqlite::SqliteStore;

    fn rules(version: &str) -> RuleSettings {
        let expression = |key: &str, text: &str| Expression {
            key: key.to_owned(),
            text: text.to_owned(),
            at: 0,
        };
        let mut rules = RuleSettings::of(
            expression("rules.in_scope", "true"),
            expression("rules.active", "true"),
            expression("rules.fields.external_id", "root.id"),
        );
        version.clone_into(&mut rules.version);
        rules.origin.text =
            format!("active = \"true\" # {version}\ntoken = \"a secret\"\njob = \"'{version}'\"");
        rules
    }

    #[tokio::test]
    async fn the_last_versions_are_kept_with_who_made_them_live() {
        let folder = TempDir::new().expect("a folder");
        let clock = Clock::system();
        let store = SqliteStore::open(&folder.path().join("instep.db"), clock.clone());
        let store: Arc<dyn Store> = Arc::new(store.expect("a store"));
        let (bob, begin) = (SourceName::new("bob"), clock.now());
        for hour in 0..30 {
            let at = begin + SignedDuration::from_hours(hour);
            let name = format!("v{}", hour % 25);
            went_live(&*store, &bob, &rules(&name), "ann", at).await.expect("the store");
        }
        let kept = versions(&*store, &bob).await.expect("the store");
        assert_eq!(kept.len(), KEPT);
        let newest = &kept[0];
        assert_eq!((newest.version.as_str(), newest.by.as_str()), ("v4", "ann"));
        assert_eq!(newest.last, begin + SignedDuration::from_hours(29));
        assert!(!newest.text.contains("secret") && !newest.text.contains('#'), "{}", newest.text);
        assert!(newest.text.contains("active = \"true\""), "{}", newest.text);
        let other = versions(&*store, &SourceName::new("bo")).await.expect("the store");
        assert!(other.is_empty(), "another source's");
    }

    #[test]
    fn of_a_whole_configuration_only_the_rules_are_told() {
        let whole = "[server]\nlisten = \"a\"\n\n[rules]\nactive = \"true\"\n\n[rules.fields]\njob \
                     = \"x\"\n\n[target]\ntype = \"y\"";
        let rules = "[rules]\nactive = \"true\"\n\n[rules.fields]\njob = \"x\"";
        assert_eq!(only_rules(whole), rules);
        assert_eq!(only_rules("active = \"true\""), "active = \"true\"");
    }
}
