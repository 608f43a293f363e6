//! Where libFuzzer is entered.
#![expect(unsafe_code, reason = "libFuzzer is C++: it calls, and is called, with pointers")]

use std::ffi::{CString, c_char, c_int};
use std::os::unix::ffi::OsStringExt as _;
use std::process::ExitCode;
use std::sync::OnceLock;

use crate::Check;

static CHECK: OnceLock<Check> = OnceLock::new();

unsafe extern "C" {
    fn LLVMFuzzerRunDriver(
        argc: *mut c_int,
        argv: *mut *mut *mut c_char,
        one: extern "C" fn(*const u8, usize) -> c_int,
    ) -> c_int;
}

/// A panic cannot leave it, and so aborts, which libFuzzer reports.
extern "C" fn one(data: *const u8, size: usize) -> c_int {
    let bytes = match size {
        0 => &[],
        // SAFETY: libFuzzer owns `size` bytes at `data` for as long as this call takes.
        _ => unsafe { std::slice::from_raw_parts(data, size) },
    };
    CHECK.get().expect("set before libFuzzer runs")(bytes);
    0
}

/// Hands this program's arguments to libFuzzer, which calls `check` until its time is over.
pub(crate) fn run(check: Check) -> ExitCode {
    CHECK.get_or_init(|| check);
    let args = std::env::args_os().filter_map(|arg| CString::new(arg.into_vec()).ok());
    let mut args: Vec<_> = args.map(CString::into_raw).collect();
    let mut count = c_int::try_from(args.len()).unwrap_or(c_int::MAX);
    args.push(std::ptr::null_mut());
    let mut args = args.leak().as_mut_ptr();
    // SAFETY: as C's `main` has them: `count` strings that live on, and a null behind them.
    let code = unsafe { LLVMFuzzerRunDriver(&mut count, &mut args, one) };
    ExitCode::from(u8::try_from(code).unwrap_or(1))
}
