//! What is noted while files are read: everything that is wrong, instead of the first thing.

use std::cell::RefCell;
use std::ops::Range;

use super::problem::Problem;

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
        self.problems.borrow_mut().push(Problem::new(key, span, message));
    }

    /// A problem that knows its place.
    pub fn problem(&self, problem: Problem) {
        self.problems.borrow_mut().push(problem);
    }

    pub fn warn(&self, key: &str, span: Option<Range<usize>>, message: impl Into<String>) {
        self.warnings.borrow_mut().push(Problem::new(key, span, message));
    }
}
