//! What must hold for any bytes at all, as functions: the fuzz targets and the property tests call
//! the same ones.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use instep::model::{Arrival, Fate, Lane, Seen, SourceName};
use instep::sources::hibob::webhook::{NotJson, Verifier, arrival, is_ping};
use instep::sources::hibob::wire;
use jiff::Timestamp;
use sha2::Sha512;

/// The secret of the test vectors.
pub const SECRET: &str = "test-secret";

/// Signs as HiBob does.
pub fn sign(secret: &str, body: &[u8]) -> String {
    let mut mac = Hmac::<Sha512>::new_from_slice(secret.as_bytes()).expect("a key of any length");
    mac.update(body);
    STANDARD.encode(mac.finalize().into_bytes())
}

/// Makes an arrival from a body that HiBob signed.
pub fn arrive(body: &[u8], company: Option<&str>) -> Result<Arrival, NotJson> {
    let checker = Verifier::new(&[SECRET.into()]);
    let signature = sign(SECRET, body);
    let verified = checker.verify(Some(signature.as_bytes()), body).expect("a good signature");
    arrival(verified, &SourceName::new("bob"), company, Timestamp::UNIX_EPOCH)
}

/// A signed body of any bytes ends in an arrival or in "not JSON", and what is kept of it is
/// bounded and can be shown.
pub fn webhook_body(body: &[u8]) {
    let _ = is_ping(body);
    let Ok(Arrival { event, fate, .. }) = arrive(body, Some("990017")) else { return };
    assert_eq!(event.raw, body);
    assert_eq!(event.id.as_str().len(), 64);
    assert!(!event.kind.is_empty() && event.kind.chars().count() <= 200);
    assert!(!event.kind.contains(char::is_control));
    if let Some(employee) = &event.employee {
        assert!((1..=64).contains(&employee.as_str().len()));
        assert!(employee.as_str().bytes().all(|c| c.is_ascii_graphic()));
    }
    match fate {
        Fate::Deliver(lane) => {
            assert_eq!(lane, Lane::Live);
            assert!(event.employee.is_some());
            assert!(event.kind.starts_with("employee.") || event.kind.starts_with("table.entry."));
        }
        Fate::Ignore(reason) => assert!(!reason.contains(char::is_control)),
    }
}

/// An answer of any bytes ends in people with ids or in an error; records keep no slash keys.
pub fn search_answer(body: &[u8]) {
    let _ = wire::fields(body);
    let Ok(people) = wire::people(body) else { return };
    for (id, record) in &people.records {
        assert_eq!(record.see("root.id"), Seen::Value(&id.as_str().into()));
        let members = record.0.as_object().expect("an object");
        assert!(members.keys().all(|key| !key.starts_with('/')));
    }
}
