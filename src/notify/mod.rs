//! Short messages and reports to people, by mail and by chat; and the manners that keep them few.
//!
//! A [`Notice`] says that a state began or ended. [`Quiet`] decides when it is told: only when a
//! state changes, several together, never the same twice within the quiet time. [`Channel`] carries
//! it. Notices hold ids and counts, never names, mails or values of people.

mod chat;
mod letter;
mod mail;
mod notice;
mod quiet;

use std::time::Duration;

use jiff::Timestamp;

use crate::config::Settings;

pub use chat::Chat;
pub use letter::Letter;
pub use mail::{Mailer, Receipt};
pub use notice::{Group, Notice, Phase, Topic};
pub use quiet::{Manners, Quiet};

/// Why something could not be sent. It holds no secret and nobody's address.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SendError {
    /// The far end is away or busy: try again.
    #[error("{reason}")]
    Later {
        /// What happened.
        reason: String,
        /// The far end asked to be left alone this long.
        after: Option<Duration>,
    },
    /// Trying again will not help: somebody must change something.
    #[error("{reason}")]
    Person {
        /// What happened, and what to do.
        reason: String,
    },
}

impl SendError {
    fn later(reason: impl Into<String>) -> Self {
        Self::Later { reason: reason.into(), after: None }
    }

    fn person(reason: impl Into<String>) -> Self {
        Self::Person { reason: reason.into() }
    }
}

/// A way to tell people.
#[derive(Clone, Debug)]
pub enum Channel {
    /// To those in `[mail]`.
    Mail(Box<Mailer>),
    /// To a chat, with its place in `notify.chat`, from 1.
    Chat(Chat, usize),
}

impl Channel {
    /// The channels that notices go to.
    ///
    /// # Errors
    /// When one cannot be set up; the reason says which.
    pub fn all(settings: &Settings) -> Result<Vec<Self>, SendError> {
        let mut all = Vec::new();
        if let Some(mail) = settings.mail.as_ref().filter(|_| settings.notify.mail) {
            all.push(Self::Mail(Box::new(Mailer::new(mail)?)));
        }
        for (at, chat) in settings.notify.chat.iter().enumerate() {
            all.push(Self::Chat(Chat::new(chat)?, at + 1));
        }
        Ok(all)
    }

    /// Its name: `mail`, `chat 1`. Each channel has a [`Quiet`] of its own, so that one that is
    /// down does not make the others speak twice.
    pub fn name(&self) -> String {
        match self {
            Self::Mail(_) => "mail".to_owned(),
            Self::Chat(_, at) => format!("chat {at}"),
        }
    }

    /// Tells a group of notices. By mail it is told when one of those in `to` got it.
    ///
    /// # Errors
    /// When nobody got it.
    pub async fn send(&self, group: &Group, now: Timestamp) -> Result<(), SendError> {
        match self {
            Self::Chat(chat, _) => chat.send(group).await,
            Self::Mail(mailer) => {
                let receipt = mailer.send(&Letter::notices(group, now), &mailer.everyone()).await;
                match receipt.error {
                    Some(error) if receipt.delivered == 0 => Err(error),
                    Some(error) => {
                        let missed = receipt.later.len() + receipt.refused.len();
                        tracing::warn!(missed, %error, "a notice did not reach all of [mail] to");
                        Ok(())
                    }
                    None => Ok(()),
                }
            }
        }
    }
}
