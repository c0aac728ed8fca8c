//! Whether this Redis can be trusted with what must survive: what it says of itself, in sentences.

use std::collections::HashMap;

use redis::{ErrorKind, ServerErrorKind, cmd};

use super::{RedisStore, read};
use crate::store::StoreError;

/// What `INFO` and `CONFIG GET` say, by name.
type Facts = HashMap<String, String>;

impl RedisStore {
    /// See [`Store::check`](crate::store::Store::check).
    pub(super) async fn look_over(&self) -> Result<Vec<String>, StoreError> {
        let doing = "check";
        // Fails on a replica, on a full one, and on one that cannot write its files.
        let mut write = cmd("SET");
        write.arg(&self.names.check).arg("written by a check").arg("PX").arg(60_000);
        self.ask::<()>(doing, &write).await?;

        let mut warnings = Vec::new();
        match self.connection.ask_owner_of(&self.names.check, &cmd("INFO")).await {
            Ok(answer) => {
                let text: String = read(doing, Ok(answer))?;
                let pairs = text.lines().filter_map(|line| line.trim_end().split_once(':'));
                let info: Facts = pairs.map(|(k, v)| (k.to_owned(), v.to_owned())).collect();
                warn_from_info(&info, self.connection.is_sentinel(), &mut warnings);
            }
            Err(error) if is_refusal(&error) => {
                warnings.push(
                    "This Redis does not let us look at its state (INFO): verify by hand that \
                     appendonly is yes and maxmemory-policy is noeviction."
                        .into(),
                );
            }
            Err(error) => return read(doing, Err(error)),
        }
        let mut command = cmd("CONFIG");
        command.arg("GET").arg("appendfsync");
        match self.connection.ask_owner_of(&self.names.check, &command).await {
            Ok(answer) => {
                let config: Facts = read(doing, Ok(answer))?;
                warn_from_config(&config, &mut warnings);
            }
            Err(error) if is_refusal(&error) => warnings.push(
                "This Redis does not let us read its configuration (CONFIG): verify by hand that \
                 appendfsync is always; with everysec a crash can lose up to one second of \
                 accepted events."
                    .into(),
            ),
            Err(error) => return read(doing, Err(error)),
        }
        Ok(warnings)
    }
}

/// Whether Redis is well but does not want to tell: renamed, unknown or forbidden commands.
fn is_refusal(error: &redis::RedisError) -> bool {
    matches!(
        error.kind(),
        ErrorKind::Server(ServerErrorKind::ResponseError | ServerErrorKind::NoPerm)
    )
}

fn warn_from_info(info: &Facts, sentinel: bool, warnings: &mut Vec<String>) {
    let is = |name: &str, value: &str| info.get(name).is_some_and(|known| known == value);
    if let Some(version) = info.get("redis_version") {
        let mut numbers = version.split('.').map(|part| part.parse::<u32>().unwrap_or(0));
        if (numbers.next(), numbers.next()) < (Some(6), Some(2)) {
            warnings.push(format!("This is Redis {version}; 6.2 or newer is needed."));
        }
    }
    if is("aof_enabled", "0") {
        warnings.push(
            "Redis keeps no append-only file: a restart loses accepted events since its last \
             snapshot, or all of them. Set appendonly to yes."
                .into(),
        );
    }
    if let Some(policy) = info.get("maxmemory_policy").filter(|policy| *policy != "noeviction") {
        warnings.push(format!(
            "Redis may throw events away when its memory is full (maxmemory-policy is {policy}). \
             Set it to noeviction."
        ));
    }
    if sentinel && is("connected_slaves", "0") {
        warnings.push(
            "Sentinel watches a master that has no replica: should it fail, nothing can take over."
                .into(),
        );
    } else if sentinel && !info.contains_key("min_slaves_good_slaves") {
        warnings.push(
            "Redis copies to its replicas after it has answered, and a master that is cut off from \
             them goes on taking events that a failover then throws away. With two replicas or \
             more, set min-replicas-to-write to 1."
                .into(),
        );
    }
}

fn warn_from_config(config: &Facts, warnings: &mut Vec<String>) {
    match config.get("appendfsync").map(String::as_str) {
        Some("everysec") => warnings.push(
            "Redis writes to disk once a second (appendfsync is everysec): a crash can lose up to \
             one second of accepted events. Set it to always."
                .into(),
        ),
        Some("no") => warnings.push(
            "Redis leaves writing to disk to the system (appendfsync is no): a crash can lose half \
             a minute of accepted events. Set it to always."
                .into(),
        ),
        _ => {}
    }
}
