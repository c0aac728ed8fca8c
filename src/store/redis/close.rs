//! Closing dead letters without doing them again.

use jiff::Timestamp;

use super::script::CLOSE;
use super::{RedisStore, read};
use crate::model::{Delivery, DeliveryId, DeliveryState};
use crate::store::seal::Place;
use crate::store::{StoreError, closed};

/// How many records one script looks at; others can be served in between.
const AT_ONCE: usize = 500;

impl RedisStore {
    /// See [`Store::close`](crate::store::Store::close).
    pub(super) async fn close_dead_letters(
        &self,
        ids: &[DeliveryId],
        state: DeliveryState,
        reason: &str,
        at: Timestamp,
    ) -> Result<u64, StoreError> {
        let names = &self.names;
        let settled = match state {
            DeliveryState::Ignored => &names.ignored,
            _ => &names.done,
        };
        let (mut count, keys) = (0, self.keys().await?);
        for some in ids.chunks(AT_ONCE) {
            let own = [&names.deliveries, &names.dead, settled, &names.seen, &names.needed];
            let mut call = CLOSE.on(&own);
            let texts = self.fetch_texts("close", some).await?;
            for (id, text) in some.iter().zip(texts) {
                let Some(text) = text else { continue };
                let delivery: Delivery = keys.read(&Place::delivery(id), &text)?;
                if delivery.state == DeliveryState::Dead {
                    call = call
                        .arg(delivery.id.as_str())
                        .arg(&text)
                        .arg(
                            keys.write(&Place::delivery(id), &closed(&delivery, state, reason, at)),
                        )
                        .arg(delivery.received_at.as_millisecond())
                        .arg(delivery.event.as_str());
                }
            }
            count += read::<u64>("close", call.run(&self.connection).await)?;
        }
        Ok(count)
    }
}
