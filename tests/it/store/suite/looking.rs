//! Looking things up and listing them.

use instep::model::{
    AccountId, DeliveryId, DeliveryState, EmployeeId, EventId, Fate, Lane, SourceName,
};
use instep::store::{Filter, StoreError};

use super::{Fixture, NEWER, Stored, arrival, bob, employees, person};

pub async fn what_is_unknown_is_none(on: Fixture) {
    let store = &on.store;
    assert_eq!(store.delivery(&DeliveryId::fresh()).await.unwrap(), None);
    assert_eq!(store.delivery(&DeliveryId::new("")).await.unwrap(), None);
    assert_eq!(store.event(&EventId::new("no such")).await.unwrap(), None);
    assert_eq!(store.link(&person("7")).await.unwrap(), None);
    assert_eq!(store.owner(&AccountId::new("a")).await.unwrap(), None);
    assert_eq!(store.deliveries(&Filter::default(), 10).await.unwrap(), []);
    assert_eq!(store.holds().await.unwrap(), []);
}

async fn listed(on: &Fixture, filter: Filter) -> Vec<DeliveryId> {
    let deliveries = on.store.deliveries(&filter, 100).await.unwrap();
    deliveries.into_iter().map(|delivery| delivery.id).collect()
}

pub async fn each_filter_filters(on: Fixture) {
    let start = on.clock.now();
    let done = on.accept_and_settle("7", DeliveryState::Done).await;
    on.pass(10);
    let ignored = on.ignore("8").await;
    let mut from_ann = arrival(&on.clock, "7", Fate::Deliver(Lane::Live));
    from_ann.event.source = SourceName::new("ann");
    from_ann.event.kind = "employee.joined".into();
    on.store.accept(from_ann.clone()).await.unwrap();
    let ann = from_ann.delivery;
    on.pass(10);
    let dead = on.accept("7", Lane::Bulk).await;
    let lease = on.lease_one().await;
    let mut deliveries = super::ended(&lease, DeliveryState::Dead, on.clock.now());
    deliveries[0].code = Some("mailAlreadyUsed".into());
    on.store.settle(lease, deliveries, None).await.unwrap();
    let mut nobody = arrival(&on.clock, "", Fate::Ignore("a ping".into()));
    nobody.event.employee = None;
    on.store.accept(nobody.clone()).await.unwrap();
    let nobody = nobody.delivery;

    let any = Filter::default;
    let [all, of_7, in_bob] = [any(), any(), any()];
    let of_7 = Filter { employee: Some(EmployeeId::new("7").to_string()), ..of_7 };
    let in_bob = Filter { source: Some(bob()), ..in_bob };
    let ids = |ids: &[&DeliveryId]| ids.iter().copied().cloned().collect::<Vec<_>>();
    assert_eq!(listed(&on, all).await, ids(&[&nobody, &dead, &ann, &ignored, &done]));
    assert_eq!(listed(&on, of_7.clone()).await, ids(&[&dead, &ann, &done]));
    assert_eq!(listed(&on, in_bob.clone()).await, ids(&[&nobody, &dead, &ignored, &done]));
    for (state, expected) in [
        (DeliveryState::Done, ids(&[&done])),
        (DeliveryState::Dead, ids(&[&dead])),
        (DeliveryState::Ignored, ids(&[&nobody, &ignored])),
        (DeliveryState::Waiting, ids(&[&ann])),
    ] {
        assert_eq!(listed(&on, Filter { state: Some(state), ..any() }).await, expected);
    }
    let code = |code: &str| Filter { code: Some(code.into()), ..any() };
    assert_eq!(listed(&on, code("mailAlreadyUsed")).await, ids(&[&dead]));
    assert_eq!(listed(&on, code("mail")).await, []);
    let kind = Filter { kind: Some("employee.joined".into()), ..any() };
    assert_eq!(listed(&on, kind).await, ids(&[&ann]));

    let middle = start + std::time::Duration::from_secs(10);
    let since = Filter { since: Some(middle), ..any() };
    assert_eq!(listed(&on, since.clone()).await, ids(&[&nobody, &dead, &ann, &ignored]));
    let until = Filter { until: Some(middle), ..any() };
    assert_eq!(listed(&on, until).await, ids(&[&done]), "until is not included");
    let between = Filter { until: Some(on.clock.now()), ..since };
    assert_eq!(listed(&on, between).await, ids(&[&ann, &ignored]));

    let both = Filter { employee: of_7.employee, before: Some(dead.clone()), ..in_bob };
    assert_eq!(listed(&on, both).await, ids(&[&done]));
    let before = Filter { before: Some(ann), state: Some(DeliveryState::Dead), ..any() };
    assert_eq!(listed(&on, before).await, []);
}

pub async fn pages_follow_each_other_newest_first(on: Fixture) {
    let mut accepted = Vec::new();
    for n in 0..25 {
        accepted.push(on.accept(&(n % 3).to_string(), Lane::Live).await);
    }
    accepted.reverse();
    let mut filter = Filter { state: Some(DeliveryState::Waiting), ..Filter::default() };
    let mut listed = Vec::new();
    for expected in [10, 10, 5, 0] {
        let page = on.store.deliveries(&filter, 10).await.unwrap();
        assert_eq!(page.len(), expected);
        listed.extend(page.into_iter().map(|delivery| delivery.id));
        filter.before = listed.last().cloned();
    }
    assert_eq!(listed, accepted);
    assert_eq!(on.store.deliveries(&Filter::default(), 0).await.unwrap(), []);
}

async fn plant_a_newer_record(on: &Fixture, id: &DeliveryId) {
    (on.plant)(Stored::Delivery(id.clone()), NEWER.into()).await;
}

pub async fn a_newer_record_is_refused_with_a_reason(on: Fixture) {
    let newer = on.accept("7", Lane::Live).await;
    let damaged = on.accept("8", Lane::Live).await;
    plant_a_newer_record(&on, &newer).await;
    (on.plant)(Stored::Delivery(damaged.clone()), "{".into()).await;
    let refused = on.store.delivery(&newer).await.unwrap_err();
    assert!(matches!(refused, StoreError::Unreadable { what: "delivery", .. }), "{refused:?}");
    let told = refused.to_string();
    assert!(told.contains("999") && told.contains("upgrade"), "{told}");
    let refused = on.store.delivery(&damaged).await.unwrap_err();
    assert!(matches!(refused, StoreError::Unreadable { what: "delivery", .. }), "{refused:?}");
}

/// A record that cannot be read now is left as it is: a newer program may read it.
pub async fn an_unreadable_record_stops_nobody_else(on: Fixture) {
    let unreadable = on.accept("7", Lane::Live).await;
    plant_a_newer_record(&on, &unreadable).await;
    on.pass(1);
    let readable = on.accept("8", Lane::Live).await;
    let mut leases = on.lease(1).await;
    leases.extend(on.lease(1).await);
    assert_eq!(employees(&leases), ["8"], "the first in the queue does not block it");
    on.settle(leases.remove(0), DeliveryState::Done).await;
    assert_eq!(on.state(&readable).await, DeliveryState::Done);
    assert!(on.store.delivery(&unreadable).await.is_err());
    assert_eq!(on.store.depth().await.unwrap().waiting, 1);
}

/// It is shown by its id, with the reason; whoever looks at the rest is not kept from it.
pub async fn an_unreadable_record_is_left_out_of_lists(on: Fixture) {
    let mut readable = Vec::new();
    let mut unreadable = Vec::new();
    for n in 0..9 {
        let id = on.accept(&(n % 2).to_string(), Lane::Live).await;
        if n % 3 == 1 { &mut unreadable } else { &mut readable }.push(id);
    }
    readable.reverse();
    for id in &unreadable {
        plant_a_newer_record(&on, id).await;
    }
    assert_eq!(listed(&on, Filter::default()).await, readable);
    let waiting = Filter { state: Some(DeliveryState::Waiting), ..Filter::default() };
    assert_eq!(listed(&on, waiting).await, readable);
    for (employee, count) in [("0", 4), ("1", 2)] {
        let filter = Filter { employee: Some(employee.into()), ..Filter::default() };
        assert_eq!(listed(&on, filter).await.len(), count, "of {employee}");
    }
    let page = on.store.deliveries(&Filter::default(), 4).await.unwrap();
    let page: Vec<_> = page.into_iter().map(|delivery| delivery.id).collect();
    assert_eq!(page, readable[..4], "a page is full while there are more");
    assert!(on.store.delivery(&unreadable[0]).await.is_err());
}
