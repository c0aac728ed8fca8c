//! What those who watch Instep get besides `/metrics`: `[telemetry]`.

use reqwest::Url;
use secrecy::{ExposeSecret as _, SecretString};

use super::address::is_loopback;
use super::secret::{Literal, Slot, Vault};
use super::table::Table;

/// `[telemetry]`
#[derive(Clone, Debug, Default)]
pub struct TelemetrySettings {
    /// Where traces go; nowhere without an `otlp_endpoint`.
    pub otlp: Option<OtlpSettings>,
}

/// Where traces go, and how many.
#[derive(Clone, Debug)]
pub struct OtlpSettings {
    /// `otlp_endpoint`, with the path for traces.
    pub endpoint: Url,
    /// `otlp_headers`
    pub headers: Vec<(String, SecretString)>,
    /// `sample_percent`: of the deliveries.
    pub sample_percent: u32,
}

/// Reads `[telemetry]`.
pub(super) fn telemetry(table: Table<'_>, vault: Vault<'_>) -> TelemetrySettings {
    let given = table.text("otlp_endpoint").map(str::trim);
    let endpoint = given.and_then(|text| match endpoint(text) {
        Ok(url) => Some(url),
        Err(why) => {
            table.wrong("otlp_endpoint", why);
            None
        }
    });
    let here = endpoint.as_ref().is_some_and(|url| url.host_str().is_some_and(is_loopback));
    let key = table.full("otlp_headers");
    let secret = table.get("otlp_headers").and_then(|value| {
        let literal = if here { Literal::Allowed } else { Literal::Refused };
        vault.secret(Slot { key: &key, value, variable: "INSTEP_OTLP_HEADERS" }, literal)
    });
    let headers = secret.as_ref().map(|secret| headers(secret.expose_secret()));
    if headers == Some(None) {
        let message = "expected NAME=VALUE, several with commas between them";
        table.wrong("otlp_headers", message);
    }
    let clear = endpoint.as_ref().is_some_and(|url| url.scheme() == "http") && !here;
    if secret.is_some() && clear {
        let message = "otlp_headers would travel in the clear, which is only for this machine \
                       itself: use https";
        table.wrong("otlp_endpoint", message);
    }
    if given.is_none() && table.get("otlp_headers").is_some() {
        let message = "is missing: otlp_headers are for a collector, as in http://127.0.0.1:4318";
        table.missing(&["otlp_endpoint"], &table.full("otlp_endpoint"), message);
    }
    let sample_percent = table.number("sample_percent", 0..=100);
    table.finish();
    let secrets = headers.flatten().unwrap_or_default().into_iter();
    let headers = secrets.map(|(name, value)| (name, SecretString::from(value))).collect();
    let otlp = endpoint.map(|endpoint| OtlpSettings { endpoint, headers, sample_percent });
    TelemetrySettings { otlp }
}

/// The address for traces: that of the collector, or one that names the path itself.
fn endpoint(text: &str) -> Result<Url, &'static str> {
    const WHAT: &str = "expected the collector's address for OTLP over HTTP, as in \
                        http://127.0.0.1:4318";
    let mut url = Url::parse(text).map_err(|_| WHAT)?;
    if !matches!(url.scheme(), "http" | "https") || url.host_str().is_none() {
        return Err(WHAT);
    }
    if !url.username().is_empty() || url.password().is_some() || url.query().is_some() {
        return Err("must hold no secret and no query: what the collector asks for belongs in \
                    otlp_headers");
    }
    if !url.path().ends_with("/v1/traces") {
        let path = format!("{}/v1/traces", url.path().trim_end_matches('/'));
        url.set_path(&path);
    }
    Ok(url)
}

/// `NAME=VALUE,NAME=VALUE`; nothing when it is not of that form.
fn headers(text: &str) -> Option<Vec<(String, String)>> {
    let is_name = |name: &str| {
        !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || "-_".contains(c))
    };
    let is_value = |value: &str| value.chars().all(|c| (' '..='~').contains(&c));
    let one = |pair: &str| {
        let (name, value) = pair.split_once('=')?;
        let (name, value) = (name.trim().to_ascii_lowercase(), value.trim());
        (is_name(&name) && is_value(value)).then(|| (name, value.to_owned()))
    };
    text.split(',').map(one).collect()
}
