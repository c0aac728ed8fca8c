//! Whether the LMS equals HR, judged from what the doubles hold and by nothing of Instep's.
//!
//! The rules are those of the sandbox's configuration, written down here once more by hand.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde_json::Value;

/// Sites whose people are kept in step, and their language.
const SERVED: [(&str, &str); 4] =
    [("London", "en"), ("Paris", "fr"), ("Leeds", "en"), ("Berlin", "de")];

/// The owner of the sandbox's LMS.
const OWNER: &str = "owner@example.test";

/// One person whose account is not as HR wants it, or an account that is nobody's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Differing {
    /// Who: HR's id, or an account's.
    pub who: String,
    /// How.
    pub why: Vec<String>,
}

impl fmt::Display for Differing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.who, self.why.join("; "))
    }
}

/// The values of an account's external ids.
pub(super) fn external_ids(account: &Value) -> impl Iterator<Item = &str> {
    let rows = account["externalIds"].as_array().into_iter().flatten();
    rows.filter_map(|row| row["value"].as_str())
}

/// Whether someone should have a usable account.
pub(super) fn is_active(person: &Value) -> bool {
    lang(person).is_some() && person["internal"]["status"] == "Active"
}

fn lang(person: &Value) -> Option<&'static str> {
    let site = person["work"]["site"].as_str()?;
    SERVED.iter().find(|(name, _)| *name == site).map(|(_, lang)| *lang)
}

fn usable(account: &Value) -> bool {
    account["status"] != "deleted"
}

fn same_mail(one: &Value, other: &Value) -> bool {
    let lower = |value: &Value| value.as_str().map(str::to_lowercase);
    one.is_string() && lower(one) == lower(other)
}

/// Who differs.
pub(super) fn differing(people: &[Value], accounts: &[Value]) -> Vec<Differing> {
    let mut owners: BTreeMap<&str, Vec<&Value>> = BTreeMap::new();
    let mut by_mail: BTreeMap<String, Vec<&Value>> = BTreeMap::new();
    for account in accounts {
        for id in external_ids(account) {
            owners.entry(id).or_default().push(account);
        }
        if let Some(mail) = account["mail"].as_str() {
            by_mail.entry(mail.to_lowercase()).or_default().push(account);
        }
    }
    let mut differing = Vec::new();
    let mut owned: BTreeSet<&str> = BTreeSet::new();
    for person in people {
        let id = person["id"].as_str().unwrap_or_default();
        let mail = person["email"].as_str().unwrap_or_default().to_lowercase();
        // An account that was there before Instep bears no id of ours until it is touched.
        let mut mine = owners.get(id).cloned().unwrap_or_default();
        if mine.is_empty() {
            let same = by_mail.get(&mail).into_iter().flatten();
            mine.extend(same.filter(|account| external_ids(account).next().is_none()));
        }
        owned.extend(mine.iter().filter_map(|account| account["_id"].as_str()));
        let Some(lang) = lang(person) else { continue };
        let why = if is_active(person) {
            active(person, lang, &mine)
        } else {
            let used = mine.iter().filter(|account| usable(account));
            used.map(|account| format!("{} should be deactivated", account["_id"])).collect()
        };
        if !why.is_empty() {
            differing.push(Differing { who: id.to_owned(), why });
        }
    }
    for account in accounts.iter().filter(|account| usable(account)) {
        let id = account["_id"].as_str().unwrap_or_default();
        if account["mail"] != OWNER && !owned.contains(id) {
            let why = vec![format!("an account that is nobody's: {account}")];
            differing.push(Differing { who: id.to_owned(), why });
        }
    }
    differing
}

fn active(person: &Value, lang: &str, mine: &[&Value]) -> Vec<String> {
    let [account] = mine else { return vec![format!("has {} accounts", mine.len())] };
    let mut why = Vec::new();
    if account["status"] != "active" {
        why.push(format!("is {}", account["status"]));
    }
    // A mail is never cleared.
    if person["email"].is_string() && !same_mail(&person["email"], &account["mail"]) {
        why.push(format!("mail {} is not {}", account["mail"], person["email"]));
    }
    let readable = &person["humanReadable"]["work"];
    let wanted = [
        ("firstName", &person["firstName"]),
        ("lastName", &person["surname"]),
        ("job", &readable["title"]),
        ("organization", &readable["department"]),
        ("phone", &person["work"]["workMobile"]),
        ("lang", &Value::from(lang)),
    ]
    .map(|(name, wanted)| (name, wanted.as_str().unwrap_or_default().to_owned()));
    for (name, wanted) in wanted {
        let held = account[name].as_str().unwrap_or_default();
        if held != wanted {
            why.push(format!("{name} {held:?} is not {wanted:?}"));
        }
    }
    why
}
