//! `[rules.fields]` and `[rules.custom_fields]`: what an account holds, and when it is written.

use std::collections::BTreeMap;

use toml::de::DeValue;

use super::super::notes::Notes;
use super::super::table::Table;
use super::super::value::{Value, kind, printable};
use super::super::{Expression, FieldRule};
use super::read::{Page, behind};
use crate::model::{Field, OnBad, Strength};

const WRITE: [(&str, Strength); 3] = [
    ("always", Strength::Always),
    ("on_create", Strength::OnCreate),
    ("if_empty", Strength::IfEmpty),
];

const ON_BAD: [(&str, OnBad); 2] = [("refuse", OnBad::Refuse), ("skip", OnBad::Skip)];

/// What `[rules.fields]` says.
pub(super) struct Standard {
    pub fields: BTreeMap<Field, FieldRule>,
    pub external_id: Expression,
    pub number_username: bool,
}

/// `[rules.fields]`
pub(super) fn standard(rules: &Table<'_>, page: Page<'_>) -> Standard {
    let sign_in = "people sign in with one of them, as in email = \"root.email\"";
    if rules.get("fields").is_none() {
        let key = rules.full("fields");
        let message = format!("[{key}] with email or username is missing: {sign_in}");
        rules.missing(&["fields"], &key, message);
    }
    let list = rules.table("fields");
    let mut fields = BTreeMap::new();
    let mut number_username = false;
    for field in Field::ALL {
        let name = field.word();
        if let Some(value) = list.get(name) {
            let numbered = (field == Field::Username).then_some(&mut number_username);
            fields.extend(
                rule(list.notes, list.full(name), value, page, numbered).map(|rule| (field, rule)),
            );
        }
    }
    if list.get("email").is_none() && list.get("username").is_none() {
        let message = format!("email or username is missing: {sign_in}");
        list.missing(&["email", "username"], &rules.full("fields"), message);
    }
    let what = "an expression, as in \"root.id\"";
    let external_id = page.or_default(&list, "external_id", what);
    list.finish();
    Standard { fields, external_id, number_username }
}

/// `[rules.custom_fields]`, by the field's name in the target.
pub(super) fn custom(rules: &Table<'_>, page: Page<'_>) -> BTreeMap<String, FieldRule> {
    let list = rules.table("custom_fields");
    let mut fields = BTreeMap::new();
    for (name, span, value) in list.entries() {
        let key = list.full(name);
        let name = name.trim();
        if name.is_empty() {
            let message = "the name is empty: it is the custom field's name in the LMS";
            list.notes.wrong(&key, Some(span), message);
        } else if fields.contains_key(name) {
            let message = format!("`{}` is there twice: keep one", printable(name));
            list.notes.wrong(&key, Some(span), message);
        } else if let Some(rule) = rule(list.notes, key, value, page, None) {
            fields.insert(name.to_owned(), rule);
        }
    }
    fields
}

/// One field: an expression, or a table with the expression and how it is written. `numbered` is
/// there for the one field that may get a number.
fn rule(
    notes: &Notes,
    key: String,
    value: &Value<'_>,
    page: Page<'_>,
    numbered: Option<&mut bool>,
) -> Option<FieldRule> {
    const WHAT: &str = "an expression; leave the key out when nothing shall be written";
    let given = match value.get_ref() {
        DeValue::String(text) if text.trim().is_empty() => {
            notes.wrong(&key, Some(value.span()), format!("is empty: {WHAT}"));
            return None;
        }
        DeValue::String(text) => {
            let value = page.placed(key, text, value.span());
            return Some(FieldRule { value, write: Strength::Always, on_bad: OnBad::Refuse });
        }
        DeValue::Table(given) => given,
        other => {
            let found = kind(other);
            let message = format!(
                "expected an expression, or {{ value = \"...\", write = \"on_create\" }}, found \
                 {found}"
            );
            notes.wrong(&key, Some(value.span()), message);
            return None;
        }
    };
    let table =
        Table::new(notes, key, Some(value.span()), Some(given), behind(&["fields", "phone"]));
    // The rule has the field's name, whichever way it is written.
    let expression =
        Expression { key: table.path().to_owned(), ..page.need(&table, "value", WHAT) };
    let mut write = table.choice("write", &WRITE);
    let on_bad = table.choice("on_bad", &ON_BAD);
    if let Some(numbered) = numbered
        && table.get("number").is_some()
        && table.flag("number")
    {
        *numbered = true;
        if table.get("write").is_some() && write != Strength::OnCreate {
            let message = "a user name with a number is given when the account is made and never \
                           changed: write = \"on_create\", or leave `write` out";
            table.wrong("write", message);
        }
        write = Strength::OnCreate;
    }
    table.finish();
    Some(FieldRule { value: expression, write, on_bad })
}

/// Two lists of former versions: says what is written instead.
pub(super) fn moved(rules: &Table<'_>) {
    for (key, word) in [("only_on_create", "on_create"), ("only_if_empty", "if_empty")] {
        let Some((span, value)) = rules.gone(key) else { continue };
        let list = value.get_ref().as_array();
        let first = list.and_then(|list| list.iter().find_map(|name| name.get_ref().as_str()));
        let field =
            first.and_then(|name| Field::ALL.into_iter().find(|field| field.word() == name));
        let message = format!(
            "this list is no more: each field says it itself, as in {} = {{ value = \"...\", write \
             = \"{word}\" }}; then take the list out",
            field.unwrap_or(Field::Job).word(),
        );
        rules.notes.wrong(&rules.full(key), Some(span), message);
    }
}
