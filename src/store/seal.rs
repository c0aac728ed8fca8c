//! Sealing: what is stored of people is encrypted at rest, when the configuration has a key.
//!
//! Sealed is the content of records, raw events and notes; plain stays what they are found by (ids,
//! times, states, codes). A sealed text says which key opens it, and opens only in the place that it
//! was sealed for: text that was moved to another row is refused. The newest key seals; older ones
//! still open what they sealed, and so does no key at all what was stored before there was one. A
//! key that is missing is named, never guessed at.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use aws_lc_rs::aead::{AES_256_GCM_SIV, Aad, NONCE_LEN, Nonce, RandomizedNonceKey};
use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::prelude::{BASE64_STANDARD, BASE64_STANDARD_NO_PAD};
use secrecy::{ExposeSecret, SecretString};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::{StoreError, record};
use crate::model::{AuditId, DeliveryId, EventId, Person, RunId};

/// Begins every stored text that is not simply itself; nothing else that is stored begins with it.
const MARK: &str = "\u{10}";
/// Follows the mark in what is sealed.
const SEALED: &str = "1";
/// How long the name of a key is.
const NAME: usize = 8;

/// Why a key cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a key is 32 random bytes in base64, 44 characters: `openssl rand -base64 32` makes one")]
pub struct BadKey;

/// The keys of a store, the newest first; none for a store that is not sealed. It never prints them.
#[derive(Clone, Default)]
pub struct Keys(Arc<[Key]>);

struct Key {
    /// Tells keys apart; says nothing about them.
    name: String,
    cipher: RandomizedNonceKey,
    /// Makes tags: texts that things are found by and nobody can read.
    tags: hmac::Key,
}

impl fmt::Debug for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.names()).finish()
    }
}

impl Key {
    fn new(secret: &SecretString) -> Result<Self, BadKey> {
        let bytes = BASE64_STANDARD.decode(secret.expose_secret().trim()).map_err(|_| BadKey)?;
        if bytes.len() != 32 {
            return Err(BadKey);
        }
        // Each purpose has a key of its own.
        let root = hmac::Key::new(hmac::HMAC_SHA256, &bytes);
        let derive = |purpose: &str| hmac::sign(&root, purpose.as_bytes());
        let cipher = RandomizedNonceKey::new(&AES_256_GCM_SIV, derive("seal").as_ref());
        let name = hex(derive("name").as_ref()).chars().take(NAME).collect();
        let tags = hmac::Key::new(hmac::HMAC_SHA256, derive("tag").as_ref());
        Ok(Self { name, cipher: cipher.map_err(|_| BadKey)?, tags })
    }

    fn tag(&self, text: &str) -> String {
        format!("{MARK}{}", BASE64_STANDARD_NO_PAD.encode(hmac::sign(&self.tags, text.as_bytes())))
    }
}

impl Keys {
    /// No keys: nothing is sealed.
    pub fn none() -> Self {
        Self::default()
    }

    /// The key that seals, and those that still open what they sealed.
    ///
    /// # Errors
    /// [`BadKey`] when one of them is none.
    pub fn new(newest: &SecretString, older: &[SecretString]) -> Result<Self, BadKey> {
        let keys: Result<Vec<_>, _> = std::iter::once(newest).chain(older).map(Key::new).collect();
        Ok(Self(keys?.into()))
    }

    /// Whether anything is sealed.
    pub fn is_none(&self) -> bool {
        self.0.is_empty()
    }

    /// The names of the keys, the newest first.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|key| key.name.as_str())
    }

    /// A text as it is stored in a place.
    ///
    /// # Panics
    /// When the system has no random numbers.
    pub fn shut(&self, place: &Place, plain: &str) -> String {
        match self.0.first() {
            Some(_) => self.seal(place, plain.as_bytes()),
            None if plain.starts_with(MARK) => format!("{MARK}{plain}"),
            None => plain.to_owned(),
        }
    }

    /// The text that [`shut`](Self::shut) was given.
    ///
    /// # Errors
    /// [`StoreError::Unreadable`] when its key is missing, it was damaged, or moved from elsewhere.
    pub fn open<'s>(&self, place: &Place, stored: &'s str) -> Result<Cow<'s, str>, StoreError> {
        match self.open_bytes(place, stored.as_bytes())? {
            Cow::Borrowed(bytes) => Ok(Cow::Borrowed(&stored[stored.len() - bytes.len()..])),
            Cow::Owned(bytes) => {
                String::from_utf8(bytes).map(Cow::Owned).map_err(|_| place.unreadable(DAMAGED))
            }
        }
    }

    /// Bytes as they are stored in a place.
    ///
    /// # Panics
    /// When the system has no random numbers.
    pub fn shut_bytes<'b>(&self, place: &Place, plain: &'b [u8]) -> Cow<'b, [u8]> {
        match self.0.first() {
            Some(_) => Cow::Owned(self.seal(place, plain).into_bytes()),
            None if plain.starts_with(MARK.as_bytes()) => {
                Cow::Owned([MARK.as_bytes(), plain].concat())
            }
            None => Cow::Borrowed(plain),
        }
    }

    /// The bytes that [`shut_bytes`](Self::shut_bytes) was given.
    ///
    /// # Errors
    /// As for [`open`](Self::open).
    pub fn open_bytes<'s>(
        &self,
        place: &Place,
        stored: &'s [u8],
    ) -> Result<Cow<'s, [u8]>, StoreError> {
        let Some(rest) = stored.strip_prefix(MARK.as_bytes()) else {
            return Ok(Cow::Borrowed(stored));
        };
        if rest.starts_with(MARK.as_bytes()) {
            return Ok(Cow::Borrowed(rest));
        }
        let Some(name) = key_name(stored) else {
            return Err(place.unreadable("a newer program sealed it: upgrade this program"));
        };
        let Some(key) = self.0.iter().find(|key| key.name == name) else {
            return Err(place.unreadable(&missing(&[name])));
        };
        let sealed = &rest[SEALED.len() + NAME..];
        let sealed =
            BASE64_STANDARD_NO_PAD.decode(sealed).map_err(|_| place.unreadable(DAMAGED))?;
        let (nonce, mut text) = match sealed.split_at_checked(NONCE_LEN) {
            Some((nonce, text)) => (nonce, text.to_vec()),
            None => return Err(place.unreadable(DAMAGED)),
        };
        let nonce = Nonce::try_assume_unique_for_key(nonce);
        let nonce = nonce.map_err(|_| place.unreadable(DAMAGED))?;
        let opened = key.cipher.open_in_place(nonce, Aad::from(&place.name), &mut text);
        let length = opened.map_err(|_| place.unreadable(DAMAGED))?.len();
        text.truncate(length);
        Ok(Cow::Owned(text))
    }

    fn seal(&self, place: &Place, plain: &[u8]) -> String {
        let key = &self.0[0];
        let mut text = plain.to_vec();
        let nonce = key
            .cipher
            .seal_in_place_append_tag(Aad::from(&place.name), &mut text)
            .expect("a record is far from the cipher's limits");
        let sealed = [nonce.as_ref().as_slice(), &text].concat();
        format!("{MARK}{SEALED}{}{}", key.name, BASE64_STANDARD_NO_PAD.encode(sealed))
    }

    /// A record as it is stored in a place.
    ///
    /// # Panics
    /// As for [`shut`](Self::shut).
    pub fn write<T: Serialize>(&self, place: &Place, record: &T) -> String {
        let text = record::write(record);
        if self.is_none() { text } else { self.shut(place, &text) }
    }

    /// Reads a record.
    ///
    /// # Errors
    /// As for [`open`](Self::open), and those of [`record::read`].
    pub fn read<T: DeserializeOwned>(&self, place: &Place, stored: &str) -> Result<T, StoreError> {
        record::read(place.what, &self.open(place, stored)?)
    }

    /// Whether the newest key sealed this, or there is none and it is plain.
    pub fn is_newest(&self, stored: &[u8]) -> bool {
        key_name(stored) == self.names().next()
    }

    /// A text in the form in which things are found by it.
    pub fn tag(&self, text: &str) -> String {
        self.0.first().map_or_else(|| text.to_owned(), |key| key.tag(text))
    }

    /// All forms in which a text may be stored that things are found by.
    pub fn tags(&self, text: &str) -> Vec<String> {
        let tags = self.0.iter().map(|key| key.tag(text));
        tags.chain([text.to_owned()]).collect()
    }

    /// What is kept of a key to know it again.
    pub(super) fn proof(&self) -> Option<(&str, String)> {
        let name = self.names().next()?;
        Some((name, self.shut(&Place::proof(name), "the key is right")))
    }

    /// Whether everything can be opened that these keys sealed.
    ///
    /// # Errors
    /// [`StoreError::Unreadable`] that names the keys that are missing.
    pub(super) fn verify(&self, proofs: &BTreeMap<String, String>) -> Result<(), StoreError> {
        let has = |name: &str| self.names().any(|own| own == name);
        let lacks: Vec<&str> =
            proofs.keys().map(String::as_str).filter(|name| !has(name)).collect();
        if !lacks.is_empty() {
            return Err(StoreError::Unreadable { what: "store", why: missing(&lacks) });
        }
        for (name, proof) in proofs {
            self.open(&Place::proof(name), proof)?;
        }
        Ok(())
    }
}

const DAMAGED: &str = "it was sealed and does not open: it is damaged, or was moved from elsewhere";

/// What to do about keys that are not there.
fn missing(names: &[&str]) -> String {
    let names = names.join(" and ");
    format!(
        "it is sealed with key {names}, which is not configured: set [store] key to it, or while \
         keys are changed put it in old_keys"
    )
}

/// Which key sealed this.
fn key_name(stored: &[u8]) -> Option<&str> {
    let rest = stored.strip_prefix(MARK.as_bytes())?.strip_prefix(SEALED.as_bytes())?;
    std::str::from_utf8(rest.get(..NAME)?).ok()
}

fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;

    bytes.iter().fold(String::new(), |mut text, byte| {
        // Writing to a string cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// Where something is stored: what it is and by which key it is found. What is sealed for one place
/// does not open in another.
#[derive(Clone, Debug)]
pub struct Place {
    what: &'static str,
    name: Vec<u8>,
}

impl Place {
    /// A place in which things of one kind are found by these parts.
    pub fn new(what: &'static str, parts: &[&str]) -> Self {
        let mut name = what.as_bytes().to_vec();
        for part in parts {
            name.extend_from_slice(&(part.len() as u64).to_be_bytes());
            name.extend_from_slice(part.as_bytes());
        }
        Self { what, name }
    }

    fn proof(key: &str) -> Self {
        Self::new("proof of the key", &[key])
    }

    /// Of what is known of an event.
    pub fn event(id: &EventId) -> Self {
        Self::new("event", &[id.as_str()])
    }

    /// Of an event's body.
    pub fn body(id: &EventId) -> Self {
        Self::new("body of an event", &[id.as_str()])
    }

    /// Of a delivery.
    pub fn delivery(id: &DeliveryId) -> Self {
        Self::new("delivery", &[id.as_str()])
    }

    /// Of a link.
    pub fn link(person: &Person) -> Self {
        Self::new("link", &[person.source.as_str(), person.employee.as_str()])
    }

    /// Of a choice.
    pub fn choice(person: &Person) -> Self {
        Self::new("choice", &[person.source.as_str(), person.employee.as_str()])
    }

    /// Of a note.
    pub fn note(name: &str) -> Self {
        Self::new("note", &[name])
    }

    /// Of a run.
    pub fn run(id: &RunId) -> Self {
        Self::new("run", &[id.as_str()])
    }

    /// Of an item of a run.
    pub fn item(run: &RunId, number: u64) -> Self {
        Self::new("item", &[run.as_str(), &number.to_string()])
    }

    /// Of a page of what a run has read.
    pub fn page(run: &RunId, number: u64) -> Self {
        Self::new("page", &[run.as_str(), &number.to_string()])
    }

    /// Of a hold.
    pub fn hold(scope: &str) -> Self {
        Self::new("hold", &[scope])
    }

    /// Of an entry of the audit log.
    pub fn audit(id: &AuditId) -> Self {
        Self::new("audit entry", &[id.as_str()])
    }

    fn unreadable(&self, why: &str) -> StoreError {
        StoreError::Unreadable { what: self.what, why: why.to_owned() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(byte: u8) -> SecretString {
        BASE64_STANDARD.encode([byte; 32]).into()
    }

    fn keys(newest: u8, older: &[u8]) -> Keys {
        Keys::new(&key(newest), &older.iter().copied().map(key).collect::<Vec<_>>()).unwrap()
    }

    fn why(error: StoreError) -> String {
        match error {
            StoreError::Unreadable { why, .. } => why,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn what_is_sealed_opens_in_its_place_only() {
        let (here, there) = (Place::note("a"), Place::note("b"));
        let keys = keys(1, &[]);
        let sealed = keys.shut(&here, "Zoë of the marked name");
        assert!(
            !sealed.contains("marked name") && sealed != keys.shut(&here, "Zoë of the marked name"),
            "{sealed}"
        );
        assert_eq!(keys.open(&here, &sealed).unwrap(), "Zoë of the marked name");
        assert!(why(keys.open(&there, &sealed).unwrap_err()).contains("moved"));
        for place in [Place::new("note", &["a", "b"]), Place::new("note", &["ab"])] {
            assert!(keys.open(&place, &keys.shut(&Place::note("a"), "x")).is_err());
        }
        for cut in 0..sealed.len() {
            let opened = keys.open(&here, &sealed[..cut]);
            assert!(opened.is_err() || cut == 0, "{cut}");
        }
    }

    #[test]
    fn plain_text_is_itself_whatever_it_is() {
        let place = Place::note("a");
        let sealed = keys(1, &[]).shut(&place, "x");
        for text in ["", "{}", "Zoë", MARK, &sealed] {
            let stored = Keys::none().shut(&place, text);
            assert_eq!(Keys::none().open(&place, &stored).unwrap(), text);
            assert_eq!(keys(1, &[]).open(&place, &stored).unwrap(), text, "a key changes nothing");
            let stored = Keys::none().shut_bytes(&place, text.as_bytes());
            assert_eq!(*Keys::none().open_bytes(&place, &stored).unwrap(), *text.as_bytes());
        }
    }

    #[test]
    fn old_keys_open_and_a_missing_one_is_named() {
        let place = Place::note("a");
        let (old, both, new) = (keys(1, &[]), keys(2, &[1]), keys(2, &[]));
        let sealed = old.shut(&place, "x");
        assert_eq!(both.open(&place, &sealed).unwrap(), "x");
        assert!(old.is_newest(sealed.as_bytes()) && !both.is_newest(sealed.as_bytes()));
        assert!(!both.is_newest(b"{}") && Keys::none().is_newest(b"{}"));
        let name = old.names().next().unwrap();
        for lacks in [new, Keys::none()] {
            let why = why(lacks.open(&place, &sealed).unwrap_err());
            assert!(why.contains(name) && why.contains("old_keys"), "{why}");
        }
        assert_eq!(both.tags("x").len(), 3);
        assert!(both.tags("x").contains(&old.tag("x")));
    }

    #[test]
    fn a_key_is_proved() {
        let proof = |keys: &Keys| {
            let (name, proof) = keys.proof().unwrap();
            (name.to_owned(), proof)
        };
        let (old, both) = (keys(1, &[]), keys(2, &[1]));
        let proofs = BTreeMap::from([proof(&old), proof(&both)]);
        both.verify(&proofs).unwrap();
        assert!(why(old.verify(&proofs).unwrap_err()).contains(both.names().next().unwrap()));
        assert!(Keys::none().verify(&proofs).is_err());
        Keys::none().verify(&BTreeMap::new()).unwrap();
    }

    #[test]
    fn only_a_strong_key_is_one() {
        for bad in ["", "secret", &BASE64_STANDARD.encode([1; 16]), &"x".repeat(44)] {
            assert_eq!(Keys::new(&bad.into(), &[]).err(), Some(BadKey), "{bad}");
        }
        let shown = format!("{:?}", keys(1, &[]));
        assert!(!shown.contains(key(1).expose_secret()), "{shown}");
    }
}
