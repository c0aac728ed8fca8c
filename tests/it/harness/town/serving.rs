//! The real binary, serving: started, watched, ended gently or not. It never outlives its value.

use std::fs::File;
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

use instep::clock::{Clock, Deadline};

use super::{INSTEP, LOOK, PATIENCE};

/// One `instep serve`.
pub struct Serving {
    child: Child,
    log: PathBuf,
    address: String,
    clock: Clock,
}

impl Serving {
    /// The binary, or a program that becomes it.
    pub(super) fn command(program: &[&str]) -> Command {
        let mut words = program.iter().copied().chain([INSTEP]);
        let mut command = Command::new(words.next().unwrap_or(INSTEP));
        command.args(words).env("NO_COLOR", "1").env_remove("INSTEP_LOG").env_remove("RUST_LOG");
        command
    }

    pub(super) fn start(mut command: Command, log: PathBuf, clock: Clock) -> Self {
        let written = File::create(&log).expect("a log");
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(written);
        let child = command.spawn().expect("the binary runs");
        Self { child, log, address: String::new(), clock }
    }

    pub(super) async fn wait_until_ready(&mut self, http: &reqwest::Client) {
        let patience = Deadline::after(PATIENCE);
        loop {
            if self.address.is_empty() {
                self.address = listening(&self.log()).unwrap_or_default();
            }
            if !self.address.is_empty() {
                let answer = http.get(self.url("/health/ready")).send().await;
                if answer.is_ok_and(|answer| answer.status() == 200) {
                    return;
                }
            }
            let ended = self.child.try_wait().expect("its state");
            assert!(
                ended.is_none() && !patience.left().is_zero(),
                "not ready, ended: {ended:?}\n{}",
                self.log()
            );
            tokio::time::sleep(LOOK).await;
        }
    }

    /// An address of it: `/metrics`.
    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// Its process.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Everything it has logged so far.
    pub fn log(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// Ends it at once, as a crash would.
    pub fn kill(mut self) {
        self.end();
    }

    /// Asks it to end and waits until it has: how it ended, and after how long.
    pub async fn terminate(mut self) -> (ExitStatus, Duration) {
        let began = self.clock.now();
        self.signal("-TERM");
        let status = self.ended().await;
        let took = self.clock.now().duration_since(began);
        (status, Duration::try_from(took).unwrap_or_default())
    }

    /// Sends it a signal: `-STOP`.
    pub fn signal(&self, signal: &str) {
        let pid = self.pid().to_string();
        let done = Command::new("kill").args([signal, &pid]).status().expect("kill");
        assert!(done.success(), "kill {signal} {pid}");
    }

    /// Waits until it has ended by itself.
    pub async fn ended(&mut self) -> ExitStatus {
        let patience = Deadline::after(PATIENCE);
        loop {
            if let Some(status) = self.child.try_wait().expect("its state") {
                return status;
            }
            assert!(!patience.left().is_zero(), "it does not end\n{}", self.log());
            tokio::time::sleep(LOOK).await;
        }
    }

    fn end(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        self.end();
    }
}

/// Where it says that it listens.
fn listening(log: &str) -> Option<String> {
    let line = log.lines().find(|line| line.contains("listening"))?;
    let at = line.find("127.0.0.1:")?;
    let address = &line[at..];
    let end = address.rfind(|c: char| c.is_ascii_digit()).map_or(address.len(), |last| last + 1);
    let text: String =
        address[..end].chars().take_while(|c| c.is_ascii_digit() || ".:".contains(*c)).collect();
    Some(text)
}
