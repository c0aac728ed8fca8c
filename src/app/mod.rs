//! The one place where everything is put together.

mod asked;
mod closely;
mod comparison;
mod connect;
mod desk;
mod difference;
pub mod doctor;
mod examples;
mod gap;
mod history;
mod items;
mod mailing;
mod matches;
mod misses;
mod moving;
mod names;
mod pages;
mod preview;
mod pulse;
mod reading;
mod reconciling;
mod reload;
mod replaying;
mod secrets;
mod stage;
mod story;
mod sweeping;
mod syncing;
mod telling;
mod told;
mod trial;
mod watching;
mod windows;

use std::sync::{Arc, RwLock};
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::sync::{Notify, broadcast};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

pub use comparison::{Comparison, compare, wanted};
pub use connect::{
    Finding, Purpose, Tried, compile, copies_of_store, hibob, learning360, missing_store,
    open_store, rule_problems, store_keys, try_connections,
};
pub use desk::{Desk, NOBODY_ANSWERED};
use desk::{People, Serving};
pub use difference::{Counts, Difference, Rivals, Turn};
pub use examples::{Mismatch, Outcome, run_examples};
pub use items::Totals;
pub use matches::{Dispute, Matter, NotDecided, consider, disputes};
pub use misses::misses;
pub use moving::{MoveError, Moved, export, import, is_half_imported};
pub use names::misnamed;
pub use preview::{Look, Preview, PreviewError, Previewer, Verdict};
pub use reading::Shown;
pub use reconciling::FullSync;
pub use reload::{Answer, last_answers, reload_answers};
pub use replaying::Replaying;
pub use stage::stage_words;
pub use story::{planned, suspect};
pub use told::ToldRun;
pub use trial::{Trial, try_expression};

use self::gap::Gap;
use self::pulse::Pulses;
use self::reload::Reloader;
use crate::access::sessions::Lasting;
use crate::clock::Clock;
use crate::config::{Learning360Settings, Settings};
use crate::http::who::Gate;
use crate::http::{self, HttpState, Limits};
use crate::model::{Access, Actor, GroupId, SourceName, Via};
use crate::provisioning::planning::Policy;
pub use crate::provisioning::planning::words;
pub use crate::provisioning::rules::{Mention, Mentioned, RuleProblem};
pub use crate::reconcile::{
    Progress, ReconcileError, Stage, approve, cancel, reject, watched, watched_run,
};
use crate::schedule::Scheduler;
use crate::sources::SourceError;
use crate::store::Store;
use crate::store::newest::Newest;
use crate::targets::TargetError;
pub use crate::targets::learning360::member;
use crate::telemetry;
pub use crate::worker::Settled;
use crate::worker::{
    Afresh, DeadLetters, FarEnd, Live, Room, Scope, Stop, TargetSide, Together, Worker,
};

/// How many settled attempts a slow listener may lag behind before it misses some.
const TOLD: usize = 4096;

/// What one process does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Roles {
    /// Takes webhooks in.
    pub receiver: bool,
    /// Applies changes.
    pub worker: bool,
    /// Trims, watches, starts what is scheduled.
    pub scheduler: bool,
}

impl Roles {
    /// Everything in one process.
    pub const ALL: Self = Self { receiver: true, worker: true, scheduler: true };

    fn words(self) -> Vec<&'static str> {
        let all =
            [(self.receiver, "receiver"), (self.worker, "worker"), (self.scheduler, "scheduler")];
        all.into_iter().filter_map(|(is, word)| is.then_some(word)).collect()
    }
}

/// Why the parts do not fit together.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    /// The rules do not compile.
    #[error("the rules do not compile")]
    Rules(Vec<RuleProblem>),
    /// A client could not be made.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// A client could not be made.
    #[error(transparent)]
    Target(#[from] TargetError),
    /// There is no way to ask the OpenID provider anything.
    #[error("the console: {0}")]
    Console(#[source] reqwest::Error),
    /// The metrics recorder could not be installed.
    #[error("metrics: {0}")]
    Metrics(String),
}

/// Instep, put together and ready to serve.
pub struct Instep {
    settings: Arc<Settings>,
    store: Arc<dyn Store>,
    clock: Clock,
    workers: Vec<Arc<Worker>>,
    told: broadcast::Sender<Settled>,
    reload: Arc<Notify>,
    newest: Arc<Newest>,
    gate: Gate,
    people: Arc<People>,
}

impl From<BuildError> for ReconcileError {
    fn from(error: BuildError) -> Self {
        match error {
            BuildError::Source(error) => Self::Source(error),
            BuildError::Target(error) => Self::Target(error),
            BuildError::Rules(_) | BuildError::Metrics(_) | BuildError::Console(_) => {
                Self::NotHeld(error.to_string())
            }
        }
    }
}

impl Instep {
    /// Puts everything together; nothing is called yet.
    ///
    /// # Errors
    /// When the rules do not compile or a client cannot be made.
    pub fn build(
        settings: Settings,
        store: Arc<dyn Store>,
        clock: Clock,
    ) -> Result<Self, BuildError> {
        let (told, _) = broadcast::channel(TOLD);
        let target = Arc::new(TargetSide {
            together: Together::default(),
            target: learning360(&settings.target, &store)?,
            far_end: FarEnd::new(Scope::Target),
            policy: policy(&settings.target),
            room: Room::new(settings.worker.concurrency),
            afresh: Afresh::default(),
        });
        let mut workers = Vec::new();
        for (name, source) in &settings.sources {
            let name = SourceName::new(name.clone());
            let rules = compile(&source.rules).map_err(BuildError::Rules)?;
            let reader = hibob(&name, source, rules.reads(), &store)?;
            let live = Live::new(rules, &source.rules, reader);
            workers.push(Arc::new(Worker {
                live: RwLock::new(Arc::new(live)),
                far_end: FarEnd::new(Scope::Source(name.clone())),
                people_per_search: source.people_per_search,
                target: target.clone(),
                store: store.clone(),
                settings: settings.worker.clone(),
                brake: settings.sync.brake.clone(),
                clock: clock.clone(),
                dead_letters: DeadLetters::default(),
                wake: Arc::new(Notify::new()),
                told: told.clone(),
                name,
            }));
        }
        let (reload, settings) = (Arc::new(Notify::new()), Arc::new(settings));
        let (newest, people) = (Arc::default(), Arc::default());
        let public = settings.server.public_url.as_deref();
        let gate = Gate::of(&settings.console, public, &clock).map_err(BuildError::Console)?;
        Ok(Self { settings, store, clock, workers, told, reload, newest, gate, people })
    }

    /// Lets everybody who reaches the port do everything: for the demo, which listens on loopback.
    #[must_use]
    pub fn open_to_all(self) -> Self {
        let gate = Gate::Open(Actor {
            name: "demo".to_owned(),
            access: Access::Administrator,
            via: Via::Console,
            from: None,
        });
        Self { gate, ..self }
    }

    /// Hears of every settled attempt from now on.
    pub fn listen(&self) -> broadcast::Receiver<Settled> {
        self.told.subscribe()
    }

    /// Rings for this process to read its rules again.
    pub fn reload_bell(&self) -> Arc<Notify> {
        self.reload.clone()
    }

    /// Serves until `stop` is cancelled, then ends within the configured time: what is in hand is
    /// finished, or given back with no attempt spent.
    ///
    /// # Errors
    /// When metrics cannot be set up.
    pub async fn serve(
        self,
        listener: TcpListener,
        roles: Roles,
        stop: CancellationToken,
    ) -> Result<(), BuildError> {
        let tasks = TaskTracker::new();
        let working = CancellationToken::new();
        let shutdown = self.settings.server.shutdown;
        tasks.spawn(self.http(listener, roles, stop.clone())?);
        if roles.worker {
            for worker in &self.workers {
                let stop = Stop { leasing: stop.clone(), working: working.clone() };
                tasks.spawn(keep_working(worker.clone(), stop));
            }
        }
        tasks.spawn(self.gap().watch(self.listen(), stop.clone()));
        let sources = self.workers.iter().map(|worker| worker.name.clone()).collect();
        let (people, store) = (self.people.clone(), self.store.clone());
        tasks.spawn(people.follow(store, sources, self.listen(), stop.clone()));
        if roles.scheduler {
            tasks.spawn(self.schedule(stop.clone()));
            let (store, settings) = (self.store.clone(), self.settings.clone());
            let clock = self.clock.clone();
            let (swept, now) = (store.clone(), clock.clone());
            let console = &settings.console;
            let lasting = Lasting { idle: console.idle, whole: console.session };
            tasks.spawn(sweeping::keep_clean(swept, lasting, now, stop.clone()));
            tasks.spawn(telling::keep_people_told(store, settings, clock, stop.clone()));
            let desk = Desk::new(self.settings.clone(), self.store.clone(), self.clock.clone());
            tasks.spawn(windows::keep(self.settings.clone(), desk, stop.clone()));
            for worker in &self.workers {
                let (own, settings) = (worker.clone(), self.settings.clone());
                tasks.spawn(syncing::keep_in_step(own, settings, stop.clone()));
                let (worker, settings) = (worker.clone(), self.settings.clone());
                tasks.spawn(replaying::keep_replaying(worker, settings, stop.clone()));
            }
        }
        tasks.spawn(self.reloader().watch(stop.clone()));
        if roles.worker {
            let (settings, store, stop) = (self.settings.clone(), self.store.clone(), stop.clone());
            tasks.spawn(async move { names::warn(&settings, &store, &stop).await });
        }
        tasks.close();
        stop.cancelled().await;
        tracing::info!("stopping: finishing what is in hand");
        // Two thirds of the time to finish, the rest to give back.
        if tokio::time::timeout(shutdown * 2 / 3, tasks.wait()).await.is_err() {
            working.cancel();
            if tokio::time::timeout(shutdown / 3, tasks.wait()).await.is_err() {
                tracing::warn!("stopped with work in hand: its leases run out by themselves");
            }
        }
        tracing::info!("stopped");
        Ok(())
    }

    fn reloader(&self) -> Reloader {
        Reloader {
            workers: self.workers.clone(),
            sources: self.settings.sources.clone(),
            path: self.settings.path.clone(),
            text: std::fs::read_to_string(&self.settings.path).unwrap_or_default(),
            store: self.store.clone(),
            clock: self.clock.clone(),
            bell: self.reload.clone(),
        }
    }

    fn http(
        &self,
        listener: TcpListener,
        roles: Roles,
        stop: CancellationToken,
    ) -> Result<impl Future<Output = ()> + Send + use<>, BuildError> {
        let recorder =
            telemetry::metrics().map_err(|error| BuildError::Metrics(error.to_string()))?;
        let server = &self.settings.server;
        let limits = Limits {
            body: server.body_limit,
            webhooks_per_second: server.webhooks_per_second,
            connections: server.connections,
            ..Limits::default()
        };
        let (store, clock) = (self.store.clone(), self.clock.clone());
        let pulses =
            Pulses::new(self.settings.clone(), store.clone(), clock.clone(), recorder.clone());
        let pulses = Arc::new(pulses);
        let pulsing = pulses.clone().watch(self.listen(), stop.clone());
        let state = HttpState::new(store, clock, recorder, stop.clone(), limits);
        let state = state.remembering(&self.newest);
        let state = state.playing(roles.words());
        let zone = self.settings.sync.schedule.time_zone.clone();
        let mut state = state.people(self.desk(pulses), self.gate.clone()).in_zone(zone);
        for worker in self.workers.iter().filter(|_| roles.receiver) {
            let Some(source) = self.settings.sources.get(worker.name.as_str()) else { continue };
            let company = source.company_id.as_deref();
            let wake = worker.wake.clone();
            state = state.source(&worker.name, &source.webhook_secrets, company, wake);
        }
        let (ears, store, clock) = (state.signatures(), self.store.clone(), self.clock.clone());
        let hear = secrets::write_down(ears, store, self.settings.clone(), clock, stop.clone());
        let serve = http::serve(listener, http::router(state), limits, stop, server.shutdown / 2);
        Ok(async move {
            tokio::join!(serve, hear, pulsing);
        })
    }

    /// The way from a page to where deeds are done.
    fn desk(&self, pulses: Arc<Pulses>) -> http::desk::Desk {
        let desk = Desk::new(self.settings.clone(), self.store.clone(), self.clock.clone());
        let desk = desk.working(self.workers.clone(), pulses);
        let desk = desk.serving(Serving::new(self.people.clone()));
        let (asked, ahead) = (desk.clone(), desk.clone());
        tokio::spawn(async move { ahead.look_ahead().await });
        http::desk::Desk::new(
            move |actor, verb| {
                let desk = desk.clone();
                Box::pin(async move { desk.act(&actor, verb).await })
            },
            move |actor, question| {
                let desk = asked.clone();
                Box::pin(async move { desk.ask(&actor, question).await })
            },
        )
    }

    fn gap(&self) -> Gap {
        Gap {
            store: self.store.clone(),
            clock: self.clock.clone(),
            sources: self.workers.iter().map(|worker| worker.name.clone()).collect(),
            kept: self.settings.store.keep_deliveries,
            newest: self.newest.clone(),
        }
    }

    fn schedule(&self, stop: CancellationToken) -> impl Future<Output = ()> + Send + use<> {
        let settings = self.settings.store.clone();
        let mut scheduler = Scheduler::new(self.store.clone(), settings, self.clock.clone());
        let (workers, store, clock) =
            (self.workers.clone(), self.store.clone(), self.clock.clone());
        async move {
            while !stop.is_cancelled() {
                let Some(epoch) = scheduler.next(&stop).await else { continue };
                for worker in &workers {
                    let ask = asked::Ask::of(asked::EMPTIED, &clock).once(&epoch);
                    asked::until_written(&store, &worker.name, &ask, &stop).await;
                }
            }
        }
    }
}

/// What the administrator chose for all accounts.
fn policy(settings: &Learning360Settings) -> Policy {
    Policy { activate: settings.activate, group: GroupId::new(settings.default_group.clone()) }
}

/// Works until it is told to stop. A panic must not leave a process that takes events in and does
/// nothing about them: the worker goes on, and what it had in hand comes back when its leases end.
async fn keep_working(worker: Arc<Worker>, stop: Stop) {
    // Of a counter that begins at one, nobody sees the rise.
    metrics::counter!("instep_worker_panics_total", "source" => worker.name.to_string())
        .increment(0);
    while let Err(error) = tokio::spawn(worker.clone().run(stop.clone())).await {
        tracing::error!(source = %worker.name, %error, "the worker broke down and begins again");
        metrics::counter!("instep_worker_panics_total", "source" => worker.name.to_string())
            .increment(1);
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
}
