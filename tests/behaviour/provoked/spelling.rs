//! One file under many names: the object, the messages and the dependency file show the name that was given.

use super::{Bench, with_each_driver};

with_each_driver! {
    every_spelling_is_the_one_that_shows
    a_system_folder_near_by_is_each_callers_own
}

const TEXT: &str =
    "#include \"inc/where.h\"\nconst char *where(void) { int unused; return WHERE __FILE__; }\n";

fn every_spelling_is_the_one_that_shows(bench: &Bench) {
    spellings_of_the_source(bench);
    bench.begin_anew();
    spellings_of_the_working_folder(bench);
}

fn spellings_of_the_source(bench: &Bench) {
    bench.write("inc/where.h", "#define WHERE __FILE__\n");
    bench.code(TEXT);
    bench.folder("beside");
    bench.link(".", "link");
    let source = bench.source;
    let absolute = bench.path(source).display().to_string();
    let spellings = [
        source.to_owned(),
        format!("./{source}"),
        format!("beside/../{source}"),
        format!("link/{source}"),
        absolute,
    ];
    for spelling in &spellings {
        let args = ["-Wall", "-g", "-MMD", "-c", spelling, "-o", "x.o"];
        bench.call(&args, "first_seen");
        bench.call(&args, "direct_hit");
    }
    // By another name of its own: the same text, and another place from which its headers are looked for.
    bench.write("beside/inc/where.h", "#define WHERE \"beside \" __FILE__\n");
    std::fs::hard_link(bench.path(source), bench.path("beside").join(source)).expect("our own folder");
    bench.sandbox.settle();
    bench.call(&["-c", &format!("beside/{source}"), "-o", "x.o"], "first_seen");
}

fn spellings_of_the_working_folder(bench: &Bench) {
    let source = bench.source;
    for folder in ["one", "two"] {
        bench.write(&format!("{folder}/inc/where.h"), "#define WHERE __FILE__\n");
        bench.write(&format!("{folder}/{source}"), TEXT);
    }
    bench.link("one", "alias");
    // The folder, and how PWD spells it.
    let places = [("one", "one"), ("two", "two"), ("alias", "alias"), ("alias", "one"), ("one", "nowhere")];
    let compile = |options: &[&str], (folder, spelled): (&str, &str), reason: &str| {
        let args = [options, &["-c", source, "-o", "x.o"]].concat();
        bench.call_as(&args, reason, |mut command| {
            command.current_dir(bench.path(folder)).env("PWD", bench.path(spelled));
            command
        });
    };
    let map = format!("-ffile-prefix-map={}=/src", bench.sandbox.work().display());
    for (options, reasons) in [
        (&["-MMD"][..], ["first_seen", "direct_hit", "direct_hit", "direct_hit", "direct_hit"]),
        (&["-g", &map], ["first_seen", "first_seen", "first_seen", "direct_hit", "first_seen"]),
    ] {
        for (place, reason) in places.into_iter().zip(reasons) {
            compile(options, place, reason);
        }
        compile(options, places[1], "direct_hit");
    }
    // From a third folder, by another path.
    bench.folder("three");
    let from_afar = format!("../one/{source}");
    for reason in ["first_seen", "direct_hit"] {
        bench.call_as(&["-g", "-c", &from_afar], reason, |mut command| {
            command.current_dir(bench.path("three")).env("PWD", bench.path("three"));
            command
        });
    }
}

/// GCC spells system headers by their real paths where those are shorter.
fn a_system_folder_near_by_is_each_callers_own(bench: &Bench) {
    let folders = ["1/here/and/further/down", "2/here/and/further/down"];
    let compile = |folder: &str, options: &[&str], reason: &str| {
        let args = [options, &["-MD", "-c", bench.source, "-o", "x.o"]].concat();
        bench.call_as(&args, reason, |mut command| {
            command.current_dir(bench.path(folder)).env("PWD", bench.path(folder));
            command
        });
    };
    for (folder, tree) in folders.into_iter().zip(["1", "2"]) {
        bench.write(&format!("{folder}/{}", bench.source), "#include <where.h>\nint where = WHERE;\n");
        bench.write(&format!("{tree}/sys/where.h"), "#define WHERE 1\n");
        bench.write(&format!("{tree}/s/where.h"), "#define WHERE 1\n");
        bench.link(
            bench.path(tree).join("s"),
            &format!("{folder}/a_long_name_for_a_link_to_a_short_folder_near_by"),
        );
    }
    let climbing = ["-isystem", "../../../../sys/../sys/../sys/../sys/../sys"];
    compile(folders[0], &climbing, "first_seen");
    compile(folders[1], &climbing, bench.by_family("first_seen", "direct_hit"));
    bench.write("2/sys/where.h", "#define WHERE 2\n");
    compile(folders[1], &climbing, "input_changed");
    compile(folders[0], &climbing, "direct_hit");
    // By a link.
    bench.write("2/s/where.h", "#define WHERE 2\n");
    let by_link = ["-isystem", "a_long_name_for_a_link_to_a_short_folder_near_by"];
    compile(folders[0], &by_link, "first_seen");
    compile(folders[1], &by_link, "input_changed");
    compile(folders[0], &by_link, "direct_hit");
}
