//! Settings files, as bytes: what they set, and what in them makes no sense.

use std::fmt;

use toml::de::{DeTable, DeValue};

use super::{SETTINGS, Setting, Unit};
use crate::logging::{self, Format};
use crate::size;

/// Largest settings file, bytes.
pub const FILE_LIMIT: u64 = 64 * 1024;

/// How alike an unknown key and a setting's name must be for the one to be taken for the other, at most 1.
const ALIKE: f64 = 0.8;

/// Whose file it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// The user's own: it can set everything that a file can.
    User,
    /// A project's: it came with somebody's sources, and sets only what is marked for it.
    Project,
}

/// A setting's value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    /// Of [`Unit::Bytes`] and [`Unit::Seconds`].
    Number(u64),
    /// Of [`Unit::Flag`].
    Flag(bool),
    /// Of [`Unit::Tree`], [`Unit::Format`] and [`Unit::Level`]: as its variable has it.
    Text(String),
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number(number) => number.fmt(f),
            Self::Flag(flag) => flag.fmt(f),
            Self::Text(text) => f.write_str(text),
        }
    }
}

/// What one line of a file sets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Set {
    /// The setting.
    pub setting: &'static Setting,
    /// Its value.
    pub value: Value,
    /// As it is written: `20GiB`, for example.
    pub written: String,
}

/// What in a file makes no sense, and is ignored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Complaint {
    /// From 1.
    pub line: usize,
    /// Why.
    pub sentence: String,
}

impl fmt::Display for Complaint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: {}", self.line, self.sentence)
    }
}

/// What the file `bytes` sets, each setting at most once, and what in it is ignored.
#[must_use]
pub fn read(bytes: &[u8], place: Place) -> (Vec<Set>, Vec<Complaint>) {
    let text = match std::str::from_utf8(bytes) {
        Ok(text) => text,
        Err(error) => {
            let line = line(bytes, error.valid_up_to());
            return (Vec::new(), vec![Complaint { line, sentence: "it is not UTF-8".to_owned() }]);
        }
    };
    let (table, errors) = DeTable::parse_recoverable(text);
    let mut complaints: Vec<_> = errors
        .iter()
        .map(|error| {
            let line = line(bytes, error.span().map_or(0, |span| span.start));
            Complaint { line, sentence: error.message().to_owned() }
        })
        .collect();
    let mut all = Vec::new();
    for (key, value) in table.get_ref() {
        match one(key.get_ref(), value.get_ref(), place) {
            Ok(set) => all.push(set),
            Err(sentence) => {
                complaints.push(Complaint { line: line(bytes, key.span().start), sentence });
            }
        }
    }
    complaints.sort_by_key(|complaint| complaint.line);
    (all, complaints)
}

fn one(key: &str, value: &DeValue<'_>, place: Place) -> Result<Set, String> {
    let known = SETTINGS.iter().find(|setting| setting.name == key && setting.unit != Unit::Level);
    let setting = known.ok_or_else(|| unknown(key))?;
    if place == Place::Project && !setting.for_projects {
        return Err(format!(
            "{key} is not a project's to set, and ignored (hint: larder config set {key} VALUE, for you alone)"
        ));
    }
    let ignored = |reason: String| format!("{key} is ignored: {reason}");
    let written = match value {
        DeValue::String(text) => text.to_string(),
        DeValue::Integer(number) => u64::from_str_radix(number.as_str(), number.radix())
            .map_err(|_| ignored("failed to use a number that is negative or too large".to_owned()))?
            .to_string(),
        DeValue::Boolean(flag) => flag.to_string(),
        _ => {
            return Err(ignored(
                "failed to use a value that is neither text, number, true nor false".to_owned(),
            ));
        }
    };
    let value = setting.value(&written).map_err(ignored)?;
    Ok(Set { setting, value, written })
}

fn unknown(key: &str) -> String {
    let shown: String = key.chars().take(40).collect();
    let in_files = SETTINGS.iter().filter(|setting| setting.unit != Unit::Level);
    let likeness = |setting: &&Setting| strsim::jaro_winkler(setting.name, &shown);
    let nearest = in_files.max_by(|a, b| likeness(a).total_cmp(&likeness(b)));
    match nearest.filter(|nearest| likeness(nearest) >= ALIKE) {
        Some(nearest) => format!("the key {shown:?} is unknown and ignored (hint: {})", nearest.name),
        None => format!("the key {shown:?} is unknown and ignored (hint: larder config list)"),
    }
}

impl Setting {
    /// What `written` is in the setting's unit.
    ///
    /// # Errors
    /// With a sentence, for what is none.
    pub fn value(&self, written: &str) -> Result<Value, String> {
        let written = written.trim();
        match self.unit {
            Unit::Bytes => size::parse(written).map(Value::Number).map_err(|error| error.to_string()),
            Unit::Seconds => written.parse().map(Value::Number).map_err(|_| {
                format!("{written:?} is no number of whole seconds\nhint: 3600 is an hour, 0 is never")
            }),
            Unit::Flag => match written {
                "true" | "1" => Ok(Value::Flag(true)),
                "false" | "0" => Ok(Value::Flag(false)),
                _ => Err(format!("{written:?} is neither true nor false\nhint: true or false")),
            },
            Unit::Tree => match written {
                "true" | "1" => Ok(Value::Text("1".to_owned())),
                "" | "false" | "0" => Ok(Value::Text("0".to_owned())),
                // Below the file's folder, where there is one.
                folder if folder.starts_with(['/', '.']) => Ok(Value::Text(folder.to_owned())),
                _ => Err(format!(
                    "{written:?} is neither true, false nor a folder\nhint: true, or a path that begins with / or ."
                )),
            },
            Unit::Format if Format::parse(written).is_some() => Ok(Value::Text(written.to_owned())),
            Unit::Format => Err(format!("{written:?} is no format\nhint: text or json")),
            Unit::Level if logging::is_level(written) => Ok(Value::Text(written.to_owned())),
            Unit::Level => {
                Err(format!("{written:?} is no level\nhint: off, error, warn, info, debug or trace"))
            }
        }
    }
}

fn line(text: &[u8], offset: usize) -> usize {
    text.iter().take(offset).filter(|byte| **byte == b'\n').count() + 1
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn names(text: &str, place: Place) -> (Vec<(&'static str, String)>, Vec<String>) {
        let (all, complaints) = read(text.as_bytes(), place);
        let all = all.into_iter().map(|set| (set.setting.name, set.value.to_string())).collect();
        (all, complaints.iter().map(ToString::to_string).collect())
    }

    #[test]
    fn a_project_sets_only_what_is_safe_and_is_told_of_the_rest() {
        let text = "portable = true\nsize_limit = \"1GiB\"\n\ndisabled = false\n";
        let (all, complaints) = names(text, Place::Project);
        let mut set: Vec<_> = all.iter().map(|(name, value)| (*name, value.as_str())).collect();
        set.sort_unstable();
        assert_eq!(set, [("disabled", "false"), ("portable", "1")]);
        assert_eq!(complaints.len(), 1);
        assert!(complaints[0].starts_with("line 2: size_limit is not a project's"), "{complaints:?}");
        assert_eq!(names(text, Place::User).0.len(), 3);
    }

    #[test]
    fn what_makes_no_sense_is_named_with_its_line_and_the_nearest_name() {
        let text = "# mine\nportabel = true\nzzz = 1\ndisabled = \"maybe\"\nportable = [1]\nlog_level = \"info\"\nidle_seconds = -1\n";
        let (all, complaints) = names(text, Place::User);
        assert_eq!(all, []);
        for (at, said) in [
            (0, "line 2: the key \"portabel\" is unknown and ignored (hint: portable)"),
            (1, "line 3: the key \"zzz\" is unknown and ignored (hint: larder config list)"),
            (2, "line 4: disabled is ignored: \"maybe\" is neither"),
            (3, "line 5: portable is ignored: failed to use a value"),
            (4, "line 6: the key \"log_level\""),
            (5, "line 7: idle_seconds is ignored"),
        ] {
            assert!(complaints[at].starts_with(said), "{complaints:?}");
        }
        assert!(names("disabled = = 3\n", Place::User).1[0].starts_with("line 1: "));
        assert_eq!(read(b"\n\xff", Place::User).1[0].line, 2);
    }

    proptest! {
        #[test]
        fn any_text_is_taken_or_complained_of(text in "\\PC{0,200}") {
            let _ = read(text.as_bytes(), Place::User);
        }
    }
}
