//! What HiBob's headers say about its limits: `X-RateLimit-Remaining`, `X-RateLimit-Reset` and
//! `Retry-After`. No wait that they ask for is longer than an hour or without end.

use std::time::Duration;

use jiff::Timestamp;
use reqwest::header::{DATE, HeaderMap, HeaderName, RETRY_AFTER};

/// How long to wait when we are told to, but not how long: HiBob counts by the minute.
const A_WINDOW: Duration = Duration::from_secs(60);
/// No wait is believed to be longer.
const LONGEST_WAIT: Duration = Duration::from_secs(3600);

/// How long to rest when the answer says that this was the last call of its window.
pub(super) fn window_spent(headers: &HeaderMap) -> Option<Duration> {
    let remaining = number(headers, &HeaderName::from_static("x-ratelimit-remaining"))?;
    (remaining <= 0).then(|| reset(headers)).flatten()
}

/// How long a 429 wants us to wait.
pub(super) fn wait(headers: &HeaderMap) -> Duration {
    let by_seconds =
        || number(headers, &RETRY_AFTER).and_then(|seconds| u64::try_from(seconds).ok());
    let by_date = || Some(until(time(headers, &RETRY_AFTER)?.as_second(), headers));
    by_seconds()
        .map(Duration::from_secs)
        .or_else(by_date)
        .or_else(|| reset(headers))
        .unwrap_or(A_WINDOW)
        .clamp(Duration::from_secs(1), LONGEST_WAIT)
}

/// Until the window ends: `X-RateLimit-Reset` in Unix seconds.
fn reset(headers: &HeaderMap) -> Option<Duration> {
    Some(until(number(headers, &HeaderName::from_static("x-ratelimit-reset"))?, headers))
}

/// From the far end's own now until this moment, and a second more, because both are cut to whole
/// seconds. By its clock and not by ours, so that ours may be wrong. A whole window when it does not
/// tell its time or the moment makes no sense.
fn until(moment: i64, headers: &HeaderMap) -> Duration {
    let Some(now) = time(headers, &DATE) else { return A_WINDOW };
    let seconds = moment.saturating_sub(now.as_second()).saturating_add(1).max(1);
    let wait = Duration::from_secs(seconds.unsigned_abs());
    if wait > LONGEST_WAIT { A_WINDOW } else { wait }
}

fn number(headers: &HeaderMap, name: &HeaderName) -> Option<i64> {
    headers.get(name)?.to_str().ok()?.trim().parse().ok()
}

fn time(headers: &HeaderMap, name: &HeaderName) -> Option<Timestamp> {
    let text = headers.get(name)?.to_str().ok()?;
    jiff::fmt::rfc2822::parse(text).ok().map(|zoned| zoned.timestamp())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        let pair = |&(name, value): &(&'static str, &'static str)| {
            (HeaderName::from_static(name), value.parse().expect("a header value"))
        };
        pairs.iter().map(pair).collect()
    }

    const NOW: (&str, &str) = ("date", "Mon, 02 Mar 2026 08:15:30 GMT");

    #[test]
    fn a_429_says_how_long_to_wait_in_many_ways() {
        let cases: [(&[(&str, &str)], u64); 9] = [
            (&[("retry-after", "7")], 7),
            (&[("retry-after", "0")], 1),
            (&[("retry-after", "999999")], 3600),
            (&[NOW, ("retry-after", "Mon, 02 Mar 2026 08:15:40 GMT")], 11),
            (&[NOW, ("x-ratelimit-reset", "1772439350")], 21),
            (&[NOW, ("x-ratelimit-reset", "1772439000")], 1),
            (&[NOW, ("x-ratelimit-reset", "1772439350000")], 60),
            (&[("x-ratelimit-reset", "1772439350")], 60),
            (&[("retry-after", "soon")], 60),
        ];
        for (pairs, seconds) in cases {
            assert_eq!(wait(&headers(pairs)), Duration::from_secs(seconds), "{pairs:?}");
        }
    }

    #[test]
    fn the_last_call_of_a_window_is_followed_by_a_rest() {
        let reset = ("x-ratelimit-reset", "1772439350");
        let spent = |pairs: &[_]| window_spent(&headers(pairs)).map(|rest| rest.as_secs());
        assert_eq!(spent(&[NOW, reset, ("x-ratelimit-remaining", "0")]), Some(21));
        assert_eq!(spent(&[NOW, reset, ("x-ratelimit-remaining", "1")]), None);
        assert_eq!(spent(&[NOW, ("x-ratelimit-remaining", "0")]), None);
        assert_eq!(spent(&[]), None);
    }
}
