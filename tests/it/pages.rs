//! The console's pages about people, deliveries and failures, through the router: what they show to
//! whom, what their forms do, and what they answer to input that is missing, wrong, huge or hostile.

mod deliveries;
mod desk;
mod failures;
mod hostile;
mod masking;
mod people;
mod real;
mod unmasking;

use std::sync::Arc;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::{Request, header};
use instep::clock::Clock;
use instep::http::who::Gate;
use instep::http::{HttpState, Limits, router};
use instep::model::{
    Access, Actor, Arrival, Delivery, DeliveryId, EmployeeId, Event, Fate, Lane, Person,
    SourceName, Via,
};
use instep::store::Store;
use instep::store::sqlite::SqliteStore;
use instep::telemetry;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt as _;

use desk::Made;

/// The console, a store, and a desk that writes down what it is asked to do.
struct Pages {
    router: Router,
    store: Arc<dyn Store>,
    made: Arc<Made>,
    clock: Clock,
    _folder: tempfile::TempDir,
}

/// An answer.
struct Page {
    status: u16,
    location: String,
    text: String,
}

impl Pages {
    /// As somebody with this access sees it.
    fn open(access: Access) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let clock = Clock::manual(Clock::system().now());
        let store = SqliteStore::open(&folder.path().join("instep.db"), clock.clone());
        let store: Arc<dyn Store> = Arc::new(store.expect("a store"));
        let made = Arc::new(Made::default());
        let router = console(&store, &made, &clock, "ann", access);
        Self { router, store, made, clock, _folder: folder }
    }

    /// The same console for somebody else.
    fn as_somebody_else(&self, name: &str, access: Access) -> Router {
        console(&self.store, &self.made, &self.clock, name, access)
    }

    async fn get(&self, path: &str) -> Page {
        ask(&self.router, request("GET", path, None)).await
    }

    async fn post(&self, path: &str, form: &str) -> Page {
        ask(&self.router, request("POST", path, Some(form.to_owned().into()))).await
    }

    /// Takes an event in about somebody.
    async fn arrival(&self, employee: &str, kind: &str, raw: &str) -> Delivery {
        let source = SourceName::new("bob");
        let event = Event {
            id: instep::model::EventId::of(&source, raw.as_bytes()),
            source,
            kind: kind.to_owned(),
            company: None,
            employee: Some(EmployeeId::new(employee)),
            received_at: self.clock.now(),
            raw: raw.to_owned().into(),
        };
        let delivery = DeliveryId::fresh();
        let arrival = Arrival { event, fate: Fate::Deliver(Lane::Live), delivery };
        let id = arrival.delivery.clone();
        self.store.accept(arrival).await.expect("taken in");
        self.store.delivery(&id).await.expect("a store").expect("a delivery")
    }
}

fn console(
    store: &Arc<dyn Store>,
    made: &Arc<Made>,
    clock: &Clock,
    name: &str,
    access: Access,
) -> Router {
    let recorder = telemetry::metrics().expect("a recorder");
    let (stop, limits) = (CancellationToken::new(), Limits::default());
    let state = HttpState::new(store.clone(), clock.clone(), recorder, stop, limits);
    let actor = Actor { name: name.to_owned(), access, via: Via::Console, from: None };
    router(state.people(made.desk(store, clock), Gate::Open(actor)))
}

/// A request as a browser sends it from one of our own pages.
fn request(method: &str, path: &str, form: Option<Body>) -> Request<Body> {
    let request = Request::builder()
        .method(method)
        .uri(path)
        .header(header::HOST, "127.0.0.1")
        .header("sec-fetch-site", "same-origin")
        .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
    request.body(form.unwrap_or_default()).expect("a request")
}

async fn ask(router: &Router, request: Request<Body>) -> Page {
    let response = router.clone().oneshot(request).await.expect("an answer");
    let status = response.status().as_u16();
    let location = response.headers().get(header::LOCATION);
    let location = location.map(|it| it.to_str().expect("an address").to_owned());
    let bytes = to_bytes(response.into_body(), 16 << 20).await.expect("a body");
    let text = String::from_utf8(bytes.into()).expect("text");
    Page { status, location: location.unwrap_or_default(), text }
}

impl Page {
    #[track_caller]
    fn has(&self, text: &str) {
        assert!(self.text.contains(text), "{text} is not in:\n{}", self.text);
    }

    #[track_caller]
    fn has_not(&self, text: &str) {
        assert!(!self.text.contains(text), "{text} is in:\n{}", self.text);
    }

    /// A page in the frame that says why something was not done.
    #[track_caller]
    fn is_refused(&self, status: u16, why: &str) {
        assert_eq!(self.status, status, "{}", self.text);
        self.has("aria-label=\"Console\"");
        self.has("role=\"alert\"");
        self.has(why);
    }
}

fn person(employee: &str) -> Person {
    Person { source: SourceName::new("bob"), employee: EmployeeId::new(employee) }
}
