//! What the rules name at the far ends, against what there is: fields, groups, custom fields and
//! their values. Every mistake is told at its place in the file of rules, all at once.

use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::connect::{compile, hibob, learning360};
use super::preview::PreviewError;
use super::{BuildError, Mention, Mentioned};
use crate::clock::Deadline;
use crate::config::{Problem, Settings, nearest};
use crate::model::catalogue::Found;
use crate::model::{Catalogue, GroupId, Lane, SourceName};
use crate::sources::hibob::wire::FieldInfo;
use crate::store::Store;

/// How long the far ends may take.
const TIME: Duration = Duration::from_secs(60);

/// What the far ends have.
struct There {
    fields: Vec<FieldInfo>,
    catalogue: Arc<Catalogue>,
    /// All custom fields of users, also those that no rule names.
    custom_fields: Vec<String>,
}

/// Compares what the rules of all sources name with what the far ends have.
///
/// # Errors
/// When the rules do not compile, or a far end does not answer.
pub async fn misnamed(
    settings: &Settings,
    store: &Arc<dyn Store>,
) -> Result<Vec<Problem>, PreviewError> {
    let target = learning360(&settings.target, store).map_err(BuildError::from)?;
    let mut problems: Vec<Problem> = Vec::new();
    for (name, source) in &settings.sources {
        let name = SourceName::new(name);
        let rules = compile(&source.rules).map_err(BuildError::Rules)?;
        let client = hibob(&name, source, rules.reads(), store)?;
        let fields = client.fields(Deadline::after(TIME)).await?;
        let needs = rules.needs();
        let catalogue = target.catalogue(&needs, true, Lane::Live, Deadline::after(TIME)).await?;
        let there = There { fields, catalogue, custom_fields: target.custom_field_names() };
        for Mention { key, range, what } in rules.mentions() {
            let Some(message) = mistake(&what, &there) else { continue };
            let problem = source.rules.problem(&key, range, message, &settings.path);
            // Sources can share their rules.
            if !problems.contains(&problem) {
                problems.push(problem);
            }
        }
    }
    Ok(problems)
}

/// Warns of what the rules name and a far end does not have. A process starts all the same: a restart
/// is never refused because of a far end.
pub(super) async fn warn(settings: &Settings, store: &Arc<dyn Store>, stop: &CancellationToken) {
    let looked = tokio::select! {
        () = stop.cancelled() => return,
        looked = misnamed(settings, store) => looked,
    };
    match looked {
        Ok(problems) => {
            for problem in problems {
                tracing::warn!(key = problem.key, "{}", problem.message);
            }
        }
        Err(error) => {
            let error = &error as &dyn std::error::Error;
            tracing::warn!(error, "whether the far ends have what the rules name is not known");
        }
    }
}

/// Whether HiBob knows a field, or the field that it is a part of: `work.reportsTo.email` is a part
/// of `work.reportsTo`.
pub(super) fn knows(fields: &[FieldInfo], id: &str) -> bool {
    let part_of = |rest: &str| rest.is_empty() || rest.starts_with('.');
    fields.iter().any(|info| id.strip_prefix(info.id.as_str()).is_some_and(part_of))
}

/// What is wrong with a name, and what to do.
fn mistake(what: &Mentioned, there: &There) -> Option<String> {
    let There { fields, catalogue, custom_fields } = there;
    match what {
        Mentioned::Field(id) if knows(fields, id) => None,
        Mentioned::Field(id) => {
            let meant = nearest(id, fields.iter().map(|info| info.id.as_str()));
            let advice = meant.map_or_else(
                || "look it up in Bob's field list".to_owned(),
                |meant| format!("did you mean `{meant}`?"),
            );
            Some(format!("HiBob has no field `{id}`, {advice}"))
        }
        Mentioned::Group { path, create } => group(path, *create, catalogue),
        Mentioned::CustomField(name) if catalogue.custom_field(name).is_some() => None,
        Mentioned::CustomField(name) => {
            let known = custom_fields.iter().map(String::as_str);
            let advice = nearest(name, known).map_or_else(
                || "create it there, for users, or correct the name".to_owned(),
                |meant| format!("did you mean `{meant}`?"),
            );
            Some(format!("360Learning has no custom field of users `{name}`, {advice}"))
        }
        Mentioned::CustomValue { field, value } => {
            let allowed = &catalogue.custom_field(field)?.allowed;
            if allowed.is_empty() || allowed.contains(value) {
                return None;
            }
            let advice = nearest(value, allowed.iter().map(String::as_str)).map_or_else(
                || "allow it there, or choose one that is".to_owned(),
                |meant| format!("did you mean `{meant}`?"),
            );
            Some(format!(
                "360Learning does not allow the value `{value}` in the custom field `{field}`, \
                 {advice}"
            ))
        }
    }
}

fn group(path: &[String], create: bool, catalogue: &Catalogue) -> Option<String> {
    let shown = path.join("/");
    match catalogue.group(path) {
        Found::Group(_) => None,
        Found::Missing(_) if create => None,
        Found::Missing(depth) => {
            let siblings = below(&path[..depth.min(path.len())], catalogue);
            let meant = path.get(depth).and_then(|name| nearest(name, siblings));
            let advice = meant.map_or_else(
                || "create it there, correct the path, or set create = true".to_owned(),
                |meant| {
                    let mut names = path.to_vec();
                    meant.clone_into(&mut names[depth]);
                    format!("did you mean `{}`?", names.join("/"))
                },
            );
            Some(format!("360Learning has no group `{shown}`, {advice}"))
        }
        Found::Ambiguous(ids) => {
            let ids: Vec<&str> = ids.iter().map(GroupId::as_str).collect();
            Some(format!(
                "360Learning has several groups `{shown}`: name the id of one, {}",
                ids.join(" or ")
            ))
        }
    }
}

/// The names of the groups below the one at the end of a path.
fn below<'c>(path: &[String], catalogue: &'c Catalogue) -> Vec<&'c str> {
    let above = match path {
        [] => catalogue.groups.iter().find(|it| it.parent.is_none()).map(|it| it.id.clone()),
        path => match catalogue.group(path) {
            Found::Group(id) => Some(id),
            _ => None,
        },
    };
    let is_below = |group: &&crate::model::Group| above.is_some() && group.parent == above;
    catalogue.groups.iter().filter(is_below).map(|group| group.name.as_str()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{CustomField, CustomFieldId, CustomKind, Group};

    fn field(id: &str) -> FieldInfo {
        FieldInfo {
            id: id.to_owned(),
            kind: "text".to_owned(),
            category: "work".to_owned(),
            category_name: "Work".to_owned(),
        }
    }

    fn catalogue() -> Catalogue {
        let group = |id: &str, name: &str, parent: Option<&str>| Group {
            id: GroupId::new(id),
            name: name.to_owned(),
            parent: parent.map(GroupId::new),
            public: false,
        };
        Catalogue {
            groups: vec![
                group("r", "Norvane", None),
                group("s", "Sites", Some("r")),
                group("l", "London", Some("s")),
                group("x", "Twin", Some("r")),
                group("y", "Twin", Some("r")),
            ],
            custom_fields: vec![CustomField {
                id: CustomFieldId::new("c"),
                name: "Contract".to_owned(),
                kind: CustomKind::Text,
                allowed: vec!["Permanent".to_owned(), "Fixed term".to_owned()],
            }],
        }
    }

    fn told(what: &Mentioned) -> String {
        let there = There {
            fields: vec![field("work.site"), field("work.reportsTo")],
            catalogue: Arc::new(catalogue()),
            custom_fields: vec!["Contract".to_owned(), "Cost centre".to_owned()],
        };
        mistake(what, &there).unwrap_or_default()
    }

    fn group_at(path: &str, create: bool) -> Mentioned {
        Mentioned::Group { path: path.split('/').map(str::to_owned).collect(), create }
    }

    #[test]
    fn what_there_is_is_no_mistake() {
        let value = |value: &str| Mentioned::CustomValue {
            field: "Contract".to_owned(),
            value: value.to_owned(),
        };
        for right in [
            Mentioned::Field("work.site".to_owned()),
            Mentioned::Field("work.reportsTo.email".to_owned()),
            Mentioned::CustomField("Contract".to_owned()),
            value("Permanent"),
            group_at("Sites/London", false),
            group_at("Sites/Rome", true),
            group_at("l", false),
        ] {
            assert_eq!(told(&right), "", "{right:?}");
        }
    }

    #[test]
    fn a_name_that_is_not_there_is_told_with_the_nearest() {
        let custom = |name: &str| Mentioned::CustomField(name.to_owned());
        let value = |value: &str| Mentioned::CustomValue {
            field: "Contract".to_owned(),
            value: value.to_owned(),
        };
        for (wrong, said) in [
            (
                Mentioned::Field("work.sit".to_owned()),
                "HiBob has no field `work.sit`, did you mean `work.site`?",
            ),
            (
                Mentioned::Field("x.y".to_owned()),
                "HiBob has no field `x.y`, look it up in Bob's field list",
            ),
            (
                custom("Cost center"),
                "360Learning has no custom field of users `Cost center`, did you mean `Cost \
                 centre`?",
            ),
            (
                value("permanent."),
                "360Learning does not allow the value `permanent.` in the custom field `Contract`, \
                 did you mean `Permanent`?",
            ),
            (
                value("Intern"),
                "360Learning does not allow the value `Intern` in the custom field `Contract`, allow \
                 it there, or choose one that is",
            ),
            (
                group_at("Sites/Londn", false),
                "360Learning has no group `Sites/Londn`, did you mean `Sites/London`?",
            ),
            (
                group_at("Site/London", false),
                "360Learning has no group `Site/London`, did you mean `Sites/London`?",
            ),
            (
                group_at("Twin", true),
                "360Learning has several groups `Twin`: name the id of one, x or y",
            ),
        ] {
            assert_eq!(told(&wrong), said);
        }
    }
}
