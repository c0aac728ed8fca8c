//! What those on call see: metrics, alerts, the dashboard, the runbook, traces, and the doctor.

mod doctor;
mod numbers;
mod runbook;
pub(crate) mod traces;

use std::path::{Path, PathBuf};

/// A file of the repository.
fn file(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

fn read(path: &str) -> String {
    std::fs::read_to_string(file(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// The names of the alerts.
fn alerts() -> Vec<String> {
    let text = read("deploy/prometheus/alerts.yaml");
    let names = text.lines().filter_map(|line| line.trim().strip_prefix("- alert: "));
    names.map(str::to_owned).collect()
}
