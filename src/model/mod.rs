//! The nouns of the trade: plain data that every part understands. No I/O, no async, no clock.

pub mod account;
pub mod actor;
pub mod audit;
pub mod catalogue;
pub mod cause;
pub mod delivery;
pub mod employee;
pub mod event;
pub mod explanation;
pub mod failure;
pub mod ids;
pub mod item;
pub mod link;
pub mod page;
pub mod pause;
pub mod pulse;
pub mod question;
pub mod run;
pub mod slice;
pub mod story;
pub mod verb;
pub mod words;

pub use account::{
    Account, AccountStatus, Candidate, Change, CustomWish, Desired, Done, Field, FoundBy, Kept,
    ManagerKey, Membership, OnBad, Probe, Role, Strength,
};
pub use actor::{Access, Actor, Proof, Via};
pub use audit::AuditEntry;
pub use catalogue::{Catalogue, CustomField, CustomKind, Group, Needs};
pub use delivery::{Attempt, Delivery, DeliveryState, IN_BULK, Lane};
pub use employee::{Answer, Record, Seen};
pub use event::{
    APPOINTMENT, ASKED, Arrival, DELETED, Event, FORGOTTEN, Fate, LEASE_LOST, MANAGER_ARRIVED,
};
pub use failure::{Failure, Which};
pub use ids::{
    AccountId, AuditId, CustomFieldId, DeliveryId, EmployeeId, EventId, GroupId, Person, RunId,
    SourceName,
};
pub use item::{Again, Blame, Drift, Item, ItemState};
pub use link::{Appointment, Choice, GivenManager, Intent, Link, Miss};
pub use page::Page;
pub use pause::{Pause, PauseScope, Pauses};
pub use pulse::{BudgetUse, Going, Latency, Need, Pulse, Span, SyncPulse};
pub use question::{Question, Somebody};
pub use run::{
    Approval, Certificate, Order, Personal, Run, RunKind, RunState, SYNC, SYNC_ABSENT, Unconfirmed,
    linked_note,
};
pub use slice::{ChangeKind, Rejection, Slice, SliceState};
pub use verb::{Outcome, Refused, Selection, Verb};
