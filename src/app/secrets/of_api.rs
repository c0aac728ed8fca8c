//! Tokens for the API that are about to expire, or have: whoever runs the program with such a token
//! is told before it is refused.

use jiff::Timestamp;

use super::super::watching::{began, ended};
use crate::access::tokens::{Token, tokens};
use crate::config::Settings;
use crate::model::words::number;
use crate::notify::{Notice, Topic};
use crate::store::{Store, StoreError};

/// What a notice about a token is about, before its name.
pub(in crate::app) const API_TOKEN: &str = "API token ";

/// What people are to be told of tokens. One that was revoked, or expired so long ago that it is let
/// go, is told of no more.
pub(super) async fn look(
    store: &dyn Store,
    settings: &Settings,
    now: Timestamp,
) -> Result<Vec<Notice>, StoreError> {
    let soon = now.checked_add(settings.notify.expires).unwrap_or(Timestamp::MAX);
    match tokens(store).await {
        Ok(all) => Ok(all.iter().map(|token| notice(token, now, soon)).collect()),
        // A newer program wrote one of them: that must not keep every other notice back.
        Err(StoreError::Unreadable { .. }) => Ok(Vec::new()),
        Err(error) => Err(error),
    }
}

fn notice(token: &Token, now: Timestamp, soon: Timestamp) -> Notice {
    let (name, expires) = (&token.name, token.expires.strftime("%Y-%m-%d %H:%M UTC"));
    let about = format!("{API_TOKEN}{name}");
    if token.expires > soon {
        return ended(
            Topic::Secret,
            &about,
            format!("The API token {name} counts until {expires}"),
        );
    }
    let access = token.access.word();
    let used = match token.used {
        None => "It was never used.".to_owned(),
        Some(used) => {
            let hours = u64::try_from(now.duration_since(used).as_hours()).unwrap_or(0);
            match hours {
                0 => "It was used within the last hour.".to_owned(),
                1..48 => "It was used within the last two days.".to_owned(),
                hours => format!("It was used last {} days ago.", number(hours / 24)),
            }
        }
    };
    let lines = vec![format!("Its access: {access}. {used}")];
    let todo = format!(
        "`instep tokens make NAME --access {access}` makes another one for the program that shows \
         it; when none does, `instep tokens revoke {name}`."
    );
    let worse = token.expires <= now;
    let title = if worse {
        format!("The API token {name} has expired: {expires} was its end")
    } else {
        format!("The API token {name} is about to expire: {expires} is its end")
    };
    Notice { worse, ..began(Topic::Secret, &about, title, lines, Some(todo)) }
}
