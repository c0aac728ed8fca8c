//! When people are told, and when they are left alone. Pure: it is handed the time.
//!
//! A state is told when it begins and when it ends, and once a day while it lasts. Notices that come
//! close together are told together. The same state of the same thing is not told twice within the
//! quiet time: something that comes and goes is told once, and then again as it is when that time
//! has passed. The whole is plain data, to be kept in the store and shared by processes.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::notice::{Group, Notice, Phase};

/// The most states that are known at once; further ones are counted.
const MOST: usize = 200;

/// The most notices told in one message.
const TOLD: usize = 10;

/// How long to wait for what.
#[derive(Clone, Copy, Debug)]
pub struct Manners {
    /// The same state of the same thing is not told again within this time.
    pub quiet: Duration,
    /// How long a notice waits for others, and the least time between two messages.
    pub group: Duration,
    /// After this time a state that lasts is told again.
    pub remind: Duration,
}

impl Manners {
    /// A minute to come together, a day between reminders.
    pub fn new(quiet: Duration) -> Self {
        Self { quiet, group: Duration::from_secs(60), remind: Duration::from_secs(24 * 60 * 60) }
    }
}

/// What one channel was told, and what it is still to be told.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Quiet {
    states: BTreeMap<String, State>,
    /// When it was last told something.
    last: Option<Timestamp>,
    /// States that had no place.
    more: u64,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct State {
    /// The latest notice: counts grow while a state lasts.
    notice: Notice,
    /// Since when it is in this phase.
    since: Timestamp,
    /// When it first changed after it was told last: what comes and goes does not wait for ever.
    unsaid: Option<Timestamp>,
    /// The phase that was told last.
    told: Option<Phase>,
    /// That it has got worse was told.
    #[serde(default)]
    worse: bool,
    /// When its beginning was told last.
    began: Option<Timestamp>,
    /// When its end was told last.
    ended: Option<Timestamp>,
}

impl State {
    /// Whether the channel believes something else than what is.
    fn is_news(&self) -> bool {
        match (self.told, self.notice.phase) {
            (None, phase) => phase == Phase::Began,
            (Some(told), phase) => told != phase || self.is_worse(),
        }
    }

    /// Whether it has got worse since it was told.
    fn is_worse(&self) -> bool {
        self.notice.phase == Phase::Began && self.notice.worse && !self.worse
    }

    fn told_at(&self, phase: Phase) -> Option<Timestamp> {
        match phase {
            Phase::Began => self.began,
            Phase::Ended => self.ended,
        }
    }

    /// Whether its news may be told by now.
    fn is_due(&self, now: Timestamp, manners: &Manners) -> bool {
        let quiet =
            self.told_at(self.notice.phase).is_some_and(|at| !passed(at, manners.quiet, now));
        self.is_news() && !quiet
    }

    /// Whether it lasts so long that it should be said again.
    fn is_long(&self, now: Timestamp, manners: &Manners) -> bool {
        let lasts = !self.is_news() && self.notice.phase == Phase::Began;
        lasts && self.began.is_some_and(|at| passed(at, manners.remind, now))
    }
}

fn passed(since: Timestamp, time: Duration, now: Timestamp) -> bool {
    since.checked_add(time).is_ok_and(|until| until <= now)
}

impl Quiet {
    /// Takes a notice in. What is known already only brings its sentences up to date; the end of
    /// what nobody was told is told to nobody.
    pub fn note(&mut self, notice: Notice, now: Timestamp, manners: &Manners) {
        self.forget(now, manners);
        let key = notice.key();
        if let Some(state) = self.states.get_mut(&key) {
            if state.notice.phase != notice.phase {
                state.since = now;
                state.unsaid.get_or_insert(now);
            }
            state.notice = notice;
        } else if notice.phase == Phase::Began {
            if self.states.len() >= MOST {
                self.more += 1;
                return;
            }
            let state = State {
                notice,
                since: now,
                unsaid: Some(now),
                told: None,
                worse: false,
                began: None,
                ended: None,
            };
            self.states.insert(key, state);
        }
    }

    /// What is to be told now, if anything. It stays due until [`Quiet::told`] is called.
    pub fn due(&self, now: Timestamp, manners: &Manners) -> Option<Group> {
        if self.last.is_some_and(|last| !passed(last, manners.group, now)) {
            return None;
        }
        let news = || self.states.values().filter(|state| state.is_due(now, manners));
        let long = || self.states.values().filter(|state| state.is_long(now, manners));
        let waited =
            news().any(|state| state.unsaid.is_none_or(|at| passed(at, manners.group, now)));
        if !waited && long().next().is_none() {
            return None;
        }
        let again = |state: &State| {
            let title = format!("Still so: {}", state.notice.title);
            Notice { title, ..state.notice.clone() }
        };
        let mut notices: Vec<Notice> = news().map(|state| state.notice.clone()).collect();
        notices.extend(long().map(again));
        let more = self.more + notices.len().saturating_sub(TOLD) as u64;
        notices.truncate(TOLD);
        Some(Group { notices, more })
    }

    /// The group was told: everything that was due counts as told, that without a place too.
    pub fn told(&mut self, now: Timestamp, manners: &Manners) {
        self.last = Some(now);
        self.more = 0;
        for state in self.states.values_mut() {
            if state.is_due(now, manners) || state.is_long(now, manners) {
                let phase = state.notice.phase;
                state.told = Some(phase);
                state.worse = phase == Phase::Began && state.notice.worse;
                state.unsaid = None;
                match phase {
                    Phase::Began => state.began = Some(now),
                    Phase::Ended => state.ended = Some(now),
                }
            }
        }
        self.forget(now, manners);
    }

    /// What ended is remembered as long as its return must not be told at once, or would be its
    /// second.
    fn forget(&mut self, now: Timestamp, manners: &Manners) {
        self.states.retain(|_, state| {
            let over = state.notice.phase == Phase::Ended && !state.is_news();
            let times = [state.began, state.ended, Some(state.since)];
            !(over && times.into_iter().flatten().all(|at| passed(at, manners.quiet, now)))
        });
    }
}

#[cfg(test)]
mod tests {
    use jiff::ToSpan as _;
    use proptest::prelude::*;

    use super::*;
    use crate::notify::notice::Topic;

    const MANNERS: Manners = Manners {
        quiet: Duration::from_secs(3600),
        group: Duration::from_secs(60),
        remind: Duration::from_secs(86_400),
    };

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_second(1_790_000_000).expect("a time") + seconds.seconds()
    }

    fn notice(about: &str, phase: Phase) -> Notice {
        Notice {
            topic: Topic::Hold,
            about: about.to_owned(),
            phase,
            worse: false,
            title: format!("{about} {phase:?}"),
            lines: Vec::new(),
            todo: None,
            link: None,
        }
    }

    /// What is told at this moment, as titles.
    fn tell(quiet: &mut Quiet, seconds: i64) -> Vec<String> {
        let Some(group) = quiet.due(at(seconds), &MANNERS) else { return Vec::new() };
        quiet.told(at(seconds), &MANNERS);
        group.notices.into_iter().map(|notice| notice.title).collect()
    }

    #[test]
    fn what_gets_worse_is_told_once_more() {
        let mut quiet = Quiet::default();
        quiet.note(notice("a token", Phase::Began), at(0), &MANNERS);
        assert_eq!(tell(&mut quiet, 60), ["a token Began"]);
        let worse = Notice { worse: true, ..notice("a token", Phase::Began) };
        quiet.note(worse.clone(), at(5000), &MANNERS);
        assert_eq!(tell(&mut quiet, 5000), ["a token Began"]);
        quiet.note(worse.clone(), at(9000), &MANNERS);
        assert!(tell(&mut quiet, 20_000).is_empty(), "once");
        quiet.note(notice("a token", Phase::Ended), at(21_000), &MANNERS);
        assert_eq!(tell(&mut quiet, 21_060), ["a token Ended"]);
        quiet.note(worse, at(30_000), &MANNERS);
        assert_eq!(tell(&mut quiet, 30_060), ["a token Began"], "it begins as bad as it is, once");
        assert!(tell(&mut quiet, 40_000).is_empty());
    }

    #[test]
    fn a_state_is_told_when_it_begins_and_when_it_ends() {
        let mut quiet = Quiet::default();
        quiet.note(notice("bob", Phase::Began), at(0), &MANNERS);
        quiet.note(notice("lms", Phase::Began), at(30), &MANNERS);
        assert!(tell(&mut quiet, 59).is_empty(), "it waits for others");
        assert_eq!(tell(&mut quiet, 60), ["bob Began", "lms Began"], "together");
        quiet.note(notice("bob", Phase::Began), at(90), &MANNERS);
        assert!(tell(&mut quiet, 3000).is_empty(), "nothing changed");
        quiet.note(notice("bob", Phase::Ended), at(3001), &MANNERS);
        assert_eq!(tell(&mut quiet, 3061), ["bob Ended"]);
        assert!(tell(&mut quiet, 90_000).contains(&"Still so: lms Began".to_owned()));
        assert!(tell(&mut quiet, 100_000).is_empty(), "once a day");
    }

    #[test]
    fn what_comes_and_goes_is_told_once_in_a_while() {
        let mut quiet = Quiet::default();
        let mut told = Vec::new();
        // Three hours, a new state every ten seconds.
        for seconds in (0..3 * 3600).step_by(10) {
            let phase = if seconds % 20 == 0 { Phase::Began } else { Phase::Ended };
            quiet.note(notice("bob", phase), at(seconds), &MANNERS);
            told.extend(tell(&mut quiet, seconds));
        }
        assert!((3..=8).contains(&told.len()), "{told:?}");
        // What nobody was told needs no end.
        let mut quiet = Quiet::default();
        quiet.note(notice("bob", Phase::Began), at(0), &MANNERS);
        quiet.note(notice("bob", Phase::Ended), at(30), &MANNERS);
        assert!(tell(&mut quiet, 600).is_empty());
        quiet.note(notice("bob", Phase::Ended), at(5000), &MANNERS);
        assert_eq!(quiet, Quiet::default(), "and is forgotten");
    }

    #[test]
    fn a_storm_is_one_message() {
        let mut quiet = Quiet::default();
        for number in 0..1000 {
            quiet.note(notice(&format!("cause {number}"), Phase::Began), at(0), &MANNERS);
        }
        let group = quiet.due(at(60), &MANNERS).expect("a group");
        assert_eq!((group.notices.len(), group.more), (TOLD, 990));
        assert!(quiet.states.len() <= MOST);
        quiet.told(at(60), &MANNERS);
        assert_eq!(quiet.due(at(3600), &MANNERS), None);
    }

    #[test]
    fn what_was_not_sent_stays_due() {
        let mut quiet = Quiet::default();
        quiet.note(notice("bob", Phase::Began), at(0), &MANNERS);
        let group = quiet.due(at(60), &MANNERS);
        assert!(group.is_some());
        assert_eq!(quiet.due(at(70), &MANNERS), group);
    }

    #[test]
    fn it_is_kept_as_text() {
        let mut quiet = Quiet::default();
        quiet.note(notice("bob", Phase::Began), at(0), &MANNERS);
        tell(&mut quiet, 60);
        let text = serde_json::to_string(&quiet).expect("text");
        assert_eq!(serde_json::from_str::<Quiet>(&text).expect("read"), quiet);
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn in_any_order_of_things_people_are_told_the_truth_and_little(
            steps in proptest::collection::vec((0_u8..3, any::<bool>(), 0_i64..4000), 1..80),
        ) {
            let mut quiet = Quiet::default();
            let mut truth = BTreeMap::new();
            let mut heard: BTreeMap<String, (Phase, BTreeMap<bool, i64>)> = BTreeMap::new();
            let mut messages = Vec::new();
            let mut now = 0;
            let mut listen = |quiet: &mut Quiet, now: i64| {
                let Some(group) = quiet.due(at(now), &MANNERS) else { return Ok(()) };
                quiet.told(at(now), &MANNERS);
                if let Some(before) = messages.last() {
                    prop_assert!(now - before >= 60, "two messages in a minute");
                }
                messages.push(now);
                for notice in group.notices {
                    if notice.title.starts_with("Still so") {
                        continue;
                    }
                    let began = notice.phase == Phase::Began;
                    let known = heard.entry(notice.about.clone()).or_insert((Phase::Ended, BTreeMap::new()));
                    prop_assert_ne!(known.0, notice.phase, "told what was known");
                    if let Some(before) = known.1.insert(began, now) {
                        prop_assert!(now - before >= 3600, "told twice in the quiet time");
                    }
                    known.0 = notice.phase;
                }
                Ok(())
            };
            for (who, begins, wait) in steps {
                let about = format!("end {who}");
                let phase = if begins { Phase::Began } else { Phase::Ended };
                quiet.note(notice(&about, phase), at(now), &MANNERS);
                truth.insert(about, phase);
                now += wait;
                listen(&mut quiet, now)?;
            }
            for _ in 0..4 {
                now += 3700;
                listen(&mut quiet, now)?;
            }
            for (about, phase) in truth {
                let known = heard.get(&about).map_or(Phase::Ended, |known| known.0);
                prop_assert_eq!(known, phase, "{} is not as people believe", about);
            }
        }
    }
}
