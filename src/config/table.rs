//! Reads typed values out of one table of the file, takes the rest from the example, and notes every
//! problem instead of stopping at the first.
//!
//! A reader that cannot read notes the problem and returns a stand-in. Nobody sees the stand-in: one
//! problem, and there are no settings.

use std::cell::RefCell;
use std::ops::{Range, RangeInclusive};
use std::time::Duration;

use jiff::civil::Date;
use toml::Spanned;
use toml::de::{DeString, DeTable, DeValue};

use super::nearest::nearest;
use super::notes::Notes;
use super::problem::Problem;
use super::value::{Value, found, kind, printable, whole};

/// One table of the file, with the example's table of that name behind it.
pub(super) struct Table<'a> {
    pub notes: &'a Notes,
    path: String,
    header: Option<Range<usize>>,
    given: Option<&'a DeTable<'a>>,
    example: Option<&'a DeTable<'a>>,
    asked: RefCell<Vec<&'static str>>,
    /// Keys of former versions.
    gone: RefCell<Vec<&'static str>>,
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
        let (asked, gone, missing) = <(RefCell<_>, RefCell<_>, RefCell<_>)>::default();
        Self { notes, path, header, given, example, asked, gone, missing }
    }

    /// The table's full name: `source.bob`.
    pub fn path(&self) -> &str {
        &self.path
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

    /// The value of a key that former versions knew: whoever calls says what is written instead.
    pub fn gone(&self, key: &'static str) -> Option<(Range<usize>, &'a Value<'a>)> {
        self.gone.borrow_mut().push(key);
        let (key, value) = self.given?.get_key_value(key)?;
        Some((key.span(), value))
    }

    /// Every key and value of the file's table in the order of the file, for tables whose keys are
    /// names.
    pub fn entries(&self) -> Vec<(&'a str, Range<usize>, &'a Value<'a>)> {
        let given = self.given.into_iter().flat_map(DeTable::iter);
        let entry = |(key, value): (&'a Spanned<DeString<'a>>, &'a Value<'a>)| {
            (key.get_ref().as_ref(), key.span(), value)
        };
        let mut entries: Vec<_> = given.map(entry).collect();
        entries.sort_by_key(|(_, span, _)| span.start);
        entries
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
            let missing = Problem::new(name, self.header.clone(), message);
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

    /// The table under this key that need not be there; `example` stands behind it.
    pub fn optional(
        &self,
        key: &'static str,
        example: Option<&'a DeTable<'a>>,
    ) -> Option<Table<'a>> {
        self.get(key)?;
        let table = self.table(key);
        table.given.is_some().then_some(Table { example, ..table })
    }

    /// The tables under this key that have names of the administrator's own, in the order of the
    /// file, and where each name stands. `example` stands behind every one.
    pub fn named(
        &self,
        key: &'static str,
        example: Option<&'a DeTable<'a>>,
    ) -> Vec<(&'a str, Range<usize>, Table<'a>)> {
        let all = self.table(key);
        let mut tables = Vec::new();
        for (name, span, value) in all.entries() {
            let full = all.full(name);
            let DeValue::Table(given) = value.get_ref() else {
                let found = kind(value.get_ref());
                let message =
                    format!("expected a table with a name, [{}.NAME], found {found}", all.path);
                self.notes.wrong(&full, Some(span), message);
                continue;
            };
            if name.trim().is_empty() {
                let message = format!("the name is empty: give it one, [{}.NAME]", all.path);
                self.notes.wrong(&full, Some(span.clone()), message);
            }
            self.notes.asked.borrow_mut().push(full.clone());
            let table = Table::new(self.notes, full, Some(value.span()), Some(given), example);
            tables.push((name, span, table));
        }
        tables
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

    /// A whole number that may be left out.
    pub fn optional_number(&self, key: &'static str, range: RangeInclusive<u32>) -> Option<u32> {
        let value = self.get(key)?.get_ref();
        let number = whole(value).filter(|number| range.contains(number));
        if number.is_none() {
            let (first, last, found) = (range.start(), range.end(), found(value));
            let message = format!("expected a whole number from {first} to {last}, found {found}");
            self.wrong(key, message);
        }
        number
    }

    /// A whole number that counts things in memory.
    pub fn size(&self, key: &'static str, range: RangeInclusive<u32>) -> usize {
        usize::try_from(self.number(key, range)).unwrap_or(usize::MAX)
    }

    /// A whole number of seconds.
    pub fn seconds(&self, key: &'static str, range: RangeInclusive<u32>) -> Duration {
        Duration::from_secs(u64::from(self.number(key, range)))
    }

    /// A day that may be left out.
    pub fn date(&self, key: &'static str) -> Option<Date> {
        let value = self.get(key)?.get_ref();
        let text = match value {
            DeValue::String(text) => text.trim().to_owned(),
            DeValue::Datetime(date) => date.to_string(),
            _ => String::new(),
        };
        let date = text.parse().ok();
        if date.is_none() {
            self.wrong(key, format!("expected a day, as in 2027-03-31, found {}", found(value)));
        }
        date
    }

    /// Yes or no, from the file or the example.
    pub fn flag(&self, key: &'static str) -> bool {
        let value = self.get(key).map_or_else(|| self.default(key), Spanned::get_ref);
        value.as_bool().unwrap_or_else(|| {
            self.wrong(key, format!("expected true or false, found {}", found(value)));
            false
        })
    }

    /// One of these words, from the file or the example, and what it stands for.
    pub fn choice<T: Copy>(&self, key: &'static str, words: &[(&str, T)]) -> T {
        let word = self.text_or_default(key);
        if let Some((_, meant)) = words.iter().find(|(known, _)| *known == word) {
            return *meant;
        }
        // What is not text was noted already.
        if self.get(key).is_some_and(|value| value.get_ref().is_str()) {
            let shown = printable(word);
            let message = match nearest(word, words.iter().map(|(known, _)| *known)) {
                Some(meant) => format!("unknown word \"{shown}\", did you mean \"{meant}\"?"),
                None => format!("expected {}, found \"{shown}\"", any_of(words)),
            };
            self.wrong(key, message);
        }
        words[0].1
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

    /// The key's value in the example.
    pub fn default(&self, key: &'static str) -> &'a DeValue<'a> {
        let value = self.example.and_then(|table| table.get(key));
        value.map(Spanned::get_ref).expect("a test holds that the example has every default")
    }

    /// Notes the keys that nobody looked for and those that are missing.
    pub fn finish(self) {
        let asked = self.asked.take();
        let (gone, mut missing) = (self.gone.take(), self.missing.take());
        let known = |key: &str| asked.contains(&key) || gone.contains(&key);
        for (key, span, _) in self.entries().into_iter().filter(|(key, ..)| !known(key)) {
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

/// `"a", "b" or "c"`.
fn any_of<T>(words: &[(&str, T)]) -> String {
    let quoted: Vec<String> = words.iter().map(|(word, _)| format!("\"{word}\"")).collect();
    match quoted.split_last() {
        Some((last, [])) => last.clone(),
        Some((last, others)) => format!("{} or {last}", others.join(", ")),
        None => String::new(),
    }
}
