//! Instep keeps a Learning Management System in step with HR.
//!
//! A source (HiBob) says *who* changed; a worker reads that person again, decides from what is true
//! now, and applies the smallest change to the target (360Learning). Reading order:
//!
//! 1. [`model`]: the nouns. Plain data, no I/O.
//! 2. [`provisioning`]: the decisions. Pure functions over the nouns.
//! 3. [`sources`] and [`targets`]: where employees come from, where accounts live.
//! 4. [`store`]: what must survive a restart.
//! 5. [`access`]: who may: users, sessions, tokens, sign-in at an OpenID provider.
//! 6. [`worker`]: the one road: lease, read, decide, apply, settle.
//! 7. [`reconcile`]: the full sync: finds who is out of step and queues them; it changes nothing.
//! 8. [`http`]: what comes in by HTTP. It takes in and looks; it never changes a target.
//! 9. [`report`]: a run told to people; [`notify`]: mail and chat, only when a state changes.
//! 10. [`sandbox`]: a HiBob and a 360Learning to practise on, over real HTTP.
//! 11. [`app`]: the one place where everything is put together; [`cli`] is how people reach it.
//!
//! Beside them: [`config`], the typed configuration; [`clock`], the time as a thing that is passed in;
//! [`schedule`], what runs when; [`telemetry`], logs, metrics and traces.
//!
//! Who may know whom is held by `tests/it/layers.rs`.

pub mod access;
pub mod app;
pub mod cli;
pub mod clock;
pub mod config;
pub mod http;
pub mod model;
pub mod notify;
pub mod provisioning;
pub mod reconcile;
pub mod report;
pub mod sandbox;
pub mod schedule;
pub mod sources;
pub mod store;
pub mod targets;
pub mod telemetry;
pub mod worker;
