//! Any bytes as an answer to `people/search` and to the field metadata: record parsing.
#![no_main]

#[path = "../properties.rs"]
#[allow(dead_code, reason = "each target uses its part")]
mod properties;

libfuzzer_sys::fuzz_target!(|body: &[u8]| properties::search_answer(body));
