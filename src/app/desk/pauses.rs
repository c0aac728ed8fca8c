//! Pausing and resuming: the note that every worker looks at before it leases.

use jiff::Timestamp;

use super::Desk;
use crate::model::{Actor, Outcome, Pause, PauseScope, Pauses, Refused, SourceName};

/// How often the note is written again when others write at the same moment.
const TRIES: usize = 20;

/// The longest reason, in characters.
const LONGEST: usize = 500;

impl Desk {
    /// Pauses something; a pause of the same thing is replaced.
    pub(super) async fn pause(
        &self,
        actor: &Actor,
        scope: PauseScope,
        reason: String,
        until: Option<Timestamp>,
    ) -> Result<Outcome, Refused> {
        let now = self.clock.now();
        if until.is_some_and(|until| until <= now) {
            return Err(Refused::Conflict("the end of the pause lies in the past".to_owned()));
        }
        if reason.trim().is_empty() || reason.chars().count() > LONGEST {
            let why = format!("say why it is paused, in {LONGEST} characters at most");
            return Err(Refused::Wrong(why));
        }
        if let PauseScope::Source(name) = &scope
            && !self.settings.sources.contains_key(name.as_str())
        {
            return Err(self.no_source(name));
        }
        let end = until.map_or_else(
            || format!("until somebody resumes it: instep resume {scope}"),
            |until| format!("until {until}"),
        );
        let (by, since) = (actor.name.clone(), now);
        let pause = Pause { scope: scope.clone(), by, reason, since, until, lifted_by: None };
        let mut before = None;
        self.change_pauses(|pauses| {
            before = pauses.counting(now).find(|it| it.scope == scope).cloned();
            pauses.set(pause.clone(), now);
            Ok(())
        })
        .await?;
        // Whoever paused it for longer, or for another reason, may have counted on it.
        let before = before.map_or_else(String::new, |Pause { by, until, .. }| {
            let till =
                until.map_or_else(|| "without an end".to_owned(), |at| format!("until {at}"));
            format!("; it was paused by {by} {till} before, which this takes the place of")
        });
        Ok(Outcome::said(format!("paused: {scope}, {end}{before}")))
    }

    /// Ends a pause.
    pub(super) async fn resume(
        &self,
        actor: &Actor,
        scope: &PauseScope,
    ) -> Result<Outcome, Refused> {
        let now = self.clock.now();
        self.change_pauses(|pauses| {
            let mut found = pauses.0.iter_mut();
            let Some(pause) = found.find(|it| it.scope == *scope && it.counts(now)) else {
                let listed: Vec<String> =
                    pauses.counting(now).map(|pause| pause.scope.to_string()).collect();
                let what = if listed.is_empty() {
                    "nothing is".to_owned()
                } else {
                    format!("paused: {}", listed.join(", "))
                };
                return Err(Refused::Conflict(format!("{scope} is not paused; {what}")));
            };
            pause.lifted_by = Some(actor.name.clone());
            // Only what ends by itself is worth remembering.
            pauses.0.retain(|it| it.lifted_by.is_none() || it.until.is_some());
            Ok(())
        })
        .await?;
        Ok(Outcome::said(format!("resumed: {scope}")))
    }

    /// All pauses that count now.
    ///
    /// # Errors
    /// When the store is not available, or a newer program wrote them.
    pub async fn pauses(&self) -> Result<Vec<Pause>, Refused> {
        let now = self.clock.now();
        Ok(self.read_pauses().await?.1.counting(now).cloned().collect())
    }

    /// Sets the pause of a maintenance window, unless it stands there already or somebody ended it.
    /// Says whether it did.
    ///
    /// # Errors
    /// As for [`pauses`](Self::pauses).
    pub(crate) async fn begin_window(&self, pause: &Pause) -> Result<bool, Refused> {
        let now = self.clock.now();
        let mut begun = false;
        self.change_pauses(|pauses| {
            let mut standing = pauses.0.iter().filter(|it| it.scope == pause.scope);
            // What people paused without an end, or for longer, goes before.
            begun = !standing.any(|it| {
                (it.by == pause.by && it.until == pause.until)
                    || (it.counts(now) && it.until.is_none_or(|until| Some(until) >= pause.until))
            });
            if begun {
                pauses.set(pause.clone(), now);
            }
            Ok(())
        })
        .await?;
        Ok(begun)
    }

    async fn read_pauses(&self) -> Result<(Option<String>, Pauses), Refused> {
        let text = self.store.note(Pauses::NOTE).await?;
        let pauses = Pauses::read(text.as_deref()).map_err(|why| {
            Refused::Unavailable(format!("what is paused cannot be read ({why}): upgrade Instep"))
        })?;
        Ok((text, pauses))
    }

    async fn change_pauses(
        &self,
        mut change: impl FnMut(&mut Pauses) -> Result<(), Refused>,
    ) -> Result<(), Refused> {
        for _ in 0..TRIES {
            let (before, mut pauses) = self.read_pauses().await?;
            let old = pauses.clone();
            change(&mut pauses)?;
            if pauses == old {
                return Ok(());
            }
            let text =
                (!pauses.0.is_empty()).then(|| serde_json::to_string(&pauses).unwrap_or_default());
            if self.store.put_note(Pauses::NOTE, before.as_deref(), text.as_deref()).await? {
                return Ok(());
            }
        }
        Err(Refused::Conflict("others change the pauses at the same moment: try again".to_owned()))
    }

    fn no_source(&self, name: &SourceName) -> Refused {
        let known: Vec<&str> = self.settings.sources.keys().map(String::as_str).collect();
        Refused::NotFound(format!("there is no source {name}; there is {}", known.join(", ")))
    }
}
