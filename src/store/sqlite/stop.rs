//! Why a piece of work with the file ended early, and what its caller is told.

use std::error::Error;
use std::sync::Arc;

use super::advice;
use crate::store::StoreError;

/// Why a piece of work ended early.
pub(super) enum Stop {
    /// SQLite could not.
    Sqlite(rusqlite::Error),
    /// A store's refusal, as the caller gets it.
    Store(StoreError),
    /// Something around SQLite could not.
    Other(Box<dyn Error + Send + Sync>),
}

impl Stop {
    /// The store did what it promises, and its answer is no.
    pub fn is_refusal(&self) -> bool {
        matches!(self, Self::Store(_))
    }

    /// The error of whoever called.
    pub fn while_doing(self, doing: &'static str) -> StoreError {
        let source = match self {
            Self::Store(error) => return error,
            Self::Sqlite(error) => advice::advise(error.sqlite_error_code(), error.into()),
            Self::Other(error) => {
                let sqlite = error.downcast_ref::<Arc<rusqlite::Error>>();
                advice::advise(sqlite.and_then(|error| error.sqlite_error_code()), error)
            }
        };
        StoreError::Unavailable { doing, source }
    }
}

impl From<rusqlite::Error> for Stop {
    fn from(error: rusqlite::Error) -> Self {
        Self::Sqlite(error)
    }
}

impl From<StoreError> for Stop {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}
