//! Maintenance windows: when one begins, what it names is paused until it ends. Every process with a
//! schedule does so; a pause that stands already is left as it is.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio_util::sync::CancellationToken;

use super::Desk;
use crate::config::{Settings, WindowSettings};
use crate::model::Pause;
use crate::schedule::timetable::Timetable;

/// How often it is looked whether one has begun.
const LOOK: Duration = Duration::from_secs(5);

/// Sets the pauses of the windows until it is told to stop.
pub(super) async fn keep(settings: Arc<Settings>, desk: Desk, stop: CancellationToken) {
    if settings.windows.is_empty() {
        return;
    }
    while !stop.is_cancelled() {
        for window in &settings.windows {
            let Some(pause) = open(window, &settings, desk.clock.now()) else { continue };
            match desk.begin_window(&pause).await {
                Ok(true) => tracing::info!(
                    window = window.name, scope = %pause.scope, until = ?pause.until, "paused"
                ),
                Ok(false) => {}
                Err(error) => tracing::warn!(window = window.name, %error, "not paused yet"),
            }
        }
        tokio::select! {
            () = stop.cancelled() => {}
            () = tokio::time::sleep(LOOK) => {}
        }
    }
}

/// The pause of a window, while it is open.
fn open(window: &WindowSettings, settings: &Settings, now: Timestamp) -> Option<Pause> {
    let table = Timetable::at(&window.begins, &settings.sync.schedule.time_zone);
    let began = table.next(now - window.lasting).filter(|began| *began <= now)?;
    let until = began + window.lasting;
    (now < until).then(|| Pause {
        scope: window.scope.clone(),
        by: format!("maintenance {}", window.name),
        reason: window.reason.clone(),
        since: began,
        until: Some(until),
        lifted_by: None,
    })
}
