//! Logs and metrics, set up once: logs go to stderr, metrics wait to be asked for.

use std::io::IsTerminal as _;
use std::sync::OnceLock;
use std::time::Duration;

use metrics::{Unit, describe_counter, describe_gauge, describe_histogram};
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};
use tracing_subscriber::EnvFilter;

/// In which form logs are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum LogForm {
    /// Lines for people; with colour on a terminal.
    #[default]
    Text,
    /// One JSON object per line, for machines.
    Json,
}

/// What is logged unless someone asks for more: ours, and of the libraries what went wrong.
const DEFAULT: &str = "info,hyper=warn,hyper_util=warn,h2=warn,reqwest=warn,rustls=warn,redis=warn";

/// Sends logs to stderr, as `INSTEP_LOG` (or else `RUST_LOG`) says: `debug`, `instep=trace,warn`.
/// A second call changes nothing.
///
/// # Errors
/// When the variable cannot be understood.
pub fn logs(form: LogForm) -> anyhow::Result<()> {
    let asked = ["INSTEP_LOG", "RUST_LOG"]
        .into_iter()
        .find_map(|name| std::env::var(name).ok().filter(|value| !value.trim().is_empty()));
    let filter = filter(asked.as_deref())?;
    let to = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    // `try_init` fails only when logs are set up already.
    let _ = match form {
        LogForm::Text => {
            let colour = std::io::stderr().is_terminal()
                && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
            to.with_ansi(colour).with_target(false).try_init()
        }
        LogForm::Json => to.json().flatten_event(true).with_span_list(false).try_init(),
    };
    Ok(())
}

fn filter(asked: Option<&str>) -> anyhow::Result<EnvFilter> {
    let text = asked.map_or_else(|| DEFAULT.to_owned(), |asked| format!("{DEFAULT},{asked}"));
    EnvFilter::try_new(text).map_err(|error| {
        anyhow::anyhow!("INSTEP_LOG cannot be understood ({error}); try `debug` or `instep=trace`")
    })
}

/// From a quick local call to the longest wait for a far end, in seconds.
const CALLS: [f64; 12] = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0, 10.0];

/// Far ends answer in tens of milliseconds at best and time out after tens of seconds.
const FAR: [f64; 11] = [0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0];

/// From a second or two to the hours of an outage, in seconds.
const ARRIVALS: [f64; 12] =
    [0.25, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0, 300.0, 1800.0, 7200.0, 86400.0];

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
    let full = |name: &str| Matcher::Full(name.to_owned());
    let recorder = PrometheusBuilder::new()
        .set_buckets_for_metric(full("instep_receive_seconds"), &CALLS)?
        .set_buckets_for_metric(full("instep_upstream_seconds"), &FAR)?
        .set_buckets_for_metric(full("instep_budget_wait_seconds"), &FAR)?
        .set_buckets_for_metric(full("instep_received_to_applied_seconds"), &ARRIVALS)?
        .build_recorder();
    let handle = recorder.handle();
    metrics::set_global_recorder(recorder)?;
    describe();
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

/// Every metric of this program, with what it means.
fn describe() {
    describe_counter!(
        "instep_webhooks_total",
        "Webhooks by source and outcome: accepted, repeat, ignored, ping, or why refused"
    );
    describe_histogram!(
        "instep_receive_seconds",
        Unit::Seconds,
        "From a webhook's head to its answer, by source"
    );
    describe_gauge!("instep_store_up", "1 when the store answered the last time it was asked");
    describe_gauge!("instep_deliveries", "Deliveries that are kept, by state");
    describe_gauge!(
        "instep_oldest_waiting_seconds",
        Unit::Seconds,
        "Age of the oldest waiting delivery; 0 when none waits"
    );
    describe_gauge!("instep_leased_persons", "Persons under lease");
    describe_gauge!("instep_hold", "1 while this source or the target is on hold");
    describe_counter!(
        "instep_attempts_total",
        "Attempts by outcome: done, again, held, dead, given back"
    );
    describe_histogram!(
        "instep_received_to_applied_seconds",
        Unit::Seconds,
        "From the receipt of an event to the end of its delivery"
    );
    describe_counter!(
        "instep_upstream_calls_total",
        "Calls to HiBob and the LMS, by far end, endpoint and status"
    );
    describe_histogram!(
        "instep_upstream_seconds",
        Unit::Seconds,
        "How long far ends take to answer, by far end and endpoint"
    );
    describe_histogram!(
        "instep_budget_wait_seconds",
        Unit::Seconds,
        "How long calls wait for the shared rate limits, by budget"
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_asked_for_comes_on_top_of_the_defaults() {
        let filter = filter(Some("debug,redis=trace")).expect("a filter").to_string();
        assert!(filter.contains("debug") && !filter.contains("info"), "{filter}");
        assert!(filter.contains("hyper=warn"), "noisy libraries stay quiet: {filter}");
        assert!(filter.contains("redis=trace") && !filter.contains("redis=warn"), "{filter}");
    }

    #[test]
    fn a_filter_that_cannot_be_understood_is_an_error() {
        let error = filter(Some("instep=loud")).expect_err("no such level").to_string();
        assert!(error.contains("INSTEP_LOG"), "{error}");
    }

    #[test]
    fn metrics_can_be_set_up_again_and_again() {
        let first = metrics().expect("a recorder");
        metrics::counter!("instep_attempts_total", "outcome" => "done").increment(1);
        assert!(metrics().expect("the same").render().contains("instep_attempts_total"));
        assert!(first.render().contains("# HELP instep_attempts_total"));
    }
}
