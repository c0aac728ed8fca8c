//! The program under test: `instep serve` as a child process, with a configuration of its own.

use std::fs::File;
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};
use instep::app;
use instep::config;
use instep::provisioning::rules::Rules;
use instep::sandbox::Sandbox;
use toml::{Table, Value};

use crate::redis_server::Server;

/// How long a start may take.
const PATIENCE: Duration = Duration::from_secs(20);

/// The prefix of all keys on Redis.
const NAMESPACE: &str = "bench";

/// A configuration, and what is left of the sandbox's own where nothing else was said.
pub struct Configuration {
    table: Table,
}

impl Configuration {
    /// One that connects to this sandbox. It takes as many webhooks as come.
    pub fn of(sandbox: &Sandbox) -> anyhow::Result<Self> {
        let mut configuration = Self { table: sandbox.config_toml().parse()? };
        configuration.set("server", "webhooks_per_second", 1_000_000);
        configuration.set("store", "namespace", NAMESPACE);
        Ok(configuration)
    }

    /// Sets a key of a section; `source.bob` for a section within a section.
    pub fn set(&mut self, section: &str, key: &str, value: impl Into<Value>) {
        let mut table = &mut self.table;
        for part in section.split('.') {
            let inner = table.entry(part).or_insert_with(|| Value::Table(Table::new()));
            let Value::Table(inner) = inner else { return };
            table = inner;
        }
        table.insert(key.to_owned(), value.into());
    }

    /// Writes it into a folder; says where.
    pub fn write(&self, folder: &Path) -> anyhow::Result<PathBuf> {
        let file = folder.join("instep.toml");
        std::fs::write(&file, self.table.to_string())?;
        Ok(file)
    }

    /// The rules that it holds.
    pub fn rules(&self) -> anyhow::Result<Rules> {
        let text = self.table.to_string();
        let loaded = config::parse(Path::new("bench.toml"), &text, &|_| None)
            .map_err(|failed| anyhow::anyhow!("{:?}", failed.problems))?;
        let source = loaded.settings.sources.values().next().context("a source")?;
        app::compile(&source.rules).map_err(|problems| anyhow::anyhow!("{problems:?}"))
    }
}

/// The program, running.
pub struct Program {
    child: Child,
    log: PathBuf,
    /// Where it listens.
    pub address: SocketAddr,
}

impl Program {
    /// Starts it in these roles with its files in `folder`, and waits until it is ready.
    ///
    /// # Errors
    /// When it does not become ready.
    pub fn start(
        configuration: &mut Configuration,
        roles: &str,
        folder: &Path,
    ) -> anyhow::Result<Self> {
        let program = Self::begin(configuration, roles, folder)?;
        let began = Instant::now();
        while !is_ready(program.address) {
            if began.elapsed() > PATIENCE {
                bail!("instep serve does not become ready:\n{}", program.complaints());
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        Ok(program)
    }

    /// Starts it and does not wait.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn begin(
        configuration: &mut Configuration,
        roles: &str,
        folder: &Path,
    ) -> anyhow::Result<Self> {
        let address = TcpListener::bind(("127.0.0.1", 0))?.local_addr()?;
        configuration.set("server", "listen", address.to_string());
        let file = configuration.write(folder)?;
        let log = folder.join("log");
        let child = Command::new(env!("CARGO_BIN_EXE_instep"))
            .arg("--config")
            .arg(&file)
            .args(["serve", "--role", roles])
            .current_dir(folder)
            .env_remove("INSTEP_LOG")
            .env_remove("RUST_LOG")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(File::options().create(true).append(true).open(&log)?)
            .spawn()
            .context("instep")?;
        Ok(Self { child, log, address })
    }

    /// The most memory that it ever held, in KiB.
    ///
    /// # Errors
    /// When it runs no more.
    pub fn most_memory(&self) -> anyhow::Result<u64> {
        most_memory(self.child.id())
    }

    /// The last errors and warnings in its log.
    fn complaints(&self) -> String {
        // What was just settled is logged a moment later.
        std::thread::sleep(Duration::from_millis(100));
        let log = std::fs::read_to_string(&self.log).unwrap_or_default();
        let of_note = |line: &&str| !line.contains(" INFO ");
        let mut last: Vec<&str> = log.lines().rev().filter(of_note).take(5).collect();
        last.reverse();
        last.join("\n")
    }

    /// Waits until all deliveries are done; says how long that took from `began`.
    ///
    /// # Errors
    /// When it takes longer than `patience`, or one ends otherwise.
    pub fn until_done(
        &self,
        redis: &Server,
        count: usize,
        began: Instant,
        patience: Duration,
    ) -> anyhow::Result<Duration> {
        loop {
            let done = deliveries(redis, "done");
            if done >= count {
                return Ok(began.elapsed());
            }
            let dead = deliveries(redis, "dead");
            ensure!(dead == 0, "{dead} dead letters\n{}", self.complaints());
            ensure!(
                began.elapsed() < patience,
                "{done} of {count} are done after {patience:?}\n{}",
                self.complaints()
            );
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Stops it as an operator would.
    ///
    /// # Errors
    /// When it does not end well.
    pub fn stop(mut self) -> anyhow::Result<()> {
        let asked = Command::new("kill").arg(self.child.id().to_string()).status()?;
        ensure!(asked.success(), "kill");
        let ended = self.child.wait()?;
        ensure!(ended.success(), "instep serve ended with {ended}");
        Ok(())
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The most memory that a process ever held, in KiB.
///
/// # Errors
/// When it runs no more.
pub fn most_memory(process: u32) -> anyhow::Result<u64> {
    let status = std::fs::read_to_string(format!("/proc/{process}/status"))?;
    let line = status.lines().find(|line| line.starts_with("VmHWM:"));
    let kib = line.and_then(|line| line.split_whitespace().nth(1)?.parse().ok());
    kib.context("it has ended")
}

/// Whether it answers that it can take webhooks in.
fn is_ready(address: SocketAddr) -> bool {
    use std::io::{Read, Write};
    let ask = || {
        let mut stream = std::net::TcpStream::connect(address)?;
        stream
            .write_all(b"GET /health/ready HTTP/1.1\r\nhost: bench\r\nconnection: close\r\n\r\n")?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        std::io::Result::Ok(answer.starts_with("HTTP/1.1 200"))
    };
    ask().unwrap_or(false)
}

/// How many deliveries there are on Redis in a state: `done`, `waiting`.
fn deliveries(redis: &Server, state: &str) -> usize {
    redis.ask(redis::cmd("ZCARD").arg(format!("{{{NAMESPACE}}}:{state}")))
}
