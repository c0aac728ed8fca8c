//! `instep explain`: why somebody's account is as it is, from the record to the plan and the history.
//!
//! It shows values: it is for the administrator's eyes, and nothing of it is logged.

mod page;

use std::collections::BTreeMap;
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::bail;
use jiff::Timestamp;
use serde_json::{Value, json};

pub(super) use self::page::show_candidate;
use super::plan;
use super::progress::Progress;
use crate::app::{Explained, Explanation, Input, Lack, Look, Part, Preview, Previewer};
use crate::config::Settings;
use crate::model::{Account, Candidate, Delivery, Field, FoundBy, Person};
use crate::store::{Filter, Store};

/// So much of a person's history is shown.
const HISTORY: usize = 10;

/// What `instep explain` takes.
#[derive(Debug, clap::Args)]
pub struct ExplainArgs {
    /// Somebody, by id, mail or full name.
    #[arg(value_name = "EMPLOYEE")]
    employee: String,
    /// As one JSON object per person.
    #[arg(long)]
    json: bool,
}

/// Everything that is told of one person.
struct Story {
    preview: Preview,
    /// What the rules say; nothing of somebody who is not shown.
    explanation: Option<Explanation>,
    /// The version of these rules.
    version: String,
    /// Why a field is missing from the record.
    lacks: BTreeMap<String, Lack>,
    /// Whose each candidate is, as we know it.
    owners: BTreeMap<String, Person>,
    history: Vec<Delivery>,
    /// When the person was forgotten, if they were.
    forgotten: Option<Timestamp>,
}

/// Explains everybody whom the key names.
///
/// # Errors
/// When a source, the target or the store does not answer, or nobody is found.
pub async fn run(
    args: ExplainArgs,
    settings: &Settings,
    store: &Arc<dyn Store>,
) -> anyhow::Result<ExitCode> {
    let mut found = false;
    for previewer in Previewer::all(settings, store)? {
        let note = Progress::note("Reading");
        let ids = previewer.who(&args.employee).await?;
        let people = previewer.records(&ids).await?;
        let previews = Box::pin(previewer.preview(people, Look::Closest)).await?;
        drop(note);
        for preview in previews {
            let told = Story::of(preview, &previewer, &**store).await?;
            // An id that neither HiBob nor we have ever seen is nobody's.
            if told.is_of_nobody() {
                continue;
            }
            found = true;
            if args.json {
                println!("{}", told.json());
            } else {
                page::show(&told);
            }
        }
    }
    if !found {
        bail!(
            "nobody is found: give the employee's id, the mail exactly as HiBob has it, or the full \
             name"
        );
    }
    Ok(ExitCode::SUCCESS)
}

impl Story {
    async fn of(
        preview: Preview,
        previewer: &Previewer,
        store: &dyn Store,
    ) -> anyhow::Result<Self> {
        let explanation = preview.record.as_ref().map(|record| previewer.explain(record));
        let rules = explanation.as_ref().map_or(&[][..], |explanation| &explanation.rules);
        let missing: Vec<&str> = inputs(rules)
            .filter(|(_, input)| **input == Input::Missing)
            .map(|(field, _)| field)
            .collect();
        let lacks = previewer.lacks(&missing).await;
        let mut owners = BTreeMap::new();
        for candidate in &preview.candidates {
            let id = &candidate.account.id;
            if let Some(owner) = store.owner(id).await? {
                owners.insert(id.to_string(), owner);
            }
        }
        let filter = Filter {
            source: Some(previewer.name().clone()),
            employee: Some(preview.person.employee.to_string()),
            ..Filter::default()
        };
        let history = store.deliveries(&filter, HISTORY).await?;
        let version = previewer.version().to_owned();
        let forgotten = store.forgotten(&preview.person).await?;
        Ok(Self { preview, explanation, version, lacks, owners, history, forgotten })
    }

    fn is_of_nobody(&self) -> bool {
        let Preview { record, link, choice, .. } = &self.preview;
        self.forgotten.is_none()
            && record.is_none()
            && link.is_none()
            && choice.is_none()
            && self.history.is_empty()
    }

    fn rules(&self) -> &[Explained] {
        self.explanation.as_ref().map_or(&[], |explanation| &explanation.rules)
    }

    /// Each field that the rules read, once.
    fn inputs(&self) -> BTreeMap<&str, &Input> {
        inputs(self.rules()).collect()
    }

    /// What the account has where a rule writes; nothing when that was not looked up.
    fn current(&self, rule: &Explained) -> Option<Value> {
        let account = self.preview.account.as_ref()?;
        match &rule.part {
            Part::ExternalId => self.preview.link.as_ref()?.external_id.clone().map(Value::from),
            Part::Field { .. } => {
                let is_it =
                    |field: &Field| rule.rule.ends_with(&format!("fields.{}", field.word()));
                let field = Field::ALL.into_iter().find(is_it)?;
                Some(account.fields.get(&field).cloned().into())
            }
            Part::CustomField { name, .. } => {
                let had = self.preview.belongings.as_ref()?;
                let field = self.preview.catalogue.custom_field(name)?;
                let is_it = |value: &&Value| value["customFieldId"] == field.id.as_str();
                let held = had.custom_values.iter().find(is_it);
                Some(held.map_or(Value::Null, |held| held["value"].clone()))
            }
            _ => None,
        }
    }

    fn json(&self) -> Value {
        let Self { preview, explanation, version, lacks, owners, history, forgotten } = self;
        let rules: Vec<Value> = self
            .rules()
            .iter()
            .map(|rule| {
                let mut shown = json!(rule);
                if let Some(current) = self.current(rule) {
                    shown["current"] = current;
                }
                shown
            })
            .collect();
        let candidates: Vec<Value> = preview
            .candidates
            .iter()
            .map(|candidate| candidate_json(candidate, owners.get(candidate.account.id.as_str())))
            .collect();
        json!({
            "person": preview.person.to_string(),
            "forgotten": forgotten,
            "shown": preview.record.is_some(),
            "record": preview.record.as_ref().map(|record| &record.0),
            "missing": lacks,
            "version": version,
            "conclusion": explanation.as_ref().map(|it| &it.conclusion),
            "appointment": explanation.as_ref().map(|it| &it.appointment),
            "misses": explanation.as_ref().map(|it| &it.misses),
            "rules": rules,
            "link": preview.link,
            "choice": preview.choice,
            "candidates": candidates,
            "account": preview.account.as_ref().map(account_json),
            "belongings": preview.belongings,
            "plan": plan::as_json(preview),
            "history": history,
        })
    }
}

fn inputs(rules: &[Explained]) -> impl Iterator<Item = (&str, &Input)> {
    let inputs = rules.iter().flat_map(|rule| &rule.inputs);
    inputs.map(|(field, input)| (field.as_str(), input))
}

/// A candidate for programs.
pub(super) fn candidate_json(candidate: &Candidate, owner: Option<&Person>) -> Value {
    let mut shown = account_json(&candidate.account);
    shown["found_by"] = found_by(candidate.by).into();
    shown["claimed_by"] = json!(candidate.claimed_by);
    shown["owner"] = json!(owner.map(Person::to_string));
    shown["protected"] = json!(candidate.protected);
    shown
}

fn account_json(account: &Account) -> Value {
    json!({"account": account.id, "status": account.status, "fields": account.fields})
}

/// By what an account was found, in words.
pub(super) fn found_by(by: FoundBy) -> &'static str {
    match by {
        FoundBy::Link => "the link",
        FoundBy::ExternalId => "the employee id in the LMS",
        FoundBy::Email => "the mail",
        FoundBy::Username => "the user name",
        FoundBy::Name => "the name",
    }
}
