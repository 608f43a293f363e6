//! What only fuzz targets need.

use crate::noted;

/// Panics where what is read of `bytes` as a note's body is not written the same way again.
pub fn check_note(bytes: &[u8]) {
    if let Ok(files) = noted::decode(bytes) {
        assert_eq!(noted::encode(&files), bytes, "one note has one form");
    }
}
