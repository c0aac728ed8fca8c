//! Values that were not in a lookup table, gathered from what the last look at each person left in
//! the store. They are values of the configuration's tables, for the administrator's eyes.

use std::collections::{BTreeMap, HashSet};

use crate::config::Settings;
use crate::model::question::MissedValue;
use crate::model::{EmployeeId, Person, SourceName};
use crate::store::{Store, StoreError};

/// So many links are read together.
const PAGE: usize = 500;

/// So many people are named for each value.
const NAMED: usize = 5;

/// Every value that a table lacks, those that touch the most people first.
///
/// # Errors
/// When the store does not answer.
pub async fn misses(
    settings: &Settings,
    store: &dyn Store,
    only: Option<&str>,
) -> Result<Vec<MissedValue>, StoreError> {
    let mut found = Vec::new();
    for (name, source) in &settings.sources {
        if only.is_some_and(|only| only != name) {
            continue;
        }
        let name = SourceName::new(name);
        for ((table, keys), people) in gather(&name, store).await? {
            found.push(MissedValue {
                source: name.clone(),
                file: source.rules.tables.get(&table).map(|table| table.file.clone()),
                table,
                keys,
                people: people.0,
                some: people.1,
            });
        }
    }
    // The sort is stable: among equals the order of tables and keys stays.
    found.sort_by_key(|missing| std::cmp::Reverse(missing.people));
    Ok(found)
}

type ByValue = BTreeMap<(String, Vec<String>), (usize, Vec<EmployeeId>)>;

/// What each value that a table lacks touches: how many people, and some of them.
pub(super) async fn gather(source: &SourceName, store: &dyn Store) -> Result<ByValue, StoreError> {
    let mut values = ByValue::new();
    // While links are written one can come twice.
    let mut seen: HashSet<Person> = HashSet::new();
    let mut from = None;
    loop {
        let page = store.links(source, from.as_deref(), PAGE).await?;
        for (person, link) in page.links {
            if link.misses.is_empty() || !seen.insert(person.clone()) {
                continue;
            }
            let mut misses = link.misses;
            misses.sort();
            misses.dedup();
            for miss in misses {
                let (people, some) = values.entry((miss.table, miss.keys)).or_default();
                *people += 1;
                if some.len() < NAMED {
                    some.push(person.employee.clone());
                }
            }
        }
        from = page.next;
        if from.is_none() {
            return Ok(values);
        }
    }
}
