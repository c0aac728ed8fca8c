//! What the people of a held slice have in common: `412 of 430 have work.site = nothing`.
//!
//! Promises: no value of a personal field is ever shown, only that it is empty or the same for
//! many; nor a value that so few people share that it could point at one of them. Memory does not
//! grow with the number of people.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::model::Seen;

/// A value that fewer people share is not shown.
const CROWD: u64 = 5;

/// So many different values of a field are counted; later ones are not, for a field with more says
/// nothing about a slice.
const VALUES: usize = 500;

/// The longest value that is shown, in characters.
const LONGEST: usize = 60;

/// So many sentences are told, the most telling first.
const TOLD: usize = 5;

/// Parts of the names of fields that are about a person rather than about their work.
const PERSONAL: [&str; 26] = [
    "name",
    "mail",
    "phone",
    "mobile",
    "address",
    "birth",
    "avatar",
    "personal",
    "home",
    "national",
    "passport",
    "ssn",
    "tax",
    "bank",
    "iban",
    "account",
    "salary",
    "payroll",
    "gender",
    "pronoun",
    "marital",
    "spouse",
    "child",
    "emergency",
    "slack",
    "linkedin",
];

/// What is said of a field in many records.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// How many records.
    pub people: u64,
    /// In how many the field is known to be empty.
    pub empty: u64,
    /// In how many it is not there at all.
    pub missing: u64,
    /// How many have each value.
    pub values: BTreeMap<String, u64>,
}

impl Tally {
    /// Counts one more record.
    pub fn note(&mut self, seen: Seen<'_>) {
        self.people += 1;
        let text = match seen {
            Seen::Missing => {
                self.missing += 1;
                return;
            }
            Seen::Empty => {
                self.empty += 1;
                return;
            }
            Seen::Value(Value::String(text)) if text.is_empty() => {
                self.empty += 1;
                return;
            }
            Seen::Value(Value::String(text)) => text.clone(),
            Seen::Value(value @ (Value::Bool(_) | Value::Number(_))) => value.to_string(),
            // What has parts of its own is not one value.
            Seen::Value(_) => return,
        };
        if let Some(count) = self.values.get_mut(&text) {
            *count += 1;
        } else if self.values.len() < VALUES {
            self.values.insert(text, 1);
        }
    }
}

/// A field, among the people of the slice and among everybody.
#[derive(Clone, Debug)]
pub struct Compared<'f> {
    /// Its name: `work.site`.
    pub field: &'f str,
    /// Among the people of the slice.
    pub slice: &'f Tally,
    /// Among everybody, the slice included.
    pub everybody: &'f Tally,
}

/// What a field is like.
#[derive(Clone, Copy)]
enum Trait<'t> {
    Empty,
    Missing,
    Value(&'t str),
}

/// What most people of a slice have in common and everybody else has not, in sentences, the most
/// telling first.
pub fn common<'f>(fields: impl IntoIterator<Item = Compared<'f>>) -> Vec<String> {
    let mut told: Vec<(f64, String)> =
        fields.into_iter().filter_map(|field| tell(&field)).collect();
    told.sort_by(|one, other| other.0.total_cmp(&one.0));
    told.into_iter().take(TOLD).map(|(_, sentence)| sentence).collect()
}

/// The sentence about a field, and how telling it is.
fn tell(compared: &Compared<'_>) -> Option<(f64, String)> {
    let Compared { field, slice, everybody } = compared;
    let values = slice.values.iter().map(|(value, count)| (*count, Trait::Value(value)));
    let (count, like) = values
        .chain([(slice.empty, Trait::Empty), (slice.missing, Trait::Missing)])
        .max_by_key(|(count, _)| *count)?;
    let among_all = match like {
        Trait::Empty => everybody.empty,
        Trait::Missing => everybody.missing,
        Trait::Value(value) => match everybody.values.get(value) {
            Some(count) => *count,
            // Too many values were there to count this one.
            None if everybody.values.len() >= VALUES => return None,
            None => 0,
        },
    }
    .max(count);
    // Two are no pattern, and what is true of half of them explains little.
    if count < 3 || count * 2 < slice.people {
        return None;
    }
    let (inside, outside) =
        (share(count, slice.people), share(among_all - count, others(compared)));
    // What everybody has, too, is not what these people have in common.
    if inside < outside * 1.5 + 0.05 {
        return None;
    }
    let what = match like {
        Trait::Empty => format!("{field} = nothing"),
        Trait::Missing => format!("no {field} in HR's answer"),
        Trait::Value(value) if may_be_shown(field, value, among_all) => {
            format!("{field} = {value}")
        }
        Trait::Value(_) => format!("the same value in {field}"),
    };
    let sentence = format!(
        "{count} of {} have {what}; among the others, {} of {} do",
        slice.people,
        among_all - count,
        others(compared)
    );
    Some((inside - outside, sentence))
}

fn others(compared: &Compared<'_>) -> u64 {
    compared.everybody.people.saturating_sub(compared.slice.people)
}

#[expect(clippy::cast_precision_loss, reason = "a share needs no more")]
fn share(part: u64, whole: u64) -> f64 {
    if whole == 0 { 0.0 } else { part as f64 / whole as f64 }
}

/// Whether anybody may see this value of a field.
fn may_be_shown(field: &str, value: &str, among_all: u64) -> bool {
    among_all >= CROWD
        && !is_personal(field)
        && !value.contains('@')
        && value.chars().count() <= LONGEST
        && !value.chars().any(char::is_control)
}

/// Whether a field is about the person rather than about their work, by its name.
fn is_personal(field: &str) -> bool {
    let field = field.to_lowercase();
    PERSONAL.iter().any(|part| field.contains(part))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// A tally of values and how often each comes.
    fn tally(counts: &[(Value, u64)]) -> Tally {
        let mut tally = Tally::default();
        for (value, count) in counts {
            for _ in 0..*count {
                tally.note(if value.is_null() { Seen::Empty } else { Seen::Value(value) });
            }
        }
        tally
    }

    /// What is told of one field, of those in the slice and the others.
    fn told(field: &str, slice: &[(Value, u64)], others: &[(Value, u64)]) -> Vec<String> {
        let everybody = tally(&[slice, others].concat());
        common([Compared { field, slice: &tally(slice), everybody: &everybody }])
    }

    #[test]
    fn what_most_of_them_have_and_the_others_have_not_is_told() {
        let london = || json!("London");
        assert_eq!(
            told(
                "work.site",
                &[(Value::Null, 412), (london(), 18)],
                &[(Value::Null, 3), (london(), 4567)]
            ),
            ["412 of 430 have work.site = nothing; among the others, 3 of 4570 do"]
        );
        assert_eq!(
            told("work.department", &[(json!(261_454_001), 30)], &[(json!(17), 70)]),
            ["30 of 30 have work.department = 261454001; among the others, 0 of 70 do"]
        );
        let mut missing = Tally::default();
        (0..4).for_each(|_| missing.note(Seen::Missing));
        let all = Tally { people: 10, ..missing.clone() };
        let field = Compared { field: "work.site", slice: &missing, everybody: &all };
        assert_eq!(
            common([field]),
            ["4 of 4 have no work.site in HR's answer; among the others, 0 of 6 do"]
        );
    }

    #[test]
    fn what_explains_nothing_is_not_told() {
        let (london, paris) = (json!("London"), json!("Paris"));
        let both = [(london.clone(), 40), (paris.clone(), 60)];
        assert!(told("work.site", &both, &both).is_empty(), "like everybody");
        assert!(told("work.site", &[(london.clone(), 2)], &[(paris, 60)]).is_empty(), "two");
        let mixed: Vec<_> = (0..50).map(|n| (json!(n), 1)).collect();
        assert!(told("work.title", &mixed, &[(london, 60)]).is_empty(), "nothing in common");
        assert!(told("work.site", &[], &[]).is_empty());
    }

    #[test]
    fn no_personal_value_is_ever_shown() {
        let slice = [(json!("Nadia"), 20)];
        for field in [
            "root.firstName",
            "email",
            "work.workPhone",
            "root.displayName",
            "personal.nationality",
        ] {
            let said = told(field, &slice, &[(json!("x"), 80)]);
            assert_eq!(
                said,
                [format!("20 of 20 have the same value in {field}; among the others, 0 of 80 do")]
            );
        }
        let said = told("work.custom.field_1", &[(json!("Nadia"), 4)], &[(json!("x"), 80)]);
        assert!(said[0].contains("the same value"), "few people: {said:?}");
        for odd in ["nadia@example.test", "a\nb", &"x".repeat(61)] {
            let said = told("work.custom.field_1", &[(json!(odd), 40)], &[]);
            assert!(said[0].contains("the same value"), "{said:?}");
        }
        let said = told("root.email", &[(Value::Null, 20)], &[(json!("x"), 80)]);
        assert!(said[0].contains("root.email = nothing"), "{said:?}");
    }

    #[test]
    fn the_most_telling_comes_first_and_memory_is_bounded() {
        let (weak, strong) = ([(json!(1), 60), (json!(2), 40)], [(json!(1), 100)]);
        let others = [(json!(2), 100)];
        let all = |slice: &[(Value, u64)]| tally(&[slice, &others].concat());
        let (first, second) = (tally(&weak), tally(&strong));
        let (all_first, all_second) = (all(&weak), all(&strong));
        let said = common([
            Compared { field: "a.weak", slice: &first, everybody: &all_first },
            Compared { field: "b.strong", slice: &second, everybody: &all_second },
        ]);
        assert!(said[0].contains("b.strong") && said[1].contains("a.weak"), "{said:?}");

        let many = tally(&(0..2000).map(|n| (json!(n), 1)).collect::<Vec<_>>());
        assert_eq!((many.people, many.values.len()), (2000, VALUES));
    }
}
