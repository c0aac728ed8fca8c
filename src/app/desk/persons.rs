//! Deeds and questions about one person: why their account is as it is, what would be done, whose
//! account is whose, and who looks at their personal data.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Semaphore, SemaphorePermit};

use super::Desk;
use super::people::{By, People};
use crate::app::matches::{self, Followed, Matter, NotDecided};
use crate::app::preview::{Look, Preview, PreviewError, Previewer};
use crate::app::story::planned;
use crate::model::question::Answer;
use crate::model::{Access, Actor, Choice, Outcome, Person, Refused, SourceName};

/// How long reading one person from HR and the LMS may take.
const TIME: Duration = Duration::from_secs(20);

/// So many people are read at once for those who ask.
const AT_ONCE: usize = 4;

/// The most that a search shows.
const MOST: usize = 500;

/// What a process that serves knows besides the store.
pub(in crate::app) struct Serving {
    /// Everybody, for the search.
    pub people: Arc<People>,
    room: Semaphore,
}

impl Serving {
    pub fn new(people: Arc<People>) -> Self {
        Self { people, room: Semaphore::new(AT_ONCE) }
    }
}

impl Desk {
    /// Those whose id, mail or name fits. Whoever may not see mails and names finds ids, and sees
    /// nothing else.
    pub(super) async fn people(
        &self,
        actor: &Actor,
        text: &str,
        most: usize,
    ) -> Result<Answer, Refused> {
        let sources: Vec<SourceName> = self.settings.sources.keys().map(SourceName::new).collect();
        let sees = actor.access >= Access::Operator;
        let by = if sees { By::Everything } else { By::Id };
        let none = People::default();
        let people = self.serving.as_ref().map_or(&none, |serving| &*serving.people);
        let mut found = people.search(text, by, most.min(MOST), &*self.store, &sources).await?;
        if !sees {
            for somebody in &mut found {
                somebody.name.clear();
                somebody.mail.clear();
            }
        }
        Ok(Answer::People(found))
    }

    /// Why somebody's account is as it is, from what HR and the LMS say now.
    pub(super) async fn explain(&self, actor: &Actor, person: &Person) -> Result<Answer, Refused> {
        let story = self.in_time(async {
            let previewer = self.previewer(person)?;
            let preview = look(&previewer, person, Look::Closest).await?;
            let story = previewer.tell(preview).await?;
            if story.is_of_nobody() {
                return Err(nobody(person));
            }
            Ok(story)
        });
        let mut story = story.await?;
        if actor.access < Access::Operator {
            story.veil();
        }
        Ok(Answer::Explain(Box::new(story)))
    }

    /// What would be done for somebody.
    pub(super) async fn plan(&self, actor: &Actor, person: &Person) -> Result<Answer, Refused> {
        let preview = self.in_time(async {
            let previewer = self.previewer(person)?;
            look(&previewer, person, Look::Close).await
        });
        let preview = preview.await?;
        if preview.record.is_none() && preview.link.is_none() && preview.choice.is_none() {
            return Err(nobody(person));
        }
        let mut planned = planned(&preview);
        if actor.access < Access::Operator {
            planned.veil();
        }
        Ok(Answer::Plan(Box::new(planned)))
    }

    /// Writes down what a human decided about somebody's account, and has them looked at again.
    pub(super) async fn decide(
        &self,
        person: &Person,
        choice: Option<&Choice>,
    ) -> Result<Outcome, Refused> {
        let account = match choice {
            Some(Choice::Account(id)) => Some(id),
            _ => None,
        };
        let considered = self.in_time(async {
            let previewer = self.previewer(person)?;
            Ok(previewer.consider(&person.employee, account).await?)
        });
        let matter = considered.await?;
        let followed = matches::decide(&matter, choice, &*self.store, &self.clock).await?;
        Ok(Outcome::said(told(&matter, choice, followed)))
    }

    /// What reads and decides for this person, by the rules that are live.
    fn previewer(&self, person: &Person) -> Result<Previewer, Refused> {
        let name = &person.source;
        let settings = &*self.settings;
        let source = settings.sources.get(name.as_str());
        let source =
            source.ok_or_else(|| Refused::NotFound(format!("there is no source {name}")))?;
        let live = self.workers.iter().find(|it| it.name == *name).map(|it| it.live());
        let rules = live.as_ref().map_or(&source.rules, |live| &live.written);
        let made = Previewer::of(name, source, rules, TIME, settings, &self.store);
        Ok(made.map_err(PreviewError::from)?)
    }

    /// Reading HR and the LMS ends in time, and few do it at once: live work goes before.
    async fn in_time<T>(
        &self,
        work: impl Future<Output = Result<T, Refused>>,
    ) -> Result<T, Refused> {
        let _permit = self.permit()?;
        tokio::time::timeout(TIME, Box::pin(work)).await.unwrap_or_else(|_| {
            let seconds = TIME.as_secs();
            Err(Refused::Unavailable(format!(
                "HR and the LMS did not answer within {seconds} s: they are slow, or live work goes \
                 first; try again in a minute"
            )))
        })
    }

    fn permit(&self) -> Result<Option<SemaphorePermit<'_>>, Refused> {
        let Some(serving) = &self.serving else { return Ok(None) };
        let busy = || {
            Refused::Unavailable("several people are read already: try again in a moment".into())
        };
        serving.room.try_acquire().map(Some).map_err(|_| busy())
    }
}

async fn look(previewer: &Previewer, person: &Person, look: Look) -> Result<Preview, Refused> {
    let people = previewer.records(std::slice::from_ref(&person.employee)).await?;
    let previews = Box::pin(previewer.preview(people, look)).await?;
    previews.into_iter().next().ok_or_else(|| nobody(person))
}

fn nobody(person: &Person) -> Refused {
    Refused::NotFound(format!("neither HR nor Instep has ever seen {person}"))
}

/// What was decided and what follows, by ids.
fn told(matter: &Matter, choice: Option<&Choice>, followed: Followed) -> String {
    let person = &matter.person;
    let decided = match choice {
        Some(Choice::Account(id)) => format!("account {id} is theirs"),
        Some(Choice::Create) => "a new account is made".to_owned(),
        Some(Choice::Ignore) => "left alone".to_owned(),
        None => match &matter.before {
            None => "nothing had been decided; the matching rules decide".to_owned(),
            Some(_) => "the matching rules decide again".to_owned(),
        },
    };
    let followed = match followed {
        Followed::Replayed(1) => "1 delivery is done again".to_owned(),
        Followed::Replayed(many) => format!("{many} deliveries are done again"),
        Followed::Queued => "they are looked at anew".to_owned(),
    };
    let loser = match (matter.loser(), choice) {
        (Some(loser), Some(Choice::Account(_))) => {
            format!("{loser} has no account any more and is left alone; ")
        }
        _ => String::new(),
    };
    format!("{loser}{person}: {decided}; {followed}")
}

impl From<PreviewError> for Refused {
    fn from(error: PreviewError) -> Self {
        match error {
            PreviewError::Store(error) => error.into(),
            error => Self::Unavailable(error.to_string()),
        }
    }
}

impl From<NotDecided> for Refused {
    fn from(error: NotDecided) -> Self {
        let said = error.to_string();
        match error {
            NotDecided::Nobody => Self::NotFound(said),
            NotDecided::Several(_) | NotDecided::NoAccount(_) | NotDecided::Protected(..) => {
                Self::Wrong(said)
            }
            NotDecided::Busy(_) => Self::Conflict(said),
            NotDecided::Preview(error) => error.into(),
            NotDecided::Store(error) => error.into(),
        }
    }
}
