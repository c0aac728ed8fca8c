//! The nouns of the trade: plain data that every part understands. No I/O, no async, no clock.

pub mod account;
pub mod catalogue;
pub mod delivery;
pub mod employee;
pub mod event;
pub mod ids;
pub mod link;
pub mod run;

pub use account::{
    Account, AccountStatus, Candidate, Change, CustomWish, Desired, Done, Field, FoundBy, Kept,
    ManagerKey, Membership, OnBad, Probe, Role, Strength,
};
pub use catalogue::{Catalogue, CustomField, CustomKind, Group, Needs};
pub use delivery::{Attempt, Delivery, DeliveryState, Lane};
pub use employee::{Answer, Record, Seen};
pub use event::{APPOINTMENT, Arrival, Event, Fate, MANAGER_ARRIVED};
pub use ids::{
    AccountId, CustomFieldId, DeliveryId, EmployeeId, EventId, GroupId, Person, SourceName,
};
pub use link::{Appointment, Choice, GivenManager, Intent, Link, Miss};
pub use run::{
    Blame, Certificate, ChangeKind, Drift, Item, ItemState, Order, Personal, Run, RunId, RunState,
    SYNC, SYNC_ABSENT, Slice, SliceState, linked_note,
};
