//! The filters, through the rules: the README's table is true, and no value does harm.

use instep::config::{Expression, FieldRule, LookupTable, OnMiss, RuleSettings};
use instep::model::{Field, OnBad, Record, Strength};
use instep::provisioning::rules::{Decision, RuleProblem, Rules};
use proptest::prelude::*;
use serde_json::{Value, json};

const README: &str = include_str!("../../README.md");

fn rules(text: &str) -> Result<Rules, Vec<RuleProblem>> {
    let expression =
        |key: &str, text: &str| Expression { key: key.into(), text: text.into(), at: 0 };
    let job = FieldRule {
        value: expression("rules.fields.job", text),
        write: Strength::Always,
        on_bad: OnBad::Skip,
    };
    let sites = LookupTable {
        file: "sites.csv".into(),
        on_miss: OnMiss::Skip,
        keys: 1,
        columns: vec!["site".to_owned(), "language".to_owned()],
        rows: vec![(2, vec!["Paris".to_owned(), "fr".to_owned()])],
    };
    Rules::compile(&RuleSettings {
        fields: [(Field::Job, job)].into(),
        tables: [("sites".to_owned(), sites)].into(),
        ..RuleSettings::of(
            expression("rules.in_scope", "true"),
            expression("rules.active", "true"),
            expression("rules.fields.external_id", "'1'"),
        )
    })
}

/// What a rule gives: a text, nothing (`None`), or the words on why the field was left alone.
fn decide(rules: &Rules, value: &Value) -> Result<Option<String>, String> {
    let record = Record(json!({ "x": value, "list": ["a", null, " b "] }));
    let Decision::Wanted { mut desired, mut remarks } =
        rules.decide(&record, jiff::Timestamp::UNIX_EPOCH).decision
    else {
        panic!("everybody is in scope")
    };
    match remarks.pop() {
        Some(remark) => Err(remark
            .strip_prefix("job left alone: ")
            .unwrap_or_else(|| panic!("{remark}"))
            .to_owned()),
        None => Ok(desired.fields.remove(&Field::Job).expect("the rule has a result")),
    }
}

fn eval(text: &str, value: impl Into<Value>) -> Result<Option<String>, String> {
    decide(&rules(text).unwrap_or_else(|problems| panic!("{text}: {problems:?}")), &value.into())
}

#[test]
fn the_readme_says_what_happens() {
    let table = README
        .lines()
        .skip_while(|line| !line.starts_with("| write | and get |"))
        .skip(2)
        .take_while(|line| line.starts_with('|'));
    let mut rows = 0;
    for line in table {
        rows += 1;
        // Within a table, Markdown wants the sign of a filter as `\|`.
        let line = line.replace("\\|", "\u{0}");
        let mut cells = line.trim_matches('|').split('|').map(|cell| cell.replace('\u{0}', "|"));
        let (write, get) = (cells.next().expect("a cell"), cells.next().expect("a cell"));
        let code = |cell: &str| cell.split('`').nth(1).expect("code").to_owned();
        let expected = match get.trim() {
            "*nothing*" => Ok(None),
            get if get.starts_with("*left alone:*") => Err(code(get)),
            get => Ok(Some(code(get))),
        };
        let write = code(&write);
        if cfg!(feature = "phone") || !write.contains("phone(") {
            assert_eq!(eval(&write, Value::Null), expected, "{write}");
        }
    }
    assert!(rows > 30, "the table has {rows} rows");
}

/// What any text may be put through. Those with `true` change nothing when they come again.
const FILTERS: [(&str, bool); 15] = [
    ("tidy", true),
    ("name", true),
    ("name('all')", true),
    ("email", true),
    #[cfg(feature = "phone")]
    ("phone('GB')", true),
    #[cfg(not(feature = "phone"))]
    ("tidy", true),
    ("lang", true),
    ("country", true),
    ("date", true),
    ("slug", true),
    ("slug('de')", true),
    ("upper", true),
    ("date('D.M.YYYY')", false),
    ("matches('(a|b)+$')", false),
    ("replace_re('(.)', '$1$1')", false),
    ("split(',')|join('-')", false),
];

#[test]
fn nothing_stays_nothing_and_what_is_missing_stays_missing() {
    for (filter, _) in FILTERS {
        assert_eq!(eval(&format!("x|{filter}"), Value::Null), Ok(None), "{filter}");
        assert_eq!(
            eval(&format!("x|{filter}"), json!(" \u{a0}"))
                .unwrap_or(None)
                .filter(|told| told != "False"),
            None,
            "{filter}"
        );
        let missing = Err("HiBob's answer lacks root.y".to_owned());
        assert_eq!(eval(&format!("y|{filter}"), Value::Null), missing, "{filter}");
    }
    for nothing in [
        "x|trim",
        "x|replace('a', 'b')",
        "x|title",
        "x|length",
        "x|string",
        "x|int",
        "x|join(',')",
        "x|map('tidy')|first",
        "[]|first",
        "[x]|join(',')",
        "first_of(x, x)",
    ] {
        assert_eq!(eval(nothing, Value::Null), Ok(None), "{nothing}");
    }
    for missing in [
        "first_of(y, 'a')",
        "y|or_else('a')",
        "x|or_else(y)",
        "[x, y]|join(' ')",
        "'a'|phone(y)",
        "'a'|matches(y)",
    ] {
        if cfg!(feature = "phone") || !missing.contains("phone") {
            let told = eval(missing, Value::Null);
            assert_eq!(told, Err("HiBob's answer lacks root.y".to_owned()), "{missing}");
        }
    }
    assert_eq!(
        eval("first_of('a', y)", Value::Null),
        Ok(Some("a".to_owned())),
        "it need not look further"
    );
    assert_eq!(eval("list|map('tidy')|join(', ')", Value::Null), Ok(Some("a, b".to_owned())));
}

#[test]
fn only_fields_are_asked_for() {
    let rules = rules("first_of(work.site, x)|matches('^(range|dict)')").expect("it compiles");
    assert_eq!(rules.reads(), ["root.x", "work.site"]);
}

#[test]
fn what_cannot_be_tidied_is_told_without_the_value() {
    for (rule, value, expected) in [
        ("x|tidy", json!(["secret"]), "tidy: it takes a text, not a list"),
        (
            "x|email",
            json!({"secret": 1}),
            "email: it takes a text, not a record with fields of its own",
        ),
        ("x|name", json!(true), "name: it takes a text, not true or false"),
        (
            "'a'|matches(x)",
            json!("(secret"),
            "matches: this is not a regular expression: unclosed group",
        ),
        (
            "'a'|date(x)",
            json!("secret"),
            "date: it is written date or date('DD/MM/YYYY'); YYYY, MM, MMM (Jan), MMMM (January) and DD make up a date",
        ),
        (
            "x|date('DD/MM/YYYY')",
            json!("secret"),
            "date: this is not a date in the form that the rule says",
        ),
        ("x|date('DD/MM/YYYY')", json!("1/2/25"), "date: the year has fewer than four digits"),
        ("x|slug", json!("?!"), "slug: no letter and no digit is left"),
        ("x|tidy", json!("x".repeat(20_000)), "tidy: the text is longer than 10000 bytes"),
        ("x|upper", json!("x".repeat(20_000)), "upper: the text is longer than 10000 bytes"),
        ("x|map('email')|first", json!(["secret"]), "email: a mail address has an @"),
        ("x|join", json!(5), "the rule failed (invalid operation)"),
    ] {
        assert_eq!(eval(rule, value), Err(expected.to_owned()), "{rule}");
    }
    assert_eq!(eval("x|tidy", json!(42)), Ok(Some("42".to_owned())), "a number is a text too");
}

#[test]
fn mistakes_have_the_place_in_the_expression() {
    let told = rules("  'a' if x else x|emial|date('YY')").err().expect("two mistakes");
    let told: Vec<_> =
        told.iter().map(|p| (p.key.as_str(), p.range.clone(), p.message.as_str())).collect();
    assert_eq!(
        told,
        [
            ("rules.fields.job", Some(18..23), "there is no filter emial; email was perhaps meant"),
            (
                "rules.fields.job",
                Some(24..28),
                "date: it is written date or date('DD/MM/YYYY'); a year in two digits could be of \
                 any century"
            ),
        ]
    );
}

#[test]
fn no_pattern_hangs_or_fills_the_memory() {
    for pattern in ["(a+)+$", "(a|a)*b", "(.*)*x", "a{900}b", "(.?){20}x", r"(\\w|\\d)*\\s$"] {
        let _ = eval(&format!("x|matches('{pattern}')"), json!("a".repeat(10_000)));
    }
    for huge in ["(a{1000}){1000}", r"\\w{2000}", "((((a{50}){50}){50}){50})"] {
        let told = rules(&format!("x|matches('{huge}')")).err().expect("it is refused");
        assert_eq!(told[0].message, "matches: the pattern is too large");
    }
    let growing = format!("x{}", "|replace_re('.', '$0$0$0$0$0$0$0$0')".repeat(20));
    let told = eval(&growing, json!("aaaaaaaa"));
    assert_eq!(told, Err("replace_re: the text is longer than 10000 bytes".to_owned()));
}

/// Texts that look like what people type, and texts that do not.
fn texts() -> impl Strategy<Value = String> {
    prop_oneof![
        any::<String>(),
        "[a-zA-ZßİÉéŁǅﬁσΣς'’. -]{0,24}",
        "(VAN|van|de|LA|la|le|Mc|II|III|[A-Za-z]{1,3})( (VAN|van|de|LA|le|mc|II|[A-Za-z]{1,3})){0,4}",
        "[+0-9 ()x#-]{0,20}",
        "[A-Za-z0-9.+İ-]{1,12}@[A-Za-zé0-9.-]{1,14}",
        "[A-Za-z]{2,3}([-_ (][A-Za-z)]{0,8}){0,2}",
        "[0-9]{1,4}[-./][0-9]{1,2}[-./][0-9]{1,4}",
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_text_may_come(value in texts()) {
        thread_local! {
            static COMPILED: Vec<(Rules, Option<Rules>)> = FILTERS
                .iter()
                .map(|(filter, again)| {
                    let compiled = |text: String| rules(&text).unwrap_or_else(|p| panic!("{p:?}"));
                    let twice = again.then(|| compiled(format!("x|{filter}|{filter}")));
                    (compiled(format!("x|{filter}")), twice)
                })
                .collect();
        }
        COMPILED.with(|compiled| {
            for ((once, twice), (filter, _)) in compiled.iter().zip(FILTERS) {
                let told = decide(once, &json!(value));
                if let Err(why) = &told {
                    prop_assert!(value.len() < 4 || !why.contains(&value), "{}: {}", filter, why);
                }
                if let Some(twice) = twice {
                    prop_assert_eq!(&decide(twice, &json!(value)), &told, "{}", filter);
                }
            }
            Ok(())
        })?;
    }
}
