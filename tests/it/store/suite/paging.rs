//! Pages of what a run has read: kept while it compares, and not longer.

use instep::model::{Page, Run, RunId};
use instep::store::{Retention, StoreError};

use super::runs::run;
use super::{Fixture, bob};

fn page(on: &Fixture, number: u64, rows: &str) -> Page {
    let next = (number < 3).then(|| format!("https://lms.example/users?next={number}"));
    Page { number, list: "accounts".into(), read_at: on.clock.now(), rows: rows.into(), next }
}

async fn begun(on: &Fixture) -> Run {
    let run = run(on, RunId::fresh(), bob());
    assert!(on.store.save_run(&run).await.unwrap());
    run
}

async fn save(on: &Fixture, run: &Run, page: &Page) {
    on.store.save_page(&run.id, page).await.unwrap();
}

async fn refused(on: &Fixture, id: &RunId) {
    let refused = on.store.save_page(id, &page(on, 1, "")).await.unwrap_err();
    assert!(matches!(&refused, StoreError::NoRun(run) if run == id), "{refused:?}");
}

pub async fn pages_come_back_up_to_the_first_gap(mut on: Fixture) {
    let (run, other) = (begun(&on).await, begun(&on).await);
    assert_eq!(on.store.pages(&run.id, 0, 10).await.unwrap(), []);
    let long = "x".repeat(300_000);
    let all = [page(&on, 1, ""), page(&on, 2, "a\0b Zoë \u{1F984}"), page(&on, 3, &long)];
    for one in &all {
        save(&on, &run, one).await;
    }
    save(&on, &run, &page(&on, 5, "behind a gap")).await;
    save(&on, &other, &page(&on, 1, "another run's")).await;
    on.reopen().await;
    assert_eq!(on.store.pages(&run.id, 0, 10).await.unwrap(), all);
    assert_eq!(on.store.pages(&run.id, 0, 2).await.unwrap(), all[..2]);
    assert_eq!(on.store.pages(&run.id, 1, 10).await.unwrap(), all[1..]);
    assert_eq!(on.store.pages(&run.id, 3, 10).await.unwrap(), []);
    save(&on, &run, &page(&on, 1, "anew")).await;
    assert_eq!(on.store.pages(&run.id, 0, 1).await.unwrap(), [page(&on, 1, "anew")]);

    let many = begun(&on).await;
    for number in 1..=50 {
        save(&on, &many, &page(&on, number, "")).await;
    }
    assert_eq!(on.store.pages(&many.id, 0, 100).await.unwrap().len(), 50);
}

pub async fn pages_go_with_their_run(on: Fixture) {
    refused(&on, &RunId::fresh()).await;
    let (done, ended, kept) = (begun(&on).await, begun(&on).await, begun(&on).await);
    for run in [&done, &ended, &kept] {
        save(&on, run, &page(&on, 1, "")).await;
    }
    on.store.drop_pages(&done.id).await.unwrap();
    on.store.drop_pages(&done.id).await.unwrap();
    assert_eq!(on.store.pages(&done.id, 0, 10).await.unwrap(), []);

    let over = Run { revision: 2, ended_at: Some(on.clock.now()), ..ended.clone() };
    assert!(on.store.save_run(&over).await.unwrap());
    refused(&on, &ended.id).await;
    on.pass(10);
    let now = on.clock.now();
    let retention = Retention { events: now, deliveries: now, runs: now, audit: now };
    on.store.trim(retention).await.unwrap();
    assert_eq!(on.store.run(&ended.id).await.unwrap(), None);
    assert_eq!(on.store.pages(&ended.id, 0, 10).await.unwrap(), []);
    assert_eq!(on.store.pages(&kept.id, 0, 10).await.unwrap().len(), 1);
}
