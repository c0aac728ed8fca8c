//! Names of things. Each is its own type, so that an employee's id is never taken for an account's.

use std::fmt;

use serde::{Deserialize, Serialize};

macro_rules! text_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(String);

        impl $name {
            /// Takes the text as it is.
            pub fn new(text: impl Into<String>) -> Self {
                Self(text.into())
            }

            /// The text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

macro_rules! fresh_id {
    ($(#[$doc:meta])* $name:ident) => {
        text_id! {
            $(#[$doc])*
            /// A UUID version 7, so that text order is the order of creation.
            $name
        }

        impl $name {
            /// A fresh id.
            pub fn fresh() -> Self {
                Self(uuid::Uuid::now_v7().to_string())
            }
        }
    };
}

text_id! {
    /// The name of a source in the configuration: `bob` in `[source.bob]`.
    SourceName
}
text_id! {
    /// A person's id in the source. HiBob's are 19-digit numbers, above 2^53: text all the way.
    EmployeeId
}
text_id! {
    /// An account's id in the target (24 hexadecimal digits in 360Learning).
    AccountId
}
text_id! {
    /// A group's id in the target.
    GroupId
}
text_id! {
    /// A custom field's id in the target.
    CustomFieldId
}
text_id! {
    /// Names an event: the SHA-256 of the source's name and the raw body, in hexadecimal. The same
    /// bytes from the same source are the same event.
    EventId
}
fresh_id! {
    /// Names a delivery.
    DeliveryId
}
fresh_id! {
    /// Names a run.
    RunId
}
fresh_id! {
    /// Names an entry of the audit log.
    AuditId
}

impl EventId {
    /// The id of these bytes from this source.
    pub fn of(source: &SourceName, raw: &[u8]) -> Self {
        use sha2::{Digest, Sha256};

        let digit = |half: u8| char::from(b"0123456789abcdef"[usize::from(half)]);
        let hash = Sha256::new().chain_update(source.as_str()).chain_update([0]).chain_update(raw);
        let text = hash
            .finalize()
            .into_iter()
            .flat_map(|byte| [digit(byte >> 4), digit(byte & 15)])
            .collect();
        Self(text)
    }
}

/// One person of one source: the key by which order is kept.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Person {
    /// Which source knows this person.
    pub source: SourceName,
    /// By which id.
    pub employee: EmployeeId,
}

impl fmt::Display for Person {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.source, self.employee)
    }
}
