//! People: search, one person's page, and its forms.

use instep::model::{
    Access, AccountId, AccountStatus, Choice, DeliveryState, Field, Link, Question, Somebody, Verb,
};
use instep::store::LeaseRequest;

use super::{Pages, person};

impl Pages {
    /// Links somebody to an account, as a worker does.
    async fn linked(&self, employee: &str, account: &str, name: &str) {
        self.arrival(employee, "employee.updated", &format!("{{\"id\":\"{employee}\"}}")).await;
        let source = person(employee).source;
        let request = LeaseRequest {
            source: &source,
            persons: 100,
            lasting: std::time::Duration::from_secs(60),
            without: None,
        };
        for lease in self.store.lease(request).await.expect("leases") {
            let link = Link {
                account: Some(AccountId::new(account)),
                status: Some(AccountStatus::Active),
                applied: [(Field::LastName, Some(name.to_owned()))].into(),
                ..Link::default()
            };
            let mut deliveries = lease.deliveries.clone();
            for delivery in &mut deliveries {
                delivery.state = DeliveryState::Done;
            }
            self.store.settle(lease, deliveries, Some(link)).await.expect("settled");
        }
    }
}

fn somebody(employee: &str) -> Somebody {
    Somebody {
        person: person(employee),
        name: "Ann Lee".to_owned(),
        mail: "ann@example.test".to_owned(),
        account: Some(AccountId::new("5f0a")),
        active: true,
    }
}

#[tokio::test]
async fn people_are_searched_and_lead_to_their_pages() {
    let pages = Pages::open(Access::Operator);
    pages.get("/console/people").await.has("Search for somebody");
    assert!(pages.made.asked().is_empty(), "nothing is searched unasked");

    pages.made.knows(vec![somebody("17")]);
    let found = pages.get("/console/people?q=Ann%20Lee").await;
    assert_eq!(found.status, 200);
    found.has("href=\"/console/people/bob/17\"");
    found.has("value=\"Ann Lee\"");
    found.has_not("ann@example.test");
    let asked = pages.made.asked();
    assert_eq!(asked, [Question::People { text: "Ann Lee".to_owned(), most: 51 }]);

    pages.made.knows((0..51).map(|id| somebody(&id.to_string())).collect());
    let found = pages.get("/console/people?q=a").await;
    assert_eq!(found.text.matches("<tr>").count(), 51, "the heading and fifty people");
    found.has("There are more");

    pages.made.knows(Vec::new());
    pages.get("/console/people?q=nobody").await.has("Nobody is found");
}

#[tokio::test]
async fn a_person_has_a_page_with_what_is_known_and_what_can_be_done() {
    let pages = Pages::open(Access::Operator);
    pages.linked("17", "5f0a", "Secretname").await;
    let page = pages.get("/console/people/bob/17").await;
    assert_eq!(page.status, 200);
    for said in ["bob/17", "5f0a", "active", "employee.updated", "Sync now", "last_name"] {
        page.has(said);
    }
    page.has_not("Secretname");
    page.has_not("Replay what failed");
    assert!(pages.made.asked().is_empty(), "HR and the LMS are read only when it is asked");

    let nobody = pages.get("/console/people/bob/18").await;
    assert_eq!(nobody.status, 404);
    nobody.has("No event ever came");
    nobody.has_not("role=\"alert\"");
    nobody.has("?explain=1");

    let away = pages.get("/console/people/bob/17?explain=1").await;
    away.is_refused(503, "HR does not answer");
    away.has("employee.updated");
    assert_eq!(pages.made.asked(), [Question::Explain { person: person("17") }]);
}

#[tokio::test]
async fn its_forms_do_what_they_say() {
    let pages = Pages::open(Access::Operator);
    pages.linked("17", "5f0a", "Lee").await;
    let path = "/console/people/bob/17";

    let synced = pages.post(path, "do=sync").await;
    assert_eq!(synced.status, 303);
    assert!(synced.location.starts_with("/console/people/bob/17?did="), "{}", synced.location);
    assert_eq!(pages.made.wanted(), [Verb::SyncPerson { person: person("17") }]);
    let told = pages.get(&synced.location).await;
    told.has("Sync_person is noted.");

    let replayed = pages.post(path, "do=replay&reason=mended").await;
    assert!(replayed.location.starts_with("/console/runs/0199-run?did="), "{}", replayed.location);
    let [Verb::Replay { which, reason, .. }] = &pages.made.wanted()[..] else { panic!("a replay") };
    assert_eq!(
        (which.employee.as_ref(), reason.as_str()),
        (Some(&person("17").employee), "mended")
    );
    assert_eq!(which.state, Some(DeliveryState::Dead));

    let choices = [
        ("choice=ignore", Some(Choice::Ignore)),
        ("choice=undo", None),
        ("choice=account&account=5f0a", Some(Choice::Account(AccountId::new("5f0a")))),
        ("choice=create&sure=1", Some(Choice::Create)),
    ];
    for (form, choice) in choices {
        let decided = pages.post(path, &format!("do=decide&{form}")).await;
        assert_eq!(decided.status, 303, "{form}: {}", decided.text);
        assert_eq!(pages.made.wanted(), [Verb::Decide { person: person("17"), choice }], "{form}");
    }
}

#[tokio::test]
async fn nobody_loses_an_account_by_a_slip() {
    let pages = Pages::open(Access::Operator);
    pages.linked("17", "5f0a", "Lee").await;
    pages.linked("18", "5f0b", "Roe").await;
    let path = "/console/people/bob/17";
    let taken = pages.post(path, "do=decide&choice=account&account=5f0b").await;
    taken.is_refused(409, "account 5f0b belongs to bob/18 now, who would lose it");
    taken.has("they have account 5f0a now, which would be nobody&#39;s");
    pages.post(path, "do=decide&choice=create").await.is_refused(409, "tick that you are sure");
    assert!(pages.made.wanted().is_empty());
    let sure = pages.post(path, "do=decide&choice=account&account=5f0b&sure=1").await;
    assert_eq!(sure.status, 303);
    assert_eq!(pages.made.wanted().len(), 1);
}

#[tokio::test]
async fn of_two_who_decide_the_second_is_told() {
    let pages = Pages::open(Access::Operator);
    pages.linked("17", "5f0a", "Lee").await;
    let path = "/console/people/bob/17";
    pages.get(path).await.has("name=\"seen\" value=\"\"");
    pages.store.choose(&person("17"), Some(&Choice::Ignore)).await.expect("a store");
    let form = "do=decide&choice=account&account=5f0a";
    let second = pages.post(path, &format!("{form}&seen=")).await;
    second.is_refused(409, "somebody else decided in the meantime: this person is left alone");
    assert!(pages.made.wanted().is_empty());
    second.has("name=\"seen\" value=\"this person is left alone\"");
    let knowing = format!("{form}&seen=this+person+is+left+alone");
    assert_eq!(pages.post(path, &knowing).await.status, 303);
    assert_eq!(pages.made.wanted().len(), 1);
}

#[tokio::test]
async fn viewers_look_and_do_nothing() {
    let pages = Pages::open(Access::Viewer);
    pages.linked("17", "5f0a", "Secretname").await;
    let path = "/console/people/bob/17";
    let page = pages.get(path).await;
    assert_eq!(page.status, 200);
    for not in ["Sync now", "Show personal data", "Whose account is it", "Secretname"] {
        page.has_not(not);
    }
    for form in ["do=sync", "do=unmask", "do=replay&reason=x", "do=decide&choice=ignore"] {
        pages.post(path, form).await.is_refused(403, "that takes the access of an operator");
    }
    assert!(pages.made.wanted().is_empty());
}

#[tokio::test]
async fn administrators_forget_whom_they_name() {
    let pages = Pages::open(Access::Administrator);
    pages.linked("17", "5f0a", "Lee").await;
    let path = "/console/people/bob/17";
    let page = pages.get(path).await;
    page.has("Forget this person");
    page.has("Their id, 17");
    page.has_not("Lift it");
    for (form, why) in [
        ("do=forget&reason=asked", "type their id, 17"),
        ("do=forget&confirm=18&reason=asked", "type their id, 17"),
        ("do=forget&confirm=bob%2F17&reason=asked", "type their id, 17"),
        ("do=forget&confirm=17", "say why"),
        ("do=forget&confirm=17&reason=+++", "say why"),
    ] {
        pages.post(path, form).await.is_refused(422, why);
    }
    assert!(pages.made.wanted().is_empty(), "nothing was done");
    let done = pages.post(path, "do=forget&confirm=+17+&reason=they+asked").await;
    assert_eq!(done.status, 303, "{}", done.text);
    assert!(done.location.starts_with("/console/people?did="), "{}", done.location);
    let reason = Some("they asked".to_owned());
    assert_eq!(pages.made.wanted(), [Verb::Forget { person: person("17"), reason }]);

    pages.store.forget(&person("18"), pages.clock.now()).await.expect("a store");
    let gone = pages.get("/console/people/bob/18").await;
    assert_eq!(gone.status, 200);
    gone.has("<dt>Forgotten</dt>");
    gone.has("Lift it");
    assert_eq!(pages.post("/console/people/bob/18", "do=remember").await.status, 303);
    assert_eq!(pages.made.wanted(), [Verb::LiftForgetting { person: person("18") }]);
}

#[tokio::test]
async fn nobody_else_forgets_anybody() {
    for access in [Access::Viewer, Access::Operator] {
        let pages = Pages::open(access);
        pages.linked("17", "5f0a", "Lee").await;
        pages.store.forget(&person("18"), pages.clock.now()).await.expect("a store");
        let path = "/console/people/bob/17";
        pages.get(path).await.has_not("Forget this person");
        let gone = pages.get("/console/people/bob/18").await;
        gone.has("<dt>Forgotten</dt>");
        gone.has_not("Lift it");
        for form in ["do=forget&confirm=17&reason=asked", "do=remember"] {
            pages.post(path, form).await.is_refused(403, "that takes the access of an");
        }
        assert!(pages.made.wanted().is_empty());
    }
}
