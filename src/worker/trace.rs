//! The spans of a turn: what an attempt did and how long it took, in the trace of its first
//! delivery; those of the other deliveries that it settles are linked with it, both ways.
//!
//! What is done for several persons in one call stands in the trace of the first, and a span in each
//! of the others' says so. Spans hold ids of deliveries and words of ours; nothing of people.

use jiff::Timestamp;
use tracing::field::Empty;
use tracing::{Span, info_span};

use super::turn::lane;
use crate::model::{
    APPOINTMENT, Delivery, DeliveryId, DeliveryState, LEASE_LOST, MANAGER_ARRIVED, SYNC,
    SYNC_ABSENT,
};
use crate::store::Lease;

/// So many deliveries are linked at most.
const LINKS: usize = 64;

/// One attempt for a lease. Disabled when nobody wants traces.
pub(super) fn attempt(lease: &Lease, started: Timestamp) -> Span {
    let span = info_span!(target: "instep::trace", parent: None, "attempt", delivery = Empty,
        links = Empty, began_ms = started.as_millisecond(), source = lease.person.source.as_str(),
        lane = Empty, deliveries = lease.deliveries.len(), attempts = Empty, outcome = Empty,
        code = Empty, failed = Empty);
    let Some(first) = lease.deliveries.first().filter(|_| !span.is_disabled()) else { return span };
    span.record("delivery", first.id.as_str());
    span.record("lane", lane(lease).word());
    span.record("attempts", first.attempts);
    let others = lease.deliveries.iter().skip(1).map(|delivery| &delivery.id);
    span.record("links", words(others).as_str());
    for delivery in &lease.deliveries {
        begin(delivery);
    }
    span
}

/// What we tell ourselves came by no webhook: its trace begins here.
fn begin(delivery: &Delivery) {
    let kind = delivery.kind.as_str();
    let ours = matches!(kind, SYNC | SYNC_ABSENT | APPOINTMENT | LEASE_LOST | MANAGER_ARRIVED);
    if ours && delivery.history.is_empty() && delivery.replays == 0 {
        info_span!(target: "instep::trace", parent: None, "queued", root = true, kind,
            delivery = delivery.id.as_str(), began_ms = delivery.received_at.as_millisecond());
    }
}

/// How an attempt ended: said in its span, and in the traces of the other deliveries.
pub(super) fn end(span: &Span, deliveries: &[Delivery], started: Timestamp) {
    if span.is_disabled() {
        return;
    }
    let Some((first, others)) = deliveries.split_first() else { return };
    span.record("outcome", first.state.word());
    if let Some(code) = &first.code {
        span.record("code", code.as_str());
    }
    span.record("failed", first.state == DeliveryState::Dead);
    for other in others {
        info_span!(target: "instep::trace", parent: None, "settled together",
            delivery = other.id.as_str(), links = first.id.as_str(), outcome = other.state.word(),
            began_ms = started.as_millisecond());
    }
}

/// The deliveries by which attempts are known: the first of each.
pub(super) fn firsts<'l>(leases: impl Iterator<Item = &'l Lease>) -> Vec<DeliveryId> {
    leases.filter_map(|lease| lease.deliveries.first()).map(|first| first.id.clone()).collect()
}

/// What is done once for the attempts of these deliveries; it stands in the span of the first.
pub(super) fn shared(what: &'static str, of: &Span, firsts: &[DeliveryId]) -> Span {
    let span = info_span!(target: "instep::trace", parent: of, "shared", called = what,
        persons = firsts.len(), links = Empty);
    if !span.is_disabled() {
        span.record("links", words(firsts.iter().skip(1)).as_str());
    }
    span
}

/// The same in the span of another of those attempts, when it is done.
pub(super) fn shared_with(what: &'static str, of: &Span, firsts: &[DeliveryId], began: Timestamp) {
    if let Some(first) = firsts.first().filter(|_| !of.is_disabled()) {
        info_span!(target: "instep::trace", parent: of, "shared", called = what,
            persons = firsts.len(), links = first.as_str(), began_ms = began.as_millisecond());
    }
}

fn words<'d>(ids: impl Iterator<Item = &'d DeliveryId>) -> String {
    let ids: Vec<&str> = ids.take(LINKS).map(DeliveryId::as_str).collect();
    ids.join(" ")
}
