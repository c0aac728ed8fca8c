//! The colours in which people read what is added, changed, taken away and less important.

use anstyle::{AnsiColor, Style};

/// Headings.
pub(super) const BOLD: Style = Style::new().bold();
/// What is less important than the rest.
pub(super) const DIM: Style = Style::new().dimmed();
/// What is added, and what is as it should be.
pub(super) const GOOD: Style = AnsiColor::Green.on_default();
/// What changes, and what somebody should look at.
pub(super) const WARN: Style = AnsiColor::Yellow.on_default();
/// What is taken away, and what is wrong.
pub(super) const BAD: Style = AnsiColor::Red.on_default();
