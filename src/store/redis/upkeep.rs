//! What is done to deliveries long after they were settled: replaying them and letting them go.

use std::collections::{BTreeMap, HashSet};

use jiff::Timestamp;
use redis::cmd;

use super::script::{REPLAY, TRIM_DELIVERIES, TRIM_EVENTS};
use super::{RedisStore, lane as lane_word, names, read};
use crate::model::{Delivery, DeliveryId, DeliveryState, Lane, SourceName};
use crate::store::seal::{Keys, Place};
use crate::store::{Retention, StoreError};

/// How many records one script looks at; others can be served in between.
const AT_ONCE: usize = 500;
/// How often a replay is tried again for deliveries that changed while it looked at them.
const TRIES: usize = 5;

impl RedisStore {
    /// See [`Store::replay`](crate::store::Store::replay).
    pub(super) async fn queue_again(
        &self,
        ids: &[DeliveryId],
        lane: Lane,
        at: Timestamp,
    ) -> Result<u64, StoreError> {
        let mut seen = HashSet::new();
        let ids: Vec<_> = ids.iter().filter(|id| seen.insert(*id)).cloned().collect();
        let mut count = 0;
        for some in ids.chunks(AT_ONCE) {
            let mut left = some.to_vec();
            for _ in 0..TRIES {
                let (done, changed) = self.try_to_queue_again(&left, lane, at).await?;
                count += done;
                left = changed;
                if left.is_empty() {
                    break;
                }
            }
        }
        Ok(count)
    }

    /// Replays what it can; says how many, and which ones changed meanwhile.
    async fn try_to_queue_again(
        &self,
        ids: &[DeliveryId],
        lane: Lane,
        at: Timestamp,
    ) -> Result<(u64, Vec<DeliveryId>), StoreError> {
        let texts = self.fetch_texts("replay", ids).await?;
        let mut by_source: BTreeMap<SourceName, Vec<(Delivery, String)>> = BTreeMap::new();
        let keys = self.keys().await?;
        for (id, text) in ids.iter().zip(texts) {
            let Some(text) = text else { continue };
            let delivery: Delivery = keys.read(&Place::delivery(id), &text)?;
            if delivery.state != DeliveryState::Waiting && delivery.employee.is_some() {
                by_source.entry(delivery.source.clone()).or_default().push((delivery, text));
            }
        }
        let (mut count, mut changed) = (0, Vec::new());
        for (source, deliveries) in by_source {
            let mut call = REPLAY.on(&self.names.of_source(&source)).arg(self.now());
            for (delivery, text) in &deliveries {
                let employee = delivery.employee.as_ref().map_or("", |employee| employee.as_str());
                call = call
                    .arg(delivery.id.as_str())
                    .arg(text)
                    .arg(keys.write(&Place::delivery(&delivery.id), &afresh(delivery, lane, at)))
                    .arg(delivery.state.word())
                    .arg(names::part(employee).as_ref())
                    .arg(lane_word(lane))
                    .arg(self.distance(at))
                    .arg(delivery.received_at.as_millisecond());
            }
            let queued: Vec<bool> = read("replay", call.run(&self.connection).await)?;
            for ((delivery, _), queued) in deliveries.into_iter().zip(queued) {
                if queued {
                    count += 1;
                } else {
                    changed.push(delivery.id);
                }
            }
        }
        Ok((count, changed))
    }

    /// See [`Store::trim`](crate::store::Store::trim).
    pub(super) async fn let_go(&self, retention: Retention) -> Result<u64, StoreError> {
        let before = retention.deliveries.as_millisecond();
        let mut count = self.let_go_of_runs(retention).await?;
        count += self.let_go_of_audit(retention).await?;
        for index in [&self.names.done, &self.names.ignored] {
            let mut command = cmd("ZRANGEBYSCORE");
            command.arg(index).arg("-inf").arg(format!("({before}"));
            let ids: Vec<String> =
                self.ask("trim", command.arg("LIMIT").arg(0).arg(AT_ONCE)).await?;
            if ids.is_empty() {
                continue;
            }
            let ids: Vec<_> = ids.into_iter().map(DeliveryId::new).collect();
            let texts = self.fetch_texts("trim", &ids).await?;
            let indexes = [index, &self.names.deliveries, &self.names.people];
            let keys = self.keys().await?;
            let mut call = TRIM_DELIVERIES.on(&indexes);
            for (id, text) in ids.iter().zip(texts) {
                let row = text.and_then(|text| row(id, &text, keys)).unwrap_or_default();
                call = call.arg(id.as_str()).arg(row);
            }
            count += read::<u64>("trim", call.run(&self.connection).await)?;
        }
        let names = &self.names;
        let keys = [
            &names.seen,
            &names.events,
            &names.repeats,
            &names.waiting,
            &names.dead,
            &names.needed,
        ];
        let call = TRIM_EVENTS.on(&keys).arg(retention.events.as_millisecond()).arg(AT_ONCE);
        count += read::<u64>("trim", call.run(&self.connection).await)?;
        Ok(count)
    }
}

/// The delivery as a replay leaves it.
fn afresh(delivery: &Delivery, lane: Lane, at: Timestamp) -> Delivery {
    Delivery {
        lane,
        state: DeliveryState::Waiting,
        due: at,
        attempts: 0,
        looks: 0,
        absences: 0,
        kills: 0,
        replays: delivery.replays + 1,
        reason: None,
        code: None,
        ..delivery.clone()
    }
}

/// A delivery's row of `people`; none when it names nobody or cannot be read.
fn row(id: &DeliveryId, text: &str, keys: &Keys) -> Option<String> {
    let delivery: Delivery = keys.read(&Place::delivery(id), text).ok()?;
    let received = delivery.received_at.as_millisecond();
    Some(names::row(delivery.employee?.as_str(), received, delivery.id.as_str()))
}
