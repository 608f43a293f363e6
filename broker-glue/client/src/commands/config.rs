//! `larder config list|get|set|path`: each setting, and where its value comes from.

use std::fmt::Write as _;
use std::path::Path;
use std::process::ExitCode;

use anyhow::Context as _;
use clap::Subcommand;
use larder_glue::folders::Folders;
use larder_glue::logging::Format;
use larder_glue::settings::{Origin, SETTINGS, Setting, Unit};
use larder_glue::{logging, private, size};
use serde_json::json;
use toml_edit::DocumentMut;

/// Largest settings file, bytes, as for the daemon.
const FILE_LIMIT: u64 = 64 * 1024;

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Show each setting, its value, and where that comes from
    List {
        /// As JSON
        #[arg(long)]
        json: bool,
    },
    /// Show the value of one setting
    Get {
        /// Its name
        #[arg(value_parser = names())]
        name: String,
    },
    /// Write one setting into the settings file
    Set {
        /// Its name
        #[arg(value_parser = in_file())]
        name: String,
        /// Its value, such as 20GiB or 3600
        value: String,
    },
    /// Show where the settings file is
    Path,
}

/// The names of all settings, for hints at the nearest.
fn names() -> clap::builder::PossibleValuesParser {
    SETTINGS.map(|setting| setting.name).into()
}

/// Of those that the settings file can have.
fn in_file() -> clap::builder::PossibleValuesParser {
    let names: Vec<_> =
        SETTINGS.iter().filter(|setting| setting.unit != Unit::Level).map(|setting| setting.name).collect();
    names.into()
}

pub(super) fn run(command: &Command) -> anyhow::Result<ExitCode> {
    let file = Folders::from_env()?.settings_file();
    match command {
        Command::List { json } => super::print(&list(&file, *json)?)?,
        Command::Get { name } => {
            let setting = setting(name)?;
            super::print(&format!("{}\n", value(&read(&file)?, setting, &file)?.0))?;
        }
        Command::Set { name, value } => {
            let setting = setting(name)?;
            check(setting, value).with_context(|| format!("failed to set {name}"))?;
            let text = set(&read(&file)?, setting, value);
            if let Some(folder) = file.parent() {
                private::ensure_folder(folder)?;
            }
            private::write_atomically(&file, text.as_bytes())?;
            if setting.variable.is_some_and(|variable| std::env::var_os(variable).is_some()) {
                super::say(&format!(
                    "{} is set, and goes over the file",
                    setting.variable.unwrap_or_default()
                ));
            }
            super::say("written; `larder restart` makes a running daemon read it");
        }
        Command::Path => super::print(&format!("{}\n", file.display()))?,
    }
    Ok(ExitCode::SUCCESS)
}

fn setting(name: &str) -> anyhow::Result<&'static Setting> {
    SETTINGS.iter().find(|setting| setting.name == name).context("there is no such setting")
}

fn read(file: &Path) -> anyhow::Result<DocumentMut> {
    let bytes = private::read_own(file, FILE_LIMIT)?.unwrap_or_default();
    let failed = || format!("failed to read {}", file.display());
    String::from_utf8(bytes).with_context(failed)?.parse().with_context(failed)
}

/// The value in force, as it is written, and where it comes from.
fn value(document: &DocumentMut, setting: &Setting, file: &Path) -> anyhow::Result<(String, Origin)> {
    let variable = setting.variable.and_then(|variable| std::env::var(variable).ok());
    if let Some(value) = variable.filter(|value| check(setting, value).is_ok()) {
        return Ok((value, Origin::Environment));
    }
    let Some(item) = document.get(setting.name).filter(|_| setting.unit != Unit::Level) else {
        return Ok((setting.default.to_owned(), Origin::Default));
    };
    let written = item.as_str().map(str::to_owned).or_else(|| Some(item.as_integer()?.to_string()));
    let written = written.with_context(|| {
        format!("failed to use {} in {}: it is neither text nor a whole number", setting.name, file.display())
    })?;
    check(setting, &written)
        .with_context(|| format!("failed to use {} in {}", setting.name, file.display()))?;
    Ok((written, Origin::File))
}

/// Whether `value` is one of the setting's unit.
fn check(setting: &Setting, value: &str) -> anyhow::Result<()> {
    match setting.unit {
        Unit::Bytes => size::parse(value).map(|_| ())?,
        Unit::Seconds if value.trim().parse::<u64>().is_ok() => {}
        Unit::Seconds => {
            anyhow::bail!("{value:?} is no number of whole seconds\nhint: 3600 is an hour, 0 is never")
        }
        Unit::Format if Format::parse(value).is_some() => {}
        Unit::Format => anyhow::bail!("{value:?} is no format\nhint: text or json"),
        Unit::Level if logging::is_level(value) => {}
        Unit::Level => {
            anyhow::bail!("{value:?} is no level\nhint: off, error, warn, info, debug or trace")
        }
    }
    Ok(())
}

/// The file's text with `value`; comments and order stay.
fn set(document: &DocumentMut, setting: &Setting, value: &str) -> String {
    let mut document = document.clone();
    document[setting.name] = match value.parse::<i64>() {
        Ok(number) => toml_edit::value(number),
        Err(_) => toml_edit::value(value),
    };
    document.to_string()
}

fn list(file: &Path, json: bool) -> anyhow::Result<String> {
    let document = read(file)?;
    let mut rows = Vec::new();
    for setting in &SETTINGS {
        rows.push((setting, value(&document, setting, file)?));
    }
    if json {
        let rows: Vec<_> = rows
            .iter()
            .map(|(setting, (value, origin))| {
                json!({
                    "name": setting.name, "value": value, "origin": origin.id(), "unit": setting.unit.id(),
                    "default": setting.default, "variable": setting.variable, "purpose": setting.purpose,
                })
            })
            .collect();
        let list = json!({ "schema_version": 1, "file": file, "settings": rows });
        return Ok(serde_json::to_string_pretty(&list)? + "\n");
    }
    let mut text = String::new();
    for (setting, (value, origin)) in rows {
        let _ = writeln!(text, "{:<14}{value:<14}{:<13}{}", setting.name, origin.id(), setting.purpose);
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use larder_glue::settings::{IDLE_SECONDS, MEMORY_LIMIT, SIZE_LIMIT};

    #[test]
    fn a_value_is_written_beside_what_is_there_and_found_again() {
        let before: DocumentMut = "# mine\nidle_seconds = 5 # five\n".parse().unwrap();
        let text = set(&before, &MEMORY_LIMIT, "1GiB");
        assert_eq!(text, "# mine\nidle_seconds = 5 # five\nmemory_limit = \"1GiB\"\n");
        let document = text.parse().unwrap();
        let file = Path::new("/f");
        assert_eq!(value(&document, &MEMORY_LIMIT, file).unwrap(), ("1GiB".to_owned(), Origin::File));
        assert_eq!(set(&document, &IDLE_SECONDS, "0").lines().nth(1), Some("idle_seconds = 0"));
    }

    #[test]
    fn what_is_no_value_is_refused() {
        for (setting, value) in
            [(&SIZE_LIMIT, "much"), (&SIZE_LIMIT, "0"), (&IDLE_SECONDS, "-1"), (&IDLE_SECONDS, "1h")]
        {
            assert!(check(setting, value).is_err(), "{value}");
        }
        let wrong: DocumentMut = "memory_limit = [1]\n".parse().unwrap();
        assert!(value(&wrong, &MEMORY_LIMIT, Path::new("/f")).is_err());
    }

    /// The page of the documentation that has the table, written anew where `LARDER_WRITE_GOLDEN` is set.
    #[test]
    fn the_documentation_has_each_setting() {
        let mut page = "# Settings\n\nThe environment goes over the settings file (`larder config path`), and that over the defaults. `larder config list` shows\neach value and where it comes from; the page's Settings show what the running daemon goes by.\n\n| in the file | variable | unit | default | for |\n|---|---|---|---|---|\n".to_owned();
        for setting in &SETTINGS {
            let name =
                if setting.unit == Unit::Level { String::new() } else { format!("`{}`", setting.name) };
            let variable = setting.variable.map(|variable| format!("`{variable}`")).unwrap_or_default();
            page += &format!(
                "| {name} | {variable} | {} | `{}` | {} |\n",
                setting.unit.id(),
                setting.default,
                setting.purpose
            );
        }
        page += "\nWritten by `LARDER_WRITE_GOLDEN=1 cargo test -p larder-client`.\n";
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/settings.md");
        if std::env::var_os("LARDER_WRITE_GOLDEN").is_some() {
            std::fs::write(&path, &page).unwrap();
        }
        assert_eq!(std::fs::read_to_string(&path).unwrap_or_default(), page);
    }
}
