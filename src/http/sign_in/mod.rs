//! `/console/sign-in`: by name and password, or at an OpenID provider; and out again. It works
//! without JavaScript.
//!
//! Whoever does not get in learns nothing: a name that is not known and a wrong password are one
//! answer, after the same work. Tries are limited ([`attempts`]) and counted; each way in is written
//! down in the audit log, and so is who did not get in, up to a number in an hour.

mod provider;

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use askama::Template;
use axum::Router;
use axum::extract::rejection::FormRejection;
use axum::extract::{Form, Query, Request, State};
use axum::http::header::{LOCATION, SET_COOKIE};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{Html, IntoResponse, Response};
use axum::routing::get;
use serde::Deserialize;

use super::HttpState;
use super::cookie;
use super::error::Barred;
use super::who::{Gate, Guard};
use crate::access::sessions::{self, By, Session, SessionId};
use crate::access::{attempts, password, users};
use crate::model::{Access, Actor, AuditEntry, Via};
use crate::store::StoreError;

/// The page.
const PAGE: &str = "/console/sign-in";

/// The longest way that somebody is sent back.
const LONGEST_WAY: usize = 1024;

/// Everything under `/console/sign-in`, and the way out.
pub(super) fn router() -> Router<Arc<HttpState>> {
    Router::new()
        .route(PAGE, get(page).post(enter))
        .route("/console/sign-out", axum::routing::post(leave))
        .route("/console/sign-in/oidc", get(provider::begin))
        .route("/console/sign-in/oidc/done", get(provider::done))
        .route("/console/sign-in/oidc/out", get(provider::out))
}

/// A place in the console, as it can stand in a header and a cookie; nothing else is gone to.
pub(super) fn local(to: &str) -> Option<&str> {
    let rest = to.strip_prefix("/console")?;
    let inside = rest.is_empty() || rest.starts_with(['/', '?']);
    let plain = to.bytes().all(|c| c.is_ascii_graphic() && !b"\"\\<>;,".contains(&c));
    let loops = ["/sign-in", "/sign-out"].iter().any(|it| rest.starts_with(it));
    (inside && plain && !loops && to.len() <= LONGEST_WAY).then_some(to)
}

#[derive(Template)]
#[template(path = "sign_in.html", config = "src/http/sign_in/askama.toml")]
struct Page<'p> {
    good: Option<&'static str>,
    bad: Option<String>,
    provider: bool,
    local: bool,
    to: &'p str,
    to_encoded: String,
    name: &'p str,
    leave_provider: bool,
}

impl<'p> Page<'p> {
    fn of(guard: &Guard, to: &'p str) -> Self {
        Self {
            good: None,
            bad: None,
            provider: guard.oidc.is_some(),
            local: guard.local,
            to,
            to_encoded: super::who::form_encoded(to),
            name: "",
            leave_provider: false,
        }
    }

    fn show(&self) -> Response {
        match self.render() {
            Ok(text) => Html(text).into_response(),
            Err(error) => {
                tracing::error!(%error, "a page cannot be rendered");
                Barred::Unavailable("this page cannot be shown".to_owned()).into_response()
            }
        }
    }

    fn refuse(self, barred: &Barred) -> Response {
        let page = Self { bad: Some(sentence(&barred.to_string())), ..self };
        barred.around(page.show())
    }
}

fn sentence(text: &str) -> String {
    let mut chars = text.chars();
    let first = chars.next().map(char::to_uppercase);
    let first: String = first.into_iter().flatten().collect();
    format!("{first}{}.", chars.as_str().trim_end_matches('.'))
}

/// The guard, when people sign in here at all.
fn guard(state: &HttpState) -> Result<&Arc<Guard>, Barred> {
    match &state.gate {
        Gate::Guarded(guard) if guard.has_console() => Ok(guard),
        Gate::Open(_) => Err(Barred::NeedNot),
        Gate::Guarded(_) | Gate::Shut => Err(Barred::Nothing),
    }
}

fn to(place: &str) -> Response {
    match HeaderValue::try_from(place) {
        Ok(place) => (StatusCode::SEE_OTHER, [(LOCATION, place)]).into_response(),
        Err(_) => (StatusCode::SEE_OTHER, [(LOCATION, "/console")]).into_response(),
    }
}

#[derive(Default, Deserialize)]
struct Asked {
    #[serde(default)]
    to: String,
    /// Somebody has just signed out: `here`, or `provider` when they had signed in there.
    #[serde(default)]
    out: String,
}

/// `GET /console/sign-in`
async fn page(State(state): State<Arc<HttpState>>, request: Request) -> Response {
    let guard = match guard(&state) {
        Ok(guard) => guard,
        Err(barred) => return barred.into_response(),
    };
    let Query(asked) = Query::<Asked>::try_from_uri(request.uri()).unwrap_or_default();
    let mut page = Page::of(guard, local(&asked.to).unwrap_or("/console"));
    if !asked.out.is_empty() {
        page.good = Some("You are signed out.");
        page.leave_provider = asked.out == "provider" && guard.oidc.is_some();
    }
    page.show()
}

#[derive(Default, Deserialize)]
struct Filled {
    #[serde(default)]
    name: String,
    #[serde(default)]
    password: String,
    #[serde(default)]
    to: String,
}

/// `POST /console/sign-in`
async fn enter(
    State(state): State<Arc<HttpState>>,
    parts: Parts,
    filled: Result<Form<Filled>, FormRejection>,
) -> Response {
    let guard = match guard(&state) {
        Ok(guard) => guard,
        Err(barred) => return barred.into_response(),
    };
    if !guard.local {
        return Barred::Nothing.into_response();
    }
    let Ok(Form(filled)) = filled else {
        return Page::of(guard, "/console").refuse(&Barred::Unreadable);
    };
    let to = local(&filled.to).unwrap_or("/console");
    let name = filled.name.trim().to_lowercase();
    let from = guard.address(&parts);
    let session = match check(&state, guard, &name, filled.password, from).await {
        Ok(session) => session,
        Err(barred) => {
            // What is no name may be a password: it is not shown again.
            let shown = if crate::access::name_problem(&name).is_none() { &*name } else { "" };
            return Page { name: shown, ..Page::of(guard, to) }.refuse(&barred);
        }
    };
    match begin(&state, guard, &parts.headers, session, from, "a password of this console").await {
        Ok(cookie) => entered(to, [cookie]),
        Err(barred) => Page::of(guard, to).refuse(&barred),
    }
}

/// Checks a name and a password, as often as that may be tried.
async fn check(
    state: &HttpState,
    guard: &Guard,
    name: &str,
    password: String,
    from: Option<IpAddr>,
) -> Result<Session, Barred> {
    let store = &*state.store;
    if let Some(wait) = attempts::take(store, name, from).await? {
        count("password", "too_often");
        let barred = Barred::TooOften(wait);
        write_refused(state, guard, None, from, &barred.to_string()).await;
        return Err(barred);
    }
    let known = crate::access::name_problem(name).is_none();
    let user = if known { users::user(store, name).await? } else { None };
    let proof = user.as_ref().and_then(|user| user.password.clone());
    let fits = password.len() <= password::LONGEST;
    let password = if fits { password } else { String::new() };
    let right = password::is_right(password, proof).await;
    match user {
        Some(user) if right => {
            let now = state.clock.now();
            Ok(Session {
                name: user.name,
                access: user.access,
                by: By::Password(user.stamp),
                begun: now,
                seen: now,
                shown: BTreeMap::new(),
            })
        }
        user => {
            count("password", "wrong");
            let name = user.as_ref().map(|user| user.name.as_str());
            write_refused(state, guard, name, from, "the name or the password is wrong").await;
            Err(Barred::Wrong("the name or the password is wrong".to_owned()))
        }
    }
}

/// Begins a session in the place of the one that this browser had, writes it down, and says the
/// cookie that is it.
async fn begin(
    state: &HttpState,
    guard: &Guard,
    headers: &HeaderMap,
    session: Session,
    from: Option<IpAddr>,
    by: &str,
) -> Result<HeaderValue, Barred> {
    let store = &*state.store;
    let jar = guard.jar();
    let mut entry = entry(&session.name, session.access, from, "sign_in", by, state);
    entry.outcome = Some(format!("signed in{}", others(guard)));
    store.write_audit(&entry).await?;
    if let Some(old) = jar.read(headers, cookie::SESSION) {
        sessions::end(store, &SessionId::of(old)).await?;
    }
    let unavailable = |error: sessions::NotBegun| Barred::Unavailable(error.to_string());
    let secret = sessions::begin(store, &session, guard.lasting).await.map_err(unavailable)?;
    let way = if matches!(session.by, By::Password(_)) { "password" } else { "provider" };
    count(way, "signed_in");
    jar.set(cookie::SESSION, &secret, guard.lasting.whole)
        .ok_or_else(|| Barred::Unavailable("no cookie can be made".to_owned()))
}

fn entered<const N: usize>(place: &str, cookies: [HeaderValue; N]) -> Response {
    let mut response = to(place);
    for cookie in cookies {
        response.headers_mut().append(SET_COOKIE, cookie);
    }
    response
}

/// `POST /console/sign-out`
async fn leave(State(state): State<Arc<HttpState>>, parts: Parts) -> Response {
    let guard = match guard(&state) {
        Ok(guard) => guard,
        Err(barred) => return barred.into_response(),
    };
    let jar = guard.jar();
    let mut place = format!("{PAGE}?out=here");
    if let Some(secret) = jar.read(&parts.headers, cookie::SESSION) {
        match sessions::end(&*state.store, &SessionId::of(secret)).await {
            Ok(Some(session)) => {
                let from = guard.address(&parts);
                let mut entry =
                    entry(&session.name, session.access, from, "sign_out", "console", &state);
                entry.outcome = Some("signed out".to_owned());
                if let Err(error) = state.store.write_audit(&entry).await {
                    tracing::error!(%error, "a sign-out is not in the audit log");
                }
                if matches!(session.by, By::Provider(_)) {
                    place = format!("{PAGE}?out=provider");
                }
            }
            Ok(None) => {}
            Err(error) => return Barred::from(error).into_response(),
        }
    }
    let mut response = to(&place);
    if let Some(cookie) = jar.clear(cookie::SESSION) {
        response.headers_mut().append(SET_COOKIE, cookie);
    }
    response
}

fn entry(
    name: &str,
    access: Access,
    from: Option<IpAddr>,
    verb: &str,
    about: &str,
    state: &HttpState,
) -> AuditEntry {
    let from = from.map(|address| address.to_string());
    let actor = Actor { name: name.to_owned(), access, via: Via::Console, from };
    AuditEntry::begun(&actor, verb, about.to_owned(), state.clock.now())
}

/// Writes down that somebody did not get in: under a name only if that is known, for people type
/// passwords where names belong. Above a number in an hour they are only counted, and the next entry
/// tells how many.
async fn write_refused(
    state: &HttpState,
    guard: &Guard,
    name: Option<&str>,
    from: Option<IpAddr>,
    why: &str,
) {
    let store = &*state.store;
    match attempts::may_be_written(store).await {
        Ok(true) => {}
        Ok(false) => {
            guard.unwritten.fetch_add(1, Ordering::Relaxed);
            return;
        }
        Err(error) => return tracing::error!(%error, "a refused sign-in is not in the audit log"),
    }
    let name = name.unwrap_or("unknown");
    let mut entry = entry(name, Access::Viewer, from, "sign_in", "console", state);
    entry.refused = true;
    entry.outcome = Some(format!("{why}{}", others(guard)));
    if let Err(error) = store.write_audit(&entry).await {
        tracing::error!(%error, "a refused sign-in is not in the audit log");
    }
}

/// How many were refused since the last entry and not written down.
fn others(guard: &Guard) -> String {
    match guard.unwritten.swap(0, Ordering::Relaxed) {
        0 => String::new(),
        many => format!("; before, {many} more did not get in and were only counted"),
    }
}

fn count(way: &'static str, outcome: &'static str) {
    metrics::counter!("instep_sign_ins_total", "way" => way, "outcome" => outcome).increment(1);
}

impl From<StoreError> for Barred {
    fn from(error: StoreError) -> Self {
        Self::Unavailable(error.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::local;

    #[test]
    fn nobody_is_sent_anywhere_but_into_the_console() {
        for to in ["/console", "/console/runs/1?did=2", "/console?x=1", "/console/people/bob/1%2F"]
        {
            assert_eq!(local(to), Some(to));
        }
        for to in [
            "",
            "/",
            "//evil.example",
            "/consoles",
            "https://evil.example/console",
            "/console\r\nSet-Cookie: a=b",
            "/console/\\evil",
            "/console/sign-in",
            "/console/sign-out",
            "/console/ä",
            "/console;a",
        ] {
            assert_eq!(local(to), None, "{to:?}");
        }
        assert_eq!(local(&format!("/console/{}", "a".repeat(1024))), None);
    }
}
