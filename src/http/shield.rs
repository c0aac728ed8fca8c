//! What stands before every page and every answer of the API, whoever asks: nothing is done for
//! another site's page, no body is larger or slower than it may be, and the browser is told to be
//! strict.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, HOST, ORIGIN, REFERRER_POLICY,
    STRICT_TRANSPORT_SECURITY, X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use tokio::time::timeout;

use super::error::{Barred, Refusal};
use super::who::Gate;
use super::{HttpState, Limits, webhooks};

/// Nothing but what comes from here, and nothing that stands in the page itself.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; \
                      font-src 'self'; connect-src 'self'; form-action 'self'; base-uri 'none'; \
                      frame-ancestors 'none'";

/// A year: whoever has been here once over https is not asked over http again.
const HTTPS_ONLY: &str = "max-age=31536000";

/// The largest form of somebody who has not signed in, in bytes.
const STRANGERS_FORM: usize = 8 * 1024;

static FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");
static PERMISSIONS: HeaderName = HeaderName::from_static("permissions-policy");
static OPENER: HeaderName = HeaderName::from_static("cross-origin-opener-policy");
static RESOURCE: HeaderName = HeaderName::from_static("cross-origin-resource-policy");

/// Lets through what may be looked at, and adds to the answer what the browser must mind.
pub async fn shield(State(state): State<Arc<HttpState>>, request: Request, next: Next) -> Response {
    let mut response = match judge(&state.gate, &request) {
        Err(barred) => barred.into_response(),
        Ok(()) => match with_body(&state, request).await {
            Err(refusal) => refusal.into_response(),
            Ok((request, _room)) => next.run(request).await,
        },
    };
    let over_https = state.gate.public().is_some_and(|url| url.starts_with("https://"));
    be_strict(response.headers_mut(), over_https);
    response
}

fn judge(gate: &Gate, request: &Request) -> Result<(), Barred> {
    let host = request.headers().get(HOST).and_then(|host| host.to_str().ok());
    let host = request.uri().authority().map_or(host, |authority| Some(authority.as_str()));
    // A page elsewhere can have its own name point here; it cannot choose what is asked for then.
    if matches!(gate, Gate::Open(_)) && !host.is_some_and(is_this_machine) {
        return Err(Barred::OtherHost);
    }
    let only_looks = [Method::GET, Method::HEAD, Method::OPTIONS].contains(request.method());
    if !only_looks && is_from_elsewhere(request.headers(), host, gate.public()) {
        return Err(Barred::OtherSite);
    }
    Ok(())
}

/// Whether another site's page sent it. Browsers say so by themselves, and no page can change what
/// they say; what says nothing at all is no browser, and has no cookie that it did not mean to send.
fn is_from_elsewhere(headers: &HeaderMap, host: Option<&str>, public: Option<&str>) -> bool {
    if let Some(site) = headers.get(&FETCH_SITE) {
        return site != "same-origin" && site != "none";
    }
    let Some(origin) = headers.get(ORIGIN) else { return false };
    let Ok(origin) = origin.to_str() else { return true };
    let same_host = origin
        .split_once("://")
        .is_some_and(|(_, theirs)| host.is_some_and(|host| theirs.eq_ignore_ascii_case(host)));
    !same_host && !public.is_some_and(|public| origin.eq_ignore_ascii_case(public))
}

/// Whether this `Host` is a name of this machine that nobody else can give out.
fn is_this_machine(host: &str) -> bool {
    let bare = match host.rsplit_once(':') {
        Some((bare, port)) if port.bytes().all(|c| c.is_ascii_digit()) => bare,
        _ => host,
    };
    let address = bare.trim_start_matches('[').trim_end_matches(']').parse::<std::net::IpAddr>();
    bare.eq_ignore_ascii_case("localhost") || address.is_ok_and(|address| address.is_loopback())
}

/// Reads the body within its limits, and the room that it takes.
async fn with_body(
    state: &HttpState,
    request: Request,
) -> Result<(Request, Option<tokio::sync::OwnedSemaphorePermit>), Refusal> {
    if [Method::GET, Method::HEAD, Method::OPTIONS].contains(request.method()) {
        return Ok((request, None));
    }
    let (head, body) = request.into_parts();
    let strange = head.uri.path().starts_with("/console/sign-in");
    let most = if strange { STRANGERS_FORM } else { state.limits.body };
    let limits = Limits { body: most.min(state.limits.body), ..state.limits };
    let (body, room) = timeout(limits.body_time, webhooks::read(body, &limits, &state.room))
        .await
        .map_err(|_| Refusal::TooSlow)??;
    Ok((Request::from_parts(head, Body::from(body)), Some(room)))
}

fn be_strict(headers: &mut HeaderMap, over_https: bool) {
    let mut say = |name: &HeaderName, value: &'static str| {
        headers.insert(name.clone(), HeaderValue::from_static(value));
    };
    say(&CONTENT_SECURITY_POLICY, POLICY);
    say(&X_CONTENT_TYPE_OPTIONS, "nosniff");
    say(&X_FRAME_OPTIONS, "DENY");
    say(&REFERRER_POLICY, "no-referrer");
    say(&PERMISSIONS, "camera=(), geolocation=(), microphone=(), payment=(), usb=()");
    say(&OPENER, "same-origin");
    say(&RESOURCE, "same-origin");
    if over_https {
        say(&STRICT_TRANSPORT_SECURITY, HTTPS_ONLY);
    }
    // Pages hold personal data. What may be kept (style, script) says so itself.
    headers.entry(CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
}

#[cfg(test)]
mod tests {
    use axum::http::{HeaderMap, HeaderValue};

    use super::{FETCH_SITE, ORIGIN, is_from_elsewhere, is_this_machine};

    #[test]
    fn this_machine_has_few_names() {
        for host in ["localhost", "LOCALHOST:8080", "127.0.0.1:1", "127.9.9.9", "[::1]:80", "[::1]"]
        {
            assert!(is_this_machine(host), "{host}");
        }
        for host in ["", "evil.example", "localhost.evil.example:80", "10.0.0.1", "x", "[::2]:1"] {
            assert!(!is_this_machine(host), "{host}");
        }
    }

    #[test]
    fn another_sites_page_is_known_by_what_browsers_say() {
        let headers = |site: &str, origin: &str| {
            let mut headers = HeaderMap::new();
            for (name, value) in [(&FETCH_SITE, site), (&ORIGIN, origin)] {
                if !value.is_empty() {
                    headers.insert(name.clone(), HeaderValue::from_str(value).unwrap());
                }
            }
            headers
        };
        let host = Some("instep:8080");
        let public = Some("https://instep.example.com");
        for (site, origin, elsewhere) in [
            ("same-origin", "", false),
            ("none", "", false),
            ("same-site", "https://instep.example.com", true),
            ("cross-site", "", true),
            ("", "https://instep.example.com", false),
            ("", "http://instep:8080", false),
            ("", "http://instep:8081", true),
            ("", "https://evil.example", true),
            ("", "https://instep.example.com.evil.example", true),
            ("", "null", true),
            ("", "", false),
        ] {
            let headers = headers(site, origin);
            assert_eq!(is_from_elsewhere(&headers, host, public), elsewhere, "{site} {origin}");
        }
    }
}
