//! `larder --help`: all commands in groups, on one screen.

use std::fmt::Write as _;

/// A group's name, and its commands by name with what they are for; commands that go together share a line.
const GROUPS: &[(&str, &[(&str, &str)])] = &[
    (
        "Builds",
        &[
            ("build", "run a build with its compilers called through larder"),
            ("run", "run a command, or do what it did with the same inputs"),
            ("session, journal", "count the calls of one build; add up or draw what it left"),
            ("explain", "how a compile ended, and why; each miss of the last build"),
            ("stats", "what came from the cache, what did not, and why"),
        ],
    ),
    (
        "Cache",
        &[
            ("fingerprint", "whether files have changed since a work was last done"),
            ("store", "keep files and streams under keys of your own"),
            ("rust", "what is cached of Rust"),
            ("clear", "remove what is cached"),
        ],
    ),
    (
        "Daemon",
        &[
            ("start, stop, restart", "broker and daemon"),
            ("dashboard", "the address of the daemon's page"),
            ("status, report", "whether the daemon runs, where, and how it is; what its page shows"),
        ],
    ),
    (
        "Set-up",
        &[
            ("init", "make Cargo, CMake and the go command call larder"),
            ("doctor", "check what surrounds larder, say what to do, or mend it"),
            ("config", "settings, and where they come from"),
            ("completions", "let a shell complete larder's command line"),
        ],
    ),
];

const EXAMPLES: &str = "\
Anything else is taken for a tool, and called through the cache:
  larder gcc -c hello.c -o hello.o      make CC=\"larder gcc\"      larder build -- cargo build
RUNNING_PROCESS_DISABLE=1 runs every tool without larder. `larder COMMAND --help` has examples.";

/// The whole page, as a template.
pub(super) fn template() -> String {
    let mut text = "{about}\n\n{usage-heading} larder <COMMAND>, or larder TOOL ARGUMENT…\n\n".to_owned();
    for (group, lines) in GROUPS {
        for (at, (names, about)) in lines.iter().enumerate() {
            let _ = writeln!(text, "{:<8}{names:<22}{about}", if at == 0 { group } else { "" });
        }
    }
    text + "\n" + EXAMPLES
}

/// The names of all commands that the page has.
#[cfg(test)]
pub(super) fn names() -> Vec<&'static str> {
    let lines = GROUPS.iter().flat_map(|(_, lines)| lines.iter());
    lines.flat_map(|(names, _)| names.split(", ")).collect()
}
