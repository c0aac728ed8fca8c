//! The adapter for 360Learning against a small far end that behaves as documented and misbehaves
//! on command: what is asked, in how many calls, with which bodies, and what each answer leads to.

mod budget;
mod changes;
mod connection;
mod far_end;
mod find;
mod refusals;
