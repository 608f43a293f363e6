//! The one table of settings: what a person can set, where, and what for.

pub mod project;
pub mod read;

/// In what a setting is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// A size; written with a unit such as `10GiB`, or as bytes.
    Bytes,
    /// Whole seconds; 0 is never.
    Seconds,
    /// `true` or `false`.
    Flag,
    /// `true`: the nearest folder with a `.git`; `false`: none; else a folder.
    Tree,
    /// `off`, `error`, `warn`, `info`, `debug` or `trace`.
    Level,
    /// `text` or `json`.
    Format,
}

impl Unit {
    /// Its name in reports.
    #[must_use]
    pub fn id(self) -> &'static str {
        match self {
            Self::Bytes => "bytes",
            Self::Seconds => "seconds",
            Self::Flag => "flag",
            Self::Tree => "tree",
            Self::Level => "level",
            Self::Format => "format",
        }
    }
}

/// Where a setting's value comes from. A later one goes over an earlier one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Origin {
    /// Nobody has set it.
    #[default]
    Default,
    /// The settings file.
    File,
    /// The project's file, [`project::NAME`].
    Project,
    /// Its variable.
    Environment,
}

impl Origin {
    /// Its name in reports.
    #[must_use]
    pub fn id(self) -> &'static str {
        match self {
            Self::Default => "default",
            Self::File => "file",
            Self::Project => "project",
            Self::Environment => "environment",
        }
    }
}

/// One row of the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Setting {
    /// Its key in the settings file. [`LOG_LEVEL`] has none there, as the log is older than the settings.
    pub name: &'static str,
    /// The variable that goes over the file, if there is one.
    pub variable: Option<&'static str>,
    /// What its value counts.
    pub unit: Unit,
    /// The value while nobody has set it, in the unit.
    pub default: &'static str,
    /// Whether a project's file may set it. What could run a program, move the store, change the daemon for other projects
    /// or weaken what proves a hit must not be: such a file comes with somebody's sources.
    pub for_projects: bool,
    /// What it is for.
    pub purpose: &'static str,
}

/// Most bytes of all blobs and records.
pub const SIZE_LIMIT: Setting = Setting {
    name: "size_limit",
    variable: Some("LARDER_SIZE_LIMIT"),
    unit: Unit::Bytes,
    default: "10737418240",
    for_projects: false,
    purpose: "size of the store above which what was used longest ago is evicted",
};

/// Most bytes that the store keeps in memory.
pub const MEMORY_LIMIT: Setting = Setting {
    name: "memory_limit",
    variable: None,
    unit: Unit::Bytes,
    default: "67108864",
    for_projects: false,
    purpose: "memory for blobs and records that are used often",
};

/// After how long without a request the daemon exits.
pub const IDLE_SECONDS: Setting = Setting {
    name: "idle_seconds",
    variable: Some("LARDER_IDLE_SECONDS"),
    unit: Unit::Seconds,
    default: "10800",
    for_projects: false,
    purpose: "time without a request after which the daemon exits; 0 is never",
};

/// Whose working tree's root is left out of results and keys.
pub const PORTABLE: Setting = Setting {
    name: "portable",
    variable: Some("LARDER_PORTABLE"),
    unit: Unit::Tree,
    default: "false",
    for_projects: true,
    purpose: "working trees of one project share what they compile; read at each call",
};

/// Whether tools run by themselves.
pub const DISABLED: Setting = Setting {
    name: "disabled",
    variable: None,
    unit: Unit::Flag,
    default: "false",
    for_projects: true,
    purpose: "every tool runs without the cache; read at each call",
};

/// How much is logged.
pub const LOG_LEVEL: Setting = Setting {
    name: "log_level",
    variable: Some("LARDER_LOG"),
    unit: Unit::Level,
    default: "info",
    for_projects: false,
    purpose: "how much the daemon writes to its log",
};

/// What a log's line looks like.
pub const LOG_FORMAT: Setting = Setting {
    name: "log_format",
    variable: Some("LARDER_LOG_FORMAT"),
    unit: Unit::Format,
    default: "text",
    for_projects: false,
    purpose: "form of the log's lines, text or json; the broker's log goes by the variable alone",
};

/// All of them.
pub const SETTINGS: [Setting; 7] =
    [SIZE_LIMIT, MEMORY_LIMIT, IDLE_SECONDS, PORTABLE, DISABLED, LOG_FORMAT, LOG_LEVEL];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique_and_defaults_are_of_their_unit() {
        for (at, setting) in SETTINGS.iter().enumerate() {
            assert!(SETTINGS[..at].iter().all(|other| other.name != setting.name), "{}", setting.name);
            assert!(!setting.purpose.is_empty() && !setting.purpose.ends_with('.'), "{}", setting.name);
            assert!(setting.value(setting.default).is_ok(), "{}", setting.name);
        }
    }
}
