//! `/console/deliveries/{id}`: one delivery from its event to what to do next.

use std::sync::Arc;

use askama::Template;
use axum::extract::State;
use axum::response::Response;

use super::address;
use super::attempts::{Told, told};
use super::deliveries::{Row, again};
use super::fields::{Asked, Filled, Named, is_id};
use super::frame::{self, Frame, Section};
use super::plain::{plain, plain_lines};
use super::unmask::{self, Sight};
use super::visit::Visit;
use crate::http::HttpState;
use crate::model::cause::{self, Cause};
use crate::model::{Delivery, DeliveryId, DeliveryState, Refused, SYNC, SYNC_ABSENT, Which};
use crate::store::{Hold, KeptEvent, StoreError};

/// So many bytes of an event's body are shown.
const RAW: usize = 64 * 1024;

#[derive(Template)]
#[template(path = "delivery.html", config = "src/http/console/askama.toml")]
struct Page {
    frame: Frame,
    sight: Sight,
    row: Row,
    attempts: Vec<Told>,
    delivery: Delivery,
    event: Option<KeptEvent>,
    /// The event's body, when it is seen.
    raw: Option<String>,
    next: String,
    /// Its account is disputed.
    disputed: bool,
}

impl Page {
    fn event_id(&self) -> String {
        plain(self.delivery.event.as_str())
    }

    /// The delivery that carries the event now, when it is another one.
    fn moved(&self) -> Option<String> {
        let carrying = &self.event.as_ref()?.delivery;
        (*carrying != self.delivery.id).then(|| address::of_delivery(carrying))
    }

    fn company(&self) -> Option<String> {
        Some(plain(self.event.as_ref()?.event.company.as_deref()?))
    }

    /// The cause that it failed by, and its page.
    fn cause(&self) -> Option<(String, String)> {
        let dead = self.delivery.state == DeliveryState::Dead;
        let cause = dead.then(|| Cause::of(&self.delivery).name)?;
        let path = address::of_cause(&cause);
        Some((cause, path))
    }

    fn can_be_discarded(&self) -> bool {
        self.delivery.state == DeliveryState::Dead
    }

    fn can_be_replayed(&self) -> bool {
        // What a full sync ordered is looked at by the next one.
        let by_sync = matches!(self.delivery.kind.as_str(), SYNC | SYNC_ABSENT);
        self.delivery.employee.is_some()
            && self.delivery.state != DeliveryState::Waiting
            && !by_sync
    }
}

/// `GET /console/deliveries/{id}`
pub(super) async fn page(
    State(state): State<Arc<HttpState>>,
    visit: Visit,
    Named(id): Named<String>,
) -> Response {
    show(&state, visit, &id, None).await
}

async fn show(state: &HttpState, visit: Visit, id: &str, refused: Option<Refused>) -> Response {
    let (delivery, event, holds) = match read(state, id).await {
        Ok(Some(found)) => found,
        Ok(None) => {
            let told = "there is no such delivery: it is past its retention, or the id is wrong";
            let refused = Refused::NotFound(told.to_owned());
            return frame::no_page(visit, Section::Deliveries, &refused);
        }
        Err(error) => {
            let refused = Refused::Unavailable(error.to_string());
            return frame::no_page(visit, Section::Deliveries, &refused);
        }
    };
    let sight = Sight::of(&visit, &format!("delivery {id}"));
    let frame = visit.frame(Section::Deliveries).refused(refused.as_ref());
    let raw = event.as_ref().filter(|_| sight.sees);
    let page = Page {
        row: Row::of(&delivery, &frame),
        attempts: told(&delivery, &frame).collect(),
        raw: raw.map(|kept| plain_lines(&String::from_utf8_lossy(&kept.event.raw), RAW)),
        next: next(&delivery, &holds, &frame),
        disputed: delivery.code.as_deref() == Some("disputed"),
        frame,
        sight,
        event,
        delivery,
    };
    frame::page_after(&page, refused.as_ref())
}

type Found = (Delivery, Option<KeptEvent>, Vec<Hold>);

async fn read(state: &HttpState, id: &str) -> Result<Option<Found>, StoreError> {
    if !is_id(id) {
        return Ok(None);
    }
    let Some(delivery) = state.store.delivery(&DeliveryId::new(id)).await? else {
        return Ok(None);
    };
    let event = state.store.event(&delivery.event).await?;
    Ok(Some((delivery, event, state.store.holds().await?)))
}

/// What the person who looks should do.
fn next(delivery: &Delivery, holds: &[Hold], frame: &Frame) -> String {
    if delivery.employee.is_none() {
        return "Nothing: it names nobody, so there is nobody to look at.".to_owned();
    }
    match delivery.state {
        DeliveryState::Waiting => {
            let source = format!("source {}", delivery.source);
            let held = holds.iter().find(|hold| hold.scope == "target" || hold.scope == source);
            if let Some(Hold { scope, reason, probe_at, .. }) = held {
                let (when, reason) = (frame.ago(probe_at), plain(reason));
                return format!("{scope} is on hold, and tried again {when}: {reason}");
            }
            if delivery.due > frame.now {
                return format!("Nothing: it is tried again {}.", frame.ago(delivery.due));
            }
            "Nothing: a worker takes it next; if it stays, see whether a worker runs.".to_owned()
        }
        DeliveryState::Done => "Nothing: it is settled.".to_owned(),
        DeliveryState::Dead if delivery.code.as_deref() == Some("disputed") => {
            "Decide whose account it is, on the person's page.".to_owned()
        }
        DeliveryState::Dead if matches!(delivery.kind.as_str(), SYNC | SYNC_ABSENT) => {
            "Remove the cause; the next full sync looks at the person again.".to_owned()
        }
        DeliveryState::Dead => {
            let advice = cause::advice(delivery.code.as_deref().unwrap_or_default());
            format!("{advice} Discard it when nothing is to be done.")
        }
        DeliveryState::Ignored => {
            "Nothing, unless it was ignored by mistake: replay it.".to_owned()
        }
    }
}

/// `POST /console/deliveries/{id}`
pub(super) async fn act(
    State(state): State<Arc<HttpState>>,
    visit: Visit,
    Named(id): Named<String>,
    Asked(asked): Asked,
    Filled(filled): Filled,
) -> Response {
    let path = address::of_delivery(&DeliveryId::new(id.clone()));
    let done = async {
        let filled = filled?;
        let delivery = state.store.delivery(&DeliveryId::new(id.clone())).await;
        match delivery.map_err(|error| Refused::Unavailable(error.to_string()))? {
            Some(_) if is_id(&id) => {}
            _ => return Err(Refused::NotFound("there is no such delivery".to_owned())),
        }
        if filled.one("do") == Some("unmask") {
            let back = asked.behind(&path, &["did"]);
            return unmask::ask(&state, &visit, &format!("delivery {id}"), &back).await;
        }
        let which = Which { ids: vec![DeliveryId::new(id.clone())], ..Which::default() };
        again(&state, &visit, &filled, which, &path).await
    };
    match done.await {
        Ok(response) => response,
        Err(refused) => show(&state, visit, &id, Some(refused)).await,
    }
}
