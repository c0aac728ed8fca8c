//! One person's story on a page, section by section.

use serde_json::Value;

use super::super::colours::{BAD, BOLD, DIM, GOOD, WARN};
use super::super::deliveries::table::{plain, style, time};
use super::super::plan::items::{show_items, sign_of};
use crate::model::explanation::{Conclusion, Input, Part, Says};
use crate::model::story::{Kind, Lack, ManagerTold, Steps, Story, Suspect, Told, VEIL};
use crate::model::{AccountStatus, Choice, Delivery};

/// The sections of the rules, in the order in which they are judged.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Section {
    Scope,
    Status,
    Fields,
    CustomFields,
    Groups,
    Manager,
}

impl Section {
    const ALL: [(Self, &str); 6] = [
        (Self::Scope, "Scope"),
        (Self::Status, "Status"),
        (Self::Fields, "Fields"),
        (Self::CustomFields, "Custom fields"),
        (Self::Groups, "Groups"),
        (Self::Manager, "Manager"),
    ];

    fn of(part: &Part) -> Self {
        match part {
            Part::Scope => Self::Scope,
            Part::Status => Self::Status,
            Part::ExternalId | Part::Field { .. } => Self::Fields,
            Part::CustomField { .. } => Self::CustomFields,
            Part::GroupWhen { .. } | Part::Group { .. } => Self::Groups,
            Part::Manager => Self::Manager,
        }
    }
}

/// How many attempts of a delivery are shown.
const ATTEMPTS: usize = 3;

/// Shows everything, in the order in which it follows from each other.
pub(super) fn show(story: &Story) {
    let person = plain(&story.person.to_string());
    anstream::println!("{BOLD}{person}{BOLD:#}\n");
    if let Some(at) = story.forgotten {
        anstream::println!(
            "{WARN}Forgotten on {} UTC: nothing is kept or done until `instep forget --undo \
             {person}`.{WARN:#}\n",
            time(at)
        );
    }
    match &story.record {
        None => anstream::println!(
            "{WARN}Record: HiBob does not show this person. That proves nothing, so nothing would be \
             done.\nCheck the service user's \"Access data for\".{WARN:#}"
        ),
        Some(record) => show_record(record, story),
    }
    for (section, heading) in Section::ALL {
        show_rules(section, heading, story);
    }
    show_misses(story);
    show_account(story);
    show_plan(story);
    show_history(&story.history);
}

/// What was read; only fields that rules use were asked for.
fn show_record(record: &Value, story: &Story) {
    anstream::println!("{BOLD}Record{BOLD:#}, as HiBob shows it now (only what the rules use)");
    for (field, input) in story.inputs() {
        let label = label(record, field).map_or_else(String::new, |label| format!("  ({label})"));
        match input {
            Input::Value(value) => anstream::println!("  {field:<26} {}{label}", shown(value)),
            Input::Empty => anstream::println!("  {field:<26} {DIM}empty{DIM:#}"),
            Input::Missing => {
                let why = match story.missing.get(field) {
                    Some(Lack::NotPermitted) => {
                        "not permitted: HiBob knows the field and does not show it here".to_owned()
                    }
                    Some(Lack::NoSuchField { nearest }) => {
                        let meant = nearest.as_ref().map(|it| format!(", did you mean {it}?"));
                        format!("HiBob has no such field{}", meant.unwrap_or_default())
                    }
                    None => "missing: not permitted, or no such field".to_owned(),
                };
                anstream::println!("  {field:<26} {WARN}{why}{WARN:#}");
            }
            Input::Veiled => anstream::println!("  {field:<26} {VEIL}"),
        }
    }
}

/// The label of a list value, when there is one that differs.
fn label(record: &Value, field: &str) -> Option<String> {
    let pointer = format!("/{}", field.trim_start_matches("root.").replace('.', "/"));
    let label = record.get("humanReadable")?.pointer(&pointer)?.as_str()?;
    (record.pointer(&pointer)?.as_str() != Some(label)).then(|| plain(label))
}

fn show_rules(section: Section, heading: &str, story: &Story) {
    let mut rules =
        story.rules.iter().filter(|it| Section::of(&it.rule.part) == section).peekable();
    if rules.peek().is_none() {
        return;
    }
    anstream::println!("\n{BOLD}{heading}{BOLD:#}{}", verdict(section, story));
    for Told { rule, current } in rules {
        let (style, result) = match &rule.result {
            Ok(value) => (GOOD, shown(value)),
            Err(why) => (WARN, plain(why)),
        };
        anstream::println!("  {:<26} {style}{result}{style:#}", rule.rule);
        anstream::println!("    {DIM}{}{DIM:#}", plain(&rule.expression));
        for (field, input) in &rule.inputs {
            let saw = match input {
                Input::Value(value) => shown(value),
                Input::Empty => "empty".to_owned(),
                Input::Missing => "missing".to_owned(),
                Input::Veiled => VEIL.to_owned(),
            };
            anstream::println!("    {DIM}{field}: {saw}{DIM:#}");
        }
        if let Some(remark) = &rule.remark {
            anstream::println!("    {WARN}{}{WARN:#}", plain(remark));
        }
        match &rule.part {
            Part::Field { write: "on_create", .. }
            | Part::CustomField { write: "on_create", .. } => {
                anstream::println!("    {DIM}written only when the account is made{DIM:#}");
            }
            Part::Field { write: "if_empty", .. } | Part::CustomField { write: "if_empty", .. } => {
                anstream::println!("    {DIM}written only where the account has nothing{DIM:#}");
            }
            Part::Group { role, path: Some(path), .. } => {
                let path = plain(&path.join("/"));
                anstream::println!("    {GOOD}gives {path} as {role}{GOOD:#}");
            }
            _ => {}
        }
        if let Some(current) = current {
            anstream::println!("    {DIM}in the LMS now:{DIM:#} {}", shown(current));
        }
    }
    if section == Section::Manager {
        show_manager(story);
    }
}

/// What was found of the manager whom the rule names.
fn show_manager(story: &Story) {
    match &story.manager {
        None => {}
        Some(ManagerTold::Found(name)) => {
            anstream::println!("  {GOOD}found: {}{GOOD:#}", plain(name));
        }
        Some(ManagerTold::Awaited) => anstream::println!(
            "  {WARN}awaited: they have no account yet, and are added when they have{WARN:#}"
        ),
        Some(ManagerTold::Refused(why)) => {
            anstream::println!("  {WARN}refused: {}{WARN:#}", plain(why));
        }
    }
}

/// What a section comes to.
fn verdict(section: Section, story: &Story) -> String {
    let Some(Conclusion { says, rule, why }) = &story.conclusion else { return String::new() };
    let by = rule.as_ref().map_or_else(String::new, |rule| format!(", by rule {rule}"));
    let why = why.as_ref().map_or_else(String::new, |why| format!(": {why}"));
    let told = match (section, says) {
        (Section::Scope, Says::OutOfScope) => {
            format!("out: {} says no", rule.as_deref().unwrap_or("a filter"))
        }
        (Section::Scope, Says::Unknown) => format!("cannot be judged{by}{why}"),
        (Section::Scope, _) => "in".to_owned(),
        (Section::Status, Says::Active) => format!("active{by}"),
        (Section::Status, Says::Inactive) => format!("inactive{by}"),
        (Section::Status, Says::AsItIs) => format!("the account stays as it is{by}{why}"),
        (Section::Status, Says::Refused) => format!("refused{why}"),
        _ => String::new(),
    };
    let told = if told.is_empty() { told } else { format!(": {}", plain(&told)) };
    let at = story.appointment.as_ref().filter(|_| section == Section::Status);
    let at = at.map(|it| format!("\n  looked at again {} UTC: {}", time(it.at), plain(&it.why)));
    told + &at.unwrap_or_default()
}

fn show_misses(story: &Story) {
    for miss in story.misses.iter().flatten() {
        anstream::println!(
            "\n{WARN}Not in table {}: {}{WARN:#} (instep rules misses)",
            plain(&miss.table),
            plain(&miss.keys.join(", "))
        );
    }
}

fn show_account(story: &Story) {
    anstream::println!("\n{BOLD}Account{BOLD:#}");
    match story.link.as_ref().and_then(|link| link.account.as_ref()) {
        Some(account) => anstream::println!("  linked to {account}"),
        None => anstream::println!("  not linked"),
    }
    match &story.choice {
        None => {}
        Some(Choice::Account(id)) => {
            anstream::println!("  {GOOD}a human chose account {id}{GOOD:#}");
        }
        Some(Choice::Create) => anstream::println!("  {GOOD}a human chose a new account{GOOD:#}"),
        Some(Choice::Ignore) => {
            anstream::println!("  {WARN}a human chose to leave this person alone{WARN:#}");
        }
    }
    let theirs = story.account.as_ref().map(|sight| sight.account.as_str());
    for candidate in &story.candidates {
        show_candidate(candidate, theirs);
    }
    if let Some(key) = story.link.as_ref().and_then(|link| link.awaits.as_ref()) {
        anstream::println!("  {WARN}the manager {} has no account yet{WARN:#}", plain(key));
    }
    for group in &story.groups {
        let (name, role) = (plain(&group.name), &group.role);
        if group.ours {
            anstream::println!("    {:<13} {name} as {role} (by a rule)", "group");
        } else {
            anstream::println!("    {:<13} {DIM}{name} as {role} (not ours){DIM:#}", "group");
        }
    }
    for manager in &story.managers {
        let name = plain(&manager.name);
        if manager.ours {
            anstream::println!("    {:<13} {name} (by a rule)", "manager");
        } else {
            anstream::println!("    {:<13} {DIM}{name} (not ours){DIM:#}", "manager");
        }
    }
}

/// A candidate with what people know accounts by; `chosen` is the one that is theirs.
pub(in crate::cli) fn show_candidate(candidate: &Suspect, chosen: Option<&str>) {
    let account = &candidate.sight;
    let status = match account.status {
        AccountStatus::Invited => "invited",
        AccountStatus::Active => "active",
        AccountStatus::Deleted => "deactivated",
    };
    let theirs = if chosen == Some(account.account.as_str()) { ", theirs" } else { "" };
    let by = candidate.found_by;
    anstream::println!("  {BOLD}{}{BOLD:#}  {status}, found by {by}{theirs}", account.account);
    for (field, value) in &account.fields {
        anstream::println!("    {:<13} {}", field.word(), plain(value));
    }
    match (&candidate.owner, &candidate.claimed_by) {
        (Some(owner), _) => {
            anstream::println!("    {:<13} {}", "linked to", plain(&owner.to_string()));
        }
        (None, Some(other)) => {
            anstream::println!("    {WARN}{:<13} employee {}{WARN:#}", "belongs to", plain(other));
        }
        (None, None) => {}
    }
    if let Some(why) = &candidate.protected {
        anstream::println!("    {WARN}it is never changed: {}{WARN:#}", plain(why));
    }
}

fn show_plan(story: &Story) {
    anstream::println!("\n{BOLD}Plan{BOLD:#}, by rules {}", story.version);
    let plan = &story.plan;
    let Some(Steps { items, remarks, .. }) = plan.verdict.steps() else {
        anstream::println!("  {WARN}nothing: {}{WARN:#}", plain(&plan.said));
        return;
    };
    match plan.verdict.kind() {
        Some(Kind::Unchanged) | None => {
            anstream::println!("  {GOOD}nothing to do: all is as it should be{GOOD:#}");
        }
        Some(kind) => {
            let (sign, style) = sign_of(kind);
            anstream::println!("  {style}{sign} {}{style:#}", kind.word());
        }
    }
    show_items(items);
    for remark in remarks {
        anstream::println!("  {WARN}{}{WARN:#}", plain(remark));
    }
}

fn show_history(history: &[Delivery]) {
    anstream::println!("\n{BOLD}History{BOLD:#} (newest first, UTC; `instep deliveries show ID`)");
    for delivery in history {
        let (colour, state) = (style(delivery.state), delivery.state.word());
        anstream::println!(
            "  {}  {}  {colour}{state:<8}{colour:#} {:<18} {}",
            delivery.id,
            time(delivery.received_at),
            plain(&delivery.kind),
            plain(delivery.reason.as_deref().unwrap_or_default()),
        );
        for attempt in delivery.history.iter().rev().take(ATTEMPTS) {
            let rules = match attempt.rules.as_str() {
                "" => String::new(),
                version => format!(" by rules {version}"),
            };
            let decided = plain(&attempt.decided);
            anstream::println!(
                "    {DIM}{}{rules}: {decided} -> {}{DIM:#}",
                time(attempt.at),
                plain(&attempt.outcome)
            );
            for step in &attempt.done {
                anstream::println!("      {DIM}{}{DIM:#}", plain(step));
            }
        }
    }
    if history.is_empty() {
        anstream::println!("  {BAD}no event ever came, or it is past its retention{BAD:#}");
    }
    anstream::println!();
}

/// A value in one line in which nothing moves the cursor.
fn shown(value: &Value) -> String {
    match value {
        Value::Null => "(empty)".to_owned(),
        value => plain(&value.to_string()),
    }
}
