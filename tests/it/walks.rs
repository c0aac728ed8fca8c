//! The walks: what happens in HR arrives in the LMS, seen from outside, on every store.
//!
//! Each walk starts the real binary between the two doubles and looks at what the LMS holds in the
//! end, and where it matters at how many calls that took.

mod changes;
mod choices;
mod custom_fields;
mod dates;
mod groups;
mod hires;
mod hr_trouble;
mod leavers;
mod lms_trouble;
mod managers;
mod many;
mod matching;
mod pauses;
mod receiving;
mod together;
mod usernames;

use instep::sandbox::Options;

use crate::harness::town::patient;

/// Makes each walk a test on each store.
macro_rules! on_both {
    ($($walk:ident)+) => {
        mod on_sqlite {
            $(
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $walk() {
                    Box::pin(super::$walk(crate::harness::town::Kept::Sqlite)).await;
                }
            )+
        }
        mod on_redis {
            $(
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $walk() {
                    Box::pin(super::$walk(crate::harness::town::Kept::Redis)).await;
                }
            )+
        }
    };
}
use on_both;

/// Nobody works there.
fn empty() -> Options {
    small(0)
}

/// So many people, and an LMS that knows nobody.
fn small(people: usize) -> Options {
    Options { people, ..Options::default() }
}

/// So many people, and an LMS in step with HR that bears Instep's ids, but not Instep's memory.
fn stepping(people: usize) -> Options {
    Options { in_step: true, platform: Some("instep-bob".to_owned()), ..small(people) }
}

/// As [`patient`], and everybody may be made at once.
fn unbraked(toml: &mut String) {
    patient(toml);
    *toml = toml.replace("[brake]\n", "[brake]\ncreate = { percent = 100, least = 10_000 }\n");
}

/// Adds to the rules: keys of `[rules]` itself, and whole tables.
fn ruled(keys: &str, tables: &str) -> impl FnOnce(&mut String) + use<> {
    let (keys, tables) = (format!("[rules]\n{keys}"), tables.to_owned());
    move |toml| {
        *toml = toml.replace("[rules]\n", &keys);
        toml.push('\n');
        toml.push_str(&tables);
    }
}
