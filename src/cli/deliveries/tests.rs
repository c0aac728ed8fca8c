//! The commands against a real store: what is printed, what is asked, how they end.

use std::sync::Mutex;
use std::time::Duration;

use clap::Parser as _;
use serde_json::Value;

use super::*;
use crate::config;
use crate::model::{Arrival, Attempt, DeliveryState, EmployeeId, Event, EventId, Fate, Lane};
use crate::model::{Link, SourceName};
use crate::store::sqlite::SqliteStore;
use crate::store::{Hold, LeaseRequest};

/// A store and what was printed last.
pub(in crate::cli) struct Office {
    pub store: Arc<dyn Store>,
    pub now: Timestamp,
    _folder: tempfile::TempDir,
}

/// What a command did.
#[derive(Debug)]
pub(in crate::cli) struct Printed {
    pub exit: Exit,
    pub out: String,
    pub notes: String,
    pub asked: Vec<String>,
}

/// What an attempt leaves behind.
pub(in crate::cli) struct Ending {
    pub state: DeliveryState,
    pub reason: Option<&'static str>,
    pub code: Option<&'static str>,
}

pub(in crate::cli) const DONE: Ending =
    Ending { state: DeliveryState::Done, reason: None, code: None };
pub(in crate::cli) const DEAD: Ending = Ending {
    state: DeliveryState::Dead,
    reason: Some("The LMS says mailAlreadyUsed: another account has this mail. Give it another."),
    code: Some("mailAlreadyUsed"),
};

impl Office {
    pub(in crate::cli) fn open() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let now = "2026-11-21T12:00:00Z".parse().expect("a time");
        let store = SqliteStore::open(&folder.path().join("instep.db"), Clock::manual(now));
        let store = Arc::new(store.expect("a store"));
        Self { store, now, _folder: folder }
    }

    /// Takes an event in, `ago` before now; says its delivery's id.
    pub(in crate::cli) async fn event(&self, number: u32, employee: &str, ago: Duration) -> String {
        let arrival = self.arrival(number, employee, ago);
        let delivery = arrival.delivery.as_str().to_owned();
        self.store.accept(arrival).await.expect("accepted");
        delivery
    }

    fn arrival(&self, number: u32, employee: &str, ago: Duration) -> Arrival {
        let event = Event {
            id: EventId::new(format!("event {number}")),
            source: SourceName::new("bob"),
            kind: "employee.updated".to_owned(),
            company: None,
            employee: Some(EmployeeId::new(employee)).filter(|id| !id.as_str().is_empty()),
            received_at: self.now - ago,
            raw: format!(r#"{{"number":{number},"data":"\u001b[31m"}}"#).into(),
        };
        let fate = match event.employee {
            Some(_) => Fate::Deliver(Lane::Live),
            None => Fate::Ignore("It names no employee.".to_owned()),
        };
        let made = event.received_at.as_millisecond();
        let (time, unit) = (made >> 16, made & 0xffff);
        let delivery = format!("{time:08x}-{unit:04x}-7000-8000-{number:012x}");
        Arrival { event, fate, delivery: DeliveryId::new(delivery) }
    }

    /// Ends all that waits.
    pub(in crate::cli) async fn settle(&self, ending: &Ending, link: Option<&Link>) {
        let request = LeaseRequest {
            source: &SourceName::new("bob"),
            persons: 100,
            lasting: Duration::from_secs(60),
            without: None,
        };
        for lease in self.store.lease(request).await.expect("leased") {
            let mut deliveries = lease.deliveries.clone();
            for delivery in &mut deliveries {
                delivery.state = ending.state;
                delivery.reason = ending.reason.map(str::to_owned);
                delivery.code = ending.code.map(str::to_owned);
                delivery.attempts += 1;
                delivery.remember(Attempt {
                    rules: "3f2a9c01".to_owned(),
                    at: self.now,
                    took_ms: 1234,
                    read: vec!["work.title".to_owned(), "root.email".to_owned()],
                    decided: "update job".to_owned(),
                    done: vec!["PATCH user".to_owned(), "GET user".to_owned()],
                    outcome: ending.state.word().to_owned(),
                });
            }
            self.store.settle(lease, deliveries, link.cloned()).await.expect("settled");
        }
    }

    /// Types a command; `answer` is what the person says, `None` when there is none.
    async fn types(&self, line: &str, answer: Option<bool>) -> Printed {
        #[derive(clap::Parser)]
        struct Line {
            #[command(flatten)]
            args: DeliveriesArgs,
        }
        let Ok(Line { args }) = Line::try_parse_from(line.split(' ')) else {
            panic!("cannot be parsed: {line}");
        };
        printed(answer, None, async |terminal| {
            let ours = config::EXAMPLE
                .replace("SERVICE-00000", "SERVICE-1")
                .replace("your-client-id", "an-id")
                .replace("000000000000000000000000", "507f1f77bcf86cd799439011");
            let settings = config::parse("x.toml".as_ref(), &ours, &|_| Some("x".into()));
            let settings = settings.expect("the example is right").settings;
            let desk = Desk::new(settings.into(), Arc::clone(&self.store), Clock::manual(self.now));
            act(args, &desk, self.store.as_ref(), self.now, terminal).await
        })
        .await
    }
}

/// Runs a command on a terminal of paper.
pub(in crate::cli) async fn printed(
    answer: Option<bool>,
    width: Option<usize>,
    command: impl AsyncFnOnce(&mut Terminal<'_>) -> anyhow::Result<Exit>,
) -> Printed {
    let (mut out, mut notes) = (Vec::new(), Vec::new());
    let asked = Mutex::new(Vec::new());
    let mut ask = |question: &str| {
        asked.lock().expect("one at a time").push(question.to_owned());
        Ok(answer)
    };
    let mut terminal = Terminal::new(&mut out, &mut notes, width, &mut ask);
    let exit = command(&mut terminal).await.expect("a store that works");
    let text =
        |bytes| anstream::adapter::strip_str(&String::from_utf8(bytes).expect("text")).to_string();
    let (out, notes) = (text(out), text(notes));
    Printed { exit, out, notes, asked: asked.into_inner().expect("no panic") }
}

const MINUTE: Duration = Duration::from_secs(60);

#[tokio::test]
async fn the_list_is_a_table_newest_first_that_fits() {
    let office = Office::open();
    let dead = office.event(1, "1001", 90 * MINUTE).await;
    office.settle(&DEAD, None).await;
    office.event(2, "", 80 * MINUTE).await;
    let waiting = office.event(3, "3332883894235038421", MINUTE).await;

    let printed = office.types("deliveries", None).await;
    assert_eq!(printed.exit, Exit::Done, "{printed:?}");
    let lines: Vec<&str> = printed.out.lines().collect();
    assert_eq!(lines.len(), 4, "{}", printed.out);
    assert!(lines[0].starts_with("id ") && lines[0].ends_with("reason"), "{}", lines[0]);
    assert!(lines[1].starts_with(&waiting) && lines[1].contains("bob/3332883894235038421"));
    assert!(lines[1].ends_with("due 2026-11-21 11:59:00"), "{}", lines[1]);
    assert!(lines[2].contains("ignored  -  ") && lines[2].contains("It names no employee."));
    assert!(lines[3].starts_with(&dead) && lines[3].contains("2026-11-21 10:30:00  dead"));

    let found = office.store.deliveries(&Filter::default(), 10).await.expect("deliveries");
    for width in [1, 20, 60, 80, 100, 120, 200] {
        let table = anstream::adapter::strip_str(&table::table(&found, Some(width))).to_string();
        for line in table.lines() {
            assert!(line.chars().count() <= width, "{width}: {line}");
        }
        assert!(width < 80 || table.contains("mailAlreadyUsed"), "{width}: {table}");
    }
}

#[tokio::test]
async fn the_list_is_narrowed_down_and_says_how_to_see_more() {
    let office = Office::open();
    office.event(1, "1001", 90 * MINUTE).await;
    office.settle(&DEAD, None).await;
    for number in 2..8 {
        office.event(number, "1002", MINUTE).await;
    }
    for (line, count) in [
        ("deliveries", 7),
        ("deliveries --state dead", 1),
        ("deliveries --code mailAlreadyUsed --kind employee.updated", 1),
        ("deliveries --person 1002", 6),
        ("deliveries --person bob/1001", 1),
        ("deliveries --source bob --since 1h", 6),
        ("deliveries --until 2026-11-21T11:00:00Z", 1),
        ("deliveries --limit 7", 7),
    ] {
        let printed = office.types(&format!("{line} --json"), None).await;
        assert_eq!(printed.exit, Exit::Done, "{line}: {printed:?}");
        let ids = printed.out.lines().map(|line| {
            serde_json::from_str::<Value>(line).expect("one object a line")["id"].to_string()
        });
        assert_eq!(ids.count(), count, "{line}");
        assert_eq!(printed.notes, "", "{line}");
    }
    let printed = office.types("deliveries --limit 3", None).await;
    assert_eq!(printed.out.lines().count(), 4);
    assert!(printed.notes.contains("--limit 12"), "{}", printed.notes);
    let printed = office.types("deliveries --person 9 --json", None).await;
    assert_eq!((printed.exit, printed.out.as_str()), (Exit::Nothing, ""));
    assert!(printed.notes.contains("No delivery fits"), "{}", printed.notes);
}

#[tokio::test]
async fn one_delivery_is_shown_with_its_attempts_and_what_to_do() {
    let office = Office::open();
    let id = office.event(1, "1001", MINUTE).await;
    office.settle(&DEAD, None).await;

    for asked in [id.as_str(), &id[..30], &id[..SHORTEST], &id.to_uppercase()] {
        let printed = office.types(&format!("deliveries show {asked}"), None).await;
        assert_eq!(printed.exit, Exit::Done, "{asked}: {printed:?}");
        for said in [
            id.as_str(),
            "dead",
            "employee.updated about bob/1001",
            "2026-11-21 11:59:00 UTC",
            "mailAlreadyUsed: another account",
            "work.title, root.email",
            "3f2a9c01",
            "update job",
            "PATCH user",
            "1234 ms",
            &format!("When the cause is gone: instep replay {id}"),
        ] {
            assert!(printed.out.contains(said), "{said} in\n{}", printed.out);
        }
        assert!(!printed.out.contains("number"), "no body without --raw:\n{}", printed.out);
    }
    let raw = office.types(&format!("deliveries show {id} --raw"), None).await;
    assert!(raw.out.ends_with("{\"number\":1,\"data\":\"\\u001b[31m\"}\n"), "{}", raw.out);
    let json = office.types(&format!("deliveries show {id} --json"), None).await;
    let json: Value = serde_json::from_str(&json.out).expect("one object");
    assert_eq!(json["delivery"]["id"], id);
    assert_eq!((&json["event"]["repeats"], &json["event"]["raw"]), (&0.into(), &Value::Null));

    for asked in ["00000000", "ffffffff", "0", "no-id", "../../etc"] {
        let printed = office.types(&format!("deliveries show {asked}"), None).await;
        assert_eq!((printed.exit, printed.out.as_str()), (Exit::Nothing, ""), "{asked}");
        assert!(printed.notes.contains("There is no delivery"), "{}", printed.notes);
    }
    office.event(2, "1001", MINUTE).await;
    let printed = office.types(&format!("deliveries show {}", &id[..SHORTEST]), None).await;
    assert!(printed.notes.contains("Several deliveries"), "{}", printed.notes);
}

#[tokio::test]
async fn what_waits_under_a_hold_names_the_hold() {
    let office = Office::open();
    let id = office.event(1, "1001", MINUTE).await;
    let reason = "HiBob refuses the service user".to_owned();
    let at = office.now;
    let hold = Hold {
        scope: "source bob".into(),
        reason,
        since: at,
        probe_at: at,
        probes: 1,
        refuses: false,
    };
    let before = office.types(&format!("deliveries show {id}"), None).await;
    assert!(before.out.contains("a worker takes it next"), "{}", before.out);
    office.store.hold(&hold).await.expect("held");
    let after = office.types(&format!("deliveries show {id}"), None).await;
    assert!(after.out.contains("source bob is on hold"), "{}", after.out);
}

#[tokio::test]
async fn discarding_counts_and_asks_first() {
    let office = Office::open();
    for number in 0..12 {
        office.event(number, &number.to_string(), 90 * MINUTE).await;
    }
    office.settle(&DEAD, None).await;
    let waits = office.event(20, "20", MINUTE).await;
    let dead = async || office.store.depth().await.expect("a depth").dead;
    let because = "--reason \u{201c}left\u{201d}";

    let no = office.types(&format!("deliveries discard --since 1d {because}"), Some(false)).await;
    let asked = vec!["Discard 12 dead letters? They are not done again.".to_owned()];
    assert_eq!((no.exit, no.asked), (Exit::Nothing, asked));
    let nobody = office.types(&format!("deliveries discard --since 1d {because}"), None).await;
    assert_eq!(nobody.exit, Exit::Usage);
    assert!(nobody.notes.contains("12 dead letters") && nobody.notes.contains("--yes"));
    for line in
        ["deliveries discard --reason x", &format!("deliveries discard {waits} --code y {because}")]
    {
        assert_eq!(office.types(line, Some(true)).await.exit, Exit::Usage, "{line}");
    }
    let waiting = office.types(&format!("deliveries discard {waits} {because}"), Some(true)).await;
    assert_eq!((waiting.exit, dead().await), (Exit::Nothing, 12), "{waiting:?}");

    let line = format!("deliveries discard --code mailAlreadyUsed --by ann {because}");
    let yes = office.types(&line, Some(true)).await;
    assert_eq!((yes.exit, dead().await), (Exit::Done, 0), "{yes:?}");
    assert!(yes.out.starts_with("12 dead letters are discarded"), "{yes:?}");
    let filter = Filter { employee: Some("3".to_owned()), ..Filter::default() };
    let discarded = &office.store.deliveries(&filter, 1).await.expect("deliveries")[0];
    assert_eq!(discarded.state, DeliveryState::Ignored);
    assert_eq!(discarded.history.len(), 1, "the history stays");
    let reason = discarded.reason.as_deref().unwrap_or_default();
    assert!(reason.contains("discarded by ann") && reason.contains("left"), "{reason}");
    let audit = office.store.audit(None, 10).await.expect("an audit log");
    assert_eq!((audit[0].verb.as_str(), audit[0].who.as_str()), ("discard", "ann"));
}

#[tokio::test]
async fn a_list_longer_than_a_page_is_complete() {
    let office = Office::open();
    let mut accepts = tokio::task::JoinSet::new();
    for number in 0..=1100 {
        let (store, arrival) = (Arc::clone(&office.store), office.arrival(number, "1", MINUTE));
        accepts.spawn(async move { store.accept(arrival).await.expect("accepted") });
    }
    accepts.join_all().await;
    let all = office.types("deliveries --limit 2000 --json", None).await;
    assert_eq!(all.out.lines().count(), 1101);
}
