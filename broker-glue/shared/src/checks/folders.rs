//! Larder's own folders.

use std::fs::Metadata;
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use rustix::fs::{Access, access};

use super::{Check, Fix, LARDER, nearest};
use crate::folders::Folders;

/// The variables that decide where the folders lie.
const VARIABLES: [&str; 5] =
    ["XDG_RUNTIME_DIR", "XDG_CACHE_HOME", "XDG_CONFIG_HOME", "XDG_STATE_HOME", "XDG_DATA_HOME"];

/// The folder of settings, which need not be there at all.
const SETTINGS: &str = "config";

pub(super) fn checks(folders: &Folders) -> Vec<Check> {
    let mut used = folders.clone();
    let newer = used.pass_by_newer();
    let each = [
        ("cache", "XDG_CACHE_HOME", &used.store()),
        ("state", "XDG_STATE_HOME", &folders.state),
        ("runtime", "XDG_RUNTIME_DIR", &folders.runtime),
        (SETTINGS, "XDG_CONFIG_HOME", &folders.config),
    ];
    let mut checks: Vec<_> =
        each.into_iter().map(|(name, variable, path)| folder(name, variable, path)).collect();
    if let Some(newer) = newer {
        let found = format!("{newer}, and {} is used", used.store().display());
        let hint = "use the newer larder alone, or remove the one of the two folders that you need no more";
        checks.push(Check::note(LARDER, "newer store", found, hint));
    }
    let value = |name: &'static str| Some((name, std::env::var_os(name).filter(|value| !value.is_empty())?));
    let relative =
        VARIABLES.into_iter().filter_map(value).filter(|(_, value)| !Path::new(value).is_absolute());
    let relative: Vec<_> = relative.map(|(name, _)| name).collect();
    if !relative.is_empty() {
        let found = format!("no absolute path, and so ignored: {}", relative.join(", "));
        checks.push(Check::note(LARDER, "variables", found, "set absolute paths, or none"));
    }
    checks
}

fn folder(name: &'static str, variable: &str, path: &Path) -> Check {
    let shown = path.display();
    let elsewhere = format!("or set {variable} to a folder of your own");
    // Who links his settings to another place means that; in the others nobody else may have a hand.
    let found = if name == SETTINGS { path.metadata() } else { path.symlink_metadata() };
    let metadata = match found {
        Ok(metadata) => metadata,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return missing(name, &elsewhere, path),
        Err(error) => {
            return Check::problem(LARDER, name, format!("failed to look at {shown}: {error}"), elsewhere);
        }
    };
    if !metadata.is_dir() || !is_own(&metadata) {
        let found = format!("{shown} belongs to another user or is no folder");
        return Check::problem(LARDER, name, found, format!("remove it, {elsewhere}"));
    }
    let mend = Fix::Tighten(path.to_owned());
    let by_hand = format!("chmod 700 {shown}");
    if metadata.mode() & 0o700 != 0o700 {
        let found = format!("{shown} lets you not read, write or enter it");
        return Check::problem(LARDER, name, found, by_hand).mended_by(mend);
    }
    if let Err(error) = access(path, Access::WRITE_OK | Access::EXEC_OK) {
        let found = format!("{shown} cannot be written: {}", io::Error::from(error));
        return Check::problem(LARDER, name, found, format!("make it writable, {elsewhere}"));
    }
    if metadata.mode() & 0o022 != 0 {
        let found = format!("other users may write into {shown}");
        return Check::problem(LARDER, name, found, by_hand).mended_by(mend);
    }
    if name != SETTINGS && metadata.mode() & 0o077 != 0 {
        return Check::note(LARDER, name, format!("other users may look into {shown}"), by_hand)
            .mended_by(mend);
    }
    Check::ok(LARDER, name, shown.to_string())
}

fn missing(name: &'static str, elsewhere: &str, path: &Path) -> Check {
    let (shown, above) = (path.display(), nearest(path));
    if !above.is_dir() || access(above, Access::WRITE_OK | Access::EXEC_OK).is_err() {
        let found = format!("{shown} cannot be made: {} is no folder that you can write", above.display());
        return Check::problem(LARDER, name, found, format!("make it, {elsewhere}"));
    }
    if name == SETTINGS {
        return Check::ok(LARDER, name, format!("{shown} is not there: nothing is set"));
    }
    let found = format!("{shown} is not there yet, and is made when it is needed");
    Check::ok(LARDER, name, found).mended_by(Fix::MakeFolder(path.to_owned()))
}

/// Whether the file is this process's user's.
pub(super) fn is_own(metadata: &Metadata) -> bool {
    metadata.uid() == rustix::process::geteuid().as_raw()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checks::State;
    use std::fs::{Permissions, create_dir, set_permissions};
    use std::os::unix::fs::PermissionsExt as _;

    #[test]
    fn a_folder_must_be_there_or_possible_and_this_users_alone() {
        let place = tempfile::tempdir().expect("a folder");
        let path = place.path().join("f");
        let check = |name| folder(name, "XDG_CACHE_HOME", &path);
        assert_eq!((check("cache").state, check(SETTINGS).state), (State::Ok, State::Ok));
        assert_eq!(check("cache").fixes, [Fix::MakeFolder(path.clone())]);
        create_dir(&path).expect("ours");
        for (mode, cache, settings) in [
            (0o700, State::Ok, State::Ok),
            (0o755, State::Note, State::Ok),
            (0o777, State::Problem, State::Problem),
            (0o500, State::Problem, State::Problem),
        ] {
            set_permissions(&path, Permissions::from_mode(mode)).expect("ours");
            assert_eq!((check("cache").state, check(SETTINGS).state), (cache, settings), "{mode:o}");
            let mends = check("cache").fixes == [Fix::Tighten(path.clone())];
            assert_eq!(mends, cache != State::Ok, "{mode:o}");
        }
        set_permissions(&path, Permissions::from_mode(0o700)).expect("ours");
        let link = place.path().join("link");
        std::os::unix::fs::symlink(&path, &link).expect("ours");
        assert_eq!(folder("cache", "XDG_CACHE_HOME", &link).state, State::Problem);
        assert_eq!(folder(SETTINGS, "XDG_CONFIG_HOME", &link).state, State::Ok);
        let file = place.path().join("file");
        std::fs::write(&file, "").expect("ours");
        let below = folder("cache", "XDG_CACHE_HOME", &file.join("below"));
        assert!(below.state == State::Problem && below.hint.contains("XDG_CACHE_HOME"), "{below:?}");
        assert!(below.fixes.is_empty(), "a file in the way is not larder's");
    }
}
