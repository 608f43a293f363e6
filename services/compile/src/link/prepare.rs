//! What a link is known by before it is known what it reads.

use std::sync::Arc;

use larder_service::{Hasher, Reason};

use super::{Linking, args};
use crate::args::Refusal;
use crate::arguments::Arguments;
use crate::call::Call;
use crate::environment::Shown;
use crate::identity::Tool;
use crate::inputs::about;
use crate::paths;
use crate::record::Draft;
use crate::state::Core;

/// Changes whenever what a key means changes, so that no older result is found again.
const FORMAT: &[u8] = &[2];

impl Core {
    /// Takes a link apart and makes its base key; `draft` learns what becomes known on the way.
    pub(crate) async fn prepare_link(
        self: &Arc<Self>,
        call: &Arc<Call>,
        tool: Arc<Tool>,
        arguments: Arguments,
        draft: &mut Draft,
    ) -> Result<Linking, Refusal> {
        let request = match &*tool {
            Tool::Compiler(driver) => args::driver(driver.dialect.family, &arguments.all)?,
            _ => args::linker(&arguments.all)?,
        };
        draft.linked(&request);
        for output in std::iter::once(&request.output).chain(&request.list) {
            let path = paths::resolve(&call.cwd, output);
            if path.symlink_metadata().is_ok_and(|meta| !meta.is_file()) {
                return Err(about(Reason::OutputNotAFile, output));
            }
        }
        let linker = match self.compilers.known_linker(&tool, call, &request.ask) {
            Some(known) => known?,
            None => {
                let (tool, options) = (Arc::clone(&tool), request.ask.clone());
                let ask = move |core: &Self, call: &Arc<Call>| core.compilers.linker(&tool, call, &options);
                self.blocking(call, ask).await?
            }
        };
        let mut hasher = Hasher::key("link");
        hasher.field("format", FORMAT);
        hasher.field("tool", &tool.key().0);
        hasher.field("linker", &linker.key.0);
        for arg in &request.key_args {
            hasher.field("argument", arg);
        }
        // A library without a name of its own can get that of its file.
        hasher.field("name", paths::split(&request.output).1);
        if let Some(list) = &request.list {
            hasher.field("list", list);
            hasher.field("output", &request.output);
        }
        let shown = Shown { cwd: false, terminal: call.stderr_terminal };
        call.env.add_to_key(&mut hasher, shown);
        if shown.terminal {
            hasher.field("columns", &call.terminal_columns.to_le_bytes());
        }
        let base = hasher.finish_key();
        let (call, arguments, request) = (Arc::clone(call), Arc::new(arguments), Arc::new(request));
        Ok(Linking { call, tool, linker, arguments, request, base })
    }
}
