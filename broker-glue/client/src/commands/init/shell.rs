//! The lines that a shell reads when it starts.

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

const BEGIN: &str = "# >>> larder init >>>";
const END: &str = "# <<< larder init <<<";

/// Variables, with what follows the path of larder in each.
const VARIABLES: [(&str, &str); 3] =
    [("CMAKE_C_COMPILER_LAUNCHER", ""), ("CMAKE_CXX_COMPILER_LAUNCHER", ""), ("GOCACHEPROG", " go")];

/// A shell whose start-up file is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shell {
    Bash,
    Zsh,
    Fish,
}

impl Shell {
    /// The one that `SHELL` names.
    pub(super) fn of(shell: Option<&OsStr>) -> Option<Self> {
        match Path::new(shell?).file_name()?.to_str()? {
            "bash" => Some(Self::Bash),
            "zsh" => Some(Self::Zsh),
            "fish" => Some(Self::Fish),
            _ => None,
        }
    }

    /// The file that every interactive shell of this kind reads.
    pub(super) fn file(self, home: &Path, variable: impl Fn(&str) -> Option<OsString>) -> PathBuf {
        let folder = |name| variable(name).map(PathBuf::from).filter(|path| path.is_absolute());
        match self {
            Self::Bash => home.join(".bashrc"),
            Self::Zsh => folder("ZDOTDIR").unwrap_or_else(|| home.to_owned()).join(".zshrc"),
            Self::Fish => folder("XDG_CONFIG_HOME")
                .unwrap_or_else(|| home.join(".config"))
                .join("fish/conf.d/larder.fish"),
        }
    }

    /// The lines that set what is not set already.
    pub(super) fn lines(self, larder: &str) -> String {
        let line = |(name, rest): &(&str, &str)| {
            let value = quoted(&format!("{larder}{rest}"), self);
            match self {
                Self::Bash | Self::Zsh => format!("[ -n \"${{{name}+set}}\" ] || export {name}={value}\n"),
                Self::Fish => format!("set -q {name}; or set -gx {name} {value}\n"),
            }
        };
        VARIABLES.iter().map(line).collect()
    }
}

/// `text` as one word that stands for itself.
fn quoted(text: &str, shell: Shell) -> String {
    let quoted = match shell {
        Shell::Fish => text.replace('\\', "\\\\").replace('\'', "\\'"),
        Shell::Bash | Shell::Zsh => text.replace('\'', "'\\''"),
    };
    format!("'{quoted}'")
}

/// `text` with `block` between the marks, in place or at the end; without marks where there is no block. `None` where
/// only the first mark is there.
pub(super) fn with_block(text: &str, block: Option<&str>) -> Option<String> {
    let new = block.map(|block| format!("{BEGIN}\n{block}{END}\n")).unwrap_or_default();
    let Some(start) = text.find(BEGIN) else {
        let gap = if new.is_empty() || text.is_empty() || text.ends_with('\n') { "" } else { "\n" };
        return Some(format!("{text}{gap}{new}"));
    };
    let end = start + text[start..].find(END)? + END.len();
    let rest = text[end..].strip_prefix('\n').unwrap_or(&text[end..]);
    Some(format!("{}{new}{rest}", &text[..start]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_block_is_put_in_renewed_and_taken_out() {
        let before = "alias a=b";
        let there = with_block(before, Some("one\n")).unwrap();
        assert_eq!(there, "alias a=b\n# >>> larder init >>>\none\n# <<< larder init <<<\n");
        let more = there.clone() + "alias c=d\n";
        assert_eq!(with_block(&more, Some("one\n")).unwrap(), more);
        assert!(with_block(&more, Some("two\n")).unwrap().contains("two\n# <<< larder init <<<\nalias c=d"));
        assert_eq!(with_block(&more, None).unwrap(), "alias a=b\nalias c=d\n");
        assert_eq!(with_block("", None).unwrap(), "");
        assert_eq!(with_block(BEGIN, None), None);
    }

    #[test]
    fn each_shell_has_its_own_file_and_words() {
        let none = |_: &str| None;
        let home = Path::new("/h");
        assert_eq!(Shell::of(Some(OsStr::new("/bin/tcsh"))), None);
        let zsh = Shell::of(Some(OsStr::new("/bin/zsh"))).unwrap();
        assert_eq!(zsh.file(home, none), Path::new("/h/.zshrc"));
        assert_eq!(Shell::Fish.file(home, none), Path::new("/h/.config/fish/conf.d/larder.fish"));
        assert!(Shell::Bash.lines("/it's/larder").contains("export GOCACHEPROG='/it'\\''s/larder go'\n"));
        assert!(Shell::Fish.lines("/b/larder").contains("set -gx GOCACHEPROG '/b/larder go'\n"));
    }
}
