//! What all requests share.

use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use larder_fingerprint::Fingerprints;
use larder_service::{Context, Reason};
use larder_store::{Owner, Store};

use crate::absence::Absence;
use crate::ahead::Ahead;
use crate::archive::Filing;
use crate::args::Refusal;
use crate::code::{self, Code};
use crate::difference::Earlier;
use crate::directives::{self, Directives};
use crate::identity::Compilers;
use crate::lease::Leases;
use crate::link::{self, Joining, Study};
use crate::lookup::Prepared;
use crate::peers::Peers;
use crate::proof::Proofs;
use crate::record::{Draft, bare};
use crate::rust;
use crate::seen::Seen;
use crate::texts::Texts;
use crate::writers::Writers;

/// What must be free of the disk before a tool is made to write there: more than all tools at once list.
const FREE_BYTES: u64 = 1 << 20;
const FREE_FILES: u64 = 8;

/// Name in statistics, journal, metrics and page.
pub(crate) const NAME: &str = "compile";

/// Whose its records are in the store.
pub const OWNER: Owner = Owner::new(NAME);

/// The service's state.
pub(crate) struct Core {
    pub(crate) context: Context,
    pub(crate) store: Arc<Store>,
    pub(crate) fingerprints: Arc<Fingerprints>,
    pub(crate) compilers: Compilers,
    pub(crate) absence: Absence,
    pub(crate) proofs: Proofs,
    /// What the texts of sources and headers ask for.
    pub(crate) texts: Texts<Directives>,
    /// What compilers go by in texts.
    pub(crate) codes: Texts<Code>,
    /// What the files of links need.
    pub(crate) studies: Texts<Study>,
    pub(crate) rust: rust::Memory,
    pub(crate) seen: Seen,
    pub(crate) earlier: Earlier,
    pub(crate) leases: Leases<Plan>,
    pub(crate) peers: Peers,
    pub(crate) writers: Writers,
    pub(crate) ahead: Ahead,
    /// Held while a manifest is read, changed and written.
    pub(crate) manifests: Mutex<()>,
    /// Tells this daemon's list files from an earlier one's.
    started: u64,
}

/// What is to be done when the tool has ended.
#[derive(Debug)]
pub(crate) struct Plan {
    pub(crate) lease: u64,
    pub(crate) work: Planned,
    pub(crate) draft: Draft,
    /// Reason of the miss, and what it is about.
    pub(crate) why: (Reason, String),
}

/// What the tool is to do.
#[derive(Debug)]
pub(crate) enum Planned {
    Compile(Box<Compiling>),
    Archive(Box<Filing>),
    Link(Box<Joining>),
    Rust(Box<rust::Compiling>),
    Question(Box<rust::Question>),
}

/// A compile under way.
#[derive(Debug)]
pub(crate) struct Compiling {
    pub(crate) prepared: Prepared,
    /// The list of files that the tool read; empty where it lists none, and reads only its source.
    pub(crate) list: PathBuf,
    /// The list is the daemon's own, to be removed.
    pub(crate) list_is_ours: bool,
}

impl Plan {
    /// Removes what only the daemon wanted.
    pub(crate) fn clean(&self) {
        let lists = match &self.work {
            Planned::Compile(compiling) => {
                compiling.list_is_ours.then_some(&compiling.list).into_iter().collect()
            }
            Planned::Link(joining) => joining.list_is_ours.then_some(&joining.list).into_iter().collect(),
            Planned::Rust(compiling) => {
                compiling.lists.iter().flat_map(|lists| [&lists.call, &lists.read]).collect()
            }
            Planned::Archive(_) | Planned::Question(_) => Vec::new(),
        };
        for list in lists {
            // It may never have been written.
            let _ = std::fs::remove_file(list);
        }
    }
}

impl Core {
    pub(crate) fn new(context: Context, store: Arc<Store>, fingerprints: Arc<Fingerprints>) -> Self {
        let started = context.clock.unix_ns();
        Self {
            compilers: Compilers::new(
                Arc::clone(&fingerprints),
                Arc::clone(&context.clock),
                context.tmp.clone(),
            ),
            absence: Absence::new(Arc::clone(&context.clock)),
            proofs: Proofs::default(),
            texts: Texts::new(directives::scan),
            codes: Texts::new(code::read),
            studies: Texts::new(link::study),
            rust: rust::Memory::default(),
            seen: Seen::default(),
            earlier: Earlier::default(),
            leases: Leases::default(),
            peers: Peers::default(),
            writers: Writers::default(),
            ahead: Ahead::default(),
            manifests: Mutex::new(()),
            context,
            store,
            fingerprints,
            started,
        }
    }

    /// Where the tool run under `lease` lists what it reads.
    pub(crate) fn list_file(&self, lease: u64) -> PathBuf {
        self.context.tmp.join(format!("inputs-{:x}-{lease}.d", self.started))
    }

    /// Whether the tool can be made to list what it reads: one that cannot write its list fails.
    pub(crate) fn has_room_for_lists(&self) -> bool {
        let Ok(disk) = rustix::fs::statvfs(&self.context.tmp) else { return false };
        let read_only = disk.f_flag.contains(rustix::fs::StatVfsMountFlags::RDONLY);
        // A file system that does not count files has no limit of them.
        let files = disk.f_files == 0 || disk.f_favail >= FREE_FILES;
        !read_only && files && disk.f_bavail.saturating_mul(disk.f_frsize) >= FREE_BYTES
    }

    /// Has the store's disk tried, and waits for nothing.
    pub(crate) fn touch(&self) {
        let store = Arc::clone(&self.store);
        tokio::task::spawn_blocking(move || store.touch());
    }

    /// Waits for the store's disk to take a file, as long as a healthy one may need.
    pub(crate) async fn disk_answers(&self) -> Result<(), Refusal> {
        let store = Arc::clone(&self.store);
        match tokio::task::spawn_blocking(move || store.answers()).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) => Err(Refusal { reason: Reason::StoreFailed, detail: error.to_string() }),
            Err(_) => Err(bare(Reason::InternalError)),
        }
    }

    /// Counts a finished request.
    pub(crate) fn record(
        &self,
        reason: Reason,
        mut draft: Draft,
        detail: &str,
        tool_us: u64,
        bytes: u64,
    ) -> u64 {
        let compared = std::mem::take(&mut draft.compared);
        let record = draft.finish(&*self.context.clock, detail, tool_us, bytes);
        let id = self.context.board.record(NAME, reason, record);
        self.context.board.comparisons().keep(id, compared);
        id
    }
}
