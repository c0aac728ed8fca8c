//! Shared budgets: never more calls in any window than the rate says.

use std::time::Duration;

use instep::clock::Clock;
use instep::store::{Grant, Rate};
use proptest::prelude::*;
use proptest::test_runner::TestCaseError;

use super::Fixture;
use crate::store::model::run;

const SEARCHES: Rate = Rate { calls: 50, per: Duration::from_secs(60), burst: 10 };

async fn granted(on: &Fixture, want: u32) -> u32 {
    match on.store.grant("searches", SEARCHES, want).await.unwrap() {
        Grant::Calls(calls) => calls,
        Grant::Wait(time) => {
            assert!(time > Duration::ZERO);
            0
        }
    }
}

/// Lets this time pass, rounded up to what a clock can tell.
fn wait(clock: &Clock, time: Duration) {
    clock.advance(time + Duration::from_micros(999));
}

pub async fn a_burst_then_a_steady_flow(on: Fixture) {
    for _ in 0..10 {
        assert_eq!(granted(&on, 1).await, 1);
    }
    assert_eq!(granted(&on, 1).await, 0);
    // 40 more in the rest of the minute: one each 1.5 s.
    let mut calls = 10;
    for _ in 0..59 {
        on.pass(1);
        calls += granted(&on, 50).await;
    }
    assert!((48..=50).contains(&calls), "{calls} in the first minute");

    match on.store.grant("searches", SEARCHES, 1).await.unwrap() {
        Grant::Calls(_) => {}
        Grant::Wait(time) => {
            assert!(time <= Duration::from_millis(1_501), "{time:?}");
            wait(&on.clock, time);
            assert_eq!(granted(&on, 1).await, 1, "after the time that was told");
        }
    }
}

pub async fn a_grant_gives_at_most_what_is_asked(on: Fixture) {
    assert_eq!(granted(&on, 4).await, 4);
    assert_eq!(granted(&on, 100).await, 6, "what is there");
    assert_eq!(granted(&on, 100).await, 0);
    on.pass(3600);
    assert_eq!(granted(&on, 100).await, 10, "a long rest saves up one burst");
}

pub async fn budgets_do_not_mix(on: Fixture) {
    assert_eq!(granted(&on, 100).await, 10);
    let other = on.store.grant("writes", SEARCHES, 100).await.unwrap();
    assert_eq!(other, Grant::Calls(10));
    on.store.pause("writes", Duration::from_secs(600)).await.unwrap();
    on.pass(60);
    assert_eq!(granted(&on, 100).await, 10);
}

pub async fn a_pause_stops_everyone_and_is_never_shortened(on: Fixture) {
    assert_eq!(granted(&on, 1).await, 1);
    on.store.pause("searches", Duration::from_secs(30)).await.unwrap();
    on.store.pause("searches", Duration::from_secs(5)).await.unwrap();
    let waiting = on.store.grant("searches", SEARCHES, 1).await.unwrap();
    assert_eq!(waiting, Grant::Wait(Duration::from_secs(30)));
    on.pass(29);
    assert_eq!(granted(&on, 1).await, 0);
    on.pass(1);
    assert_eq!(granted(&on, 1).await, 1);
}

#[derive(Clone, Debug)]
enum Step {
    Ask(u32),
    Pass(u64),
    Wait,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        4 => (1..20_u32).prop_map(Step::Ask),
        2 => (0..3_000_u64).prop_map(Step::Pass),
        1 => (0..90_000_u64).prop_map(Step::Pass),
        3 => Just(Step::Wait),
    ];
    prop::collection::vec(step, 1..120)
}

fn rates() -> impl Strategy<Value = Rate> {
    (1..60_u32, 0..70_u32, prop_oneof![Just(60_000), 100..70_000_u64]).prop_map(
        |(calls, burst, per)| Rate {
            calls,
            burst: burst.min(calls),
            per: Duration::from_millis(per),
        },
    )
}

/// Asks and waits as the steps say, and counts the calls of each window.
async fn follow(on: &Fixture, rate: Rate, steps: &[Step]) -> Result<(), TestCaseError> {
    let mut calls: Vec<(i64, u32)> = Vec::new();
    for step in steps {
        match step {
            Step::Pass(ms) => on.clock.advance(Duration::from_millis(*ms)),
            Step::Ask(want) => {
                if let Grant::Calls(got) = on.store.grant("b", rate, *want).await.unwrap() {
                    prop_assert!((1..=*want).contains(&got));
                    calls.push((on.clock.now().as_millisecond(), got));
                }
            }
            Step::Wait => match on.store.grant("b", rate, 1).await.unwrap() {
                Grant::Calls(got) => calls.push((on.clock.now().as_millisecond(), got)),
                Grant::Wait(time) => {
                    prop_assert!(time <= rate.per + Duration::from_millis(2), "{time:?}");
                    wait(&on.clock, time);
                    let got = on.store.grant("b", rate, 1).await.unwrap();
                    prop_assert_eq!(got, Grant::Calls(1), "after waiting {:?}", time);
                    calls.push((on.clock.now().as_millisecond(), 1));
                }
            },
        }
    }
    let per = i64::try_from(rate.per.as_millis()).unwrap();
    for (at, _) in &calls {
        let window = calls.iter().filter(|(then, _)| (*at..at + per).contains(then));
        let inside: u32 = window.map(|(_, got)| got).sum();
        prop_assert!(inside <= rate.calls, "{} calls from {} on", inside, at);
    }
    Ok(())
}

/// Random rates, requests and waits.
pub fn windows<F: Future<Output = Fixture>>(open: impl Fn() -> F) {
    run(48, (rates(), steps()), async |(rate, steps)| {
        let on = open().await;
        follow(&on, rate, &steps).await
    });
}
