//! Deeds about who may: users of our own, tokens for the API, and looks at personal data.

use std::time::Duration;

use jiff::Timestamp;

use super::Desk;
use crate::access::tokens::Token;
use crate::access::{name_problem, sessions, tokens, users};
use crate::model::{Access, Actor, Outcome, Proof, Refused};

/// The longest life of a token.
const LONGEST: Duration = Duration::from_secs(2 * 366 * 24 * 3600);

impl Desk {
    /// Makes a user, or changes what one may do or their password.
    pub(super) async fn save_user(
        &self,
        name: &str,
        access: Access,
        password: Option<Proof>,
    ) -> Result<Outcome, Refused> {
        refuse_name(name)?;
        let store = &*self.store;
        let new = users::save(store, name, access, password, self.clock.now()).await?;
        let saved = users::user(store, name).await?;
        let lacks = saved.is_some_and(|user| user.password.is_none());
        let word = access.word();
        let said = match (new, lacks) {
            (true, false) => format!("{name} is a new user, as {word}"),
            (false, false) => format!("{name} is {word} now, and signs in again"),
            (_, true) => {
                format!("{name} is {word}, and has no password yet: instep users password {name}")
            }
        };
        Ok(Outcome::said(said))
    }

    /// Takes a user away, and ends the sessions under that name.
    pub(super) async fn remove_user(&self, name: &str) -> Result<Outcome, Refused> {
        let store = &*self.store;
        let removed = users::remove(store, name).await?;
        // Those who signed in at the OpenID provider under this name are out, too, until they sign
        // in again.
        let ended = sessions::end_all(store, name).await?;
        match (removed, ended) {
            (true, _) => Ok(Outcome::said(format!("{name} is no user any more, and signed out"))),
            (false, 0) => Err(Refused::NotFound(format!("there is no user {name}"))),
            (false, _) => Ok(Outcome::said(format!(
                "{name} is no user of our own, and is signed out until the OpenID provider lets \
                 them in again"
            ))),
        }
    }

    /// Makes a token.
    pub(super) async fn make_token(
        &self,
        actor: &Actor,
        name: String,
        access: Access,
        expires: Timestamp,
        proof: Option<Proof>,
    ) -> Result<Outcome, Refused> {
        refuse_name(&name)?;
        let now = self.clock.now();
        let Some(proof) = proof else {
            let said =
                "a token is made on the command line, which shows it once: instep tokens make";
            return Err(Refused::Wrong(said.to_owned()));
        };
        if expires <= now || expires > now + LONGEST {
            return Err(Refused::Wrong("a token lives for 1 to 731 days".to_owned()));
        }
        let by = actor.name.clone();
        let token =
            Token { name: name.clone(), access, proof, by, since: now, expires, used: None };
        if !tokens::make(&*self.store, &token).await? {
            return Err(Refused::Conflict(format!(
                "there is a token {name} already: revoke it first, or take another name"
            )));
        }
        Ok(Outcome::said(format!("the token {name} counts until {expires:.0}")))
    }

    /// Takes a token away.
    pub(super) async fn revoke_token(&self, name: &str) -> Result<Outcome, Refused> {
        if tokens::revoke(&*self.store, name).await? {
            return Ok(Outcome::said(format!("the token {name} does not count any more")));
        }
        Err(Refused::NotFound(format!("there is no token {name}")))
    }
}

/// Somebody looks at personal data: that it is written down is all that is done here.
pub(super) fn unmasked() -> Outcome {
    Outcome::said(format!("shown for {} minutes", sessions::SHOWN.as_mins()))
}

fn refuse_name(name: &str) -> Result<(), Refused> {
    name_problem(name).map_or(Ok(()), |problem| Err(Refused::Wrong(problem.to_owned())))
}
