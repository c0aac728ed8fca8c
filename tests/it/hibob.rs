//! HiBob as a source: the documented bodies, signatures and answers, and what must come of those
//! that are not as documented.

mod client;
mod everyone;
mod far_end;
#[path = "../fuzz/properties.rs"]
mod properties;
mod webhook;
