//! What pages load beside their text: style, script and icon, out of the binary. Each has its
//! content's hash in its address, so that browsers keep it for good and never show an old one.
//!
//! Nobody need be signed in for them: the page on which people sign in has the same style.

use std::sync::{Arc, LazyLock};

use axum::Router;
use axum::extract::Path;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE, ETAG, IF_NONE_MATCH};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use sha2::{Digest, Sha256};

use crate::http::HttpState;

/// A file of the console.
#[derive(Debug)]
pub(in crate::http) struct Asset {
    name: &'static str,
    kind: &'static str,
    content: &'static str,
    hash: LazyLock<String>,
}

macro_rules! asset {
    ($name:literal, $kind:literal) => {
        Asset {
            name: $name,
            kind: $kind,
            content: include_str!($name),
            hash: LazyLock::new(|| hash(include_str!($name))),
        }
    };
}

/// The style of all pages.
pub(in crate::http) static STYLE: Asset = asset!("style.css", "text/css; charset=utf-8");

/// Keeps pages up to date.
pub(in crate::http) static LIVE: Asset = asset!("live.js", "text/javascript; charset=utf-8");

/// The sign in the browser's tab.
pub(in crate::http) static ICON: Asset = asset!("icon.svg", "image/svg+xml");

impl Asset {
    /// Where it is.
    pub(in crate::http) fn address(&self) -> String {
        format!("/console/assets/{}/{}", *self.hash, self.name)
    }
}

/// Half of a SHA-256 in hexadecimal.
fn hash(content: &str) -> String {
    use std::fmt::Write as _;

    let digest = Sha256::digest(content);
    digest.iter().take(16).fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// `/console/assets/…`, open to everybody.
pub fn router() -> Router<Arc<HttpState>> {
    Router::new().route("/console/assets/{hash}/{name}", get(serve))
}

async fn serve(Path((hash, name)): Path<(String, String)>, headers: HeaderMap) -> Response {
    let known = [&STYLE, &LIVE, &ICON].into_iter().find(|asset| asset.name == name);
    // Another version than this program's: while processes are replaced, one page may have come
    // from the other. It gets what is here, and does not keep it.
    let Some(asset) = known else { return StatusCode::NOT_FOUND.into_response() };
    let tag = format!("\"{}\"", *asset.hash);
    let keep = if hash == *asset.hash { "public, max-age=31536000, immutable" } else { "no-cache" };
    let head = [(CACHE_CONTROL, keep.to_owned()), (ETAG, tag.clone())];
    if headers.get(IF_NONE_MATCH).is_some_and(|seen| seen.as_bytes() == tag.as_bytes()) {
        return (StatusCode::NOT_MODIFIED, head).into_response();
    }
    (head, [(CONTENT_TYPE, asset.kind)], asset.content).into_response()
}
