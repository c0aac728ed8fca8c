//! The rules of a configuration: what they say, and each mistake with the message a person gets.

use instep::config::MatchOutcome::{Dispute, Link, Next};
use instep::config::{MatchBy, OutOfScope, RuleSettings};
use instep::model::Field;
use instep::model::OnBad::{Refuse, Skip};
use instep::model::Strength::{Always, IfEmpty, OnCreate};

use super::{GOOD, mistake, parse, problems};

/// The rules of `GOOD` and these lines.
fn rules(more: &str) -> RuleSettings {
    let loaded = parse(&format!("{GOOD}{more}")).unwrap_or_else(|failed| panic!("{failed:?}"));
    assert!(loaded.warnings.is_empty());
    loaded.settings.sources["bob"].rules.clone()
}

/// `GOOD` and these lines have this problem, and no other.
#[track_caller]
fn wrong(more: &str, expected: &str) {
    assert_eq!(problems(&format!("{GOOD}{more}\n")), [expected], "after {more:?}");
}

#[test]
fn what_is_left_out_is_as_in_the_example() {
    let rules = rules("");
    assert_eq!((rules.out_of_scope, rules.time_zone.text.as_str()), (OutOfScope::Leave, "'UTC'"));
    assert_eq!(rules.external_id.text, "root.id");
    assert!(rules.joiner.is_none() && rules.leaver.is_none() && rules.manager.is_none());
    assert!(rules.filters.is_empty() && rules.custom_fields.is_empty() && rules.groups.is_empty());
    assert!(rules.tables.is_empty() && !rules.number_username);
    let email = &rules.fields[&Field::Email];
    assert_eq!((email.write, email.on_bad), (Always, Refuse));
    assert_eq!(rules.origin.path.to_str(), Some("instep.toml"));
    assert!(rules.origin.text.starts_with(GOOD));
    let matching: Vec<_> =
        rules.matching.iter().map(|rule| (rule.by, rule.one, rule.several, rule.taken)).collect();
    assert_eq!(
        matching,
        [
            (MatchBy::ExternalId, Link, Dispute, Dispute),
            (MatchBy::Email, Link, Dispute, Dispute),
            (MatchBy::Username, Dispute, Dispute, Dispute),
        ]
    );
}

#[test]
fn everything_that_rules_can_say_is_read() {
    let rules = rules(
        r#"time_zone = "'Europe/Paris'"
manager = "work.reportsTo.id"
out_of_scope = "deactivate"
fields.username = { value = "root.email|lower", number = true }
fields.first_name = "root.firstName"
fields.last_name = { value = "root.surname" }
fields.phone = { value = "work.workMobile|phone('GB')", write = "if_empty", on_bad = "skip" }
fields.deactivate_at = "internal.terminationDate"
[rules.filters]
zeta = "true"
alpha = "true"
[rules.custom_fields]
"Cost centre" = "work.custom.field_1700000000001"
" Start " = { value = "work.startDate", write = "on_create", on_bad = "skip" }
[rules.groups.zeta]
path = "'Programmes/Welcome'"
[rules.groups.alpha]
when = "work.site == 'Paris'"
path = "['Sites', work.site]"
role = "user-admin"
create = true
[rules.joiner]
who = "internal.lifecycleStatus == 'hired'"
start_date = "work.startDate"
[rules.leaver]
end_date = "internal.terminationDate"
grace_days = 366
[[rules.match]]
by = "name"
[[rules.match]]
by = "email"
one = "next"
several = "next"
taken = "next"
"#,
    );
    assert_eq!(rules.time_zone.text, "'Europe/Paris'");
    assert_eq!(rules.manager.as_ref().unwrap().key, "rules.manager");
    assert_eq!(rules.out_of_scope, OutOfScope::Deactivate);
    let field = |field| {
        let rule = &rules.fields[&field];
        (rule.value.key.as_str(), rule.write, rule.on_bad)
    };
    assert_eq!(field(Field::Username), ("rules.fields.username", OnCreate, Refuse));
    assert_eq!(field(Field::FirstName), ("rules.fields.first_name", Always, Refuse));
    assert_eq!(field(Field::LastName), ("rules.fields.last_name", Always, Refuse));
    assert_eq!(field(Field::Phone), ("rules.fields.phone", IfEmpty, Skip));
    assert_eq!(field(Field::DeactivateAt), ("rules.fields.deactivate_at", Always, Refuse));
    assert!(rules.number_username);
    let filters: Vec<&str> = rules.filters.iter().map(|filter| filter.key.as_str()).collect();
    assert_eq!(filters, ["rules.filters.zeta", "rules.filters.alpha"], "in the order of the file");
    let custom: Vec<_> = rules.custom_fields.iter().map(|(k, v)| (k.as_str(), v.write)).collect();
    assert_eq!(custom, [("Cost centre", Always), ("Start", OnCreate)]);
    let [zeta, alpha] = rules.groups.as_slice() else { panic!("{:?}", rules.groups) };
    assert_eq!((zeta.name.as_str(), zeta.role.as_str(), zeta.create), ("zeta", "learner", false));
    assert!(zeta.when.is_none());
    assert_eq!((alpha.role.as_str(), alpha.create), ("userAdmin", true));
    assert_eq!(alpha.path.key, "rules.groups.alpha.path");
    assert_eq!(alpha.when.as_ref().unwrap().key, "rules.groups.alpha.when");
    let (joiner, leaver) = (rules.joiner.unwrap(), rules.leaver.unwrap());
    assert_eq!((joiner.who.key.as_str(), joiner.days_before), ("rules.joiner.who", 0));
    assert_eq!(
        (leaver.end_date.text.as_str(), leaver.grace_days),
        ("internal.terminationDate", 366)
    );
    let matching: Vec<_> =
        rules.matching.iter().map(|rule| (rule.by, rule.one, rule.several, rule.taken)).collect();
    assert_eq!(
        matching,
        [(MatchBy::Name, Dispute, Dispute, Next), (MatchBy::Email, Next, Next, Next)]
    );
}

#[test]
fn an_empty_list_of_matching_rules_is_taken_at_its_word() {
    assert!(rules("match = []\n").matching.is_empty());
}

#[test]
fn a_field_says_how_it_is_written() {
    wrong(
        "fields.job = { value = \"root.id\", write = \"on-creat\" }",
        "17:43 rules.fields.job.write: unknown word \"on-creat\", did you mean \"on_create\"?",
    );
    wrong(
        "fields.job = { value = \"root.id\", write = \"once\" }",
        "17:43 rules.fields.job.write: expected \"always\", \"on_create\" or \"if_empty\", found \
         \"once\"",
    );
    wrong(
        "fields.job = { value = \"root.id\", on_bad = \"ignore\" }",
        "17:44 rules.fields.job.on_bad: expected \"refuse\" or \"skip\", found \"ignore\"",
    );
    wrong(
        "fields.job = { value = \"root.id\", on_bad = 1 }",
        "17:44 rules.fields.job.on_bad: expected text, found the number 1: put it in quotes",
    );
    wrong(
        "fields.job = { write = \"always\" }",
        "17:14 rules.fields.job.value: is missing: an expression; leave the key out when nothing \
         shall be written",
    );
    wrong(
        "fields.job = { vlaue = \"root.id\" }",
        "17:16 rules.fields.job.vlaue: unknown key `vlaue`, did you mean `value`?",
    );
    wrong(
        "fields.job = { value = \"root.id\", number = true }",
        "17:35 rules.fields.job.number: unknown key `number`, known here: value, write, on_bad",
    );
    wrong(
        "fields.job = 5",
        "17:14 rules.fields.job: expected an expression, or { value = \"...\", write = \
         \"on_create\" }, found a number",
    );
    wrong(
        "fields.job = \" \"",
        "17:14 rules.fields.job: is empty: an expression; leave the key out when nothing shall be \
         written",
    );
    wrong(
        "fields.external_id = { value = \"root.id\" }",
        "17:22 rules.fields.external_id: expected text, found a table",
    );
    wrong(
        "fields.username = { value = \"root.id\", number = true, write = \"always\" }",
        "17:63 rules.fields.username.write: a user name with a number is given when the account is \
         made and never changed: write = \"on_create\", or leave `write` out",
    );
    wrong(
        "fields.username = { value = \"root.id\", number = 1 }",
        "17:49 rules.fields.username.number: expected true or false, found 1",
    );
    wrong(
        "only_on_create = [\"lang\"]",
        "17:1 rules.only_on_create: this list is no more: each field says it itself, as in lang = \
         { value = \"...\", write = \"on_create\" }; then take the list out",
    );
    wrong(
        "only_if_empty = []",
        "17:1 rules.only_if_empty: this list is no more: each field says it itself, as in job = { \
         value = \"...\", write = \"if_empty\" }; then take the list out",
    );
}

#[test]
fn custom_fields_have_names() {
    wrong(
        "[rules.custom_fields]\n\" \" = \"root.id\"",
        "18:1 rules.custom_fields. : the name is empty: it is the custom field's name in the LMS",
    );
    wrong(
        "[rules.custom_fields]\n\"Cost centre\" = \"root.id\"\n\" Cost centre\" = \"root.id\"",
        "19:1 rules.custom_fields. Cost centre: `Cost centre` is there twice: keep one",
    );
    wrong(
        "[rules.custom_fields]\nCost = { value = \"root.id\", writ = \"always\" }",
        "18:29 rules.custom_fields.Cost.writ: unknown key `writ`, did you mean `write`?",
    );
    wrong("custom_fields = 5", "17:17 rules.custom_fields: expected a table, found a number");
}

#[test]
fn a_group_says_where_it_is() {
    wrong(
        "[rules.groups.leads]\nwhen = \"true\"",
        "17:1 rules.groups.leads.path: is missing: an expression that gives the group, as in \
         \"['Departments', label.work.department]\" or \"'Programmes/Welcome'\"",
    );
    wrong(
        "[rules.groups.leads]\npath = \"'A'\"\nwhen = \"\"",
        "19:8 rules.groups.leads.when: is empty: an expression that says for whom; leave the key \
         out when it is for everybody",
    );
    wrong(
        "[rules.groups.leads]\npath = \"'A'\"\nrole = \"boss\"",
        "19:8 rules.groups.leads.role: expected \"learner\", \"admin\", \"analyst\", \"coach\", \
         \"contributor\", \"editor\", \"userAdmin\" or \"user-admin\", found \"boss\"",
    );
    wrong(
        "[rules.groups.leads]\npath = \"'A'\"\nrole = \"Learner\"",
        "19:8 rules.groups.leads.role: unknown word \"Learner\", did you mean \"learner\"?",
    );
    wrong(
        "[rules.groups.leads]\npath = \"'A'\"\ncreate = \"yes\"",
        "19:10 rules.groups.leads.create: expected true or false, found the text \"yes\"",
    );
    wrong(
        "[rules.groups]\npath = \"'A'\"",
        "18:1 rules.groups.path: expected a table with a name, [rules.groups.NAME], found a text",
    );
    wrong(
        "[rules.groups.\"\"]\npath = \"'A'\"",
        "17:15 rules.groups.: the name is empty: give it one, [rules.groups.NAME]",
    );
}

#[test]
fn dates_and_the_manager_are_expressions() {
    wrong(
        "[rules.joiner]\nwho = \"true\"",
        "17:1 rules.joiner.start_date: is missing: an expression that gives the first day, as in \
         \"work.startDate\"",
    );
    wrong(
        "[rules.joiner]\nstart_date = \"work.startDate\"",
        "17:1 rules.joiner.who: is missing: an expression that says who has been hired and has not \
         begun, as in \"internal.lifecycleStatus == 'hired'\"",
    );
    wrong(
        "[rules.joiner]\nwho = \"true\"\nstart_date = \"work.startDate\"\ndays_before = 367",
        "20:15 rules.joiner.days_before: expected a whole number from 0 to 366, found 367",
    );
    wrong(
        "[rules.leaver]\ngrace_days = 1",
        "17:1 rules.leaver.end_date: is missing: an expression that gives the last day, as in \
         \"internal.terminationDate\"",
    );
    wrong(
        "[rules.leaver]\nend_date = \"x\"\ngrace_days = -1",
        "19:14 rules.leaver.grace_days: expected a whole number from 0 to 366, found -1",
    );
    wrong("leaver = true", "17:10 rules.leaver: expected a table, found true or false");
    wrong(
        "manager = \"\"",
        "17:11 rules.manager: is empty: an expression that gives an employee id or a mail, as in \
         \"work.reportsTo.id\"",
    );
    wrong(
        "time_zone = \"\"",
        "17:13 rules.time_zone: is empty: an expression that gives the name of a zone, as in \
         \"'Europe/Paris'\"",
    );
    wrong(
        "out_of_scope = \"delete\"",
        "17:16 rules.out_of_scope: expected \"leave\" or \"deactivate\", found \"delete\"",
    );
}

#[test]
fn matching_links_only_what_belongs_to_nobody() {
    wrong(
        "[[rules.match]]\none = \"link\"",
        "17:1 rules.match.by: is missing: \"external_id\", \"email\", \"username\" or \"name\"",
    );
    wrong(
        "[[rules.match]]\nby = \"mail\"",
        "18:6 rules.match.by: unknown word \"mail\", did you mean \"email\"?",
    );
    wrong(
        "[[rules.match]]\nby = \"phone\"\none = \"next\"",
        "18:6 rules.match.by: expected \"external_id\", \"email\", \"username\" or \"name\", found \
         \"phone\"",
    );
    wrong(
        "[[rules.match]]\nby = \"email\"\none = \"take\"",
        "19:7 rules.match.one: expected \"link\", \"dispute\" or \"next\", found \"take\"",
    );
    wrong(
        "[[rules.match]]\nby = \"email\"\nseveral = \"link\"",
        "19:11 rules.match.several: nobody can have several accounts: \"dispute\" lets a human \
         choose, \"next\" goes on to the next rule",
    );
    wrong(
        "[[rules.match]]\nby = \"email\"\ntaken = \"link\"",
        "19:9 rules.match.taken: no rule takes an account away from somebody else; `instep match \
         EMPLOYEE --account ID` does, one at a time. \"dispute\" lets a human choose, \"next\" goes \
         on to the next rule",
    );
    wrong(
        "[[rules.match]]\nby = \"external_id\"\ntaken = \"next\"",
        "19:9 rules.match.taken: an account that bears this person's id belongs to nobody else: take \
         `taken` out",
    );
    wrong(
        "[[rules.match]]\nby = \"email\"\n[[rules.match]]\nby = \"email\"",
        "20:6 rules.match.by: is there twice: the first one has decided already, take this one out",
    );
    wrong(
        "[[rules.match]]\nby = \"name\"",
        "18:6 rules.match.by: people are compared by the fields first_name and last_name: both need \
         a rule",
    );
    wrong(
        "[[rules.match]]\nby = \"email\"\nwhen = \"true\"",
        "19:1 rules.match.when: unknown key `when`, known here: one, several, taken, by",
    );
    wrong(
        "[rules.match]\nby = \"email\"",
        "17:1 rules.match: expected a list, each beginning with [[rules.match]], found a table",
    );
    wrong(
        "match = [\"email\"]",
        "17:10 rules.match: expected a table, { by = \"email\" }, found a text",
    );
}

#[test]
fn rules_that_are_missing_hide_nothing_else() {
    let text = GOOD.split_once("[rules]").unwrap().0;
    let missing =
        "rules: the table [rules] is missing: who is in scope, who is active, and [rules.fields]";
    assert_eq!(problems(text), [missing]);
    let text = text.replace("[target]", "[worker]\nlease_seconds = 60\n[target]");
    let [lease, rules] = problems(&text).try_into().unwrap();
    assert!(lease.starts_with("8:17 worker.lease_seconds: a lease of 60 s does not"), "{lease}");
    assert_eq!(rules, missing);
    mistake(
        "active = \"internal.status == 'Active'\"",
        "actvie = \"true\"",
        "15:1 rules.actvie: unknown key `actvie`, did you mean `active`?",
    );
}
