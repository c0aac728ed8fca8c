//! What the LMS holds: accounts, groups, roles, links, and the indexes that find them.
//!
//! Every change goes through a method here, so that no index can be forgotten. Accounts keep their
//! place for ever; an account that an administrator wiped leaves an empty one.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use jiff::Timestamp;
use serde::ser::{Serialize, SerializeMap, Serializer};
use serde_json::{Value, json};

use super::bulk::Operation;
use super::external_ids::Mappings;

/// Whether an account can be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    Invited,
    Active,
    Deleted,
}

impl Status {
    /// The word of the API.
    pub fn word(self) -> &'static str {
        match self {
            Self::Invited => "invited",
            Self::Active => "active",
            Self::Deleted => "deleted",
        }
    }
}

/// The members of an account that are texts, apart from its id and status.
pub const FIELDS: [&str; 12] = [
    "custom",
    "firstName",
    "job",
    "lang",
    "lastName",
    "mail",
    "organization",
    "phone",
    "primaryGroupId",
    "profileImageId",
    "toBeDeactivatedAt",
    "username",
];

/// An account.
#[derive(Clone, Debug)]
pub struct User {
    pub id: String,
    pub status: Status,
    pub fields: BTreeMap<&'static str, String>,
    pub deleted_at: Vec<String>,
    pub reactivated_at: Vec<String>,
    /// Groups, by place, and roles in them.
    pub roles: BTreeSet<(usize, &'static str)>,
    pub managers: BTreeSet<usize>,
    pub subordinates: BTreeSet<usize>,
    /// Custom values: type and value by field.
    pub custom: BTreeMap<String, (&'static str, String)>,
}

impl User {
    /// A field; empty when it is not there.
    pub fn field(&self, name: &str) -> &str {
        self.fields.get(name).map_or("", String::as_str)
    }
}

/// As `UserDTO` shows it: what is empty is absent.
impl Serialize for User {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut dto = serializer.serialize_map(None)?;
        dto.serialize_entry("_id", &self.id)?;
        dto.serialize_entry("status", self.status.word())?;
        for (name, value) in &self.fields {
            dto.serialize_entry(name, value)?;
        }
        if !self.deleted_at.is_empty() {
            dto.serialize_entry("deletedAt", &self.deleted_at)?;
        }
        if !self.reactivated_at.is_empty() {
            dto.serialize_entry("reactivatedAt", &self.reactivated_at)?;
        }
        dto.end()
    }
}

/// A group.
#[derive(Clone, Debug)]
pub struct Group {
    pub id: String,
    pub name: String,
    pub custom: Option<String>,
    pub public: bool,
    pub parent: Option<usize>,
    pub members: BTreeSet<(usize, &'static str)>,
}

/// A custom field's definition.
#[derive(Clone, Debug)]
pub struct CustomField {
    pub id: String,
    pub name: String,
    pub target: String,
    pub kind: &'static str,
    pub authorized: Vec<String>,
}

/// Everything.
#[derive(Debug, Default)]
pub struct State {
    seed: u64,
    minted: u64,
    users: Vec<Option<User>>,
    by_id: HashMap<String, usize>,
    by_mail: HashMap<String, usize>,
    by_username: HashMap<String, usize>,
    due: BTreeSet<(Timestamp, usize)>,
    pub owner: usize,
    groups: Vec<Option<Group>>,
    group_by_id: HashMap<String, usize>,
    pub custom_fields: Vec<CustomField>,
    pub mappings: Mappings,
    pub operations: Vec<Operation>,
}

/// A moment as the API writes it.
pub fn moment(at: Timestamp) -> String {
    at.strftime("%Y-%m-%dT%H:%M:%S%.3fZ").to_string()
}

impl State {
    /// A company with its root group, a default group, and the owner.
    pub fn new(seed: u64, now: Timestamp) -> Self {
        let mut state = Self { seed, ..Self::default() };
        let root = state.add_group("Norvane", false, None, None);
        for (name, public) in [("Everyone", false), ("Town hall", true), ("Leaders", false)] {
            state.add_group(name, public, Some(root), None);
        }
        let fields = [
            ("mail", "owner@example.test"),
            ("firstName", "Odile"),
            ("lastName", "Keyholder"),
            ("lang", "en"),
        ];
        let fields = fields.map(|(name, value)| (name, value.to_owned()));
        state.owner = state.add_user(Status::Active, BTreeMap::from(fields), now);
        state.add_role(state.owner, root, "owner");
        state
    }

    /// A fresh id; the same seed mints the same ids.
    pub fn mint(&mut self) -> String {
        self.minted += 1;
        format!("65f0c1d2{:06x}{:010x}", self.seed & 0xff_ffff, self.minted)
    }

    /// A user's place by id.
    pub fn place(&self, id: &str) -> Option<usize> {
        self.by_id.get(id).copied()
    }

    /// A user's place by mail, whatever its case.
    pub fn place_by_mail(&self, mail: &str) -> Option<usize> {
        self.by_mail.get(&mail.to_lowercase()).copied()
    }

    /// A user's place by user name.
    pub fn place_by_username(&self, username: &str) -> Option<usize> {
        self.by_username.get(username).copied()
    }

    /// The user at a place.
    pub fn user(&self, place: usize) -> Option<&User> {
        self.users.get(place)?.as_ref()
    }

    fn user_mut(&mut self, place: usize) -> Option<&mut User> {
        self.users.get_mut(place)?.as_mut()
    }

    /// How many places there are.
    pub fn places(&self) -> usize {
        self.users.len()
    }

    /// Everybody.
    pub fn users(&self) -> impl Iterator<Item = (usize, &User)> {
        self.users.iter().enumerate().filter_map(|(at, user)| Some((at, user.as_ref()?)))
    }

    /// Adds a user and answers with the place.
    pub fn add_user(
        &mut self,
        status: Status,
        fields: BTreeMap<&'static str, String>,
        now: Timestamp,
    ) -> usize {
        let (id, place) = (self.mint(), self.users.len());
        self.by_id.insert(id.clone(), place);
        let deleted_at = if status == Status::Deleted { vec![moment(now)] } else { Vec::new() };
        self.users.push(Some(User {
            id,
            status,
            fields: BTreeMap::new(),
            deleted_at,
            reactivated_at: Vec::new(),
            roles: BTreeSet::new(),
            managers: BTreeSet::new(),
            subordinates: BTreeSet::new(),
            custom: BTreeMap::new(),
        }));
        for (name, value) in fields {
            self.set_field(place, name, Some(value));
        }
        place
    }

    /// Sets or clears a field.
    pub fn set_field(&mut self, place: usize, name: &'static str, value: Option<String>) {
        let Some(user) = self.users.get_mut(place).and_then(Option::as_mut) else { return };
        let old = match &value {
            Some(value) => user.fields.insert(name, value.clone()),
            None => user.fields.remove(name),
        };
        let index = match name {
            "mail" => &mut self.by_mail,
            "username" => &mut self.by_username,
            "toBeDeactivatedAt" => {
                let at = |text: Option<String>| text.and_then(|text| text.parse().ok());
                at(old).map(|old| self.due.remove(&(old, place)));
                at(value).map(|new| self.due.insert((new, place)));
                return;
            }
            _ => return,
        };
        if let Some(old) = old {
            index.remove(&old.to_lowercase());
        }
        if let Some(value) = value {
            index.insert(value.to_lowercase(), place);
        }
    }

    /// Sets the status and its history; a deletion takes roles and links away.
    pub fn set_status(&mut self, place: usize, status: Status, now: Timestamp) {
        let Some(user) = self.user_mut(place) else { return };
        let was = std::mem::replace(&mut user.status, status);
        if was != Status::Deleted && status == Status::Deleted {
            user.deleted_at.push(moment(now));
            let roles = std::mem::take(&mut user.roles);
            let managers = std::mem::take(&mut user.managers);
            let subordinates = std::mem::take(&mut user.subordinates);
            for (group, role) in roles {
                if let Some(group) = self.groups[group].as_mut() {
                    group.members.remove(&(place, role));
                }
            }
            for manager in managers {
                self.user_mut(manager).map(|user| user.subordinates.remove(&place));
            }
            for subordinate in subordinates {
                self.user_mut(subordinate).map(|user| user.managers.remove(&place));
            }
            self.set_field(place, "toBeDeactivatedAt", None);
            self.set_field(place, "primaryGroupId", None);
        } else if was == Status::Deleted && status != Status::Deleted {
            user.reactivated_at.push(moment(now));
        }
    }

    /// Removes an account as if it had never been. Nothing in the API does that.
    pub fn wipe(&mut self, place: usize, now: Timestamp) {
        self.set_status(place, Status::Deleted, now);
        for name in ["mail", "username"] {
            self.set_field(place, name, None);
        }
        if let Some(user) = self.users[place].take() {
            self.by_id.remove(&user.id);
            self.mappings.forget(&user.id);
        }
    }

    /// Replaces someone's custom values.
    pub fn set_custom(&mut self, place: usize, values: BTreeMap<String, (&'static str, String)>) {
        if let Some(user) = self.user_mut(place) {
            user.custom = values;
        }
    }

    /// Takes a custom field's value from everybody.
    pub fn forget_custom(&mut self, field: &str) {
        for user in self.users.iter_mut().flatten() {
            user.custom.remove(field);
        }
    }

    /// Makes one user the manager of another, or no longer.
    pub fn set_manager(&mut self, place: usize, manager: usize, on: bool) {
        let flip =
            |set: &mut BTreeSet<usize>, who| if on { set.insert(who) } else { set.remove(&who) };
        self.user_mut(place).map(|user| flip(&mut user.managers, manager));
        self.user_mut(manager).map(|user| flip(&mut user.subordinates, place));
    }

    /// A group's place by id.
    pub fn group_place(&self, id: &str) -> Option<usize> {
        self.group_by_id.get(id).copied()
    }

    /// The group that all others are below.
    pub fn root(&self) -> Option<usize> {
        self.groups().find(|(_, group)| group.parent.is_none()).map(|(place, _)| place)
    }

    /// The names from below the root to a group, with slashes between them; the root's own name.
    fn path(&self, place: usize) -> String {
        let up = |at: &usize| self.group(*at)?.parent;
        let mut names: Vec<&str> = std::iter::successors(Some(place), up)
            .filter_map(|at| Some(self.group(at)?.name.as_str()))
            .collect();
        if names.len() > 1 {
            names.pop();
        }
        names.reverse();
        names.join("/")
    }

    /// The group at a place.
    pub fn group(&self, place: usize) -> Option<&Group> {
        self.groups.get(place)?.as_ref()
    }

    /// The group at a place, to be changed in what no index knows.
    pub fn group_mut(&mut self, place: usize) -> Option<&mut Group> {
        self.groups.get_mut(place)?.as_mut()
    }

    /// All groups.
    pub fn groups(&self) -> impl Iterator<Item = (usize, &Group)> {
        self.groups.iter().enumerate().filter_map(|(at, group)| Some((at, group.as_ref()?)))
    }

    /// Adds a group.
    pub fn add_group(
        &mut self,
        name: &str,
        public: bool,
        parent: Option<usize>,
        custom: Option<String>,
    ) -> usize {
        let (id, place) = (self.mint(), self.groups.len());
        self.group_by_id.insert(id.clone(), place);
        let name = name.to_owned();
        self.groups.push(Some(Group {
            id,
            name,
            custom,
            public,
            parent,
            members: BTreeSet::new(),
        }));
        place
    }

    /// Removes a group and those below it.
    pub fn remove_group(&mut self, place: usize) {
        let below: Vec<_> =
            self.groups().filter(|(_, g)| g.parent == Some(place)).map(|(at, _)| at).collect();
        for child in below {
            self.remove_group(child);
        }
        if let Some(group) = self.groups[place].take() {
            self.group_by_id.remove(&group.id);
            self.mappings.forget(&group.id);
            for (user, role) in group.members {
                self.user_mut(user).map(|user| user.roles.remove(&(place, role)));
            }
        }
    }

    /// Gives a role; `false` when it was there.
    pub fn add_role(&mut self, user: usize, group: usize, role: &'static str) -> bool {
        if let Some(group) = self.group_mut(group) {
            group.members.insert((user, role));
        }
        self.user_mut(user).is_some_and(|user| user.roles.insert((group, role)))
    }

    /// Takes a role away; `false` when it was not there. `learner` also goes from public groups
    /// below, down to the first private one.
    pub fn remove_role(&mut self, user: usize, group: usize, role: &'static str) -> bool {
        let was = self.drop_role(user, group, role);
        let mut above = if was && role == "learner" { vec![group] } else { Vec::new() };
        while let Some(place) = above.pop() {
            let below = self.groups().filter(|(_, child)| child.parent == Some(place));
            let below: Vec<_> = below.filter(|(_, child)| child.public).map(|(at, _)| at).collect();
            for child in below {
                self.drop_role(user, child, role);
                above.push(child);
            }
        }
        was
    }

    fn drop_role(&mut self, user: usize, group: usize, role: &'static str) -> bool {
        if let Some(group) = self.group_mut(group) {
            group.members.remove(&(user, role));
        }
        self.user_mut(user).is_some_and(|user| user.roles.remove(&(group, role)))
    }

    /// Lets happen what time brings: planned deactivations and bulk operations.
    pub fn advance(&mut self, now: Timestamp) {
        while let Some((_, place)) = self.due.first().copied().filter(|(at, _)| *at <= now) {
            self.set_field(place, "toBeDeactivatedAt", None);
            self.set_status(place, Status::Deleted, now);
        }
        super::bulk::run(self, now);
    }

    /// A group as `GroupDTO` shows it.
    pub fn group_dto(&self, group: &Group) -> Value {
        let mut dto = json!({"_id": group.id, "name": group.name, "public": group.public});
        if let Some(custom) = &group.custom {
            dto["custom"] = custom.as_str().into();
        }
        if let Some(parent) = group.parent.and_then(|place| self.group(place)) {
            dto["parentId"] = parent.id.as_str().into();
        }
        dto
    }

    /// An account with all that belongs to it, for the control calls.
    pub fn full(&self, user: &User) -> Value {
        let mut full = serde_json::to_value(user).unwrap_or_default();
        let group = |place: usize| self.group(place).map_or("", |group| group.id.as_str());
        let ids = |places: &BTreeSet<usize>| -> Value {
            places.iter().filter_map(|at| Some(self.user(*at)?.id.as_str())).collect()
        };
        let roles = user.roles.iter();
        full["groups"] =
            roles.map(|(at, role)| json!({"groupId": group(*at), "role": role})).collect();
        let custom = user.custom.iter().map(|(id, (_, value))| (id.clone(), value.as_str().into()));
        full["customFields"] = Value::Object(custom.collect());
        // The same by names, for people and for tests.
        let memberships = user.roles.iter();
        full["memberships"] =
            memberships.map(|(at, role)| json!({"path": self.path(*at), "role": role})).collect();
        let named = |id: &String| self.custom_fields.iter().find(|field| field.id == *id);
        let values = user.custom.iter();
        let values = values.filter_map(|(id, (_, v))| Some((named(id)?.name.clone(), v.as_str())));
        full["customValues"] = values.collect::<BTreeMap<_, _>>().into_iter().collect();
        full["managers"] = ids(&user.managers);
        full["subordinates"] = ids(&user.subordinates);
        full["externalIds"] = self.mappings.of(&user.id).map(|m| json!(m)).collect();
        full
    }
}
