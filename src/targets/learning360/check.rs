//! Trying the connection out without changing anything: the credentials, the default group, and
//! each scope that the work needs.

use super::client::{Call, Client, Turn};
use super::{codes, wire};
use crate::model::Needs;
use crate::targets::TargetError;

/// An id that no account, group or mapping has. A write to it is refused for the scope (403) or,
/// with the scope, because there is nothing to write to (404).
const NOTHING: &str = "000000000000000000000000";

/// What a filter asks for that shall find nobody.
const NOBODY: &str = "instep-check@instep.invalid";

/// Problems, in sentences; none when all is well.
pub(super) async fn check(
    client: &Client,
    default_group: &str,
    needs: &Needs,
    turn: Turn,
) -> Vec<String> {
    if let Err(error) = client.sign_in(turn).await {
        return vec![sentence(&error)];
    }
    let mut problems = Vec::new();
    if !wire::is_object_id(default_group) {
        problems.push(
            "target.default_group is not a group id: it has 24 hexadecimal digits and stands at the \
             end of the group's address in 360Learning"
                .to_owned(),
        );
    } else if let Err(error) = read(client, Reading::Group(default_group), turn).await {
        problems.push(match codes::of(&error) {
            Some("groupNotFound") => "360Learning has no group with the id in \
                 target.default_group: it stands at the end of the group's address there"
                .to_owned(),
            _ => sentence(&error),
        });
    }
    // What groups and managers take is tried anyway: it is the same scopes.
    let custom_fields = (!needs.custom_fields.is_empty()).then_some(Reading::CustomFields);
    for reading in [Reading::Users, Reading::ExternalIds].into_iter().chain(custom_fields) {
        if let Err(error) = read(client, reading, turn).await {
            problems.push(sentence(&error));
        }
    }
    let writes: [Result<Call, TargetError>; 3] = [
        client
            .call("PATCH /users/{userId}", &[NOTHING])
            .map(|call| call.json(&serde_json::json!({ "job": null }))),
        client.call("POST /groups/{groupId}/{role}/{userId}", &[NOTHING, "learner", NOTHING]),
        client.call("DELETE /external-ids/{mappingId}", &[NOTHING]),
    ];
    for call in writes {
        let end = match call {
            Ok(call) => client.tell(call, turn).await,
            Err(error) => Err(error),
        };
        match end {
            // Nothing is there, as expected: the scope is.
            Ok(()) | Err(TargetError::LookAgain { .. } | TargetError::Refused { .. }) => {}
            Err(error) => problems.push(sentence(&error)),
        }
    }
    problems
}

fn sentence(error: &TargetError) -> String {
    match error {
        TargetError::OutOfTime => "360Learning was too slow to try everything out in time".into(),
        other => other.to_string(),
    }
}

enum Reading<'a> {
    Users,
    ExternalIds,
    CustomFields,
    Group(&'a str),
}

async fn read(client: &Client, reading: Reading<'_>, turn: Turn) -> Result<(), TargetError> {
    let call = match reading {
        Reading::Users => client.call("GET /users", &[])?.with("mail[eq]", NOBODY),
        Reading::ExternalIds => client
            .call("GET /external-ids", &[])?
            .with("platform[eq]", NOBODY)
            .with("type[eq]", "user"),
        Reading::CustomFields => client.call("GET /custom-fields", &[])?.with("name[eq]", NOBODY),
        Reading::Group(id) => client.call("GET /groups/{groupId}", &[id])?,
    };
    client.ask::<serde_json::Value>(call, turn).await.map(drop)
}
