//! A call's inputs beside those of the nearest earlier one, as a person can look at them.

use larder_proto::v1::Input;
use larder_service::{Compared, Digest, Key};

use crate::difference::{Parts, options, variables};
use crate::paths;

/// Characters of a digest that are shown.
const SHOWN: usize = 12;

/// All inputs that base keys are made of, of both calls.
pub(crate) fn compare(then: &Parts, now: &Parts) -> Compared {
    let mut inputs = vec![
        input("tool", &paths::path_text(&now.call.tool), short(&then.tool), short(&now.tool)),
        input("folder", "working folder", paths::path_text(&then.call.cwd), paths::path_text(&now.call.cwd)),
    ];
    if then.used != then.tool || now.used != now.tool {
        inputs.push(input("tool", "what the tool uses", short(&then.used), short(&now.used)));
    }
    if let Some((name, content)) = &now.source {
        let before = then.source.as_ref().map(|(_, content)| digest(content)).unwrap_or_default();
        inputs.push(input("source", &paths::text(name), before, digest(content)));
    }
    named(&mut inputs, "crate", &then.crates, &now.crates);
    let (without, with) = options(&then.options, &now.options);
    let mut added = with.clone();
    for option in &now.options {
        let option = paths::text(option);
        let is_new =
            added.iter().position(|other| *other == option).map(|at| added.swap_remove(at)).is_some();
        let before = if is_new { String::new() } else { "set".to_owned() };
        inputs.push(input("option", &option, before, "set".to_owned()));
    }
    for option in without {
        inputs.push(input("option", &option, "set".to_owned(), String::new()));
    }
    let changed = variables(then, now);
    let names = now.call.env.in_key().chain(then.call.env.in_key()).map(|(name, _)| paths::text(name));
    let mut names: Vec<String> = names.chain(changed.iter().cloned()).collect();
    names.sort();
    names.dedup();
    for name in names {
        let is_set = |parts: &Parts| if parts.call.env.get(&name).is_some() { "set" } else { "" }.to_owned();
        let differs = changed.contains(&name);
        inputs.push(Input {
            kind: "variable".to_owned(),
            then: is_set(then),
            now: is_set(now),
            name,
            differs,
        });
    }
    for (before, after) in then.outputs.iter().zip(&now.outputs) {
        inputs.push(input("output", &paths::text(after), paths::text(before), paths::text(after)));
    }
    Compared::new(inputs)
}

fn named(inputs: &mut Vec<Input>, kind: &str, then: &[(Vec<u8>, Digest)], now: &[(Vec<u8>, Digest)]) {
    let content = |all: &[(Vec<u8>, Digest)], name: &[u8]| {
        all.iter().find(|(known, _)| known == name).map(|(_, content)| digest(content)).unwrap_or_default()
    };
    for (name, after) in now {
        inputs.push(input(kind, &paths::text(name), content(then, name), digest(after)));
    }
    for (name, before) in then.iter().filter(|(name, _)| content(now, name).is_empty()) {
        inputs.push(input(kind, &paths::text(name), digest(before), String::new()));
    }
}

fn input(kind: &str, name: &str, then: String, now: String) -> Input {
    let differs = then != now;
    Input { kind: kind.to_owned(), name: name.to_owned(), then, now, differs }
}

fn short(key: &Key) -> String {
    key.hex().chars().take(SHOWN).collect()
}

fn digest(digest: &Digest) -> String {
    digest.hex().chars().take(SHOWN).collect()
}
