//! `instep deliveries show`: one delivery from its event to what to do next.

use std::fmt::Write as _;

use jiff::Timestamp;
use serde_json::json;

use super::table::{BOLD, DIM, plain, style, time};
use super::{Exit, Terminal, find};
use crate::model::{Attempt, Delivery, DeliveryState, SYNC, SYNC_ABSENT, cause};
use crate::store::{Hold, KeptEvent, Store};

#[derive(Debug, clap::Args)]
pub(super) struct ShowArgs {
    /// The delivery's id, or enough of its beginning.
    id: String,
    /// Also the event's body, byte for byte as far as a terminal can show it.
    #[arg(long)]
    raw: bool,
    /// As one JSON object.
    #[arg(long)]
    json: bool,
}

pub(super) async fn show(
    args: &ShowArgs,
    store: &dyn Store,
    now: Timestamp,
    terminal: &mut Terminal<'_>,
) -> anyhow::Result<Exit> {
    let delivery = match find(store, &args.id).await? {
        Ok(delivery) => delivery,
        Err(sentence) => {
            terminal.note(&sentence)?;
            return Ok(Exit::Nothing);
        }
    };
    let event = store.event(&delivery.event).await?;
    let holds = store.holds().await?;
    let next = next(&delivery, &holds, now);
    if args.json {
        let event = event.as_ref().map(|kept| {
            let mut event = json!({
                "id": kept.event.id,
                "kind": kept.event.kind,
                "company": kept.event.company,
                "received_at": kept.event.received_at,
                "repeats": kept.repeats,
                "delivery": kept.delivery,
            });
            if args.raw {
                event["raw"] = String::from_utf8_lossy(&kept.event.raw).into();
            }
            event
        });
        let shown = json!({ "delivery": delivery, "event": event, "next": next });
        terminal.line(&shown.to_string())?;
        return Ok(Exit::Done);
    }
    terminal.text(&page(&delivery, event.as_ref(), &next))?;
    if args.raw {
        let body = event.as_ref().map(|kept| String::from_utf8_lossy(&kept.event.raw));
        let body = body.as_deref().unwrap_or("(no longer kept)");
        terminal.line(&format!("\n{BOLD}Body{BOLD:#}"))?;
        for line in body.lines() {
            terminal.line(&plain(line))?;
        }
    }
    Ok(Exit::Done)
}

fn page(delivery: &Delivery, event: Option<&KeptEvent>, next: &str) -> String {
    let mut text = String::new();
    let (colour, state) = (style(delivery.state), delivery.state.word());
    let _ = writeln!(text, "{BOLD}Delivery {}{BOLD:#}  {colour}{state}{colour:#}", delivery.id);
    let mut say = |what: &str, said: &str| {
        let _ = writeln!(text, "  {DIM}{what:<9}{DIM:#} {said}");
    };
    let person = delivery.person();
    let whom = person.map_or_else(|| "nobody it names".to_owned(), |person| person.to_string());
    say("event", &format!("{} about {}", plain(&delivery.kind), plain(&whom)));
    say("received", &received(delivery, event));
    let replays = match delivery.replays {
        0 => String::new(),
        1 => ", replayed once".to_owned(),
        n => format!(", replayed {n} times"),
    };
    say("attempts", &format!("{}{replays}", delivery.attempts));
    if delivery.kills > 0 {
        let times = delivery.kills;
        say("killed", &format!("{times} × its worker died or lost it"));
    }
    if let Some(reason) = &delivery.reason {
        say("reason", &plain(reason));
    }
    if let Some(code) = &delivery.code {
        say("code", &plain(code));
    }
    say("next", next);
    if delivery.history.is_empty() {
        return text;
    }
    let last = match delivery.history.len() {
        Delivery::HISTORY => format!("the last {}, ", Delivery::HISTORY),
        _ => String::new(),
    };
    let _ = writeln!(text, "\n{BOLD}Attempts{BOLD:#}, {last}oldest first");
    for attempt in &delivery.history {
        attempt_lines(&mut text, attempt);
    }
    text
}

fn received(delivery: &Delivery, event: Option<&KeptEvent>) -> String {
    let at = time(delivery.received_at);
    let Some(kept) = event else {
        return format!("{at} UTC; the event itself is no longer kept");
    };
    let again = match kept.repeats {
        0 => String::new(),
        1 => ", came once more".to_owned(),
        n => format!(", came {n} times more"),
    };
    let moved = if kept.delivery == delivery.id {
        String::new()
    } else {
        format!("; delivery {} carries it now", kept.delivery)
    };
    format!("{at} UTC{again}{moved}")
}

fn attempt_lines(text: &mut String, attempt: &Attempt) {
    let Attempt { at, took_ms, read, rules, decided, done, outcome } = attempt;
    let outcome = plain(outcome);
    let _ = writeln!(text, "  {}  {BOLD}{outcome}{BOLD:#}  {DIM}{took_ms} ms{DIM:#}", time(*at));
    let mut say = |what: &str, said: &str| {
        let _ = writeln!(text, "    {DIM}{what:<8}{DIM:#} {}", plain(said));
    };
    if !read.is_empty() {
        say("read", &read.join(", "));
    }
    if !rules.is_empty() {
        say("rules", rules);
    }
    if !decided.is_empty() {
        say("decided", decided);
    }
    for (number, step) in done.iter().enumerate() {
        say(if number == 0 { "done" } else { "" }, step);
    }
}

/// What the person who looks should do.
fn next(delivery: &Delivery, holds: &[Hold], now: Timestamp) -> String {
    let again = format!("instep replay {}", delivery.id);
    if delivery.employee.is_none() {
        return "nothing: it names nobody, so there is nobody to look at".to_owned();
    }
    match delivery.state {
        DeliveryState::Waiting => {
            let source = format!("source {}", delivery.source);
            let held = holds.iter().find(|hold| hold.scope == "target" || hold.scope == source);
            if let Some(Hold { scope, reason, probe_at, .. }) = held {
                let probe = time(*probe_at);
                let reason = plain(reason);
                return format!("{scope} is on hold, tried again at {probe} UTC: {reason}");
            }
            if delivery.due > now {
                return format!("nothing: it is tried again at {} UTC", time(delivery.due));
            }
            "nothing: a worker takes it next; if it stays, see whether a worker runs".to_owned()
        }
        DeliveryState::Done => format!("nothing: it is settled; to look once more: {again}"),
        DeliveryState::Dead if delivery.code.as_deref() == Some("disputed") => {
            "decide whose account it is: instep matches".to_owned()
        }
        DeliveryState::Dead if matches!(delivery.kind.as_str(), SYNC | SYNC_ABSENT) => {
            "remove the cause; the next full sync looks at the person again: instep sync".to_owned()
        }
        DeliveryState::Dead => {
            let code = delivery.code.as_deref().unwrap_or_default();
            format!("{} When the cause is gone: {again}", cause::advice(code))
        }
        DeliveryState::Ignored => format!("nothing, unless it was ignored by mistake: {again}"),
    }
}
