//! The one road: lease, read, decide, apply, settle.
//!
//! A worker serves one source. It leases persons (all due deliveries of each), reads them in one
//! call, lets the rules decide, and applies each person's plan; several persons are applied at the
//! same time, one person never twice. Everything that changes the target goes through here.

mod brake;
mod bring;
mod carry;
mod closing;
mod end;
mod hold;
mod live;
mod lost;
mod making;
mod ordered;
mod process;
mod retry;
mod room;
mod settle;
pub mod surroundings;
mod swap;
mod together;
mod trace;
mod turn;
mod waiting;
mod whose;

use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

use tokio::sync::{Notify, broadcast};

pub use closing::DeadLetters;
pub use hold::{FarEnd, Scope};
pub use live::Live;
pub use retry::Delays;
pub use room::Room;
pub use together::Together;
pub use turn::Stop;

use crate::clock::{Clock, Deadline};
use crate::config::{BrakeSettings, WorkerSettings};
use crate::model::{DeliveryId, DeliveryState, Lane, Person, SourceName};
use crate::provisioning::planning::Policy;
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
    /// When groups and custom fields may be read afresh.
    pub afresh: Afresh,
    /// Memberships that wait to be carried out together.
    pub together: Together,
}

impl TargetSide {
    /// Whether it is worth reading groups and custom fields again because something is missing:
    /// what is missing for one is missing for many, and one read serves them all.
    fn may_look_afresh(&self) -> bool {
        let mut next = self.afresh.0.lock().unwrap_or_else(PoisonError::into_inner);
        let may = next.is_none_or(|next| next.left().is_zero());
        if may {
            *next = Some(Deadline::after(AFRESH));
        }
        may
    }
}

/// When groups and custom fields may be read afresh.
#[derive(Debug, Default)]
pub struct Afresh(Mutex<Option<Deadline>>);

/// How long something that is missing is believed to be missing still.
const AFRESH: Duration = Duration::from_secs(5);

/// Serves one source.
pub struct Worker {
    /// The source's name.
    pub name: SourceName,
    /// The rules, and the source as far as they need it.
    pub live: RwLock<Arc<Live>>,
    /// What this process knows of its health.
    pub far_end: FarEnd,
    /// How many persons one read can take.
    pub people_per_search: usize,
    /// The target and all that is shared.
    pub target: Arc<TargetSide>,
    /// What must survive a restart.
    pub store: Arc<dyn Store>,
    /// `[worker]`
    pub settings: WorkerSettings,
    /// `[brake]`
    pub brake: BrakeSettings,
    /// The time.
    pub clock: Clock,
    /// Whether there are dead letters, as far as this process knows.
    pub dead_letters: DeadLetters,
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
    /// The most urgent lane among them.
    pub lane: Lane,
    /// How many deliveries were settled together.
    pub deliveries: usize,
    /// The newest of them.
    pub newest: Option<DeliveryId>,
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

    /// The rules and the source as they are now. A person's turn uses one of them from its read to
    /// its end, whatever is put in place meanwhile.
    pub fn live(&self) -> Arc<Live> {
        Arc::clone(&self.live.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Puts other rules in place; for those who are read from now on.
    pub fn replace(&self, live: Live) {
        *self.live.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(live);
    }

    fn delays(&self) -> Delays {
        Delays { first: self.settings.first_retry, longest: self.settings.longest_retry }
    }
}
