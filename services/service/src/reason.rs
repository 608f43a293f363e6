//! The one table of reasons: why a request ended as it did.
//!
//! Statistics, journal, metrics, page and `larder explain` all read this table; a reason that is not here cannot be
//! given. Ids are stable: a row's id and outcome never change, and an unused row stays.

use crate::Outcome;

macro_rules! reasons {
    ($($variant:ident = $id:literal, $outcome:ident, $sentence:literal;)+) => {
        /// Why a request ended as it did.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum Reason {
            $(#[doc = $sentence] $variant,)+
        }

        impl Reason {
            /// Every reason, in the order of the table.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)+];

            /// The name under which statistics, journal, metrics and page know it.
            #[must_use]
            pub fn id(self) -> &'static str {
                match self { $(Self::$variant => $id,)+ }
            }

            /// The outcome it belongs to.
            #[must_use]
            pub fn outcome(self) -> Outcome {
                match self { $(Self::$variant => Outcome::$outcome,)+ }
            }

            /// What a person reads.
            #[must_use]
            pub fn sentence(self) -> &'static str {
                match self { $(Self::$variant => $sentence,)+ }
            }
        }
    };
}

reasons! {
    DirectHit = "direct_hit", Hit, "every recorded input is unchanged";
    PreprocessedHit = "preprocessed_hit", Hit, "what changed in the recorded inputs are only comments and white space at the ends of lines";
    GoHit = "go_hit", Hit, "an output was put under this go action, and is unchanged";
    FilesUnchanged = "files_unchanged", Hit, "no file has changed since the work was last done";
    ArtifactFound = "artifact_found", Hit, "an artifact is kept under the key";

    FirstSeen = "first_seen", Miss, "no action with this compiler, these options and this source file was seen before";
    InputChanged = "input_changed", Miss, "a file that the action reads has changed";
    InputAppeared = "input_appeared", Miss, "a file appeared where the action had looked for one in vain";
    InputVanished = "input_vanished", Miss, "a file that the action relied on is gone";
    GoFirstSeen = "go_first_seen", Miss, "no output was put under this go action before";
    FilesChanged = "files_changed", Miss, "files have changed since the work was last done";
    WorkDue = "work_due", Miss, "the work is not marked as done since it was last found due";
    ArtifactAbsent = "artifact_absent", Miss, "no artifact is kept under the key";
    ToolChanged = "tool_changed", Miss, "the tool is another one than before";
    CommandChanged = "command_changed", Miss, "the command line is another one than before";
    VariableChanged = "variable_changed", Miss, "a variable that the source reads has changed";
    SurroundingsChanged = "surroundings_changed", Miss, "the result shows where or how it was made, and that has changed";
    ResultGone = "result_gone", Miss, "the result was evicted, cleared or found damaged";

    OptionUnknown = "option_unknown", Uncacheable, "the call has an option that larder does not know";
    OptionUncacheable = "option_uncacheable", Uncacheable, "the call has an option whose effects larder cannot keep";
    OptionMalformed = "option_malformed", Uncacheable, "an option of the call lacks its value";
    SeveralSources = "several_sources", Uncacheable, "the call compiles several sources at once";
    SourceKindUnknown = "source_kind_unknown", Uncacheable, "the source is of a language that is not cached yet";
    SourceFromStdin = "source_from_stdin", Uncacheable, "the source is read from standard input";
    ResponseFile = "response_file", Uncacheable, "the call takes arguments from a response file";
    OutputToStdout = "output_to_stdout", Uncacheable, "the output goes to standard output";
    OutputNotAFile = "output_not_a_file", Uncacheable, "the output is not an ordinary file";
    EnvironmentUncacheable = "environment_uncacheable", Uncacheable, "a variable makes the tool write or read what larder cannot keep";
    TimeMacro = "time_macro", Uncacheable, "the source or a header uses __DATE__, __TIME__ or __TIMESTAMP__";
    IncludeComputed = "include_computed", Uncacheable, "a header asks for a file whose name only the preprocessor knows";
    IncludedOnce = "included_once", Uncacheable, "two headers that are to be read once may be one and the same to the tool";
    AssemblerInput = "assembler_input", Uncacheable, "the source or a header has the assembler do what larder cannot follow, such as reading a file";
    PrecompiledHeader = "precompiled_header", Uncacheable, "the tool read a precompiled header";
    ArchiveOperationUncacheable = "archive_operation_uncacheable", Uncacheable, "the archiver is to do something whose effects larder cannot keep";
    ArchiveNotDeterministic = "archive_not_deterministic", Uncacheable, "the archive is to hold times and owners";
    ArchiverSpoke = "archiver_spoke", Uncacheable, "the archiver succeeded with a message, which may not be true of another call";
    LinkTimeOptimization = "link_time_optimization", Uncacheable, "an input holds what a compiler is to finish during the link";
    LinkerUnknown = "linker_unknown", Uncacheable, "the linker is none that larder knows, or does not list what it reads";
    LibraryPassedBy = "library_passed_by", Uncacheable, "the linker passed by a library that it could not use";
    CompilerUnknown = "compiler_unknown", Uncacheable, "the tool is none of the compilers, archivers and linkers that larder knows, or a script that calls something else";
    InputUnreadable = "input_unreadable", Uncacheable, "an input cannot be read";
    InputNotAFile = "input_not_a_file", Uncacheable, "an input is not an ordinary file";
    InputsChangedMeanwhile = "inputs_changed_meanwhile", Uncacheable, "an input was changed while the tool ran, or too shortly before";
    ToolFailed = "tool_failed", Uncacheable, "the tool ended with an error; failures are not stored";
    StreamsMixed = "streams_mixed", Uncacheable, "the tool wrote to both streams, and their order cannot be kept";
    StreamsTooLarge = "streams_too_large", Uncacheable, "the tool wrote more to its streams than is kept";
    StreamsLeftOpen = "streams_left_open", Uncacheable, "a process that the tool left behind held its streams open";
    OutputMissing = "output_missing", Uncacheable, "the tool succeeded and an expected output is not there";
    OutputNotWritten = "output_not_written", Uncacheable, "the tool succeeded and left an expected output as it was";
    DependenciesUnreadable = "dependencies_unreadable", Uncacheable, "the list of files that the tool read could not be understood";
    NamesTheRoot = "names_the_root", Uncacheable, "an output or a message names the folder of a portable build";
    ExternUnknown = "extern_unknown", Uncacheable, "what a dependency needs in its turn could not be learned";
    PackageTooLarge = "package_too_large", Uncacheable, "a procedural macro could read more files of the package than are looked at";
    NativeLibraryUnknown = "native_library_unknown", Uncacheable, "a source asks for a native library whose name only the compiler knows";
    OtherFilesystemView = "other_filesystem_view", Uncacheable, "the caller does not see the files that the daemon sees";

    StoreFailed = "store_failed", Error, "the store could not be read or written";
    RestoreFailed = "restore_failed", Error, "the result was known, and could not be written to its place";
    ProbeFailed = "probe_failed", Error, "asking the compiler about itself failed";
    RequestMalformed = "request_malformed", Error, "the request could not be decoded";
    InternalError = "internal_error", Error, "larder failed in a way that it should not";

    WorkMarked = "work_marked", Bypass, "how a work ended was noted, or that it must be done again";
    ArtifactOpened = "artifact_opened", Bypass, "a client will hand files in";
    ArtifactStored = "artifact_stored", Bypass, "an artifact was handed in, and is kept";
    ArtifactExists = "artifact_exists", Bypass, "an artifact was handed in under a key that is taken";
    NotACompile = "not_a_compile", Bypass, "the call is none that larder caches: a question, or a step that makes something else";
    Answered = "answered", Bypass, "a question to the compiler, which gave this answer before";
    Incremental = "incremental", Bypass, "an incremental compile is left to the compiler's own cache";
    LeaseLost = "lease_lost", Bypass, "the client went away before it could say how the tool ended";
    StartingUp = "starting_up", Bypass, "the daemon is still loading its state";
    Overloaded = "overloaded", Bypass, "the daemon could not answer in time";
    Paused = "paused", Bypass, "caching is paused at a person's wish";
    Draining = "draining", Bypass, "the daemon is about to exit";
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn ids_are_unique_and_in_one_spelling() {
        let mut seen = HashSet::new();
        for reason in Reason::ALL {
            assert!(seen.insert(reason.id()), "{} stands twice", reason.id());
            assert!(reason.id().bytes().all(|b| b.is_ascii_lowercase() || b == b'_'), "{}", reason.id());
            assert!(!reason.sentence().ends_with('.'), "{}", reason.id());
        }
    }

    /// The page of the documentation that lists all of them, written anew where `LARDER_WRITE_GOLDEN` is set.
    #[test]
    fn the_documentation_lists_each_reason() {
        let mut page = "# Outcomes and reasons\n\nEvery request ends with one of these. The ids are the same in `larder stats`, `larder explain`, journals, metrics and on\nthe page. Written by `LARDER_WRITE_GOLDEN=1 cargo test -p larder-service`.\n".to_owned();
        let mut last = None;
        for reason in Reason::ALL {
            if last.replace(reason.outcome()) != Some(reason.outcome()) {
                let title = format!("\n## {}\n\n| id | sentence |\n|---|---|\n", reason.outcome().id());
                assert!(!page.contains(&title), "reasons of one outcome stand together");
                page += &title;
            }
            page += &format!("| `{}` | {} |\n", reason.id(), reason.sentence());
        }
        let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/reasons.md");
        if std::env::var_os("LARDER_WRITE_GOLDEN").is_some() {
            std::fs::write(&path, &page).unwrap();
        }
        assert_eq!(std::fs::read_to_string(&path).unwrap_or_default(), page);
    }
}
