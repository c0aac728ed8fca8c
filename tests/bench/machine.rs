//! The machine that the figures belong to.

use std::fmt::Write as _;
use std::io::Write as _;
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::Context;

/// How long the disk is tried.
const TRIAL: Duration = Duration::from_secs(1);

/// Cores, processor, memory, disk and Redis, in a few lines.
///
/// # Errors
/// When the disk cannot be written or there is no `redis-server`.
pub fn describe() -> anyhow::Result<String> {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let processor = first_value("/proc/cpuinfo", "model name").unwrap_or_else(|| "unknown".into());
    let memory = first_value("/proc/meminfo", "MemTotal").unwrap_or_else(|| "unknown".into());
    let version = Command::new("redis-server").arg("--version").output().context("redis-server")?;
    let version = String::from_utf8_lossy(&version.stdout).into_owned();
    let version = version.split("v=").nth(1).and_then(|rest| rest.split(' ').next());
    let mut text = String::new();
    let load = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let load = load.split(' ').next().unwrap_or("?");
    writeln!(text, "machine   {cores} cores, {processor}, memory {memory}, load before {load}")?;
    writeln!(text, "disk      {:.0} fsyncs a second, one after the other", fsyncs()?)?;
    writeln!(
        text,
        "redis     {}, one server for each benchmark, appendonly yes, appendfsync always, \
         maxmemory-policy noeviction",
        version.unwrap_or("?")
    )?;
    Ok(text)
}

/// The value after the colon in the first line of this name.
fn first_value(file: &str, name: &str) -> Option<String> {
    let text = std::fs::read_to_string(file).ok()?;
    let line = text.lines().find(|line| line.starts_with(name))?;
    Some(line.split_once(':')?.1.trim().to_owned())
}

/// The memory that this process holds, in KiB.
pub fn resident() -> Option<u64> {
    first_value("/proc/self/status", "VmRSS")?.split(' ').next()?.parse().ok()
}

/// How many small appends a second reach the disk, one after the other.
fn fsyncs() -> anyhow::Result<f64> {
    let mut file = tempfile::tempfile()?;
    let page = [7_u8; 4096];
    let began = Instant::now();
    let mut count = 0_u32;
    while began.elapsed() < TRIAL {
        file.write_all(&page)?;
        file.sync_data()?;
        count += 1;
    }
    Ok(f64::from(count) / began.elapsed().as_secs_f64())
}
