//! What dead letters have in common: their cause, by which they are grouped, and what to do about
//! it. The same cause has the same name in every process and on every day.

use std::collections::{BTreeMap, HashSet};
use std::hash::{DefaultHasher, Hash, Hasher};

use jiff::Timestamp;
use sha2::{Digest, Sha256};

use super::{Delivery, DeliveryState, Failure, SourceName};

/// The code of a dead letter that has none.
const NO_CODE: &str = "unknown";

/// The code of deliveries that wait because their source is on hold.
const SOURCE_HELD: &str = "sourceHeld";

/// The code of deliveries that wait because the target is on hold.
const TARGET_HELD: &str = "targetHeld";

/// What stands in a shape for something that differs from delivery to delivery.
const ANYTHING: &str = "…";

/// No shape is longer, in characters.
const LONGEST: usize = 300;

/// So many causes are told apart; more than that is no grouping any more.
const MOST: usize = 2_000;

/// So many deliveries are named as examples of a cause.
const EXAMPLES: usize = 10;

/// The hours of the trend.
const HOURS: usize = 24;

/// Why deliveries failed, or wait.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cause {
    /// Its name: `mailAlreadyUsed-3f2a1c`.
    pub name: String,
    /// The code.
    pub code: String,
    /// The reason, without what differs from delivery to delivery.
    pub shape: String,
}

impl Cause {
    /// The cause of a dead letter.
    pub fn of(delivery: &Delivery) -> Self {
        let code = delivery.code.as_deref().unwrap_or(NO_CODE);
        Self::made(&delivery.source, code, delivery.reason.as_deref().unwrap_or_default())
    }

    /// The cause of deliveries of a source that wait behind a hold: `source bob` or `target`.
    pub fn held(source: &SourceName, scope: &str, reason: &str) -> Self {
        Self::made(source, if scope == "target" { TARGET_HELD } else { SOURCE_HELD }, reason)
    }

    fn made(source: &SourceName, code: &str, reason: &str) -> Self {
        let (code, shape) = (plain(code), shape(reason));
        let hash = Sha256::new()
            .chain_update(source.as_str())
            .chain_update([0])
            .chain_update(&code)
            .chain_update([0])
            .chain_update(&shape)
            .finalize();
        let name = format!("{code}-{:02x}{:02x}{:02x}", hash[0], hash[1], hash[2]);
        Self { name, code, shape }
    }
}

/// A code that can stand in a command, whoever sent it.
fn plain(code: &str) -> String {
    let kept = code.chars().filter(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.'));
    let plain: String = kept.take(60).collect();
    if plain.is_empty() { NO_CODE.to_owned() } else { plain }
}

/// A reason without ids, numbers, addresses, dates and quoted values.
pub fn shape(reason: &str) -> String {
    let mut bare = String::with_capacity(reason.len());
    let mut quoted = false;
    for c in reason.chars() {
        match c {
            '"' | '“' | '”' => {
                if !quoted {
                    bare.push_str(ANYTHING);
                }
                quoted = !quoted;
            }
            _ if quoted => {}
            c if c.is_control() => bare.push(' '),
            c => bare.push(c),
        }
    }
    let differs = |word: &str| {
        // The target's own name holds digits, too.
        let word = word.replace("360Learning", "");
        word.contains('@') || word.chars().any(|c| c.is_ascii_digit())
    };
    let mut shape = String::new();
    let mut last = "";
    for word in bare.split_whitespace() {
        let word = if differs(word) { ANYTHING } else { word };
        // A list of ids is as long as it is.
        if word == ANYTHING && last == ANYTHING {
            continue;
        }
        if !shape.is_empty() {
            shape.push(' ');
        }
        shape.push_str(word);
        last = word;
    }
    if shape.chars().count() > LONGEST {
        shape = shape.chars().take(LONGEST).collect::<String>() + ANYTHING;
    }
    shape
}

/// What to do about deliveries of a code. Where the far end's own reason says it, this says so.
pub fn advice(code: &str) -> &'static str {
    match code {
        SOURCE_HELD | TARGET_HELD => {
            "Nothing is lost and no attempt is spent: they go on by themselves when the far end \
             answers again. See to what the reason names."
        }
        "brake" => {
            "More deactivations than in any usual hour. Look whether these people have really left; \
             a replay shows who, and applies them once you confirm."
        }
        "disputed" => {
            "Say whose account it is: `instep matches` lists them, `instep match` decides."
        }
        "fieldMissing" => {
            "Grant the service user in HiBob the right to view the field, and these people, then \
             replay."
        }
        "notVisible" => {
            "Check in HiBob the service user's audience under 'Access data for' (Hired, Employed \
             and Terminated must be in it), then replay."
        }
        "mailAlreadyUsed" | "usernameAlreadyUsed" => {
            "See whose the other account is (`instep explain KEY` shows it). If it is somebody \
             else's, change its mail or user name in 360Learning, or the person's in HR, then \
             replay; if it is theirs, `instep match` says so."
        }
        "noIdentity" | "mailAndUsernameUndefined" => {
            "Fill the mail in HR, or give rules.fields.username a rule, then replay."
        }
        "ruleFailed" | "badValue" | "unmapped" => {
            "Correct the value in HR, or the rule or its table (`instep explain KEY` shows what it \
             reads), then replay."
        }
        "workerDied" => {
            "A worker ended again and again with these people in hand. Look for crashes in its log, \
             and report them; then replay."
        }
        "sourceFailed" => "HiBob failed for these people alone. When it answers for them, replay.",
        "targetFailed" => {
            "360Learning failed for these people alone. When it answers for them, replay."
        }
        _ => "The reason says what to do. When it is done, replay.",
    }
}

/// Gathers deliveries by their causes. What it needs of memory grows with the people, not with what
/// is known of each delivery.
pub struct Causes {
    now: Timestamp,
    groups: BTreeMap<String, (Failure, HashSet<u64>)>,
}

impl Causes {
    /// Nothing is gathered yet.
    pub fn at(now: Timestamp) -> Self {
        Self { now, groups: BTreeMap::new() }
    }

    /// One more delivery of a cause. They come newest first.
    pub fn add(&mut self, delivery: &Delivery, cause: Cause) {
        let mut cause = cause;
        if self.groups.len() >= MOST && !self.groups.contains_key(&cause.name) {
            let shape = "there are too many different reasons to tell them apart".to_owned();
            cause = Cause { name: "other".to_owned(), code: "other".to_owned(), shape };
        }
        let Cause { name, code, shape } = cause;
        let (failure, people) = self.groups.entry(name.clone()).or_insert_with(|| {
            let failure = Failure {
                cause: name,
                source: delivery.source.clone(),
                advice: advice(&code).to_owned(),
                code,
                shape,
                dead: delivery.state == DeliveryState::Dead,
                deliveries: 0,
                people: 0,
                first: delivery.received_at,
                last: delivery.received_at,
                trend: vec![0; HOURS],
                examples: Vec::new(),
            };
            (failure, HashSet::new())
        });
        failure.deliveries += 1;
        failure.first = failure.first.min(delivery.received_at);
        failure.last = failure.last.max(delivery.received_at);
        let ago = self.now.duration_since(delivery.received_at).as_secs().max(0) / 3600;
        if let Some(hour) = usize::try_from(ago).ok().and_then(|ago| HOURS.checked_sub(ago + 1)) {
            failure.trend[hour] += 1;
        }
        if failure.examples.len() < EXAMPLES {
            failure.examples.push(delivery.id.clone());
        }
        if let Some(employee) = &delivery.employee {
            let mut hasher = DefaultHasher::new();
            employee.hash(&mut hasher);
            people.insert(hasher.finish());
        }
    }

    /// The causes: dead letters first, and the largest of them first.
    pub fn failures(self) -> Vec<Failure> {
        let whole = |(failure, people): (Failure, HashSet<u64>)| {
            let people = u64::try_from(people.len()).unwrap_or(u64::MAX);
            Failure { people, ..failure }
        };
        let mut failures: Vec<Failure> = self.groups.into_values().map(whole).collect();
        failures.sort_by_key(|it| (!it.dead, std::cmp::Reverse(it.deliveries), it.cause.clone()));
        failures
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Arrival, EmployeeId, Event, Person};

    fn dead(employee: &str, code: &str, reason: &str, hours: i64) -> Delivery {
        let person = Person { source: SourceName::new("bob"), employee: EmployeeId::new(employee) };
        let at = now() - jiff::SignedDuration::from_hours(hours);
        Delivery {
            state: DeliveryState::Dead,
            code: Some(code.to_owned()),
            reason: Some(reason.to_owned()),
            ..Arrival::live(Event::of_our_own("employee.updated", &person, "x", at))
                .first_delivery()
        }
    }

    fn now() -> Timestamp {
        "2026-11-22T12:00:00Z".parse().expect("a time")
    }

    #[test]
    fn a_shape_is_what_reasons_have_in_common() {
        for (reason, is) in [
            ("the mail \"a b\" of 12 is taken", "the mail … of … is taken"),
            ("two accounts: 65ab01, 65ab02, 65ab03", "two accounts: …"),
            ("ann.lee@norvane.example is taken", "… is taken"),
            ("since 2026-11-22T08:00:00Z", "since …"),
            ("fill the\tfield\nin HR", "fill the field in HR"),
            ("an open \"quotation", "an open …"),
            ("change it in 360Learning, or in HR", "change it in 360Learning, or in HR"),
            ("360Learning's answer 17 of a360Learning", "360Learning's answer … of a360Learning"),
            ("", ""),
        ] {
            assert_eq!(shape(reason), is);
        }
        assert!(shape(&"long ".repeat(1000)).chars().count() <= LONGEST + 1);
    }

    #[test]
    fn the_same_cause_has_the_same_name() {
        let name = |delivery: &Delivery| Cause::of(delivery).name;
        let one = dead("1", "mailAlreadyUsed", "account 65ab01 has the mail", 0);
        let same = dead("2", "mailAlreadyUsed", "account 65ab99 has the mail", 9);
        let other = dead("1", "mailAlreadyUsed", "account 65ab01 has the name", 0);
        assert_eq!(name(&one), name(&same));
        assert_ne!(name(&one), name(&other));
        let (code, hash) =
            name(&one).rsplit_once('-').map(|(a, b)| (a.to_owned(), b.len())).expect("two parts");
        assert_eq!((code.as_str(), hash), ("mailAlreadyUsed", 6));
        let hostile = dead("1", "a b; rm \u{1b}[0m", "x", 0);
        assert!(name(&hostile).chars().all(|c| c.is_ascii_alphanumeric() || c == '-'));
    }

    #[test]
    fn causes_are_counted_by_deliveries_people_and_hours() {
        let mut causes = Causes::at(now());
        for (employee, hours) in [("1", 0), ("1", 1), ("2", 1), ("3", 30)] {
            let delivery = dead(employee, "notVisible", "not shown", hours);
            causes.add(&delivery, Cause::of(&delivery));
        }
        let single = dead("4", "disputed", "two of them", 2);
        causes.add(&single, Cause::of(&single));
        let waits = Delivery { state: DeliveryState::Waiting, ..dead("5", "x", "y", 0) };
        for _ in 0..9 {
            causes.add(&waits, Cause::held(&waits.source, "target", "it is down"));
        }
        let failures = causes.failures();
        let codes: Vec<&str> = failures.iter().map(|failure| failure.code.as_str()).collect();
        assert_eq!(codes, ["notVisible", "disputed", TARGET_HELD], "what waits comes last");
        let first = &failures[0];
        assert_eq!((first.deliveries, first.people, first.dead), (4, 3, true));
        assert_eq!((first.trend[23], first.trend[22], first.trend.iter().sum()), (1, 2, 3_u64));
        assert!(first.last > first.first && !failures[2].dead);
    }
}
