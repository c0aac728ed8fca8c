//! The one road: lease, read, decide, apply, settle.
//!
//! A worker serves one source. It leases persons (all due deliveries of each), reads them in one
//! call, lets the rules decide, and applies each person's plan; several persons are applied at the
//! same time, one person never twice. Everything that changes the target goes through here.

mod apply;
mod end;
mod hold;
mod lost;
mod process;
mod retry;
mod room;
mod settle;
mod swap;
mod turn;

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Notify, broadcast};

pub use hold::{FarEnd, Scope};
pub use retry::Delays;
pub use room::Room;
pub use turn::Stop;

use crate::clock::Clock;
use crate::config::WorkerSettings;
use crate::model::{DeliveryState, Person, SourceName};
use crate::provisioning::planning::Policy;
use crate::provisioning::rules::Rules;
use crate::sources::hibob::client::HiBob;
use crate::store::Store;
use crate::targets::learning360::Learning360;

/// What the workers of all sources share.
pub struct TargetSide {
    /// The target.
    pub target: Learning360,
    /// What this process knows of its health.
    pub far_end: FarEnd,
    /// What the administrator chose for all accounts.
    pub policy: Policy,
    /// How many persons may be applied at once, and who waits for that.
    pub room: Room,
}

/// Serves one source.
pub struct Worker {
    /// The source's name.
    pub name: SourceName,
    /// The source.
    pub source: HiBob,
    /// What this process knows of its health.
    pub far_end: FarEnd,
    /// How many persons one read can take.
    pub people_per_search: usize,
    /// The target and all that is shared.
    pub target: Arc<TargetSide>,
    /// What must survive a restart.
    pub store: Arc<dyn Store>,
    /// The rules.
    pub rules: Rules,
    /// `[worker]`
    pub settings: WorkerSettings,
    /// The time.
    pub clock: Clock,
    /// Rung when work came in.
    pub wake: Arc<Notify>,
    /// Where settled attempts are told to whoever listens.
    pub told: broadcast::Sender<Settled>,
}

/// One settled attempt, told to whoever listens: the demo's live view, later the console.
#[derive(Clone, Debug)]
pub struct Settled {
    /// Whose.
    pub person: Person,
    /// What the events said: `employee.updated`, each kind once.
    pub kinds: Vec<String>,
    /// How many deliveries were settled together.
    pub deliveries: usize,
    /// What was decided.
    pub decided: String,
    /// What was done, call by call.
    pub done: Vec<String>,
    /// Where the deliveries stand now.
    pub state: DeliveryState,
    /// How it ended, in a sentence.
    pub outcome: String,
    /// From the receipt of the oldest event to now.
    pub latency: Duration,
}

impl Worker {
    /// The platform name under which the target holds this source's employee ids.
    pub fn platform(&self) -> String {
        format!("instep-{}", self.name)
    }

    fn delays(&self) -> Delays {
        Delays { first: self.settings.first_retry, longest: self.settings.longest_retry }
    }
}
