//! The nouns of the trade: plain data that every part understands. No I/O, no async, no clock.

pub mod account;
pub mod delivery;
pub mod employee;
pub mod event;
pub mod ids;
pub mod link;

pub use account::{
    Account, AccountStatus, Candidate, Change, Desired, Done, Field, FoundBy, Kept, Probe, Role,
    Strength,
};
pub use delivery::{Attempt, Delivery, DeliveryState, Lane};
pub use employee::{Answer, Record, Seen};
pub use event::{Arrival, Event, Fate};
pub use ids::{AccountId, DeliveryId, EmployeeId, EventId, GroupId, Person, SourceName};
pub use link::{Intent, Link};
