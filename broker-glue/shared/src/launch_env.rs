//! What a launched daemon must know of the environment it is launched for.
//!
//! running-process starts daemons from the user's login environment. larder's own broker host adds these variables;
//! for brokers that do not, a client leaves them in a file under the runtime folder, which is the one place both
//! sides can tell without them.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};

use crate::folders::Folders;
use crate::private::{self, PrivateError};

/// The variables that decide where things lie and how the broker is named.
pub const PASSED_ON: [&str; 13] = [
    "HOME",
    "LARDER_BROKER",
    "LARDER_IDLE_SECONDS",
    "LARDER_LOG",
    "LARDER_LOG_FORMAT",
    "LARDER_SIZE_LIMIT",
    "RUNNING_PROCESS_MANIFEST_DIR",
    "RUNNING_PROCESS_SERVICE_DEF_DIR",
    "XDG_CACHE_HOME",
    "XDG_CONFIG_HOME",
    "XDG_DATA_HOME",
    "XDG_RUNTIME_DIR",
    "XDG_STATE_HOME",
];

/// Set by larder's own launcher: the environment is complete, the file need not be asked.
pub const COMPLETE_VAR: &str = "LARDER_ENVIRONMENT_COMPLETE";

const FILE: &str = "environment.toml";
const FILE_LIMIT: u64 = 64 * 1024;

/// Those of [`PASSED_ON`] that are set in this process.
#[must_use]
pub fn current() -> BTreeMap<String, OsString> {
    PASSED_ON.iter().filter_map(|name| Some(((*name).to_owned(), std::env::var_os(name)?))).collect()
}

/// Leaves the current environment for a daemon that a stock broker launches. Writes only on a change.
///
/// # Errors
/// When the runtime folder cannot be used.
pub fn leave(folders: &Folders) -> Result<(), PrivateError> {
    private::ensure_folder(&folders.runtime)?;
    let text = render(&current());
    let path = folders.runtime.join(FILE);
    if private::read_own(&path, FILE_LIMIT)?.as_deref() == Some(text.as_bytes()) {
        return Ok(());
    }
    private::write_atomically(&path, text.as_bytes())
}

/// What a client has left, or `None` when nothing was left or it cannot be understood.
///
/// # Errors
/// When the file is there and cannot be read, or is not this user's.
pub fn left(folders: &Folders) -> Result<Option<BTreeMap<String, OsString>>, PrivateError> {
    let bytes = private::read_own(&folders.runtime.join(FILE), FILE_LIMIT)?;
    Ok(bytes.as_deref().and_then(parse))
}

// Values are hexadecimal: a path need not be UTF-8.
pub(crate) fn render(vars: &BTreeMap<String, OsString>) -> String {
    let mut text = String::from(
        "# Environment for larderd under brokers that do not pass it on. Values in hexadecimal.\n",
    );
    for (name, value) in vars {
        let hex: String = value.as_bytes().iter().map(|byte| format!("{byte:02x}")).collect();
        text.push_str(&format!("{name} = \"{hex}\"\n"));
    }
    text
}

pub(crate) fn parse(bytes: &[u8]) -> Option<BTreeMap<String, OsString>> {
    let table: BTreeMap<String, String> = toml::from_str(std::str::from_utf8(bytes).ok()?).ok()?;
    let mut vars = BTreeMap::new();
    for (name, hex) in table {
        let digits = hex.bytes().all(|digit| digit.is_ascii_hexdigit());
        if !PASSED_ON.contains(&name.as_str()) || hex.len() % 2 != 0 || !digits {
            return None;
        }
        let bytes: Option<Vec<u8>> =
            (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16).ok()).collect();
        // No environment can hold a NUL.
        vars.insert(name, OsString::from_vec(bytes.filter(|bytes| !bytes.contains(&0))?));
    }
    Some(vars)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_listed_once_and_in_order() {
        assert!(PASSED_ON.is_sorted());
    }

    #[test]
    fn what_is_left_reads_back_even_when_it_is_not_text() {
        let vars = BTreeMap::from([
            ("HOME".to_owned(), OsString::from("/home/u")),
            ("XDG_CACHE_HOME".to_owned(), OsString::from_vec(vec![b'/', 0xff, b'"', b'\n'])),
        ]);
        assert_eq!(parse(render(&vars).as_bytes()), Some(vars));
    }

    #[test]
    fn unknown_names_and_garbage_are_refused() {
        for bad in [
            "PATH = \"00\"\n",
            "HOME = \"0\"\n",
            "HOME = \"zz\"\n",
            "HOME = 1\n",
            "\u{fffd}",
            "HOME = \"é0\"\n",
            "HOME = \"+f\"\n",
            "HOME = \"2f00\"\n",
        ] {
            assert_eq!(parse(bad.as_bytes()), None, "{bad}");
        }
    }
}
