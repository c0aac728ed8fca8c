//! HiBob as a source: webhooks v2 in, `people/search` out.

mod answer;
pub mod client;
pub mod everyone;
mod limits;
mod probe;
pub mod webhook;
pub mod wire;
