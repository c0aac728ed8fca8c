//! Whether HR's answer about everyone was complete. Without that proof nobody is deactivated.
//!
//! Promises: an answer is never called complete when it broke off or showed nobody, when more of the
//! linked active people are missing than allowed, when clearly fewer people or fewer values came
//! than in the last complete run, or when a field by which rules decide came for nobody. Whoever
//! reads the sentences learns what was missing, in numbers, and what to do.

use std::collections::{BTreeMap, BTreeSet};

use crate::config::CertificateSettings;
use crate::model::words::{number, people};
use crate::model::{Certificate, ChangeKind, EmployeeId, Run, RunState, SliceState};

/// So many ids are named in a sentence.
const NAMED: usize = 5;

/// What HR showed of everyone.
#[derive(Clone, Debug, Default)]
pub struct Shown {
    /// Why the answer was not read to its end; `None` when it was.
    pub broken: Option<String>,
    /// Why the source is set aside, when it is.
    pub held: Option<String>,
    /// How many people there were.
    pub people: u64,
    /// Those who were listed more than once.
    pub doubled: BTreeSet<EmployeeId>,
    /// How many people had each field that the rules use, known to be empty included: only a field
    /// that is not in the record at all is missing. There is an entry for each such field.
    pub fields: BTreeMap<String, u64>,
    /// The fields by which rules decide who is in scope and who is active.
    pub deciding: BTreeSet<String>,
    /// How many people are linked to an account that is not deactivated.
    pub linked: u64,
    /// Those of them who were not shown.
    pub absent: BTreeSet<EmployeeId>,
}

/// Judges what HR showed. `history`: earlier runs of the same source, newest first.
pub fn judge(shown: &Shown, history: &[Run], settings: &CertificateSettings) -> Certificate {
    let mut missing = Vec::new();
    if let Some(why) = &shown.broken {
        missing.push(format!(
            "HR's answer was not read to its end: {}. The next run reads it anew.",
            why.trim_end_matches('.')
        ));
    }
    if let Some(why) = &shown.held {
        missing.push(format!(
            "The source is on hold: {}. What it shows is believed again when the hold ends.",
            why.trim_end_matches('.')
        ));
    }
    // Of an answer that broke off no number says anything.
    if shown.broken.is_none() {
        if shown.people == 0 {
            missing.push(
                "HR showed nobody at all. Look at \"Access data for\" in the permission group of \
                 the service user."
                    .to_owned(),
            );
        } else {
            let last = history.iter().find(|run| is_trusted(run));
            missing.extend(last.and_then(|last| too_few(shown, last, settings)));
            missing.extend(fields(shown, last, settings));
        }
        missing.extend(absent(shown, settings));
        missing.extend(doubled(shown, settings));
    }
    Certificate { missing, fields: shown.fields.clone() }
}

/// Whether later runs are measured by this one: it was complete, or a human let all of its
/// deactivations pass, who vouched for it.
fn is_trusted(run: &Run) -> bool {
    let ended =
        matches!(run.state, RunState::Applying | RunState::Done | RunState::Cancelled { .. });
    let vouched = run.slices.iter().any(|slice| {
        slice.kind == ChangeKind::Deactivate
            && matches!(&slice.state, SliceState::Approved { people, .. } if *people >= slice.people)
    });
    ended && run.people > 0 && (run.certificate.missing.is_empty() || vouched)
}

/// Whether `now` is less than so many percent of `before`.
fn is_below(now: u64, percent: u32, before: u64) -> bool {
    u128::from(now) * 100 < u128::from(before) * u128::from(percent)
}

fn too_few(shown: &Shown, last: &Run, settings: &CertificateSettings) -> Option<String> {
    is_below(shown.people, settings.people_percent, last.people).then(|| {
        format!(
            "HR showed {}, and {} on {}: that is less than {} %. HiBob shows leavers too, so \
             look at \"Access data for\" in the permission group of the service user. If so many \
             were really deleted, approve the deactivations of this run.",
            people(shown.people),
            number(last.people),
            last.started_at.strftime("%F"),
            settings.people_percent
        )
    })
}

fn fields(shown: &Shown, last: Option<&Run>, settings: &CertificateSettings) -> Vec<String> {
    let judge = |(field, &now): (&String, &u64)| {
        let before = last.and_then(|run| run.certificate.fields.get(field).copied()).unwrap_or(0);
        let remedy = "Look at what the permission group of the service user may view";
        // Where it came for everyone, people are missing and not the field.
        let fewer = now < shown.people
            && (is_below(now, settings.fields_percent, before) || (now == 0 && before > 0));
        if now == 0 && shown.deciding.contains(field) {
            Some(format!("{field} came for nobody, and rules decide by it. {remedy}."))
        } else if fewer {
            Some(format!(
                "{field} came for {} of {}, and for {} in the last complete run. \
                 {remedy}.",
                number(now),
                people(shown.people),
                number(before)
            ))
        } else {
            None
        }
    };
    shown.fields.iter().filter_map(judge).collect()
}

fn absent(shown: &Shown, settings: &CertificateSettings) -> Option<String> {
    let (absent, allowed) = (count(&shown.absent), settings.absent.of(shown.linked));
    (absent > allowed).then(|| {
        format!(
            "{absent} of {} with an active account were not shown ({}); {allowed} may be missing. \
             Look at \"Access data for\" in the permission group of the service user. If \
             they were really deleted, approve the deactivations of this run.",
            people(shown.linked),
            named(&shown.absent)
        )
    })
}

fn doubled(shown: &Shown, settings: &CertificateSettings) -> Option<String> {
    let (doubled, allowed) = (count(&shown.doubled), settings.absent.of(shown.linked));
    (doubled > allowed).then(|| {
        let were = if doubled == 1 { "was" } else { "were" };
        format!(
            "{} {were} listed more than once ({}); {allowed} may be. An answer that \
             repeats a part may lack another: if it stays so, ask HiBob's support.",
            people(doubled),
            named(&shown.doubled)
        )
    })
}

fn count(ids: &BTreeSet<EmployeeId>) -> u64 {
    u64::try_from(ids.len()).unwrap_or(u64::MAX)
}

fn named(ids: &BTreeSet<EmployeeId>) -> String {
    let mut named: Vec<&str> = ids.iter().take(NAMED).map(EmployeeId::as_str).collect();
    if ids.len() > NAMED {
        named.push("…");
    }
    named.join(", ")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::brake::tests::run;
    use super::*;
    use crate::config::Limit;
    use crate::model::Slice;

    const SETTINGS: CertificateSettings = CertificateSettings {
        people_percent: 90,
        fields_percent: 90,
        absent: Limit { percent: 5, least: 3, most: None },
    };

    fn ids(many: u64) -> BTreeSet<EmployeeId> {
        (0..many).map(|n| EmployeeId::new(n.to_string())).collect()
    }

    /// A complete answer about so many people, of whom 100 are linked.
    fn shown(people: u64) -> Shown {
        Shown {
            people,
            fields: [("work.site".to_owned(), people), ("root.email".to_owned(), people)].into(),
            deciding: ["work.site".to_owned()].into(),
            linked: 100,
            ..Shown::default()
        }
    }

    /// A complete run that saw so many people.
    fn complete(people: u64) -> Run {
        let certificate = Certificate { missing: Vec::new(), fields: shown(people).fields };
        Run { certificate, people, ..run() }
    }

    fn missing(shown: &Shown, history: &[Run]) -> Vec<String> {
        judge(shown, history, &SETTINGS).missing
    }

    #[track_caller]
    fn only(shown: &Shown, history: &[Run], words: &str) {
        let missing = missing(shown, history);
        assert!(missing.len() == 1 && missing[0].contains(words), "{words}: {missing:#?}");
    }

    #[test]
    fn a_whole_answer_is_complete_with_and_without_a_history() {
        let whole = judge(&shown(1000), &[], &SETTINGS);
        assert_eq!(whole.missing, [""; 0]);
        assert_eq!(whole.fields["work.site"], 1000);
        for people in [900, 1000, 5000] {
            assert_eq!(missing(&shown(people), &[complete(1000)]), [""; 0], "{people}");
        }
    }

    #[test]
    fn an_answer_that_broke_off_or_is_empty_or_comes_from_a_held_source_is_none() {
        let broken = Shown { broken: Some("it breaks off (line 1).".into()), ..shown(1000) };
        only(&broken, &[], "not read to its end: it breaks off (line 1). The next");
        only(&Shown { linked: 0, ..shown(0) }, &[], "nobody at all");
        let held = Shown { held: Some("401".into()), ..shown(1000) };
        only(&held, &[complete(1000)], "on hold: 401.");
    }

    #[test]
    fn clearly_fewer_people_than_before_are_not_everyone() {
        only(&shown(899), &[complete(1000)], "HR showed 899 people, and 1,000 on 2026-03-02");
        let failed = Run { state: RunState::Failed { reason: String::new() }, ..complete(5000) };
        let begun = Run { state: RunState::Comparing, ..complete(5000) };
        let doubtful = Run {
            certificate: Certificate { missing: vec!["half".into()], ..Certificate::default() },
            ..complete(5)
        };
        // Runs that prove nothing are passed over.
        let history = [failed, begun, doubtful, complete(1000), complete(9000)];
        assert_eq!(missing(&shown(950), &history), [""; 0]);
        only(&shown(10), &history, "and 1,000 on");
    }

    #[test]
    fn a_human_who_approved_all_deactivations_vouches_for_the_run() {
        let approved = |people| {
            let at = "2026-03-02T08:00:00Z".parse().unwrap();
            let mut run = complete(500);
            run.certificate.missing = vec!["HR showed 500 people, and 1000 before".into()];
            run.slices = vec![Slice {
                kind: ChangeKind::Deactivate,
                people: 8,
                limit: 5,
                state: SliceState::Approved {
                    by: "ann".into(),
                    at,
                    people,
                    until: None,
                    rest: None,
                },
                common: Vec::new(),
            }];
            run
        };
        assert_eq!(missing(&shown(500), &[approved(8), complete(1000)]), [""; 0]);
        only(&shown(500), &[approved(7), complete(1000)], "500 people, and 1,000");
    }

    #[test]
    fn linked_people_who_are_not_shown_are_allowed_up_to_a_share() {
        assert_eq!(missing(&Shown { absent: ids(5), ..shown(1000) }, &[]), [""; 0]);
        let absent = Shown { absent: ids(6), ..shown(1000) };
        only(
            &absent,
            &[],
            "6 of 100 people with an active account were not shown (0, 1, 2, 3, 4, …); 5",
        );
        let few = |absent| Shown { linked: 10, absent: ids(absent), ..shown(10) };
        assert_eq!(missing(&few(3), &[]), [""; 0]);
        only(&few(4), &[], "3 may be missing");
        only(&Shown { doubled: ids(6), ..shown(1000) }, &[], "6 people were listed more than once");
    }

    #[test]
    fn a_field_that_comes_for_nobody_or_for_far_fewer_is_told_with_numbers() {
        let having = |field: &str, count| {
            let mut shown = shown(1000);
            shown.fields.insert(field.to_owned(), count);
            shown
        };
        // Rules decide by the site: it must come, whatever was before.
        only(&having("work.site", 0), &[], "work.site came for nobody, and rules decide by it");
        assert_eq!(missing(&having("root.email", 0), &[]), [""; 0]);
        let before = [complete(1000)];
        only(
            &having("root.email", 0),
            &before,
            "root.email came for 0 of 1,000 people, and for 1,000",
        );
        only(&having("root.email", 899), &before, "root.email came for 899");
        assert_eq!(missing(&having("root.email", 900), &before), [""; 0]);
        // A field that the rules use since today.
        assert_eq!(missing(&having("work.title", 0), &before), [""; 0]);
        // From many to none is never complete, however the share is set.
        let lenient = CertificateSettings { fields_percent: 0, people_percent: 0, ..SETTINGS };
        assert_eq!(judge(&having("root.email", 0), &before, &lenient).missing.len(), 1);
    }

    proptest! {
        #[test]
        fn no_answer_is_complete_that_lacks_more_linked_people_than_allowed(
            people in 0..5000_u64,
            linked in 0..500_u64,
            absent in 0..200_u64,
            before in prop::option::of(0..5000_u64),
            percent in 0..=20_u32,
            least in 0..10_u32,
        ) {
            let settings = CertificateSettings {
                absent: Limit { percent, least, most: None }, ..SETTINGS
            };
            let shown = Shown { linked, absent: ids(absent), ..shown(people) };
            let history: Vec<Run> = before.map(complete).into_iter().collect();
            let judged = judge(&shown, &history, &settings).missing;
            let allowed = (linked * u64::from(percent) / 100).max(least.into());
            if absent > allowed || people == 0 || before.is_some_and(|before| people * 10 < before * 9) {
                prop_assert!(!judged.is_empty());
            } else {
                prop_assert!(judged.is_empty(), "{:?}", judged);
            }
        }
    }
}
