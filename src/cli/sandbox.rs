//! `instep sandbox`: a HiBob and a 360Learning to practise on, without Instep between them.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context;
use tokio_util::sync::CancellationToken;

use crate::clock::Clock;
use crate::sandbox::{Credentials, Options, Sandbox};

/// What `instep sandbox` takes.
#[derive(Debug, clap::Args)]
pub struct SandboxArgs {
    /// Where HiBob listens.
    #[arg(long, default_value = "127.0.0.1:9001")]
    hibob: SocketAddr,
    /// Where 360Learning listens.
    #[arg(long, default_value = "127.0.0.1:9002")]
    lms: SocketAddr,
    /// How many people HR begins with.
    #[arg(long, default_value_t = 200)]
    people: usize,
    /// What everything invented follows from.
    #[arg(long, default_value_t = 7)]
    seed: u64,
    /// The LMS begins with an account for everybody who should have one.
    #[arg(long)]
    in_step: bool,
    /// Writes a configuration that connects to it; an older one is replaced.
    #[arg(long, value_name = "PATH")]
    config_out: Option<PathBuf>,
}

/// Runs both doubles until SIGTERM or Ctrl-C.
///
/// # Errors
/// When an address cannot be taken or the configuration cannot be written.
pub async fn run(args: SandboxArgs) -> anyhow::Result<ExitCode> {
    let options = Options {
        people: args.people,
        seed: args.seed,
        in_step: args.in_step,
        hibob: args.hibob,
        lms: args.lms,
        ..Options::default()
    };
    let sandbox = Sandbox::start(options, Clock::system())
        .await
        .context("the sandbox could not start; perhaps an address is taken: see --hibob, --lms")?;
    let (hibob, lms) = (sandbox.hibob_url(), sandbox.lms_url());
    let Credentials { service_user, token, webhook_secret, client_id, client_secret, .. } =
        sandbox.credentials();
    println!("HiBob        {hibob}/v1");
    println!("  service user    {service_user}");
    println!("  token           {token}");
    println!("  webhook secret  {webhook_secret}");
    println!("360Learning  {lms}");
    println!("  client id       {client_id}");
    println!("  client secret   {client_secret}");
    println!("  default group   {}", sandbox.credentials().default_group);
    println!();
    println!("Webhooks go to the address given to POST {hibob}/_sandbox/webhook");
    println!("Look at {hibob}/_sandbox/state and {lms}/_sandbox/state");
    if let Some(path) = &args.config_out {
        std::fs::write(path, sandbox.config_toml())
            .with_context(|| format!("{} cannot be written", path.display()))?;
        println!("Wrote {}; next: instep serve --config {}", path.display(), path.display());
    }
    let stop = CancellationToken::new();
    super::serve::stop_on_signal(stop.clone())?;
    stop.cancelled().await;
    sandbox.stop().await;
    Ok(ExitCode::SUCCESS)
}
