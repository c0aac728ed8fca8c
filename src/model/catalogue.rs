//! What the target has besides accounts: groups and custom fields, under their names.

use std::collections::BTreeSet;

use super::{CustomFieldId, GroupId};

/// A group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Group {
    /// Its id.
    pub id: GroupId,
    /// Its name. Names are not unique.
    pub name: String,
    /// The group above; none for the root.
    pub parent: Option<GroupId>,
    /// Whether it is public: leaving a group leaves its public subgroups too.
    pub public: bool,
}

/// What a custom field holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CustomKind {
    /// Text.
    Text,
    /// A day: `2026-04-01`.
    Date,
}

/// A custom field of accounts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CustomField {
    /// Its id.
    pub id: CustomFieldId,
    /// Its name.
    pub name: String,
    /// What it holds.
    pub kind: CustomKind,
    /// The values it may hold; empty when it may hold any.
    pub allowed: Vec<String>,
}

/// What of the catalogue somebody needs: nothing else is read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Needs {
    /// Groups.
    pub groups: bool,
    /// The custom fields with these names.
    pub custom_fields: BTreeSet<String>,
}

/// The target's groups and custom fields.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Catalogue {
    /// All groups.
    pub groups: Vec<Group>,
    /// The custom fields that were asked for and exist.
    pub custom_fields: Vec<CustomField>,
}

/// Which group a path means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Found {
    /// This one.
    Group(GroupId),
    /// None; so many names of the path, from its beginning, do exist.
    Missing(usize),
    /// Several groups have this name below the same group.
    Ambiguous(Vec<GroupId>),
}

impl Catalogue {
    /// The group at the end of a path: names from below the root (the root's own name may come
    /// first), or an id alone. Names are compared as they are, white space around them aside.
    pub fn group(&self, path: &[String]) -> Found {
        if let [id] = path
            && let Some(group) = self.groups.iter().find(|group| group.id.as_str() == id)
        {
            return Found::Group(group.id.clone());
        }
        let Some(root) = self.groups.iter().find(|group| group.parent.is_none()) else {
            return Found::Missing(0);
        };
        let mut at = root;
        for (depth, name) in path.iter().enumerate() {
            let below: Vec<&Group> = self
                .groups
                .iter()
                .filter(|group| group.parent.as_ref() == Some(&at.id))
                .filter(|group| group.name.trim() == name.trim())
                .collect();
            at = match below.as_slice() {
                [group] => group,
                [] if depth == 0 && root.name.trim() == name.trim() => root,
                [] => return Found::Missing(depth),
                several => {
                    return Found::Ambiguous(
                        several.iter().map(|group| group.id.clone()).collect(),
                    );
                }
            };
        }
        Found::Group(at.id.clone())
    }

    /// The names from below the root to a group.
    pub fn path(&self, id: &GroupId) -> Vec<String> {
        let find = |id: &GroupId| self.groups.iter().find(|group| group.id == *id);
        let mut names: Vec<String> =
            std::iter::successors(find(id), |group| group.parent.as_ref().and_then(find))
                .take(self.groups.len())
                .filter(|group| group.parent.is_some())
                .map(|group| group.name.clone())
                .collect();
        names.reverse();
        names
    }

    /// The custom field with this name.
    pub fn custom_field(&self, name: &str) -> Option<&CustomField> {
        self.custom_fields.iter().find(|field| field.name.trim() == name.trim())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn group(id: &str, name: &str, parent: Option<&str>) -> Group {
        Group {
            id: GroupId::new(id),
            name: name.to_owned(),
            parent: parent.map(GroupId::new),
            public: false,
        }
    }

    fn path(names: &[&str]) -> Vec<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    #[test]
    fn a_path_leads_from_the_root_to_a_group() {
        let catalogue = Catalogue {
            groups: vec![
                group("f", "Finance", Some("d")),
                group("r", "Norvane", None),
                group("d", "Departments", Some("r")),
                group("x", "Twin", Some("r")),
                group("y", "Twin", Some("r")),
            ],
            custom_fields: Vec::new(),
        };
        let found = |names: &[&str]| catalogue.group(&path(names));
        assert_eq!(found(&["Departments", "Finance"]), Found::Group(GroupId::new("f")));
        assert_eq!(found(&["Norvane", "Departments"]), Found::Group(GroupId::new("d")));
        assert_eq!(found(&["f"]), Found::Group(GroupId::new("f")), "by its id");
        assert_eq!(found(&["Departments", "Sales", "East"]), Found::Missing(1));
        assert_eq!(found(&["Twin"]), Found::Ambiguous(vec![GroupId::new("x"), GroupId::new("y")]));
        assert_eq!(catalogue.path(&GroupId::new("f")), path(&["Departments", "Finance"]));
    }
}
