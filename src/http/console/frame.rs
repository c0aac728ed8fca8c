//! What stands around every page: the navigation, and who is signed in.

use std::fmt;

use askama::Template;
use axum::http::StatusCode;
use axum::response::{Html, IntoResponse, Response};
use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::assets;
use super::visit::Visit;
use crate::clock::elapsed_ms;
use crate::http::error::status_of_refused;
use crate::model::{Access, Actor, AuditEntry, Refused};
use crate::report;

/// A part of the console.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Section {
    /// What is going on.
    Now,
    /// Who is who.
    People,
    /// What came in and what became of it.
    Deliveries,
    /// What needs a human, by cause.
    Failures,
    /// Full syncs and replays.
    Runs,
    /// What decides.
    Rules,
    /// Who did what.
    Audit,
}

impl Section {
    /// All of them, in the order of the navigation.
    pub const ALL: [Self; 7] = [
        Self::Now,
        Self::People,
        Self::Deliveries,
        Self::Failures,
        Self::Runs,
        Self::Rules,
        Self::Audit,
    ];

    /// Its name.
    pub fn word(self) -> &'static str {
        match self {
            Self::Now => "Now",
            Self::People => "People",
            Self::Deliveries => "Deliveries",
            Self::Failures => "Failures",
            Self::Runs => "Runs",
            Self::Rules => "Rules",
            Self::Audit => "Audit",
        }
    }

    /// Where it is.
    pub fn path(self) -> &'static str {
        match self {
            Self::Now => "/console",
            Self::People => "/console/people",
            Self::Deliveries => "/console/deliveries",
            Self::Failures => "/console/failures",
            Self::Runs => "/console/runs",
            Self::Rules => "/console/rules",
            Self::Audit => "/console/audit",
        }
    }
}

/// What every page says beside its own content: the field `frame` of its template.
#[derive(Clone, Debug)]
pub struct Frame {
    /// Who is signed in.
    pub actor: Actor,
    /// Which part this is.
    pub section: Section,
    /// What came of what they just did.
    pub notice: Option<Notice>,
    /// When the page is made.
    pub now: Timestamp,
    /// The time zone in which times are shown.
    pub zone: TimeZone,
    /// Whether there is a way to sign out.
    pub can_leave: bool,
}

/// What came of a deed, for whoever did it.
#[derive(Clone, Debug)]
pub struct Notice {
    /// It was done.
    pub good: bool,
    /// In a sentence.
    pub text: String,
}

impl Notice {
    /// Of an entry of the audit log; nothing while it is under way.
    pub fn of(entry: &AuditEntry) -> Option<Self> {
        let said = entry.outcome.as_deref()?;
        let mut chars = said.chars();
        let first = chars.next()?.to_uppercase();
        Some(Self { good: !entry.refused, text: format!("{first}{}.", chars.as_str()) })
    }

    /// How it is shown.
    pub fn class(&self) -> &'static str {
        if self.good { "good" } else { "bad" }
    }

    /// How it is read out.
    pub fn role(&self) -> &'static str {
        if self.good { "status" } else { "alert" }
    }
}

impl Frame {
    /// The same with why something was not done, if it was not.
    #[must_use]
    pub fn refused(mut self, refused: Option<&Refused>) -> Self {
        if let Some(refused) = refused {
            self.notice = Some(Notice { good: false, text: format!("Not done: {refused}.") });
        }
        self
    }

    /// Whether whoever is signed in may do this.
    pub fn may(&self, access: Access) -> bool {
        self.actor.access >= access
    }

    /// Whether they may run, replay and decide.
    pub fn operates(&self) -> bool {
        self.may(Access::Operator)
    }

    /// What the navigation shows: viewers don't read the audit log.
    pub fn sections(&self) -> impl Iterator<Item = Section> {
        let operates = self.operates();
        Section::ALL.into_iter().filter(move |section| operates || *section != Section::Audit)
    }

    /// Whether they may say who may, and erase people.
    pub fn administers(&self) -> bool {
        self.may(Access::Administrator)
    }

    /// A moment as an element of the page.
    pub fn time(&self, at: impl Time) -> Moment {
        Moment { at: at.time(), zone: self.zone.clone() }
    }

    /// How long ago something was, as `3 min ago`, or `in 3 min`.
    pub fn ago(&self, at: impl Time) -> String {
        let at = at.time();
        if at > self.now {
            format!("in {}", lasting(elapsed_ms(self.now, at)))
        } else {
            format!("{} ago", lasting(elapsed_ms(at, self.now)))
        }
    }

    /// The name of the time zone.
    pub fn zone_name(&self) -> &str {
        self.zone.iana_name().unwrap_or("UTC")
    }
}

#[expect(clippy::unused_self, reason = "templates ask the frame for what is the same everywhere")]
impl Frame {
    /// A number as people read it: `1,204`.
    pub fn number(&self, number: impl Count) -> String {
        report::number(number.count())
    }

    /// So many people: `1 person`.
    pub fn people(&self, number: impl Count) -> String {
        report::people(number.count())
    }

    /// How often: `once`, `3 times`.
    pub fn times(&self, number: impl Count) -> String {
        match number.count() {
            1 => "once".to_owned(),
            many => format!("{} times", report::number(many)),
        }
    }

    /// The address of the icon.
    pub fn icon(&self) -> String {
        assets::ICON.address()
    }

    /// The address of the style.
    pub fn style(&self) -> String {
        assets::STYLE.address()
    }

    /// The address of the script.
    pub fn live(&self) -> String {
        assets::LIVE.address()
    }

    /// This program's version.
    pub fn version(&self) -> &'static str {
        env!("CARGO_PKG_VERSION")
    }
}

/// A time, by however many references a template holds it.
pub trait Time {
    /// The time.
    fn time(&self) -> Timestamp;
}

impl Time for Timestamp {
    fn time(&self) -> Timestamp {
        *self
    }
}

impl<T: Time> Time for &T {
    fn time(&self) -> Timestamp {
        (*self).time()
    }
}

/// A count, by however many references a template holds it.
pub trait Count {
    /// The count.
    fn count(&self) -> u64;
}

impl Count for u64 {
    fn count(&self) -> u64 {
        *self
    }
}

impl Count for u32 {
    fn count(&self) -> u64 {
        u64::from(*self)
    }
}

impl Count for usize {
    fn count(&self) -> u64 {
        *self as u64
    }
}

impl<C: Count> Count for &C {
    fn count(&self) -> u64 {
        (*self).count()
    }
}

/// `0 s`, `12 s`, `3 min`, `2 h 5 min`, `3 d`.
pub fn lasting(ms: u64) -> String {
    let seconds = ms / 1_000;
    match seconds {
        0..60 => format!("{seconds} s"),
        60..3_600 => format!("{} min", seconds / 60),
        3_600..172_800 => format!("{} h {} min", seconds / 3_600, seconds % 3_600 / 60),
        _ => format!("{} d", seconds / 86_400),
    }
}

/// A moment as an element of a page: for people in their time zone, for programs in UTC.
pub struct Moment {
    at: Timestamp,
    zone: TimeZone,
}

impl fmt::Display for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = self.at.to_zoned(self.zone.clone());
        let whole = Timestamp::from_second(self.at.as_second()).unwrap_or(self.at);
        write!(f, "<time datetime=\"{whole}\">{}</time>", shown.strftime("%Y-%m-%d %H:%M:%S"))
    }
}

/// It has nothing but digits and signs of a date.
impl askama::filters::HtmlSafe for Moment {}

/// A page as it is sent.
pub fn page(template: &impl Template) -> Response {
    match template.render() {
        Ok(text) => Html(text).into_response(),
        Err(error) => {
            tracing::error!(%error, "a page cannot be rendered");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}

/// A page with the status of a deed that was not done, if one was not.
pub fn page_after(template: &impl Template, refused: Option<&Refused>) -> Response {
    match refused {
        None => page(template),
        Some(refused) => (status_of_refused(refused), page(template)).into_response(),
    }
}

#[derive(Template)]
#[template(path = "refused.html", config = "src/http/console/askama.toml")]
struct NoPage {
    frame: Frame,
    title: &'static str,
}

/// The page that is shown when there is none to show.
pub fn no_page(visit: Visit, section: Section, refused: &Refused) -> Response {
    let title = match refused {
        Refused::Forbidden(_) => "Not allowed",
        Refused::NotFound(_) => "Not found",
        Refused::Wrong(_) => "That cannot be done",
        Refused::Conflict(_) => "Somebody was faster",
        Refused::Unavailable(_) => "Not available just now",
    };
    let mut frame = visit.frame(section);
    let mut text = refused.to_string();
    if let Some(first) = text.get(..1).map(str::to_uppercase) {
        text.replace_range(..1, &first);
    }
    frame.notice = Some(Notice { good: false, text: format!("{text}.") });
    page_after(&NoPage { frame, title }, Some(refused))
}
