//! `larder config list|get|set|path`: each setting, and where its value comes from.

use std::fmt::Write as _;
use std::path::Path;
use std::process::ExitCode;

use anyhow::Context as _;
use clap::Subcommand;
use larder_glue::folders::Folders;
use larder_glue::private;
use larder_glue::settings::read::{FILE_LIMIT, Value};
use larder_glue::settings::{Origin, SETTINGS, Setting, Unit};
use serde_json::json;
use toml_edit::DocumentMut;

use crate::settings::All;

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
    let folders = Folders::from_env()?;
    let file = folders.settings_file();
    let all = || -> anyhow::Result<All> {
        let all = All::read(&folders);
        // Where the user's own file makes no sense, nothing that is shown could be relied on.
        document(&file)?;
        all.complaints().iter().for_each(|complaint| super::say(complaint));
        Ok(all)
    };
    match command {
        Command::List { json } => super::print(&list(&all()?, &file, *json)?)?,
        Command::Get { name } => {
            let setting = setting(name)?;
            super::print(&format!("{}\n", value(&all()?, setting).0))?;
        }
        Command::Set { name, value } => {
            let setting = setting(name)?;
            if let Err(reason) = setting.value(value) {
                anyhow::bail!("failed to set {name}: {reason}");
            }
            let text = set(&document(&file)?, setting, value);
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
            super::say(match setting.for_projects {
                true => "written; the next call reads it",
                false => "written; `larder restart` makes a running daemon read it",
            });
        }
        Command::Path => super::print(&format!("{}\n", file.display()))?,
    }
    Ok(ExitCode::SUCCESS)
}

fn setting(name: &str) -> anyhow::Result<&'static Setting> {
    SETTINGS.iter().find(|setting| setting.name == name).context("there is no such setting")
}

fn document(file: &Path) -> anyhow::Result<DocumentMut> {
    let bytes = private::read_own(file, FILE_LIMIT)?.unwrap_or_default();
    let failed = || format!("failed to read {}", file.display());
    String::from_utf8(bytes).with_context(failed)?.parse().with_context(failed)
}

/// The value in force, as it is written, and where it comes from.
fn value(all: &All, setting: &Setting) -> (String, Origin) {
    let variable = setting.variable.and_then(|variable| std::env::var(variable).ok());
    // Below no file's folder, a path has to be a whole one.
    let is_one = |value: &String| setting.value(value).is_ok() && !value.starts_with('.');
    if let Some(value) = variable.filter(is_one) {
        return (value, Origin::Environment);
    }
    match all.of(setting) {
        Some((set, origin)) => (set.written.clone(), origin),
        None => (setting.default.to_owned(), Origin::Default),
    }
}

/// A size that is in force; `None` where what is written is none.
pub(super) fn bytes(folders: &Folders, setting: &Setting) -> Option<u64> {
    match setting.value(&value(&All::read(folders), setting).0) {
        Ok(Value::Number(bytes)) => Some(bytes),
        _ => None,
    }
}

/// The file's text with `value`; comments and order stay.
fn set(document: &DocumentMut, setting: &Setting, value: &str) -> String {
    let mut document = document.clone();
    document[setting.name] = match (value.parse::<i64>(), value.parse::<bool>()) {
        (Ok(number), _) => toml_edit::value(number),
        (_, Ok(flag)) => toml_edit::value(flag),
        _ => toml_edit::value(value),
    };
    document.to_string()
}

fn list(all: &All, file: &Path, json: bool) -> anyhow::Result<String> {
    let rows = SETTINGS.iter().map(|setting| (setting, value(all, setting)));
    if json {
        let rows: Vec<_> = rows
            .map(|(setting, (value, origin))| {
                json!({
                    "name": setting.name, "value": value, "origin": origin.id(), "unit": setting.unit.id(),
                    "default": setting.default, "variable": setting.variable, "purpose": setting.purpose,
                    "for_projects": setting.for_projects,
                })
            })
            .collect();
        let project = all.project.as_ref().map(|read| &read.file);
        let ignored = all.complaints();
        let list = json!({ "schema_version": 1, "file": file, "project_file": project, "settings": rows, "ignored": ignored });
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
    use larder_glue::settings::{IDLE_SECONDS, MEMORY_LIMIT};

    #[test]
    fn a_value_is_written_beside_what_is_there() {
        let before: DocumentMut = "# mine\nidle_seconds = 5 # five\n".parse().unwrap();
        let text = set(&before, &MEMORY_LIMIT, "1GiB");
        assert_eq!(text, "# mine\nidle_seconds = 5 # five\nmemory_limit = \"1GiB\"\n");
        let document = text.parse().unwrap();
        assert_eq!(set(&document, &IDLE_SECONDS, "0").lines().nth(1), Some("idle_seconds = 0"));
        let flag = set(&document, &larder_glue::settings::DISABLED, "true");
        assert_eq!(flag.lines().nth(3), Some("disabled = true"));
    }

    /// The page of the documentation that has the table, written anew where `LARDER_WRITE_GOLDEN` is set.
    #[test]
    fn the_documentation_has_each_setting() {
        let mut page = include_str!("config/settings.md").to_owned();
        for setting in &SETTINGS {
            let name =
                if setting.unit == Unit::Level { String::new() } else { format!("`{}`", setting.name) };
            let variable = setting.variable.map(|variable| format!("`{variable}`")).unwrap_or_default();
            page += &format!(
                "| {name} | {variable} | {} | {} | `{}` | {} |\n",
                if setting.for_projects { "yes" } else { "" },
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
