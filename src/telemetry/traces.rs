//! Traces: what happened to each delivery and how long it took, from the webhook to the LMS's
//! answer.
//!
//! Promises: one trace a delivery, whose id is the delivery's id without its dashes, so that it need
//! not be stored anywhere and whoever has the one has the other; nothing is written into a span but
//! what the code names, and that is never personal data; a collector that is slow or away costs
//! spans and nothing else.
//!
//! Any part of the program may make a span, with `tracing` alone: those of the target
//! `instep::trace`. Some fields say what the span is; all others become attributes:
//!
//! | field | |
//! |---|---|
//! | `delivery` | the delivery whose trace this belongs to; otherwise it is its parent's |
//! | `root` | it is where that trace begins |
//! | `links` | deliveries whose traces it is linked with, with blanks between them |
//! | `began_ms` | when it began, if that was before it was made: milliseconds since 1970 |
//! | `side` | `server` or `client`, of a call |
//! | `called` | its name, if that is not known when the program is built |
//! | `failed` | it did not end well |
//!
//! A span that belongs to no delivery is not sent.

use std::fmt;

use jiff::Timestamp;
use sha2::{Digest as _, Sha256};
use tokio::sync::mpsc;
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::Context;
use tracing_subscriber::registry::LookupSpan;

use super::otlp::{Finished, Side, SpanId, TraceId, Value};
use crate::clock::Clock;

/// The target of the spans that are sent.
pub(super) const TARGET: &str = "instep::trace";

/// The longest attribute, in bytes; one that is longer is left out.
const LONGEST: usize = 512;

impl TraceId {
    /// The trace of a delivery.
    pub fn of(delivery: &str) -> Self {
        match uuid::Uuid::try_parse(delivery) {
            Ok(id) if !id.is_nil() => Self(*id.as_bytes()),
            _ => {
                let hash = Sha256::digest(delivery.as_bytes());
                let mut id = [0; 16];
                id.copy_from_slice(&hash[..16]);
                Self(id)
            }
        }
    }

    /// The span where the trace begins.
    pub fn root(self) -> SpanId {
        let mut id = [0; 8];
        id.copy_from_slice(&self.0[8..]);
        // A delivery's id is random there; nothing but zeroes is no id.
        id[0] |= 1;
        SpanId(id)
    }

    /// A number that is spread evenly over all traces: the last bits of a UUID are random.
    fn lot(self) -> u32 {
        let [.., a, b, c, d] = self.0;
        u32::from_be_bytes([a, b, c, d])
    }
}

/// Gathers spans as they end.
pub(super) struct Gathering {
    clock: Clock,
    percent: u32,
    out: mpsc::Sender<Finished>,
}

impl Gathering {
    /// Of so many percent of the deliveries. What `out` has no room for is lost.
    pub fn new(percent: u32, out: mpsc::Sender<Finished>) -> Self {
        Self { clock: Clock::system(), percent, out }
    }

    fn is_wanted(&self, trace: TraceId) -> bool {
        u64::from(trace.lot()) * 100 < u64::from(self.percent) << 32
    }
}

/// A span that has not ended.
#[derive(Debug)]
struct Open {
    name: String,
    began: Timestamp,
    id: SpanId,
    delivery: Option<TraceId>,
    root: bool,
    links: Vec<TraceId>,
    side: Side,
    failed: bool,
    attributes: Vec<(&'static str, Value)>,
}

impl Open {
    /// Its name in its trace.
    fn id(&self) -> SpanId {
        match self.delivery {
            Some(trace) if self.root => trace.root(),
            _ => self.id,
        }
    }

    fn text(&mut self, field: &Field, text: &str) {
        match field.name() {
            "delivery" => {
                self.delivery = Some(TraceId::of(text));
                self.attributes.push(("delivery", Value::Text(text.to_owned())));
            }
            "links" => self.links.extend(text.split_whitespace().map(TraceId::of)),
            "called" => text.clone_into(&mut self.name),
            "side" => {
                self.side = if text == "server" { Side::Server } else { Side::Client };
            }
            name if text.len() <= LONGEST => {
                self.attributes.push((name, Value::Text(text.to_owned())));
            }
            _ => {}
        }
    }
}

impl Visit for Open {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.text(field, value);
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.text(field, &format!("{value:?}"));
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        match field.name() {
            "root" => self.root = value,
            "failed" => self.failed = value,
            name => self.attributes.push((name, Value::Flag(value))),
        }
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        match field.name() {
            "began_ms" => self.began = Timestamp::from_millisecond(value).unwrap_or(self.began),
            name => self.attributes.push((name, Value::Whole(value))),
        }
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.record_i64(field, i64::try_from(value).unwrap_or(i64::MAX));
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        self.attributes.push((field.name(), Value::Float(value)));
    }
}

impl<S> Layer<S> for Gathering
where
    S: tracing::Subscriber + for<'a> LookupSpan<'a>,
{
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        let Some(span) = context.span(id) else { return };
        let mut open = Open {
            name: span.name().to_owned(),
            began: self.clock.now(),
            // Zero is no id.
            id: SpanId(fastrand::u64(1..).to_be_bytes()),
            delivery: None,
            root: false,
            links: Vec::new(),
            side: Side::default(),
            failed: false,
            attributes: Vec::new(),
        };
        attributes.record(&mut open);
        span.extensions_mut().insert(open);
    }

    fn on_record(&self, id: &Id, values: &Record<'_>, context: Context<'_, S>) {
        if let Some(span) = context.span(id)
            && let Some(open) = span.extensions_mut().get_mut::<Open>()
        {
            values.record(open);
        }
    }

    fn on_close(&self, id: Id, context: Context<'_, S>) {
        let Some(span) = context.span(&id) else { return };
        let Some(open) = span.extensions_mut().remove::<Open>() else { return };
        let (trace, parent) = if let Some(trace) = open.delivery {
            (trace, (!open.root).then(|| trace.root()))
        } else {
            let (mut trace, mut parent) = (None, None);
            for around in span.scope().skip(1) {
                let extensions = around.extensions();
                let Some(around) = extensions.get::<Open>() else { continue };
                parent.get_or_insert(around.id());
                trace = around.delivery;
                if trace.is_some() {
                    break;
                }
            }
            let Some(trace) = trace else { return };
            (trace, parent)
        };
        if !self.is_wanted(trace) {
            return;
        }
        let links = open.links.iter().map(|trace| (*trace, trace.root())).collect();
        let finished = Finished {
            trace,
            id: open.id(),
            parent,
            name: open.name,
            side: open.side,
            began: open.began,
            ended: self.clock.now(),
            attributes: open.attributes,
            links,
            failed: open.failed,
        };
        if self.out.try_send(finished).is_err() {
            metrics::counter!("instep_trace_spans_total", "outcome" => "dropped").increment(1);
        }
    }
}

#[cfg(test)]
mod tests {
    use tracing::info_span;
    use tracing_subscriber::layer::SubscriberExt as _;

    use super::*;

    const ONE: &str = "019ab2c3-0000-7000-8000-00000000f001";
    const OTHER: &str = "019ab2c3-0000-7000-8000-00000000f002";

    fn gathered(percent: u32, work: impl FnOnce()) -> Vec<Finished> {
        let (out, mut spans) = mpsc::channel(64);
        let layer = Gathering::new(percent, out);
        tracing::subscriber::with_default(tracing_subscriber::registry().with(layer), work);
        std::iter::from_fn(|| spans.try_recv().ok()).collect()
    }

    #[test]
    fn a_trace_begins_at_its_root_and_everything_hangs_below() {
        let spans = gathered(100, || {
            let root = info_span!(target: TARGET, "webhook", delivery = tracing::field::Empty,
                root = true, side = "server");
            root.in_scope(|| {
                let accept = info_span!(target: TARGET, "accept");
                root.record("delivery", ONE);
                drop(accept);
            });
            drop(root);
            let attempt = info_span!(target: TARGET, parent: None, "attempt", delivery = ONE,
                links = OTHER, deliveries = 2);
            let call = info_span!(target: TARGET, parent: &attempt, "call", called = "PATCH /users",
                side = "client", failed = true);
            drop(call);
        });
        let [accept, webhook, call, attempt] = &spans[..] else { panic!("{spans:#?}") };
        let trace = TraceId::of(ONE);
        assert!(spans.iter().all(|span| span.trace == trace));
        assert_eq!((webhook.id, webhook.parent), (trace.root(), None));
        assert_eq!(accept.parent, Some(trace.root()));
        assert_eq!(attempt.parent, Some(trace.root()));
        assert_eq!(attempt.links, [(TraceId::of(OTHER), TraceId::of(OTHER).root())]);
        assert_eq!((call.parent, call.name.as_str()), (Some(attempt.id), "PATCH /users"));
        assert!(call.failed && call.side == Side::Client && webhook.side == Side::Server);
        assert!(attempt.attributes.contains(&("deliveries", Value::Whole(2))));
    }

    #[test]
    fn what_belongs_to_no_delivery_is_not_sent() {
        let spans = gathered(100, || {
            let _ = info_span!(target: TARGET, "call").entered();
        });
        assert!(spans.is_empty());
    }

    #[test]
    fn of_many_a_share_is_taken_and_each_wholly() {
        let ids: Vec<String> = (0..4_000).map(|_| uuid::Uuid::now_v7().to_string()).collect();
        let of = |percent| {
            let (out, _) = mpsc::channel(1);
            let layer = Gathering::new(percent, out);
            ids.iter().filter(|id| layer.is_wanted(TraceId::of(id))).count()
        };
        assert_eq!((of(0), of(100)), (0, ids.len()));
        let share = of(25);
        assert!((800..1_200).contains(&share), "{share} of {}", ids.len());
    }

    #[test]
    fn a_delivery_s_id_without_dashes_is_its_trace_s() {
        let id = u128::from_be_bytes(TraceId::of(ONE).0);
        assert_eq!(format!("{id:032x}"), ONE.replace('-', ""));
        assert_ne!(TraceId::of("no uuid").0, [0; 16]);
    }
}
