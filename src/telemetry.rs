//! Logs, metrics and traces, set up once: logs go to stderr, metrics wait to be asked for, traces go
//! to an OpenTelemetry collector when the configuration names one.

mod metrics;

use std::io::IsTerminal as _;

use tracing_subscriber::EnvFilter;

pub use self::metrics::metrics;

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
