//! What fuzz targets need to reach and nobody else may.

use larder_proto::v1::Lookup;

use crate::args::response;
use crate::call::Call;
use crate::manifest::{self, codec};

/// `args` with their response files read; `None` when one is refused.
pub fn expand(args: &[Vec<u8>], read: impl FnMut(&[u8]) -> Option<Vec<u8>>) -> Option<Vec<Vec<u8>>> {
    response::expand(args, read).ok()
}

/// Whether `lookup` is taken for a call.
#[must_use]
pub fn is_a_call(lookup: Lookup) -> bool {
    Call::new(lookup).is_ok()
}

/// A manifest.
#[derive(Debug, PartialEq, Eq)]
pub struct Manifest(manifest::Manifest);

impl Manifest {
    /// The stored form's first byte.
    pub const VERSION: u8 = codec::VERSION;

    /// Reads the stored form.
    #[must_use]
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        codec::decode(bytes).ok().map(Self)
    }

    /// Writes the stored form.
    #[must_use]
    pub fn encode(&self) -> Option<Vec<u8>> {
        codec::encode(&self.0)
    }

    /// It has no entry.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.entries.is_empty()
    }

    /// How many absent files it speaks of.
    #[must_use]
    pub fn absent(&self) -> usize {
        let mut count = 0;
        for entry in &self.0.entries {
            entry.absent.each(|_, _| count += 1);
        }
        count
    }
}
