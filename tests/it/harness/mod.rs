//! What tests stand on: a Redis of their own, the doubles, the binary.

pub mod dying;
pub mod redis;
pub mod smtp;
pub mod town;
