//! The tests that come in by the front door.
