//! The brake: judges a run's whole plan, kind by kind, before the first write.
//!
//! Promises: no slice goes on by itself that holds more people than its limit; without a
//! certificate nobody is deactivated by a run; a slice that is held stops no other. The limits and
//! the reasons for them stand in the example configuration.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};

use crate::config::{BrakeSettings, Limit};
use crate::model::{Certificate, ChangeKind, Run, RunState, Slice, SliceState};

/// A suggestion needs the experience of so many runs.
const EXPERIENCE: usize = 5;

/// Judges a plan: how many people stand in the slice of each kind, of so many who are linked to an
/// account. A slice without people is left out. What the people of a held slice have in common is
/// for the caller to fill in.
pub fn judge(
    plan: &BTreeMap<ChangeKind, u64>,
    linked: u64,
    certificate: &Certificate,
    settings: &BrakeSettings,
    now: Timestamp,
) -> Vec<Slice> {
    let until = SignedDuration::try_from(settings.approval)
        .ok()
        .and_then(|approval| now.checked_add(approval).ok())
        .unwrap_or(Timestamp::MAX);
    let slice = |kind: ChangeKind| {
        let people = plan.get(&kind).copied().filter(|people| *people > 0)?;
        // Without a limit nothing goes on by itself.
        let set = settings.limits.get(&kind).copied();
        let set = set.unwrap_or(Limit { percent: 0, least: 0, most: Some(0) });
        let limit = set.of(linked);
        let mut reasons = Vec::new();
        if kind == ChangeKind::Deactivate {
            reasons.extend(certificate.missing.iter().cloned());
        }
        if people > limit {
            reasons.push(format!(
                "{} would {}, and the brake lets {limit} pass ({}).",
                persons(people),
                phrase(kind),
                set.words(linked)
            ));
        }
        let state = if reasons.is_empty() {
            SliceState::Free
        } else {
            SliceState::Held { reason: reasons.join(" "), until }
        };
        Some(Slice { kind, people, limit, state, common: Vec::new() })
    };
    ChangeKind::ALL.into_iter().filter_map(slice).collect()
}

/// How many deactivations may be made in any hour, on whatever occasion.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hourly {
    /// In any hour, never more than this.
    pub most: u32,
    /// So many of them at once; the others are spread over the hour.
    pub at_once: u32,
}

/// The limit of deactivations in any hour when so many people are linked.
pub fn hourly(settings: &BrakeSettings, linked: u64) -> Hourly {
    let most = u32::try_from(settings.per_hour.of(linked)).unwrap_or(u32::MAX);
    // Most of them at once: a company's leavers of one day often end at the same midnight.
    Hourly { most, at_once: most - most / 5 }
}

/// Limits that fit this company, from its own history: twice the largest normal day of each kind.
/// A day is normal when the brake let it pass or a human approved all of it. Nothing while there are
/// too few runs to judge by.
pub fn suggest(history: &[Run], settings: &BrakeSettings) -> Vec<String> {
    let normal = |run: &&Run| !run.plan_only && run.state == RunState::Done && run.linked > 0;
    let runs: Vec<&Run> = history.iter().filter(normal).collect();
    if runs.len() < EXPERIENCE {
        return Vec::new();
    }
    let linked = runs.iter().map(|run| run.linked).max().unwrap_or_default();
    let suggest = |kind: ChangeKind| {
        let largest = runs.iter().filter_map(|run| passed(run, kind)).max()?;
        let present = settings.limits.get(&kind)?;
        let twice = largest.saturating_mul(2).max(present.least.into());
        let percent = u128::from(twice).saturating_mul(100).div_ceil(linked.into()).min(100);
        let verdict = match (twice, present.of(linked)) {
            (twice, now) if twice == now => return None,
            (twice, now) if twice < now => format!("instead of {now}"),
            (_, now) => format!("instead of {now}, which may hold a normal day"),
        };
        Some(format!(
            "{kind}: the largest normal day of {} runs was {}. `{kind} = {{ percent = {percent}, \
             least = {}, most = {twice} }}` would let {twice} pass, {verdict}.",
            runs.len(),
            persons(largest),
            present.least,
            kind = kind.word(),
        ))
    };
    ChangeKind::ALL.into_iter().filter_map(suggest).collect()
}

/// How many people of a kind a run let pass as normal; `None` when a human had doubts.
fn passed(run: &Run, kind: ChangeKind) -> Option<u64> {
    let Some(slice) = run.slices.iter().find(|slice| slice.kind == kind) else { return Some(0) };
    match &slice.state {
        SliceState::Free => Some(slice.people),
        SliceState::Approved { people, .. } if *people >= slice.people => Some(slice.people),
        _ => None,
    }
}

fn persons(many: u64) -> String {
    if many == 1 { "1 person".to_owned() } else { format!("{many} people") }
}

fn phrase(kind: ChangeKind) -> &'static str {
    match kind {
        ChangeKind::Deactivate => "be deactivated",
        ChangeKind::Create => "get a new account",
        ChangeKind::Reactivate => "be brought back",
        ChangeKind::ChangeMail => "get another mail",
        ChangeKind::LeaveGroup => "be removed from a group",
        ChangeKind::Update => "be changed",
    }
}

#[cfg(test)]
pub(super) mod tests {
    use std::time::Duration;

    use proptest::prelude::*;

    use super::*;
    use crate::model::{RunId, SourceName};

    /// A run that saw nobody and did nothing.
    pub fn run() -> Run {
        let begun = "2026-03-02T02:30:00Z".parse().unwrap();
        let run = Run::begun(RunId::new("1"), SourceName::new("bob"), "the schedule", begun);
        Run { state: RunState::Done, ..run }
    }

    fn settings() -> BrakeSettings {
        let limit = |percent, least| Limit { percent, least, most: None };
        BrakeSettings {
            limits: ChangeKind::ALL.map(|kind| (kind, limit(10, 20))).into(),
            per_hour: limit(2, 10),
            approval: Duration::from_secs(72 * 3600),
        }
    }

    fn now() -> Timestamp {
        "2026-03-02T02:30:00Z".parse().unwrap()
    }

    fn whole() -> Certificate {
        Certificate::default()
    }

    #[test]
    fn a_tripped_brake_holds_its_own_slice_only() {
        let plan = [
            (ChangeKind::Update, 100),
            (ChangeKind::Create, 101),
            (ChangeKind::Deactivate, 1),
            (ChangeKind::LeaveGroup, 0),
        ];
        let slices = judge(&plan.into(), 1000, &whole(), &settings(), now());
        let kinds: Vec<ChangeKind> = slices.iter().map(|slice| slice.kind).collect();
        assert_eq!(kinds, [ChangeKind::Deactivate, ChangeKind::Create, ChangeKind::Update]);
        assert_eq!((&slices[0].state, &slices[2].state), (&SliceState::Free, &SliceState::Free));
        assert_eq!((slices[1].people, slices[1].limit), (101, 100));
        let SliceState::Held { reason, until } = &slices[1].state else { panic!("it is held") };
        assert_eq!(
            reason,
            "101 people would get a new account, and the brake lets 100 pass (10 % of the 1000 \
             linked people, 20 at least)."
        );
        assert_eq!(until.to_string(), "2026-03-05T02:30:00Z");
    }

    #[test]
    fn without_a_certificate_nobody_is_deactivated() {
        let doubt = Certificate { missing: vec!["HR showed half.".into()], ..whole() };
        let plan = [(ChangeKind::Deactivate, 1), (ChangeKind::Create, 1)].into();
        let slices = judge(&plan, 1000, &doubt, &settings(), now());
        assert!(
            matches!(&slices[0].state, SliceState::Held { reason, .. } if reason == "HR showed half.")
        );
        assert_eq!(slices[1].state, SliceState::Free);
        let plan = [(ChangeKind::Deactivate, 500)].into();
        let slices = judge(&plan, 1000, &doubt, &settings(), now());
        assert!(matches!(&slices[0].state, SliceState::Held { reason, .. }
            if reason.starts_with("HR showed half. 500 people would be deactivated")));
    }

    #[test]
    fn a_kind_without_a_limit_is_held() {
        let none = BrakeSettings { limits: BTreeMap::new(), ..settings() };
        let slices = judge(&[(ChangeKind::Update, 1)].into(), 1000, &whole(), &none, now());
        assert!(matches!(slices[0].state, SliceState::Held { .. }));
    }

    #[test]
    fn the_hour_has_a_limit_of_its_own() {
        let of = |linked| hourly(&settings(), linked);
        assert_eq!(of(0), Hourly { most: 10, at_once: 8 });
        assert_eq!(of(100_000), Hourly { most: 2000, at_once: 1600 });
        assert_eq!(of(u64::MAX).most, u32::MAX);
    }

    #[test]
    fn limits_are_suggested_from_normal_days() {
        let day = |kind, people, state| Run {
            linked: 1000,
            slices: vec![Slice { kind, people, limit: 0, state, common: Vec::new() }],
            ..run()
        };
        let held = || SliceState::Held { reason: String::new(), until: now() };
        let approved = |people| SliceState::Approved {
            by: "ann".into(),
            at: now(),
            people,
            until: None,
            rest: None,
        };
        let mut runs = vec![
            day(ChangeKind::Create, 4, SliceState::Free),
            day(ChangeKind::Create, 150, approved(150)),
            day(ChangeKind::Create, 900, approved(10)),
            day(ChangeKind::Create, 900, held()),
        ];
        assert!(suggest(&runs, &settings()).is_empty(), "four runs are no history");
        runs.push(Run { plan_only: true, ..day(ChangeKind::Create, 999, SliceState::Free) });
        assert!(suggest(&runs, &settings()).is_empty(), "nor is a plan");
        runs.push(day(ChangeKind::Update, 9, SliceState::Free));
        let said = suggest(&runs, &settings());
        assert_eq!(
            said[1],
            "create: the largest normal day of 5 runs was 150 people. `create = { percent = 30, \
             least = 20, most = 300 }` would let 300 pass, instead of 100, which may hold a normal \
             day."
        );
        assert_eq!(
            said[0],
            "deactivate: the largest normal day of 5 runs was 0 people. `deactivate = { percent = \
             2, least = 20, most = 20 }` would let 20 pass, instead of 100."
        );
        assert_eq!(said.len(), 6);
    }

    proptest! {
        #[test]
        fn what_goes_on_by_itself_is_never_more_than_its_limit(
            people in prop::collection::vec(0..3000_u64, 6),
            linked in 0..20_000_u64,
            percent in 0..=100_u32,
            least in 0..100_u32,
            most in prop::option::of(0..1000_u32),
            complete: bool,
        ) {
            let limit = Limit { percent, least, most };
            let limits = ChangeKind::ALL.map(|kind| (kind, limit)).into();
            let settings = BrakeSettings { limits, ..settings() };
            let missing = if complete { vec![] } else { vec!["half".to_owned()] };
            let certificate = Certificate { missing, ..whole() };
            let plan: BTreeMap<_, _> = ChangeKind::ALL.into_iter().zip(people).collect();
            let slices = judge(&plan, linked, &certificate, &settings, now());
            prop_assert_eq!(slices.len(), plan.values().filter(|people| **people > 0).count());
            for slice in slices {
                prop_assert_eq!(slice.people, plan[&slice.kind]);
                let free = slice.state == SliceState::Free;
                let deactivates = slice.kind == ChangeKind::Deactivate;
                if free {
                    prop_assert!(slice.people <= u64::from(least).max(linked * u64::from(percent) / 100));
                    prop_assert!(most.is_none_or(|most| slice.people <= most.into()));
                }
                prop_assert_eq!(free, slice.people <= slice.limit && (complete || !deactivates));
            }
        }
    }
}
