//! An invented run in which everything happened that a report can tell.

use std::collections::BTreeMap;

use instep::model::{
    AccountId, Blame, Certificate, ChangeKind, DeliveryId, Drift, EmployeeId, Item, ItemState,
    Miss, Run, RunId, RunKind, RunState, Slice, SliceState, SourceName,
};
use jiff::{Timestamp, ToSpan};

/// A run, its items, those before it and the values without a row.
pub struct Told {
    pub run: Run,
    pub items: Vec<Item>,
    pub before: Vec<Run>,
    pub misses: Vec<(Miss, u64)>,
}

fn at(text: &str) -> Timestamp {
    text.parse().expect("a time")
}

fn counted(pairs: &[(&str, u64)]) -> BTreeMap<String, u64> {
    pairs.iter().map(|(key, count)| ((*key).to_owned(), *count)).collect()
}

fn delivery(number: u64) -> DeliveryId {
    DeliveryId::new(format!("019a9f3e-4d00-7000-8000-{number:012x}"))
}

/// A run of an evening in which nothing was wrong.
pub fn quiet(id: &str, started_at: Timestamp) -> Run {
    Run {
        id: RunId::new(id),
        kind: RunKind::FullSync,
        paused_by: None,
        revision: 1,
        source: SourceName::new("bob"),
        asked_by: "the schedule".to_owned(),
        plan_only: false,
        started_at,
        ended_at: Some(started_at + 11.minutes() + 4.seconds()),
        state: RunState::Done,
        rules: "7c1e09".to_owned(),
        certificate: Certificate::default(),
        people: 1204,
        accounts: 1190,
        linked: 1150,
        in_step: 1100,
        changed: 0,
        failed: 0,
        deliveries: 0,
        fails: BTreeMap::new(),
        filtered: BTreeMap::new(),
        slices: Vec::new(),
        calls: BTreeMap::new(),
        waited_ms: BTreeMap::new(),
        approvals: Vec::new(),
        unconfirmed: None,
        remarks: Vec::new(),
    }
}

struct Items(Vec<Item>);

impl Items {
    fn add(&mut self, name: &str, kind: Option<ChangeKind>, drift: Vec<Drift>, state: ItemState) {
        let number = self.0.len() as u64 + 1;
        let orphan = drift.contains(&Drift::Orphan);
        let blame = match (orphan, kind, number % 6) {
            (true, ..) | (_, None, _) => None,
            (.., 0..=2) => Some(Blame::NoEvent),
            (.., 3) => Some(Blame::EditedByHand),
            (.., 4) => Some(Blame::Failed { delivery: delivery(900) }),
            _ => Some(Blame::Raced { delivery: delivery(901) }),
        };
        self.0.push(Item {
            number,
            employee: (!orphan).then(|| EmployeeId::new(format!("33328838941123{number:05}"))),
            name: name.to_owned(),
            account: (!drift.contains(&Drift::MissingAccount))
                .then(|| AccountId::new(format!("507f1f77bcf86cd7994{number:05x}"))),
            kind,
            drift,
            blame,
            state,
            again: Vec::new(),
        });
    }
}

fn field(name: &str, old: Option<&str>, new: Option<&str>) -> Drift {
    let owned = |text: &str| text.to_owned();
    Drift::Field { name: name.to_owned(), old: old.map(owned), new: new.map(owned) }
}

fn done(calls: &[&str]) -> ItemState {
    ItemState::Done { done: calls.iter().map(|call| (*call).to_owned()).collect() }
}

/// The rich run.
pub fn rich() -> Told {
    let started = at("2026-11-21T01:30:00Z");
    let mut items = Items(Vec::new());
    changed(&mut items);
    for number in 1..=43 {
        let name = format!("Leaver {number}");
        items.add(
            &name,
            Some(ChangeKind::Deactivate),
            vec![Drift::ShouldBeInactive],
            ItemState::Held,
        );
    }
    wrong(&mut items);

    let mut run = quiet("019aa3c1-7a40-7c11-9d0e-3b1f6a52c0aa", started);
    run.changed = 9;
    run.failed = 3;
    run.filtered = counted(&[("rules.in_scope", 88), ("rules.filters.no_contractors", 12)]);
    run.slices = vec![
        Slice {
            kind: ChangeKind::Deactivate,
            people: 43,
            limit: 23,
            state: SliceState::Held {
                reason: "43 deactivations are more than 2% of 1,150 linked people".to_owned(),
                until: started + 72.hours(),
            },
            common: vec![
                "41 of 43 have work.site = nothing".to_owned(),
                "43 of 43 are in the table departments as `Sales`".to_owned(),
            ],
        },
        Slice {
            kind: ChangeKind::Create,
            people: 2,
            limit: 50,
            state: SliceState::Free,
            common: Vec::new(),
        },
    ];
    run.calls =
        counted(&[("hibob searches", 13), ("360learning reads", 84), ("360learning writes", 17)]);
    run.waited_ms = counted(&[("hibob budget", 15_600), ("360learning", 820)]);
    run.remarks = vec!["Page 7 of the accounts came twice, and was counted once".to_owned()];
    let misses = [("departments", "Lisbon <Sales>", 14), ("departments", "=HYPERLINK(1)", 3)]
        .map(|(table, key, people)| {
            (Miss { table: table.to_owned(), keys: vec![key.to_owned()] }, people)
        })
        .to_vec();
    Told { run, items: items.0, before: month(started), misses }
}

fn changed(items: &mut Items) {
    use ChangeKind::{ChangeMail, Create, LeaveGroup, Reactivate, Update};

    let joined = |group: &str| Drift::NotInGroup { group: group.to_owned() };
    let drift = vec![Drift::MissingAccount, joined("Departments/Finance as learner")];
    items.add("Ada Lovelace", Some(Create), drift, done(&["create", "add to group"]));
    items.add("Grace Hopper", Some(Create), vec![Drift::MissingAccount], done(&["create"]));
    let drift = vec![field("job", Some("Analyst"), Some("Lead analyst"))];
    items.add("Jürgen <b>Groß</b>", Some(Update), drift, done(&["update job"]));
    let drift = vec![
        field("Cost centre", Some("4100"), Some("=cmd|' /C calc'!A0")),
        field("phone", Some("+49 30 123456"), None),
        Drift::Manager {
            old: Some(AccountId::new("507f1f77bcf86cd799400001")),
            new: Some(AccountId::new("507f1f77bcf86cd799400002")),
        },
    ];
    items.add("Mallory", Some(Update), drift, done(&["update Cost centre", "manager"]));
    let drift = vec![
        joined("Sites/Paris as learner"),
        Drift::InGroup { group: "Sites/London as learner".to_owned() },
    ];
    items.add("Chloé Dubois", Some(LeaveGroup), drift, done(&["join", "leave"]));
    let drift = vec![field("email", Some("old@norvane.example"), Some("new@norvane.example"))];
    items.add("Nils Ost", Some(ChangeMail), drift, done(&["change mail"]));
    items.add("Rosa Parks", Some(Reactivate), vec![Drift::ShouldBeActive], done(&["reactivate"]));
    for number in 1..=2 {
        let drift = vec![field("lang", Some("fr"), Some("en"))];
        items.add(&format!("Learner {number}"), Some(Update), drift, done(&["update lang"]));
    }
    let drift = vec![field("job", Some("Clerk"), Some("Analyst"))];
    items.add("Already Done", Some(Update), drift, done(&[]));
}

fn wrong(items: &mut Items) {
    use ChangeKind::{Create, Update};

    for number in 1..=2 {
        let state = ItemState::Failed {
            delivery: delivery(number),
            code: "mailAlreadyUsed".to_owned(),
            reason: "360Learning says that another account has this mail. Give one of the two \
                     another mail, then replay the delivery."
                .to_owned(),
        };
        let name = format!("Twin {number}");
        items.add(&name, Some(Create), vec![Drift::MissingAccount], state);
    }
    let state = ItemState::Failed {
        delivery: delivery(3),
        code: "customFieldInvalidValue".to_owned(),
        reason: "The custom field `Cost centre` does not allow this value. Add it to the field's \
                 values in 360Learning."
            .to_owned(),
    };
    let drift = vec![field("Cost centre", None, Some("9999"))];
    items.add("Ivan Petrov", Some(Update), drift, state);
    let drift = vec![Drift::Disputed {
        reason: "Two accounts could be theirs, by name and date".to_owned(),
    }];
    items.add("Anna Schmidt", None, drift, ItemState::Told);
    items.add("Old Trainer", None, vec![Drift::Orphan], ItemState::Told);
    items.add("Test Account", None, vec![Drift::Orphan], ItemState::Told);
}

/// 34 earlier nights.
fn month(until: Timestamp) -> Vec<Run> {
    let night = |back: i64| {
        let mut run = quiet(&format!("night {back}"), until - (24 * back).hours());
        run.changed = u64::try_from((back * 37) % 23 + 4).expect("positive");
        run.failed = u64::from(back % 9 == 0) * 2;
        if back == 12 {
            run.slices = vec![Slice {
                kind: ChangeKind::Deactivate,
                people: 31,
                limit: 23,
                state: SliceState::Approved {
                    by: "ann".to_owned(),
                    at: run.started_at,
                    people: 30,
                    until: None,
                    rest: None,
                },
                common: Vec::new(),
            }];
        }
        run
    };
    (1..=34).map(night).collect()
}
