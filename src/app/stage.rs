//! How far a run is, in words: for the terminal, the console and programs alike.

use std::fmt::Write as _;

use crate::model::Going;
use crate::model::words::{count, number, people};
use crate::reconcile::{Progress, Stage};

/// How far a run is, for pages.
pub(super) fn going(progress: &Progress) -> Going {
    let share = match progress.stage {
        Stage::Comparing { done, all }
        | Stage::Previewing { done, all }
        | Stage::Queueing { done, all } => Some((done, all)),
        Stage::Applying { settled, all, .. } => Some((settled, all)),
        _ => None,
    };
    Going { run: progress.run.clone(), words: stage_words(&progress.stage), share }
}

/// A stage in words: `applying: 120 of 430, 3 failed, 31 s left`.
pub fn stage_words(stage: &Stage) -> String {
    match stage {
        Stage::Beginning => "reading what is known of everybody's accounts".to_owned(),
        Stage::ReadingLms { accounts, members: 0 } => {
            format!("reading the LMS: {}", count(*accounts, "account", "accounts"))
        }
        Stage::ReadingLms { accounts, members } => {
            let accounts = count(*accounts, "account", "accounts");
            let members = count(*members, "membership", "memberships");
            format!("reading the LMS: {accounts}, {members}")
        }
        Stage::ReadingHr { people } => format!("reading HR: {}", self::people(*people)),
        Stage::Comparing { done, all } => {
            format!("looking for causes: {} of {}", number(*done), number(*all))
        }
        Stage::Previewing { done: 0, all } => {
            format!("counting: {}", count(*all, "delivery", "deliveries"))
        }
        Stage::Previewing { done, all } => {
            format!("previewing: {} of {}", number(*done), count(*all, "delivery", "deliveries"))
        }
        Stage::Queueing { done, all } => format!("queueing: {} of {}", number(*done), number(*all)),
        Stage::Applying { settled, all, failed, seconds_left } => {
            let mut text = format!("applying: {} of {}", number(*settled), number(*all));
            if *failed > 0 {
                let _ = write!(text, ", {} failed", number(*failed));
            }
            if let Some(left) = seconds_left {
                let _ = write!(text, ", about {} left", time(*left));
            }
            text
        }
        Stage::Ended => "ended".to_owned(),
    }
}

fn time(seconds: u64) -> String {
    match seconds {
        0..60 => format!("{seconds} s"),
        60..3_600 => format!("{} min", seconds.div_ceil(60)),
        _ => format!("{} h {} min", seconds / 3_600, seconds % 3_600 / 60),
    }
}

#[cfg(test)]
mod tests {
    use super::{Stage, stage_words as words};

    #[test]
    fn each_stage_says_how_far_it_is() {
        let applying = |failed, seconds_left| Stage::Applying {
            settled: 1_200,
            all: 43_000,
            failed,
            seconds_left,
        };
        assert_eq!(words(&applying(0, None)), "applying: 1,200 of 43,000");
        let text = words(&applying(3, Some(4_180)));
        assert_eq!(text, "applying: 1,200 of 43,000, 3 failed, about 1 h 9 min left");
        assert!(words(&applying(0, Some(61))).ends_with("about 2 min left"));
        let reading = Stage::ReadingLms { accounts: 999, members: 0 };
        assert_eq!(words(&reading), "reading the LMS: 999 accounts");
    }
}
