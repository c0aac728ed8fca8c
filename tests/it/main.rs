//! The tests that come in by the front door: one binary, one module a subject.

mod api;
mod cli;
mod config;
mod console;
mod crash;
mod filters;
mod harness;
mod hibob;
mod http;
mod layers;
mod learning360;
mod marked;
mod notify;
mod observe;
mod pages;
mod reconcile;
mod replaying;
mod report;
mod rules;
mod ruling;
mod runs;
mod sandbox;
mod store;
mod walks;
mod who;
