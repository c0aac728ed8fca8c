//! Reading what a caller asks for, as strictly as the specification words it: filters, pages,
//! bodies. What it does not know is refused.

use jiff::Timestamp;
use serde::Serialize;
use serde_json::{Map, Value};

use super::super::answer::Answer;
use super::super::service::{Call, decode};
use super::refuse;

/// The languages that an account can have.
pub const LANGS: [&str; 38] = [
    "bg", "cs", "da", "de", "el", "en", "es", "fi", "fr", "hr", "ht_HT", "hu", "id", "it", "ja",
    "kar_MM", "ko", "lt", "mh_MH", "nl", "nl_BE", "no", "pl", "pt", "ro", "ru", "rw_RW", "sk",
    "sl", "so_SO", "sv", "sw_KE", "th", "ti_ET", "tr", "uk", "zh", "vi",
];

/// Roles as bodies and answers spell them; `owner` is read-only.
pub const ROLES: [&str; 7] =
    ["admin", "analyst", "coach", "contributor", "editor", "learner", "userAdmin"];

/// The role that a word in a body means.
pub fn role(word: &str) -> Option<&'static str> {
    ROLES.into_iter().find(|role| *role == word)
}

/// The role that a segment of a path means: there it is `user-admin`.
pub fn path_role(word: &str) -> Result<&'static str, Answer> {
    match word {
        "user-admin" => Ok("userAdmin"),
        "userAdmin" => Err(bad("an unknown role")),
        word => role(word).ok_or_else(|| bad("an unknown role")),
    }
}

/// A violation of the schema.
pub fn bad(why: &str) -> Answer {
    super::refusal(400, "badRequest", why)
}

/// Whether a text is an id: 24 hexadecimal digits.
pub fn is_id(text: &str) -> bool {
    text.len() == 24 && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// An id from the path.
pub fn id(call: &Call, at: usize) -> Result<&str, Answer> {
    let id = call.param(at);
    if is_id(id) { Ok(id) } else { Err(bad("an id has 24 hexadecimal digits")) }
}

/// What a member of a body may hold.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Text that is not empty.
    Text,
    /// Such a text, or `null` to clear.
    Clear,
    /// A language.
    Lang,
    /// An id.
    Id,
    /// An id, or `null` to clear.
    ClearId,
    /// A moment.
    Date,
    /// A moment, or `null` to clear.
    ClearDate,
    /// `{"groupId","role"}`
    Membership,
    /// True or false.
    Bool,
    /// A list; its elements are looked at elsewhere.
    List,
    /// Anything at all.
    Any,
}

impl Kind {
    fn holds(self, value: &Value) -> bool {
        let text = value.as_str().unwrap_or_default();
        match self {
            Self::Clear | Self::ClearId | Self::ClearDate if value.is_null() => true,
            Self::Text | Self::Clear => !text.is_empty(),
            Self::Lang => LANGS.contains(&text),
            Self::Id | Self::ClearId => is_id(text),
            Self::Date | Self::ClearDate => text.parse::<Timestamp>().is_ok(),
            Self::Membership => value.as_object().is_some_and(|members| {
                members.len() == 2
                    && members.get("groupId").and_then(Value::as_str).is_some_and(is_id)
                    && members.get("role").and_then(Value::as_str).and_then(role).is_some()
            }),
            Self::Bool => value.is_boolean(),
            Self::List => value.is_array(),
            Self::Any => true,
        }
    }
}

/// A member of a body: its name, what it may hold, and whether it must be there.
pub type Member = (&'static str, Kind, bool);

/// Reads a body; unknown, missing and wrong members are refused.
pub fn body(call: &Call, members: &[Member]) -> Result<Map<String, Value>, Answer> {
    if !call.is_json() {
        return Err(refuse(400, "badMediaType"));
    }
    let Ok(Value::Object(body)) = serde_json::from_slice(&call.body) else {
        return Err(bad("the body is not a JSON object"));
    };
    check(&body, members)?;
    Ok(body)
}

/// Checks the members of an object.
pub fn check(object: &Map<String, Value>, members: &[Member]) -> Result<(), Answer> {
    for (name, value) in object {
        match members.iter().find(|(known, _, _)| known == name) {
            None => return Err(bad(&format!("unknown member {name}"))),
            Some((_, kind, _)) if !kind.holds(value) => {
                return Err(bad(&format!("{name} is not as it should be")));
            }
            Some(_) => {}
        }
    }
    match members.iter().find(|(name, _, required)| *required && !object.contains_key(*name)) {
        Some((name, _, _)) => Err(bad(&format!("{name} is missing"))),
        None => Ok(()),
    }
}

/// How a filter compares.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Compare {
    /// Equal to the one value, or to one of several.
    In,
    /// Different from all of them.
    NotIn,
    /// Earlier than.
    Before,
    /// At that moment or later.
    From,
}

/// One filter: `mail[in][0]=a&mail[in][1]=b`.
#[derive(Debug)]
pub struct Filter {
    /// The field.
    pub field: &'static str,
    /// How.
    pub compare: Compare,
    /// With what.
    pub values: Vec<String>,
}

impl Filter {
    /// Whether a value passes.
    pub fn passes(&self, value: &str) -> bool {
        let among = || self.values.iter().any(|wanted| wanted == value);
        match self.compare {
            Compare::In => among(),
            Compare::NotIn => !among(),
            Compare::Before => self.values.iter().all(|limit| value < limit.as_str()),
            Compare::From => self.values.iter().all(|limit| value >= limit.as_str()),
        }
    }
}

/// What the query of a list says.
pub struct List {
    /// The filters; all must pass.
    pub filters: Vec<Filter>,
    /// Where the page begins.
    pub start: usize,
}

impl List {
    /// Reads a query. `fields` names what can be filtered and by which operators.
    pub fn read(
        call: &Call,
        fields: &[(&'static str, &[&str])],
        longest: usize,
    ) -> Result<Self, Answer> {
        let mut filters: Vec<Filter> = Vec::new();
        let mut start = 0;
        for (name, value) in pairs(&call.query) {
            if name == "next" {
                start = value
                    .strip_prefix("pg")
                    .and_then(|at| usize::from_str_radix(at, 16).ok())
                    .ok_or_else(|| bad("next is not a page"))?;
                continue;
            }
            let (name, rest) =
                name.split_once('[').ok_or_else(|| bad(&format!("unknown parameter {name}")))?;
            let (op, index) = rest.split_once(']').ok_or_else(|| bad("a filter is field[op]"))?;
            let indexed = index.is_empty() || matches!(op, "in" | "nin") && is_index(index);
            let known = fields.iter().find(|(field, _)| *field == name);
            let Some((field, _)) = known.filter(|(_, ops)| indexed && ops.contains(&op)) else {
                return Err(bad(&format!("unknown filter {name}[{op}]")));
            };
            let compare = match op {
                "eq" | "in" => Compare::In,
                "ne" | "nin" => Compare::NotIn,
                "lt" => Compare::Before,
                _ => Compare::From,
            };
            let open = filters.iter_mut().find(|f| f.field == *field && f.compare == compare);
            match open {
                Some(filter) if matches!(op, "in" | "nin") => filter.values.push(value),
                Some(_) => return Err(bad("a filter is given twice")),
                None => filters.push(Filter { field, compare, values: vec![value] }),
            }
        }
        if filters.iter().any(|filter| filter.values.len() > longest) {
            return Err(bad("too many values in a filter"));
        }
        Ok(Self { filters, start })
    }

    /// The values that a field must have one of, if a filter says so.
    pub fn wanted(&self, field: &str) -> Option<&[String]> {
        let filter = self.filters.iter().find(|f| f.field == field && f.compare == Compare::In);
        filter.map(|filter| filter.values.as_slice())
    }

    /// Whether all filters on a field pass.
    pub fn passes(&self, field: &str, value: &str) -> bool {
        self.filters.iter().filter(|filter| filter.field == field).all(|f| f.passes(value))
    }

    /// One page of what there is, each thing with its place; places rise.
    pub fn page<T: Serialize>(
        &self,
        call: &Call,
        size: usize,
        things: impl Iterator<Item = (usize, T)>,
    ) -> Answer {
        let mut page = Vec::new();
        let mut next = None;
        for (place, thing) in things.filter(|(place, _)| *place >= self.start) {
            if page.len() == size {
                next = Some(place);
                break;
            }
            page.push(thing);
        }
        let answer = Answer::json(200, &page);
        let Some(next) = next else { return answer };
        let kept = call.query.split('&').filter(|part| !part.is_empty());
        let mut query = kept.filter(|part| !part.starts_with("next=")).collect::<Vec<_>>();
        let next = format!("next=pg{next:x}");
        query.push(&next);
        let (host, path) = (call.host(), &call.path);
        answer.with("link", format!("<http://{host}{path}?{}>; rel=\"next\"", query.join("&")))
    }
}

/// `[]` or `[3]`
fn is_index(text: &str) -> bool {
    text.strip_prefix('[')
        .and_then(|text| text.strip_suffix(']'))
        .is_some_and(|digits| digits.bytes().all(|byte| byte.is_ascii_digit()))
}

/// The parameters of a query, decoded.
pub fn pairs(query: &str) -> impl Iterator<Item = (String, String)> {
    query.split('&').filter(|part| !part.is_empty()).map(|part| {
        let (name, value) = part.split_once('=').unwrap_or((part, ""));
        (decode(&name.replace('+', " ")), decode(&value.replace('+', " ")))
    })
}

/// Refuses every parameter.
pub fn no_query(call: &Call) -> Result<(), Answer> {
    match pairs(&call.query).next() {
        Some((name, _)) => Err(bad(&format!("unknown parameter {name}"))),
        None => Ok(()),
    }
}
