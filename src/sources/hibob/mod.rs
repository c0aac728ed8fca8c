//! HiBob as a source: webhooks v2 in, `people/search` out.

pub mod client;
pub mod webhook;
pub mod wire;
