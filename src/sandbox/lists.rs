//! The company's named lists: which id stands for which label.

use serde::Serialize;
use serde_json::{Value, json};

/// A place of work.
pub struct Site {
    /// Its number in the list `site`.
    pub id: u64,
    /// What it is called.
    pub name: &'static str,
    /// The country, as an id of the list `countries`.
    pub country: &'static str,
    /// The language spoken there.
    pub lang: &'static str,
    /// The dialling code.
    pub dial: &'static str,
    /// How many of a hundred people work there.
    pub share: u32,
}

/// The sites. The last one is small and out of every rule's scope.
pub const SITES: [Site; 5] = [
    Site { id: 2_154_001, name: "London", country: "GB", lang: "en", dial: "+4420", share: 34 },
    Site { id: 2_154_002, name: "Paris", country: "FR", lang: "fr", dial: "+331", share: 26 },
    Site { id: 2_154_003, name: "Leeds", country: "GB", lang: "en", dial: "+44113", share: 18 },
    Site { id: 2_154_004, name: "Berlin", country: "DE", lang: "de", dial: "+4930", share: 17 },
    Site { id: 2_154_005, name: "Lisbon", country: "PT", lang: "pt", dial: "+35121", share: 5 },
];

/// Departments, each with its trades. Ids follow from the place in this table.
const TRADES: [(&str, [&str; 4]); 7] = [
    (
        "Engineering",
        ["Software Engineer", "Site Reliability Engineer", "Engineering Lead", "Tester"],
    ),
    ("Finance Operations", ["Data Analyst", "Accountant", "Payroll Specialist", "Controller"]),
    ("Sales", ["Account Executive", "Sales Engineer", "Regional Lead", "Sales Associate"]),
    ("People & Culture", ["HR Partner", "Recruiter", "Learning Designer", "Office Lead"]),
    ("Customer Care", ["Support Agent", "Support Lead", "Trainer", "Knowledge Editor"]),
    ("Research & Design", ["Researcher", "Product Designer", "Content Designer", "Illustrator"]),
    ("Légal", ["Counsel", "Paralegal", "Privacy Officer", "Contracts Clerk"]),
];

/// One entry of a list.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Item {
    /// A number as text, in some lists the label itself.
    pub id: String,
    /// The label.
    pub value: String,
    /// The label again.
    pub name: String,
    /// Archived entries still appear on people.
    pub archived: bool,
    /// Entries below.
    pub children: Vec<Item>,
}

fn item(id: impl Into<String>, label: &str) -> Item {
    let (value, name) = (label.to_owned(), label.to_owned());
    Item { id: id.into(), value, name, archived: false, children: Vec::new() }
}

fn same(labels: &[&str]) -> Vec<Item> {
    labels.iter().map(|label| item(*label, label)).collect()
}

/// All lists of a company.
#[derive(Clone, Debug)]
pub(super) struct Lists(Vec<(&'static str, Vec<Item>)>);

/// The id of a department by its place.
pub(super) fn department_id(department: usize) -> String {
    (261_454_001 + 10 * department).to_string()
}

/// The id of a trade by its department's place and its own.
pub(super) fn title_id(department: usize, trade: usize) -> String {
    (255_490_101 + 10 * department + trade).to_string()
}

/// How many departments there are.
pub(super) const DEPARTMENTS: usize = TRADES.len();

/// How many trades each department has.
pub(super) const TITLES: usize = TRADES[0].1.len();

impl Lists {
    /// The lists every sandbox company has.
    pub fn new() -> Self {
        let trades = || TRADES.iter().enumerate();
        let departments = trades().map(|(at, (name, _))| item(department_id(at), name)).collect();
        let titles = trades()
            .flat_map(|(at, (_, titles))| {
                titles.iter().enumerate().map(move |(t, name)| item(title_id(at, t), name))
            })
            .collect();
        let life = [
            ("hired", "Hired"),
            ("employed", "Employed"),
            ("garden leave", "Garden leave"),
            ("parental leave", "Parental leave"),
            ("terminated", "Terminated"),
        ];
        let countries =
            [("GB", "United Kingdom"), ("FR", "France"), ("DE", "Germany"), ("PT", "Portugal")];
        let labelled = |pairs: &[(&str, &str)]| pairs.iter().map(|(id, l)| item(*id, l)).collect();
        Self(vec![
            ("department", departments),
            ("title", titles),
            ("site", SITES.iter().map(|site| item(site.id.to_string(), site.name)).collect()),
            ("countries", labelled(&countries)),
            ("status", same(&["Active", "Inactive"])),
            ("lifecycleStatus", labelled(&life)),
            (
                "lifecycleReasonType",
                labelled(&[("260046001", "Voluntary"), ("260046002", "Involuntary")]),
            ),
            (
                "terminationreason",
                labelled(&[("260047001", "New position"), ("260047002", "Personal")]),
            ),
            (
                "employmentstatus",
                labelled(&[("260048001", "Permanent"), ("260048002", "Fixed term")]),
            ),
            ("pronouns", same(&["He / Him", "She / Her", "They / Them"])),
        ])
    }

    /// A list by its exact name.
    pub fn get(&self, name: &str) -> Option<&[Item]> {
        self.0.iter().find(|(list, _)| *list == name).map(|(_, items)| items.as_slice())
    }

    /// The label of an id; an id that is not in the list is its own label.
    pub fn label<'l>(&'l self, list: &str, id: &'l str) -> &'l str {
        let items = self.get(list).unwrap_or_default();
        items.iter().find(|item| item.id == id).map_or(id, |item| item.value.as_str())
    }

    /// The number of a site by its name; an unknown name becomes a new site.
    pub fn site_id(&mut self, name: &str) -> u64 {
        let Some((_, items)) = self.0.iter_mut().find(|(list, _)| *list == "site") else {
            return 0;
        };
        let id = |item: &Item| item.id.parse().unwrap_or(0);
        if let Some(known) = items.iter().find(|item| item.value == name) {
            return id(known);
        }
        let fresh = items.iter().map(id).max().unwrap_or(0) + 1;
        items.push(item(fresh.to_string(), name));
        fresh
    }

    /// One list as the API shows it.
    pub fn shown(&self, name: &str) -> Option<Value> {
        self.get(name).map(|items| json!({"name": name, "items": items}))
    }

    /// All lists as the API shows them.
    pub fn all(&self) -> Value {
        let lists = self
            .0
            .iter()
            .map(|(name, items)| ((*name).to_owned(), json!({"name": name, "items": items})));
        Value::Object(lists.collect())
    }
}
