//! The stored form of manifests.

use larder_compile::fuzzing::Manifest;

/// What can be read can be written, and its references lead somewhere.
pub fn check(bytes: &[u8]) {
    for bytes in [bytes.to_vec(), [&[Manifest::VERSION], bytes].concat()] {
        let Some(manifest) = Manifest::decode(&bytes) else { continue };
        let _ = manifest.absent();
        let Some(written) = manifest.encode() else {
            assert!(manifest.is_empty(), "what was read is not written");
            continue;
        };
        assert!(written.len() <= bytes.len(), "what is written is longer than what was read");
        assert_eq!(Manifest::decode(&written), Some(manifest), "what is written reads back");
    }
}
