//! A pause: people, or a maintenance window, want nothing to be leased for a while. What comes in
//! meanwhile is taken in and waits; what is in hand is finished.
//!
//! A hold is something else: it is set by a far end that fails, and ends by itself when it is well.

use std::fmt;
use std::str::FromStr;

use jiff::Timestamp;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::{Lane, SourceName};

/// What is paused.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum PauseScope {
    /// Everything.
    All,
    /// The people of one source.
    Source(SourceName),
    /// Whatever would change the target.
    Target,
    /// One lane. Who has work in the other one as well brings that of this one along.
    Lane(Lane),
}

impl fmt::Display for PauseScope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::All => f.write_str("all"),
            Self::Source(name) => write!(f, "source {name}"),
            Self::Target => f.write_str("target"),
            Self::Lane(lane) => write!(f, "lane {}", lane.word()),
        }
    }
}

impl FromStr for PauseScope {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let mut words = text.split_whitespace();
        let scope = match (words.next(), words.next(), words.next()) {
            (Some("all"), None, None) => Some(Self::All),
            (Some("target"), None, None) => Some(Self::Target),
            (Some("source"), Some(name), None) => Some(Self::Source(SourceName::new(name))),
            (Some("lane"), Some("live"), None) => Some(Self::Lane(Lane::Live)),
            (Some("lane"), Some("bulk"), None) => Some(Self::Lane(Lane::Bulk)),
            _ => None,
        };
        scope.ok_or_else(|| {
            "expected `all`, `source NAME`, `target`, `lane live` or `lane bulk`".to_owned()
        })
    }
}

impl Serialize for PauseScope {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for PauseScope {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        String::deserialize(from)?.parse().map_err(serde::de::Error::custom)
    }
}

/// One pause.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pause {
    /// What is paused.
    pub scope: PauseScope,
    /// Who paused it: a name, or `maintenance NAME`.
    pub by: String,
    /// Why.
    pub reason: String,
    /// Since when.
    pub since: Timestamp,
    /// It ends by itself then; when there is none, somebody must end it.
    pub until: Option<Timestamp>,
    /// Somebody ended it before its time. It is remembered until then, so that the maintenance
    /// window that set it does not set it again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lifted_by: Option<String>,
}

impl Pause {
    /// Whether it counts now.
    pub fn counts(&self, now: Timestamp) -> bool {
        self.lifted_by.is_none() && self.until.is_none_or(|until| now < until)
    }
}

/// All pauses: the text of one note in the store.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Pauses(pub Vec<Pause>);

impl Pauses {
    /// The name of the note.
    pub const NOTE: &'static str = "pauses";

    /// Reads the note; without one nothing is paused.
    ///
    /// # Errors
    /// When a newer program wrote it: rather nothing is leased than what somebody paused.
    pub fn read(text: Option<&str>) -> Result<Self, String> {
        text.map_or(Ok(Self::default()), |text| {
            serde_json::from_str(text).map_err(|error| error.to_string())
        })
    }

    /// Those that count now.
    pub fn counting(&self, now: Timestamp) -> impl Iterator<Item = &Pause> {
        self.0.iter().filter(move |pause| pause.counts(now))
    }

    /// Why nothing of a source is leased now, if that is so.
    pub fn stops(&self, source: &SourceName, now: Timestamp) -> Option<&Pause> {
        let of = |scope: PauseScope| self.counting(now).find(|pause| pause.scope == scope);
        of(PauseScope::All)
            .or_else(|| of(PauseScope::Source(source.clone())))
            .or_else(|| of(PauseScope::Target))
            .or_else(|| of(PauseScope::Lane(Lane::Live)).and(of(PauseScope::Lane(Lane::Bulk))))
    }

    /// The lane for whose work nobody is leased now.
    pub fn lane(&self, now: Timestamp) -> Option<Lane> {
        self.counting(now).find_map(|pause| match pause.scope {
            PauseScope::Lane(lane) => Some(lane),
            _ => None,
        })
    }

    /// Adds a pause in the place of the one of the same scope, and forgets what is over.
    pub fn set(&mut self, pause: Pause, now: Timestamp) {
        self.0.retain(|old| old.scope != pause.scope && old.until.is_none_or(|until| now < until));
        self.0.push(pause);
    }
}

#[cfg(test)]
mod tests {
    use jiff::ToSpan;

    use super::*;

    fn pause(scope: &str, until: Option<Timestamp>) -> Pause {
        Pause {
            scope: scope.parse().expect("a scope"),
            by: "ann".to_owned(),
            reason: "a test".to_owned(),
            since: Timestamp::UNIX_EPOCH,
            until,
            lifted_by: None,
        }
    }

    #[test]
    fn a_scope_is_written_as_it_is_read() {
        for text in ["all", "source bob", "target", "lane live", "lane bulk"] {
            let scope: PauseScope = text.parse().expect(text);
            assert_eq!(scope.to_string(), text);
        }
        for text in ["", "source", "source a b", "lane", "lane fast", "everything", "all bulk"] {
            assert!(text.parse::<PauseScope>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_pause_stops_its_scope_until_its_time() {
        let (now, bob) = (Timestamp::UNIX_EPOCH, SourceName::new("bob"));
        let later = now + 1.hour();
        let with = |pauses: &[&str]| Pauses(pauses.iter().map(|it| pause(it, None)).collect());
        for scope in ["all", "source bob", "target"] {
            assert!(with(&[scope]).stops(&bob, now).is_some(), "{scope}");
        }
        for scope in ["source eve", "lane bulk", "lane live"] {
            assert!(with(&[scope]).stops(&bob, now).is_none(), "{scope}");
        }
        assert!(with(&["lane bulk", "lane live"]).stops(&bob, now).is_some());
        assert_eq!(with(&["lane bulk"]).lane(now), Some(Lane::Bulk));
        assert_eq!(with(&["target"]).lane(now), None);

        let mut pauses = Pauses::default();
        pauses.set(pause("all", Some(later)), now);
        assert!(pauses.stops(&bob, now).is_some());
        assert!(pauses.stops(&bob, later).is_none());
        pauses.set(pause("target", None), later);
        assert_eq!(pauses.0.len(), 1, "what is over is forgotten");
        pauses.0[0].lifted_by = Some("ann".to_owned());
        assert!(pauses.stops(&bob, later).is_none());
    }

    #[test]
    fn what_a_newer_program_wrote_is_not_taken_for_nothing() {
        assert_eq!(Pauses::read(None), Ok(Pauses::default()));
        let pauses = Pauses(vec![pause("source bob", None)]);
        let text = serde_json::to_string(&pauses).expect("plain data");
        assert_eq!(Pauses::read(Some(&text)), Ok(pauses));
        assert!(Pauses::read(Some(&text.replace("source bob", "weather"))).is_err());
    }
}
