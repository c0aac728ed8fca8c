//! `[rules.groups.NAME]`: who is in which group.

use super::super::table::Table;
use super::GroupRule;
use super::read::{Page, behind};

/// The roles that a rule may give, and how the target spells them in bodies.
const ROLES: [(&str, &str); 8] = [
    ("learner", "learner"),
    ("admin", "admin"),
    ("analyst", "analyst"),
    ("coach", "coach"),
    ("contributor", "contributor"),
    ("editor", "editor"),
    ("userAdmin", "userAdmin"),
    ("user-admin", "userAdmin"),
];

/// Every group rule, in the order of the file.
pub(super) fn read(rules: &Table<'_>, page: Page<'_>) -> Vec<GroupRule> {
    let mut groups = Vec::new();
    for (name, _, table) in rules.named("groups", behind(&["groups", "departments"])) {
        let when = table.get("when").map(|_| {
            let what =
                "an expression that says for whom; leave the key out when it is for everybody";
            page.need(&table, "when", what)
        });
        let path = page.need(
            &table,
            "path",
            "an expression that gives the group, as in \"['Departments', label.work.department]\" \
             or \"'Programmes/Welcome'\"",
        );
        let role = table.choice("role", &ROLES).to_owned();
        let create = table.flag("create");
        table.finish();
        groups.push(GroupRule { name: name.to_owned(), when, path, role, create });
    }
    groups
}
