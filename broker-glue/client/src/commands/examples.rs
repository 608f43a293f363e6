//! An example or two for each command, as `larder COMMAND --help` and the manual show them.

/// Names of commands, those within another with a space between, and lines to type with what they do.
pub(super) const EXAMPLES: &[(&str, &str)] = &[
    ("config", "  larder config list"),
    ("config list", "  larder config list --json | jq '.settings[].name'"),
    ("config get", "  larder config get size_limit"),
    ("config set", "  larder config set size_limit 20GiB; larder restart"),
    ("config path", "  $EDITOR $(larder config path)"),
    (
        "dashboard",
        "  larder dashboard                 print the page's address\n  larder dashboard --open          and open it in a browser",
    ),
    (
        "report",
        "  larder report misses             what was no hit, and what that cost\n  larder report builds --json | jq '.builds[0].id'",
    ),
    ("journal", "  larder build --journal build.jsonl -- make; larder journal summary build.jsonl"),
    ("journal summary", "  larder journal summary build.jsonl"),
    (
        "journal trace",
        "  larder journal trace build.jsonl -o trace.json     then open it in chrome://tracing or Perfetto",
    ),
    (
        "fingerprint",
        "  larder fingerprint check --cache .lint --root src || cargo clippy && larder fingerprint success --cache .lint",
    ),
    ("fingerprint check", "  larder fingerprint check --cache .lint --root src --ext rs"),
    ("fingerprint success", "  larder fingerprint success --cache .lint"),
    ("fingerprint failure", "  larder fingerprint failure --cache .lint"),
    ("fingerprint invalidate", "  larder fingerprint invalidate --cache .lint"),
    ("store", "  larder store put key-of-mine report.html"),
    (
        "store put",
        "  larder store put key-of-mine report.html log.txt\n  make report | larder store put key-of-mine --stdin",
    ),
    ("store get", "  larder store get key-of-mine --into restored"),
    ("store has", "  larder store has key-of-mine || make report"),
    ("start", "  larder start                     start broker and daemon, and show where they are"),
    ("stop", "  larder stop --broker             stop the daemon and the broker"),
    ("restart", "  larder restart                   after an upgrade or a change of settings"),
    (
        "clear",
        "  larder clear --dry-run           what would be removed\n  larder clear --service go        remove what the go command has stored\n  larder clear                     remove everything",
    ),
    (
        "status",
        "  larder status                    the page's address, memory, the store's size\n  larder status --json | jq .pid",
    ),
    ("build", "  larder build -- cargo build\n  larder build -- make -j8"),
    (
        "explain",
        "  larder explain build/x.o         how its latest compile ended, and what had changed\n  larder explain                   each miss of the last build",
    ),
    (
        "session",
        "  export LARDER_SESSION=$(larder session start)\n  make CC=\"larder gcc\"; larder session end $LARDER_SESSION",
    ),
    ("session start", "  export LARDER_SESSION=$(larder session start)"),
    ("session stats", "  larder session stats $LARDER_SESSION"),
    ("session end", "  larder session end $LARDER_SESSION"),
    (
        "doctor",
        "  larder doctor                    what is not as it should be, and what to do\n  larder doctor --fix              mend what is larder's own",
    ),
    ("rust", "  larder rust list"),
    (
        "rust list",
        "  larder rust list                 every cached crate\n  larder rust list --json | jq '.artifacts[].name'",
    ),
    (
        "stats",
        "  larder stats                     hits, misses and reasons since the daemon's start\n  larder stats --watch             the same, renewed each second\n  larder stats --records 20        and the latest twenty requests\n  larder stats --since 7d -v       by day, for the last week\n  larder stats -z                  begin the counts anew",
    ),
    (
        "completions",
        "  larder completions bash > ~/.local/share/bash-completion/completions/larder\n  larder completions zsh > ~/.zfunc/_larder\n  larder completions fish > ~/.config/fish/completions/larder.fish",
    ),
];

/// `command` with its examples.
pub(super) fn with_examples(mut command: clap::Command, path: &str) -> clap::Command {
    let names: Vec<String> = command.get_subcommands().map(|sub| sub.get_name().to_owned()).collect();
    for name in names {
        let path = if path.is_empty() { name.clone() } else { format!("{path} {name}") };
        command = command.mut_subcommand(&name, |sub| with_examples(sub, &path));
    }
    match EXAMPLES.iter().find(|(known, _)| *known == path) {
        Some((_, text)) => command.after_help(format!("Examples:\n{text}")),
        None => command,
    }
}
