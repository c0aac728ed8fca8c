//! Reads the rules of one file, table by table, and notes everything that is wrong with them.
//!
//! The rules are right only if nothing was noted.

use std::ops::Range;

use toml::Spanned;
use toml::de::DeTable;

use super::super::table::Table;
use super::super::{Expression, WHOLE};
use super::{Origin, OutOfScope, RuleSettings, dates, fields, groups, lookup, matching, version};

/// The tables of the example that stand behind those of the rules: those, too, that are off there.
pub(super) fn behind(path: &[&str]) -> Option<&'static DeTable<'static>> {
    path.iter().try_fold(WHOLE.get_ref().get("rules")?.get_ref().as_table()?, |table, key| {
        table.get(*key)?.get_ref().as_table()
    })
}

/// Reads the table `[rules]`, or a file that holds nothing else.
pub(in super::super) fn read(table: Table<'_>, origin: &Origin) -> RuleSettings {
    let page = Page { origin };
    let in_scope = page.need(
        &table,
        "in_scope",
        "an expression that says who is kept in step, as in \"work.site in ['London', 'Paris']\"",
    );
    let out_of_scope = table.choice(
        "out_of_scope",
        &[("leave", OutOfScope::Leave), ("deactivate", OutOfScope::Deactivate)],
    );
    let active = page.need(
        &table,
        "active",
        "an expression that says who may use the LMS, as in \"internal.status == 'Active'\"",
    );
    let time_zone = page.or_default(
        &table,
        "time_zone",
        "an expression that gives the name of a zone, as in \"'Europe/Paris'\"",
    );
    let manager = table.get("manager").map(|_| {
        let what = "an expression that gives an employee id or a mail, as in \"work.reportsTo.id\"";
        page.need(&table, "manager", what)
    });
    let filters = filters(&table, page);
    let (joiner, leaver) = (dates::joiner(&table, page), dates::leaver(&table, page));
    let standard = fields::standard(&table, page);
    let custom_fields = fields::custom(&table, page);
    let groups = groups::read(&table, page);
    let matching = matching::read(&table, &standard.fields);
    let tables = lookup::tables(&table, page);
    fields::moved(&table);
    table.finish();
    let mut settings = RuleSettings {
        origin: origin.clone(),
        out_of_scope,
        time_zone,
        filters,
        joiner,
        leaver,
        fields: standard.fields,
        number_username: standard.number_username,
        custom_fields,
        groups,
        manager,
        matching,
        tables,
        ..RuleSettings::of(in_scope, active, standard.external_id)
    };
    settings.version = version::of(&settings);
    settings
}

/// `[rules.filters]`: further filters, under names of the administrator's own.
fn filters(rules: &Table<'_>, page: Page<'_>) -> Vec<Expression> {
    let list = rules.table("filters");
    let mut filters = Vec::new();
    for (name, span, value) in list.entries() {
        let key = list.full(name);
        match value.get_ref().as_str() {
            Some(expression) if !expression.trim().is_empty() => {
                filters.push(page.placed(key, expression, value.span()));
            }
            _ => {
                let message = "expected an expression that must hold for everyone in scope";
                rules.notes.wrong(&key, Some(span), message);
            }
        }
    }
    filters
}

/// The file that is read.
#[derive(Clone, Copy)]
pub(super) struct Page<'a> {
    pub origin: &'a Origin,
}

impl Page<'_> {
    /// An expression that must be there. What is wrong is noted; then a stand-in is returned.
    pub fn need(self, table: &Table<'_>, key: &'static str, what: &str) -> Expression {
        let text = table.need_text(key, what).and_then(|_| table.text(key)).unwrap_or_default();
        let span = table.get(key).map(Spanned::span);
        match span {
            Some(span) if !text.is_empty() => self.placed(table.full(key), text, span),
            _ => Expression { key: table.full(key), text: String::new(), at: 0 },
        }
    }

    /// An expression from the file or the example.
    pub fn or_default(self, table: &Table<'_>, key: &'static str, what: &str) -> Expression {
        if table.get(key).is_some() {
            return self.need(table, key, what);
        }
        Expression {
            key: table.full(key),
            text: table.text_or_default(key).to_owned(),
            at: table.span(key).map_or(0, |span| span.start),
        }
    }

    /// An expression with the place where its text begins.
    pub fn placed(self, key: String, text: &str, span: Range<usize>) -> Expression {
        let raw = &self.origin.text[span.clone()];
        let quotes = if raw.starts_with("\"\"\"") || raw.starts_with("'''") { 3 } else { 1 };
        // The first line break of a multi-line text is not part of it.
        let line_break = match raw.as_bytes().get(quotes..).unwrap_or_default() {
            [b'\n', ..] if quotes == 3 => 1,
            [b'\r', b'\n', ..] if quotes == 3 => 2,
            _ => 0,
        };
        Expression { key, text: text.to_owned(), at: span.start + quotes + line_break }
    }
}
