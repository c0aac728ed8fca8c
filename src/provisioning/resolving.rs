//! What the rules want, in the target's own ids: groups by their paths, custom fields by their names,
//! the manager's account.
//!
//! What the target lacks hits everybody whom a rule names at once, so it never stops anybody: a group
//! or a custom field that is not there is told as a remark, and everything else is applied. A value
//! that a custom field cannot hold is somebody's own, and stops that person where the rule says so.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::model::catalogue::Found;
use crate::model::{
    AccountId, Catalogue, CustomField, CustomFieldId, CustomKind, Desired, GivenManager, GroupId,
    ManagerKey, Membership, OnBad, Role, Strength,
};

/// What is known of the target beside the account.
#[derive(Clone, Debug, Default)]
pub struct Surroundings {
    /// Its groups and custom fields, as far as the rules need them.
    pub catalogue: Arc<Catalogue>,
    /// The manager's account.
    pub manager: ManagerFound,
}

/// What was found of the manager whom the rules name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum ManagerFound {
    /// The rules name none, or nobody looked.
    #[default]
    NotAsked,
    /// This account.
    Account(AccountId),
    /// They have no account yet: the link is made when they arrive.
    Awaited,
    /// They cannot be this person's manager, for this reason: themselves, or a circle.
    Refused(String),
}

/// What the rules want, in the target's own ids.
#[derive(Clone, Debug, Default)]
pub struct Resolved {
    /// The groups to be in.
    pub groups: Vec<WantedGroup>,
    /// Whether these are all that the rules give. Otherwise nobody leaves a group: it might be the
    /// very one that could not be found.
    pub groups_known: bool,
    /// Custom fields.
    pub custom: BTreeMap<CustomFieldId, WantedValue>,
    /// The manager: `None` leaves it as it is, `Some(None)` takes away the one that a rule gave.
    pub manager: Option<Option<GivenManager>>,
    /// What could not be resolved, in sentences that say what to do.
    pub remarks: Vec<String>,
    /// Some group or custom field is not in the catalogue: one that is newer may have it.
    pub lacks: bool,
    /// What this was resolved by.
    pub catalogue: Arc<Catalogue>,
}

/// A group to be in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WantedGroup {
    /// Its id; `None` when it has to be made first.
    pub id: Option<GroupId>,
    /// The names from below the root.
    pub path: Vec<String>,
    /// How many of these names exist already.
    pub exist: usize,
    /// The role.
    pub role: Role,
}

/// What a custom field shall hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WantedValue {
    /// The value; `None` clears.
    pub value: Option<String>,
    /// When it is written.
    pub strength: Strength,
    /// What follows when the target refuses it all the same.
    pub on_bad: OnBad,
}

/// Nothing can be applied to the person until a human has acted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The cause, by which failures are grouped: `badValue`.
    pub code: &'static str,
    /// What is wrong, without the value, and what to do.
    pub reason: String,
}

/// Says in the target's ids what the rules want.
///
/// # Errors
/// [`Refusal`] when custom fields that must hold a value cannot hold it; all of them are named.
pub fn resolve(desired: &Desired, around: &Surroundings) -> Result<Resolved, Refusal> {
    let catalogue = &around.catalogue;
    let mut resolved = Resolved {
        groups_known: desired.groups_certain,
        catalogue: Arc::clone(catalogue),
        ..Resolved::default()
    };
    if !desired.active {
        return Ok(resolved);
    }
    let mut seen = BTreeSet::new();
    for membership in desired.groups.iter().filter(|it| seen.insert((&it.path, &it.role))) {
        resolved.group(membership);
    }
    let mut refused = Vec::new();
    for (name, wish) in &desired.custom {
        let Some(field) = catalogue.custom_field(name) else {
            resolved.lacks = true;
            resolved.remarks.push(format!(
                "custom field {name} left alone: 360Learning has no custom field of users with this \
                 name. Create it there, or correct rules.custom_fields"
            ));
            continue;
        };
        match (wish.value.as_deref().and_then(|value| cannot_hold(field, value)), wish.on_bad) {
            (None, _) => {
                let wanted = WantedValue {
                    value: wish.value.clone(),
                    strength: wish.strength,
                    on_bad: wish.on_bad,
                };
                resolved.custom.insert(field.id.clone(), wanted);
            }
            (Some(why), OnBad::Skip) => {
                resolved.lacks |= !field.allowed.is_empty();
                resolved.remarks.push(format!("custom field {name} left alone: {why}"));
            }
            (Some(why), OnBad::Refuse) => refused.push(format!("custom field {name}: {why}")),
        }
    }
    if !refused.is_empty() {
        let reason = format!(
            "{}. Correct the value in HR, allow it in 360Learning, or let on_bad = \"skip\" leave \
             the field alone; then replay",
            refused.join("; ")
        );
        return Err(Refusal { code: "badValue", reason });
    }
    resolved.manager = match (&desired.manager, &around.manager) {
        (Some(Some(key)), ManagerFound::Account(account)) => {
            Some(Some(GivenManager { key: key.to_string(), account: account.clone() }))
        }
        (Some(Some(key)), ManagerFound::Awaited) => {
            resolved.remarks.push(format!("{} is awaited: no account yet", whom(key)));
            Some(None)
        }
        (Some(Some(_)), ManagerFound::Refused(why)) => {
            resolved.remarks.push(format!("manager left alone: {why}"));
            None
        }
        (Some(Some(_)), ManagerFound::NotAsked) | (None, _) => None,
        (Some(None), _) => Some(None),
    };
    Ok(resolved)
}

/// The manager in words: an id may be told, a mail may not.
fn whom(key: &ManagerKey) -> String {
    match key {
        ManagerKey::Employee(id) => format!("manager {id}"),
        ManagerKey::Email(_) => "the manager, who is named by mail,".to_owned(),
    }
}

/// Why a custom field cannot hold a value, without the value.
fn cannot_hold(field: &CustomField, value: &str) -> Option<&'static str> {
    if field.kind == CustomKind::Date && !is_day(value) {
        return Some("it holds a day, as in 2026-04-01, and the rule gives something else");
    }
    let allowed = field.allowed.is_empty() || field.allowed.iter().any(|it| it == value);
    (!allowed).then_some("the value is not among those that 360Learning allows for it")
}

/// `2026-04-01`, and nothing beside it.
fn is_day(text: &str) -> bool {
    text.len() == 10 && text.parse::<jiff::civil::Date>().is_ok()
}

impl Resolved {
    fn group(&mut self, membership: &Membership) {
        let Membership { path, role, create } = membership;
        let names = path.join("/");
        let mut untold = |remark: String| {
            self.groups_known = false;
            self.remarks.push(remark);
        };
        if path.is_empty() || path.iter().any(|name| name.trim().is_empty()) {
            return untold(format!(
                "not added to a group: a rule gives a path with an empty name ({names}); correct \
                 rules.groups"
            ));
        }
        let wanted = |id, exist| WantedGroup { id, path: path.clone(), exist, role: role.clone() };
        match self.catalogue.group(path) {
            Found::Group(id) => {
                let wanted = wanted(Some(id), path.len());
                let same = |it: &WantedGroup| it.id == wanted.id && it.role == wanted.role;
                if !self.groups.iter().any(same) {
                    self.groups.push(wanted);
                }
            }
            Found::Missing(exist) if *create && !is_id(path) => {
                self.lacks = true;
                self.groups.push(wanted(None, exist));
            }
            Found::Missing(_) => {
                self.lacks = true;
                let what = if is_id(path) {
                    "correct the id in rules.groups"
                } else {
                    "create it there, or set create = true in its rule under rules.groups"
                };
                self.groups_known = false;
                self.remarks.push(format!(
                    "not added to group {names}: 360Learning has no such group; {what}"
                ));
            }
            Found::Ambiguous(ids) => {
                let ids: Vec<&str> = ids.iter().map(GroupId::as_str).collect();
                untold(format!(
                    "not added to group {names}: several groups have this name side by side ({}); \
                     rename one in 360Learning, or give its id as the path",
                    ids.join(", ")
                ));
            }
        }
    }

    /// The ids and roles that the rules give, as far as the groups exist.
    pub fn memberships(&self) -> BTreeSet<(GroupId, Role)> {
        let id = |wanted: &WantedGroup| Some((wanted.id.clone()?, wanted.role.clone()));
        self.groups.iter().filter_map(id).collect()
    }

    /// Whether who leaves one group as a learner leaves this one with it: it stands below, and
    /// every group on the way to it is public.
    pub fn falls_with(&self, group: &GroupId, left: &GroupId) -> bool {
        let find = |id: &GroupId| self.catalogue.groups.iter().find(|group| group.id == *id);
        let mut at = find(group);
        // No path is longer than there are groups, whatever the target says.
        for _ in 0..self.catalogue.groups.len() {
            let Some(below) = at.filter(|group| group.public) else { return false };
            match &below.parent {
                Some(parent) if parent == left => return true,
                Some(parent) => at = find(parent),
                None => return false,
            }
        }
        false
    }
}

/// Whether a path is a group's id: one that is not found is a mistake, and no name for a new group.
fn is_id(path: &[String]) -> bool {
    matches!(path, [id] if id.len() == 24 && id.bytes().all(|byte| byte.is_ascii_hexdigit()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{CustomWish, EmployeeId, Group};

    fn group(id: &str, name: &str, parent: Option<&str>, public: bool) -> Group {
        let (id, parent) = (GroupId::new(id), parent.map(GroupId::new));
        Group { id, name: name.to_owned(), parent, public }
    }

    fn field(id: &str, name: &str, kind: CustomKind, allowed: &[&str]) -> CustomField {
        let allowed = allowed.iter().map(|value| (*value).to_owned()).collect();
        CustomField { id: CustomFieldId::new(id), name: name.to_owned(), kind, allowed }
    }

    fn around(manager: ManagerFound) -> Surroundings {
        let groups = vec![
            group("r", "Norvane", None, false),
            group("d", "Departments", Some("r"), true),
            group("f", "Finance", Some("d"), true),
            group("a", "Audit", Some("f"), true),
            group("p", "Payroll", Some("f"), false),
            group("q", "Below payroll", Some("p"), true),
            group("x", "Twin", Some("r"), true),
            group("y", "Twin", Some("r"), true),
        ];
        let custom_fields = vec![
            field("c", "Cost centre", CustomKind::Text, &["CC-1", "CC-2"]),
            field("s", "Since", CustomKind::Date, &[]),
        ];
        Surroundings { catalogue: Arc::new(Catalogue { groups, custom_fields }), manager }
    }

    fn membership(path: &[&str], create: bool) -> Membership {
        let path = path.iter().map(|name| (*name).to_owned()).collect();
        Membership { path, role: "learner".into(), create }
    }

    fn wanted(desired: &Desired) -> Resolved {
        resolve(desired, &around(ManagerFound::Awaited)).expect("nothing is refused")
    }

    #[test]
    fn groups_are_found_made_or_told_about() {
        let groups = vec![
            membership(&["Departments", "Finance"], false),
            membership(&["f"], false),
            membership(&["Departments", "Sales", "East"], true),
        ];
        let desired = Desired { active: true, groups, ..Desired::default() };
        let resolved = wanted(&desired);
        assert!(resolved.groups_known && resolved.lacks);
        assert_eq!(resolved.remarks, [""; 0]);
        let ids: Vec<_> = resolved.groups.iter().map(|it| (it.id.clone(), it.exist)).collect();
        assert_eq!(ids, [(Some(GroupId::new("f")), 2), (None, 1)], "the same one is wanted once");

        for (path, create, told) in [
            (&["Departments", "Sales"][..], false, "set create = true"),
            (&["Twin"], true, "several groups have this name side by side (x, y)"),
            (&["65f0c1d2e3a4b5c6d7e8f901"], true, "correct the id"),
            (&["Departments", " "], true, "an empty name"),
            (&[], true, "an empty name"),
        ] {
            let groups = vec![membership(path, create)];
            let resolved = wanted(&Desired { active: true, groups, ..Desired::default() });
            assert!(resolved.groups.is_empty() && !resolved.groups_known, "{path:?}");
            assert!(resolved.remarks[0].contains(told), "{:?}", resolved.remarks);
        }
    }

    #[test]
    fn values_that_a_custom_field_cannot_hold_are_skipped_or_refused() {
        let wish = |value: &str, on_bad| CustomWish {
            value: Some(value.to_owned()),
            on_bad,
            ..CustomWish::default()
        };
        let desired = |on_bad| Desired {
            active: true,
            custom: [
                ("Cost centre".to_owned(), wish("CC-9", on_bad)),
                ("Since".to_owned(), wish("1 April", on_bad)),
                ("Nobody's".to_owned(), wish("x", on_bad)),
            ]
            .into(),
            ..Desired::default()
        };
        let refusal = resolve(&desired(OnBad::Refuse), &around(ManagerFound::NotAsked));
        let refusal = refusal.expect_err("two values are refused");
        assert_eq!(refusal.code, "badValue");
        for part in ["Cost centre: the value is not among", "Since: it holds a day", "replay"] {
            assert!(refusal.reason.contains(part), "{}", refusal.reason);
        }
        assert!(!refusal.reason.contains("CC-9") && !refusal.reason.contains("1 April"));
        let resolved = wanted(&desired(OnBad::Skip));
        assert!(resolved.custom.is_empty());
        assert_eq!(resolved.remarks.len(), 3, "{:?}", resolved.remarks);
        assert!(resolved.remarks.iter().any(|it| it.contains("no custom field of users")));

        let mut good = desired(OnBad::Refuse);
        good.custom.insert("Cost centre".into(), wish("CC-2", OnBad::Refuse));
        good.custom.insert("Since".into(), CustomWish::default());
        let custom = wanted(&good).custom;
        assert_eq!(custom[&CustomFieldId::new("c")].value.as_deref(), Some("CC-2"));
        assert_eq!(custom[&CustomFieldId::new("s")].value, None, "clearing is always possible");
    }

    #[test]
    fn a_manager_is_given_awaited_or_refused() {
        let named = |manager| Desired { active: true, manager, ..Desired::default() };
        let key = ManagerKey::Employee(EmployeeId::new("7"));
        let found = |manager, found| {
            let resolved = resolve(&named(manager), &around(found)).expect("nothing is refused");
            (resolved.manager, resolved.remarks.join(" "))
        };
        let given = GivenManager { key: "employee:7".into(), account: AccountId::new("m") };
        let account = ManagerFound::Account(AccountId::new("m"));
        assert_eq!(found(Some(Some(key.clone())), account).0, Some(Some(given)));
        let (awaited, told) = found(Some(Some(key.clone())), ManagerFound::Awaited);
        assert_eq!((awaited, told.as_str()), (Some(None), "manager 7 is awaited: no account yet"));
        let (none, told) = found(Some(Some(key)), ManagerFound::Refused("a circle".into()));
        assert_eq!((none, told.as_str()), (None, "manager left alone: a circle"));
        assert_eq!(found(Some(None), ManagerFound::NotAsked).0, Some(None));
        assert_eq!(found(None, ManagerFound::NotAsked).0, None);
        let mail = ManagerKey::Email("boss@example.test".into());
        let told = found(Some(Some(mail)), ManagerFound::Awaited).1;
        assert!(!told.contains("boss"), "a mail is nobody's business: {told}");
    }

    #[test]
    fn public_groups_fall_with_the_one_above_down_to_the_first_private_one() {
        let resolved = wanted(&Desired { active: true, ..Desired::default() });
        let falls = |group: &str, left: &str| {
            resolved.falls_with(&GroupId::new(group), &GroupId::new(left))
        };
        assert!(falls("a", "f") && falls("a", "d") && falls("f", "d"));
        assert!(!falls("p", "f") && !falls("q", "f") && !falls("d", "f") && !falls("f", "f"));
    }

    #[test]
    fn nothing_is_asked_of_who_shall_have_no_account() {
        let groups = vec![membership(&["Nowhere"], false)];
        let resolved = wanted(&Desired { groups, ..Desired::default() });
        assert!(resolved.groups.is_empty() && resolved.remarks.is_empty() && !resolved.lacks);
    }
}
