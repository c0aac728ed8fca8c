//! The intake: arrivals that come while others are being written go together in the next call.
//!
//! Redis takes an event in much faster than it begins a call and writes to the disk, so under load
//! many share both. An arrival that comes alone waits for nobody. Each caller has its own answer,
//! after the call; when the call fails, everyone in it is told. What was handed in is written even
//! if its caller goes away.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use redis::{ErrorKind, RedisError, RedisResult};
use tokio::sync::oneshot;

use super::connect::Connection;
use super::names::Names;
use super::now;
use super::script::ACCEPT;
use crate::clock::Clock;
use crate::model::{Lane, SourceName};
use crate::store::StoreError;

/// So many calls are under way at most.
const CALLS: usize = 2;
/// So many arrivals go in one call at most; Redis does nothing else meanwhile.
const TOGETHER: usize = 32;
/// A call is not made longer when it has so many bytes.
pub const BYTES: usize = 256 * 1024;

/// One arrival as `accept.lua` takes it.
pub struct Offer {
    pub event: String,
    pub body: Vec<u8>,
    pub delivery: String,
    pub stored: String,
    pub received: String,
    pub row: String,
    pub employee: String,
    pub lane: &'static str,
    pub due: i64,
    pub person: String,
}

/// Takes arrivals in.
pub struct Intake(Arc<Inner>);

struct Inner {
    connection: Arc<Connection>,
    names: Names,
    clock: Clock,
    queue: Mutex<Queue>,
}

#[derive(Default)]
struct Queue {
    waiting: VecDeque<Waiting>,
    under_way: usize,
}

struct Waiting {
    source: SourceName,
    lane: Lane,
    offer: Offer,
    reply: oneshot::Sender<RedisResult<String>>,
}

impl Intake {
    /// An intake with nothing in it. It tells the time as the scripts do.
    pub fn new(connection: Arc<Connection>, names: Names, clock: Clock) -> Self {
        Self(Arc::new(Inner { connection, names, clock, queue: Mutex::default() }))
    }

    /// Takes an arrival in; says which delivery carries the event.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] with what Redis or the network said.
    pub async fn take(
        &self,
        source: SourceName,
        lane: Lane,
        offer: Offer,
    ) -> Result<String, StoreError> {
        let (reply, answer) = oneshot::channel();
        let begin = {
            let mut queue = self.0.queue();
            queue.waiting.push_back(Waiting { source, lane, offer, reply });
            let begin = queue.under_way < CALLS;
            queue.under_way += usize::from(begin);
            begin
        };
        if begin {
            tokio::spawn(Arc::clone(&self.0).work());
        }
        let doing = "accept";
        match answer.await {
            Ok(Ok(carrier)) => Ok(carrier),
            Ok(Err(error)) => Err(StoreError::Unavailable { doing, source: error.into() }),
            Err(_) => Err(StoreError::Unavailable { doing, source: "the program ends".into() }),
        }
    }

    /// Takes arrivals of one source and lane in, by one call of their own: single ones, which come
    /// while somebody waits for the answer, do not queue behind them. Says which delivery carries
    /// each.
    ///
    /// # Errors
    /// As for [`take`](Self::take).
    pub async fn take_together(
        &self,
        source: &SourceName,
        lane: Lane,
        offers: &[Offer],
    ) -> Result<Vec<String>, StoreError> {
        let carriers = self.0.call(source, lane, offers.iter()).await;
        carriers.map_err(|e| StoreError::Unavailable { doing: "accept_all", source: e.into() })
    }
}

impl Inner {
    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Makes calls until nothing waits.
    async fn work(self: Arc<Self>) {
        loop {
            let together = self.next();
            let Some(Waiting { source, lane, .. }) = together.first() else { return };
            let offers = together.iter().map(|waiting| &waiting.offer);
            match self.call(source, *lane, offers).await {
                Ok(carriers) => {
                    for (waiting, carrier) in together.into_iter().zip(carriers) {
                        // Nobody may be waiting any more.
                        let _ = waiting.reply.send(Ok(carrier));
                    }
                }
                Err(error) => {
                    for waiting in together {
                        let _ = waiting.reply.send(Err(error.clone()));
                    }
                }
            }
        }
    }

    /// What goes in the next call: of one source and lane, which share their keys. When there is
    /// nothing, this worker is taken for gone.
    fn next(&self) -> Vec<Waiting> {
        let mut queue = self.queue();
        let mut together: Vec<Waiting> = Vec::new();
        let mut bytes = 0;
        while let Some(next) = queue.waiting.front() {
            let fits = together.first().is_none_or(|first| {
                first.lane == next.lane && first.source == next.source && bytes < BYTES
            });
            if !fits || together.len() == TOGETHER {
                break;
            }
            bytes += next.offer.body.len();
            together.extend(queue.waiting.pop_front());
        }
        if together.is_empty() {
            queue.under_way -= 1;
        }
        together
    }

    async fn call<'o>(
        &self,
        source: &SourceName,
        lane: Lane,
        offers: impl ExactSizeIterator<Item = &'o Offer>,
    ) -> RedisResult<Vec<String>> {
        let offered = offers.len();
        let mut call = ACCEPT.on(&self.names.of_arrival(source, lane)).arg(now(&self.clock));
        for offer in offers {
            call = call
                .arg(&offer.event)
                .arg(&offer.body)
                .arg(&offer.delivery)
                .arg(&offer.stored)
                .arg(&offer.received)
                .arg(&offer.row)
                .arg(&offer.employee)
                .arg(offer.lane)
                .arg(offer.due)
                .arg(&offer.person);
        }
        let carriers: Vec<String> = redis::from_redis_value(call.run(&self.connection).await?)?;
        if carriers.len() != offered {
            let what = "not one answer for each arrival";
            return Err(RedisError::from((ErrorKind::UnexpectedReturnType, what)));
        }
        Ok(carriers)
    }
}
