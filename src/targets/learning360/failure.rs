//! How something went wrong that several callers wait for: each of them is told.

use std::time::Duration;

use crate::targets::TargetError;

/// A failure that concerns whoever waited for the same.
#[derive(Clone, Debug)]
pub(super) enum Failure {
    Wait(Duration),
    Again(String),
    Hold(String),
    LookAgain { code: String, advice: String },
    Refused { code: String, advice: String },
}

impl Failure {
    /// The failure as others may be told it; `None` when it concerns the caller alone: its time was
    /// up, or the store that keeps its budget was not there.
    pub fn of(error: &TargetError) -> Option<Self> {
        let told = |code: &String, advice: &String| (code.clone(), advice.clone());
        Some(match error {
            TargetError::Wait { after } => Self::Wait(*after),
            TargetError::Again(why) => Self::Again(why.clone()),
            TargetError::Hold(why) => Self::Hold(why.clone()),
            TargetError::LookAgain { code, advice } => {
                let (code, advice) = told(code, advice);
                Self::LookAgain { code, advice }
            }
            TargetError::Refused { code, advice } => {
                let (code, advice) = told(code, advice);
                Self::Refused { code, advice }
            }
            TargetError::OutOfTime | TargetError::Store(_) => return None,
        })
    }
}

impl From<Failure> for TargetError {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Wait(after) => Self::Wait { after },
            Failure::Again(why) => Self::Again(why),
            Failure::Hold(why) => Self::Hold(why),
            Failure::LookAgain { code, advice } => Self::LookAgain { code, advice },
            Failure::Refused { code, advice } => Self::Refused { code, advice },
        }
    }
}
