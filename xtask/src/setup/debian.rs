//! Debian's packages.

use std::path::Path;
use std::process::Command;

use anyhow::bail;

use super::Missing;
use crate::say::Progress;
use crate::{count, fuzz, run, say};

/// Something the tests need.
struct Row {
    what: &'static str,
    packages: &'static [&'static str],
    /// Which tests are skipped without it; `None` where nothing can be done without.
    skipped: Option<&'static str>,
}

const fn row(what: &'static str, packages: &'static [&'static str]) -> Row {
    Row { what, packages, skipped: None }
}

/// What is not a program on the search path.
const LIBFUZZER: &str = "libFuzzer";

/// The browser and what drives it.
pub(crate) const BROWSER: [&str; 2] = ["chromium", "chromedriver"];

const ROWS: [Row; 13] = [
    row("gcc", &["gcc", "libc6-dev"]),
    row("make", &["make"]),
    row("clang", &["clang"]),
    // The first that knows `#embed`.
    row("clang-19", &["clang-19"]),
    row("ld.lld", &["lld"]),
    row("mold", &["mold"]),
    row("cmake", &["cmake"]),
    row("ninja", &["ninja-build"]),
    row("python3", &["python3", "python3-venv"]),
    Row { what: LIBFUZZER, packages: &["libclang-rt-dev"], skipped: Some("fuzz targets") },
    Row { what: count::VALGRIND, packages: &["valgrind"], skipped: Some("the count of instructions") },
    Row { what: BROWSER[0], packages: &["chromium"], skipped: Some("tests that need a browser") },
    Row { what: BROWSER[1], packages: &["chromium-driver"], skipped: Some("tests that need a browser") },
];

impl Row {
    fn is_there(&self) -> bool {
        if self.what == LIBFUZZER { fuzz::is_there() } else { run::which(self.what).is_some() }
    }
}

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
    let needed: Vec<_> = absent.iter().filter(|row| row.skipped.is_none()).map(|row| row.what).collect();
    if !needed.is_empty() {
        bail!("failed to find {}, and packages cannot be installed here\n{hint}", needed.join(", "));
    }
    for row in &absent {
        let skipped = row.skipped.unwrap_or_default();
        progress.line(&format!(
            "Debian packages: no {} and no right to install it; skipped: {skipped}",
            row.what
        ));
    }
    if absent.is_empty() {
        progress.line("Debian packages: ready");
    } else {
        say::line(&hint);
    }
    let lacks = |what| absent.iter().any(|row| row.what == what);
    Ok(Missing {
        browser: BROWSER.iter().any(|what| lacks(*what)),
        fuzzer: lacks(LIBFUZZER),
        counter: lacks(count::VALGRIND),
    })
}

fn absent() -> Vec<&'static Row> {
    ROWS.iter().filter(|row| !row.is_there()).collect()
}

fn packages(rows: &[&Row]) -> String {
    rows.iter().flat_map(|row| row.packages.iter().copied()).collect::<Vec<_>>().join(" ")
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
