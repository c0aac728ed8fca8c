//! The company that the demo plays: the worked example's rules, and an LMS that begins in step with
//! them.

use std::collections::HashMap;
use std::path::Path;

use anyhow::{Context, anyhow};
use serde_json::{Map, Value, json};

use crate::config::{self, Settings};
use crate::model::{Desired, Field, ManagerKey};
use crate::sandbox::{FieldSetup, Sandbox};

/// The worked example: the files of `deploy/example`.
const EXAMPLE: [(&str, &str); 4] = [
    ("rules.toml", include_str!("../../../deploy/example/rules.toml")),
    ("rules.tests.toml", include_str!("../../../deploy/example/rules.tests.toml")),
    ("sites.csv", include_str!("../../../deploy/example/sites.csv")),
    ("departments.csv", include_str!("../../../deploy/example/departments.csv")),
];

/// The custom fields that the example's rules name.
pub fn custom_fields() -> Vec<FieldSetup> {
    let field =
        |name: &str, date| FieldSetup { name: name.to_owned(), date, ..FieldSetup::default() };
    vec![field("Cost centre", false), field("First day", true)]
}

/// The sandbox's own configuration, with the worked example's rules and the demo's store.
///
/// # Errors
/// When the folder cannot be written.
pub fn settings(sandbox: &Sandbox, folder: &Path, store: Option<&str>) -> anyhow::Result<Settings> {
    for (name, text) in EXAMPLE {
        std::fs::write(folder.join(name), text).with_context(|| format!("writing {name}"))?;
    }
    let path = folder.join("instep.toml");
    let text = sandbox.config_toml();
    let connection = text.split("[rules]").next().unwrap_or_default();
    let text = connection.replace("[source.bob]\n", "[source.bob]\nrules = \"rules.toml\"\n");
    // So that the other commands can look at the demo while it runs.
    std::fs::write(&path, &text).context("writing instep.toml")?;
    let loaded = config::parse(&path, &text, &|_| None).map_err(|failed| {
        anyhow!("{}", config::show(&path, failed.text.as_deref(), &failed.problems, false))
    })?;
    let mut settings = loaded.settings;
    let file = || format!("sqlite:{}", folder.join("instep.db").display());
    settings.store.url = store.map_or_else(file, str::to_owned).into();
    // A company of its own each time, and never in the way of a real one on the same Redis.
    let company = folder.file_name().unwrap_or_default().to_string_lossy();
    settings.store.namespace = company.into_owned();
    Ok(settings)
}

/// Gives everybody the account that the rules want; those who have left a deactivated one.
///
/// # Errors
/// When the sandbox does not take one of them.
pub fn open_accounts(sandbox: &Sandbox, wanted: &[Desired]) -> anyhow::Result<()> {
    let platform = "instep-bob";
    let everyone = sandbox.credentials().default_group.clone();
    let mut groups: HashMap<String, String> = HashMap::new();
    let mut accounts: HashMap<&str, String> = HashMap::new();
    let refused = |why: String| anyhow!("the sandbox's LMS: {why}");
    for desired in wanted {
        let mut set = fields(desired);
        let status = if desired.active { "active" } else { "deleted" };
        set.insert("status".to_owned(), status.into());
        let id = json!([{ "platform": platform, "value": desired.external_id }]);
        set.insert("externalIds".to_owned(), id);
        if desired.active {
            let mut rows = vec![json!({ "groupId": everyone, "role": "learner" })];
            for membership in &desired.groups {
                let path = membership.path.join("/");
                let id = match groups.get(&path) {
                    Some(id) => id.clone(),
                    None => sandbox.make_group(&path).map_err(refused)?,
                };
                rows.push(json!({ "groupId": id, "role": membership.role }));
                groups.insert(path, id);
            }
            set.insert("groups".to_owned(), rows.into());
            let values = desired.custom.iter();
            let values = values.map(|(name, wish)| (name.clone(), wish.value.clone().into()));
            set.insert("customFields".to_owned(), values.collect::<Map<_, _>>().into());
        }
        let account = sandbox.edit_account(json!({ "set": set })).map_err(refused)?;
        if let (true, Some(id)) = (desired.active, account["_id"].as_str()) {
            accounts.insert(&desired.external_id, id.to_owned());
        }
    }
    for desired in wanted {
        let Some(Some(ManagerKey::Employee(manager))) = &desired.manager else { continue };
        let pair = (accounts.get(desired.external_id.as_str()), accounts.get(manager.as_str()));
        if let (Some(account), Some(manager)) = pair {
            let edit = json!({ "_id": account, "set": { "managers": [manager] } });
            sandbox.edit_account(edit).map_err(refused)?;
        }
    }
    Ok(())
}

/// The fields under the LMS's names.
fn fields(desired: &Desired) -> Map<String, Value> {
    let name = |field| match field {
        Field::Email => "mail",
        Field::Username => "username",
        Field::FirstName => "firstName",
        Field::LastName => "lastName",
        Field::Job => "job",
        Field::Lang => "lang",
        Field::Organization => "organization",
        Field::Phone => "phone",
        Field::DeactivateAt => "toBeDeactivatedAt",
    };
    let filled = desired.fields.iter().filter_map(|(field, value)| Some((*field, value.clone()?)));
    filled.map(|(field, value)| (name(field).to_owned(), value.into())).collect()
}
