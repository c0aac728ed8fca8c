//! The file, table by table: which keys there are, their bounds, and what must fit together. The
//! far ends' tables are in `ends`, the rules in `rules`.
//!
//! The example configuration stands behind every table, so a default is written nowhere else.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use super::address::public_url;
use super::console::console;
use super::ends::{sources, target};
use super::maintenance;
use super::notify::{mail, notify, report};
use super::rules;
use super::secret::Vault;
use super::store::store;
use super::table::Table;
use super::telemetry::telemetry;
use super::value::{Value, printable};
use super::{
    ConsoleSettings, HiBobSettings, Learning360Settings, MailSettings, NotifySettings, Origin,
    ReportSettings, RuleSettings, ServerSettings, StoreSettings, SyncSettings, TelemetrySettings,
    WindowSettings, WorkerSettings,
};

/// Calls to the target, one after the other, after which a new account is usable and known to be
/// somebody's: two rounds to find, create, activate, change, external id. What follows (custom
/// fields, groups, a manager) is safe to be repeated: no call begins that could end after the lease,
/// and the next one goes on where this one ended.
const TARGET_CALLS: u32 = 6;

/// Seconds of a day.
pub(super) const DAY: u32 = 24 * 60 * 60;

/// Everything the file says. `None` where a problem was noted.
pub(super) struct Parts {
    pub server: ServerSettings,
    pub console: ConsoleSettings,
    pub store: StoreSettings,
    pub worker: WorkerSettings,
    pub sync: SyncSettings,
    pub windows: Vec<WindowSettings>,
    pub sources: BTreeMap<String, HiBobSettings>,
    pub target: Option<Learning360Settings>,
    pub mail: Option<MailSettings>,
    pub report: ReportSettings,
    pub notify: NotifySettings,
    pub telemetry: TelemetrySettings,
}

/// Reads the whole file. It is right only if nothing was noted in `root.notes`.
pub(super) fn read(root: Table<'_>, origin: &Origin, vault: Vault<'_>) -> Parts {
    let server = server(root.table("server"));
    let console = console(root.table("console"), &server, vault);
    let store = store(root.table("store"), vault);
    let worker_table = root.table("worker");
    let worker = worker(&worker_table);
    let rules = shared_rules(&root, origin);
    let sources = sources(&root, vault, &rules);
    if root.get("target").is_none() {
        root.missing(&["target"], "target", "the table [target] is missing: where accounts live");
    }
    let target = target(root.table("target"), vault);
    if let (Some(source), Some(target)) = (sources.values().map(|s| s.timeout).max(), &target) {
        let calls = target.timeout * TARGET_CALLS;
        if worker.lease <= source + calls {
            let message = format!(
                "a lease of {} s does not outlast one attempt, which may take {} s: {} s to read \
                 from the source and {TARGET_CALLS} calls of {} s to the target; set it to {} or \
                 more, or lower a timeout_seconds",
                worker.lease.as_secs(),
                (source + calls).as_secs(),
                source.as_secs(),
                target.timeout.as_secs(),
                (source + calls).as_secs() + 1,
            );
            worker_table.wrong("lease_seconds", message);
        }
    }
    let sync = super::sync::read(&root);
    let windows = maintenance::read(&root, &sources);
    if store.keep_deliveries <= sync.brake.approval {
        let given = |table: &'static str, key| {
            root.get(table)?.get_ref().as_table()?.get(key).map(toml::Spanned::span)
        };
        let message = format!(
            "runs are kept for {} days and no longer, and a held change can be approved for {} \
             hours: keep them longer, or lower [brake] approval_hours",
            store.keep_deliveries.as_secs() / u64::from(DAY),
            sync.brake.approval.as_secs() / 3600,
        );
        let span = given("store", "keep_deliveries_days").or(given("brake", "approval_hours"));
        root.notes.wrong("store.keep_deliveries_days", span, message);
    }
    worker_table.finish();
    let mail = mail(root.table("mail"), vault);
    let report = report(root.table("report"));
    let notify = notify(root.table("notify"), vault);
    let telemetry = telemetry(root.table("telemetry"), vault);
    root.finish();
    Parts {
        server,
        console,
        store,
        worker,
        sync,
        windows,
        sources,
        target,
        mail,
        report,
        notify,
        telemetry,
    }
}

/// `[rules]`: for every source that names no file of its own.
fn shared_rules(root: &Table<'_>, origin: &Origin) -> RuleSettings {
    let sources = root.get("source").and_then(|sources| sources.get_ref().as_table());
    let names_a_file = |source: &Value<'_>| {
        source.get_ref().as_table().is_some_and(|source| source.get("rules").is_some())
    };
    let nobody =
        sources.is_some_and(|sources| !sources.is_empty() && sources.values().all(names_a_file));
    if root.get("rules").is_none() {
        if !nobody {
            let message = "the table [rules] is missing: who is in scope, who is active, and \
                           [rules.fields]";
            root.missing(&["rules"], "rules", message);
        }
        return rules::blank();
    }
    if nobody {
        root.warn(
            "rules",
            "is for nobody: every source names a file of rules; take one of them out",
        );
    }
    rules::read(root.table("rules"), origin)
}

fn server(table: Table<'_>) -> ServerSettings {
    let listen = table.text_or_default("listen");
    let listen = listen.parse().unwrap_or_else(|_| {
        // What is not text was noted already.
        if table.get("listen").is_some_and(|value| value.get_ref().is_str()) {
            let found = printable(listen);
            let message = format!(
                "expected an IP address and a port, as in \"127.0.0.1:8080\", found \"{found}\""
            );
            table.wrong("listen", message);
        }
        SocketAddr::from(([127, 0, 0, 1], 0))
    });
    let settings = ServerSettings {
        listen,
        body_limit: table.size("body_limit", 1024..=16 * 1024 * 1024),
        webhooks_per_second: table.number("webhooks_per_second", 1..=1_000_000),
        connections: table.size("connections", 1..=65_536),
        shutdown: table.seconds("shutdown_seconds", 1..=600),
        public_url: public_url(&table),
    };
    table.finish();
    settings
}

fn worker(table: &Table<'_>) -> WorkerSettings {
    let settings = WorkerSettings {
        lease: table.seconds("lease_seconds", 1..=3600),
        concurrency: table.size("concurrency", 1..=1024),
        attempts: table.number("attempts", 1..=100),
        first_retry: table.seconds("first_retry_seconds", 1..=3600),
        longest_retry: table.seconds("longest_retry_seconds", 1..=86_400),
        second_look: table.seconds("second_look_seconds", 0..=3600),
    };
    let (first, longest) = (settings.first_retry.as_secs(), settings.longest_retry.as_secs());
    if longest < first {
        let message = format!("{longest} is less than first_retry_seconds, which is {first}");
        table.wrong("longest_retry_seconds", message);
    }
    settings
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::path::Path;

    use toml::de::{DeTable, DeValue};

    use super::super::notes::Notes;
    use super::super::secret::Vault;
    use super::super::table::Table;
    use super::super::{EXAMPLE, Origin, switched_on, veil};

    fn keys(path: &str, table: &DeTable<'_>, found: &mut BTreeSet<String>) {
        for (key, value) in table {
            let full = format!("{path}{}", key.get_ref());
            match value.get_ref() {
                DeValue::Table(table) => keys(&format!("{full}."), table, found),
                DeValue::Array(list) => {
                    for table in list.iter().filter_map(|value| value.get_ref().as_table()) {
                        keys(&format!("{full}."), table, found);
                    }
                }
                _ => {}
            }
            found.insert(full);
        }
    }

    #[test]
    fn the_example_has_every_key_that_is_read_and_no_other() {
        let text = switched_on();
        let (given, example) = (DeTable::parse(&text).unwrap(), DeTable::parse(EXAMPLE).unwrap());
        let notes = Notes::default();
        let (given, example) = (given.get_ref(), example.get_ref());
        let root = Table::new(&notes, String::new(), None, Some(given), Some(example));
        let env = |_: &str| Some("secret".to_owned());
        let origin = Origin { path: "instep.toml".into(), text: text.clone() };
        super::read(root, &origin, Vault { env: &env, folder: Path::new(""), notes: &notes });

        let mut asked: BTreeSet<String> = notes.asked.take().into_iter().collect();
        // A secret's other place.
        asked.retain(|key| key.starts_with("rules.") || key.rsplit('.').next() != Some("file"));
        // A limit has a ceiling only where somebody wants one.
        asked.retain(|key| key.rsplit('.').next() != Some("most"));
        let mut found = BTreeSet::new();
        keys("", given, &mut found);
        // These names are the administrator's.
        let named = |key: &String| {
            ["rules.filters.", "rules.custom_fields."].iter().any(|table| key.starts_with(table))
        };
        found.retain(|key| !named(key));
        asked.retain(|key| !named(key));
        assert_eq!(asked, found);

        let tables = [
            "server",
            "console",
            "oidc",
            "store",
            "worker",
            "source",
            "target",
            "rules",
            "filters",
            "fields",
            "bob",
            "custom_fields",
            "groups",
            "departments",
            "tables",
            "sites",
            "match",
            "joiner",
            "leaver",
            "schedule",
            "certificate",
            "absent",
            "brake",
            "deactivations_per_hour",
            "mail",
            "report",
            "notify",
            "password",
            "chat",
            "telemetry",
            "maintenance",
            "release",
            "replay",
        ];
        let kinds = crate::model::ChangeKind::ALL.map(crate::model::ChangeKind::word);
        for key in &found {
            let last = key.rsplit('.').next().unwrap();
            let is_table = tables.contains(&last) || kinds.contains(&last);
            let known = veil::is_known(last) || last == "env" || is_table;
            assert!(known, "{key}: may its value be shown? Say so in show.rs");
        }
    }
}
