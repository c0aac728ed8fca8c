//! Prometheus's text form, for what is read when somebody asks and kept by nobody.
//!
//! Such numbers are not in the recorder: it would go on telling of a dead letter's code or of a hold
//! that is gone.

use std::fmt::Write as _;

/// Some metrics as text.
#[derive(Default)]
pub(super) struct Page(String);

/// The labels of a value: name and value of each.
pub(super) type Labels<'a> = &'a [(&'a str, &'a str)];

impl Page {
    /// Begins a metric whose values can go down as well.
    pub fn gauge(&mut self, name: &'static str, help: &str) -> Values<'_> {
        self.begin(name, "gauge", help)
    }

    /// Begins a metric that only rises.
    pub fn counter(&mut self, name: &'static str, help: &str) -> Values<'_> {
        self.begin(name, "counter", help)
    }

    fn begin(&mut self, name: &'static str, kind: &str, help: &str) -> Values<'_> {
        // Writing to a string cannot fail.
        let _ = writeln!(self.0, "# HELP {name} {help}\n# TYPE {name} {kind}");
        Values { page: &mut self.0, name }
    }

    /// The text.
    pub fn into_text(self) -> String {
        self.0
    }
}

/// A metric whose values are being written.
pub(super) struct Values<'p> {
    page: &'p mut String,
    name: &'static str,
}

impl Values<'_> {
    /// One value.
    pub fn put(&mut self, labels: Labels<'_>, value: f64) {
        self.page.push_str(self.name);
        for (at, (name, value)) in labels.iter().enumerate() {
            self.page.push(if at == 0 { '{' } else { ',' });
            let value = value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
            let _ = write!(self.page, "{name}=\"{value}\"");
        }
        if !labels.is_empty() {
            self.page.push('}');
        }
        let _ = writeln!(self.page, " {value}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_stand_under_their_metric_and_labels_cannot_break_out() {
        let mut page = Page::default();
        let mut values = page.gauge("instep_hold", "1 while it is on hold");
        values.put(&[("scope", "source \"a\\b\"\n"), ("x", "y")], 1.0);
        values.put(&[], 0.25);
        assert_eq!(
            page.into_text(),
            "# HELP instep_hold 1 while it is on hold\n# TYPE instep_hold gauge\n\
             instep_hold{scope=\"source \\\"a\\\\b\\\"\\n\",x=\"y\"} 1\ninstep_hold 0.25\n"
        );
    }
}
