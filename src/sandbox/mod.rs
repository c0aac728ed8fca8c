//! A town to practise in: a HiBob and a 360Learning that behave, over real HTTP.
//!
//! Both speak the documented APIs strictly, with their rate limits, and misbehave on command
//! (`/_sandbox/…` on each one's own port). They know nothing of the rest of Instep, so they cannot
//! agree with its mistakes. One seed reproduces everything: people, ids, secrets, what happens.

mod answer;
mod company;
mod faults;
mod hibob;
mod life;
mod limits;
mod lists;
mod lms;
mod names;
mod record;
mod service;

use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use serde_json::Value;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

pub use company::{Change, Company};
pub use hibob::{Changed, Hook, Progress, sign};
pub use life::{Deed, Life};
pub use lms::FieldSetup;

use self::hibob::HiBob;
use self::lists::SITES;
use self::lms::{Lms, Seed};
use self::record::text;
use self::service::Front;
use crate::clock::Clock;

/// What a sandbox shall be like.
#[derive(Clone, Debug)]
pub struct Options {
    /// How many people HR begins with.
    pub people: usize,
    /// What everything invented follows from.
    pub seed: u64,
    /// Whether the LMS begins with an account for everybody who should have one.
    pub in_step: bool,
    /// The platform under which accounts that are there from the start bear HR's ids; none without.
    pub platform: Option<String>,
    /// Where HiBob listens; port 0 takes any that is free.
    pub hibob: SocketAddr,
    /// Where 360Learning listens.
    pub lms: SocketAddr,
    /// Where webhooks go from the start; none until one is set.
    pub webhook: Option<String>,
    /// Whether the documented rate limits hold.
    pub limits: bool,
    /// Private groups that the LMS begins with: names from below the root, with slashes between
    /// them (`Departments/Finance`). What is missing above one is made, too.
    pub groups: Vec<String>,
    /// Custom fields of accounts that the LMS begins with.
    pub custom_fields: Vec<FieldSetup>,
}

impl Default for Options {
    fn default() -> Self {
        let any = SocketAddr::from(([127, 0, 0, 1], 0));
        Self {
            people: 200,
            seed: 7,
            in_step: false,
            platform: None,
            hibob: any,
            lms: any,
            webhook: None,
            limits: true,
            groups: Vec::new(),
            custom_fields: Vec::new(),
        }
    }
}

/// What is needed to connect. All of it is invented and worth nothing outside the sandbox.
#[derive(Clone, Debug)]
pub struct Credentials {
    /// HiBob's service user.
    pub service_user: String,
    /// Its token.
    pub token: String,
    /// The secret by which webhooks are signed.
    pub webhook_secret: String,
    /// 360Learning's API client.
    pub client_id: String,
    /// Its secret.
    pub client_secret: String,
    /// The group that new accounts join.
    pub default_group: String,
}

/// Both doubles, running.
pub struct Sandbox {
    hibob: Arc<Front<HiBob>>,
    lms: Arc<Front<Lms>>,
    hibob_address: SocketAddr,
    lms_address: SocketAddr,
    credentials: Credentials,
    clock: Clock,
    stop: CancellationToken,
    tasks: Vec<JoinHandle<()>>,
}

impl Sandbox {
    /// Starts both doubles.
    ///
    /// # Errors
    /// When an address cannot be taken, or a group or custom field cannot be.
    pub async fn start(options: Options, clock: Clock) -> io::Result<Self> {
        let stop = CancellationToken::new();
        let company = Company::new(options.people, options.seed, clock.now());
        let mut rng = fastrand::Rng::with_seed(options.seed ^ 0x5ec2_e75e);
        let mut secret = |what: &str| format!("{what}-{:016x}{:016x}", rng.u64(..), rng.u64(..));
        let (token, webhook_secret) = (secret("bob"), secret("hook"));
        let (client_id, client_secret) = (secret("client"), secret("lms"));
        let service_user = format!("SERVICE-{}", 1000 + options.seed % 9000);

        let hook =
            |url| Hook { url: Some(url), secret: webhook_secret.clone(), ping: false, copies: 1 };
        let hook = options.webhook.clone().map(hook);
        let (steady, halt) = (clock.clone(), stop.clone());
        let accounts = options.in_step.then(|| accounts(&company, &options));
        let accounts = accounts.into_iter().flatten();
        let lms = Lms::new(options.seed, &client_id, &client_secret, accounts, clock.clone());
        let hibob = HiBob::new(company, &service_user, &token, hook, steady, halt);
        lms.furnish(&options.groups, &options.custom_fields).map_err(io::Error::other)?;
        hibob.limit(options.limits);
        lms.limit(options.limits);
        let default_group = lms.default_group();
        let (hibob, lms) = (Arc::new(Front::new(hibob)), Arc::new(Front::new(lms)));
        let (hibob_address, one) = Arc::clone(&hibob).serve(options.hibob, stop.clone()).await?;
        let (lms_address, other) = match Arc::clone(&lms).serve(options.lms, stop.clone()).await {
            Ok(served) => served,
            Err(error) => {
                stop.cancel();
                return Err(error);
            }
        };
        let credentials = Credentials {
            service_user,
            token,
            webhook_secret,
            client_id,
            client_secret,
            default_group,
        };
        let tasks = vec![one, other];
        Ok(Self { hibob, lms, hibob_address, lms_address, credentials, clock, stop, tasks })
    }

    /// Where HiBob listens.
    pub fn hibob_address(&self) -> SocketAddr {
        self.hibob_address
    }

    /// Where 360Learning listens.
    pub fn lms_address(&self) -> SocketAddr {
        self.lms_address
    }

    /// HiBob's address without a path, for the control calls: `http://127.0.0.1:9001`.
    pub fn hibob_url(&self) -> String {
        format!("http://{}", self.hibob_address)
    }

    /// 360Learning's address without a path.
    pub fn lms_url(&self) -> String {
        format!("http://{}", self.lms_address)
    }

    /// What is needed to connect.
    pub fn credentials(&self) -> &Credentials {
        &self.credentials
    }

    /// Sends webhooks to this address from now on, signed with the sandbox's own secret.
    pub fn send_webhooks_to(&self, url: impl Into<String>) {
        let secret = self.credentials.webhook_secret.clone();
        self.hibob.double.webhooks().set(Hook {
            url: Some(url.into()),
            secret,
            ping: false,
            copies: 1,
        });
    }

    /// How the sending of webhooks goes.
    pub fn webhooks(&self) -> Progress {
        self.hibob.double.webhooks().progress()
    }

    /// Hires, changes or removes someone, and sends what follows.
    ///
    /// # Errors
    /// When the change cannot be understood.
    pub fn change(&self, change: &Change) -> Result<Changed, String> {
        self.hibob.double.change(change)
    }

    /// Lets one thing happen, and tells what.
    pub fn live(&self, life: &mut Life) -> (Deed, Changed) {
        let today = company::today(self.clock.now());
        let deed = life.next(&self.hibob.double.company(), today);
        let changed = self.change(&deed.change);
        // A deed is a well-formed change; should it ever not be, nothing has happened.
        let changed = changed.unwrap_or_else(|_| Changed { id: String::new(), events: Vec::new() });
        (deed, changed)
    }

    /// Every person's record in full, with labels under `humanReadable`.
    pub fn people(&self) -> Vec<Value> {
        let people = self.hibob.double.people();
        people.iter().map(|person| serde_json::to_value(person).unwrap_or_default()).collect()
    }

    /// Every account with its groups, links and values, the owner's included: `groups` (ids and
    /// roles), `memberships` (the same with `path`, as in `Departments/Finance`, and `role`),
    /// `customFields` (values by id), `customValues` (by name), `managers` and `subordinates`
    /// (accounts' ids), `externalIds`, `toBeDeactivatedAt`.
    pub fn accounts(&self) -> Vec<Value> {
        self.lms.double.accounts()
    }

    /// Tells every account, as [`Self::accounts`] gives them, one after the other: all at once they
    /// take many times the memory that they are kept in.
    pub fn each_account(&self, tell: impl FnMut(Value)) {
        self.lms.double.each_account(tell);
    }

    /// Makes a group in the LMS and those above it, as far as they are missing, by the names from
    /// below the root with slashes between them; gives its id.
    ///
    /// # Errors
    /// When the path is not one.
    pub fn make_group(&self, path: &str) -> Result<String, String> {
        self.lms.double.group(path)
    }

    /// Makes or changes an account by hand, as `POST /_sandbox/accounts` does; gives the account.
    ///
    /// # Errors
    /// When the edit cannot be understood or carried out; then nothing is changed.
    pub fn edit_account(&self, edit: Value) -> Result<Value, String> {
        self.lms.double.edit(edit)
    }

    /// How many writes the LMS has carried out.
    pub fn writes(&self) -> u64 {
        self.lms.double.written()
    }

    /// Switches the rate limits of both doubles on or off.
    pub fn limit(&self, on: bool) {
        self.hibob.double.limit(on);
        self.lms.double.limit(on);
    }

    /// A configuration that connects to this sandbox. Secrets stand in it as they are: they open
    /// nothing but this.
    pub fn config_toml(&self) -> String {
        let Credentials { service_user, token, webhook_secret, .. } = &self.credentials;
        let Credentials { client_id, client_secret, default_group, .. } = &self.credentials;
        let (hibob, lms) = (self.hibob_url(), self.lms_url());
        let (_, served) = SITES.split_last().unwrap_or((&SITES[0], &[]));
        let sites: Vec<_> = served.iter().map(|site| format!("'{}'", site.name)).collect();
        let sites = sites.join(", ");
        let lang = lang_rule();
        format!(
            r#"# Connects to `instep sandbox`. Everything in here is invented.

[server]
listen = "127.0.0.1:8080"

[store]
url = "sqlite:instep.db"

[source.bob]
type = "hibob"
base_url = "{hibob}/v1"
service_user = "{service_user}"
token = "{token}"
webhook_secrets = ["{webhook_secret}"]

[target]
type = "360learning"
base_url = "{lms}"
client_id = "{client_id}"
client_secret = "{client_secret}"
default_group = "{default_group}"

# Months pass in minutes here, and so do departures.
[brake]
deactivations_per_hour = {{ percent = 100, least = 100000 }}

[rules]
in_scope = "work.site in [{sites}]"
active = "internal.status == 'Active'"

[rules.fields]
email = "root.email"
first_name = "root.firstName"
last_name = "root.surname"
job = "label.work.title"
organization = "label.work.department"
phone = "work.workMobile"
lang = "{lang}"
external_id = "root.id"
"#
        )
    }

    /// Stops both doubles; open calls get a moment to end.
    pub async fn stop(mut self) {
        self.stop.cancel();
        for task in std::mem::take(&mut self.tasks) {
            let _ = task.await;
        }
    }
}

/// A sandbox that is dropped stops, too, a moment later.
impl Drop for Sandbox {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

/// The rule by which people get the language of their site.
fn lang_rule() -> String {
    let foreign = SITES.iter().filter(|site| site.lang != "en" && site.share > 5);
    let rule = foreign.map(|site| format!("'{}' if work.site == '{}' else ", site.lang, site.name));
    rule.collect::<String>() + "'en'"
}

/// The accounts of everybody who should have one, as the rules of [`Sandbox::config_toml`] want
/// them. Someone who has left keeps a deactivated one.
fn accounts(company: &Company, options: &Options) -> impl Iterator<Item = Seed> {
    let served = |record: &Value| {
        SITES[..SITES.len() - 1].iter().any(|site| site.name == text(record, "work.site"))
    };
    let account = move |record: &Value| {
        let active = text(record, "internal.status") == "Active";
        let started = text(record, "internal.lifecycleStatus") != "hired";
        let site = SITES.iter().find(|site| site.name == text(record, "work.site"));
        let label = |list, field| company.label(list, text(record, field)).to_owned();
        let mut fields = BTreeMap::from([
            ("mail", text(record, "email").to_owned()),
            ("firstName", text(record, "firstName").to_owned()),
            ("lastName", text(record, "surname").to_owned()),
            ("job", label("title", "work.title")),
            ("organization", label("department", "work.department")),
            ("phone", text(record, "work.workMobile").to_owned()),
            ("lang", site.map_or("en", |site| site.lang).to_owned()),
        ]);
        fields.retain(|_, value| !value.is_empty());
        let platform = options.platform.clone();
        let external = platform.map(|platform| (platform, text(record, "id").to_owned()));
        started.then_some(Seed { active, fields, external })
    };
    company.people().filter(served).filter_map(move |record| account(&record))
}
