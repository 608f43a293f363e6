//! Reads what drivers print under `-v`, in the C locale.

/// Most folders taken from one listing.
const MAX_FOLDERS: usize = 4096;

/// What a driver said about its search and its configuration.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Verbose {
    /// Folders searched, and folders that were left out for not existing or standing twice: all places where a
    /// header can be or come to be found.
    pub(crate) folders: Vec<Vec<u8>>,
    /// A folder that is searched by rules of its own (a map of headers, a framework).
    pub(crate) odd_folder: Option<Vec<u8>>,
    /// The search list was complete.
    pub(crate) complete: bool,
    /// GCC's specification file, where one is read.
    pub(crate) specs: Vec<Vec<u8>>,
    /// Clang's configuration files, where some are read.
    pub(crate) configs: Vec<Vec<u8>>,
    /// Where Clang looks for configuration files.
    pub(crate) config_folders: Vec<Vec<u8>>,
    /// GCC installations that Clang saw.
    pub(crate) gcc_installs: Vec<Vec<u8>>,
    /// The target triple.
    pub(crate) target: Vec<u8>,
    /// The compiler proper's command line.
    pub(crate) command: Vec<u8>,
}

impl Verbose {
    pub(crate) fn read(stderr: &[u8]) -> Self {
        let mut verbose = Self::default();
        let mut in_list = false;
        for line in stderr.split(|byte| *byte == b'\n') {
            if line.starts_with(b"#include ") && line.ends_with(b" search starts here:") {
                in_list = true;
            } else if line == b"End of search list." {
                in_list = false;
                verbose.complete = true;
            } else if in_list {
                verbose.searched(line);
            } else {
                verbose.line(line);
            }
        }
        verbose.complete &= verbose.folders.len() <= MAX_FOLDERS;
        verbose
    }

    fn searched(&mut self, line: &[u8]) {
        let Some(folder) = line.strip_prefix(b" ") else { return };
        for suffix in [&b" (framework directory)"[..], b" (headermap)"] {
            if folder.ends_with(suffix) {
                self.odd_folder.get_or_insert_with(|| folder.to_vec());
            }
        }
        self.folder(folder);
    }

    fn line(&mut self, line: &[u8]) {
        let after = |prefix: &str| line.strip_prefix(prefix.as_bytes());
        let quoted = |prefix: &str| after(prefix).and_then(|rest| rest.strip_suffix(b"\""));
        if let Some(folder) = quoted("ignoring nonexistent directory \"") {
            self.folder(folder);
        } else if let Some(folder) = quoted("ignoring duplicate directory \"") {
            self.folder(folder);
        } else if let Some(file) = after("Reading specs from ") {
            self.specs.push(file.to_vec());
        } else if let Some(file) = after("Configuration file: ") {
            self.configs.push(file.to_vec());
        } else if let Some(folder) = after("System configuration file directory: ") {
            self.config_folders.push(folder.to_vec());
        } else if let Some(folder) = after("User configuration file directory: ") {
            self.config_folders.push(folder.to_vec());
        } else if let Some(folder) = after("Found candidate GCC installation: ") {
            self.gcc_installs.push(folder.to_vec());
        } else if let Some(target) = after("Target: ") {
            self.target = target.to_vec();
        } else if line.starts_with(b" ") && self.command.is_empty() && contains(line, b" -E ") {
            self.command = line.to_vec();
        }
    }

    fn folder(&mut self, folder: &[u8]) {
        if self.folders.len() <= MAX_FOLDERS && !self.folders.iter().any(|known| known == folder) {
            self.folders.push(folder.to_vec());
        }
    }
}

fn contains(text: &[u8], part: &[u8]) -> bool {
    text.windows(part.len()).any(|window| window == part)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn gccs_listing_is_read() {
        let verbose = Verbose::read(
            b"Using built-in specs.\nTarget: x86_64-linux-gnu\n /lib/cc1 -E -quiet -v -\nignoring nonexistent directory \"/no/where\"\n\
              ignoring duplicate directory \"/usr/include\"\n  as it is a non-system directory that duplicates a system directory\n\
              #include \"...\" search starts here:\n#include <...> search starts here:\n /usr/lib/gcc/include\n /usr/include\nEnd of search list.\n",
        );
        assert!(verbose.complete);
        assert_eq!(verbose.target, b"x86_64-linux-gnu");
        assert_eq!(verbose.command, b" /lib/cc1 -E -quiet -v -");
        let folders = ["/no/where", "/usr/include", "/usr/lib/gcc/include"].map(|f| f.as_bytes().to_vec());
        assert_eq!(verbose.folders, folders);
    }

    #[test]
    fn clangs_listing_is_read() {
        let verbose = Verbose::read(
            b"Configuration file: /etc/clang/clang.cfg\nFound candidate GCC installation: /usr/bin/../lib/gcc/x/12\n \"/usr/bin/clang\" -cc1 -E -v\n\
              #include <...> search starts here:\n maps.hmap (headermap)\n /usr/include\nEnd of search list.\n",
        );
        assert_eq!(verbose.configs, [b"/etc/clang/clang.cfg".to_vec()]);
        assert_eq!(verbose.gcc_installs, [b"/usr/bin/../lib/gcc/x/12".to_vec()]);
        assert_eq!(verbose.odd_folder, Some(b"maps.hmap (headermap)".to_vec()));
    }

    proptest! {
        #[test]
        fn arbitrary_bytes_do_no_harm(bytes in prop::collection::vec(any::<u8>(), 0..500)) {
            let _ = Verbose::read(&bytes);
        }
    }
}
