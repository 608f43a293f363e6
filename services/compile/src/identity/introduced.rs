//! A compiler that is known without being asked: benches have one of their own, of which nothing can run.

use std::path::PathBuf;
use std::sync::Arc;

use larder_service::{Hasher, Reason};

use super::premises::Collector;
use super::verbose::Verbose;
use super::{Compilers, Driver, Tool, Toolset, cwd, driver_question, gcc, options, toolset_question};
use crate::args::{Family, Invocation, Refusal};
use crate::call::Call;
use crate::paths;

/// What a GCC consists of.
#[derive(Debug)]
pub struct Introduced {
    /// The compiler proper, the assembler, and the libraries of all of them.
    pub files: Vec<PathBuf>,
    /// Where the driver looks for what it runs and reads by itself.
    pub own_folders: Vec<PathBuf>,
    /// Where the compiler looks for headers by itself.
    pub searched: Vec<Vec<u8>>,
}

impl Compilers {
    /// Takes the tool of `call` for `compiler`, with all that an asked one's identity rests on.
    pub(crate) fn introduce(
        &self,
        compiler: &Introduced,
        call: &Call,
        invocation: &Invocation,
    ) -> Result<(), Refusal> {
        let tool = self.tools.get(driver_question(call), &self.fingerprints, &*self.clock, || {
            let mut collector = Collector::new(&self.fingerprints, &*self.clock);
            let found = driver(&mut collector, call);
            self.answer(found, collector)
        })?;
        let Tool::Compiler(driver) = &*tool else { return Ok(()) };
        let options = options(invocation);
        let question = toolset_question(driver, call, invocation.language, &options, cwd(call, &options));
        self.toolsets.get(question, &self.fingerprints, &*self.clock, || {
            let mut collector = Collector::new(&self.fingerprints, &*self.clock);
            let found = toolset(&mut collector, compiler);
            self.answer(found, collector)
        })?;
        Ok(())
    }
}

fn driver(collector: &mut Collector<'_>, call: &Call) -> Result<Tool, Refusal> {
    let unknown = || Refusal { reason: Reason::CompilerUnknown, detail: paths::path_text(&call.tool) };
    let program = collector.follow(&call.tool).ok_or_else(unknown)?;
    let mut hasher = Hasher::key("driver");
    hasher.field("content", &collector.file(&program)?.hash);
    Ok(Tool::Compiler(Arc::new(Driver { key: hasher.finish_key(), dialect: Family::Gcc.into() })))
}

fn toolset(collector: &mut Collector<'_>, compiler: &Introduced) -> Result<Toolset, Refusal> {
    let mut hasher = Hasher::key("gcc toolset");
    for file in &compiler.files {
        hasher.field("content", &collector.file(file)?.hash);
    }
    for folder in &compiler.own_folders {
        gcc::specs(collector, &mut hasher, &folder.join("specs"))?;
        collector.absent(&folder.join("include"));
    }
    gcc::finish(hasher, Verbose { folders: compiler.searched.clone(), complete: true, ..Verbose::default() })
}
