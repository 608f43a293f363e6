//! Debian's packages.

use std::path::Path;
use std::process::Command;

use anyhow::bail;

use super::Missing;
use crate::say::Progress;
use crate::{run, say};

/// Program, the packages that bring it, and whether tests can be told to do without.
const PACKAGES: [(&str, &[&str], bool); 9] = [
    ("gcc", &["gcc", "libc6-dev"], false),
    ("make", &["make"], false),
    ("clang", &["clang"], false),
    ("ld.lld", &["lld"], false),
    ("mold", &["mold"], false),
    ("cmake", &["cmake"], false),
    ("ninja", &["ninja-build"], false),
    ("chromium", &["chromium"], true),
    ("chromedriver", &["chromium-driver"], true),
];

/// How a package may be installed here.
enum Way {
    Root,
    /// As an ordinary user who may become root without a password.
    Sudo,
    None,
}

/// Installs what is missing, or says what a person must install.
pub(super) fn install(progress: &Progress) -> anyhow::Result<Missing> {
    let absent = absent();
    if absent.is_empty() {
        progress.line("Debian packages: there");
        return Ok(Missing::default());
    }
    let names = packages(&absent);
    match way() {
        Way::None => {}
        way => {
            progress.line(&format!("Debian packages: installing {names}"));
            apt(&way, &names, progress)?;
        }
    }
    let absent = self::absent();
    let names = packages(&absent);
    let hint = format!("hint: as root, apt-get install {names}");
    if absent.iter().any(|(_, _, optional)| !optional) {
        let programs: Vec<_> = absent.iter().map(|(program, ..)| *program).collect();
        bail!(
            "failed to find {} on the search path, and packages cannot be installed here\n{hint}",
            programs.join(", ")
        );
    }
    let browser = !absent.is_empty();
    if browser {
        progress.line(&format!(
            "Debian packages: {names} cannot be installed here; tests that need a browser will be skipped"
        ));
        say::line(&hint);
    } else {
        progress.line("Debian packages: ready");
    }
    Ok(Missing { browser })
}

type Row = (&'static str, &'static [&'static str], bool);

fn absent() -> Vec<Row> {
    PACKAGES.into_iter().filter(|(program, ..)| run::which(program).is_none()).collect()
}

fn packages(rows: &[Row]) -> String {
    rows.iter().flat_map(|(_, packages, _)| packages.iter().copied()).collect::<Vec<_>>().join(" ")
}

fn way() -> Way {
    if run::which("apt-get").is_none() {
        return Way::None;
    }
    if rustix::process::geteuid().is_root() {
        return Way::Root;
    }
    let sudo = Command::new("sudo").args(["-n", "true"]).output();
    if sudo.is_ok_and(|output| output.status.success()) { Way::Sudo } else { Way::None }
}

fn apt(way: &Way, packages: &str, progress: &Progress) -> anyhow::Result<()> {
    let command = |args: &[&str]| {
        let mut command = match way {
            Way::Sudo => {
                let mut sudo = Command::new("sudo");
                sudo.args(["-n", "env", "DEBIAN_FRONTEND=noninteractive", "apt-get"]);
                sudo
            }
            _ => Command::new("apt-get"),
        };
        command.env("DEBIAN_FRONTEND", "noninteractive").args(["-q", "-y"]).args(args);
        command
    };
    let mut install = vec!["install", "--no-install-recommends"];
    install.extend(packages.split(' '));
    if has_lists() && run::output(&mut command(&install)).is_ok() {
        return Ok(());
    }
    progress.line("Debian packages: the lists are old or missing; apt-get update");
    run::output(&mut command(&["update"]))?;
    run::output(&mut command(&install))?;
    Ok(())
}

/// Whether apt has ever been told what there is.
fn has_lists() -> bool {
    Path::new("/var/lib/apt/lists").read_dir().is_ok_and(|entries| {
        entries.flatten().any(|entry| entry.file_name().to_string_lossy().contains("_Packages"))
    })
}
