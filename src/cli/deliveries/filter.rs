//! Which deliveries are meant: the same conditions for listing, replaying and discarding.

use jiff::tz::TimeZone;
use jiff::{Span, Timestamp, civil};

use crate::model::{DeliveryState, EmployeeId, SourceName, Which};

/// Conditions; a delivery fits when it fulfils all that are given.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct FilterArgs {
    /// In this state: waiting, dead, done or ignored.
    #[arg(long, value_parser = state)]
    state: Option<DeliveryState>,
    /// Of the person with this id in the source, or SOURCE/ID.
    #[arg(long, value_name = "ID")]
    person: Option<String>,
    /// Of this source.
    #[arg(long, value_name = "NAME")]
    source: Option<String>,
    /// Received since then: 2h, 3d, 2026-11-20, 2026-11-20T08:00:00Z.
    #[arg(long, value_name = "WHEN", value_parser = when)]
    since: Option<When>,
    /// Received before then.
    #[arg(long, value_name = "WHEN", value_parser = when)]
    until: Option<When>,
    /// Of this kind of event: employee.updated.
    #[arg(long)]
    kind: Option<String>,
    /// With this code of the cause: mailAlreadyUsed.
    #[arg(long)]
    code: Option<String>,
    /// Dead letters of the cause with this name: `instep failures` lists them.
    #[arg(long, value_name = "NAME")]
    cause: Option<String>,
    /// With these words in its ids, kind, code or reason.
    #[arg(long, value_name = "WORDS")]
    text: Option<String>,
}

impl FilterArgs {
    /// The conditions as everybody else takes them.
    ///
    /// # Errors
    /// When a time lies outside of time.
    pub(in crate::cli) fn which(&self, now: Timestamp) -> anyhow::Result<Which> {
        let (source, employee) = match self.person.as_deref().map(|person| person.split_once('/')) {
            Some(Some((source, employee))) => (Some(source), Some(employee)),
            Some(None) => (None, self.person.as_deref()),
            None => (None, None),
        };
        Ok(Which {
            ids: Vec::new(),
            cause: self.cause.clone(),
            state: self.state,
            source: self.source.as_deref().or(source).map(SourceName::new),
            employee: employee.map(EmployeeId::new),
            code: self.code.clone(),
            kind: self.kind.clone(),
            since: self.since.as_ref().map(|when| when.at(now)).transpose()?,
            until: self.until.as_ref().map(|when| when.at(now)).transpose()?,
            text: self.text.clone(),
        })
    }
}

fn state(text: &str) -> Result<DeliveryState, String> {
    DeliveryState::ALL.into_iter().find(|state| state.word() == text).ok_or_else(|| {
        format!("a delivery is {}", DeliveryState::ALL.map(DeliveryState::word).join(", "))
    })
}

/// A moment as people name it.
#[derive(Clone, Debug)]
pub(in crate::cli) enum When {
    Ago(Span),
    At(Timestamp),
}

impl When {
    /// That moment.
    ///
    /// # Errors
    /// When it lies outside of time.
    pub(in crate::cli) fn at(&self, now: Timestamp) -> anyhow::Result<Timestamp> {
        Ok(match self {
            Self::Ago(span) => now.to_zoned(TimeZone::UTC).checked_sub(*span)?.timestamp(),
            Self::At(at) => *at,
        })
    }
}

/// Reads one.
pub(in crate::cli) fn when(text: &str) -> Result<When, String> {
    if let Ok(at) = text.parse::<Timestamp>() {
        return Ok(When::At(at));
    }
    if let Ok(day) = text.parse::<civil::Date>() {
        let midnight = day.to_zoned(TimeZone::UTC).map_err(|error| error.to_string())?;
        return Ok(When::At(midnight.timestamp()));
    }
    match text.parse::<Span>() {
        Ok(span) if !span.is_negative() => Ok(When::Ago(span)),
        _ => Err("say how long ago (30m, 2h, 3d), a day (2026-11-20) or a time with its zone \
                  (2026-11-20T08:00:00Z)"
            .to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Option<String> {
        let now = "2026-11-21T12:00:00Z".parse().expect("a time");
        when(text).ok().map(|when| when.at(now).expect("in time").to_string())
    }

    #[test]
    fn a_moment_is_named_in_three_ways() {
        for (text, is) in [
            ("2h", "2026-11-21T10:00:00Z"),
            ("30m", "2026-11-21T11:30:00Z"),
            ("3d", "2026-11-18T12:00:00Z"),
            ("1w", "2026-11-14T12:00:00Z"),
            ("1h 30m", "2026-11-21T10:30:00Z"),
            ("2026-11-20", "2026-11-20T00:00:00Z"),
            ("2026-11-20T08:00:00Z", "2026-11-20T08:00:00Z"),
            ("2026-11-20T08:00:00+02:00", "2026-11-20T06:00:00Z"),
        ] {
            assert_eq!(at(text).as_deref(), Some(is), "{text}");
        }
    }

    #[test]
    fn what_is_no_moment_is_refused() {
        for text in ["", "yesterday", "2", "-2h", "2026-13-01", "h"] {
            assert_eq!(at(text), None, "{text}");
        }
    }
}
