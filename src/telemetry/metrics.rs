//! The numbers that are counted as things happen, and what each means.
//!
//! Promises: every metric of ours is described here, in the base unit that its name ends in; no
//! label has values without a bound, and none names a person. What only the store knows is told when
//! somebody asks (`http/figures`).

use std::sync::OnceLock;
use std::time::Duration;

use metrics::{Unit, counter, describe_counter, describe_histogram};
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};

/// From a quick local call to the longest wait for a far end, in seconds.
const CALLS: [f64; 12] = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0, 10.0];

/// Far ends answer in tens of milliseconds at best and time out after tens of seconds.
const FAR: [f64; 11] = [0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0];

/// From a second or two to the hours of an outage, in seconds.
const ARRIVALS: [f64; 12] =
    [0.25, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0, 300.0, 1800.0, 7200.0, 86400.0];

/// Histograms in seconds: name, buckets, meaning.
const HISTOGRAMS: [(&str, &[f64], &str); 5] = [
    ("instep_receive_seconds", &CALLS, "From a webhook's head to its answer, by source"),
    (
        "instep_received_to_applied_seconds",
        &ARRIVALS,
        "From the receipt of an event to its change in the LMS, by source and lane",
    ),
    (
        "instep_far_end_call_seconds",
        &FAR,
        "How long HiBob and the LMS take to answer, by far end and endpoint",
    ),
    (
        "instep_budget_wait_seconds",
        &FAR,
        "How long calls waited for the shared rate limits, by budget",
    ),
    ("instep_store_call_seconds", &CALLS, "How long the store takes, by call"),
];

/// Counters: name, meaning.
const COUNTERS: [(&str, &str); 13] = [
    (
        "instep_webhooks_total",
        "Webhooks by source and outcome: accepted, repeat, ignored, ping, or why refused",
    ),
    (
        "instep_attempts_total",
        "Attempts by source, lane and outcome: done, again, dead, given_back",
    ),
    ("instep_leases_lost_total", "Leases that ran out before the attempt was settled, by source"),
    (
        "instep_far_end_calls_total",
        "Calls to HiBob and the LMS, by far end, endpoint and status; a word where there was none",
    ),
    ("instep_budget_granted_total", "Calls that the shared rate limits granted, by budget"),
    (
        "instep_budget_out_of_time_total",
        "Calls that were not granted in the time of their lease, by budget",
    ),
    ("instep_budget_paused_total", "How often a far end told us to wait, by budget"),
    ("instep_store_errors_total", "Calls in which the store was not available, by call"),
    ("instep_notices_total", "Notices by channel and outcome: sent, failed"),
    ("instep_reports_total", "Mailed reports by outcome: sent, failed, given_up"),
    ("instep_trace_spans_total", "Spans by outcome: sent, dropped"),
    ("instep_rules_reloads_total", "Reloads of the rules by outcome: taken, refused"),
    ("instep_worker_panics_total", "How often a worker broke down and began again, by source"),
];

/// Where metrics are collected; the handle renders them. The first call installs the recorder for
/// the whole process, later ones return the same.
///
/// # Errors
/// When another recorder was installed before.
pub fn metrics() -> anyhow::Result<PrometheusHandle> {
    static INSTALLED: OnceLock<Result<PrometheusHandle, String>> = OnceLock::new();
    INSTALLED
        .get_or_init(|| install().map_err(|error| format!("{error:#}")))
        .clone()
        .map_err(anyhow::Error::msg)
}

fn install() -> anyhow::Result<PrometheusHandle> {
    let mut builder = PrometheusBuilder::new();
    for (name, buckets, _) in HISTOGRAMS {
        builder = builder.set_buckets_for_metric(Matcher::Full(name.to_owned()), buckets)?;
    }
    let recorder = builder.build_recorder();
    let handle = recorder.handle();
    metrics::set_global_recorder(recorder)?;
    for (name, _, meaning) in HISTOGRAMS {
        describe_histogram!(name, Unit::Seconds, meaning);
    }
    for (name, meaning) in COUNTERS {
        describe_counter!(name, meaning);
    }
    begin_at_zero();
    // Histograms keep each sample until someone asks; when nobody does, this makes room. The thread
    // ends with the process and holds nothing that would need an end.
    let upkeep = handle.clone();
    std::thread::Builder::new().name("metrics-upkeep".into()).spawn(move || {
        loop {
            std::thread::sleep(Duration::from_secs(5));
            upkeep.run_upkeep();
        }
    })?;
    Ok(handle)
}

/// What alerts watch is there from the start: of a counter that begins at one, nobody sees the rise.
fn begin_at_zero() {
    for outcome in ["sent", "failed", "given_up"] {
        counter!("instep_reports_total", "outcome" => outcome).increment(0);
    }
    for outcome in ["sent", "dropped"] {
        counter!("instep_trace_spans_total", "outcome" => outcome).increment(0);
    }
    for outcome in ["taken", "refused"] {
        counter!("instep_rules_reloads_total", "outcome" => outcome).increment(0);
    }
    for call in ["accept", "lease", "settle"] {
        counter!("instep_store_errors_total", "call" => call).increment(0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metrics_can_be_set_up_again_and_again() {
        let first = metrics().expect("a recorder");
        counter!("instep_attempts_total", "outcome" => "done").increment(1);
        assert!(metrics().expect("the same").render().contains("instep_attempts_total"));
        assert!(first.render().contains("# HELP instep_attempts_total"));
    }

    #[test]
    fn names_end_in_what_they_count() {
        assert!(COUNTERS.iter().all(|(name, _)| name.ends_with("_total")));
        assert!(HISTOGRAMS.iter().all(|(name, ..)| name.ends_with("_seconds")));
    }
}
