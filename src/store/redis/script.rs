//! The scripts, and how one is called: by its hash, with its whole text only when Redis does not
//! know it yet (after a restart, a failover or SCRIPT FLUSH).

use std::sync::LazyLock;
use std::time::Duration;

use redis::{
    Arg, Cmd, ErrorKind, RedisError, RedisResult, ServerErrorKind, ToRedisArgs, Value, cmd,
};

use super::connect::{Connection, PATIENCE};
use crate::clock::Stopwatch;
use crate::store::count_call;

/// A script and its hash.
pub struct Script {
    /// Its name in the metrics: `accept`.
    name: &'static str,
    text: &'static str,
    hash: String,
}

macro_rules! scripts {
    ($($(#[$doc:meta])* $name:ident = $($part:literal)+;)+) => {$(
        $(#[$doc])*
        pub static $name: LazyLock<Script> = LazyLock::new(|| {
            Script::new(stringify!($name), concat!($(include_str!($part), "\n"),+))
        });
    )+};
}

scripts! {
    /// Takes an event in.
    ACCEPT = "clock.lua" "accept.lua";
    /// Leases persons.
    LEASE = "clock.lua" "keys.lua" "person.lua" "lease.lua";
    /// Ends a lease.
    SETTLE = "clock.lua" "keys.lua" "person.lua" "settle.lua";
    /// Writes a link while its lease goes on.
    SAVE_LINK = "clock.lua" "keys.lua" "person.lua" "save_link.lua";
    /// Takes a link away.
    UNLINK = "clock.lua" "keys.lua" "person.lua" "unlink.lua";
    /// A part of all fields of a hash: of the links, of everything.
    LINKS = "links.lua";
    /// Leaves a tombstone.
    FORGET = "clock.lua" "keys.lua" "person.lua" "forget.lua";
    /// Puts a delivery or link in the place of another.
    SWAP = "clock.lua" "keys.lua" "person.lua" "swap.lua";
    /// Puts a text in the place of another.
    SWAP_FIELD = "swap_field.lua";
    /// Puts an item in the place of another.
    SWAP_ITEM = "swap_item.lua";
    /// Takes in events of another store.
    RESTORE_EVENTS = "restore_events.lua";
    /// Takes in deliveries of another store.
    RESTORE_DELIVERIES = "clock.lua" "keys.lua" "restore_deliveries.lua";
    /// Takes in links of another store.
    RESTORE_LINKS = "clock.lua" "keys.lua" "person.lua" "restore_links.lua";
    /// Writes or removes a note.
    PUT_NOTE = "put_note.lua";
    /// Writes an entry of the audit log.
    WRITE_AUDIT = "write_audit.lua";
    /// Lets go of old entries of the audit log.
    TRIM_AUDIT = "trim_audit.lua";
    /// Writes a run.
    SAVE_RUN = "save_run.lua";
    /// Writes items of a run.
    SAVE_ITEMS = "save_items.lua";
    /// Keeps a page of what a run has read.
    SAVE_PAGE = "save_page.lua";
    /// Lets go of an old run and its items.
    TRIM_RUN = "trim_run.lua";
    /// Counts who can be leased.
    DUE = "clock.lua" "keys.lua" "due.lua";
    /// Makes settled deliveries wait again.
    REPLAY = "clock.lua" "keys.lua" "replay.lua";
    /// Closes dead letters.
    CLOSE = "close.lua";
    /// A page of ids.
    PAGE = "page.lua";
    /// How much there is.
    DEPTH = "clock.lua" "depth.lua";
    /// Lets go of old deliveries.
    TRIM_DELIVERIES = "trim_deliveries.lua";
    /// Lets go of old events.
    TRIM_EVENTS = "trim_events.lua";
    /// Takes calls from a budget.
    GRANT = "clock.lua" "grant.lua";
    /// Closes a budget for a while.
    PAUSE = "clock.lua" "pause.lua";
}

impl Script {
    fn new(name: &str, text: &'static str) -> Self {
        // There are as many as there are scripts, and each lives as long as the program.
        let name = name.to_ascii_lowercase().leak();
        Self { name, text, hash: redis::Script::new(text).get_hash().to_owned() }
    }

    /// A call on these keys; every key that the script touches is among them.
    pub fn on<K: AsRef<str>>(&'static self, keys: &[K]) -> Call {
        let mut command = Cmd::with_capacity(keys.len() + 16, 2048);
        command.arg("EVALSHA").arg(&self.hash).arg(keys.len());
        for key in keys {
            command.arg(key.as_ref());
        }
        Call { script: self, command }
    }
}

/// A call of a script.
pub struct Call {
    script: &'static Script,
    command: Cmd,
}

impl Call {
    /// Adds an argument.
    pub fn arg(mut self, value: impl ToRedisArgs) -> Self {
        self.command.arg(value);
        self
    }

    /// Runs it. It may run twice when the connection breaks.
    ///
    /// # Errors
    /// What Redis or the network said.
    pub async fn run(&self, connection: &Connection) -> RedisResult<Value> {
        self.run_patiently(connection, PATIENCE).await
    }

    /// Runs it, and goes on trying for so long while Redis cannot be reached.
    ///
    /// # Errors
    /// What Redis or the network said.
    pub async fn run_patiently(
        &self,
        connection: &Connection,
        patience: Duration,
    ) -> RedisResult<Value> {
        let watch = Stopwatch::start();
        let answer = match connection.send(&self.command, patience).await {
            Err(error) if is_unknown(&error) => connection.send(&self.with_text(), patience).await,
            answer => answer,
        };
        count_call(self.script.name, watch.took(), answer.is_err());
        answer
    }

    /// The same call with the whole text of the script in place of its hash.
    fn with_text(&self) -> Cmd {
        let mut command = cmd("EVAL");
        command.arg(self.script.text);
        for part in self.command.args_iter().skip(2) {
            if let Arg::Simple(part) = part {
                command.arg(part);
            }
        }
        command
    }
}

fn is_unknown(error: &RedisError) -> bool {
    error.kind() == ErrorKind::Server(ServerErrorKind::NoScript)
}
