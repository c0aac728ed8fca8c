//! `instep init`: writes a commented configuration to start from, and never over another file.

use std::fs::OpenOptions;
use std::io::{ErrorKind, Write};
use std::path::Path;

use anyhow::{Context, bail};

use crate::config;

/// Writes the example configuration with one source called `source` to `path`, and says to `out`
/// what comes next.
///
/// # Errors
/// The file exists or cannot be written, or no source can have this name.
pub fn run(path: &Path, source: &str, out: &mut dyn Write) -> anyhow::Result<()> {
    if !config::is_source_name(source) {
        bail!("a source's name is 1 to 32 characters of a-z 0-9 -, as in bob");
    }
    let shown = path.display();
    let mut file = match OpenOptions::new().write(true).create_new(true).open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {
            bail!("{shown} exists already and was left as it is: name another with --config");
        }
        Err(error) => return Err(error).context(format!("{shown} cannot be written")),
    };
    let written = file.write_all(config::starter(source).as_bytes()).and_then(|()| file.sync_all());
    written.with_context(|| format!("{shown} was not written to its end: remove it"))?;
    let option =
        if path == Path::new("instep.toml") { String::new() } else { format!(" --config {shown}") };
    writeln!(
        out,
        "Wrote {shown}. Fill in what is marked REQUIRED, set the variables that it names, then run\n\
         \n    instep check{option}"
    )?;
    Ok(())
}
