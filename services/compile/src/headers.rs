//! The names by which headers are looked for.

use std::collections::HashSet;

use larder_service::Reason;

use crate::args::{Family, Invocation, Language, Refusal};
use crate::inputs::{ReadFile, about, without_dot};
use crate::paths;
use crate::places::Asked;

/// What `files`, the source first, and the command line of `invocation` ask for; `folders` are searched.
pub(crate) fn asked(
    family: Family,
    invocation: &Invocation,
    files: &[ReadFile],
    folders: &[&[u8]],
) -> Result<Asked, Refusal> {
    let mut asked = Asked::default();
    let precompiled: &[&str] = match family {
        Family::Gcc => &[".gch"],
        Family::Clang => &[".gch", ".pch"],
    };
    for (place, file) in files.iter().enumerate() {
        let assembly = matches!(invocation.language, Language::Assembler | Language::AssemblerWithCpp);
        if assembly && file.asks.named_by_a_macro || file.asks.numbers_lines && !invocation.shows_cwd {
            return Err(about(Reason::AssemblerInput, &file.input.path));
        }
        let own = paths::split(&file.input.path).0;
        let lists = [
            (&file.asks.quoted, true, false),
            (&file.asks.bracketed, false, false),
            (&file.asks.tested_quoted, true, true),
            (&file.asks.tested_bracketed, false, true),
        ];
        for (names, quoted, tested) in lists {
            for name in names {
                asked.add(quoted.then_some(own), name, tested);
                if place == 0 && !tested {
                    // The first header may be taken precompiled from wherever its name leads.
                    for suffix in precompiled {
                        asked.add(quoted.then_some(own), &[name, suffix.as_bytes()].concat(), false);
                    }
                }
            }
        }
        if place > 0 {
            for suffix in precompiled {
                let (folder, name) = paths::split(&file.input.path);
                asked.add_local(folder, &[name, suffix.as_bytes()].concat(), false);
            }
        }
    }
    if invocation.language != Language::Assembler {
        // GCC reads it before all else, unasked, if the search finds it.
        asked.add(None, b"stdc-predef.h", false);
    }
    let search = &invocation.search;
    for name in &search.forced {
        asked.add(Some(b""), name, false);
        for suffix in precompiled {
            asked.add(Some(b""), &[name, suffix.as_bytes()].concat(), false);
        }
    }
    for folder in search.folders.iter().filter(|_| invocation.tells_of_folders()) {
        let slashes = folder.iter().rev().take_while(|byte| **byte == b'/').count();
        let (above, name) = paths::split(&folder[..folder.len() - slashes]);
        if !matches!(name, b"." | b"..") {
            asked.add_local(above, name, true);
        }
    }
    if files.iter().any(|file| file.asks.computed_include) {
        computed(&mut asked, files, folders)?;
    }
    Ok(asked)
}

/// Adds the names under which computed includes can have found what was read.
///
/// A header is listed as the folder it was found in and the name it was asked for by; without the folder the name is
/// left. A header that no text names and no folder explains was found in a way that is not understood.
fn computed(asked: &mut Asked, files: &[ReadFile], folders: &[&[u8]]) -> Result<(), Refusal> {
    let literal: Vec<Vec<u8>> = asked.shared().collect();
    let askers: HashSet<&[u8]> = files
        .iter()
        .filter(|file| file.asks.computed_include)
        .map(|file| paths::split(&file.input.path).0)
        .collect();
    for file in &files[1..] {
        let path = file.input.path.as_slice();
        let ends_with = |name: &[u8]| {
            path.strip_suffix(name).is_some_and(|before| before.is_empty() || before.ends_with(b"/"))
        };
        let mut explained = literal.iter().any(|name| ends_with(name));
        for folder in folders.iter().chain(&askers) {
            if let Some(name) = inside(folder, path) {
                explained = true;
                asked.add(None, name, false);
                for asker in &askers {
                    asked.add(Some(asker), name, false);
                }
            }
        }
        if !explained {
            return Err(about(Reason::IncludeComputed, path));
        }
    }
    Ok(())
}

/// `path` without the folder it begins with.
fn inside<'p>(folder: &[u8], path: &'p [u8]) -> Option<&'p [u8]> {
    if matches!(folder, b"" | b"." | b"./") {
        return (!path.starts_with(b"/")).then(|| without_dot(path));
    }
    let rest = path.strip_prefix(folder).or_else(|| path.strip_prefix(without_dot(folder)))?;
    let name = if folder.ends_with(b"/") { Some(rest) } else { rest.strip_prefix(b"/") }?;
    (!name.is_empty()).then_some(name)
}
