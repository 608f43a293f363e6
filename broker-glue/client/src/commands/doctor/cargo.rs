//! What Cargo's configuration files say of wrappers.

use std::path::{Path, PathBuf};

use toml_edit::DocumentMut;

use crate::commands::init::{cargo_config, cargo_home, read};

/// `build.NAME` in the files that Cargo reads in this folder, the nearest first: the program, and the file that names it.
pub(super) fn wrapper(name: &str) -> Option<(String, PathBuf)> {
    let here = std::env::current_dir().ok()?;
    let variable = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty());
    let home = std::env::home_dir().map(|home| cargo_home(&home, variable));
    let folders = here.ancestors().map(|folder| folder.join(".cargo")).chain(home);
    let mut files = folders.map(|folder| cargo_config(&folder));
    files.find_map(|file| {
        let text = read(&file).ok()??;
        Some((named(&text, name, &file)?, file))
    })
}

fn named(text: &str, name: &str, file: &Path) -> Option<String> {
    let document: DocumentMut = text.parse().ok()?;
    let program = document.get("build")?.as_table_like()?.get(name)?.as_str()?;
    // A path is told from the folder above the file's.
    let above = file.parent().and_then(Path::parent).unwrap_or(Path::new("/"));
    if program.contains('/') {
        above.join(program).to_str().map(str::to_owned)
    } else {
        Some(program.to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wrapper_is_a_name_or_a_path_from_the_folder_above() {
        let file = Path::new("/p/.cargo/config.toml");
        let named = |text| named(text, "rustc-wrapper", file);
        assert_eq!(named("[build]\nrustc-wrapper = \"sccache\""), Some("sccache".to_owned()));
        assert_eq!(named("build.rustc-wrapper = \"bin/w\""), Some("/p/bin/w".to_owned()));
        assert_eq!(named("build = { rustc-wrapper = \"/b/larder\" }"), Some("/b/larder".to_owned()));
        for none in ["", "build = 1", "[build]\nrustc-wrapper = 1", "= ="] {
            assert_eq!(named(none), None, "{none}");
        }
    }
}
