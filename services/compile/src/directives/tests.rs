use std::process::Command;

use proptest::prelude::*;

use super::*;

fn strings(list: &[Vec<u8>]) -> Vec<&str> {
    list.iter().map(|item| str::from_utf8(item).unwrap()).collect()
}

#[test]
fn includes_are_found_however_they_are_written() {
    for text in [
        "#include \"a.h\"",
        "  #\tinclude\"a.h\"",
        "#include_next \"a.h\"\n",
        "#import \"a.h\"\n",
        "#embed \"a.h\" limit(4)\n",
        "%:include \"a.h\"\n",
        "??=include \"a.h\"\n",
        "#/**/include /* x */ \"a.h\" // c\n",
        "/* c */ #include \"a.h\"\n",
        "/* c\n c */ # /* d\n d */ include \"a.h\"\n",
        "#inc\\\nlude \"a.\\\r\nh\"\n",
        "#inc\\ \t\nlude \"a.h\"\n",
        "#inc??/\nlude \"a.h\"\n",
        "\u{feff}#include \"a.h\"\n",
        "int x;\r\n#include \"a.h\"\r\n",
        "int x;\r#include \"a.h\"\r",
        "\x0c\x0b#\x0cinclude\x0b\"a.h\"\n",
        "#if 0\n#include \"a.h\"\n#endif\n",
    ] {
        let found = scan(text.as_bytes());
        assert_eq!(strings(&found.quoted), ["a.h"], "{text:?}");
        assert!(!found.computed_include, "{text:?}");
    }
    assert_eq!(strings(&scan(b"#include <sys/a.h>\n#include <sys/a.h>\n").bracketed), ["sys/a.h"]);
}

#[test]
fn what_only_the_preprocessor_knows_is_told() {
    for text in
        ["#include HEADER\n", "#include STR(a.h)\n", "#include\n", "#include \"a.h\n", "#include <a.h\n"]
    {
        assert!(scan(text.as_bytes()).computed_include, "{text:?}");
    }
    for text in [
        "#if __has_include(HEADER)\n",
        "#define HAS(x) __has_include(x) && 1\n",
        "#define HAS(x, y) __has_include(x)\n",
        "#define HAS(x) F(__has_include(x))\n",
        "#define HAS (x) __has_include(x)\n",
        "#define HAS __has_include + 1\n",
        "#define HAS F(\"//\", __has_include)\n",
        "#if 1 /* c\n c */ && F(__has_include)\n",
        "#include \"a\\b.h\"\n",
        "#pragma GCC dependency \"a.h\"\n",
        "_Pragma(\"GCC  dependency \\\"a.h\\\"\")\n",
    ] {
        assert!(scan(text.as_bytes()).computed_test, "{text:?}");
    }
}

#[test]
fn tests_for_files_are_found_and_tests_for_the_test_are_not() {
    let found = scan(b"#if __has_include(\"a.h\") || __has_include /**/ ( <b.h> ) || __has_embed(\"c\")\n");
    assert_eq!(
        (strings(&found.tested_quoted), strings(&found.tested_bracketed)),
        (vec!["a.h", "c"], vec!["b.h"])
    );
    for text in [
        "#ifdef __has_include\n",
        "#ifndef __has_include\n# define __has_include(x) 0\n#endif\n",
        "#if defined(__has_include) && defined __has_include_next\n",
        "/* see __has_include in the manual */\n",
        " * __has_include, as\n",
        "#endif // __has_include\n",
        "/*\n * not as __has_include(x) because\n */\n",
    ] {
        let found = scan(text.as_bytes());
        assert_eq!(found, Directives::default(), "{text:?}");
    }
}

#[test]
fn another_name_of_the_test_is_known_and_looked_for() {
    for text in [
        "#define HAS __has_include\n",
        "# define HAS(x) __has_include(x) /* c */\n",
        "  #define HAS( file ) \\\n __has_include_next( file )\n",
        "#define HAS __has_include",
    ] {
        let found = scan(text.as_bytes());
        assert_eq!(strings(&found.test_names), ["HAS"], "{text:?}");
        assert!(!found.computed_test && found.tested_quoted.is_empty(), "{text:?}");
    }
    let names = [b"HAS".to_vec()];
    let used = |text: &str| scan_for(&names, text.as_bytes());
    let found =
        used("#define HAS(x) 0\n#if defined(HAS) && HAS(<a.h>) || HAS ( \"b.h\" )\n * HAS it\n#ifdef HAS\n");
    assert_eq!((strings(&found.tested_bracketed), strings(&found.tested_quoted)), (vec!["a.h"], vec!["b.h"]));
    assert!(!found.computed_test);
    for text in ["#if HAS(HEADER)\n", "#define MORE HAS\n", "#define MORE(x) HAS(x)\n", "#if F(HAS)\n"] {
        assert!(used(text).computed_test, "{text:?}");
    }
    assert_eq!(used("#if HASTE(<a.h>) || XHAS(<b.h>)\n"), Directives::default());
}

#[test]
fn time_macros_are_found_also_in_pieces() {
    for text in [
        "char *s = __DATE__;",
        "f(__TIME__)",
        "__TIMESTAMP__",
        "CAT(__TI, ME__)",
        "CAT(_, _DATE__)",
        "__TIME ## __",
        "__ ## DATE ## __",
        "CAT(__, TIME, __)",
        "CAT(_, _TIMESTAMP_ ,_)",
        "__DATE__",
    ] {
        assert!(scan(text.as_bytes()).time_macro, "{text:?}");
    }
    for text in [
        "__FILE__ __LINE__ __COUNTER__",
        "time __D __A TIME DATE",
        "int __time_t_defined;",
        "MY__TIME__X",
        "CAT(__, X)",
        "/* Defines __TIME*_T_TYPE macros. */",
        "f(DATE, TIME)",
        "enum { DATE, TIME, _ };",
        "CAT(__, FILE, __)",
    ] {
        assert!(!scan(text.as_bytes()).time_macro, "{text:?}");
    }
}

#[test]
fn a_time_macro_may_be_made_of_its_middle_elsewhere() {
    for text in ["#define WRAP(x) __ ## x ## __\n", "__##word##__"] {
        assert!(scan(text.as_bytes()).wraps_words, "{text:?}");
    }
    for text in ["__ ## x", "x ## __", "__ ## x ## y", "__ # x # __", "a_ ## x ## __"] {
        assert!(!scan(text.as_bytes()).wraps_words, "{text:?}");
    }
    for text in ["WRAP(TIME)", "WRAP( DATE , 1)", "F(1, TIMESTAMP)"] {
        assert!(scan(text.as_bytes()).middle_of_time, "{text:?}");
    }
    for text in ["enum { DATE, TIME };", "TIME = 1;", "WRAP(TIMES)"] {
        assert!(!scan(text.as_bytes()).middle_of_time, "{text:?}");
    }
}

#[test]
fn assembly_that_reads_files_is_found() {
    for text in [
        "asm(\"nop\\n.include \\\"x\\\"\");",
        "asm(\"nop\\n\\t.incbin\\t\\\"x\\\"\");",
        "asm(\"l:.include\" FILE);",
        "\t.INCBIN \"x\"\n",
        ".mri 1\n include x\n",
        "asm(\"\\012.include \\\"x\\\"\");",
    ] {
        assert!(scan(text.as_bytes()).assembler_input, "{text:?}");
    }
    for text in [
        "a.include = b;",
        "f(a().include, b[1].incbin)",
        "struct s s = { .include = 1, .incbin=2 };",
        "a.include_depth",
    ] {
        assert!(!scan(text.as_bytes()).assembler_input, "{text:?}");
    }
    for text in
        ["asm(\".incbin \\\"x\\\"\");", "asm(\".include \\\"x\\\"\");", "asm(\".inc\" \"bin \\\"x\\\"\");"]
    {
        assert!(scan(text.as_bytes()).assembler_input, "{text:?}");
    }
    assert!(!scan(b"#include \"x.inc\"\n#include <a.h>\n").assembler_input);
}

/// Each of these takes minutes where the time grows with the square of the length.
#[test]
fn long_texts_that_go_back_and_forth_are_read_to_their_end() {
    const LENGTH: usize = 1 << 19;
    let many = |piece: &str| piece.repeat(LENGTH / piece.len());
    let long = "a".repeat(LENGTH / 2);
    let blanks = " ".repeat(LENGTH / 2);
    let other = [b"HAS".to_vec()];
    let found = |text: &str| {
        if text.contains("__has_include") {
            let _ = scan_for(&other, text.replace("__has_include", "HAS").as_bytes());
        }
        scan(text.as_bytes())
    };
    for text in [
        many("#/*\n"),
        many("#/**/"),
        many("#/*\n") + "*/" + &blanks,
        many("#/*\n#/*\n*//*\n"),
        many("#/*\n") + "*/" + &long,
        many("__has_include "),
        many("__has_include/*\n"),
        many("__has_include/*\n") + "*/(" + &blanks + "x",
        many("x = '__has_include(") + "#",
        many("#define HAS(x) __has_include/*\n") + "*/(" + &long,
        many("#/*__has_include\n") + "*/define " + &long,
        many("\\ "),
        many(".include"),
        many("__TI\n"),
    ] {
        let found = found(&text);
        assert!(found.quoted.is_empty() && found.bracketed.is_empty(), "{:?}", &text[..40]);
    }
    assert!(found(&(many("#include <") + "\n")).computed_include);
    assert!(found(&(many("#include/*\n") + "*/\"" + &long + "\"")).computed_include);
    assert_eq!(strings(&found(&(many("#include/*\n") + "*/\"a.h\"")).quoted), ["a.h"]);
    assert_eq!(strings(&found(&(many("__has_include/*\n") + "*/(<a.h>)")).tested_bracketed), ["a.h"]);

    let numbers = 0..LENGTH / 16;
    let names: Vec<String> = numbers.clone().map(|number| format!("{number}.h")).collect();
    let includes: String = names.iter().map(|name| format!("#include <{name}>\n")).collect();
    assert_eq!(strings(&scan(includes.as_bytes()).bracketed), names);
    let definitions: String =
        numbers.clone().map(|number| format!("#define H{number} __has_include\n")).collect();
    let tests: String = numbers.map(|number| format!("H{number}(<{number}.h>) ")).collect();
    let test_names = scan(definitions.as_bytes()).test_names;
    assert_eq!(test_names.len(), names.len());
    assert_eq!(strings(&scan_for(&test_names, tests.as_bytes()).tested_bracketed), names);
}

#[test]
fn a_name_too_long_for_a_file_is_one_that_is_not_known() {
    for (name, known) in [("a".repeat(1024), true), ("a".repeat(1025), false)] {
        let found = scan(format!("#include <{name}>\n").as_bytes());
        assert_eq!((found.bracketed.len(), found.computed_include), (usize::from(known), !known));
        let found = scan(format!("#if __has_include(\"{name}\")\n").as_bytes());
        assert_eq!((found.tested_quoted.len(), found.computed_test), (usize::from(known), !known));
    }
}

#[test]
fn the_compilers_find_what_is_reported() {
    for (tool, text) in [
        ("gcc", "#/**/include /* x */ \"a.h\"\n"),
        ("gcc", "/* c\n c */ # /* d\n d */ include \"a.h\"\n"),
        ("gcc", "#inc\\\nlude \"a.\\\nh\"\n"),
        ("gcc", "#inc\\  \nlude \"a.h\"\n"),
        ("gcc", "%:include \"a.h\"\n"),
        ("clang", "int x;\r#include \"a.h\"\r"),
        ("clang", "%:include \"a.h\"\n"),
        ("gcc", "\u{feff}#include \"a.h\"\n"),
    ] {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("a.h"), "").unwrap();
        std::fs::write(folder.path().join("x.c"), text).unwrap();
        let output =
            Command::new(tool).args(["-w", "-M", "x.c"]).current_dir(folder.path()).output().unwrap();
        let listed = String::from_utf8_lossy(&output.stdout).contains("a.h");
        assert!(listed, "{tool} {text:?}: {}", String::from_utf8_lossy(&output.stderr));
        assert_eq!(strings(&scan(text.as_bytes()).quoted), ["a.h"], "{text:?}");
    }
}

/// Ways to break a directive's text that compilers see through.
fn disguised() -> impl Strategy<Value = String> {
    let gap = prop_oneof![
        Just(""),
        Just(" "),
        Just("\t"),
        Just("/**/"),
        Just("/* \n */"),
        Just("\\\n"),
        Just(" \\\r\n ")
    ];
    let splice = prop_oneof![4 => Just(""), 1 => Just("\\\n"), 1 => Just("\\ \n")];
    (prop::collection::vec(gap, 4), prop::collection::vec(splice, 12), prop_oneof![Just("#"), Just("%:")])
        .prop_map(|(gaps, splices, hash)| {
            let broken: String =
                "include".chars().zip(&splices).map(|(c, splice)| format!("{c}{splice}")).collect();
            format!("int a;\n{}{hash}{}{broken}{}\"d/a.h\"{}\nint b;\n", gaps[0], gaps[1], gaps[2], gaps[3])
        })
}

proptest! {
    #[test]
    fn a_disguised_include_is_found(text in disguised()) {
        let found = scan(text.as_bytes());
        prop_assert_eq!(strings(&found.quoted), ["d/a.h"]);
    }

    #[test]
    fn any_bytes_are_read(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        let _ = scan(&bytes);
        let _ = scan_for(&[b"a".to_vec()], &bytes);
    }

    #[test]
    fn any_mixture_of_what_matters_is_read(
        pieces in prop::collection::vec(
            prop::sample::select(vec![
                "#", "%:", "include", "\"", "<", ">", "(", "__has_include", "\\\n", "/*", "*/", "\n", "??/", "??=", " ", "a",
                "define", "__TIME__", ".incbin",
            ]),
            0..40,
        ),
    ) {
        let _ = scan(pieces.concat().as_bytes());
    }
}

#[test]
fn what_is_read_once_is_seen() {
    for text in ["#pragma once\n", "# pragma /**/ once", "_Pragma(\"once\")", "#pragma \\\nonce\n"] {
        assert!(scan(text.as_bytes()).once, "{text}");
    }
    assert!(!scan(b"#pragma oncemore\nint at_once;\n").once);
    assert!(scan(b"#import \"a.h\"\n").imports && !scan(b"#include \"import\"\n").imports);
}

#[test]
fn a_line_directive_that_may_name_any_folder_is_seen() {
    for text in [
        "#line 7 \"/w/x.y\"\n",
        "# 7 \"/w/x.y\" 2\n",
        "#line 7 \"\\057w\"\n",
        "#line 7 NAME\n",
        "# line NUMBER\n",
        "%:li\\\nne /**/ 7 \"/w\"\n",
    ] {
        assert!(scan(text.as_bytes()).names_a_file, "{text:?}");
    }
    for text in
        ["#line 7\n", "#line 7 \"x.y\"\n", "# 7 \"../x.y\" 1\n", "#define line 7 \"/w\"\n", "\"/w\"\n"]
    {
        assert!(!scan(text.as_bytes()).names_a_file, "{text:?}");
    }
}

#[test]
fn a_test_for_files_in_pieces_is_seen() {
    for text in [
        "#if PASTE(__has_, include)(\"x.h\")\n#endif\n",
        "#if HAS(include)(<x.h>)\n#endif\n",
        "#define HAS __has ## _include\n",
        "#define HAS(what) __has_include ## what\n",
        "#define HAS PASTE(__has_, embed)\n",
    ] {
        assert!(scan(text.as_bytes()).computed_test, "{text}");
    }
    for text in [
        "#if defined(__has_feature)\n#endif\n",
        "#define TYPE(what) struct __has_ ## what;\n",
        "filter(include, exclude);\nf(embed);\n",
        "#define KEEP(x) x\n#include <x.h>\n# include \"y.h\"\n",
    ] {
        assert!(!scan(text.as_bytes()).computed_test, "{text}");
    }
}
