use std::path::Path;
use std::process::Command;

use proptest::prelude::*;

use super::table::{Form, ROWS, Use};
use super::*;

fn args(text: &str) -> Vec<Vec<u8>> {
    text.split_whitespace().map(|word| word.as_bytes().to_vec()).collect()
}

fn parsed(text: &str) -> Invocation {
    parse(Family::Gcc, &args(text)).unwrap_or_else(|refusal| panic!("{text}: {refusal:?}"))
}

fn refusal(family: Family, text: &str) -> (Reason, String) {
    match parse(family, &args(text)) {
        Ok(invocation) => panic!("{text}: {invocation:?}"),
        Err(refusal) => (refusal.reason, refusal.detail),
    }
}

fn strings(list: &[Vec<u8>]) -> Vec<&str> {
    list.iter().map(|item| str::from_utf8(item).unwrap()).collect()
}

#[test]
fn a_plain_compile_is_taken_apart() {
    let call =
        parsed("-O2 -Ia -I b -iquote c -isystem d -include e.h -DX=1 -std=c11 -c dir/x.y.c -o out/z.o");
    assert_eq!((call.source.as_slice(), call.object.as_slice()), (&b"dir/x.y.c"[..], &b"out/z.o"[..]));
    assert_eq!(strings(&call.search.folders), ["a", "b", "c", "d"]);
    assert_eq!(strings(&call.search.forced), ["e.h"]);
    assert_eq!(strings(&call.search.probe_args), ["-std=c11"]);
    assert_eq!(call.depfile, None);
    assert!(!call.shows_cwd && !call.shows_command_line);
    let key = strings(&call.key_args);
    assert_eq!(key.join(" "), "-O2 -Ia -I b -iquote c -isystem d -include e.h -DX=1 -std=c11 -c");
}

#[test]
fn where_the_outputs_go_is_no_key_material() {
    let plain = parsed("-O2 -c x.c");
    for same in ["-O2 -c x.c -o y.o", "-O2 -oy.o -c x.c", "-O2 x.c -c", "-O2 -c x.c -MD -MF q.d"] {
        assert_eq!(parsed(same).key_args, plain.key_args, "{same}");
    }
    assert_ne!(parsed("-O2 -c x.c -MD -MT q").key_args, plain.key_args);
}

#[test]
fn the_order_of_options_is_kept() {
    assert_ne!(parsed("-Ia -Ib -c x.c").key_args, parsed("-Ib -Ia -c x.c").key_args);
    assert_ne!(parsed("-include a -c x.c").key_args, parsed("-imacros a -c x.c").key_args);
}

#[test]
fn what_shows_the_folder_or_the_command_line_is_known() {
    for (text, cwd, command_line) in [
        ("-c x.c", false, false),
        ("-g -c x.c", true, false),
        ("-ggdb3 -c x.c", true, false),
        ("-gdwarf-4 -c x.c", true, false),
        ("-flto -c x.c", true, true),
        ("-frecord-gcc-switches -c x.c", true, true),
    ] {
        let call = parsed(text);
        assert_eq!((call.shows_cwd, call.shows_command_line), (cwd, command_line), "{text}");
    }
}

#[test]
fn dependency_files_are_named_as_the_drivers_name_them() {
    for tool in ["gcc", "clang"] {
        for (options, stands_at) in [
            ("-MD -c s/x.y.c", "x.y.d"),
            ("-MMD -c s/x.y.c -o o/z.o", "o/z.d"),
            ("-MD -c s/x.y.c -o o/z.w.o", "o/z.w.d"),
            ("-MD -c s/x.y.c -o o/z", "o/z.d"),
            ("-MD -c s/x.y.c -o o.o/z", "o.o/z.d"),
            ("-MD -MF q -c s/x.y.c", "q"),
            ("-MDq -c s/x.y.c", ""),
            ("-Wp,-MD,r.d -c s/x.y.c", "r.d"),
            ("-Wp,-MMD,r.d -c s/x.y.c -o o/z.o", "r.d"),
        ] {
            let folder = tempfile::tempdir().unwrap();
            for name in ["s", "o", "o.o"] {
                std::fs::create_dir(folder.path().join(name)).unwrap();
            }
            std::fs::write(folder.path().join("s/x.y.c"), "int x;\n").unwrap();
            let family = if tool == "gcc" { Family::Gcc } else { Family::Clang };
            let Ok(call) = parse(family, &args(options)) else {
                assert_eq!(stands_at, "", "{tool} {options}");
                continue;
            };
            let ran = Command::new(tool).args(options.split(' ')).current_dir(folder.path()).status();
            assert!(ran.unwrap().success(), "{tool} {options}");
            let depfile = call.depfile.unwrap().path;
            assert_eq!(str::from_utf8(&depfile).unwrap(), stands_at, "{tool} {options}");
            for output in [&depfile, &call.object] {
                let path = folder.path().join(str::from_utf8(output).unwrap());
                assert!(path.is_file(), "{tool} {options}: {}", path.display());
            }
        }
    }
}

#[test]
fn what_cannot_be_cached_is_named() {
    use Reason::{
        NotACompile, OptionMalformed, OptionUncacheable, OptionUnknown, OutputToStdout, ResponseFile,
        SeveralSources, SourceFromStdin, SourceKindUnknown,
    };
    for (text, reason, detail) in [
        ("x.c", NotACompile, ""),
        ("--version", NotACompile, ""),
        ("-E -c x.c", NotACompile, "-E"),
        ("-c", NotACompile, ""),
        ("-c a.c b.c", SeveralSources, "b.c"),
        ("-c x.m", SourceKindUnknown, "x.m"),
        ("-c x.ii", SourceKindUnknown, "x.ii"),
        ("-c x.i", SourceKindUnknown, "x.i"),
        ("-c x.h", SourceKindUnknown, "x.h"),
        ("-c .c", SourceKindUnknown, ".c"),
        ("-x objective-c -c x.c", SourceKindUnknown, "-x"),
        ("-c -", SourceFromStdin, "-"),
        ("@list", ResponseFile, "@list"),
        ("-c @list", ResponseFile, "@list"),
        ("-c x.c -o -", OutputToStdout, "-o"),
        ("-c x.c -o", OptionMalformed, "-o"),
        ("-c x.c -I", OptionMalformed, "-I"),
        ("-c x.c -o a.o -o b.o", OptionMalformed, "-o"),
        ("-c x.c -bogus", OptionUnknown, "-bogus"),
        ("-c x.c -fsecret-list=/etc/passwd", OptionUnknown, "-fsecret-list"),
        ("-c x.c -- y.c", OptionUnknown, "--"),
        ("-c x.c -fprofile-use", OptionUncacheable, "-fprofile-use"),
        ("-c x.c -Wa,-adhln=list", OptionUncacheable, "-Wa"),
        ("-c x.c -save-temps", OptionUncacheable, "-save-temps"),
        ("-c x.c -MF q.d", OptionUncacheable, "-MF"),
        ("-c x.c -MT q", OptionUncacheable, "-MT"),
        ("-c x.c -MD -MMD", OptionUncacheable, "-MMD"),
        ("-c x.c -I=inc", OptionUncacheable, "-I"),
        ("-c x.c -MD -MF x.c", OptionUncacheable, "-MF"),
        ("-c x.c -gsplit-dwarf=single", OptionUncacheable, "-gsplit-dwarf"),
        ("-c -S x.c", OptionUncacheable, "-S"),
        ("-S x.c -fstack-usage -o x.su", OptionUncacheable, "-o"),
        ("-c x.c -fstack-usage -MD -MF x.su", OptionUncacheable, "-o"),
        ("-c x.c -o x.c", OptionUncacheable, "-o"),
    ] {
        assert_eq!(refusal(Family::Gcc, text), (reason, detail.to_owned()), "{text}");
    }
    assert_eq!(refusal(Family::Clang, "-c x.c -fsanitize=address").0, OptionUncacheable);
    assert_eq!(refusal(Family::Gcc, "-c x.c -target x").0, OptionUnknown);
}

#[test]
fn a_line_feed_in_a_name_would_end_the_list_of_inputs() {
    for call in [&["-c", "a\nb.c"][..], &["-I", "a\nb", "-c", "x.c"], &["-include", "a\nb", "-c", "x.c"]] {
        let call: Vec<_> = call.iter().map(|arg| arg.as_bytes().to_vec()).collect();
        assert_eq!(
            parse(Family::Gcc, &call).map_err(|refusal| refusal.reason),
            Err(Reason::OptionUncacheable)
        );
    }
    assert!(parse(Family::Gcc, &[b"-c".to_vec(), b"x.c".to_vec(), b"-DX=a\nb".to_vec()]).is_ok());
}

#[test]
fn a_language_holds_for_the_sources_behind_it() {
    assert_eq!(parsed("-x c -c x.weird").object, b"x.o");
    assert_eq!(parsed("-xc -c x").object, b"x.o");
    assert_eq!(refusal(Family::Gcc, "-c x.weird -x c").0, Reason::SourceKindUnknown);
    assert_eq!(refusal(Family::Gcc, "-x c -x none -c x.weird").0, Reason::SourceKindUnknown);
}

#[test]
fn side_outputs_lie_beside_the_object() {
    let side = |text: &str| {
        let call = parsed(text);
        let paths: Vec<_> =
            call.side.iter().map(|side| String::from_utf8(side.path.clone()).unwrap()).collect();
        (String::from_utf8(call.object).unwrap(), paths.join(" "))
    };
    let is = |object: &str, paths: &str| (object.to_owned(), paths.to_owned());
    assert_eq!(side("-fstack-usage -c d/x.c"), is("x.o", "x.su"));
    assert_eq!(side("-fstack-usage -gsplit-dwarf -c x.c -o o/y.z.o"), is("o/y.z.o", "o/y.z.su o/y.z.dwo"));
    assert_eq!(side("-S d/x.c"), is("x.s", ""));
    assert!(parsed("-gsplit-dwarf -c x.c").shows_cwd);
}

#[test]
fn a_source_is_of_the_language_that_its_name_and_the_driver_say() {
    let language = |cxx: bool, text: &str| {
        parse(Dialect { family: Family::Gcc, cxx }, &args(text)).map(|call| call.language).ok()
    };
    for name in ["x.C", "x.cc", "x.cp", "x.cxx", "x.cpp", "x.CPP", "x.c++"] {
        assert_eq!(language(false, &format!("-c {name}")), Some(Language::Cxx), "{name}");
    }
    assert_eq!(language(false, "-c x.c"), Some(Language::C));
    assert_eq!(language(true, "-c x.c"), Some(Language::Cxx));
    assert_eq!(language(true, "-x c -c x.c"), Some(Language::C));
    assert_eq!(language(false, "-x c++ -c x.c"), Some(Language::Cxx));
    assert_eq!(language(true, "-c x.h"), None);
    assert_eq!(parsed("-c dir/x.c++").object, b"x.o");
}

#[test]
fn every_row_takes_its_value_in_its_form() {
    for row in ROWS {
        let family = row.family.unwrap_or(Family::Gcc);
        for separate in [false, true] {
            let takes = match row.form {
                Form::Alone => continue,
                Form::Joined => !separate,
                Form::Separate => separate,
                Form::Either => true,
            };
            if !takes || row.what == Use::Language {
                continue;
            }
            let text =
                if separate { format!("{} v -c x.c", row.name) } else { format!("{}v -c x.c", row.name) };
            let call = parse(family, &args(&text));
            match row.what {
                Use::Refuse(reason) => assert_eq!(call.unwrap_err().reason, reason, "{text}"),
                Use::Object => assert_eq!(call.unwrap().object, b"v"),
                Use::Folder => assert_eq!(strings(&call.unwrap().search.folders), ["v"], "{text}"),
                Use::Forced => assert_eq!(strings(&call.unwrap().search.forced), ["v"], "{text}"),
                Use::DependInto(_) => assert_eq!(call.unwrap().depfile.unwrap().path, b"v", "{text}"),
                Use::DependFile | Use::DependShape => assert!(call.is_err(), "{text}"),
                _ => assert_eq!(call.unwrap().source, b"x.c", "{text}"),
            }
        }
    }
}

fn listed(tool: &str, folder: &Path, args: &[Vec<u8>], list: &str) -> String {
    use std::os::unix::ffi::OsStrExt as _;
    let args = args.iter().map(|arg| std::ffi::OsStr::from_bytes(arg));
    let output = Command::new(tool).args(args).current_dir(folder).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(output.stdout, b"", "{tool} writes its list to the file");
    let text = std::fs::read_to_string(folder.join(list)).unwrap();
    text.split_once(": ").unwrap().1.to_owned()
}

#[test]
fn both_ways_of_learning_the_inputs_list_the_same_files() {
    for (tool, family) in [("gcc", Family::Gcc), ("clang", Family::Clang)] {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
        write("x.c", "#include \"a.h\"\n#include <stdio.h>\n#ifdef __OPTIMIZE__\n#include \"b.h\"\n#endif\n");
        write("a.h", "");
        write("b.h", "");
        write("f.h", "");
        let call = args("-O2 -g -include f.h -MMD -MF own.d -MP -MT t -c x.c -o x.o");
        let discovered = listed(tool, folder.path(), &discovery(family, &call, b"list"), "list");
        assert!(!folder.path().join("own.d").exists() && !folder.path().join("x.o").exists());
        let plain = args("-O2 -g -include f.h -c x.c -o x.o");
        let added = listed(tool, folder.path(), &with_dependency_list(&plain, b"list2"), "list2");
        assert_eq!(discovered, added, "{tool}");
        assert!(discovered.contains("b.h") && discovered.contains("stdio.h"), "{discovered}");
    }
}

proptest! {
    #[test]
    fn any_command_line_is_taken_apart_or_refused(
        args in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..12), 0..8),
        gcc: bool,
    ) {
        let family = if gcc { Family::Gcc } else { Family::Clang };
        let mut args = args;
        args.push(b"-c".to_vec());
        prop_assert_eq!(parse(family, &args), parse(family, &args));
        let _ = discovery(family, &args, b"list");
    }

    #[test]
    fn options_of_all_kinds_in_any_order_never_panic(
        picked in prop::collection::vec((any::<prop::sample::Index>(), "[a-z/=,.-]{0,6}", any::<bool>()), 0..10),
    ) {
        let mut args = vec![b"-c".to_vec(), b"x.c".to_vec()];
        for (index, value, separate) in picked {
            let name = index.get(ROWS).name;
            if separate {
                args.extend([name.as_bytes().to_vec(), value.into_bytes()]);
            } else {
                args.push(format!("{name}{value}").into_bytes());
            }
        }
        if let Ok(call) = parse(Family::Gcc, &args) {
            prop_assert!(!call.object.is_empty());
            prop_assert!(call.depfile.is_none_or(|depfile| !depfile.path.is_empty()));
        }
    }
}
