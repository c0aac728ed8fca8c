//! The way to Redis: one shared connection, made when it is first needed and made anew when it
//! broke. It promises that no call waits longer than its limits, and that the password of the URL
//! is never shown.
//!
//! A single server, a Sentinel's master and a Cluster differ only in how they are dialled. A
//! connection that failed, timed out or answers as a replica is thrown away; the next call dials
//! again, which asks Sentinel anew who the master is. Redirections of a Cluster are followed by the
//! client library.

use std::fmt;
use std::sync::{PoisonError, RwLock};
use std::time::Duration;

use redis::aio::MultiplexedConnection;
use redis::cluster::ClusterClientBuilder;
use redis::cluster_async::ClusterConnection;
use redis::cluster_routing::{Route, RoutingInfo, SingleNodeRoutingInfo, Slot, SlotAddr};
use redis::io::tcp::TcpSettings;
use redis::sentinel::{SentinelClient, SentinelNodeConnectionInfo, SentinelServerType};
use redis::{
    AsyncConnectionConfig, Client, Cmd, ConnectionAddr, ConnectionInfo, ErrorKind,
    IntoConnectionInfo, RedisConnectionInfo, RedisError, RedisResult, ServerErrorKind, TlsMode,
    Value,
};
use tokio::sync::Mutex;

use crate::clock::Deadline;

/// The most that dialling may take, name look-up, Sentinel and sign-in included.
const DIAL: Duration = Duration::from_secs(3);
/// The most that one answer may take.
const RESPONSE: Duration = Duration::from_secs(3);
/// After a failed dial everyone gets the same answer for so long.
const REFUSED: Duration = Duration::from_millis(100);
/// How long a call that met a broken connection may go on trying; enough for one new connection.
pub const PATIENCE: Duration = Duration::from_millis(250);
/// The longest pause between two tries.
const PAUSE: Duration = Duration::from_millis(500);
/// Commands that may wait to be written: more than there are concurrent calls.
const BUFFER: usize = 1024;

/// Where Redis is, as the URL says.
enum Address {
    Single(Box<ConnectionInfo>),
    Sentinel { sentinels: Vec<ConnectionInfo>, master: String, node: RedisConnectionInfo },
    Cluster(Vec<ConnectionInfo>),
}

/// An open connection.
#[derive(Clone)]
enum Wire {
    Node(MultiplexedConnection),
    Cluster(ClusterConnection),
}

/// The connection that all calls share.
pub struct Connection {
    address: Address,
    /// The hosts, without user and password.
    shown: String,
    /// The open connection and its number.
    open: RwLock<Option<(u64, Wire)>>,
    /// Held by the one who dials; keeps the last refusal and until when it stands.
    dialling: Mutex<Option<(Deadline, RedisError)>>,
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.shown)
    }
}

impl Connection {
    /// Reads the URL; dials nothing yet.
    ///
    /// # Errors
    /// A sentence that says how a URL looks; it never repeats the one that was given.
    pub fn to(url: &str) -> Result<Self, String> {
        let (address, shown) = parse(url)?;
        if address.wants_tls() {
            // The library brings no cryptography of its own. Someone may have chosen already.
            let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        }
        Ok(Self { address, shown, open: RwLock::new(None), dialling: Mutex::new(None) })
    }

    /// Whether Sentinels name the master.
    pub fn is_sentinel(&self) -> bool {
        matches!(self.address, Address::Sentinel { .. })
    }

    /// Sends a command and returns its answer. When the connection broke it is sent again on a new
    /// one while there is patience, so it must be safe to repeat.
    ///
    /// # Errors
    /// What Redis or the network said.
    pub async fn send(&self, cmd: &Cmd, patience: Duration) -> RedisResult<Value> {
        self.send_to(cmd, None, patience).await
    }

    /// The same for a command without a key (`INFO`): in a Cluster it goes to the master that has
    /// this key.
    ///
    /// # Errors
    /// What Redis or the network said.
    pub async fn ask_owner_of(&self, key: &str, cmd: &Cmd) -> RedisResult<Value> {
        self.send_to(cmd, Some(key), PATIENCE).await
    }

    async fn send_to(
        &self,
        cmd: &Cmd,
        owner: Option<&str>,
        patience: Duration,
    ) -> RedisResult<Value> {
        let until = Deadline::after(patience);
        let mut pause = Duration::ZERO;
        loop {
            let error = match self.wire().await {
                Ok((number, wire)) => match wire.send(cmd, owner).await {
                    Err(error) if is_broken(&error) => {
                        self.forget(number);
                        error
                    }
                    answer => return answer,
                },
                Err(error) => error,
            };
            if until.left() <= pause {
                return Err(error);
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 2).clamp(Duration::from_millis(20), PAUSE);
        }
    }

    /// The open connection, or a new one.
    async fn wire(&self) -> RedisResult<(u64, Wire)> {
        if let Some(open) = self.peek() {
            return Ok(open);
        }
        let mut refusal = self.dialling.lock().await;
        if let Some(open) = self.peek() {
            return Ok(open);
        }
        if let Some((until, error)) = refusal.as_ref()
            && !until.left().is_zero()
        {
            return Err(error.clone());
        }
        let dialled = tokio::time::timeout(DIAL, self.address.dial()).await.unwrap_or_else(|_| {
            Err(std::io::Error::new(std::io::ErrorKind::TimedOut, "no connection in time").into())
        });
        match dialled {
            Ok(wire) => {
                *refusal = None;
                let mut open = self.open.write().unwrap_or_else(PoisonError::into_inner);
                let number = fastrand::u64(..);
                *open = Some((number, wire.clone()));
                Ok((number, wire))
            }
            Err(error) => {
                *refusal = Some((Deadline::after(REFUSED), error.clone()));
                Err(error)
            }
        }
    }

    fn peek(&self) -> Option<(u64, Wire)> {
        self.open.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Throws a broken connection away, unless someone has replaced it already.
    fn forget(&self, number: u64) {
        let mut open = self.open.write().unwrap_or_else(PoisonError::into_inner);
        if open.as_ref().is_some_and(|(current, _)| *current == number) {
            *open = None;
        }
    }
}

impl Wire {
    async fn send(self, cmd: &Cmd, owner: Option<&str>) -> RedisResult<Value> {
        match (self, owner) {
            (Self::Node(mut node), _) => cmd.query_async(&mut node).await,
            (Self::Cluster(mut cluster), None) => cmd.query_async(&mut cluster).await,
            (Self::Cluster(mut cluster), Some(key)) => {
                let route = Route::with_slot(Slot::for_key(key), SlotAddr::Master);
                let node = RoutingInfo::SingleNode(SingleNodeRoutingInfo::SpecificNode(route));
                cluster.route_command(cmd.clone(), node).await?.extract_error()
            }
        }
    }
}

impl Address {
    fn wants_tls(&self) -> bool {
        let first = match self {
            Self::Single(info) => Some(info.as_ref()),
            Self::Sentinel { sentinels: infos, .. } | Self::Cluster(infos) => infos.first(),
        };
        first.is_some_and(|info| matches!(info.addr(), ConnectionAddr::TcpTls { .. }))
    }

    async fn dial(&self) -> RedisResult<Wire> {
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(DIAL))
            .set_response_timeout(Some(RESPONSE))
            .set_pipeline_buffer_size(BUFFER);
        match self {
            Self::Single(info) => Client::open(info.as_ref().clone())?
                .get_multiplexed_async_connection_with_config(&config)
                .await
                .map(Wire::Node),
            Self::Sentinel { sentinels, master, node } => {
                let mut info = SentinelNodeConnectionInfo::default()
                    .set_redis_connection_info(node.clone())
                    .set_tcp_settings(tcp());
                if self.wants_tls() {
                    info = info.set_tls_mode(TlsMode::Secure);
                }
                // A fresh client: an old one remembers connections to Sentinels that are gone.
                SentinelClient::build(
                    sentinels.clone(),
                    master,
                    Some(info),
                    SentinelServerType::Master,
                )?
                .get_async_connection_with_config(&config)
                .await
                .map(Wire::Node)
            }
            Self::Cluster(nodes) => ClusterClientBuilder::new(nodes.clone())
                .connection_timeout(DIAL)
                .response_timeout(RESPONSE)
                .retries(3)
                .tcp_settings(tcp())
                .build()?
                .get_async_connection()
                .await
                .map(Wire::Cluster),
        }
    }
}

/// Whether another connection could do better: the line is dead or silent, or it leads to a server
/// that is a replica now, or was left alone by its replicas.
fn is_broken(error: &RedisError) -> bool {
    error.is_io_error()
        || error.is_unrecoverable_error()
        || matches!(
            error.kind(),
            ErrorKind::Server(ServerErrorKind::ReadOnly | ServerErrorKind::MasterDown)
        )
        || error.code() == Some("NOREPLICAS")
}

/// Small commands must not wait to be sent together.
fn tcp() -> TcpSettings {
    TcpSettings::default().set_nodelay(true)
}

/// Reads `redis[s]://`, `unix:`, `redis[s]+sentinel://` and `redis[s]+cluster://`.
fn parse(url: &str) -> Result<(Address, String), String> {
    let (scheme, rest) = url.split_once(':').unwrap_or((url, ""));
    let (plain, kind) = scheme.split_once('+').unwrap_or((scheme, ""));
    match (plain, kind) {
        ("redis" | "rediss" | "unix", "") | ("redis", "unix") => {
            let info = info(url)?;
            let shown = format!("redis {}", info.addr());
            Ok((Address::Single(Box::new(info)), shown))
        }
        ("redis" | "rediss", "sentinel" | "cluster") => {
            let many = Many::read(plain, rest.trim_start_matches('/'))?;
            let shown = format!("redis {kind} {}", many.hosts.join(","));
            Ok((if kind == "cluster" { many.cluster()? } else { many.sentinel()? }, shown))
        }
        _ => Err("the store's url must begin with redis://, rediss://, unix:, redis+sentinel:// \
                  or redis+cluster://"
            .to_owned()),
    }
}

/// A URL with several hosts, taken apart: `user:password@host,host/path?query`.
struct Many<'u> {
    scheme: &'u str,
    /// `user:password@`, or nothing.
    credentials: String,
    hosts: Vec<&'u str>,
    path: &'u str,
    query: &'u str,
}

impl<'u> Many<'u> {
    fn read(scheme: &'u str, rest: &'u str) -> Result<Self, String> {
        let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
        let (credentials, rest) = rest.rsplit_once('@').unwrap_or(("", rest));
        let (hosts, path) = rest.split_once('/').unwrap_or((rest, ""));
        let hosts: Vec<_> = hosts.split(',').filter(|host| !host.is_empty()).collect();
        if hosts.is_empty() {
            return Err("the store's url names no host".to_owned());
        }
        let at = if credentials.is_empty() { "" } else { "@" };
        Ok(Self { scheme, credentials: format!("{credentials}{at}"), hosts, path, query })
    }

    fn cluster(&self) -> Result<Address, String> {
        let node = |host: &&str| info(&format!("{}://{}{host}", self.scheme, self.credentials));
        Ok(Address::Cluster(self.hosts.iter().map(node).collect::<Result<_, _>>()?))
    }

    /// `/mastername[/db]`. User and password are the master's; those of the Sentinels themselves,
    /// when they want any, stand in the query: `?sentinel_user=…&sentinel_password=…`.
    fn sentinel(&self) -> Result<Address, String> {
        let (master, db) = self.path.split_once('/').unwrap_or((self.path, ""));
        if master.is_empty() {
            return Err("the store's url must end with the name under which the Sentinels know \
                        the master: redis+sentinel://host:26379/mymaster"
                .to_owned());
        }
        let asked = |name: &str| {
            let pairs = self.query.split('&').filter_map(|pair| pair.split_once('='));
            pairs.clone().find(|(key, _)| *key == name).map_or("", |(_, value)| value)
        };
        let (user, password) = (asked("sentinel_user"), asked("sentinel_password"));
        let signing_in =
            if password.is_empty() { String::new() } else { format!("{user}:{password}@") };
        let sentinel = |host: &&str| {
            let has_port =
                host.rsplit_once(':').is_some_and(|(_, port)| port.parse::<u16>().is_ok());
            let port = if has_port { "" } else { ":26379" };
            info(&format!("{}://{signing_in}{host}{port}", self.scheme))
        };
        let node = info(&format!("{}://{}localhost/{db}", self.scheme, self.credentials))?;
        Ok(Address::Sentinel {
            sentinels: self.hosts.iter().map(sentinel).collect::<Result<_, _>>()?,
            master: master.to_owned(),
            node: node.redis_settings().clone(),
        })
    }
}

fn info(url: &str) -> Result<ConnectionInfo, String> {
    let info = url.into_connection_info().map_err(|error| {
        format!("the store's url cannot be read: {error}; redis://user:password@host:6379/0 can")
    })?;
    Ok(info.set_tcp_settings(tcp()))
}
