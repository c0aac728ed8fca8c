//! A large company that was linked long ago: both doubles without limits, and a SQLite file.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use instep::clock::Clock;
use instep::model::{AccountId, Field, Link};
use instep::sandbox::{Change, Options, Sandbox};
use instep::store::record;
use instep::store::sqlite::SqliteStore;
use instep::targets::learning360::member;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::runtime::Runtime;

use crate::program::Configuration;

/// A rate that limits nothing.
const UNLIMITED: i64 = 1_000_000;
/// The file of the store.
const FILE: &str = "instep.db";

/// A company whose LMS is in step, without limits on either side.
pub struct Company {
    /// Where the doubles run.
    pub runtime: Runtime,
    /// The doubles.
    pub sandbox: Sandbox,
    /// How the program is configured.
    pub configuration: Configuration,
    /// Where its files lie.
    pub folder: TempDir,
    /// How many accounts are in use.
    pub in_use: usize,
    /// How many are deactivated.
    pub deactivated: usize,
    /// Those whose accounts are in use.
    pub people: Vec<String>,
}

impl Company {
    /// So many people, all of whose accounts are linked in a SQLite file.
    pub fn of(people: usize) -> anyhow::Result<Self> {
        let runtime = Runtime::new()?;
        let options = Options {
            people,
            in_step: true,
            platform: Some("instep-bob".to_owned()),
            limits: false,
            ..Options::default()
        };
        let sandbox = runtime.block_on(Sandbox::start(options, Clock::system()))?;
        let folder = TempDir::new()?;
        let mut configuration = Configuration::of(&sandbox)?;
        let file = folder.path().join(FILE);
        configuration.set("store", "url", format!("sqlite:{}", file.display()));
        configuration.set("source.bob", "searches_per_minute", UNLIMITED);
        configuration.set("source.bob", "timeout_seconds", 60);
        configuration.set("target", "reads_per_second", UNLIMITED);
        configuration.set("target", "writes_per_second", UNLIMITED);
        configuration.set("worker", "lease_seconds", 300);
        configuration.set("worker", "concurrency", 64);
        let linked = link(&sandbox, &file)?;
        let Linked { in_use, deactivated, people } = linked;
        Ok(Self { runtime, sandbox, configuration, folder, in_use, deactivated, people })
    }

    /// The file of the store.
    pub fn file(&self) -> PathBuf {
        self.folder.path().join(FILE)
    }

    /// The surnames of so many people change in HR, from this one on; nobody is told.
    pub fn change(&self, from: usize, many: usize, surname: &str) -> anyhow::Result<()> {
        for id in self.people.iter().cycle().skip(from).take(many) {
            let merge = json!({"surname": surname});
            let change = Change { id: Some(id.clone()), merge, ..Change::default() };
            self.sandbox.change(&change).map_err(anyhow::Error::msg)?;
        }
        Ok(())
    }

    /// The calls that reading the LMS takes at least, from the sizes of its pages.
    pub fn fewest_reads(&self) -> usize {
        let pages = |rows: usize, size: usize| rows.div_ceil(size).max(1);
        pages(self.in_use, 500)
            + pages(self.deactivated, 500)
            + pages(self.in_use + self.deactivated, 5000)
    }
}

/// Whose accounts there are.
#[derive(Default)]
struct Linked {
    in_use: usize,
    deactivated: usize,
    people: Vec<String>,
}

/// A company that was linked long ago: linking it here would take longer than what is measured. One
/// account after the other: a million of them at once would fill the memory.
fn link(sandbox: &Sandbox, file: &Path) -> anyhow::Result<Linked> {
    drop(SqliteStore::open(file, Clock::system())?);
    let mut db = rusqlite::Connection::open(file)?;
    let all = db.transaction()?;
    let mut linked = Linked::default();
    {
        let sql = "INSERT INTO link (source, employee, account, record) VALUES ('bob', ?1, ?2, ?3)";
        let mut write = all.prepare(sql)?;
        let mut failed = Ok(());
        sandbox.each_account(|account| {
            let is_deactivated = account["status"] == "deleted";
            *if is_deactivated { &mut linked.deactivated } else { &mut linked.in_use } += 1;
            let Some(employee) = account["externalIds"][0]["value"].as_str() else { return };
            let written = link_of(&account, employee).and_then(|link| {
                let id = link.account.as_ref().map(AccountId::as_str);
                Ok(write.execute((employee, id, record::write(&link)))?)
            });
            match written {
                Ok(_) if is_deactivated => {}
                Ok(_) => linked.people.push(employee.to_owned()),
                Err(error) => failed = Err(error),
            }
        });
        failed?;
    }
    all.commit()?;
    Ok(linked)
}

/// The link of an account that bears an employee's id, as a worker would have left it.
fn link_of(account: &Value, employee: &str) -> anyhow::Result<Link> {
    let written = [
        Field::Email,
        Field::FirstName,
        Field::LastName,
        Field::Job,
        Field::Organization,
        Field::Phone,
        Field::Lang,
    ];
    let value = |field| account[member(field)].as_str().map(str::to_owned);
    let applied: BTreeMap<Field, Option<String>> =
        written.into_iter().map(|field| (field, value(field))).collect();
    Ok(Link {
        account: account["_id"].as_str().map(AccountId::new),
        status: Some(serde_json::from_value(account["status"].clone())?),
        applied,
        external_id: Some(employee.to_owned()),
        ..Link::default()
    })
}
