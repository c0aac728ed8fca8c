//! Where people see more: addresses of pages in the console, as they reach it.

use crate::config::ServerSettings;
use crate::model::{DeliveryId, RunId};

/// The console, if it is known where people reach it; otherwise there are no addresses.
#[derive(Clone, Debug, Default)]
pub(super) struct Pages(Option<String>);

impl Pages {
    /// Under `[server] public_url`.
    pub(super) fn of(server: &ServerSettings) -> Self {
        Self(server.public_url.as_ref().map(|url| format!("{url}/console")))
    }

    /// Where everything begins.
    pub(super) fn start(&self) -> Option<String> {
        self.0.clone()
    }

    /// All runs.
    pub(super) fn runs(&self) -> Option<String> {
        self.page("runs")
    }

    /// One run.
    pub(super) fn run(&self, id: &RunId) -> Option<String> {
        self.page(&format!("runs/{id}"))
    }

    /// One delivery.
    pub(super) fn delivery(&self, id: &DeliveryId) -> Option<String> {
        self.page(&format!("deliveries/{id}"))
    }

    fn page(&self, path: &str) -> Option<String> {
        self.0.as_ref().map(|console| format!("{console}/{path}"))
    }
}
