//! Who may: sign-in by password and at a real OpenID provider, sessions, tokens, what stands before
//! every page, and what of it is written down.

mod commands;
mod guarding;
pub mod house;
mod passwords;
mod provider;
mod sessions;
mod tokens;
