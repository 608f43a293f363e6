//! The project that is built: libgit2, whose sources a crate carries.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, bail};
use serde_json::Value;

use crate::{run, workspace};

/// The crate that carries the sources.
const CRATE: &str = "libgit2-sys";

/// Fixed, so that every demonstration builds the same files.
const VERSION: &str = "=0.18.8";

/// Folders below the sources whose C files make the library on Linux.
const FOLDERS: [&str; 11] = [
    "src/libgit2",
    "src/libgit2/streams",
    "src/libgit2/transports",
    "src/util",
    "src/util/unix",
    "src/util/hash/rfc6234",
    "src/util/hash/sha1dc",
    "deps/llhttp",
    "deps/pcre2",
    "deps/xdiff",
    "deps/zlib",
];

/// Files of folders that hold one implementation per system.
const FILES: [&str; 4] = [
    "src/util/allocators/failalloc.c",
    "src/util/allocators/stdalloc.c",
    "src/util/hash/builtin.c",
    "src/util/hash/collisiondetect.c",
];

/// In one of the folders, and not part of the library.
const LEFT_OUT: [&str; 1] = ["deps/pcre2/pcre2_fuzzsupport.c"];

const INCLUDES: [&str; 7] =
    ["include", "src/libgit2", "src/util", "deps/llhttp", "deps/pcre2", "deps/xdiff", "deps/zlib"];

/// What libgit2's own build would find out about a 64-bit Linux.
const FEATURES: &str = "\
#define GIT_THREADS 1
#define GIT_TRACE 1
#define GIT_ARCH_64 1
#define GIT_USE_NSEC 1
#define GIT_USE_STAT_MTIM 1
#define GIT_IO_POLL 1
#define GIT_IO_SELECT 1
#define GIT_HTTPPARSER_BUILTIN 1
#define GIT_REGEX_BUILTIN 1
#define GIT_COMPRESSION_BUILTIN 1
#define GIT_SHA1_COLLISIONDETECT 1
#define GIT_SHA256_BUILTIN 1
";

const DEFINES: [&str; 21] = [
    "-D_GNU_SOURCE",
    "-DSHA1DC_NO_STANDARD_INCLUDES=1",
    "-DSHA1DC_CUSTOM_INCLUDE_SHA1_C=\"common.h\"",
    "-DSHA1DC_CUSTOM_INCLUDE_UBC_CHECK_C=\"common.h\"",
    "-DPCRE2_STATIC",
    "-DPCRE2_EXPORT=",
    "-DPCRE2_EXP_DECL=",
    "-DPCRE2_EXP_DEFN=",
    "-DPCRE2_CODE_UNIT_WIDTH=8",
    "-DSUPPORT_PCRE2_8=1",
    "-DSUPPORT_UNICODE=1",
    "-DLINK_SIZE=2",
    "-DHEAP_LIMIT=20000000",
    "-DMATCH_LIMIT=10000000",
    "-DMATCH_LIMIT_DEPTH=MATCH_LIMIT",
    "-DMAX_VARLOOKBEHIND=255",
    "-DNEWLINE_DEFAULT=2",
    "-DPARENS_NEST_LIMIT=250",
    "-DMAX_NAME_SIZE=128",
    "-DMAX_NAME_COUNT=10000",
    "-DNO_GZIP",
];

/// The folder of libgit2's sources, fetched by cargo where cargo does not have it yet.
pub(super) fn fetch() -> anyhow::Result<PathBuf> {
    let folder = workspace::root().join("target/demo");
    fs::create_dir_all(folder.join("src")).with_context(|| format!("failed to make {}", folder.display()))?;
    // A workspace of its own, so that larder's lock file stays as it is.
    let manifest = format!(
        "[package]\nname = \"sources\"\nedition = \"2024\"\n\n[dependencies]\n{CRATE} = {{ version = \"{VERSION}\", \
         default-features = false, features = [\"vendored\"] }}\n\n[workspace]\n"
    );
    fs::write(folder.join("Cargo.toml"), manifest)?;
    fs::write(folder.join("src/lib.rs"), "")?;
    let mut command = run::cargo(&["metadata", "--format-version", "1"]);
    let output = run::output(command.arg("--manifest-path").arg(folder.join("Cargo.toml")))
        .context("failed to fetch the sources\nhint: crates.io must be reachable the first time")?;
    let metadata: Value = serde_json::from_slice(&output.stdout)?;
    let packages = metadata["packages"].as_array().into_iter().flatten();
    let package = packages.into_iter().find(|package| package["name"] == CRATE);
    let manifest = package.and_then(|package| package["manifest_path"].as_str());
    let manifest = manifest.with_context(|| format!("failed to find {CRATE} in what cargo metadata says"))?;
    Ok(Path::new(manifest).with_file_name("libgit2"))
}

/// The sources, and where their objects go.
pub(super) struct Project {
    source: PathBuf,
    /// Where every compiler runs.
    work: PathBuf,
    /// C files, relative to the sources.
    pub(super) files: Vec<String>,
}

impl Project {
    /// Finds the C files, and makes folders for the objects below `work`.
    pub(super) fn lay_out(source: &Path, work: &Path) -> anyhow::Result<Self> {
        let mut files: Vec<String> = FILES.iter().map(|file| (*file).to_owned()).collect();
        for folder in FOLDERS {
            let path = source.join(folder);
            for entry in fs::read_dir(&path).with_context(|| format!("failed to list {}", path.display()))? {
                let name = entry?.file_name();
                let file = format!("{folder}/{}", name.to_string_lossy());
                if file.ends_with(".c") && !LEFT_OUT.contains(&file.as_str()) {
                    files.push(file);
                }
            }
        }
        files.sort();
        fs::create_dir_all(work.join("include"))?;
        fs::write(work.join("include/git2_features.h"), FEATURES)?;
        let project = Self { source: source.to_owned(), work: work.to_owned(), files };
        project.make_folders()?;
        Ok(project)
    }

    /// The compile of `file`, by `command`, which is gcc with or without larder.
    pub(super) fn compile<'a>(&self, command: &'a mut Command, file: &str) -> &'a mut Command {
        command.current_dir(&self.work).env("PWD", &self.work);
        command.args(["-O2", "-g", "-fPIC", "-fvisibility=hidden", "-w", "-Iinclude"]);
        for include in INCLUDES {
            command.arg(format!("-I{}", self.source.join(include).display()));
        }
        command.args(DEFINES).arg("-MD").arg("-MF").arg(output(file, "d"));
        command.arg("-c").arg(self.source.join(file)).arg("-o").arg(output(file, "o"))
    }

    /// Puts the outputs aside as those that all others must equal.
    pub(super) fn keep_reference(&self) -> anyhow::Result<()> {
        fs::rename(self.work.join("build"), self.work.join("reference"))?;
        self.make_folders()
    }

    pub(super) fn compare_with_reference(&self) -> anyhow::Result<()> {
        for file in &self.files {
            for extension in ["o", "d"] {
                let output = output(file, extension);
                let below = output.strip_prefix("build").unwrap_or(&output);
                let reference = self.work.join("reference").join(below);
                let output = self.work.join(&output);
                let read = |path: &Path| {
                    fs::read(path).with_context(|| format!("failed to read {}", path.display()))
                };
                if read(&output)? != read(&reference)? {
                    bail!(
                        "{} is not what gcc makes of {file} without larder, which is in {}",
                        output.display(),
                        reference.display()
                    );
                }
            }
        }
        Ok(())
    }

    pub(super) fn remove_outputs(&self) -> anyhow::Result<()> {
        fs::remove_dir_all(self.work.join("build"))?;
        self.make_folders()
    }

    fn make_folders(&self) -> anyhow::Result<()> {
        for file in &self.files {
            let output = self.work.join(output(file, "o"));
            if let Some(folder) = output.parent() {
                fs::create_dir_all(folder)?;
            }
        }
        Ok(())
    }
}

/// Output of `file`, relative to the work folder.
fn output(file: &str, extension: &str) -> PathBuf {
    Path::new("build").join(file).with_extension(extension)
}
