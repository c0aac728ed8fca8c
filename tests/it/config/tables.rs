//! Lookup tables: what is read of a CSV file, and each mistake with the message a person gets.

use std::fs;

use instep::config::{self, Failed, Loaded, LookupTable, OnMiss};
use tempfile::TempDir;

use super::{GOOD, env, lines};

const SITES: &str = "[rules.tables.sites]\nfile = \"sites.csv\"\nkeys = [\"site\"]\n";

/// A configuration with a table, beside a file with these bytes.
fn load(rules: &str, csv: impl AsRef<[u8]>) -> (TempDir, Result<Loaded, Failed>) {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("sites.csv"), csv).unwrap();
    let text = format!("{GOOD}{rules}");
    let loaded = config::parse(&folder.path().join("instep.toml"), &text, &env);
    (folder, loaded)
}

fn table(rules: &str, csv: impl AsRef<[u8]>) -> LookupTable {
    let (_, loaded) = load(rules, csv);
    let loaded = loaded.unwrap_or_else(|failed| panic!("{:?}", lines(&failed)));
    loaded.settings.sources["bob"].rules.tables["sites"].clone()
}

#[track_caller]
fn wrong_at(rules: &str, csv: impl AsRef<[u8]>, expected: &[&str]) {
    let (_, loaded) = load(rules, csv);
    assert_eq!(lines(&loaded.unwrap_err()), expected);
}

/// The table `SITES` with these bytes has these problems.
#[track_caller]
fn wrong(csv: impl AsRef<[u8]>, expected: &[&str]) {
    wrong_at(SITES, csv, expected);
}

#[test]
fn a_table_is_read_whatever_spreadsheet_wrote_it() {
    let expected = [(2, ["Paris", "fr", "Île, de"]), (5, ["London", "en", ""])];
    let plain = "lang,site,region\nfr, Paris ,\"Île, de\"\n,,\n\nen,London,\n";
    for csv in [
        plain.to_owned(),
        plain.replace('\n', "\r\n"),
        format!("\u{feff}{plain}"),
        plain.replace(',', ";").replace("Île;", "Île,"),
        plain.replace(',', "\t").replace("Île\t", "Île,"),
    ] {
        let table = table(SITES, &csv);
        assert_eq!(table.columns, ["site", "lang", "region"], "the keys first: {csv:?}");
        assert_eq!((table.keys, table.on_miss), (1, OnMiss::Refuse));
        assert!(table.file.ends_with("sites.csv"));
        let expected = expected.map(|(line, cells)| (line, cells.map(String::from).to_vec()));
        assert_eq!(table.rows, expected, "{csv:?}");
    }
    let two = SITES.replace("[\"site\"]", "[\"grade\", \"site\"]") + "on_miss = \"default\"\n";
    let table = table(&two, "site,to,grade\nRome,A,*\n*,B,*\n*,C,7\n");
    assert_eq!((table.keys, table.on_miss), (2, OnMiss::Default));
    assert_eq!(table.rows[0], (2, ["*", "Rome", "A"].map(String::from).to_vec()));
}

#[test]
fn the_table_itself_is_checked() {
    wrong_at(
        "[rules.tables.sites]\n",
        "",
        &[
            "17:1 rules.tables.sites.keys: is missing: the columns in which a value is looked up, as in \
         [\"site\"]",
            "17:1 rules.tables.sites.file: is missing: the CSV file, as in \"sites.csv\"",
        ],
    );
    let good = "site,lang\nParis,fr\n";
    wrong_at(
        &SITES.replace("[\"site\"]", "[]"),
        good,
        &[
            "19:8 rules.tables.sites.keys: is empty: the columns in which a value is looked up, as in \
         [\"site\"]",
        ],
    );
    wrong_at(
        &SITES.replace("[\"site\"]", "[\"site\", \"site\"]"),
        good,
        &["19:8 rules.tables.sites.keys: `site` is there twice: keep one"],
    );
    wrong_at(
        &SITES.replace("[\"site\"]", "\"site\""),
        good,
        &["19:8 rules.tables.sites.keys: expected a list of texts, found a text"],
    );
    wrong_at(
        &SITES.replace("[\"site\"]", "[\"site\", 5]"),
        good,
        &["19:17 rules.tables.sites.keys: expected a list of texts, found a number in it"],
    );
    wrong_at(
        &format!("{SITES}on_miss = \"keeep\"\n"),
        good,
        &["20:11 rules.tables.sites.on_miss: unknown word \"keeep\", did you mean \"keep\"?"],
    );
    wrong_at(
        &format!("{SITES}delimiter = \";\"\n"),
        good,
        &[
            "20:1 rules.tables.sites.delimiter: unknown key `delimiter`, known here: on_miss, keys, file",
        ],
    );
}

#[test]
fn a_row_for_everybody_else_and_on_miss_go_together() {
    let default = format!("{SITES}on_miss = \"default\"\n");
    wrong_at(
        &default,
        "site,lang\nParis,fr\n",
        &[
            "20:11 rules.tables.sites.on_miss: sites.csv has no row for everybody else, whose every key \
         is *: add one that begins with *, or choose \"keep\", \"skip\" or \"refuse\"",
        ],
    );
    for (rules, line) in
        [(SITES.to_owned(), "17:1"), (format!("{SITES}on_miss = \"keep\"\n"), "20:11")]
    {
        wrong_at(
            &rules,
            "site,lang\nParis,fr\n*,en\n",
            &[&format!(
                "{line} rules.tables.sites.on_miss: line 3 of sites.csv is for everybody else (*), so \
             nothing is ever missing: write on_miss = \"default\", or take that row out"
            )],
        );
    }
}

#[test]
fn a_file_that_is_no_table_says_what_to_do() {
    let file = |rules: &str, expected: &str| {
        let (_, loaded) = load(rules, "site,lang\n");
        let expected = format!("18:8 rules.tables.sites.file: {expected}");
        assert_eq!(lines(&loaded.unwrap_err()), [expected]);
    };
    file(
        &SITES.replace("sites.csv", "site.csv"),
        "site.csv: there is no such file; the path begins at the folder of this file",
    );
    file(&SITES.replace("sites.csv", "."), ".: is a folder, not a file");
    file(&SITES.replace("sites.csv", ""), "is empty: the CSV file, as in \"sites.csv\"");
    wrong(
        vec![b'x'; 4 * 1024 * 1024 + 1],
        &["18:8 rules.tables.sites.file: sites.csv: is larger than 4 MiB"],
    );
    wrong(
        b"PK\x03\x04\x14\x00",
        &[
            "18:8 rules.tables.sites.file: sites.csv: is a workbook, not CSV: save it as \"CSV UTF-8\"",
        ],
    );
    wrong(
        b"site,lang\nZ\xfcrich,de\n",
        &["sites.csv:2:2 rules.tables.sites: is not UTF-8 text: save it as \"CSV UTF-8\""],
    );
    for nothing in ["", "\n\r\n", ",,\n"] {
        wrong(
            nothing,
            &["sites.csv:1:1 rules.tables.sites: is empty: the first line names the columns"],
        );
    }
}

#[test]
fn the_header_names_each_column_once() {
    let all = "sites.csv:1:";
    wrong(
        "Site,lang\nParis,fr\n",
        &[&format!("{all}1 rules.tables.sites: there is no column `site`: is `Site` meant?")],
    );
    wrong(
        "place;language\nParis;fr\n",
        &[&format!(
            "{all}1 rules.tables.sites: there is no column `site`: the first line names the columns, and \
         `keys` must name some of them"
        )],
    );
    wrong(
        "site,lang,,lang\nParis,fr,,\n",
        &[
            &format!(
                "{all}11 rules.tables.sites: this column has no name: give it one, or take it out of \
             every line"
            ),
            &format!("{all}12 rules.tables.sites: this column's name is there twice: rename one"),
        ],
    );
    wrong(
        "site\nParis\n",
        &[&format!(
            "{all}1 rules.tables.sites: every column is a key: a column with what is looked up is missing"
        )],
    );
    let many: Vec<String> = (0..64).map(|n| format!("c{n}")).collect();
    wrong(
        format!("site,{}\n", many.join(",")),
        &[&format!("{all}248 rules.tables.sites: has more than 64 columns")],
    );
    wrong(
        "site,\"lang\nParis,fr\n",
        &[&format!(
            "{all}6 rules.tables.sites: the quote that opens here is not closed in this line"
        )],
    );
}

#[test]
fn every_row_that_is_wrong_is_named_at_once() {
    let csv = "site;lang\r\nParis;fr;x\r\n\r\nRome\r\nBern;\"de\r\nBonn;\"de\"x\r\nParis;en\r\n\
               PARIS ;en\r\n";
    wrong(
        csv,
        &[
            "sites.csv:2:10 rules.tables.sites: has 3 cells, and the first line has 2: a cell with a \
         comma or semicolon in it belongs in quotes",
            "sites.csv:4:1 rules.tables.sites: has 1 cell, and the first line has 2: an empty one still \
         needs its place",
            "sites.csv:5:6 rules.tables.sites: the quote that opens here is not closed in this line",
            "sites.csv:6:10 rules.tables.sites: there is something behind the closing quote: a quote \
         inside a cell is written twice, as in \"\"",
            "sites.csv:8:1 rules.tables.sites: has the same keys as line 7: keep one of them (upper and \
         lower case are the same)",
        ],
    );
    let (_, loaded) = load(SITES, format!("site,lang\n{}", "x\n".repeat(50)));
    let failed = loaded.unwrap_err();
    assert_eq!(failed.problems.len(), 20);
    let last = lines(&failed).pop().unwrap();
    assert!(last.starts_with("sites.csv:21:1 "), "{last}");
    assert!(last.ends_with("needs its place; and 30 more problems below"), "{last}");
    let rows: Vec<String> = (0..100_001).map(|row| format!("{row},x\n")).collect();
    let rows = rows.concat();
    wrong(
        format!("site,lang\n{rows}"),
        &["sites.csv:100002:1 rules.tables.sites: has more than 100000 rows"],
    );
}

#[test]
fn no_cell_is_ever_shown() {
    let (folder, loaded) = load(SITES, "site,lang\nhunter2,fr\nhunter2,fr\n");
    let failed = loaded.unwrap_err();
    let path = folder.path().join("instep.toml");
    let shown = config::show(&path, failed.text.as_deref(), &failed.problems, false);
    let file = folder.path().join("sites.csv");
    let expected = format!(
        "{}:3:1: rules.tables.sites: has the same keys as line 2: keep one of them (upper and lower \
         case are the same)\n\n",
        file.display()
    );
    assert_eq!(shown, expected);
}
