//! Reads typed values out of one table of the file, takes the rest from the example, and notes every
//! problem instead of stopping at the first.
//!
//! A reader that cannot read notes the problem and returns a stand-in. Nobody sees the stand-in: one
//! problem, and there are no settings.

use std::cell::RefCell;
use std::ops::{Range, RangeInclusive};
use std::time::Duration;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::nearest::nearest;
use super::problem::Problem;

pub(super) type Value<'a> = Spanned<DeValue<'a>>;

/// What was noted while one file was read.
#[derive(Default)]
pub(super) struct Notes {
    pub problems: RefCell<Vec<Problem>>,
    pub warnings: RefCell<Vec<Problem>>,
    /// Every key that was looked for.
    pub asked: RefCell<Vec<String>>,
}

impl Notes {
    pub fn wrong(&self, key: &str, span: Option<Range<usize>>, message: impl Into<String>) {
        self.problems.borrow_mut().push(problem(key, span, message));
    }

    pub fn warn(&self, key: &str, span: Option<Range<usize>>, message: impl Into<String>) {
        self.warnings.borrow_mut().push(problem(key, span, message));
    }
}

fn problem(key: &str, span: Option<Range<usize>>, message: impl Into<String>) -> Problem {
    Problem { key: key.to_owned(), span, message: message.into() }
}

/// One table of the file, with the example's table of that name behind it.
pub(super) struct Table<'a> {
    pub notes: &'a Notes,
    path: String,
    header: Option<Range<usize>>,
    given: Option<&'a DeTable<'a>>,
    example: Option<&'a DeTable<'a>>,
    asked: RefCell<Vec<&'static str>>,
    /// Required keys that are not there. One that was only mistyped is not reported twice.
    missing: RefCell<Vec<(Vec<&'static str>, Problem)>>,
}

impl<'a> Table<'a> {
    pub fn new(
        notes: &'a Notes,
        path: String,
        header: Option<Range<usize>>,
        given: Option<&'a DeTable<'a>>,
        example: Option<&'a DeTable<'a>>,
    ) -> Self {
        let (asked, missing) = (RefCell::default(), RefCell::default());
        Self { notes, path, header, given, example, asked, missing }
    }

    /// The key's full name: `source.bob.token`.
    pub fn full(&self, key: &str) -> String {
        if self.path.is_empty() { key.to_owned() } else { format!("{}.{key}", self.path) }
    }

    /// The key's value in the file.
    pub fn get(&self, key: &'static str) -> Option<&'a Value<'a>> {
        if !self.asked.borrow().contains(&key) {
            self.asked.borrow_mut().push(key);
        }
        self.given?.get(key)
    }

    /// Every key and value of the file's table, for tables whose keys are names.
    pub fn entries(
        &self,
    ) -> impl Iterator<Item = (&'a str, Range<usize>, &'a Value<'a>)> + use<'a> {
        let given = self.given.into_iter().flat_map(DeTable::iter);
        given.map(|(key, value)| (key.get_ref().as_ref(), key.span(), value))
    }

    /// Where the key's value stands, or else where the table begins.
    pub fn span(&self, key: &'static str) -> Option<Range<usize>> {
        self.get(key).map(Spanned::span).or_else(|| self.header.clone())
    }

    pub fn wrong(&self, key: &'static str, message: impl Into<String>) {
        self.notes.wrong(&self.full(key), self.span(key), message);
    }

    pub fn warn(&self, key: &'static str, message: impl Into<String>) {
        self.notes.warn(&self.full(key), self.span(key), message);
    }

    /// Notes that none of these required keys is there. `name` is the key it is reported for.
    pub fn missing(&self, keys: &[&'static str], name: &str, message: impl Into<String>) {
        if self.given.is_some() {
            let missing = problem(name, self.header.clone(), message);
            self.missing.borrow_mut().push((keys.to_vec(), missing));
        }
    }

    /// The table under this key; empty when it is not there or is not a table.
    pub fn table(&self, key: &'static str) -> Table<'a> {
        let example = self.example_table(key);
        let value = self.get(key);
        let given = value.and_then(|value| value.get_ref().as_table());
        if let (Some(value), None) = (value, given) {
            self.wrong(key, format!("expected a table, found {}", kind(value.get_ref())));
        }
        let path = self.full(key);
        Table::new(self.notes, path, value.map(Spanned::span), given, example)
    }

    /// The example's table under this key, for tables whose keys are names.
    pub fn example_table(&self, key: &str) -> Option<&'a DeTable<'a>> {
        self.example?.get(key)?.get_ref().as_table()
    }

    /// Text from the file. `None` when it is absent or not text; the latter is noted.
    pub fn text(&self, key: &'static str) -> Option<&'a str> {
        let value = self.get(key)?;
        match value.get_ref() {
            DeValue::String(text) => Some(text),
            DeValue::Integer(number) => {
                let message = format!("expected text, found the number {number}: put it in quotes");
                self.wrong(key, message);
                None
            }
            other => {
                self.wrong(key, format!("expected text, found {}", kind(other)));
                None
            }
        }
    }

    /// Text that must be there and must not be empty. `what` says what it is and where it is found.
    pub fn need_text(&self, key: &'static str, what: &str) -> Option<&'a str> {
        if self.get(key).is_none() {
            self.missing(&[key], &self.full(key), format!("is missing: {what}"));
        }
        let text = self.text(key)?.trim();
        if text.is_empty() {
            self.wrong(key, format!("is empty: {what}"));
            return None;
        }
        Some(text)
    }

    /// Text like [`Table::need_text`] that must not be the example's placeholder.
    pub fn own_text(&self, key: &'static str, what: &str) -> Option<&'a str> {
        let text = self.need_text(key, what)?;
        if self.example.and_then(|table| table.get(key)?.get_ref().as_str()) == Some(text) {
            self.wrong(key, format!("is still the example's: {what}"));
            return None;
        }
        Some(text)
    }

    /// Text from the file or the example.
    pub fn text_or_default(&self, key: &'static str) -> &'a str {
        match self.get(key) {
            Some(_) => self.text(key),
            None => self.default(key).as_str(),
        }
        .unwrap_or_default()
    }

    /// A whole number from the file or the example.
    pub fn number(&self, key: &'static str, range: RangeInclusive<u32>) -> u32 {
        let Some(value) = self.get(key) else {
            return whole(self.default(key)).unwrap_or_default();
        };
        if let Some(number) = whole(value.get_ref()).filter(|number| range.contains(number)) {
            return number;
        }
        let (first, last, found) = (range.start(), range.end(), found(value.get_ref()));
        self.wrong(key, format!("expected a whole number from {first} to {last}, found {found}"));
        whole(self.default(key)).unwrap_or_default()
    }

    /// A whole number that counts things in memory.
    pub fn size(&self, key: &'static str, range: RangeInclusive<u32>) -> usize {
        usize::try_from(self.number(key, range)).unwrap_or(usize::MAX)
    }

    /// A whole number of seconds.
    pub fn seconds(&self, key: &'static str, range: RangeInclusive<u32>) -> Duration {
        Duration::from_secs(u64::from(self.number(key, range)))
    }

    /// Yes or no, from the file or the example.
    pub fn flag(&self, key: &'static str) -> bool {
        let value = self.get(key).map_or_else(|| self.default(key), Spanned::get_ref);
        value.as_bool().unwrap_or_else(|| {
            self.wrong(key, format!("expected true or false, found {}", found(value)));
            false
        })
    }

    /// A list of texts, from the file or the example.
    pub fn texts(&self, key: &'static str) -> Vec<String> {
        let value = self.get(key).map_or_else(|| self.default(key), Spanned::get_ref);
        let Some(list) = value.as_array() else {
            self.wrong(key, format!("expected a list of texts, found {}", kind(value)));
            return Vec::new();
        };
        let text = |item: &Value<'_>| match item.get_ref().as_str().map(str::trim) {
            Some(text) if !text.is_empty() => Some(text.to_owned()),
            other => {
                let found = other.map_or_else(|| kind(item.get_ref()), |_| "an empty text");
                let message = format!("expected a list of texts, found {found} in it");
                self.notes.wrong(&self.full(key), Some(item.span()), message);
                None
            }
        };
        list.iter().filter_map(text).collect()
    }

    fn default(&self, key: &'static str) -> &'a DeValue<'a> {
        let value = self.example.and_then(|table| table.get(key));
        value.map(Spanned::get_ref).expect("a test holds that the example has every default")
    }

    /// Notes the keys that nobody looked for and those that are missing.
    pub fn finish(self) {
        let asked = self.asked.take();
        let mut missing = self.missing.take();
        for (key, span, _) in self.entries().filter(|(key, ..)| !asked.contains(key)) {
            let advice = if let Some(meant) = nearest(key, asked.iter().copied()) {
                missing.retain(|(keys, _)| !keys.contains(&meant));
                format!("did you mean `{meant}`?")
            } else {
                format!("known here: {}", asked.join(", "))
            };
            let message = format!("unknown key `{}`, {advice}", printable(key));
            self.notes.wrong(&self.full(key), Some(span), message);
        }
        let asked = asked.iter().map(|key| self.full(key));
        self.notes.asked.borrow_mut().extend(asked);
        self.notes.problems.borrow_mut().extend(missing.into_iter().map(|(_, problem)| problem));
    }
}

fn whole(value: &DeValue<'_>) -> Option<u32> {
    let number = value.as_integer()?;
    u32::from_str_radix(number.as_str(), number.radix()).ok()
}

/// What kind of value it is, without the value.
pub(super) fn kind(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::String(_) => "a text",
        DeValue::Integer(_) | DeValue::Float(_) => "a number",
        DeValue::Boolean(_) => "true or false",
        DeValue::Datetime(_) => "a date",
        DeValue::Array(_) => "a list",
        DeValue::Table(_) => "a table",
    }
}

/// The value, where it can hold nothing that must not be seen.
fn found(value: &DeValue<'_>) -> String {
    match value {
        DeValue::String(text) => format!("the text \"{}\"", printable(text)),
        DeValue::Integer(number) => number.to_string(),
        DeValue::Float(number) => number.to_string(),
        DeValue::Boolean(flag) => flag.to_string(),
        other => kind(other).to_owned(),
    }
}

/// Text that can be shown in one line on a terminal.
pub(super) fn printable(text: &str) -> String {
    let mut shown: String =
        text.chars().take(60).map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect();
    if text.chars().nth(60).is_some() {
        shown.push('…');
    }
    shown
}
