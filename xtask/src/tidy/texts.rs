//! What no file may say, and how long one may be.

use super::Finding;

/// Most lines of a source file.
const MAX_LINES: usize = 600;

/// Words that mark something as unfinished or as hidden from the checks. Split, so that this file does not say them.
const WORDS: [(&str, &str); 6] = [
    (concat!("to", "do!("), "write what is missing"),
    (concat!("unimple", "mented!("), "write what is missing"),
    (concat!("FIX", "ME"), "mend it, or open an issue and say here what holds today"),
    (concat!("XX", "X"), "mend it, or open an issue and say here what holds today"),
    (concat!("#[ig", "nore"), "make the test pass, or remove it"),
    (concat!("[al", "low("), "use #[expect(…, reason = \"…\")]"),
];

/// Ways to pause a thread or a task.
const PAUSES: [&str; 3] =
    [concat!("thread::sl", "eep"), concat!("time::sl", "eep"), concat!("park_", "timeout")];

/// Where tests may pause: between two looks at something that tells nobody when it changes, and to strike at random.
const MAY_PAUSE: [&str; 3] = ["tests/src/chance.rs", "tests/src/wait.rs", "tests/src/processes.rs"];

/// Folders of somebody's machine. A home is one only with a name of more than one letter: `u` is nobody.
const MACHINE_PATHS: [&str; 2] = [concat!("/wo", "rk/"), concat!("/ro", "ot/")];

/// Hosts that a link may name, below which everything is fine too.
const HOSTS: [&str; 12] = [
    "crates.io",
    "docs.rs",
    "github.com",
    "apache.org",
    "w3.org",
    "registry.npmjs.org",
    "localhost",
    "127.0.0.1",
    "example.com",
    "example",
    "invalid",
    "test",
];

pub(super) fn check(file: &str, text: &str) -> Vec<Finding> {
    let mut findings = Vec::new();
    let rust = file.ends_with(".rs");
    let count = text.lines().count();
    let mut add = |line: usize, what: String, mend: String| {
        findings.push(Finding { file: file.to_owned(), line, what, mend });
    };
    if rust && count > MAX_LINES {
        let mend = "move one noun or one verb of it to a file of its own".to_owned();
        add(0, format!("{count} lines, and {MAX_LINES} are the limit"), mend);
    }
    let mut in_tests =
        rust && (file.starts_with("tests/") || file.contains("/tests/") || file.ends_with("/tests.rs"));
    let may_pause = MAY_PAUSE.contains(&file);
    let mut lines = text.lines().enumerate().peekable();
    while let Some((index, line)) = lines.next() {
        let number = index + 1;
        for (word, mend) in WORDS {
            if says(line, word) {
                add(number, format!("says {word:?}"), mend.to_owned());
            }
        }
        if rust && line.trim() == "#[cfg(test)]" {
            // Of a module in a file of its own, only the name is here.
            in_tests |= lines.peek().is_none_or(|(_, next)| !next.trim_end().ends_with(';'));
        }
        if in_tests && !may_pause && PAUSES.iter().any(|pause| line.contains(pause)) {
            let mend = "wait for the event itself, or look for it with larder_tests::wait_until".to_owned();
            add(number, "a test pauses".to_owned(), mend);
        }
        if let Some(path) = machine_path(line) {
            let mend = "say where it is relative to something every machine has".to_owned();
            add(number, format!("names a folder of one machine, {path}"), mend);
        }
        for host in foreign_hosts(line) {
            let mend =
                "link to crates.io, docs.rs or GitHub, or give the host a place in xtask/src/tidy/texts.rs"
                    .to_owned();
            add(number, format!("names the host {host}"), mend);
        }
    }
    findings
}

/// Whether `line` says `word`, not as a part of a longer one.
fn says(line: &str, word: &str) -> bool {
    let part = |c: char| c.is_alphanumeric() || c == '_';
    let whole = word.starts_with(part) && word.ends_with(part);
    line.match_indices(word).any(|(at, _)| {
        let before = line[..at].chars().next_back().is_some_and(part);
        let after = line[at + word.len()..].chars().next().is_some_and(part);
        !(whole && (before || after))
    })
}

fn machine_path(line: &str) -> Option<String> {
    if let Some(path) = MACHINE_PATHS.iter().find(|path| stands_alone(line, path)) {
        return Some((*path).to_owned());
    }
    let home = concat!("/ho", "me/");
    line.match_indices(home).find_map(|(at, _)| {
        let rest = &line[at + home.len()..];
        let name = &rest
            [..rest.find(|c: char| !(c.is_alphanumeric() || c == '-' || c == '_')).unwrap_or(rest.len())];
        (name.len() > 1).then(|| format!("{home}{name}"))
    })
}

/// Whether `path` begins a path in `line` instead of going on with one.
fn stands_alone(line: &str, path: &str) -> bool {
    line.match_indices(path).any(|(at, _)| {
        let before = line[..at].chars().next_back();
        !before.is_some_and(|c| c.is_alphanumeric() || "_-.}>)*".contains(c))
    })
}

fn foreign_hosts(line: &str) -> Vec<&str> {
    let mut hosts = Vec::new();
    for (at, scheme) in line.match_indices("://") {
        if !(line[..at].ends_with("http") || line[..at].ends_with("https")) {
            continue;
        }
        let rest = &line[at + scheme.len()..];
        let end =
            rest.find(|c: char| !(c.is_ascii_alphanumeric() || c == '.' || c == '-')).unwrap_or(rest.len());
        let host = rest[..end].trim_end_matches('.');
        let below = |sub: &str| sub.is_empty() || sub.ends_with('.');
        let known = HOSTS.iter().any(|known| host.strip_suffix(known).is_some_and(below));
        // A name without a dot is no host on the network, and an empty one is filled in when the program runs.
        if host.contains('.') && !known {
            hosts.push(host);
        }
    }
    hosts
}

#[cfg(test)]
mod tests {
    use super::*;

    fn whats(file: &str, text: &str) -> Vec<(usize, String)> {
        check(file, text).into_iter().map(|finding| (finding.line, finding.what)).collect()
    }

    #[test]
    fn a_long_source_file_is_found_and_a_long_data_file_is_not() {
        let text = "\n".repeat(MAX_LINES + 1);
        assert_eq!(check("a.rs", &text).len(), 1);
        assert_eq!(check("a.json", &text), []);
        assert_eq!(check("a.rs", &"\n".repeat(MAX_LINES)), []);
    }

    #[test]
    fn every_unfinished_word_is_found_in_its_line() {
        for (word, _) in WORDS {
            let found = whats("a.md", &format!("fine\n  {word} x\n"));
            assert_eq!(found.len(), 1, "{word}: {found:?}");
            assert_eq!(found[0].0, 2);
        }
    }

    #[test]
    fn a_longer_word_is_another_word() {
        assert_eq!(check("a.md", concat!("mktemp larder.XX", "XX and AFIX", "MES\n")), []);
    }

    #[test]
    fn pauses_are_found_in_tests_only() {
        for pause in PAUSES {
            let line = format!("std::{pause}(d);\n");
            assert_eq!(check("a/src/b.rs", &line), [], "{pause}");
            assert_eq!(check("a/tests/b.rs", &line).len(), 1, "{pause}");
            assert_eq!(check("a/src/b/tests.rs", &line).len(), 1, "{pause}");
            let module = format!("{line}#[cfg(test)]\nmod tests {{\n{line}}}\n");
            assert_eq!(whats("a/src/b.rs", &module), [(4, "a test pauses".to_owned())]);
            let elsewhere = format!("#[cfg(test)]\nmod tests;\n{line}");
            assert_eq!(check("a/src/b.rs", &elsewhere), []);
            assert_eq!(check(MAY_PAUSE[0], &line), []);
        }
    }

    #[test]
    fn folders_of_one_machine_are_found() {
        for path in MACHINE_PATHS {
            assert_eq!(check("a.toml", &format!("x = \"{path}y\"")).len(), 1, "{path}");
            assert_eq!(check("a.toml", &format!("x = \"a{path}y\"")), [], "inside another path");
        }
        assert_eq!(check("a.md", concat!("in /ho", "me/jane/x")).len(), 1);
        assert_eq!(check("a.md", concat!("in /ho", "me/u/x and /ho", "me/<name>")), []);
    }

    #[test]
    fn hosts_other_than_the_usual_ones_are_found() {
        let found = whats("a.md", concat!("see https:/", "/registry.corp.net/x and https://crates.io/y"));
        assert_eq!(found, [(1, "names the host registry.corp.net".to_owned())]);
        for fine in
            ["http://127.0.0.1:80/", "https://index.crates.io/", "http://{host}/", "http://evil.example/"]
        {
            assert_eq!(check("a.md", fine), [], "{fine}");
        }
        assert_eq!(check("a.md", concat!("https:/", "/notcrates.io/")).len(), 1);
    }
}
