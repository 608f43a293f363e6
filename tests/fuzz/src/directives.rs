//! The scan of a source's text.

use larder_compile::directives::{Directives, scan, scan_for};

/// Whatever stands before it, a directive is seen; whatever stands behind, what was seen stays so.
pub fn check(bytes: &[u8]) {
    let alone = scan(bytes);
    // Without an asterisk, which could end a comment that so far went on to the end.
    let name: Vec<u8> =
        bytes.iter().copied().filter(|byte| !b"\"<>\\\n\r?*".contains(byte)).take(8).collect();
    let line = |before: &str, after: &str| {
        // The first line feed may belong to a continued line.
        [bytes, b"\n\n", before.as_bytes(), &name, after.as_bytes(), b"\n"].concat()
    };
    let after = |before: &str, after: &str| {
        let found = scan(&line(before, after));
        stays(&alone, &found);
        found
    };
    assert!(after("#include \"", "\"").quoted.contains(&name), "an include in quotes is missed");
    assert!(after(" # include_next <", "> x").bracketed.contains(&name), "an include in brackets is missed");
    assert!(after("#if __has_include(\"", "\")").tested_quoted.contains(&name), "a test is missed");
    assert!(after("#elif __has_embed( <", ">)").tested_bracketed.contains(&name), "a test is missed");
    assert!(after("#include NAME", "").computed_include, "a computed include is missed");
    assert!(after("x = __TIME__;", "").time_macro, "a time is missed");
    assert!(after("asm(\".incbin 'x'\"); //", "").assembler_input, "a file for the assembler is missed");

    let names = [&alone.test_names[..], &[b"other".to_vec()]].concat();
    for test in &names {
        let test = [b"#if ", &test[..], b"("].concat();
        let text = [bytes, b"\n\n", &test, b"\"", &name, b"\") || ", &test[4..], b"<", &name, b">)"].concat();
        let found = scan_for(&names, &text);
        assert!(found.tested_quoted.contains(&name), "a test by another name is missed");
        assert!(found.tested_bracketed.contains(&name), "a test by another name is missed");
    }
    let _ = scan_for(&names, bytes);
}

/// Whether a name is computed can depend on where a comment ends, which may be in what was added.
fn stays(before: &Directives, now: &Directives) {
    for (before, now) in [
        (&before.quoted, &now.quoted),
        (&before.bracketed, &now.bracketed),
        (&before.tested_quoted, &now.tested_quoted),
        (&before.tested_bracketed, &now.tested_bracketed),
        (&before.test_names, &now.test_names),
    ] {
        assert!(before.iter().all(|name| now.contains(name)), "a name is gone: {before:?}, {now:?}");
    }
    assert!(now.time_macro || !before.time_macro, "a time is gone");
    assert!(now.assembler_input || !before.assembler_input, "a file for the assembler is gone");
}
