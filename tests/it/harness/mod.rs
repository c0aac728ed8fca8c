//! What tests stand on: a Redis of their own, the doubles, the binary.

pub mod budgets;
pub mod dying;
pub mod guarded;
pub mod redis;
pub mod smtp;
pub mod town;
