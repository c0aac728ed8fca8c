//! Any bytes as the body of a signed webhook.
#![no_main]

#[path = "../properties.rs"]
#[allow(dead_code, reason = "each target uses its part")]
mod properties;

libfuzzer_sys::fuzz_target!(|body: &[u8]| properties::webhook_body(body));
