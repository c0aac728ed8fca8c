//! The two cookies of the console: which session, and the way to the OpenID provider and back.
//!
//! Over https they have the prefix `__Host-`: no other host, and nothing that came over http, can
//! set them. They are `Lax` and not `Strict`, because whoever comes from the provider or from a link
//! in a mail comes from another site, and is signed in all the same.

use std::time::Duration;

use axum::http::header::COOKIE;
use axum::http::{HeaderMap, HeaderValue};

/// Which session.
pub const SESSION: &str = "instep";

/// The way to the OpenID provider and back.
pub const PENDING: &str = "instep-signing-in";

/// Writes and reads cookies.
#[derive(Clone, Copy, Debug)]
pub struct Jar {
    /// People come over https.
    pub secure: bool,
}

impl Jar {
    /// What the browser says for this cookie.
    pub fn read<'h>(self, headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
        let name = self.name(name);
        let lines = headers.get_all(COOKIE).iter().filter_map(|line| line.to_str().ok());
        let mut pairs = lines.flat_map(|line| line.split(';')).filter_map(|it| it.split_once('='));
        pairs.find(|(key, _)| key.trim() == name).map(|(_, value)| value.trim())
    }

    /// Has the browser keep it for so long. `None` when the value is none for a cookie.
    pub fn set(self, name: &str, value: &str, lasting: Duration) -> Option<HeaderValue> {
        let (name, secure) = (self.name(name), if self.secure { "; Secure" } else { "" });
        let seconds = lasting.as_secs();
        let text =
            format!("{name}={value}; Path=/; Max-Age={seconds}; HttpOnly; SameSite=Lax{secure}");
        HeaderValue::try_from(text).ok()
    }

    /// Has the browser forget it.
    pub fn clear(self, name: &str) -> Option<HeaderValue> {
        self.set(name, "", Duration::ZERO)
    }

    fn name(self, name: &str) -> String {
        if self.secure { format!("__Host-{name}") } else { name.to_owned() }
    }
}
