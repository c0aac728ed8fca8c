//! Finished spans in the form that OpenTelemetry collectors take: OTLP, as protobuf.
//!
//! The few messages that are needed are written here by hand (see
//! `deploy/decisions/0008-own-otlp.md`). Field numbers are those of
//! opentelemetry-proto 1.x: `collector/trace/v1/trace_service.proto`, `trace/v1/trace.proto`,
//! `resource/v1/resource.proto`, `common/v1/common.proto`.

use jiff::Timestamp;

/// Names a trace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct TraceId(pub [u8; 16]);

/// Names a span within its trace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct SpanId(pub [u8; 8]);

/// What an attribute holds.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Value {
    Text(String),
    Flag(bool),
    Whole(i64),
    Float(f64),
}

/// On which side of a call a span stands, in OTLP's numbers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Side {
    #[default]
    Internal = 1,
    Server = 2,
    Client = 3,
}

/// A span that has ended.
#[derive(Clone, Debug)]
pub(super) struct Finished {
    pub trace: TraceId,
    pub id: SpanId,
    pub parent: Option<SpanId>,
    pub name: String,
    pub side: Side,
    pub began: Timestamp,
    pub ended: Timestamp,
    pub attributes: Vec<(&'static str, Value)>,
    pub links: Vec<(TraceId, SpanId)>,
    pub failed: bool,
}

/// A request that carries these spans, all of one process.
pub(super) fn request(resource: &[(&'static str, Value)], spans: &[Finished]) -> Vec<u8> {
    let mut scope = Message::default();
    scope.text(1, "instep");
    scope.text(2, env!("CARGO_PKG_VERSION"));
    let mut scope_spans = Message::default();
    scope_spans.message(1, &scope);
    for finished in spans {
        scope_spans.message(2, &span(finished));
    }
    let mut origin = Message::default();
    for (key, value) in resource {
        origin.message(1, &attribute(key, value));
    }
    let mut resource_spans = Message::default();
    resource_spans.message(1, &origin);
    resource_spans.message(2, &scope_spans);
    let mut whole = Message::default();
    whole.message(1, &resource_spans);
    whole.0
}

fn span(finished: &Finished) -> Message {
    let mut span = Message::default();
    span.bytes(1, &finished.trace.0);
    span.bytes(2, &finished.id.0);
    if let Some(parent) = finished.parent {
        span.bytes(4, &parent.0);
    }
    span.text(5, &finished.name);
    span.number(6, finished.side as u64);
    span.fixed(7, nanoseconds(finished.began));
    span.fixed(8, nanoseconds(finished.ended));
    for (key, value) in &finished.attributes {
        span.message(9, &attribute(key, value));
    }
    for (trace, id) in &finished.links {
        let mut link = Message::default();
        link.bytes(1, &trace.0);
        link.bytes(2, &id.0);
        span.message(13, &link);
    }
    if finished.failed {
        let mut status = Message::default();
        status.number(3, 2);
        span.message(15, &status);
    }
    span
}

fn attribute(key: &str, value: &Value) -> Message {
    let mut any = Message::default();
    match value {
        Value::Text(text) => any.text(1, text),
        Value::Flag(flag) => any.number(2, u64::from(*flag)),
        // Negative numbers are written as their two's complement.
        Value::Whole(number) => any.number(3, number.cast_unsigned()),
        Value::Float(number) => any.fixed(4, number.to_bits()),
    }
    let mut attribute = Message::default();
    attribute.text(1, key);
    attribute.message(2, &any);
    attribute
}

fn nanoseconds(at: Timestamp) -> u64 {
    u64::try_from(at.as_nanosecond()).unwrap_or(0)
}

/// A protobuf message that is being written.
#[derive(Default)]
struct Message(Vec<u8>);

impl Message {
    /// Seven bits at a time, the lowest first; all but the last say that more follow.
    fn varint(&mut self, mut number: u64) {
        while number >= 0x80 {
            let [low, ..] = number.to_le_bytes();
            self.0.push(low | 0x80);
            number >>= 7;
        }
        let [low, ..] = number.to_le_bytes();
        self.0.push(low);
    }

    fn key(&mut self, field: u64, wire: u64) {
        self.varint(field << 3 | wire);
    }

    fn number(&mut self, field: u64, number: u64) {
        self.key(field, 0);
        self.varint(number);
    }

    fn fixed(&mut self, field: u64, number: u64) {
        self.key(field, 1);
        self.0.extend_from_slice(&number.to_le_bytes());
    }

    fn bytes(&mut self, field: u64, bytes: &[u8]) {
        self.key(field, 2);
        self.varint(bytes.len() as u64);
        self.0.extend_from_slice(bytes);
    }

    fn text(&mut self, field: u64, text: &str) {
        self.bytes(field, text.as_bytes());
    }

    fn message(&mut self, field: u64, message: &Self) {
        self.bytes(field, &message.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_written_as_protobuf_says() {
        let mut message = Message::default();
        message.number(1, 300);
        message.text(2, "testing");
        // Both examples stand in the description of the encoding.
        assert_eq!(message.0, b"\x08\xac\x02\x12\x07testing");
        let value = attribute("n", &Value::Whole(-2));
        assert_eq!(value.0, b"\x0a\x01n\x12\x0b\x18\xfe\xff\xff\xff\xff\xff\xff\xff\xff\x01");
        let value = attribute("f", &Value::Float(1.0));
        assert_eq!(value.0, b"\x0a\x01f\x12\x09\x21\0\0\0\0\0\0\xf0\x3f");
    }
}
