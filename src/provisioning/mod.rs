//! The decisions: pure and synchronous. They cannot do I/O and cannot tell the time.
//!
//! [`rules`] turns a record into the account that should be, with [`filters`] that tidy values;
//! [`matching`] says whose account a
//! candidate is; [`planning`] lists the steps from what is to what should be; [`drift`] says who is
//! out of step.
//!
//! For everyone at once: [`certificate`] says whether HR's answer was complete, [`brake`] what of a
//! run's plan may go on without a human, [`alike`] what the people of a held slice have in common,
//! [`blame`] why somebody is out of step.

pub mod alike;
pub mod blame;
pub mod brake;
pub mod certificate;
pub mod drift;
pub mod filters;
pub mod language;
pub mod matching;
pub mod planning;
pub mod resolving;
pub mod rules;
