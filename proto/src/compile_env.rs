//! Which environment variables a compile request carries.
//!
//! Everything a GNU or Clang toolchain is documented to read, what the C library and the dynamic loader read on
//! its behalf, and PATH, through which a driver finds its assembler. Values serve keys and are never logged.
//! Sources: GCC manual "Environment Variables Affecting GCC", Clang manual "Environment variables", ld.so(8),
//! locale(7), and the strings of the tools themselves.

/// Exact names, in byte order.
const NAMES: &[&str] = &[
    "AS",
    "AS_SECURE_LOG_FILE",
    "BINUTILS_ROOT",
    "CCC_ADD_ARGS",
    "CCC_OVERRIDE_OPTIONS",
    "CLANG_CONFIG_FILE_SYSTEM_DIR",
    "CLANG_CONFIG_FILE_USER_DIR",
    "CLANG_MODULE_CACHE_PATH",
    "CLANG_NO_DEFAULT_CONFIG",
    "CLICOLOR_FORCE",
    "COLORTERM",
    "COLUMNS",
    "COMPILER_PATH",
    "CPATH",
    "CPLUS_INCLUDE_PATH",
    "C_INCLUDE_PATH",
    "DEPENDENCIES_OUTPUT",
    "EXPERIMENTAL_SARIF_SOCKET",
    "FORCE_CLANG_DIAGNOSTICS_CRASH",
    "G++_ROOT",
    "GCC_COLORS",
    "GCC_COMPARE_DEBUG",
    "GCC_DIAGNOSTICS_LOG",
    "GCC_EXEC_PREFIX",
    "GCC_EXTRA_DIAGNOSTIC_OUTPUT",
    "GCC_ROOT",
    "GCC_SPECS",
    "GCC_URLS",
    "GCONV_PATH",
    "GCOV_PREFIX",
    "GCOV_PREFIX_STRIP",
    "GLIBC_TUNABLES",
    "GNUTARGET",
    "HOME",
    "LANG",
    "LANGUAGE",
    "LARDER_PORTABLE",
    "LDEMULATION",
    "LIBCTF_DEBUG",
    "LIBRARY_PATH",
    "LOCPATH",
    "LPATH",
    "NO_COLOR",
    "OBJCPLUS_INCLUDE_PATH",
    "OBJC_INCLUDE_PATH",
    "OUTPUT_CHARSET",
    "PATH",
    "POSIXLY_CORRECT",
    "PWD",
    "RC_DEBUG_OPTIONS",
    "SDKROOT",
    "SOURCE_DATE_EPOCH",
    "SUNPRO_DEPENDENCIES",
    "TBB_VERSION",
    "TEMP",
    "TERM",
    "TERMINFO",
    "TERMINFO_DIRS",
    "TERM_URLS",
    "TMP",
    "TMPDIR",
    "TZ",
    "ZERO_AR_DATE",
];

/// Prefixes: every variable that starts with one of these is carried.
const PREFIXES: &[&str] = &[
    "CC_LOG_",
    "CC_PRINT_",
    "CLANG_",
    "COLLECT_",
    "CROSS_",
    "LC_",
    "LD_",
    "LIBCLANG_",
    "LLD_",
    "LLVM_",
    "MALLOC_",
    "MIMALLOC_",
    "MOLD_",
    "mimalloc_",
];

/// Suffixes: every variable that ends with one of these is carried.
const SUFFIXES: &[&str] = &["_DEPLOYMENT_TARGET"];

/// Whether a compile request carries the variable `name`.
#[must_use]
pub fn is_carried(name: &[u8]) -> bool {
    NAMES.binary_search_by(|known| known.as_bytes().cmp(name)).is_ok()
        || PREFIXES.iter().any(|prefix| name.starts_with(prefix.as_bytes()))
        || SUFFIXES.iter().any(|suffix| name.ends_with(suffix.as_bytes()))
}

/// Tools whose requests carry every variable: what sources and procedural macros read is known only afterwards.
const READ_ANYTHING: &[&str] = &["clippy-driver", "rustc"];

/// Whether requests for the tool called `name`, a path or not, carry every variable.
#[must_use]
pub fn carries_everything(name: &[u8]) -> bool {
    let name = name.rsplit(|byte| *byte == b'/').next().unwrap_or(name);
    READ_ANYTHING.iter().any(|known| known.as_bytes() == name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_sorted_so_that_each_can_be_found() {
        assert!(NAMES.is_sorted());
        assert!(NAMES.iter().all(|name| is_carried(name.as_bytes())));
    }

    #[test]
    fn locale_and_loader_variables_are_carried_and_secrets_are_not() {
        assert!(is_carried(b"LC_MESSAGES"));
        assert!(is_carried(b"LD_LIBRARY_PATH"));
        assert!(is_carried(b"MACOSX_DEPLOYMENT_TARGET"));
        assert!(!is_carried(b"AWS_SECRET_ACCESS_KEY"));
    }

    #[test]
    fn rust_compilers_are_known_by_their_files_names() {
        assert!(carries_everything(b"rustc") && carries_everything(b"/t/bin/clippy-driver"));
        assert!(!carries_everything(b"gcc") && !carries_everything(b"/rustc/cc"));
    }
}
