//! What a service is given to live in.

use std::path::PathBuf;
use std::sync::Arc;

use crate::{Board, Clock};

/// Everything outside itself that a service may use.
#[derive(Clone)]
pub struct Context {
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Where finished requests are counted.
    pub board: Arc<Board>,
    /// Folder for files that only this daemon's clients write and read while a request runs; private to the user.
    pub tmp: PathBuf,
    /// Inode of the daemon's mount namespace, and device and inode of its root folder: a caller with others sees
    /// other files. 0 where unknown.
    pub filesystem_view: (u64, u64, u64),
}
