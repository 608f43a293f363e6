//! Settings: the environment over the settings file over the defaults.
//!
//! A setting that cannot be understood costs a warning, never the daemon.

use std::path::Path;
use std::time::Duration;

use larder_glue::logging::Format;
use larder_glue::settings::read::{FILE_LIMIT, Place, Set, Value, read};
use larder_glue::settings::{IDLE_SECONDS, LOG_FORMAT, MEMORY_LIMIT, Origin, SIZE_LIMIT, Setting};
use larder_glue::{logging, private};
use larder_proto::v1::{SettingList, SettingValue};

use crate::reports::SCHEMA_VERSION;

/// What a person can set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Settings {
    /// `size_limit`, `LARDER_SIZE_LIMIT`: most bytes of all blobs.
    pub(crate) size_limit: u64,
    /// `memory_limit`: most bytes that the store keeps in memory.
    pub(crate) memory_limit: u64,
    /// `idle_seconds`, `LARDER_IDLE_SECONDS`: the daemon exits after this time without a request. `None`, written as
    /// 0, is never.
    pub(crate) idle: Option<Duration>,
    /// `log_format`, `LARDER_LOG_FORMAT`: form of the log's lines.
    pub(crate) log_format: Format,
    /// Where each value comes from, in the order of the rows.
    origins: [Origin; ROWS.len()],
}

impl Default for Settings {
    fn default() -> Self {
        let default = |setting: &Setting| setting.default.parse().unwrap_or(0);
        Self {
            size_limit: default(&SIZE_LIMIT),
            memory_limit: default(&MEMORY_LIMIT),
            idle: Some(Duration::from_secs(default(&IDLE_SECONDS))),
            log_format: Format::parse(LOG_FORMAT.default).unwrap_or_default(),
            origins: Default::default(),
        }
    }
}

impl Settings {
    /// Each setting as it is in force, for people. Of a variable's value nothing is told but what it was taken for.
    pub(crate) fn list(&self, file: &Path) -> SettingList {
        let rows = ROWS.iter().zip(self.origins);
        let mut settings: Vec<_> =
            rows.map(|(row, origin)| value(&row.setting, (row.show)(self), origin)).collect();
        let (level, asked) = logging::level();
        let origin = if asked { Origin::Environment } else { Origin::Default };
        settings.push(value(&larder_glue::settings::LOG_LEVEL, level, origin));
        SettingList { schema_version: SCHEMA_VERSION, file: file.to_string_lossy().into_owned(), settings }
    }
}

fn value(setting: &Setting, value: String, origin: Origin) -> SettingValue {
    SettingValue {
        name: setting.name.to_owned(),
        variable: setting.variable.unwrap_or_default().to_owned(),
        unit: setting.unit.id().to_owned(),
        purpose: setting.purpose.to_owned(),
        value,
        default_value: setting.default.to_owned(),
        origin: origin.id().to_owned(),
    }
}

/// One row a setting of the daemon's: how it is taken, and what it shows.
struct Row {
    setting: Setting,
    take: fn(&mut Settings, &Value),
    show: fn(&Settings) -> String,
}

const ROWS: [Row; 4] = [
    Row {
        setting: SIZE_LIMIT,
        take: |settings, bytes| settings.size_limit = number(bytes),
        show: |settings| settings.size_limit.to_string(),
    },
    Row {
        setting: MEMORY_LIMIT,
        take: |settings, bytes| settings.memory_limit = number(bytes),
        show: |settings| settings.memory_limit.to_string(),
    },
    Row {
        setting: IDLE_SECONDS,
        take: |settings, seconds| {
            let seconds = number(seconds);
            settings.idle = (seconds > 0).then(|| Duration::from_secs(seconds));
        },
        show: |settings| settings.idle.map_or(0, |idle| idle.as_secs()).to_string(),
    },
    Row {
        setting: LOG_FORMAT,
        take: |settings, format| {
            settings.log_format = Format::parse(&format.to_string()).unwrap_or_default();
        },
        show: |settings| settings.log_format.id().to_owned(),
    },
];

impl Settings {
    fn set(&mut self, at: usize, value: &Value, origin: Origin) {
        (ROWS[at].take)(self, value);
        self.origins[at] = origin;
    }
}

/// What a value of a number's unit is; no other comes here.
fn number(value: &Value) -> u64 {
    if let Value::Number(number) = value { *number } else { 0 }
}

/// The settings in force, and a sentence for each one that was not understood.
pub(crate) fn load(file: &Path, variable: impl Fn(&str) -> Option<String>) -> (Settings, Vec<String>) {
    let mut settings = Settings::default();
    let mut warnings = Vec::new();
    match private::read_own(file, FILE_LIMIT) {
        Ok(bytes) => {
            let (all, complaints) = read(&bytes.unwrap_or_default(), Place::User);
            // What is in none of the rows is the clients' to read.
            let place = |set: &Set| ROWS.iter().position(|row| row.setting.name == set.setting.name);
            for set in &all {
                place(set).into_iter().for_each(|at| settings.set(at, &set.value, Origin::File));
            }
            warnings.extend(complaints.iter().map(ToString::to_string));
        }
        Err(error) => warnings.push(error.to_string()),
    }
    for warning in &mut warnings {
        *warning = format!("the settings file {}: {warning}", file.display());
    }
    for (at, row) in ROWS.iter().enumerate() {
        let Some((name, value)) = row.setting.variable.and_then(|name| Some((name, variable(name)?))) else {
            continue;
        };
        match row.setting.value(&value) {
            Ok(value) => settings.set(at, &value, Origin::Environment),
            Err(reason) => warnings.push(format!("the variable {name} is ignored: {reason}")),
        }
    }
    (settings, warnings)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(text: &str, variables: &[(&str, &str)]) -> (Settings, Vec<String>) {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("config.toml");
        std::fs::write(&file, text).expect("written");
        load(&file, |name| {
            variables.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned())
        })
    }

    #[test]
    fn without_a_file_the_defaults_are_in_force() {
        assert_eq!(load(Path::new("/nowhere/config.toml"), |_| None), (Settings::default(), Vec::new()));
    }

    #[test]
    fn the_file_is_taken_and_the_environment_goes_over_it() {
        let text = "size_limit = \"2GiB\"\nmemory_limit = 1_000\nidle_seconds = 0\nportable = true\nlog_format = \"json\"\n";
        let (settings, warnings) = with(text, &[("LARDER_SIZE_LIMIT", "5M")]);
        assert_eq!(warnings, Vec::<String>::new());
        let origins = [Origin::Environment, Origin::File, Origin::File, Origin::File];
        let log_format = Format::Json;
        let expected =
            Settings { size_limit: 5_000_000, memory_limit: 1000, idle: None, log_format, origins };
        assert_eq!(settings, expected);
    }

    #[test]
    fn an_unknown_key_and_a_wrong_type_are_named_with_their_lines_and_the_rest_is_taken() {
        let (settings, warnings) = with(
            "# mine\nsize = 1\nsize_limit = true\nidle_seconds = 7\nlog_format = 1\n",
            &[("LARDER_IDLE_SECONDS", "soon")],
        );
        let origins = [Origin::Default, Origin::Default, Origin::File, Origin::Default];
        let idle = Some(Duration::from_secs(7));
        assert_eq!(settings, Settings { idle, origins, ..Settings::default() });
        assert!(warnings.iter().any(|w| w.contains("line 2: the key \"size\"")), "{warnings:?}");
        assert!(warnings.iter().any(|w| w.contains("line 3: size_limit")), "{warnings:?}");
        assert!(warnings.iter().any(|w| w.contains("LARDER_IDLE_SECONDS")), "{warnings:?}");
        assert!(warnings[0].contains("config.toml"), "{warnings:?}");
        assert!(warnings.iter().any(|w| w.contains("line 5: log_format")), "{warnings:?}");
        assert_eq!(warnings.len(), 4);
    }

    #[test]
    fn what_is_no_toml_is_a_warning_with_its_line() {
        let (settings, warnings) = with("idle_seconds = 7\nsize_limit = = 3\n", &[]);
        assert_eq!(settings.size_limit, Settings::default().size_limit);
        assert!(warnings.iter().any(|warning| warning.contains("line 2")), "{warnings:?}");
    }
}
