//! The right to work on one person's deliveries: what is asked for, what is given, what waits.

use std::time::Duration;

use jiff::Timestamp;

use crate::clock::Deadline;
use crate::model::{Choice, Delivery, Lane, Link, Person, SourceName};

/// The right to work on one person's due deliveries for a while. It cannot be copied, and settling
/// consumes it.
#[derive(Debug)]
pub struct Lease {
    /// Whose.
    pub person: Person,
    /// The fencing token: a later lease of this person has another one.
    pub token: String,
    /// No call may still be under way at this moment.
    pub deadline: Deadline,
    /// All deliveries of this person that were due, oldest first, [`Lease::MOST`] at most.
    pub deliveries: Vec<Delivery>,
    /// What is known of the person's account.
    pub link: Option<Link>,
    /// What a human decided about the person's account.
    pub choice: Option<Choice>,
}

impl Lease {
    /// The most deliveries of one person in one lease; further ones come with the next.
    pub const MOST: usize = 1000;
}

/// What to lease.
#[derive(Clone, Debug)]
pub struct LeaseRequest<'a> {
    /// Persons of this source only.
    pub source: &'a SourceName,
    /// So many persons at most.
    pub persons: usize,
    /// For so long.
    pub lasting: Duration,
    /// Nobody is picked for work in this lane, which is paused. Who is picked for other work brings
    /// it along.
    pub without: Option<Lane>,
}

/// What waits to be leased in one source.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Due {
    /// Persons with due deliveries, counted up to the number that was asked for.
    pub persons: usize,
    /// Of them, those with due live work, counted likewise.
    pub live: usize,
    /// When the next person becomes due, when nobody is now.
    pub next: Option<Timestamp>,
}
