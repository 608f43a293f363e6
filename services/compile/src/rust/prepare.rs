//! What a crate is known by before it is known what it reads.

use std::sync::Arc;

use larder_service::{Hasher, Reason};

use super::args::FolderKind;
use super::{Crate, args, outputs};
use crate::args::Refusal;
use crate::arguments::Arguments;
use crate::call::Call;
use crate::environment::Shown;
use crate::files;
use crate::identity::Rustc;
use crate::inputs::about;
use crate::paths;
use crate::record::{Draft, bare};
use crate::rust::outputs::Outputs;
use crate::rust::tree::Tree;
use crate::state::Core;

/// Changes whenever what a key means changes, so that no older result is found again.
const FORMAT: &[u8] = &[1];

/// Variables beyond those of C's tools that the compiler reads, and that can change what it makes or says.
const VARIABLES: &[&str] = &[
    "POLONIUS_ALGORITHM",
    "RUSTC_BOOTSTRAP",
    "RUSTC_BREAK_ON_ICE",
    "RUSTC_CTFE_BACKTRACE",
    "RUSTC_FORCE_RUSTC_VERSION",
    "RUSTC_OVERRIDE_VERSION_STRING",
    "RUST_DEP_GRAPH",
    "RUST_FORBID_DEP_GRAPH_EDGE",
    "RUST_MIN_STACK",
    "RUST_TARGET_PATH",
    "UNSTABLE_RUSTDOC_TEST_PATH",
];

/// Variables of which it matters to messages whether they are there.
const TOLD_APART: &[&str] = &["CARGO", "CARGO_CRATE_NAME"];

/// What Clippy's driver reads.
const OF_CLIPPY: &[&str] =
    &["CARGO_MANIFEST_DIR", "CARGO_PRIMARY_PACKAGE", "CARGO_PKG_RUST_VERSION", "SYSROOT"];

/// Variables that make the compiler write, or say, what is not kept.
pub(super) const FORBIDDEN: &[&str] = &["RUSTC_LOG", "RUSTC_ICE", "RUSTC_TRANSLATION_NO_DEBUG_ASSERT"];

impl Core {
    /// Takes the call apart and makes its base key; `draft` learns what becomes known on the way. May run the compiler:
    /// for threads that may block.
    pub(crate) fn prepare_crate(&self, call: &Arc<Call>, draft: &mut Draft) -> Result<Crate, Refusal> {
        let mut arguments = Arguments::of_rustc(call)?;
        let (_, tool) = paths::split(&call.tool_name);
        if tool == b"clippy-driver" {
            // As Cargo calls it, with the compiler that it stands in for.
            let first = arguments.all.first().filter(|first| paths::split(first).1 == b"rustc");
            if first.is_none() {
                return Err(bare(Reason::NotACompile));
            }
            arguments.all.remove(0);
        }
        let request = args::parse(&arguments.all).inspect_err(|_| draft.named_crate(&arguments.all))?;
        draft.crate_parsed(call, &request);
        if let Some(name) = FORBIDDEN.iter().find(|name| call.whole_env.get(name).is_some()) {
            return Err(about(Reason::EnvironmentUncacheable, name.as_bytes()));
        }
        let target = request.target.as_deref();
        let rustc = match self.compilers.known_rustc(call, target) {
            Some(known) => known?,
            None => self.compilers.rustc(call, target)?,
        };
        let tree = Tree::of(call, &request, rustc.lints);
        let outputs = Outputs::of(&request);
        for name in outputs::expected(&request) {
            let Some(place) = outputs.place(&name) else { continue };
            if paths::resolve(&call.cwd, &place).symlink_metadata().is_ok_and(|meta| !meta.is_file()) {
                return Err(about(Reason::OutputNotAFile, &place));
            }
        }
        let linker = if request.links() { Some(self.crate_linker(call, &rustc, &request)?) } else { None };
        let digest = |spelled: &[u8]| {
            files::fingerprint(&self.fingerprints, &paths::resolve(&call.cwd, spelled))
                .map(|found| found.digest)
        };
        let source = digest(&request.source)?;
        let mut externs = Vec::with_capacity(request.externs.len());
        for one in &request.externs {
            if let Some(path) = &one.path {
                externs.push((one.name.clone(), digest(path)?));
            }
        }
        let mut hasher = Hasher::key("crate");
        hasher.field("format", FORMAT);
        hasher.field("rustc", &rustc.key.0);
        hasher.field("lints", &[u8::from(rustc.lints)]);
        if let Some(linker) = &linker {
            hasher.field("linker", &linker.key.0);
        }
        hasher.field("crate", &request.crate_name);
        for (kind, file) in &request.emit {
            hasher.field("emit", &[*kind as u8, u8::from(file.is_some())]);
        }
        for kind in &request.crate_types {
            hasher.field("type", &[*kind as u8]);
        }
        let place = |spelled: &[u8]| {
            tree.as_ref().map_or_else(|| spelled.to_vec(), |tree| tree.root.taken_out(spelled))
        };
        let added = tree.as_ref().and_then(Tree::added);
        for arg in request.key_args.iter().chain(&added) {
            hasher.field("argument", &tree.as_ref().map_or_else(|| arg.clone(), |tree| tree.argument(arg)));
        }
        hasher.field("target", request.target.as_deref().unwrap_or_default());
        // Everything that is written names the source, and where it was compiled.
        hasher.field("cwd", &place(&paths::into_bytes(call.cwd.clone())));
        hasher.field("source", &place(&request.source));
        for (at, one) in request.externs.iter().filter(|one| one.path.is_none()).enumerate() {
            hasher.field("comes with it", &[&at.to_le_bytes()[..], &one.name].concat());
        }
        for file in &request.files {
            hasher.field("file", &digest(file)?.hash);
        }
        for (kind, _) in request.folders.iter().filter(|(kind, _)| *kind != FolderKind::Dependency) {
            hasher.field("folder", &[*kind as u8]);
        }
        if request.shows_out_dir {
            hasher.field("output folder", &request.out_dir);
        }
        if request.native_cpu {
            hasher.field(
                "processor",
                &processor().ok_or_else(|| about(Reason::OptionUncacheable, b"target-cpu=native"))?,
            );
        }
        add_variables(call, &rustc, &mut hasher);
        let mut seen = hasher.clone();
        hasher.field("content", &source.hash);
        for (name, digest) in &externs {
            hasher.field("extern", name);
            hasher.field("content", &digest.hash);
        }
        let base = hasher.finish_key();
        seen.field("place", &request.out_dir);
        let seen = seen.finish_key();
        Ok(Crate {
            call: Arc::clone(call),
            rustc,
            arguments: Arc::new(arguments),
            request: Arc::new(request),
            outputs: Arc::new(outputs),
            source,
            externs: Arc::new(externs),
            tree,
            linker,
            base,
            seen,
        })
    }
}

pub(super) fn add_variables(call: &Call, rustc: &Rustc, hasher: &mut Hasher) {
    let mut env = call.env.clone();
    // What the loader binds by it is part of the compiler's identity.
    env.retain(|name| name != b"LD_LIBRARY_PATH");
    env.add_to_key(hasher, Shown { cwd: false, terminal: false });
    for name in VARIABLES {
        hasher.field(name, call.whole_env.get(name).unwrap_or_default());
    }
    for name in TOLD_APART {
        hasher.field(name, &[u8::from(call.whole_env.get(name).is_some())]);
    }
    if rustc.lints {
        for name in OF_CLIPPY {
            hasher.field(name, call.whole_env.get(name).unwrap_or_default());
        }
        let is_clippys = |name: &[u8]| name.starts_with(b"CLIPPY_") && name != b"CLIPPY_TERMINAL_WIDTH";
        for (name, value) in call.whole_env.iter().filter(|(name, _)| is_clippys(name)) {
            hasher.field("variable", name);
            hasher.field("value", value);
        }
    }
}

/// What a processor is to a compiler that asks it.
fn processor() -> Option<Vec<u8>> {
    const LINES: [&[u8]; 6] = [b"vendor_id", b"cpu family", b"model", b"stepping", b"flags", b"Features"];
    let text = std::fs::read("/proc/cpuinfo").ok()?;
    let first = memchr::memmem::find(&text, b"\n\n").map_or(text.as_slice(), |end| &text[..end]);
    let wanted = |line: &&[u8]| LINES.iter().any(|name| line.starts_with(name));
    Some(first.split(|byte| *byte == b'\n').filter(wanted).flatten().copied().collect())
}
