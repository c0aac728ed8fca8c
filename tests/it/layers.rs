//! Who may know whom: each room of `src/` names only the rooms it is allowed to name.
//!
//! So no handler can change the LMS, no decision can depend on I/O, and no adapter can decide whose
//! account it is. A new room needs a row here before it may name anything. Comments may name
//! everybody; unit tests keep the same rules as the code beside them.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// A room, and the rooms it may name.
const RULES: &[(&str, &[&str])] = &[
    ("model", &[]),
    ("config", &["model"]),
    ("clock", &[]),
    ("telemetry", &["clock", "config"]),
    ("provisioning", &["config", "model"]),
    ("store", &["clock", "model"]),
    ("access", &["clock", "config", "model", "store"]),
    ("sources", &["clock", "config", "model", "store"]),
    ("targets", &["clock", "config", "model", "store"]),
    ("worker", &["clock", "config", "model", "provisioning", "sources", "store", "targets"]),
    ("http", &["access", "clock", "config", "model", "report", "sources", "store"]),
    ("report", &["model"]),
    ("notify", &["clock", "config", "model", "report"]),
    ("sandbox", &["clock", "model"]),
    // Puts everything together.
    (
        "app",
        &[
            "access",
            "clock",
            "config",
            "http",
            "model",
            "notify",
            "provisioning",
            "reconcile",
            "report",
            "sandbox",
            "schedule",
            "sources",
            "store",
            "targets",
            "telemetry",
            "worker",
        ],
    ),
    ("reconcile", &["clock", "config", "model", "provisioning", "sources", "store", "targets"]),
    ("schedule", &["clock", "config", "model", "store"]),
    // People's way in: it asks the store and starts what `app` has built. Whoever wants the LMS
    // changed from here queues a delivery.
    (
        "cli",
        &["access", "app", "clock", "config", "model", "report", "sandbox", "store", "telemetry"],
    ),
    ("main", &["app", "cli", "config", "model", "telemetry"]),
];

/// The crate's root declares the rooms; nothing is passed on from there under another name.
const ROOT: &str = "lib";

#[test]
fn each_room_names_only_whom_it_may() {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    collect(&src, &mut files);
    assert!(files.len() > 10, "there is little under {}", src.display());

    let mut broken = Vec::new();
    for file in &files {
        let inside = file.strip_prefix(&src).expect("it was found under src");
        let text = fs::read_to_string(file).expect("a source file is readable text");
        broken.extend(judge(inside, &text));
    }
    assert!(
        broken.is_empty(),
        "the rooms know too much (tests/it/layers.rs has the rules):\n{}",
        broken.join("\n")
    );
}

#[test]
fn rules_are_broken_where_they_should_be() {
    // (file, text, the lines that must be refused)
    let cases: &[(&str, &str, &[usize])] = &[
        ("http/webhooks.rs", "use crate::store::Store;\nuse crate::targets::Probe;\n", &[2]),
        ("http/mod.rs", "use crate::{model::Event, worker, store::{self, Hold}};\n", &[1]),
        ("http/mod.rs", "fn f() {\n let _ = crate::worker::start();\n}\n", &[2]),
        ("http/mod.rs", "use super::worker::X;\nuse super::store::Hold;\n", &[1]),
        ("http/api/list.rs", "use super::super::super::targets;\nuse super::super::Y;\n", &[1]),
        ("model/ids.rs", "//! [`x`](crate::store::Store)\n/* crate::store::X */\n", &[]),
        ("model/ids.rs", "const A: &str = r#\"crate::store::\"#;\nuse crate::store::S;\n", &[2]),
        ("clock.rs", "mod tests {\n use super::*;\n use super::super::app::X;\n}\n", &[3]),
        ("clock.rs", "fn f<'a>(x: &'a str) -> char {\n '\"'\n}\nuse crate::app::X;\n", &[4]),
        ("sandbox/mod.rs", "use crate::*;\n", &[1]),
        ("sandbox/mod.rs", "use crate as whole;\n", &[1]),
        ("sources/hibob/mod.rs", "use crate::sources::SourceError;\nuse self::wire::X;\n", &[]),
        ("sources/hibob/mod.rs", "pub(crate) struct X;\npub(super) struct Y;\n", &[]),
        ("main.rs", "use instep::cli;\nuse instep::worker::X;\n", &[2]),
        ("lib.rs", "pub mod model;\npub use model::Event;\n", &[2]),
        ("helpers.rs", "\nuse crate::model::X;\n", &[1]),
    ];
    for (file, text, lines) in cases {
        let found = judge(Path::new(file), text);
        let wanted: Vec<String> = lines.iter().map(|line| format!("src/{file}:{line}:")).collect();
        let fits = found.len() == wanted.len()
            && found.iter().zip(&wanted).all(|(found, wanted)| found.starts_with(wanted));
        assert!(fits, "{file}:\n{text}\nfound {found:#?}, wanted {wanted:?}");
    }
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) {
    let entries = fs::read_dir(folder).expect("src is readable");
    let mut paths: Vec<_> = entries.map(|e| e.expect("src is readable").path()).collect();
    paths.sort();
    for path in paths {
        if path.is_dir() {
            collect(&path, files);
        } else if path.extension().is_some_and(|ext| ext == "rs") {
            files.push(path);
        }
    }
}

/// What is wrong with one file, as `src/file:line: sentence`.
fn judge(file: &Path, text: &str) -> Vec<String> {
    let module = module_of(file);
    let room = module[0].as_str();
    let place = |line: usize| format!("src/{}:{line}:", file.display());
    let words = words(text);

    if room == ROOT {
        let uses = words.iter().filter(|w| w.text == "use");
        return uses
            .map(|w| format!("{} lib.rs declares the rooms and re-exports nothing", place(w.line)))
            .collect();
    }
    let Some((_, may)) = RULES.iter().find(|(name, _)| *name == room) else {
        let row = "has no row in tests/it/layers.rs: say there whom it may name";
        return vec![format!("{} the room `{room}` {row}", place(1))];
    };
    let rooms: BTreeSet<&str> = RULES.iter().map(|(name, _)| *name).collect();
    let mut broken = Vec::new();
    for mention in mentions(&words, &module) {
        let line = mention.line;
        let name = mention.text.as_str();
        if name == "*" {
            broken.push(format!("{} `{room}` takes the whole crate; name the rooms", place(line)));
        } else if name != room && rooms.contains(name) && !may.contains(&name) {
            let may = if may.is_empty() { "none of ours".into() } else { may.join(", ") };
            broken.push(format!("{} `{room}` names `{name}`; it may name {may}", place(line)));
        }
    }
    broken
}

/// The path of the module that a file holds; `main.rs` and `lib.rs` stand for themselves.
fn module_of(file: &Path) -> Vec<String> {
    let mut module: Vec<String> = file
        .with_extension("")
        .components()
        .map(|part| part.as_os_str().to_string_lossy().into_owned())
        .collect();
    if module.len() > 1 && module.last().is_some_and(|last| last == "mod") {
        module.pop();
    }
    module
}

/// An identifier or a single sign of the code, and the line it stands in.
struct Word {
    text: String,
    line: usize,
}

/// The code's words, without comments and without the contents of strings and characters.
fn words(text: &str) -> Vec<Word> {
    let chars: Vec<char> = text.chars().collect();
    let at = |i: usize| chars.get(i).copied().unwrap_or('\0');
    let (mut i, mut line) = (0, 1);
    let mut words: Vec<Word> = Vec::new();
    while i < chars.len() {
        let begin = i;
        let mut word = None;
        match (at(i), at(i + 1)) {
            ('/', '/') => {
                while i < chars.len() && at(i) != '\n' {
                    i += 1;
                }
            }
            ('/', '*') => {
                let mut depth = 0;
                loop {
                    match (at(i), at(i + 1)) {
                        ('/', '*') => (depth, i) = (depth + 1, i + 2),
                        ('*', '/') => (depth, i) = (depth - 1, i + 2),
                        _ => i += 1,
                    }
                    if depth == 0 || i >= chars.len() {
                        break;
                    }
                }
            }
            ('"', _) => i = end_of_string(&chars, i, 0, !is_raw(words.last(), &chars, i)),
            ('#', '"' | '#') if is_raw(words.last(), &chars, i) => {
                let hashes = chars[i..].iter().take_while(|c| **c == '#').count();
                i = if at(i + hashes) == '"' {
                    end_of_string(&chars, i + hashes, hashes, false)
                } else {
                    i + 1
                };
            }
            ('\'', '\\') => {
                i += 3;
                while i < chars.len() && at(i) != '\'' {
                    i += 1;
                }
                i += 1;
            }
            ('\'', _) if at(i + 2) == '\'' => i += 3,
            (c, _) if c.is_alphanumeric() || c == '_' => {
                while at(i).is_alphanumeric() || at(i) == '_' {
                    i += 1;
                }
                word = Some(chars[begin..i].iter().collect());
            }
            (c, _) => {
                i += 1;
                word = (!c.is_whitespace()).then(|| c.to_string());
            }
        }
        i = i.min(chars.len());
        words.extend(word.map(|text| Word { text, line }));
        line += chars[begin..i].iter().filter(|c| **c == '\n').count();
    }
    words
}

/// Whether the string that begins here has `r`, `br` or `cr` right before it.
fn is_raw(last: Option<&Word>, chars: &[char], begin: usize) -> bool {
    let touching = begin > 0 && chars[begin - 1] == 'r';
    touching && last.is_some_and(|word| ["r", "br", "cr"].contains(&word.text.as_str()))
}

/// The place after the string whose opening quote stands at `quote`.
fn end_of_string(chars: &[char], quote: usize, hashes: usize, escapes: bool) -> usize {
    let mut i = quote + 1;
    while i < chars.len() {
        if escapes && chars[i] == '\\' {
            i += 2;
        } else if chars[i] == '"' && chars[i + 1..].iter().take(hashes).all(|c| *c == '#') {
            return i + 1 + hashes;
        } else {
            i += 1;
        }
    }
    i
}

/// Which rooms the code names, by whatever path; `*` is the whole crate.
fn mentions(words: &[Word], module: &[String]) -> Vec<Word> {
    let is = |i: usize, text: &str| words.get(i).is_some_and(|word| word.text == text);
    let leads = |i: usize| is(i + 1, ":") && is(i + 2, ":");
    let file: Vec<&str> = match module {
        [one] if one == "main" => Vec::new(),
        path => path.iter().map(String::as_str).collect(),
    };
    let mut found = Vec::new();
    // The inline modules around this word, each with the depth of braces inside it.
    let (mut inline, mut depth): (Vec<(&str, usize)>, usize) = (Vec::new(), 0);
    let mut i = 0;
    while i < words.len() {
        let within_path = i >= 2 && is(i - 1, ":") && is(i - 2, ":");
        match words[i].text.as_str() {
            "{" => depth += 1,
            "}" => {
                depth = depth.saturating_sub(1);
                while inline.last().is_some_and(|(_, inside)| depth < *inside) {
                    inline.pop();
                }
            }
            "mod" if is(i + 2, "{") => inline.push((&words[i + 1].text, depth + 1)),
            "crate" | "instep" if leads(i) && !within_path => {
                i = follow(words, i + 3, Vec::new(), &mut found);
                continue;
            }
            "crate" if is(i + 1, "as") => {
                found.push(Word { text: "*".into(), line: words[i].line });
            }
            "super" | "self" if leads(i) && !within_path => {
                let around = file.iter().copied().chain(inline.iter().map(|(name, _)| *name));
                i = follow(words, i, around.collect(), &mut found);
                continue;
            }
            _ => {}
        }
        i += 1;
    }
    found
}

/// Follows one path, or each of a group, from the module `base` (the crate's root when empty) down
/// to the room it leads to; answers where it stopped.
fn follow(words: &[Word], mut i: usize, mut base: Vec<&str>, found: &mut Vec<Word>) -> usize {
    let is = |i: usize, text: &str| words.get(i).is_some_and(|word| word.text == text);
    loop {
        let Some(word) = words.get(i) else { return i };
        let mut reach = |text: &str| found.push(Word { text: text.into(), line: word.line });
        match word.text.as_str() {
            "super" => drop(base.pop()),
            "self" => {}
            "{" => return group(words, i + 1, &base, found),
            name => {
                reach(base.first().copied().unwrap_or(name));
                return i + 1;
            }
        }
        if !(is(i + 1, ":") && is(i + 2, ":")) {
            // It ends in `self` or `super`: the module itself, perhaps the whole crate.
            reach(base.first().copied().unwrap_or("*"));
            return i + 1;
        }
        i += 3;
    }
}

/// Follows each path of a group whose brace was opened before `i`; answers where the group ends.
fn group(words: &[Word], mut i: usize, base: &[&str], found: &mut Vec<Word>) -> usize {
    loop {
        i = follow(words, i, base.to_vec(), found);
        // Skip what is left of this path: it lies inside a room already.
        let mut depth = 0;
        loop {
            match words.get(i).map(|word| word.text.as_str()) {
                None => return i,
                Some("{") => depth += 1,
                Some("}") if depth == 0 => return i + 1,
                Some("}") => depth -= 1,
                Some(",") if depth == 0 => break,
                Some(_) => {}
            }
            i += 1;
        }
        i += 1;
        if words.get(i).is_some_and(|word| word.text == "}") {
            return i + 1;
        }
    }
}
