//! Larder's own programs: whether all three are there, and of one version.

use std::path::Path;

use larder_glue::checks::{Check, LARDER};
use larder_glue::programs::{self, BROKER, DAEMON};
use larder_proto::LARDER_VERSION;

use super::find;

pub(super) fn check() -> Check {
    const NAME: &str = "programs";
    let mut folder = String::new();
    for name in [DAEMON, BROKER] {
        let program = match programs::beside(name) {
            Ok(program) => program,
            Err(error) => return Check::error(LARDER, NAME, &error.to_string()),
        };
        match find::said(&program, &["--version"]) {
            Ok(said) if said == format!("{name} {LARDER_VERSION}") => {}
            Ok(said) | Err(said) => {
                let found = format!("{} is not of version {LARDER_VERSION}: {said}", program.display());
                return Check::problem(LARDER, NAME, found, "install all three again: cargo xtask install");
            }
        }
        folder = program.parent().unwrap_or(Path::new("/")).display().to_string();
    }
    Check::ok(LARDER, NAME, format!("{folder}, version {LARDER_VERSION}"))
}
