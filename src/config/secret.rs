//! Secrets: taken from the environment or from a file, never from the configuration itself unless
//! it talks to this machine only. Their values are in no message.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use secrecy::SecretString;
use toml::de::DeValue;

use super::notes::Notes;
use super::table::Table;
use super::value::{Value, kind, printable};

/// The largest secret file, in bytes.
const LARGEST: u64 = 64 * 1024;

/// Whether a secret may stand in the configuration as text.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Literal {
    /// Yes: the far end is this machine.
    Allowed,
    /// No.
    Refused,
}

/// Where secrets are looked up.
#[derive(Clone, Copy)]
pub(super) struct Vault<'a> {
    pub env: &'a dyn Fn(&str) -> Option<String>,
    /// Relative paths begin here: the configuration's folder.
    pub folder: &'a Path,
    pub notes: &'a Notes,
}

/// One secret's place: which key, which value, an example of a variable's name.
#[derive(Clone, Copy)]
pub(super) struct Slot<'a> {
    pub key: &'a str,
    pub value: &'a Value<'a>,
    pub variable: &'a str,
}

impl Vault<'_> {
    /// The secret. What is wrong is noted; then the answer is `None`.
    pub fn secret(self, slot: Slot<'_>, literal: Literal) -> Option<SecretString> {
        let Slot { key, value, variable } = slot;
        let wrong = |message: String| {
            self.notes.wrong(key, Some(value.span()), message);
            None
        };
        let advice = format!("{{ env = \"{variable}\" }} or {{ file = \"/path\" }}");
        match value.get_ref() {
            DeValue::String(text) if text.is_empty() => {
                wrong(format!("is empty: it comes from {advice}"))
            }
            DeValue::String(text) if literal == Literal::Allowed => {
                Some(SecretString::from(text.as_ref()))
            }
            DeValue::String(_) => {
                wrong(format!("a secret must not stand in this file: use {advice}"))
            }
            DeValue::Table(given) => {
                let table =
                    Table::new(self.notes, key.into(), Some(value.span()), Some(given), None);
                let (env, file) = (table.get("env"), table.get("file"));
                if env.is_none() && file.is_none() {
                    table.missing(&["env", "file"], key, format!("expected {advice}"));
                }
                let secret = match (env, file) {
                    (Some(_), Some(_)) => wrong("has both `env` and `file`: keep one".to_owned()),
                    (Some(_), None) => table.text("env").and_then(|name| self.variable(slot, name)),
                    (None, Some(_)) => table.text("file").and_then(|path| self.file(slot, path)),
                    (None, None) => None,
                };
                table.finish();
                secret
            }
            other => wrong(format!("expected {advice}, found {}", kind(other))),
        }
    }

    fn variable(self, slot: Slot<'_>, name: &str) -> Option<SecretString> {
        // People paste the secret itself where the variable's name belongs: then it must not print.
        let shown = if is_variable(name) {
            format!("the environment variable {name}")
        } else {
            format!("the environment variable that `env` names (as in {})", slot.variable)
        };
        let Some(text) = (self.env)(name) else {
            let message = format!("{shown} is not set");
            self.notes.wrong(slot.key, Some(slot.value.span()), message);
            return None;
        };
        self.filled(slot, &shown, text)
    }

    fn file(self, slot: Slot<'_>, path: &str) -> Option<SecretString> {
        let shown = if is_path(path) {
            format!("the file {}", printable(path))
        } else {
            "the file that `file` names".to_owned()
        };
        match read(&self.folder.join(path)) {
            Ok((text, open)) => {
                if open {
                    let message = format!(
                        "{shown} can be read by every user of this machine: `chmod o-rwx` it"
                    );
                    self.notes.warn(slot.key, Some(slot.value.span()), message);
                }
                self.filled(slot, &shown, text)
            }
            Err(why) => {
                let message = format!("{shown} cannot be read: {why}");
                self.notes.wrong(slot.key, Some(slot.value.span()), message);
                None
            }
        }
    }

    fn filled(self, slot: Slot<'_>, shown: &str, text: String) -> Option<SecretString> {
        let trimmed = text.trim_end_matches(['\r', '\n']);
        if trimmed.trim().is_empty() {
            self.notes.wrong(slot.key, Some(slot.value.span()), format!("{shown} is empty"));
            return None;
        }
        if trimmed.len() == text.len() {
            return Some(SecretString::from(text));
        }
        Some(SecretString::from(trimmed))
    }
}

/// The file's text, and whether everyone on this machine can read it.
fn read(path: &Path) -> Result<(String, bool), String> {
    let file = File::open(path).map_err(|error| reason(&error))?;
    let meta = file.metadata().map_err(|error| reason(&error))?;
    if meta.is_dir() {
        return Err("it is a folder".to_owned());
    }
    let mut text = String::new();
    let mut limited = file.take(LARGEST + 1);
    limited.read_to_string(&mut text).map_err(|error| reason(&error))?;
    if text.len() as u64 > LARGEST {
        return Err("it is larger than 64 KiB".to_owned());
    }
    Ok((text, open_to_all(&meta)))
}

#[cfg(unix)]
fn open_to_all(meta: &std::fs::Metadata) -> bool {
    use std::os::unix::fs::PermissionsExt;
    meta.permissions().mode() & 0o004 != 0
}

#[cfg(not(unix))]
fn open_to_all(_meta: &std::fs::Metadata) -> bool {
    false
}

/// Why a file could not be read, in few words.
pub(super) fn reason(error: &std::io::Error) -> String {
    match error.kind() {
        std::io::ErrorKind::NotFound => "it does not exist".to_owned(),
        std::io::ErrorKind::PermissionDenied => "permission denied".to_owned(),
        std::io::ErrorKind::InvalidData => "it is not UTF-8 text".to_owned(),
        _ => error.to_string(),
    }
}

/// Whether this looks like the name of a variable, not like a secret.
pub(super) fn is_variable(name: &str) -> bool {
    name.len() <= 64
        && name.starts_with(|c: char| c.is_ascii_uppercase() || c == '_')
        && name.chars().all(|c| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_')
}

/// Whether this looks like a path, not like a secret.
pub(super) fn is_path(path: &str) -> bool {
    ["/", "./", "../"].iter().any(|start| path.starts_with(start))
}
