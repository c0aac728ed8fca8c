//! Sending webhooks: signed, in order for each person, at once for different people, and again
//! until they are acknowledged.

use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use bytes::Bytes;
use hmac::{Hmac, KeyInit, Mac};
use reqwest::header::CONTENT_TYPE;
use serde::{Deserialize, Serialize};
use sha2::Sha512;
use tokio::sync::{Semaphore, mpsc};
use tokio_util::sync::CancellationToken;

/// How many posts are under way at once.
const CONNECTIONS: usize = 64;

/// The first pause after a failure; it doubles up to [`LONGEST_PAUSE`].
const FIRST_PAUSE: Duration = Duration::from_millis(200);

/// The longest pause between two tries. (The real service takes minutes and hours.)
const LONGEST_PAUSE: Duration = Duration::from_secs(10);

/// How long an event is tried: three days.
const GIVE_UP: Duration = Duration::from_secs(72 * 3600);

/// Where webhooks go and by which secret they are signed.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Hook {
    /// The address; `null` switches webhooks off.
    pub url: Option<String>,
    /// The secret.
    #[serde(default)]
    pub secret: String,
    /// Whether to send the ping that a new webhook gets.
    #[serde(default)]
    pub ping: bool,
    /// How often each event is sent, acknowledged or not: doubles on command.
    #[serde(default = "once")]
    pub copies: u32,
}

fn once() -> u32 {
    1
}

#[derive(Clone)]
struct Waiting {
    body: Bytes,
    tries: u32,
    copies: u32,
}

/// How the sending goes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Progress {
    /// Events that were to be sent.
    pub events: u64,
    /// Posts made, repeats included.
    pub sent: u64,
    /// Events answered 200.
    pub acknowledged: u64,
    /// Posts that were not answered 200.
    pub failed: u64,
    /// Events that are not acknowledged yet.
    pub waiting: u64,
    /// Events given up.
    pub dropped: u64,
}

#[derive(Default)]
struct Counters {
    events: AtomicU64,
    sent: AtomicU64,
    acknowledged: AtomicU64,
    failed: AtomicU64,
    dropped: AtomicU64,
}

struct Shared {
    client: reqwest::Client,
    hook: Mutex<Option<Arc<Hook>>>,
    /// A person's line exists while someone is at it: under way, or between two tries.
    lines: Mutex<HashMap<String, VecDeque<Waiting>>>,
    ready: mpsc::UnboundedSender<String>,
    counters: Counters,
    stop: CancellationToken,
}

/// The sender.
#[derive(Clone)]
pub struct Webhooks(Arc<Shared>);

impl Webhooks {
    /// Starts sending; must be called on a runtime. Ends with `stop`.
    pub fn start(hook: Option<Hook>, stop: CancellationToken) -> Self {
        let (ready, mut due) = mpsc::unbounded_channel::<String>();
        let client = reqwest::Client::builder()
            .no_proxy()
            .timeout(Duration::from_secs(10))
            .pool_max_idle_per_host(CONNECTIONS)
            .redirect(reqwest::redirect::Policy::none())
            .build()
            .unwrap_or_default();
        let shared = Arc::new(Shared {
            client,
            hook: Mutex::new(hook.map(Arc::new)),
            lines: Mutex::default(),
            ready,
            counters: Counters::default(),
            stop: stop.clone(),
        });
        let sender = Arc::clone(&shared);
        tokio::spawn(async move {
            let permits = Arc::new(Semaphore::new(CONNECTIONS));
            loop {
                let person = tokio::select! {
                    person = due.recv() => person,
                    () = stop.cancelled() => break,
                };
                let (Some(person), Ok(permit)) =
                    (person, Arc::clone(&permits).acquire_owned().await)
                else {
                    break;
                };
                let sender = Arc::clone(&sender);
                tokio::spawn(async move {
                    let pause = sender.work(&person).await;
                    drop(permit);
                    if let Some(pause) = pause {
                        tokio::select! {
                            () = tokio::time::sleep(pause) => {}
                            () = sender.stop.cancelled() => {}
                        }
                        // Nobody listens any more only when everything ends.
                        let _ = sender.ready.send(person);
                    }
                });
            }
        });
        Self(shared)
    }

    /// Where webhooks go from now on. Without an address, what waits is dropped.
    pub fn set(&self, hook: Hook) {
        let ping = hook.ping;
        let hook = Arc::new(hook);
        let on = hook.url.is_some();
        *self.0.hook.lock().unwrap_or_else(PoisonError::into_inner) = on.then(|| Arc::clone(&hook));
        if ping && on {
            let shared = Arc::clone(&self.0);
            tokio::spawn(async move {
                let words = Bytes::from_static(b"Ping test");
                if !shared.post(&hook, words, "text/plain; charset=utf-8").await {
                    let json = Bytes::from_static(br#"{"text":"Ping test"}"#);
                    shared.post(&hook, json, "application/json").await;
                }
            });
        }
    }

    /// Queues a person's event. Without an address nothing is sent, as without a webhook in HiBob.
    pub fn push(&self, person: &str, body: Vec<u8>) {
        let Some(hook) = self.0.hook() else { return };
        self.0.counters.events.fetch_add(1, Ordering::Relaxed);
        let event = Waiting { body: body.into(), tries: 0, copies: hook.copies.max(1) };
        let mut lines = self.0.lines();
        if let Some(line) = lines.get_mut(person) {
            line.push_back(event);
        } else {
            lines.insert(person.to_owned(), VecDeque::from([event]));
            let _ = self.0.ready.send(person.to_owned());
        }
    }

    /// How the sending goes.
    pub fn progress(&self) -> Progress {
        let counters = &self.0.counters;
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let (acknowledged, dropped) = (read(&counters.acknowledged), read(&counters.dropped));
        let events = read(&counters.events);
        Progress {
            events,
            sent: read(&counters.sent),
            acknowledged,
            failed: read(&counters.failed),
            waiting: events.saturating_sub(acknowledged + dropped),
            dropped,
        }
    }
}

impl Shared {
    fn hook(&self) -> Option<Arc<Hook>> {
        self.hook.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn lines(&self) -> std::sync::MutexGuard<'_, HashMap<String, VecDeque<Waiting>>> {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sends what one person's line holds, first things first. Answers with a pause when the first
    /// was not taken: those behind it wait, too.
    async fn work(&self, person: &str) -> Option<Duration> {
        loop {
            if self.stop.is_cancelled() {
                return None;
            }
            let head = {
                let mut lines = self.lines();
                let line = lines.get_mut(person)?;
                let Some(head) = line.front().cloned() else {
                    lines.remove(person);
                    return None;
                };
                head
            };
            let taken = match self.hook() {
                Some(hook) => {
                    let taken = self.post(&hook, head.body, "application/json").await;
                    self.counters.sent.fetch_add(1, Ordering::Relaxed);
                    Some(taken)
                }
                None => None,
            };
            let mut lines = self.lines();
            let line = lines.get_mut(person)?;
            let Some(head) = line.front_mut() else { continue };
            match taken {
                Some(true) => {
                    head.copies -= 1;
                    if head.copies == 0 {
                        line.pop_front();
                        self.counters.acknowledged.fetch_add(1, Ordering::Relaxed);
                    }
                }
                None => {
                    line.pop_front();
                    self.counters.dropped.fetch_add(1, Ordering::Relaxed);
                }
                Some(false) => {
                    self.counters.failed.fetch_add(1, Ordering::Relaxed);
                    let pause =
                        FIRST_PAUSE.saturating_mul(1 << head.tries.min(16)).min(LONGEST_PAUSE);
                    head.tries += 1;
                    if LONGEST_PAUSE.saturating_mul(head.tries) < GIVE_UP {
                        return Some(pause);
                    }
                    line.pop_front();
                    self.counters.dropped.fetch_add(1, Ordering::Relaxed);
                }
            }
        }
    }

    async fn post(&self, hook: &Hook, body: Bytes, kind: &'static str) -> bool {
        let Some(url) = &hook.url else { return false };
        let request = self
            .client
            .post(url)
            .header(CONTENT_TYPE, kind)
            .header("Bob-Signature", sign(&hook.secret, &body))
            .body(body);
        match request.send().await {
            // To the end, so that the connection can be used again.
            Ok(answer) => answer.status() == 200 && answer.bytes().await.is_ok(),
            Err(_) => false,
        }
    }
}

/// Standard base64 of HMAC-SHA512 over the body, keyed with the secret's bytes.
pub fn sign(secret: &str, body: &[u8]) -> String {
    let Ok(mut mac) = Hmac::<Sha512>::new_from_slice(secret.as_bytes()) else {
        return String::new();
    };
    mac.update(body);
    BASE64_STANDARD.encode(mac.finalize().into_bytes())
}
