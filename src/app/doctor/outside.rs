//! What is around the program: the clocks of the far ends, the disk, and the process that serves.

use std::net::{IpAddr, Ipv4Addr};
use std::path::Path;
use std::time::Duration;

use jiff::fmt::rfc2822;
use reqwest::Client;
use reqwest::header::DATE;
use secrecy::ExposeSecret as _;
use serde_json::Value;

use super::Findings;
use crate::clock::Clock;
use crate::config::Settings;
use crate::store::sqlite::SqliteStore;

/// Of one call.
const PATIENCE: Duration = Duration::from_secs(10);

/// Clocks that are this far apart are told of: dates in rules are then judged at the wrong moment.
const APART: i64 = 60;

/// Below this the disk is told of...
const LITTLE: u64 = 2 << 30;

/// ...and below this it is about to be full.
const FULL: u64 = 256 << 20;

/// Compares this machine's clock with those of the far ends.
pub(super) async fn clocks(settings: &Settings, clock: &Clock, found: &mut Findings) {
    let Some(http) = client() else { return };
    let sources = settings.sources.iter();
    let sources = sources.map(|(name, source)| (format!("source {name}"), &source.base_url));
    for (part, url) in sources.chain([("target".to_owned(), &settings.target.base_url)]) {
        let Ok(url) = reqwest::Url::parse(url) else { continue };
        let Ok(origin) = url.join("/") else { continue };
        let part = format!("clock of {part}");
        let Ok(answer) = http.head(origin).send().await else {
            // That it does not answer was said above.
            continue;
        };
        let now = clock.now();
        let date = answer.headers().get(DATE).and_then(|date| date.to_str().ok());
        let Some(date) = date.and_then(|date| rfc2822::parse(date).ok()) else {
            found.well(part, "does not tell the time");
            continue;
        };
        let apart = date.timestamp().duration_since(now).as_secs();
        if apart.abs() >= APART {
            let (by, word) = (apart.abs(), if apart > 0 { "ahead of" } else { "behind" });
            let message = format!("{by} s {word} this machine's: set this machine's by NTP");
            found.look(part, message);
        } else {
            found.well(part, format!("agrees with this machine's ({apart} s)"));
        }
    }
}

/// The room that is left for a store in a file.
pub(super) fn disk(settings: &Settings, found: &mut Findings) {
    let Some(path) = SqliteStore::parse_url(settings.store.url.expose_secret()) else { return };
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    let Ok(free) = rustix::fs::statvfs(folder) else {
        found.look("disk", "the room that is left could not be read");
        return;
    };
    let left = free.f_bavail.saturating_mul(free.f_frsize);
    let held = std::fs::metadata(&path).map_or(0, |file| file.len());
    let message = format!("{} MiB left; the store has {} MiB", left >> 20, held >> 20);
    match left {
        left if left < FULL => {
            found
                .ill("disk", format!("{message}: webhooks are refused when it is full, make room"));
        }
        left if left < LITTLE => found.look("disk", format!("{message}: make room")),
        _ => found.well("disk", message),
    }
}

/// The process that serves on this machine, as far as there is one.
pub(super) async fn process(settings: &Settings, found: &mut Findings) {
    const PART: &str = "process";
    let Some(http) = client() else { return };
    let mut address = settings.server.listen;
    if address.ip().is_unspecified() {
        address.set_ip(IpAddr::V4(Ipv4Addr::LOCALHOST));
    }
    let url = format!("http://{address}/health/ready");
    let said = match http.get(url).send().await {
        Ok(answer) => answer.json::<Value>().await.ok(),
        Err(_) => None,
    };
    let Some(said) = said.filter(|said| said["version"].is_string()) else {
        let message = "none answers on this machine at server.listen: `instep serve`, unless it \
                       runs elsewhere";
        found.look(PART, message);
        return;
    };
    let word = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let roles: Vec<String> = said["roles"].as_array().into_iter().flatten().map(word).collect();
    let version = word(&said["version"]);
    let message = format!("version {version} serves here as {}", roles.join(", "));
    if said["ready"] != true {
        found.ill(PART, format!("{message}, and is not ready: /health/ready says why"));
    } else if version != env!("CARGO_PKG_VERSION") {
        found.look(PART, format!("{message}; this is another version: restart it"));
    } else {
        found.well(PART, message);
    }
}

fn client() -> Option<Client> {
    let redirects = reqwest::redirect::Policy::none();
    Client::builder().timeout(PATIENCE).redirect(redirects).build().ok()
}
