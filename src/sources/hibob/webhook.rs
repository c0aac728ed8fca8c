//! HiBob's webhooks: raw bytes become a verified body, and that an arrival for the queue.
//!
//! Promises: only a body whose signature fits is parsed; any bytes at all end in an answer, never
//! in a panic or an exhausted stack; the envelope is read as leniently as HiBob's documents and
//! its tenants differ, because an event is only the reason to read the person again.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use hmac::{Hmac, KeyInit as _, Mac as _};
use jiff::Timestamp;
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::value::RawValue;
use sha2::Sha512;

use super::wire;
use crate::model::{Arrival, DeliveryId, EmployeeId, Event, EventId, Fate, Lane, SourceName};

/// The longest event type that is kept, in characters.
const LONGEST_KIND: usize = 200;
/// The longest company id that is kept, in characters.
const LONGEST_COMPANY: usize = 64;
/// 64 bytes in base64 with padding.
const SIGNATURE_LENGTH: usize = 88;

/// Whether this looks like a signature, fitting or not: whoever tries doors at random has none.
pub fn is_signature(signature: Option<&[u8]>) -> bool {
    signature.is_some_and(|text| {
        text.len() == SIGNATURE_LENGTH && STANDARD.decode(text).is_ok_and(|it| it.len() == 64)
    })
}

/// Whether this is the ping that HiBob sends when a webhook is made: `Ping test`, bare or quoted,
/// or `{"text":"Ping test"}`. It is answered 200 without a signature, because at that moment the
/// operator may not have the secret yet, and makes nothing.
pub fn is_ping(body: &[u8]) -> bool {
    let body = body.trim_ascii();
    body == b"Ping test"
        || body == br#""Ping test""#
        // Longer bodies are no ping: they are not worth parsing before the signature is checked.
        || (body.len() <= 64
            && serde_json::from_slice::<BTreeMap<String, String>>(body).is_ok_and(|members| {
                members.len() == 1 && members.get("text").is_some_and(|text| text == "Ping test")
            }))
}

/// Checks signatures: `Bob-Signature` is the base64 of HMAC-SHA512 over the raw body, keyed with
/// the UTF-8 bytes of the webhook's secret.
pub struct Verifier(Vec<Secret>);

/// One secret, ready to be tried.
struct Secret {
    keyed: Hmac<Sha512>,
    print: Arc<str>,
}

/// By what secrets are told apart where they must not be known: a few digits, the same for the same
/// secret.
fn print(keyed: &Hmac<Sha512>) -> Arc<str> {
    let mut mac = keyed.clone();
    mac.update(b"which webhook secret of Instep's this is");
    let digits: [u8; 64] = mac.finalize().into_bytes().into();
    let [a, b, c, d, ..] = digits;
    format!("{:08x}", u32::from_be_bytes([a, b, c, d])).into()
}

impl fmt::Debug for Verifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Verifier({} secrets)", self.0.len())
    }
}

/// A body whose signature fits. It is made by [`Verifier::verify`] and nowhere else.
pub struct Verified<'b> {
    body: &'b [u8],
    signed_by: Arc<str>,
}

impl fmt::Debug for Verified<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Verified({} bytes)", self.body.len())
    }
}

impl Verified<'_> {
    /// Which secret signed it: one of [`Verifier::prints`].
    pub fn signed_by(&self) -> &Arc<str> {
        &self.signed_by
    }
}

/// The signature is missing, is not one, or fits none of the secrets. It does not say which: that
/// would help only the wrong person.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the signature is missing or does not fit")]
pub struct BadSignature;

impl Verifier {
    /// Takes signatures made with any of these secrets. An empty secret is left out: anybody could
    /// sign with it.
    pub fn new(secrets: &[SecretString]) -> Self {
        let keyed = secrets
            .iter()
            .map(|secret| secret.expose_secret().as_bytes())
            .filter(|secret| !secret.is_empty())
            .filter_map(|secret| Hmac::new_from_slice(secret).ok());
        Self(keyed.map(|keyed| Secret { print: print(&keyed), keyed }).collect())
    }

    /// A name for each secret, in their order, from which the secret cannot be found.
    pub fn prints(&self) -> Vec<Arc<str>> {
        self.0.iter().map(|secret| Arc::clone(&secret.print)).collect()
    }

    /// Checks the signature in constant time; every secret is tried, so that the time does not
    /// tell which one it was.
    ///
    /// # Errors
    /// [`BadSignature`], without detail.
    pub fn verify<'b>(
        &self,
        signature: Option<&[u8]>,
        body: &'b [u8],
    ) -> Result<Verified<'b>, BadSignature> {
        let signature = signature.filter(|text| text.len() == SIGNATURE_LENGTH);
        let claimed = STANDARD.decode(signature.ok_or(BadSignature)?).map_err(|_| BadSignature)?;
        let mut signed_by = None;
        for secret in &self.0 {
            let mut mac = secret.keyed.clone();
            mac.update(body);
            if mac.verify_slice(&claimed).is_ok() {
                signed_by = Some(&secret.print);
            }
        }
        let signed_by = Arc::clone(signed_by.ok_or(BadSignature)?);
        Ok(Verified { body, signed_by })
    }
}

/// The body is not a JSON object. Says where, never what.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the body is not a JSON object (line {line}, column {column})")]
pub struct NotJson {
    /// The line, from 1.
    pub line: usize,
    /// The column, from 1; 0 when the body is empty.
    pub column: usize,
}

/// Makes an arrival from a verified body. `company` is the configured company id, if any.
///
/// Person events (`employee.…`, `table.entry.…`) that name an employee are to be delivered;
/// everything else is kept with the reason why it is ignored.
///
/// # Errors
/// [`NotJson`] when the body is not a JSON object.
#[expect(clippy::needless_pass_by_value, reason = "a verified body is parsed once")]
pub fn arrival(
    verified: Verified<'_>,
    source: &SourceName,
    company: Option<&str>,
    received_at: Timestamp,
) -> Result<Arrival, NotJson> {
    let body = verified.body;
    let envelope = Envelope::read(body)?;
    let fate = envelope.fate(company);
    let event = Event {
        id: EventId::of(source, body),
        source: source.clone(),
        kind: envelope.kind.unwrap_or_else(|| "unknown".to_owned()),
        company: envelope.company,
        employee: envelope.employee.ok(),
        received_at,
        raw: Bytes::copy_from_slice(body),
    };
    Ok(Arrival { event, fate, delivery: DeliveryId::fresh() })
}

/// What the envelope says, as far as it can be understood.
struct Envelope {
    kind: Option<String>,
    company: Option<String>,
    employee: Result<EmployeeId, NoEmployee>,
    /// Webhooks v1 carried values (`employee{…}`, `creationDate`) and no employee id.
    version_1: bool,
}

enum NoEmployee {
    NotNamed,
    NotAnId,
}

impl Envelope {
    fn read(body: &[u8]) -> Result<Self, NotJson> {
        let members = members(body)
            .map_err(|error| NotJson { line: error.line(), column: error.column() })?;
        let data = object(members.get("data"));
        let named = [data.get("employeeId"), members.get("employeeId")]
            .into_iter()
            .flatten()
            .find(|raw| raw.get() != "null");
        let employee = match named {
            None => Err(NoEmployee::NotNamed),
            Some(raw) => wire::employee_id(raw).ok_or(NoEmployee::NotAnId),
        };
        let company = members.get("companyId").and_then(|raw| wire::id_text(raw));
        Ok(Self {
            kind: members.get("type").and_then(|raw| text(raw)).and_then(|kind| {
                let kind = printable(kind.trim(), LONGEST_KIND);
                (!kind.is_empty()).then_some(kind)
            }),
            company: company.map(|id| printable(&id, LONGEST_COMPANY)),
            version_1: named.is_none()
                && (members.contains_key("creationDate")
                    || !object(members.get("employee")).is_empty()),
            employee,
        })
    }

    fn fate(&self, ours: Option<&str>) -> Fate {
        let Some(kind) = &self.kind else {
            return Fate::Ignore("It has no event type.".to_owned());
        };
        if let (Some(ours), Some(theirs)) = (ours, &self.company)
            && ours.trim() != theirs
        {
            return Fate::Ignore(format!(
                "It speaks of company {theirs}, and `company_id` of this source is {ours}."
            ));
        }
        if !kind.starts_with("employee.") && !kind.starts_with("table.entry.") {
            return Fate::Ignore("Events of this type change nobody's account.".to_owned());
        }
        if self.version_1 {
            return Fate::Ignore(
                "It is a webhook of version 1, which names no employee: make one of version 2 in \
                 Bob under Settings > Integrations > Webhooks."
                    .to_owned(),
            );
        }
        match self.employee {
            Ok(_) => Fate::Deliver(Lane::Live),
            Err(NoEmployee::NotNamed) => Fate::Ignore("It names no employee.".to_owned()),
            Err(NoEmployee::NotAnId) => Fate::Ignore(format!(
                "Its `employeeId` is not an id: digits, or a text of at most {} visible ASCII \
                 characters.",
                wire::LONGEST_ID
            )),
        }
    }
}

/// The members of a JSON object; their values stay unparsed, so no depth can exhaust the stack.
type Members<'b> = BTreeMap<Cow<'b, str>, &'b RawValue>;

fn members(json: &[u8]) -> serde_json::Result<Members<'_>> {
    serde_json::from_slice(json)
}

fn object<'b>(raw: Option<&&'b RawValue>) -> Members<'b> {
    raw.and_then(|raw| members(raw.get().as_bytes()).ok()).unwrap_or_default()
}

fn text(raw: &RawValue) -> Option<String> {
    serde_json::from_str(raw.get()).ok()
}

/// At most so many characters, and none that moves a cursor, turns the reading direction or hides.
fn printable(text: &str, longest: usize) -> String {
    let safe = |c: char| match c {
        '\u{200b}'..='\u{200f}'
        | '\u{2028}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}'
        | '\u{feff}' => char::REPLACEMENT_CHARACTER,
        c if c.is_control() => char::REPLACEMENT_CHARACTER,
        c => c,
    };
    text.chars().take(longest).map(safe).collect()
}
