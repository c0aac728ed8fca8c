//! Logs, metrics and traces, set up once: logs go to stderr, metrics wait to be asked for, traces go
//! to an OpenTelemetry collector when the configuration names one.

mod metrics;
mod otlp;
mod shipping;
mod traces;

use std::io::IsTerminal as _;

use tracing::level_filters::LevelFilter;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{EnvFilter, Layer as _};

pub use self::metrics::metrics;
pub use self::shipping::Traces;
use self::traces::TARGET;
use crate::config::TelemetrySettings;

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
    start(form, &TelemetrySettings::default()).map(drop)
}

/// Sends logs to stderr, as [`logs`] does, and traces to their collector if there is one. Needs a
/// runtime. A second call changes nothing.
///
/// # Errors
/// When the variable cannot be understood, or traces cannot be set up.
pub fn start(form: LogForm, settings: &TelemetrySettings) -> anyhow::Result<Traces> {
    let asked = ["INSTEP_LOG", "RUST_LOG"]
        .into_iter()
        .find_map(|name| std::env::var(name).ok().filter(|value| !value.trim().is_empty()));
    let lines = tracing_subscriber::fmt::layer().with_writer(std::io::stderr);
    let lines = match form {
        LogForm::Text => {
            let colour = std::io::stderr().is_terminal()
                && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
            lines.with_ansi(colour).with_target(false).boxed()
        }
        LogForm::Json => lines.json().flatten_event(true).with_span_list(false).boxed(),
    };
    let (gathering, traces) = match &settings.otlp {
        Some(otlp) => {
            let (gathering, traces) = shipping::start(otlp)?;
            let ours = Targets::new().with_target(TARGET, LevelFilter::INFO);
            (Some(gathering.with_filter(ours)), traces)
        }
        None => (None, Traces::none()),
    };
    let lines = lines.with_filter(filter(asked.as_deref())?);
    // It fails only when logs are set up already.
    let _ = tracing_subscriber::registry().with(lines).with(gathering).try_init();
    Ok(traces)
}

fn filter(asked: Option<&str>) -> anyhow::Result<EnvFilter> {
    // Spans of traces are no part of the log.
    let text = format!("{DEFAULT},{},{TARGET}=off", asked.unwrap_or_default());
    EnvFilter::try_new(text).map_err(|error| {
        anyhow::anyhow!("INSTEP_LOG cannot be understood ({error}); try `debug` or `instep=trace`")
    })
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
}
