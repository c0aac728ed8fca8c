//! `instep demo`: a whole company at work on this machine, with nothing set up.
//!
//! A sandbox HiBob and a sandbox 360Learning on loopback, the real Instep between them, and a life
//! that goes on. In the end HR and the LMS are compared person by person. Or a company that has drifted
//! apart in every way, and waits for a full sync.

mod company;
mod drift;
mod view;

use std::io::IsTerminal;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, anyhow};
use tokio::net::TcpListener;
use tokio::sync::broadcast;
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;

use self::drift::Drifting;
use self::view::View;
use crate::app::{self, Instep, Purpose, Roles, Settled, compare, wanted};
use crate::clock::{Clock, Deadline};
use crate::model::Record;
use crate::sandbox::{Life, Options, Sandbox};
use crate::telemetry;

/// What `instep demo` takes.
#[derive(Debug, clap::Args)]
pub struct DemoArgs {
    /// How many people work there.
    #[arg(long, default_value_t = 200, value_parser = clap::value_parser!(u32).range(2..=100_000))]
    people: u32,
    /// How many events a minute.
    #[arg(long, default_value_t = 40, value_parser = clap::value_parser!(u32).range(1..=60_000))]
    rate: u32,
    /// HR and the LMS begin out of step in every way, and nothing else happens: for `instep sync`.
    #[arg(long, conflicts_with = "rate")]
    drift: bool,
    /// The same company and the same story again.
    #[arg(long, default_value_t = 7)]
    seed: u64,
    /// Stop by itself after so many seconds.
    #[arg(long = "for", value_name = "SECONDS")]
    seconds: Option<u64>,
    /// A Redis instead of a temporary SQLite file, as in `redis://127.0.0.1:6379`.
    #[arg(long, value_name = "URL")]
    store: Option<String>,
}

/// How long the end waits for HR and LMS to be in step. A change that HiBob shows late is found by
/// a second look.
const CATCH_UP: Duration = Duration::from_secs(60);

/// How often the end looks whether they are.
const LOOK: Duration = Duration::from_millis(200);

/// Runs the demo until Ctrl-C or for the given time.
///
/// # Errors
/// When the sandbox, the store or an address cannot be set up.
pub async fn run(args: DemoArgs) -> anyhow::Result<ExitCode> {
    // The view is all that is shown, unless somebody asks for logs.
    if std::env::var_os("INSTEP_LOG").is_some() {
        telemetry::logs(telemetry::LogForm::Text)?;
    }
    anyhow::ensure!(
        !args.drift || args.people >= drift::SMALLEST,
        "--drift needs {} people or more: use a larger --people",
        drift::SMALLEST
    );
    let clock = Clock::system();
    let folder = tempfile::Builder::new().prefix("instep-demo-").tempdir()?;
    let options = Options {
        people: usize::try_from(args.people)?,
        seed: args.seed,
        custom_fields: company::custom_fields(),
        ..Options::default()
    };
    let sandbox = Sandbox::start(options, clock.clone()).await.context("the sandbox")?;
    let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
    let address = listener.local_addr()?;
    let settings = company::settings(&sandbox, folder.path(), args.store.as_deref(), address)?;
    let rules = settings.sources.values().next().map(|source| app::compile(&source.rules));
    let rules = rules.context("the demo's source")?.map_err(|_| anyhow!("the demo's own rules"))?;
    let mut links =
        company::open_accounts(&sandbox, &wanted(&sandbox.people(), &rules, clock.now()))?;
    for person in sandbox.people() {
        let Some(link) = person["id"].as_str().and_then(|id| links.get_mut(id)) else { continue };
        link.misses = rules.decide(&Record(person), clock.now()).misses;
    }
    let store = app::open_store(&settings.store, Purpose::Serving, &clock)
        .await
        .context("the store: see --store")?;
    company::remember(&*store, &clock, &links).await?;
    let mut drifted = Vec::new();
    if args.drift {
        let (store, rules) = (&*store, rules.version());
        let company = Drifting { sandbox: &sandbox, store, rules, clock: &clock };
        drifted = company.drift(&links).await?;
    }
    sandbox.send_webhooks_to(format!("http://{address}/webhooks/bob"));
    let instep = Instep::build(settings, store, clock.clone())?.open_to_all();
    let now = clock.clone();
    let mut view = View::new(std::io::stdout().is_terminal(), clock);
    view.welcome(&sandbox, address, &args, folder.path(), &drifted);
    let mut told = instep.listen();
    let stop = CancellationToken::new();
    super::serve::stop_on_signal(stop.clone())?;
    let serving = CancellationToken::new();
    let served = tokio::spawn(instep.serve(listener, Roles::ALL, serving.clone()));

    live(&args, &sandbox, &mut view, &mut told, &stop).await;

    if args.drift {
        serving.cancel();
        served.await??;
        view.summary(
            &compare(&sandbox.people(), &sandbox.accounts(), &rules, now.now()),
            sandbox.webhooks().acknowledged,
            sandbox.writes(),
        );
        sandbox.stop().await;
        // That somebody is still out of step is what it was for.
        return Ok(ExitCode::SUCCESS);
    }
    view.ending();
    let judge = || compare(&sandbox.people(), &sandbox.accounts(), &rules, now.now());
    let deadline = Deadline::after(CATCH_UP);
    while (sandbox.webhooks().waiting > 0 || !judge().in_step()) && !deadline.left().is_zero() {
        catch_up(&mut view, &mut told, LOOK).await;
    }
    serving.cancel();
    served.await??;
    catch_up(&mut view, &mut told, Duration::ZERO).await;
    let comparison = judge();
    view.summary(&comparison, sandbox.webhooks().acknowledged, sandbox.writes());
    sandbox.stop().await;
    Ok(if comparison.in_step() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Lets the company live, and shows what comes of it, until the time is up or somebody stops it.
async fn live(
    args: &DemoArgs,
    sandbox: &Sandbox,
    view: &mut View,
    told: &mut broadcast::Receiver<Settled>,
    stop: &CancellationToken,
) {
    let mut life = Life::new(args.seed);
    let mut next = tokio::time::interval(Duration::from_secs(60) / args.rate);
    next.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let end = async {
        match args.seconds {
            Some(seconds) => tokio::time::sleep(Duration::from_secs(seconds)).await,
            None => std::future::pending().await,
        }
    };
    tokio::pin!(end);
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            () = &mut end => return,
            _ = next.tick(), if !args.drift => {
                let (deed, changed) = sandbox.live(&mut life);
                view.deed(changed.id, deed.what);
            }
            settled = told.recv() => view.told(settled, sandbox),
        }
    }
}

/// Shows what was settled in so much time.
async fn catch_up(view: &mut View, told: &mut broadcast::Receiver<Settled>, time: Duration) {
    let all = async {
        while let Ok(settled) = told.recv().await {
            view.settled(&settled);
        }
    };
    let _ = tokio::time::timeout(time, all).await;
}
