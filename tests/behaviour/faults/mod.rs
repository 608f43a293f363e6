//! Something of larder's is broken, stopped, full or gone while tools run: outputs are the tool's own, and what was
//! damaged is named and made good.

mod disk;
mod limits;
mod read_only;
mod restoring;
mod stalled;
mod stopped;
mod threads;
