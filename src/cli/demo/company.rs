//! The company that the demo plays: the worked example's rules, and an LMS and a store that begin in
//! step with them.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, anyhow};
use serde_json::{Map, Value, json};

use crate::app::member;
use crate::clock::Clock;
use crate::config::{self, Settings};
use crate::model::{
    AccountId, AccountStatus, Arrival, CustomFieldId, DeliveryId, DeliveryState, Desired,
    EmployeeId, Event, EventId, Fate, GivenManager, GroupId, Lane, Link, ManagerKey, SourceName,
};
use crate::sandbox::{FieldSetup, Sandbox};
use crate::store::{LeaseRequest, Store};

/// The worked example: the files of `deploy/example`.
const EXAMPLE: [(&str, &str); 4] = [
    ("rules.toml", include_str!("../../../deploy/example/rules.toml")),
    ("rules.tests.toml", include_str!("../../../deploy/example/rules.tests.toml")),
    ("sites.csv", include_str!("../../../deploy/example/sites.csv")),
    ("departments.csv", include_str!("../../../deploy/example/departments.csv")),
];

/// Where the sandbox's own configuration keeps everything.
const SQLITE: &str = "url = \"sqlite:instep.db\"";

/// Where it listens.
const LISTEN: &str = "listen = \"127.0.0.1:8080\"";

/// The custom fields that the example's rules name.
pub fn custom_fields() -> Vec<FieldSetup> {
    let field =
        |name: &str, date| FieldSetup { name: name.to_owned(), date, ..FieldSetup::default() };
    vec![field("Cost centre", false), field("First day", true)]
}

/// The sandbox's own configuration, with the worked example's rules, the demo's store, and where it
/// listens.
///
/// # Errors
/// When the folder cannot be written.
pub fn settings(
    sandbox: &Sandbox,
    folder: &Path,
    store: Option<&str>,
    listen: SocketAddr,
) -> anyhow::Result<Settings> {
    for (name, text) in EXAMPLE {
        std::fs::write(folder.join(name), text).with_context(|| format!("writing {name}"))?;
    }
    let path = folder.join("instep.toml");
    let text = sandbox.config_toml();
    let connection = text.split("[rules]").next().unwrap_or_default();
    let file = || format!("sqlite:{}", folder.join("instep.db").display());
    let url = toml::Value::from(store.map_or_else(file, str::to_owned));
    // A company of its own each time, and never in the way of a real one on the same Redis.
    let company = folder.file_name().unwrap_or_default().to_string_lossy().to_lowercase();
    let text = connection
        .replace("[source.bob]\n", "[source.bob]\nrules = \"rules.toml\"\n")
        .replace(LISTEN, &format!("listen = \"{listen}\""))
        .replace(SQLITE, &format!("url = {url}\nnamespace = \"{company}\""));
    // So that the other commands can look at the demo while it runs.
    std::fs::write(&path, &text).context("writing instep.toml")?;
    let loaded = config::parse(&path, &text, &|_| None).map_err(|failed| {
        anyhow!("{}", config::show(&path, failed.text.as_deref(), &failed.problems, false))
    })?;
    Ok(loaded.settings)
}

/// Gives everybody the account that the rules want; those who have left a deactivated one. Gives the
/// links as Instep would have them after a first full sync.
///
/// # Errors
/// When the sandbox does not take one of them.
pub fn open_accounts(
    sandbox: &Sandbox,
    wanted: &[Desired],
) -> anyhow::Result<HashMap<String, Link>> {
    let everyone = sandbox.credentials().default_group.clone();
    let refused = |why: String| anyhow!("the sandbox's LMS: {why}");
    let mut groups: HashMap<String, String> = HashMap::new();
    let mut links: HashMap<String, Link> = HashMap::new();
    for desired in wanted {
        let mut link = Link {
            status: Some(AccountStatus::Deleted),
            applied: desired.fields.clone(),
            external_id: Some(desired.external_id.clone()),
            ..Link::default()
        };
        let mut set = fields(desired);
        set.insert("status".to_owned(), "deleted".into());
        let id = json!([{ "platform": "instep-bob", "value": desired.external_id }]);
        set.insert("externalIds".to_owned(), id);
        if desired.active {
            link.status = Some(AccountStatus::Active);
            set.insert("status".to_owned(), "active".into());
            let mut rows = vec![json!({ "groupId": everyone, "role": "learner" })];
            for membership in &desired.groups {
                let path = membership.path.join("/");
                let id = match groups.get(&path) {
                    Some(id) => id.clone(),
                    None => sandbox.make_group(&path).map_err(refused)?,
                };
                rows.push(json!({ "groupId": id, "role": membership.role }));
                link.groups.insert((GroupId::new(id.clone()), membership.role.clone()));
                groups.insert(path, id);
            }
            set.insert("groups".to_owned(), rows.into());
            let values = desired.custom.iter();
            let values = values.map(|(name, wish)| (name.clone(), wish.value.clone().into()));
            set.insert("customFields".to_owned(), values.collect::<Map<_, _>>().into());
        }
        let account = sandbox.edit_account(json!({ "set": set })).map_err(refused)?;
        link.account = account["_id"].as_str().map(AccountId::new);
        let values = account["customFields"].as_object().into_iter().flatten();
        link.custom = values
            .map(|(id, value)| (CustomFieldId::new(id), value.as_str().map(str::to_owned)))
            .collect();
        links.insert(desired.external_id.clone(), link);
    }
    for desired in wanted.iter().filter(|desired| desired.active) {
        let Some(Some(key @ ManagerKey::Employee(id))) = &desired.manager else { continue };
        let usable = |link: &&Link| link.status == Some(AccountStatus::Active);
        let manager = links.get(id.as_str()).filter(usable).and_then(|link| link.account.clone());
        let Some(link) = links.get_mut(&desired.external_id) else { continue };
        if let (Some(manager), Some(account)) = (manager, &link.account) {
            let edit = json!({ "_id": account, "set": { "managers": [manager] } });
            sandbox.edit_account(edit).map_err(refused)?;
            link.manager = Some(GivenManager { key: key.to_string(), account: manager });
        } else {
            link.awaits = Some(key.to_string());
        }
    }
    Ok(links)
}

/// Writes the links down, as if Instep had met everybody before.
///
/// # Errors
/// When the store is not available.
pub async fn remember(
    store: &dyn Store,
    clock: &Clock,
    links: &HashMap<String, Link>,
) -> anyhow::Result<()> {
    let source = SourceName::new("bob");
    // Events of the demo are younger.
    let met = clock.now() - Duration::from_secs(7 * 24 * 3600);
    let arrivals = links.keys().map(|id| {
        let raw = format!("{{\"demo\":\"{id}\"}}");
        let event = Event {
            id: EventId::of(&source, raw.as_bytes()),
            source: source.clone(),
            kind: "first.meeting".to_owned(),
            company: None,
            employee: Some(EmployeeId::new(id)),
            received_at: met,
            raw: raw.into(),
        };
        Arrival { event, fate: Fate::Deliver(Lane::Bulk), delivery: DeliveryId::fresh() }
    });
    store.accept_all(arrivals.collect()).await?;
    loop {
        let lasting = Duration::from_secs(60);
        let leases = store
            .lease(LeaseRequest { source: &source, persons: 100, lasting, without: None })
            .await?;
        if leases.is_empty() {
            return Ok(());
        }
        for mut lease in leases {
            let link = links.get(lease.person.employee.as_str()).cloned();
            let mut deliveries = std::mem::take(&mut lease.deliveries);
            for delivery in &mut deliveries {
                delivery.state = DeliveryState::Done;
                delivery.reason = Some("met before the demo began".to_owned());
            }
            store.settle(lease, deliveries, link).await?;
        }
    }
}

/// The fields under the LMS's names.
fn fields(desired: &Desired) -> Map<String, Value> {
    let filled = desired.fields.iter().filter_map(|(field, value)| Some((*field, value.clone()?)));
    filled.map(|(field, value)| (member(field).to_owned(), value.into())).collect()
}
