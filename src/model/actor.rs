//! Who does something here: a person who signed in, a program with a token, or whoever types a
//! command on the machine.

use std::fmt;

use serde::{Deserialize, Serialize};

/// What somebody may do; each may what the one before may.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(rename_all = "snake_case")]
pub enum Access {
    /// Sees everything but personal data, and changes nothing.
    #[default]
    Viewer,
    /// Runs, replays and decides; sees personal data when asking for it, which is written down.
    Operator,
    /// Also says who may do what, forgets people and changes the rules.
    Administrator,
}

impl Access {
    /// All of them, the least first.
    pub const ALL: [Self; 3] = [Self::Viewer, Self::Operator, Self::Administrator];

    /// The word that people read and type.
    pub fn word(self) -> &'static str {
        match self {
            Self::Viewer => "viewer",
            Self::Operator => "operator",
            Self::Administrator => "administrator",
        }
    }
}

/// Against what a password or a token is checked: its hash, which proves it and does not tell it.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Proof(String);

impl Proof {
    /// Takes the hash as it is.
    pub fn new(hash: impl Into<String>) -> Self {
        Self(hash.into())
    }

    /// The hash.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

/// Passwords that people choose can be guessed from their hash.
impl fmt::Debug for Proof {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Proof(…)")
    }
}

/// By which way somebody came in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Via {
    /// The command line, on a machine that has the configuration.
    Cli,
    /// The console.
    Console,
    /// The API, with a token.
    Api,
}

impl Via {
    /// The word that people read.
    pub fn word(self) -> &'static str {
        match self {
            Self::Cli => "cli",
            Self::Console => "console",
            Self::Api => "api",
        }
    }
}

/// Who does something, with what they may do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Actor {
    /// The name by which they signed in, or the token's name.
    pub name: String,
    /// What they may do.
    pub access: Access,
    /// By which way they came in.
    pub via: Via,
    /// The address they came from, when they came by a network.
    pub from: Option<String>,
}

impl Actor {
    /// Whoever types a command: they have the configuration and the store, so they may everything.
    pub fn at_the_command_line(name: &str) -> Self {
        Self { name: name.to_owned(), access: Access::Administrator, via: Via::Cli, from: None }
    }
}
