//! What benches need to reach and nobody else may: the phases of a lookup, each by itself.

use std::sync::Arc;

use larder_proto::v1::Lookup;
use larder_service::{ConnectionId, Key};

use crate::Compile;
use crate::args::{self, Family};
use crate::arguments::Arguments;
use crate::call::Call;
pub use crate::identity::Introduced;
use crate::key::{self, Parts};
use crate::lookup::{Found, Prepared, Work};
use crate::record::Draft;
use crate::rust;
use crate::state::Core;

/// Whether `args`, of a call of `rustc`, are taken apart.
#[must_use]
pub fn parses_rustc(args: &[Vec<u8>]) -> bool {
    rust::args::parse(args).is_ok()
}

/// Has `service` take the tool of `lookup`, which compiles, for `compiler`; whether that is done. Nothing is run.
#[must_use]
pub fn introduce(service: &Compile, compiler: &Introduced, lookup: Lookup) -> bool {
    let Ok(call) = Call::new(lookup) else { return false };
    let Ok(arguments) = Arguments::of(&call) else { return false };
    let invocation = args::parse(Family::Gcc, &arguments.all);
    invocation.is_ok_and(|invocation| service.0.compilers.introduce(compiler, &call, &invocation).is_ok())
}

/// A compile that is known, taken as far as its key.
pub struct Known {
    core: Arc<Core>,
    work: Work,
    connection: ConnectionId,
}

impl Known {
    /// Of the compile that `lookup` asks for; `None` where it is no hit, or no compile of C or C++.
    pub async fn of(service: &Compile, lookup: Lookup, connection: ConnectionId) -> Option<Self> {
        let core = Arc::clone(&service.0);
        let call = Arc::new(Call::new(lookup).ok()?);
        let (work, found) = core.seek(&call, &mut Draft::new(&call), connection).await.ok()?;
        let known = matches!((&work, found), (Work::Compile(_), Found::Known(_)));
        known.then_some(Self { core, work, connection })
    }

    /// The base key, computed again.
    #[must_use]
    pub fn key(&self) -> Option<Key> {
        let Work::Compile(prepared) = &self.work else { return None };
        let Prepared { call, driver, arguments, invocation, toolset, source, portable, .. } = &**prepared;
        let parts = Parts {
            driver: driver.key,
            toolset: toolset.key,
            family: driver.dialect.family,
            call,
            arguments,
            invocation,
            portable: portable.as_ref(),
        };
        Some(key::base(key::without_content(parts), source, None))
    }

    /// Whether the manifest is still found right, and its result there.
    #[must_use]
    pub fn holds(&self) -> bool {
        matches!(self.core.find(&self.work, self.connection), Ok(Found::Known(_)))
    }

    /// Forgets what was looked at, so that the manifest is read and every input of it held against its digest.
    pub fn forget_proof(&self) {
        self.core.proofs.forget();
    }
}
