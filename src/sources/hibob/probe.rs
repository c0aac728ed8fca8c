//! Tries the service user for `check --connect`: the credentials, and each field that rules use.
//!
//! A missing permission and a misspelt field look alike in an answer (200, and the field is not
//! there), so both the field metadata and real records are looked at. Problems come back as
//! sentences that say what to do; they name fields and categories, never a person.

use super::client::HiBob;
use super::wire::{FieldInfo, missing_fields};
use crate::clock::Deadline;
use crate::model::words::count_of;
use crate::model::{Answer, EmployeeId, Lane};
use crate::sources::SourceError;

/// Below this likeness a name is no suggestion.
const LIKE: f64 = 0.8;

impl HiBob {
    /// Tries what the rules need, with three calls; answers with problems in sentences, none when
    /// all is well.
    pub async fn check(&self, deadline: Deadline) -> Vec<String> {
        match self.problems(deadline).await {
            Ok(problems) => problems,
            // The first refusal ends the check: HiBob's firewall counts them.
            Err(error) => vec![error.to_string()],
        }
    }

    async fn problems(&self, deadline: Deadline) -> Result<Vec<String>, SourceError> {
        let known = self.fields(deadline).await?;
        let mut problems = Vec::new();
        let mut there = Vec::new();
        for field in self.asked() {
            match described(field, &known) {
                Some(info) => there.push((field, info)),
                None => problems.push(unknown(field, &known)),
            }
        }
        let ids = self.everyone_by_id(deadline).await?;
        if ids.is_empty() {
            problems.push(
                "HiBob shows this service user nobody. In Bob, under Settings > Permission groups, \
                 widen \"Access data for\" in the service user's group: Hired, Employed, Terminated."
                    .to_owned(),
            );
            return Ok(problems);
        }
        let sample = sample(&ids, self.people_per_search());
        let asked = sample.len();
        let answers = self.employees(&sample, Lane::Live, deadline).await?;
        let records: Vec<_> = answers
            .values()
            .filter_map(|answer| match answer {
                Answer::Present(record) => Some(record),
                Answer::Absent => None,
            })
            .collect();
        if records.is_empty() {
            problems.push(format!(
                "HiBob listed {}, but showed none of {asked} when it was asked for them by \
                 id: try again, and ask HiBob's support if it stays so.",
                count_of(ids.len(), "person", "people")
            ));
            return Ok(problems);
        }
        let people = count_of(asked, "person", "people");
        for (field, info) in there {
            let one = std::slice::from_ref(field);
            if records.iter().all(|record| !missing_fields(record, one).is_empty()) {
                problems.push(format!(
                    "HiBob returned `{field}` for none of {people}. In Bob, under Settings > \
                     Permission groups, grant the service user's group View on the category \
                     \"{}\" (`{}`).",
                    info.category_name, info.category
                ));
            }
        }
        Ok(problems)
    }
}

/// The metadata of a field, or of the field that it is a part of: `work.reportsTo.email` is a part
/// of `work.reportsTo`.
fn described<'k>(field: &str, known: &'k [FieldInfo]) -> Option<&'k FieldInfo> {
    let part_of = |info: &&FieldInfo| {
        field.strip_prefix(info.id.as_str()).is_some_and(|rest| rest.starts_with('.'))
    };
    known.iter().find(|info| info.id == field).or_else(|| known.iter().find(part_of))
}

fn unknown(field: &str, known: &[FieldInfo]) -> String {
    let likeness = |info: &FieldInfo| strsim::jaro_winkler(&info.id, field);
    let nearest = known.iter().max_by(|a, b| likeness(a).total_cmp(&likeness(b)));
    let hint = match nearest.filter(|info| likeness(info) >= LIKE) {
        Some(info) => format!("did you mean `{}`?", info.id),
        None => "look it up in Bob's field list.".to_owned(),
    };
    format!("HiBob has no field `{field}`, which the rules use: {hint}")
}

/// Ids from all over the list, `most` at most: the oldest people alone would not show what is
/// filled today.
fn sample(ids: &[EmployeeId], most: usize) -> Vec<EmployeeId> {
    let step = ids.len().div_ceil(most).max(1);
    ids.iter().step_by(step).cloned().collect()
}
