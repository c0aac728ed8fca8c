//! An expression on trial: what it gives on somebody's real record.

use std::sync::Arc;

use super::preview::{PreviewError, Previewer};
use crate::config::{Expression, RuleSettings, Settings};
use crate::model::explanation::{Explained, Explanation};
use crate::model::{Miss, Person};
use crate::store::Store;

/// What an expression gave on somebody's record.
#[derive(Debug)]
pub struct Trial {
    /// Whose.
    pub person: Person,
    /// What it read and gave.
    pub explained: Explained,
    /// Values that were not in a lookup table.
    pub misses: Vec<Miss>,
}

/// Evaluates an expression on the records of those whom a key names; it can use the tables of their
/// source's rules.
///
/// # Errors
/// [`BuildError::Rules`](super::BuildError::Rules) when it does not compile; when the source does
/// not answer.
pub async fn try_expression(
    settings: &Settings,
    store: &Arc<dyn Store>,
    text: &str,
    key: &str,
) -> Result<Vec<Trial>, PreviewError> {
    let expression =
        |key: &str, text: &str| Expression { key: key.to_owned(), text: text.to_owned(), at: 0 };
    let rules = RuleSettings::of(
        expression("expression", text),
        expression("active", "true"),
        expression("external_id", "root.id"),
    );
    let mut tried = Vec::new();
    let rules = |tables| RuleSettings { tables, ..rules.clone() };
    let previewers =
        Previewer::with_rules(settings, &|source| rules(source.rules.tables.clone()), store)?;
    for previewer in previewers {
        let ids = previewer.who(key).await?;
        for (id, record) in previewer.records(&ids).await? {
            let Some(record) = record else { continue };
            let Explanation { misses, rules, .. } = previewer.explain(&record);
            // The first rule is the expression; the others are there to make it whole.
            let explained = rules.into_iter().next();
            let person = previewer.person(&id);
            tried.extend(explained.map(|explained| Trial { person, explained, misses }));
        }
    }
    Ok(tried)
}
