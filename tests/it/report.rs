//! A run told to people, in each shape. The whole texts stand in tests/golden/report; after a change
//! that is meant, `GOLDEN=write cargo test --test it report::` writes them anew.

pub mod company;

use std::path::Path;

use company::{Told, quiet, rich};
use instep::model::{
    Blame, ChangeKind, Drift, ItemState, Personal, Rejection, Run, RunState, SliceState,
};
use instep::report::{Report, Screen, attachments, html, items, json, terminal};
use jiff::tz::TimeZone;

const PLAIN: Screen = Screen { width: None, color: false };

impl Told {
    fn report(&self, personal: Personal) -> Report<'_> {
        Report {
            run: &self.run,
            items: &self.items,
            before: &self.before,
            misses: &self.misses,
            personal,
            zone: TimeZone::get("Europe/Berlin").expect("it is known"),
            link: None,
        }
    }

    /// A run in which nothing had to be done.
    fn nothing() -> Self {
        let started = "2026-11-21T01:30:00Z".parse().expect("a time");
        let run = Run { in_step: 1150, ..quiet("019aa3c1-7a40", started) };
        Self { run, items: Vec::new(), before: Vec::new(), misses: Vec::new() }
    }

    /// The same comparison, but nothing was done.
    fn planned(mut self) -> Self {
        self.run.plan_only = true;
        self.run.certificate.missing =
            vec!["work.site was read for 612 of 1,204 people".to_owned()];
        for item in &mut self.items {
            if item.state != ItemState::Held {
                item.state = ItemState::Told;
            }
        }
        self
    }
}

/// Compares with what was looked at and found right.
#[track_caller]
fn golden(name: &str, found: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/report").join(name);
    if std::env::var_os("GOLDEN").is_some_and(|value| value == "write") {
        std::fs::write(&path, found).expect("the golden file");
    }
    let wanted = std::fs::read_to_string(&path).expect("the golden file");
    if let Some((line, (found, wanted))) =
        found.lines().zip(wanted.lines()).enumerate().find(|(_, (found, wanted))| found != wanted)
    {
        panic!("{name}:{}:\nfound  {found}\nwanted {wanted}", line + 1);
    }
    assert_eq!(found.len(), wanted.len(), "{name} has another end");
}

#[test]
fn the_terminal_tells_everything() {
    let told = rich();
    golden("terminal.txt", &terminal(&told.report(Personal::Values), PLAIN));
    let narrow = Screen { width: Some(72), color: true };
    let text = terminal(&told.report(Personal::Names), narrow);
    golden("terminal-narrow.txt", &text);
    for line in text.lines().filter(|line| !line.contains("$ ")) {
        let bare = strip(line);
        assert!(bare.chars().count() <= 72, "{bare}");
    }
    golden("plan.txt", &terminal(&rich().planned().report(Personal::None), PLAIN));
    golden("nothing.txt", &terminal(&Told::nothing().report(Personal::None), PLAIN));
}

/// Without colours.
fn strip(line: &str) -> String {
    let mut parts = line.split('\u{1b}');
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |text, part| text + part.split_once('m').map_or("", |(_, rest)| rest))
}

#[test]
fn the_items_are_told_step_by_step() {
    golden("items.txt", &items(&rich().report(Personal::Values), PLAIN));
}

#[test]
fn the_mail_is_as_it_was_looked_at() {
    golden("mail.html", &html(&rich().report(Personal::Names)));
    golden("mail-nothing.html", &html(&Told::nothing().report(Personal::None)));
}

#[test]
fn the_mail_needs_nothing_from_elsewhere_and_runs_nothing() {
    let mut told = rich();
    told.items[0].name = "<script>alert(1)</script>\" onload=\"x".to_owned();
    told.run.remarks.push("<img src=x onerror=alert(1)>".to_owned());
    let mail = html(&told.report(Personal::Values));
    for forbidden in ["<script", "<img", "<link", "<svg", "url(", " onload=\"", "@import"] {
        assert!(!mail.contains(forbidden), "{forbidden}");
    }
    assert!(!mail.contains("http://") || mail.matches("http://").count() == 1, "the name space");
    assert!(mail.contains("&#60;script&#62;"), "names are escaped");
}

#[test]
fn a_mail_about_thousands_is_not_cut_off() {
    let mut told = rich();
    let held = told.items.iter().find(|item| item.state == ItemState::Held).expect("one").clone();
    let all = told.items.clone();
    for item in all.iter().cycle().take(4000).chain(std::iter::repeat_n(&held, 4000)) {
        told.items.push(item.clone());
    }
    for kind in ChangeKind::ALL {
        let slice = instep::model::Slice { kind, ..told.run.slices[0].clone() };
        told.run.slices.push(slice);
    }
    let mail = html(&told.report(Personal::Values));
    assert!(mail.len() < 95_000, "Gmail cuts off at 102 kB, this has {}", mail.len());
}

#[test]
fn spreadsheets_hold_every_row() {
    let told = rich();
    let files = attachments(&told.report(Personal::Values));
    let names: Vec<&str> = files.iter().map(|file| file.name).collect();
    let all =
        ["changed.csv", "held.csv", "failed.csv", "disputed.csv", "orphans.csv", "unmapped.csv"];
    assert_eq!(names, all);
    for file in &files {
        golden(file.name, &file.content);
        assert!(file.content.starts_with('\u{feff}'));
        assert_eq!(file.content.matches('\n').count(), file.content.matches("\r\n").count());
    }
    let held = files.iter().find(|file| file.name == "held.csv").expect("held");
    assert_eq!(held.content.lines().count(), 1 + 43);
    assert!(attachments(&Told::nothing().report(Personal::Values)).is_empty());
}

/// Every shape as one text.
fn everything(report: &Report<'_>) -> String {
    let mut text = terminal(report, PLAIN) + &items(report, PLAIN) + &html(report);
    text += &json(report).to_string();
    for file in attachments(report) {
        text += &file.content;
    }
    text
}

#[test]
fn no_shape_tells_more_of_people_than_it_may() {
    let told = rich();
    let names = ["Lovelace", "Chlo", "Anna Schmidt", "Leaver", "Old Trainer"];
    let values = [
        "Lead analyst",
        "norvane.example",
        "4100",
        "+49 30",
        "Departments/Finance",
        "Lisbon",
        "799400002",
    ];
    let none = everything(&told.report(Personal::None));
    let with_names = everything(&told.report(Personal::Names));
    let all = everything(&told.report(Personal::Values));
    for name in names {
        assert!(!none.contains(name), "{name}");
        assert!(with_names.contains(name) && all.contains(name), "{name}");
    }
    for value in values {
        assert!(!none.contains(value) && !with_names.contains(value), "{value}");
        assert!(all.contains(value), "{value}");
    }
    assert!(none.contains("bob/3332883894112300001"), "who it is can be looked up");
}

#[test]
fn a_program_reads_the_same() {
    let told = rich();
    let document = json(&told.report(Personal::Values));
    assert_eq!(document["run"]["id"], told.run.id.as_str());
    assert_eq!(document["items"].as_array().map(Vec::len), Some(told.items.len()));
    assert_eq!(document["items"][2]["drift"][0]["field"]["new"], "Lead analyst");
    assert_eq!(document["unmapped"][0]["people"], 14);
    assert_eq!(document["personal"], "values");
    let read: Run = serde_json::from_value(document["run"].clone()).expect("as it is stored");
    assert_eq!(read, told.run);
}

#[test]
fn the_verdict_says_the_gravest_thing_first() {
    let verdict = |change: fn(&mut Told)| {
        let mut told = rich();
        change(&mut told);
        told.report(Personal::None).verdict()
    };
    let whole = "43 deactivations held, 3 people failed, 9 people changed, 1 person disputed.";
    assert_eq!(verdict(|_| ()), whole);
    assert_eq!(
        verdict(|told| told.run.state = RunState::Failed { reason: "HR was away.".to_owned() }),
        "Not carried through: HR was away. 9 people changed before."
    );
    assert_eq!(
        verdict(|told| told.run.state = RunState::Cancelled { by: "ann".to_owned() }),
        "Stopped by ann. 9 people changed before that, 43 not, 3 people failed."
    );
    let clean = |told: &mut Told| {
        told.items.retain(|item| matches!(item.state, ItemState::Done { .. }));
        told.run.slices.clear();
    };
    let mut told = rich();
    clean(&mut told);
    assert_eq!(
        told.report(Personal::None).verdict(),
        "9 people changed, all 1,110 people in step."
    );
    assert!(told.report(Personal::None).is_news());
    let nothing = Told::nothing();
    let report = nothing.report(Personal::None);
    assert_eq!(report.verdict(), "Nothing had to change, all 1,150 people in step.");
    assert!(!report.is_news());
    assert_eq!(
        verdict(|told| *told = rich().planned()),
        "56 people would change, of these 43 deactivations would be held, HR's answer was not complete, 1 \
         person disputed."
    );
}

#[test]
fn each_end_of_a_slice_is_told() {
    let at = "2026-11-22T08:00:00Z".parse().expect("a time");
    let ends = [
        (
            SliceState::Approved { by: "ann".to_owned(), at, people: 12, until: None, rest: None },
            "43 deactivations held, 12 approved",
            "ann approved it on Sun 22 Nov 2026, 09:00.",
        ),
        (
            SliceState::Approved { by: "ann".into(), at, people: 12, until: Some(at), rest: None },
            "43 deactivations held, 12 approved",
            "The others stay as they are; by Sun 22 Nov 2026, 09:00 they expire.",
        ),
        (
            SliceState::Rejected(Rejection { by: "ann".into(), at, reason: "wrong site".into() }),
            "43 deactivations held, then rejected",
            "ann rejected it on Sun 22 Nov 2026, 09:00: wrong site.",
        ),
        (SliceState::Expired, "43 deactivations held, then expired", "Nobody approved it in time"),
    ];
    for (state, title, sentence) in ends {
        let mut told = rich();
        told.run.slices[0].state = state;
        let text = terminal(&told.report(Personal::None), PLAIN);
        assert!(text.contains(title) && text.contains(sentence), "{text}");
        assert!(!text.contains("runs approve"), "{text}");
    }
}

#[test]
fn each_cause_has_its_words() {
    let delivery = instep::model::DeliveryId::new("d");
    let causes = [
        Blame::NoEvent,
        Blame::Filtered { delivery: delivery.clone() },
        Blame::Failed { delivery: delivery.clone() },
        Blame::Due { delivery: delivery.clone() },
        Blame::Raced { delivery },
        Blame::EditedByHand,
        Blame::New,
    ];
    let mut told = rich();
    let one = told.items[2].clone();
    told.items = causes
        .into_iter()
        .map(|blame| {
            let drift = vec![Drift::ShouldBeActive];
            instep::model::Item { blame: Some(blame), drift, ..one.clone() }
        })
        .collect();
    let text = terminal(&told.report(Personal::None), PLAIN);
    let table = text.split("Why they were out of step").nth(1).expect("the section");
    assert_eq!(
        table.lines().skip(2).take(7).filter(|line| line.ends_with(" 1")).count(),
        7,
        "{text}"
    );
}
