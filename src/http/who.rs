//! Who is asking: nothing of the console or the API is answered before that is known.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use axum::extract::{FromRequestParts, Request, State};
use axum::http::header::{ACCEPT, AUTHORIZATION, LOCATION};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use secrecy::SecretString;

use super::HttpState;
use super::client::{self, Peer};
use super::cookie::{self, Jar};
use super::error::Barred;
use crate::access::oidc::Oidc;
use crate::access::sessions::{self, Lasting, Session, SessionId};
use crate::access::tokens;
use crate::clock::Clock;
use crate::config::{ConsoleSettings, Network};
use crate::model::{Access, Actor, Via};
use crate::store::StoreError;

static FETCH_DEST: HeaderName = HeaderName::from_static("sec-fetch-dest");

/// How people get in.
#[derive(Clone, Debug, Default)]
pub enum Gate {
    /// Nobody does.
    #[default]
    Shut,
    /// Everybody is this one: only in the demo, and only on loopback.
    Open(Actor),
    /// Whoever has signed in, or has a token.
    Guarded(Arc<Guard>),
}

impl Gate {
    /// As the configuration says.
    ///
    /// # Errors
    /// When there is no way to ask the OpenID provider anything.
    pub fn of(
        settings: &ConsoleSettings,
        public: Option<&str>,
        clock: &Clock,
    ) -> Result<Self, reqwest::Error> {
        if !settings.is_on() && !settings.api {
            return Ok(Self::Shut);
        }
        let oidc = settings.oidc.clone().zip(public);
        let oidc = oidc.map(|(oidc, public)| Oidc::new(oidc, public, clock.clone())).transpose()?;
        Ok(Self::Guarded(Arc::new(Guard {
            local: settings.local_accounts,
            api: settings.api,
            lasting: Lasting { idle: settings.idle, whole: settings.session },
            proxies: settings.trusted_proxies.clone(),
            provider: oidc.as_ref().map(Oidc::stamp),
            oidc,
            public: public.map(str::to_owned),
            unwritten: AtomicU64::new(0),
        })))
    }

    /// Where people reach the console, without a slash at the end.
    pub(super) fn public(&self) -> Option<&str> {
        match self {
            Self::Guarded(guard) => guard.public.as_deref(),
            Self::Shut | Self::Open(_) => None,
        }
    }
}

/// Who is let in, and how.
pub struct Guard {
    /// Users of our own sign in.
    pub(super) local: bool,
    api: bool,
    pub(super) lasting: Lasting,
    proxies: Vec<Network>,
    /// Where others sign in, and the stamp of its settings.
    pub(super) oidc: Option<Oidc>,
    provider: Option<String>,
    public: Option<String>,
    /// So many who did not get in were not written down one by one.
    pub(super) unwritten: AtomicU64,
}

impl fmt::Debug for Guard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Guard").finish_non_exhaustive()
    }
}

impl Guard {
    /// Whether there is a console at all.
    pub(super) fn has_console(&self) -> bool {
        self.local || self.oidc.is_some()
    }

    /// The cookies of these pages.
    pub(super) fn jar(&self) -> Jar {
        Jar { secure: self.public.as_ref().is_some_and(|url| url.starts_with("https://")) }
    }

    /// The address of whoever asks.
    pub(super) fn address(&self, parts: &Parts) -> Option<std::net::IpAddr> {
        let Peer(peer) = parts.extensions.get()?;
        Some(client::address(*peer, &parts.headers, &self.proxies))
    }

    async fn session(
        &self,
        state: &HttpState,
        headers: &HeaderMap,
    ) -> Result<Option<(SessionId, Session)>, StoreError> {
        let Some(secret) = self.jar().read(headers, cookie::SESSION) else { return Ok(None) };
        let (id, now) = (SessionId::of(secret), state.clock.now());
        let provider = self.provider.as_deref();
        let found = sessions::find(&*state.store, &id, self.lasting, provider, now).await?;
        Ok(found.map(|session| (id, session)))
    }
}

/// Whoever is asking.
#[derive(Clone, Debug)]
pub struct SignedIn(pub Actor);

/// What whoever is asking sees: personal data only where they asked for it, which was written down.
#[derive(Clone, Debug)]
pub struct Sight {
    pub(super) id: SessionId,
    session: Option<Session>,
    access: Access,
    now: jiff::Timestamp,
}

impl Sight {
    /// Whether personal data of this (`person bob/17`, `run 0199…`) is shown to them now.
    pub fn sees(&self, about: &str) -> bool {
        self.may_ask() && self.session.as_ref().is_some_and(|session| session.sees(about, self.now))
    }

    /// Whether they may ask for it.
    pub fn may_ask(&self) -> bool {
        self.access >= Access::Operator
    }
}

/// Lets people in to the console whom the gate lets in; the others are shown where to sign in.
pub async fn admit(State(state): State<Arc<HttpState>>, request: Request, next: Next) -> Response {
    let (mut parts, body) = request.into_parts();
    let (actor, id, session) = match &state.gate {
        Gate::Shut => return Barred::Nothing.into_response(),
        Gate::Open(actor) => {
            let id = SessionId::demo();
            let lasting = Lasting {
                idle: std::time::Duration::from_secs(86_400),
                whole: std::time::Duration::from_secs(86_400),
            };
            let now = state.clock.now();
            let found = sessions::find(&*state.store, &id, lasting, None, now).await;
            // What is not known is not shown; the page itself says that the store is away.
            (actor.clone(), id, found.ok().flatten())
        }
        Gate::Guarded(guard) if !guard.has_console() => return Barred::Nothing.into_response(),
        Gate::Guarded(guard) => match guard.session(&state, &parts.headers).await {
            Ok(Some((id, session))) => {
                let actor = Actor {
                    name: session.name.clone(),
                    access: session.access,
                    via: Via::Console,
                    from: guard.address(&parts).map(|address| address.to_string()),
                };
                (actor, id, Some(session))
            }
            Ok(None) => return to_sign_in(&parts),
            Err(error) => return Barred::Unavailable(error.to_string()).into_response(),
        },
    };
    let sight = Sight { id, session, access: actor.access, now: state.clock.now() };
    parts.extensions.insert(SignedIn(actor));
    parts.extensions.insert(sight);
    next.run(Request::from_parts(parts, body)).await
}

/// Lets programs in to the API whose token counts.
pub async fn admit_token(
    State(state): State<Arc<HttpState>>,
    request: Request,
    next: Next,
) -> Response {
    let (mut parts, body) = request.into_parts();
    let actor = match &state.gate {
        Gate::Shut => return Barred::Nothing.into_response(),
        Gate::Open(actor) => Actor { via: Via::Api, ..actor.clone() },
        Gate::Guarded(guard) if !guard.api => return Barred::Nothing.into_response(),
        Gate::Guarded(guard) => {
            let Some(text) = bearer(&parts.headers) else {
                return Barred::NoToken.into_response();
            };
            match tokens::check(&*state.store, &text, state.clock.now()).await {
                Ok(Some(token)) => Actor {
                    name: token.name,
                    access: token.access,
                    via: Via::Api,
                    from: guard.address(&parts).map(|address| address.to_string()),
                },
                Ok(None) => return Barred::NoToken.into_response(),
                Err(error) => return Barred::Unavailable(error.to_string()).into_response(),
            }
        }
    };
    parts.extensions.insert(SignedIn(actor));
    next.run(Request::from_parts(parts, body)).await
}

fn bearer(headers: &HeaderMap) -> Option<SecretString> {
    let (scheme, token) = headers.get(AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| SecretString::from(token.trim()))
}

/// The way to the sign-in page and back to where somebody wanted to go. What is no page (an event
/// stream, a script's question) is told that nobody is signed in.
fn to_sign_in(parts: &Parts) -> Response {
    let says = |name: &HeaderName, text: &str| {
        let value = parts.headers.get(name).and_then(|value| value.to_str().ok());
        value.is_some_and(|value| value.contains(text))
    };
    if says(&ACCEPT, "text/event-stream") || says(&FETCH_DEST, "empty") {
        return Barred::NotSignedIn.into_response();
    }
    let wanted = parts.uri.path_and_query().map_or("/console", |wanted| wanted.as_str());
    let mut place = "/console/sign-in".to_owned();
    if wanted != "/console"
        && let Some(to) = super::sign_in::local(wanted)
    {
        let query: String = form_encoded(to);
        place = format!("{place}?to={query}");
    }
    (StatusCode::SEE_OTHER, [(LOCATION, place)]).into_response()
}

/// A text as a value in a query.
pub(super) fn form_encoded(text: &str) -> String {
    use std::fmt::Write as _;

    text.bytes().fold(String::new(), |mut all, byte| {
        if byte.is_ascii_alphanumeric() || b"-_.~/".contains(&byte) {
            all.push(char::from(byte));
        } else {
            let _ = write!(all, "%{byte:02X}");
        }
        all
    })
}

impl<S: Sync> FromRequestParts<S> for SignedIn {
    type Rejection = StatusCode;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, StatusCode> {
        parts.extensions.get().cloned().ok_or(StatusCode::UNAUTHORIZED)
    }
}

impl<S: Sync> FromRequestParts<S> for Sight {
    type Rejection = StatusCode;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, StatusCode> {
        parts.extensions.get().cloned().ok_or(StatusCode::UNAUTHORIZED)
    }
}
