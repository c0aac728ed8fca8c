//! The audit log: entries are kept, completed, listed and let go.

use std::time::Duration;

use instep::model::{Access, Actor, AuditEntry, AuditId, Via};
use instep::store::Retention;
use jiff::Timestamp;

use super::Fixture;

fn entry(about: &str, at: Timestamp) -> AuditEntry {
    let actor = Actor {
        name: "zoë".into(),
        access: Access::Operator,
        via: Via::Console,
        from: Some("192.0.2.7".into()),
    };
    AuditEntry::begun(&actor, "approve", about.into(), at)
}

pub async fn an_entry_is_kept_and_completed(mut on: Fixture) {
    assert_eq!(on.store.audit(None, 10).await.unwrap(), []);
    let begun = entry("run 1", on.clock.now());
    on.store.write_audit(&begun).await.unwrap();
    on.reopen().await;
    assert_eq!(on.store.audit(None, 10).await.unwrap(), std::slice::from_ref(&begun));
    let ended = AuditEntry { outcome: Some("1 person".into()), reason: Some("\0".into()), ..begun };
    on.store.write_audit(&ended).await.unwrap();
    assert_eq!(on.store.audit(None, 10).await.unwrap(), [ended]);
}

pub async fn entries_are_listed_newest_first_in_parts(on: Fixture) {
    let mut entries = Vec::new();
    for number in 0..1203 {
        // Their order is that of their ids, whatever their times say.
        let at = on.clock.now() - Duration::from_secs(number % 7);
        let id = AuditId::new(format!("id {number:05}"));
        entries.push(AuditEntry { id, ..entry(&number.to_string(), at) });
    }
    for entry in entries.iter().rev().step_by(2).chain(entries.iter().rev().skip(1).step_by(2)) {
        on.store.write_audit(entry).await.unwrap();
    }
    entries.reverse();
    assert_eq!(on.store.audit(None, 2000).await.unwrap(), entries);
    assert_eq!(on.store.audit(None, 3).await.unwrap(), entries[..3]);
    assert_eq!(on.store.audit(Some(&entries[2].id), 2).await.unwrap(), entries[3..5]);
    assert_eq!(on.store.audit(Some(&entries[1202].id), 2).await.unwrap(), []);
    assert_eq!(on.store.audit(None, 0).await.unwrap(), []);
}

pub async fn old_entries_go(on: Fixture) {
    let now = on.clock.now();
    let old = entry("old", now - Duration::from_secs(60));
    let young = entry("young", now);
    for entry in [&young, &old] {
        on.store.write_audit(entry).await.unwrap();
    }
    let long_ago = now - Duration::from_secs(3600);
    let all = Retention { events: long_ago, deliveries: long_ago, runs: long_ago, audit: now };
    assert_eq!(on.store.trim(all).await.unwrap(), 1);
    assert_eq!(on.store.trim(all).await.unwrap(), 0);
    assert_eq!(on.store.audit(None, 10).await.unwrap(), [young]);
}
