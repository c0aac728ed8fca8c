//! Real Redis servers for tests: on loopback, on ports of their own, with their files in a temporary
//! folder. They end with the value that holds them, and with the test process at the latest.

use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, OnceLock};
use std::time::Duration;

use instep::clock::Deadline;
use redis::{FromRedisValue, cmd};
use tempfile::TempDir;

/// How long anything here may take.
const PATIENCE: Duration = Duration::from_secs(20);

/// What a server needs to lose nothing.
const DURABLE: &str = "appendonly yes\nappendfsync always";

/// Runs a server and ends it when standard input ends, however the test process ends.
const KEEPER: &str = r#""$@" >/dev/null 2>&1 & echo $!; read -r _; kill -9 $!; wait"#;

/// One server.
pub struct Server {
    port: u16,
    /// Lines of its configuration.
    options: String,
    mode: &'static [&'static str],
    folder: TempDir,
    running: Mutex<Option<Running>>,
}

struct Running {
    keeper: Child,
    pid: String,
}

impl Server {
    /// A single server that loses nothing and evicts nothing.
    pub fn single() -> Self {
        Self::with(DURABLE)
    }

    /// A server with these lines in its configuration.
    pub fn with(options: &str) -> Self {
        Self::new(&format!("save \"\"\nmaxmemory-policy noeviction\n{options}"), &[])
    }

    fn new(options: &str, mode: &'static [&'static str]) -> Self {
        // Somebody else may take the free port first.
        for _ in 0..10 {
            let server = Self {
                port: free_port(),
                options: options.to_owned(),
                mode,
                folder: TempDir::new().expect("a folder"),
                running: Mutex::new(None),
            };
            if server.try_start() {
                return server;
            }
        }
        panic!("redis-server does not start; is it installed?");
    }

    /// Where it is.
    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    /// Its port.
    pub fn port(&self) -> u16 {
        self.port
    }

    fn try_start(&self) -> bool {
        let file = self.folder.path().join("redis.conf");
        if !file.exists() {
            let options = format!("port {}\nbind 127.0.0.1\n{}\n", self.port, self.options);
            std::fs::write(&file, options).expect("its configuration");
        }
        let mut keeper = Command::new("sh")
            .args(["-c", KEEPER, "keeper", "redis-server", "redis.conf"])
            .args(self.mode)
            .current_dir(self.folder.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("sh");
        let mut pid = String::new();
        let output = keeper.stdout.take().expect("piped");
        BufReader::new(output).read_line(&mut pid).expect("the pid");
        let pid = pid.trim().to_owned();
        // Another server that took the port first is not ours.
        let ours = format!("process_id:{pid}\r");
        *self.running.lock().expect("running") = Some(Running { keeper, pid });
        let patience = Deadline::after(Duration::from_secs(5));
        while !patience.left().is_zero() {
            let info: Option<String> = self.try_ask(cmd("INFO").arg("server"));
            let loaded: Option<String> = self.try_ask(&cmd("PING"));
            if loaded.is_some() && info.is_some_and(|info| info.contains(&ours)) {
                return true;
            }
            std::thread::park_timeout(Duration::from_millis(5));
        }
        self.stop();
        false
    }

    /// Starts it again on the same port with the same files.
    pub fn start(&self) {
        assert!(self.try_start(), "redis-server starts again");
    }

    /// Ends it at once, as a crash would.
    pub fn stop(&self) {
        if let Some(mut running) = self.running.lock().expect("running").take() {
            drop(running.keeper.stdin.take());
            running.keeper.wait().expect("the keeper ends");
        }
    }

    /// Ends it at once and starts it again.
    pub fn restart(&self) {
        self.stop();
        self.start();
    }

    /// Stops answering, while connections stay open.
    pub fn pause(&self) {
        self.signal("-STOP");
    }

    /// Goes on after a pause.
    pub fn resume(&self) {
        self.signal("-CONT");
    }

    fn signal(&self, signal: &str) {
        let running = self.running.lock().expect("running");
        let pid = &running.as_ref().expect("it runs").pid;
        let done = Command::new("kill").args([signal, pid]).status().expect("kill");
        assert!(done.success());
    }

    /// Cuts all connections of clients.
    pub fn kill_connections(&self) {
        self.ask::<i64>(cmd("CLIENT").arg("KILL").arg("TYPE").arg("normal"));
    }

    /// Empties it.
    pub fn flush(&self) {
        self.ask::<()>(&cmd("FLUSHALL"));
    }

    /// Sends it a command.
    pub fn ask<T: FromRedisValue>(&self, command: &redis::Cmd) -> T {
        let connection = self.connection(PATIENCE);
        command.query(&mut connection.expect("a connection")).expect("an answer")
    }

    /// Sends it a command; nothing when it does not answer.
    pub fn try_ask<T: FromRedisValue>(&self, command: &redis::Cmd) -> Option<T> {
        command.query(&mut self.connection(Duration::from_secs(2)).ok()?).ok()
    }

    /// One that is there, and answers, within this time: the machine may be busy.
    fn connection(&self, within: Duration) -> redis::RedisResult<redis::Connection> {
        let connection = redis::Client::open(self.url())?.get_connection_with_timeout(within)?;
        connection.set_read_timeout(Some(within.max(Duration::from_secs(10))))?;
        Ok(connection)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop();
    }
}

/// One server for all tests that need no server of their own; each takes a [`namespace`].
pub fn shared() -> &'static Server {
    static SHARED: OnceLock<Server> = OnceLock::new();
    SHARED.get_or_init(Server::single)
}

/// A namespace that nobody else uses.
pub fn namespace() -> String {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    format!("test-{}", COUNT.fetch_add(1, Ordering::Relaxed))
}

/// Three masters that share the slots.
pub struct Cluster {
    /// The masters.
    pub nodes: Vec<Server>,
}

impl Cluster {
    /// A cluster that is ready.
    pub fn start() -> Self {
        let nodes: Vec<_> = (0..3)
            .map(|_| {
                Server::with(&format!(
                    "cluster-enabled yes\ncluster-port {}\ncluster-node-timeout 2000\n{DURABLE}",
                    free_port()
                ))
            })
            .collect();
        for (node, slots) in nodes.iter().zip([(0, 5460), (5461, 10922), (10923, 16383)]) {
            node.ask::<()>(cmd("CLUSTER").arg("ADDSLOTSRANGE").arg(slots.0).arg(slots.1));
        }
        for (n, node) in nodes.iter().enumerate() {
            node.ask::<()>(cmd("CLUSTER").arg("SET-CONFIG-EPOCH").arg(n + 1));
        }
        for node in &nodes[1..] {
            let bus: Vec<String> = node.ask(cmd("CONFIG").arg("GET").arg("cluster-port"));
            nodes[0]
                .ask::<()>(cmd("CLUSTER").arg("MEET").arg("127.0.0.1").arg(node.port).arg(&bus[1]));
        }
        wait_for("the cluster", || {
            nodes.iter().all(|node| {
                let info: String = node.ask(cmd("CLUSTER").arg("INFO"));
                info.contains("cluster_state:ok") && info.contains("cluster_known_nodes:3")
            })
        });
        Self { nodes }
    }

    /// One for all tests.
    pub fn shared() -> &'static Self {
        static SHARED: OnceLock<Cluster> = OnceLock::new();
        SHARED.get_or_init(Self::start)
    }

    /// Where it is; the first node answers for all.
    pub fn url(&self) -> String {
        format!("redis+cluster://127.0.0.1:{}", self.nodes[0].port)
    }

    /// The node that has this key.
    pub fn owner(&self, key: &str) -> &Server {
        let has_it = |node: &&Server| node.try_ask::<i64>(cmd("EXISTS").arg(key)).is_some();
        self.nodes.iter().find(has_it).expect("somebody has this slot")
    }

    /// Moves the slot of this key, with all keys in it, to the node with this port.
    pub fn move_slot_of(&self, key: &str, to: u16) {
        let slot: u16 = self.nodes[0].ask(cmd("CLUSTER").arg("KEYSLOT").arg(key));
        let from = self.owner(key);
        let to = self.nodes.iter().find(|node| node.port == to).expect("a node");
        let id = |node: &Server| node.ask::<String>(cmd("CLUSTER").arg("MYID"));
        let set = |node: &Server, what: &str, other: &Server| {
            node.ask::<()>(cmd("CLUSTER").arg("SETSLOT").arg(slot).arg(what).arg(id(other)));
        };
        set(to, "IMPORTING", from);
        set(from, "MIGRATING", to);
        let keys: Vec<String> = from.ask(cmd("CLUSTER").arg("GETKEYSINSLOT").arg(slot).arg(1000));
        let mut migrate = cmd("MIGRATE");
        migrate.arg("127.0.0.1").arg(to.port).arg("").arg(0).arg(5000).arg("KEYS").arg(keys);
        from.ask::<()>(&migrate);
        for node in [to, from] {
            set(node, "NODE", to);
        }
    }
}

/// A master, its replica and one Sentinel.
pub struct Sentinel {
    /// The first of the two, at first the master.
    pub master: Server,
    /// The other.
    pub replica: Server,
    watcher: Server,
}

impl Sentinel {
    /// A group that fails over when its master does not answer for so long.
    pub fn start(down_after: Duration) -> Self {
        let [master, replica] = [Server::single(), Server::single()];
        replica.ask::<()>(cmd("REPLICAOF").arg("127.0.0.1").arg(master.port));
        let group = Self { watcher: Server::new("", &["--sentinel"]), master, replica };
        group.watcher.ask::<()>(
            cmd("SENTINEL").arg("MONITOR").arg(NAME).arg("127.0.0.1").arg(group.master.port).arg(1),
        );
        let down_after = down_after.as_millis();
        for (option, value) in [("down-after-milliseconds", down_after), ("failover-timeout", 3000)]
        {
            group.watcher.ask::<()>(cmd("SENTINEL").arg("SET").arg(NAME).arg(option).arg(value));
        }
        wait_for("the replica", || {
            let info: String = group.watcher.ask(cmd("INFO").arg("sentinel"));
            let caught_up: String = group.replica.ask(cmd("INFO").arg("replication"));
            info.contains("slaves=1") && caught_up.contains("master_link_status:up")
        });
        group
    }

    /// A group that does not fail over, however busy the machine is.
    pub fn steady() -> Self {
        Self::start(Duration::from_secs(300))
    }

    /// One for all tests that leave it as it is.
    pub fn shared() -> &'static Self {
        static SHARED: OnceLock<Sentinel> = OnceLock::new();
        SHARED.get_or_init(Self::steady)
    }

    /// Where it is.
    pub fn url(&self) -> String {
        format!("redis+sentinel://127.0.0.1:{}/{NAME}", self.watcher.port)
    }

    /// The port of the master, as the Sentinel knows it.
    pub fn master_port(&self) -> u16 {
        let address: (String, u16) =
            self.watcher.ask(cmd("SENTINEL").arg("GET-MASTER-ADDR-BY-NAME").arg(NAME));
        address.1
    }

    /// Tells the Sentinel to make the replica the master.
    pub fn fail_over(&self) {
        // Refused while it does not know enough of the replica.
        wait_for("the failover", || {
            self.watcher.try_ask::<()>(cmd("SENTINEL").arg("FAILOVER").arg(NAME)).is_some()
        });
    }

    /// Whether this one of the two follows the other.
    pub fn is_following(server: &Server) -> bool {
        let info: Option<String> = server.try_ask(cmd("INFO").arg("replication"));
        info.is_some_and(|info| {
            info.contains("role:slave") && info.contains("master_link_status:up")
        })
    }

    /// Whether the replica has all that the master wrote.
    pub fn is_copied(&self) -> bool {
        let offset = |server: &Server| {
            let info: String = server.ask(cmd("INFO").arg("replication"));
            let offset = info.lines().find_map(|line| line.strip_prefix("master_repl_offset:"));
            offset.and_then(|offset| offset.trim().parse::<i64>().ok()).expect("an offset")
        };
        offset(&self.master) == offset(&self.replica)
    }
}

/// The name of the master in Sentinel groups.
const NAME: &str = "mymaster";

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("an address").port()
}

/// Waits until something is so.
///
/// # Panics
/// When it does not become so in time.
pub fn wait_for(what: &str, mut is_so: impl FnMut() -> bool) {
    let patience = Deadline::after(PATIENCE);
    while !is_so() {
        assert!(!patience.left().is_zero(), "waited too long for {what}");
        std::thread::park_timeout(Duration::from_millis(5));
    }
}
