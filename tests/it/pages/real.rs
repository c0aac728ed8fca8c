//! The pages on the real thing: a town at work, Instep in this process, its console open as in the
//! demo, on both stores.

use std::sync::Arc;

use instep::app::{Instep, Purpose, Roles, open_store};
use instep::clock::Clock;
use instep::config;
use instep::model::{Access, AuditEntry, Choice, EmployeeId, Person, SourceName, Via};
use instep::sandbox::Options;
use instep::store::Store;
use reqwest::Client;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::harness::town::{Kept, Town, as_it_is};

/// Instep in this process; it stops with the value that holds it.
struct Console {
    url: String,
    http: Client,
    store: Arc<dyn Store>,
    stop: CancellationToken,
}

impl Drop for Console {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

impl Console {
    async fn of(town: &Town) -> Self {
        let Ok(loaded) = config::load(&town.config()) else { panic!("a configuration") };
        let clock = Clock::system();
        let store = open_store(&loaded.settings.store, Purpose::Serving, &clock).await;
        let store = store.expect("a store");
        let instep = Instep::build(loaded.settings, store.clone(), clock).expect("Instep");
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let stop = CancellationToken::new();
        tokio::spawn(instep.open_to_all().serve(listener, Roles::ALL, stop.clone()));
        town.sandbox.send_webhooks_to(format!("{url}/webhooks/bob"));
        Self { url, http: town.http().clone(), store, stop }
    }

    async fn get(&self, path: &str) -> (u16, String) {
        let answer = self.http.get(format!("{}{path}", self.url)).send().await.expect("an answer");
        (answer.status().as_u16(), answer.text().await.expect("text"))
    }

    /// Sends a form and looks at the page that it leads to.
    async fn post(&self, path: &str, form: &str) -> (u16, String) {
        let request = self.http.post(format!("{}{path}", self.url));
        let request = request
            .header("sec-fetch-site", "same-origin")
            .header("content-type", "application/x-www-form-urlencoded")
            .body(form.to_owned());
        let answer = request.send().await.expect("an answer");
        (answer.status().as_u16(), answer.text().await.expect("text"))
    }

    async fn audit(&self) -> Vec<AuditEntry> {
        self.store.audit(None, 10).await.expect("a store")
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn somebody_is_found_explained_planned_and_decided_on() {
    for kept in [Kept::Sqlite, Kept::Redis] {
        let platform = Some("instep-bob".to_owned());
        let options = Options { people: 12, in_step: true, platform, ..Options::default() };
        let town = Town::new(options, kept, as_it_is).await;
        let console = Console::of(&town).await;
        let id = &town.actives()[1];
        town.change(id, serde_json::json!({"surname": "Zanzibar"}));
        town.in_step().await;
        let page = format!("/console/people/bob/{id}");
        let link = format!("href=\"{page}\"");

        town.until("they are found by name, in whatever case", async || {
            console.get("/console/people?q=zanzi").await.1.contains(&link)
        })
        .await;
        for key in [id.clone(), format!("bob/{id}"), id[..id.len() - 1].to_owned()] {
            let (status, found) = console.get(&format!("/console/people?q={key}")).await;
            assert!(status == 200 && found.contains(&link), "{key}: {found}");
        }
        let (_, found) = console.get("/console/people?q=zanzi").await;
        assert!(
            !found.contains(">Zanzibar<"),
            "names are hidden until they are asked for: {found}"
        );

        let (status, explained) = console.get(&format!("{page}?explain=1")).await;
        assert_eq!(status, 200, "{explained}");
        for said in ["root.surname", "rules.fields.last_name", "nothing to do", "class=\"masked\""]
        {
            assert!(explained.contains(said), "{said} is not in:\n{explained}");
        }
        assert!(!explained.contains("Zanzibar"), "{explained}");
        let (status, shown) = console.post(&format!("{page}?explain=1"), "do=unmask").await;
        assert!(status == 200 && shown.contains("Zanzibar"), "{shown}");
        let (status, planned) = console.get(&format!("{page}?plan=1")).await;
        assert!(status == 200 && planned.contains("nothing to do"), "{planned}");

        let (status, decided) = console.post(&page, "do=decide&choice=ignore").await;
        assert_eq!(status, 200, "{decided}");
        assert!(decided.contains("this person is left alone"), "{decided}");
        let person = Person { source: SourceName::new("bob"), employee: EmployeeId::new(id) };
        let choice = console.store.choice(&person).await.expect("a store");
        assert_eq!(choice, Some(Choice::Ignore));
        let entries = console.audit().await;
        let told: Vec<_> = entries.iter().map(|it| (it.verb.as_str(), it.refused)).collect();
        assert_eq!(told, [("decide", false), ("unmask", false)]);
        assert_eq!(entries[0].about, format!("person bob/{id}"));
        assert_eq!((entries[0].via, entries[0].access), (Via::Console, Access::Administrator));

        let (status, nobody) = console.get("/console/people/bob/471147114711?explain=1").await;
        assert_eq!(status, 404, "{nobody}");
        assert!(nobody.contains("neither HR nor Instep has ever seen"), "{nobody}");
        let (status, wrong) = console.get("/console/people/tom/1?plan=1").await;
        assert!(status == 404 && wrong.contains("there is no source tom"), "{wrong}");
        let form = "do=decide&choice=account&account=nonsense";
        let (status, wrong) = console.post(&page, form).await;
        assert!(matches!(status, 409 | 422), "{status}: {wrong}");
        let (status, sure) = console.post(&page, &format!("{form}&sure=1")).await;
        assert!(status == 422 && sure.contains("has no account nonsense"), "{status}: {sure}");
    }
}
