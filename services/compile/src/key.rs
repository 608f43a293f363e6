//! Keys of compile actions: what they must hold, and nothing else.

use larder_service::{Digest, Hasher, Key};

use crate::args::{Family, Invocation, Language};
use crate::arguments::Arguments;
use crate::call::Call;
use crate::environment::Shown;
use crate::manifest::Entry;
use crate::paths;
use crate::portable::Portable;

/// Changes whenever what a key means changes, so that no older result is found again.
const FORMAT: &[u8] = &[3];

/// What a call is known by before any file's content is.
#[derive(Clone, Copy)]
pub(crate) struct Parts<'a> {
    /// Identity of the driver.
    pub(crate) driver: Key,
    /// Identity of what the driver runs and of its own search folders.
    pub(crate) toolset: Key,
    pub(crate) family: Family,
    pub(crate) call: &'a Call,
    pub(crate) arguments: &'a Arguments,
    pub(crate) invocation: &'a Invocation,
    /// The tool is to map the root of the caller's working tree.
    pub(crate) portable: Option<&'a Portable>,
}

/// The call without the source's content: equal for two versions of one source.
pub(crate) fn without_content(parts: Parts<'_>) -> Hasher {
    let Parts { call, invocation, portable, .. } = parts;
    let place = |spelled: &[u8]| portable.map_or_else(|| spelled.to_vec(), |portable| portable.path(spelled));
    let places = |list: &[Vec<u8>]| list.iter().map(|spelled| place(spelled)).collect();
    let key_args = match portable {
        Some(portable) => portable.options(parts.family, &invocation.key_args),
        None => invocation.key_args.clone(),
    };
    let mut hasher = Hasher::key("compile");
    hasher.field("format", FORMAT);
    hasher.field("driver", &parts.driver.0);
    hasher.field("toolset", &parts.toolset.0);
    hasher.field("family", family(parts.family));
    hasher.field("language", language(invocation.language).as_bytes());
    let lists = [
        ("argument", key_args),
        ("folder", places(&invocation.search.folders)),
        ("forced", places(&invocation.search.forced)),
        ("probe", invocation.search.probe_args.clone()),
    ];
    for (name, list) in lists {
        for value in list {
            hasher.field(name, &value);
        }
    }
    if invocation.shows_command_line {
        // With the names of outputs, in its own order, and response files by their names or by what they hold.
        for arg in &call.args {
            hasher.field("given", arg);
        }
        for arg in &parts.arguments.all {
            hasher.field("expanded", arg);
        }
    }
    if let Some(portable) = portable {
        // Never those of a build without a map; where other trees may not have it, those of this one alone.
        hasher.field("portable", portable.shared_root().map_or(portable.root.bytes(), |_| b""));
    }
    hasher.field("source", &place(&invocation.source));
    if invocation.depfile.is_some() || !invocation.side.is_empty() {
        // The dependency file names the object, and the object names what stands beside it.
        hasher.field("object", &place(&invocation.object));
    }
    if let Some(depfile) = &invocation.depfile {
        hasher.field("depfile", &place(&depfile.path));
        hasher.field("system", &[u8::from(depfile.system_headers)]);
    }
    let shown = Shown { cwd: invocation.shows_cwd && portable.is_none(), terminal: call.stderr_terminal };
    call.env.add_to_key(&mut hasher, shown);
    if invocation.shows_cwd {
        hasher.field("cwd", &place(&paths::into_bytes(call.cwd.clone())));
    }
    if let Some(pwd) = call.env.get("PWD").filter(|_| invocation.shows_cwd && portable.is_some()) {
        hasher.field("pwd", &place(pwd));
    }
    if shown.terminal {
        hasher.field("columns", &call.terminal_columns.to_le_bytes());
    }
    hasher
}

/// The base key: the call and the source's content, or its `code` where only that matters.
pub(crate) fn base(mut call: Hasher, source: &Digest, code: Option<&Digest>) -> Key {
    match code {
        Some(code) => call.field("code", &code.hash),
        None => call.field("content", &source.hash),
    };
    call.finish_key()
}

/// The action key: the base key and everything the tool was found to depend on.
pub(crate) fn action(base: &Key, entry: &Entry) -> Key {
    let mut hasher = Hasher::key("compile action");
    hasher.field("base", &base.0);
    for input in &entry.inputs {
        hasher.field("path", &input.path);
        hasher.field("content", &input.digest.hash);
    }
    for present in &entry.present {
        hasher.field("present", &present.path);
        hasher.field("folder", &[u8::from(present.folder)]);
    }
    for fact in &entry.facts {
        hasher.field("fact", &fact.name);
        match &fact.digest {
            Some(digest) => hasher.field("is", &digest.hash),
            None => hasher.field("is not", b""),
        };
    }
    entry.absent.each(|folder, name| {
        hasher.field("in", folder);
        hasher.field("absent", name);
    });
    hasher.finish_key()
}

fn family(family: Family) -> &'static [u8] {
    match family {
        Family::Gcc => b"gcc",
        Family::Clang => b"clang",
    }
}

/// The language as `-x` names it.
pub(crate) fn language(language: Language) -> &'static str {
    match language {
        Language::C => "c",
        Language::Cxx => "c++",
        Language::Assembler => "assembler",
        Language::AssemblerWithCpp => "assembler-with-cpp",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::args::{Depfile, Search};
    use larder_proto::v1::{EnvVar, Lookup};
    use proptest::prelude::*;

    fn call(cwd: &str, env: &[(String, String)]) -> Call {
        let var = |(name, value): &(String, String)| EnvVar {
            name: name.clone().into_bytes(),
            value: value.clone().into_bytes(),
        };
        Call::new(Lookup {
            cwd: cwd.into(),
            tool: b"/usr/bin/gcc".into(),
            tool_name: b"gcc".into(),
            env: env.iter().map(var).collect(),
            ..Default::default()
        })
        .unwrap()
    }

    fn invocation() -> Invocation {
        Invocation {
            language: Language::C,
            source: b"a.c".into(),
            object: b"a.o".into(),
            object_in_place: false,
            depfile: None,
            side: Vec::new(),
            key_args: vec![b"-O2".into()],
            shows_cwd: false,
            shows_command_line: false,
            search: Search::default(),
        }
    }

    fn key(call: &Call, invocation: &Invocation) -> Key {
        let one = Hasher::key("test").finish_key();
        let arguments = &Arguments::of(call).unwrap();
        let family = Family::Gcc;
        let parts = Parts { driver: one, toolset: one, family, call, arguments, invocation, portable: None };
        base(without_content(parts), &Digest::of(b"int x;"), None)
    }

    fn pairs(vars: &[(&str, &str)]) -> Vec<(String, String)> {
        vars.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    proptest! {
        #[test]
        fn the_folder_the_output_and_temporary_places_do_not_matter(
            cwd in "/[a-z/]{0,20}",
            object in "[a-z/.]{1,20}",
            value in "[ -~]{0,20}",
        ) {
            let plain = key(&call("/w", &[]), &invocation());
            let env = pairs(&[("TMPDIR", &value), ("PATH", &value), ("HOME", &value), ("PWD", &value), ("COLUMNS", &value)]);
            let moved = Invocation { object: object.into_bytes(), ..invocation() };
            prop_assert_eq!(plain, key(&call(&cwd, &env), &moved));
        }

        #[test]
        fn the_order_of_variables_does_not_matter_and_their_values_do(
            env in prop::collection::hash_map("L[A-Z_]{1,8}", "[ -~]{0,8}", 1..6),
        ) {
            let env: Vec<_> = env.into_iter().collect();
            let reversed: Vec<_> = env.iter().cloned().rev().collect();
            let one = key(&call("/w", &env), &invocation());
            prop_assert_eq!(one, key(&call("/w", &reversed), &invocation()));
            let mut other = env;
            other[0].1.push('x');
            prop_assert_ne!(one, key(&call("/w", &other), &invocation()));
        }

        #[test]
        fn each_argument_and_its_place_matter(
            args in prop::collection::vec("[ -~]{0,6}", 1..6),
            place in any::<prop::sample::Index>(),
        ) {
            let args: Vec<Vec<u8>> = args.into_iter().map(String::into_bytes).collect();
            let one = Invocation { key_args: args.clone(), ..invocation() };
            let mut more = one.clone();
            more.key_args[place.index(args.len())].push(b'x');
            let mut fewer = one.clone();
            fewer.key_args.pop();
            prop_assert_ne!(key(&call("/w", &[]), &one), key(&call("/w", &[]), &more));
            prop_assert_ne!(key(&call("/w", &[]), &one), key(&call("/w", &[]), &fewer));
        }
    }

    #[test]
    fn a_folder_that_debug_information_shows_matters_in_both_its_spellings() {
        let shown = Invocation { shows_cwd: true, ..invocation() };
        let here = key(&call("/w", &[]), &shown);
        assert_ne!(here, key(&call("/v", &[]), &shown));
        assert_ne!(here, key(&call("/w", &pairs(&[("PWD", "/link")])), &shown));
    }

    #[test]
    fn the_object_matters_once_a_dependency_file_names_it() {
        let depfile = Some(Depfile { path: b"a.d".into(), system_headers: true });
        let one = Invocation { depfile: depfile.clone(), ..invocation() };
        let other = Invocation { depfile, object: b"b.o".into(), ..invocation() };
        assert_ne!(key(&call("/w", &[]), &one), key(&call("/w", &[]), &other));
        assert_ne!(key(&call("/w", &[]), &one), key(&call("/w", &[]), &invocation()));
    }

    #[test]
    fn a_terminal_and_its_width_matter() {
        let on = |columns| Call { stderr_terminal: true, terminal_columns: columns, ..call("/w", &[]) };
        assert_ne!(key(&on(80), &invocation()), key(&call("/w", &[]), &invocation()));
        assert_ne!(key(&on(80), &invocation()), key(&on(81), &invocation()));
    }

    #[test]
    fn an_argument_and_a_search_folder_are_not_the_same() {
        let argument = Invocation { key_args: vec![b"-O2".into(), b"x".into()], ..invocation() };
        let folder = Invocation {
            search: Search { folders: vec![b"x".into()], ..Default::default() },
            ..invocation()
        };
        assert_ne!(key(&call("/w", &[]), &argument), key(&call("/w", &[]), &folder));
    }
}
