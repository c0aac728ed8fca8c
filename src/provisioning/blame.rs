//! Why somebody is out of step: which of the ways by which a difference can arise explains it.
//!
//! The first that fits is told, from the surest to the least sure:
//!
//! 1. **Edited by hand**: for each difference, HR's wish is what we applied last, and the account
//!    has something else. No event could have told us of that.
//! 2. **Due**: a delivery still waits; it would have put things right.
//! 3. **Failed**: the newest delivery is a dead letter.
//! 4. **Filtered**: the newest event was ignored, or a filter or rule said no when it was worked on.
//! 5. **New**: the account was never applied before, or other rules decided the last time.
//! 6. **Raced**: an event came within the last day and was settled, and yet HR's wish is another now.
//! 7. **No event** ever came. It is told only when nothing else explains the difference: many of
//!    these mean that webhooks get lost.

use jiff::{SignedDuration, Timestamp};

use super::drift;
use crate::model::event::{APPOINTMENT, ASKED, LEASE_LOST, MANAGER_ARRIVED};
use crate::model::run::{SYNC, SYNC_ABSENT};
use crate::model::{
    Account, AccountStatus, Blame, Catalogue, Delivery, DeliveryState, Drift, Field, Lane, Link,
};

/// How the decision of an attempt begins that ended because a filter or rule said no.
pub const OUT_OF_SCOPE: &str = "out of scope";

/// An event that came within this time belongs to the day that the run looks at. A day can have 25
/// hours, and a run may take one.
const A_DAY: SignedDuration = SignedDuration::from_hours(26);

/// What is known of somebody who is out of step.
#[derive(Clone, Copy)]
pub struct Evidence<'e> {
    /// What we last applied.
    pub link: Option<&'e Link>,
    /// The account as the target shows it.
    pub account: Option<&'e Account>,
    /// The person's newest deliveries, in any order.
    pub deliveries: &'e [Delivery],
    /// The version of the rules that decide now.
    pub rules: &'e str,
    /// The target's groups and custom fields.
    pub catalogue: &'e Catalogue,
    /// When.
    pub now: Timestamp,
}

/// Why somebody is out of step in these ways.
pub fn blame(differences: &[Drift], evidence: &Evidence<'_>) -> Blame {
    if !differences.is_empty() && differences.iter().all(|one| evidence.is_by_hand(one)) {
        return Blame::EditedByHand;
    }
    let newest = |states: &[DeliveryState]| {
        let those = evidence.deliveries.iter().filter(|delivery| states.contains(&delivery.state));
        those.max_by_key(|delivery| (delivery.received_at, &delivery.id))
    };
    if let Some(waiting) = newest(&[DeliveryState::Waiting]) {
        return Blame::Due { delivery: waiting.id.clone() };
    }
    let settled = newest(&[DeliveryState::Done, DeliveryState::Dead]);
    if let Some(dead) = settled.filter(|delivery| delivery.state == DeliveryState::Dead) {
        return Blame::Failed { delivery: dead.id.clone() };
    }
    let ignored = newest(&[DeliveryState::Ignored]);
    let since = settled.map(|delivery| delivery.received_at);
    if let Some(ignored) = ignored.filter(|it| since.is_none_or(|since| it.received_at > since)) {
        return Blame::Filtered { delivery: ignored.id.clone() };
    }
    if let Some(refused) = settled.filter(|delivery| was_refused(delivery)) {
        return Blame::Filtered { delivery: refused.id.clone() };
    }
    let applied = evidence.link.is_some_and(|link| link.account.is_some() && link.status.is_some());
    if !applied || settled.is_some_and(|delivery| decided_otherwise(delivery, evidence.rules)) {
        return Blame::New;
    }
    let recent = |delivery: &&Delivery| {
        is_event(delivery) && evidence.now.duration_since(delivery.received_at) <= A_DAY
    };
    match settled.filter(recent) {
        Some(event) => Blame::Raced { delivery: event.id.clone() },
        None => Blame::NoEvent,
    }
}

/// Whether a filter or rule said no when this delivery was worked on.
fn was_refused(delivery: &Delivery) -> bool {
    delivery.history.last().is_some_and(|attempt| attempt.decided.starts_with(OUT_OF_SCOPE))
}

/// Whether other rules decided then.
fn decided_otherwise(delivery: &Delivery, rules: &str) -> bool {
    let last = delivery.history.last();
    last.is_some_and(|attempt| !attempt.rules.is_empty() && attempt.rules != rules)
}

/// Whether HR told us; what we queued ourselves is no news. A replay may put an event into the bulk
/// lane.
fn is_event(delivery: &Delivery) -> bool {
    let ours = [APPOINTMENT, ASKED, LEASE_LOST, MANAGER_ARRIVED, SYNC, SYNC_ABSENT];
    !ours.contains(&&*delivery.kind) && (delivery.lane == Lane::Live || delivery.replays > 0)
}

impl Evidence<'_> {
    /// Whether HR's wish is what we applied last, so that somebody must have changed the account.
    fn is_by_hand(&self, difference: &Drift) -> bool {
        let Some(link) = self.link.filter(|link| link.account.is_some()) else { return false };
        // What we applied to another account says nothing about this one.
        if self.account.is_some_and(|account| link.account.as_ref() != Some(&account.id)) {
            return false;
        }
        match difference {
            Drift::MissingAccount => self.account.is_none(),
            Drift::Field { name, new, .. } => self.applied(link, name) == Some(new),
            Drift::NotInGroup { group } => self.was_given(link, group),
            Drift::Manager { new: Some(new), .. } => {
                link.manager.as_ref().is_some_and(|given| given.account == *new)
            }
            Drift::ShouldBeActive => {
                let left = link.status.is_some_and(|status| status != AccountStatus::Deleted);
                left && !self.was_appointed(link)
            }
            Drift::ShouldBeInactive => link.status == Some(AccountStatus::Deleted),
            Drift::Manager { new: None, .. }
            | Drift::NotShown
            | Drift::InGroup { .. }
            | Drift::Orphan
            | Drift::Refused { .. }
            | Drift::Disputed { .. } => false,
        }
    }

    /// What we last applied to a field or custom field.
    fn applied<'l>(&self, link: &'l Link, name: &str) -> Option<&'l Option<String>> {
        match Field::ALL.into_iter().find(|field| field.word() == name) {
            Some(field) => link.applied.get(&field),
            None if name == drift::EXTERNAL_ID => Some(&link.external_id),
            None => link.custom.get(&self.catalogue.custom_field(name)?.id),
        }
    }

    /// Whether a rule gave this membership, told as `Departments/Finance as learner`.
    fn was_given(&self, link: &Link, told: &str) -> bool {
        let Some((group, role)) = told.rsplit_once(" as ") else { return false };
        link.groups
            .iter()
            .filter(|(_, given)| given == role)
            .any(|(id, _)| id.as_str() == group || self.catalogue.path(id).join("/") == group)
    }

    /// Whether the target deactivated the account by itself, at the date that we gave it.
    fn was_appointed(&self, link: &Link) -> bool {
        let date = link.applied.get(&Field::DeactivateAt).and_then(Option::as_deref);
        date.and_then(|date| date.parse::<Timestamp>().ok()).is_some_and(|date| date <= self.now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{
        AccountId, Attempt, CustomField, CustomFieldId, CustomKind, DeliveryId, EmployeeId,
        EventId, GivenManager, Group, GroupId, SourceName,
    };

    fn now() -> Timestamp {
        "2026-03-02T02:30:00Z".parse().unwrap()
    }

    /// A delivery that came so many hours ago.
    fn delivery(state: DeliveryState, hours: i64) -> Delivery {
        let received_at = now() - SignedDuration::from_hours(hours);
        Delivery {
            id: DeliveryId::new(format!("{state:?} {hours}")),
            event: EventId::new("e"),
            source: SourceName::new("bob"),
            employee: Some(EmployeeId::new("17")),
            kind: "employee.updated".into(),
            lane: Lane::Live,
            received_at,
            state,
            due: received_at,
            attempts: 1,
            looks: 0,
            absences: 0,
            kills: 0,
            replays: 0,
            reason: None,
            code: None,
            history: Vec::new(),
        }
    }

    fn decided(mut delivery: Delivery, decided: &str, rules: &str) -> Delivery {
        delivery.remember(Attempt {
            at: delivery.due,
            took_ms: 1,
            read: Vec::new(),
            rules: rules.into(),
            decided: decided.into(),
            done: Vec::new(),
            outcome: "done".into(),
        });
        delivery
    }

    /// A link on account `a` whose job is a cook's.
    fn link() -> Link {
        Link {
            account: Some(AccountId::new("a")),
            status: Some(AccountStatus::Active),
            applied: [(Field::Job, Some("Cook".into())), (Field::Phone, None)].into(),
            groups: [(GroupId::new("f"), "learner".into())].into(),
            custom: [(CustomFieldId::new("c"), Some("CC-204".into()))].into(),
            manager: Some(GivenManager { key: "employee:2".into(), account: AccountId::new("m") }),
            ..Link::default()
        }
    }

    fn field(name: &str, new: Option<&str>) -> Drift {
        Drift::Field {
            name: name.into(),
            old: Some("something else".into()),
            new: new.map(str::to_owned),
        }
    }

    /// Who is to blame when the account is `a`.
    fn blamed(differences: &[Drift], link: Option<&Link>, deliveries: &[Delivery]) -> Blame {
        let group = |id: &str, name: &str, parent: Option<&str>| Group {
            id: GroupId::new(id),
            name: name.into(),
            parent: parent.map(GroupId::new),
            public: false,
        };
        let catalogue = Catalogue {
            groups: vec![group("r", "Norvane", None), group("f", "Finance", Some("r"))],
            custom_fields: vec![CustomField {
                id: CustomFieldId::new("c"),
                name: "Cost centre".into(),
                kind: CustomKind::Text,
                allowed: Vec::new(),
            }],
        };
        let account = Account {
            id: AccountId::new("a"),
            status: AccountStatus::Active,
            fields: std::collections::BTreeMap::new(),
        };
        let missing = differences.contains(&Drift::MissingAccount);
        let account = (!missing).then_some(&account);
        let (rules, catalogue) = ("v2", &catalogue);
        blame(differences, &Evidence { link, account, deliveries, rules, catalogue, now: now() })
    }

    /// Another wish than what was applied.
    fn news() -> [Drift; 1] {
        [field("job", Some("Chef"))]
    }

    #[test]
    fn what_differs_from_what_we_applied_though_hr_wants_just_that_was_edited_by_hand() {
        let deleted = Link { status: Some(AccountStatus::Deleted), ..link() };
        for (difference, link) in [
            (field("job", Some("Cook")), link()),
            (field("phone", None), link()),
            (field("Cost centre", Some("CC-204")), link()),
            (Drift::NotInGroup { group: "Finance as learner".into() }, link()),
            (Drift::NotInGroup { group: "f as learner".into() }, link()),
            (Drift::Manager { old: None, new: Some(AccountId::new("m")) }, link()),
            (Drift::ShouldBeActive, link()),
            (Drift::ShouldBeInactive, deleted.clone()),
            (Drift::MissingAccount, link()),
        ] {
            let waiting = [delivery(DeliveryState::Waiting, 1)];
            let end = blamed(std::slice::from_ref(&difference), Some(&link), &waiting);
            assert_eq!(end, Blame::EditedByHand, "{difference:?}");
        }
        for (difference, link) in [
            (field("job", Some("Chef")), link()),
            (field("lang", Some("en")), link()),
            (field("Cost centre", Some("CC-205")), link()),
            (field("Badge", Some("CC-204")), link()),
            (Drift::NotInGroup { group: "Finance as coach".into() }, link()),
            (Drift::InGroup { group: "Finance as learner".into() }, link()),
            (Drift::Manager { old: None, new: Some(AccountId::new("n")) }, link()),
            (Drift::Manager { old: Some(AccountId::new("m")), new: None }, link()),
            (Drift::ShouldBeActive, deleted),
            (Drift::ShouldBeInactive, link()),
            (Drift::Orphan, link()),
            (field("job", Some("Cook")), Link { account: Some(AccountId::new("b")), ..link() }),
        ] {
            let end = blamed(std::slice::from_ref(&difference), Some(&link), &[]);
            assert_eq!(end, Blame::NoEvent, "{difference:?}");
        }
    }

    #[test]
    fn one_difference_that_is_hrs_own_is_enough_to_look_further() {
        let both = [field("phone", None), field("job", Some("Chef"))];
        assert_eq!(blamed(&both, Some(&link()), &[]), Blame::NoEvent);
        assert_eq!(blamed(&[], Some(&link()), &[]), Blame::NoEvent);
    }

    #[test]
    fn an_account_that_ended_at_the_date_we_gave_was_not_edited() {
        let mut link = link();
        link.applied.insert(Field::DeactivateAt, Some("2026-03-01T00:00:00Z".into()));
        assert_eq!(blamed(&[Drift::ShouldBeActive], Some(&link), &[]), Blame::NoEvent);
        link.applied.insert(Field::DeactivateAt, Some("2026-04-01T00:00:00Z".into()));
        assert_eq!(blamed(&[Drift::ShouldBeActive], Some(&link), &[]), Blame::EditedByHand);
    }

    #[test]
    fn what_became_of_the_newest_delivery_explains_it() {
        use DeliveryState::{Dead, Done, Ignored, Waiting};
        let id = |text: &str| DeliveryId::new(text);
        let refused = decided(delivery(Done, 2), "out of scope (rules.filters.x)", "v2");
        let deliveries = [
            delivery(Dead, 30),
            delivery(Done, 20),
            delivery(Ignored, 10),
            delivery(Dead, 5),
            refused,
            delivery(Waiting, 90),
        ];
        let all = |deliveries: &[Delivery]| blamed(&news(), Some(&link()), deliveries);
        assert_eq!(all(&deliveries), Blame::Due { delivery: id("Waiting 90") });
        assert_eq!(all(&deliveries[..5]), Blame::Filtered { delivery: id("Done 2") });
        assert_eq!(all(&deliveries[..4]), Blame::Failed { delivery: id("Dead 5") });
        assert_eq!(all(&deliveries[..3]), Blame::Filtered { delivery: id("Ignored 10") });
        assert_eq!(all(&deliveries[..2]), Blame::Raced { delivery: id("Done 20") });
        assert_eq!(all(&deliveries[..1]), Blame::Failed { delivery: id("Dead 30") });
        // The order in which they are given does not matter.
        let turned: Vec<_> = deliveries[..4].iter().rev().cloned().collect();
        assert_eq!(all(&turned), Blame::Failed { delivery: id("Dead 5") });
    }

    #[test]
    fn whoever_was_never_applied_or_by_other_rules_is_new() {
        assert_eq!(blamed(&[Drift::MissingAccount], None, &[]), Blame::New);
        let fresh = Link { status: None, ..link() };
        assert_eq!(blamed(&news(), Some(&fresh), &[]), Blame::New);
        let dead = [delivery(DeliveryState::Dead, 5)];
        let failed = Blame::Failed { delivery: dead[0].id.clone() };
        assert_eq!(blamed(&[Drift::MissingAccount], None, &dead), failed);
        let before = [decided(delivery(DeliveryState::Done, 5), "update job", "v1")];
        assert_eq!(blamed(&news(), Some(&link()), &before), Blame::New);
    }

    #[test]
    fn an_event_of_the_day_was_overtaken_and_an_older_one_says_nothing() {
        let raced = |delivery: Delivery| blamed(&news(), Some(&link()), &[delivery]);
        let done = |hours| decided(delivery(DeliveryState::Done, hours), "update job", "v2");
        assert_eq!(raced(done(26)), Blame::Raced { delivery: done(26).id });
        assert_eq!(raced(done(27)), Blame::NoEvent);
        // What a run queued is no event.
        let bulk = Delivery { lane: Lane::Bulk, ..done(5) };
        assert_eq!(raced(bulk.clone()), Blame::NoEvent);
        let replayed = Delivery { replays: 1, ..bulk };
        assert!(matches!(raced(replayed), Blame::Raced { .. }));
    }
}
