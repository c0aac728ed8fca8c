//! Passwords: which may be taken, and their hashes (argon2id).

use std::collections::BTreeSet;
use std::sync::{Arc, LazyLock};

use argon2::Argon2;
use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{PasswordHasher as _, PasswordVerifier as _};
use tokio::sync::Semaphore;

use crate::model::Proof;

/// The fewest characters.
const FEWEST: usize = 12;

/// The most bytes: a longer text only costs time.
pub const LONGEST: usize = 512;

/// Passwords that everybody tries first; only those that are long enough are worth listing. One in
/// a line.
const COMMON: &str = include_str!("common.txt");

/// So many are checked at once: each takes 19 MiB for a moment.
static ROOM: LazyLock<Arc<Semaphore>> = LazyLock::new(|| Arc::new(Semaphore::new(4)));

/// Against what the password of somebody is checked who is not known: it takes as long as that of
/// anybody else, so that the time does not tell who is known.
static NOBODY: LazyLock<Option<Proof>> = LazyLock::new(|| hash("nobody has this password").ok());

/// What is wrong with a new password; nothing when it can be taken.
pub fn problem(password: &str, name: &str) -> Option<String> {
    let count = password.chars().count();
    if count < FEWEST {
        return Some(format!(
            "the password has {count} characters: take {FEWEST} or more, three or four words, say"
        ));
    }
    if password.len() > LONGEST {
        return Some(format!("the password is longer than {LONGEST} bytes"));
    }
    let lower = password.to_lowercase();
    let letters: BTreeSet<char> = lower.chars().collect();
    // `anna2026anna2026` is no better than `anna`.
    let rest = if name.len() >= 3 { lower.replace(name, "") } else { lower.clone() };
    let guessable = letters.len() < 5
        || rest.chars().count() < 6
        || COMMON.lines().any(|common| common == lower);
    guessable.then(|| "the password is among those that are tried first: take another".to_owned())
}

/// The hash of a password.
///
/// # Errors
/// When the system has no randomness or memory to give.
pub fn hash(password: &str) -> Result<Proof, argon2::password_hash::Error> {
    let mut salt = [0; 16];
    getrandom::fill(&mut salt).map_err(|_| argon2::password_hash::Error::Crypto)?;
    let hash: PasswordHash =
        Argon2::default().hash_password_with_salt(password.as_bytes(), &salt)?;
    Ok(Proof::new(hash.to_string()))
}

/// Whether this is the password; `None` is somebody who has none or is not known. It takes its time
/// in any case, and not that of others.
pub async fn is_right(password: String, proof: Option<Proof>) -> bool {
    let Ok(room) = Arc::clone(&ROOM).acquire_owned().await else { return false };
    let check = move || {
        let _room = room;
        let known = proof.is_some();
        let Some(proof) = proof.or_else(|| NOBODY.clone()) else { return false };
        let Ok(hash) = PasswordHash::new(proof.expose()) else { return false };
        Argon2::default().verify_password(password.as_bytes(), &hash).is_ok() && known
    };
    tokio::task::spawn_blocking(check).await.unwrap_or(false)
}

#[cfg(test)]
mod tests {
    use super::{hash, is_right, problem};

    #[tokio::test]
    async fn a_password_is_right_and_others_are_not() {
        let proof = hash("correct horse battery").unwrap();
        assert!(proof.expose().starts_with("$argon2id$v=19$m=19456,t=2,p=1$"));
        assert_ne!(proof, hash("correct horse battery").unwrap(), "each has its own salt");
        let right = |text: &str, proof| is_right(text.to_owned(), proof);
        assert!(right("correct horse battery", Some(proof.clone())).await);
        assert!(!right("correct horse batterz", Some(proof.clone())).await);
        assert!(!right("", Some(proof)).await);
        assert!(!right("nobody has this password", None).await);
        assert!(!right("x", Some(crate::model::Proof::new("damaged"))).await);
    }

    #[test]
    fn what_everybody_tries_first_is_refused() {
        let bad = [
            "short",
            "password1234",
            "Password1234",
            "aaaaaaaaaaaaaa",
            "121212121212",
            "anna2026anna",
            "anna-anna-anna",
            "qwertyuiop123",
        ];
        for password in bad {
            assert!(problem(password, "anna").is_some(), "{password}");
        }
        for password in
            ["correct horse battery", "Ich geh' mit meiner Laterne", "тихий омут и черти"]
        {
            assert_eq!(problem(password, "anna"), None, "{password}");
        }
        assert!(problem(&"abcdefgh".repeat(65), "anna").is_some());
    }
}
