//! Notes: each is written only by who knows what it said before.

use instep::store::LONGEST_NOTE;

use super::Fixture;

pub async fn a_note_is_written_by_who_knows_it(mut on: Fixture) {
    assert_eq!(on.store.note("rules").await.unwrap(), None);
    assert!(!on.store.put_note("rules", Some("one"), Some("two")).await.unwrap());
    assert!(!on.store.put_note("rules", Some(""), Some("two")).await.unwrap());
    assert_eq!(on.store.note("rules").await.unwrap(), None);
    assert!(on.store.put_note("rules", None, Some("one")).await.unwrap());
    assert!(!on.store.put_note("rules", None, Some("one")).await.unwrap(), "it is there");
    on.reopen().await;
    assert_eq!(on.store.note("rules").await.unwrap().as_deref(), Some("one"));
    assert_eq!(on.store.note("Rules").await.unwrap(), None);

    assert!(!on.store.put_note("rules", Some("two"), Some("three")).await.unwrap());
    assert!(on.store.put_note("rules", Some("one"), Some("one")).await.unwrap());
    assert!(on.store.put_note("rules", Some("one"), Some("two")).await.unwrap());
    assert!(!on.store.put_note("rules", Some("one"), None).await.unwrap());
    assert!(!on.store.put_note("rules", None, None).await.unwrap());
    assert_eq!(on.store.note("rules").await.unwrap().as_deref(), Some("two"));
    assert!(on.store.put_note("rules", Some("two"), None).await.unwrap());
    assert_eq!(on.store.note("rules").await.unwrap(), None);
    assert!(!on.store.put_note("rules", Some("two"), None).await.unwrap());
    assert!(on.store.put_note("rules", None, None).await.unwrap(), "it is not there");
}

pub async fn a_note_holds_any_text(on: Fixture) {
    let long = "ä".repeat(LONGEST_NOTE / 2);
    let texts = ["", "\0", "a\0b", "text", "Zoë \u{1F984}\r\n'\"", &long];
    for name in texts {
        let mut before = None;
        for text in texts {
            assert!(on.store.put_note(name, before, Some(text)).await.unwrap());
            assert_eq!(on.store.note(name).await.unwrap().as_deref(), Some(text));
            before = Some(text);
        }
    }
}

/// Eight count together, four of them in another process; no count is lost.
pub async fn of_many_who_try_one_succeeds(on: Fixture) {
    let other = (on.open_again)().await;
    let mut tasks = tokio::task::JoinSet::new();
    for n in 0..8 {
        let store = if n < 4 { other.clone() } else { on.store.clone() };
        tasks.spawn(async move {
            for _ in 0..25 {
                loop {
                    let before = store.note("count").await.unwrap();
                    let count: u32 = before.as_deref().map_or(0, |text| text.parse().unwrap());
                    let now = (count + 1).to_string();
                    if store.put_note("count", before.as_deref(), Some(&now)).await.unwrap() {
                        break;
                    }
                }
            }
        });
    }
    while let Some(task) = tasks.join_next().await {
        task.expect("no task fails");
    }
    assert_eq!(on.store.note("count").await.unwrap().as_deref(), Some("200"));
}

pub async fn notes_are_listed_by_the_beginning_of_their_names(on: Fixture) {
    for name in ["user:zoe", "user:ann", "users", "token:1", "user:", "user:\u{10fff0}"] {
        assert!(on.store.put_note(name, None, Some(&format!("of {name}"))).await.unwrap());
    }
    let of = |name: &str| (name.to_owned(), format!("of {name}"));
    let users = ["user:", "user:ann", "user:zoe", "user:\u{10fff0}"].map(of);
    assert_eq!(on.store.notes("user:").await.unwrap(), users);
    assert_eq!(on.store.notes("token:").await.unwrap(), [of("token:1")]);
    assert_eq!(on.store.notes("session:").await.unwrap(), []);
    assert_eq!(on.store.notes("").await.unwrap().len(), 6);
}
