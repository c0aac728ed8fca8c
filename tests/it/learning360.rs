//! The adapter for 360Learning against a small far end that behaves as documented and misbehaves
//! on command: what is asked, in how many calls, with which bodies, and what each answer leads to.
//! Groups, custom fields, managers and what belongs to them are tried in the sandbox's company.

mod catalogue;
mod changes;
mod connection;
mod custom_fields;
mod dates;
mod far_end;
mod find;
mod groups;
mod managers;
mod names;
mod protection;
mod refusals;
mod snapshot;
mod town;
