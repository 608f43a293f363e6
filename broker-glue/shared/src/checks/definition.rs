//! The definition by which brokers launch the daemon.

use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use super::{Check, Fix, LARDER};
use crate::definition::{self, DefinitionError};

const NAME: &str = "definition";

/// Whether the definition is that of the daemon at `daemon`.
pub(super) fn check(daemon: &Path) -> Check {
    const START: &str = "larder start";
    let mend = || Fix::Register(daemon.to_owned());
    let path = match definition::path() {
        Ok(path) => path,
        Err(error) => return Check::error(LARDER, NAME, &error.to_string()),
    };
    let shown = path.display();
    let definition = match definition::registered() {
        Ok(Some(definition)) => definition,
        Ok(None) => {
            let found = format!("{shown} is not there yet, and is written when it is needed");
            return Check::ok(LARDER, NAME, found).mended_by(mend());
        }
        Err(error @ DefinitionError::Damaged { .. }) => {
            return Check::error(LARDER, NAME, &error.to_string()).mended_by(mend());
        }
        Err(error) => return Check::error(LARDER, NAME, &error.to_string()),
    };
    let binary = Path::new(&definition.binary_path);
    if !binary.is_file() {
        let found = format!("{shown} names {}, which is not there", binary.display());
        return Check::problem(LARDER, NAME, found, START).mended_by(mend());
    }
    if let Some(folder) = path.parent().filter(|folder| is_open(folder)) {
        let found = format!("other users may enter {}, so that brokers do not read it", folder.display());
        let by_hand = format!("chmod 700 {}", folder.display());
        return Check::problem(LARDER, NAME, found, by_hand).mended_by(Fix::Tighten(folder.to_owned()));
    }
    match definition::build(daemon) {
        Ok(wanted) if wanted == definition => Check::ok(LARDER, NAME, shown.to_string()),
        Ok(_) if binary != daemon => {
            let found = format!("{shown} names another installation's daemon, {}", binary.display());
            Check::note(LARDER, NAME, found, START).mended_by(mend())
        }
        Ok(_) => Check::note(LARDER, NAME, format!("{shown} is of another version"), START).mended_by(mend()),
        Err(error) => Check::error(LARDER, NAME, &error.to_string()),
    }
}

fn is_open(folder: &Path) -> bool {
    folder.metadata().is_ok_and(|metadata| metadata.mode() & 0o077 != 0)
}
