//! Panics of the library that asks the broker.
//!
//! It starts threads in a way that panics where the machine has none left. To a build that is one more reason to do
//! without larder: an error, and no report of a panic on the build's standard error.

use std::cell::Cell;
use std::panic::{self, AssertUnwindSafe};
use std::sync::Once;

/// Name of the threads that the library's work is done on.
const LIBRARYS: &str = "tokio-rt-worker";

thread_local! {
    static GUARDED: Cell<bool> = const { Cell::new(false) };
}

/// What `work` gives; `None` where it panics. Nothing is printed then.
pub(crate) fn quietly<T>(work: impl FnOnce() -> T) -> Option<T> {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let usual = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            let librarys = std::thread::current().name() == Some(LIBRARYS);
            if !librarys && !GUARDED.get() {
                usual(info);
            }
        }));
    });
    let within = GUARDED.replace(true);
    let result = panic::catch_unwind(AssertUnwindSafe(work));
    GUARDED.set(within);
    result.ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[expect(clippy::panic, reason = "it is what is guarded against")]
    fn a_panic_is_no_value_and_what_follows_is_not_guarded() {
        assert_eq!(quietly(|| 1), Some(1));
        assert_eq!(quietly(|| panic!("no thread")), None::<()>);
        assert!(!GUARDED.get());
    }
}
