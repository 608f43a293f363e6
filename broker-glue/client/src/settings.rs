//! The settings that a client goes by, of this process's environment and working folder.

use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use larder_glue::folders::Folders;
use larder_glue::private;
use larder_glue::settings::read::{Complaint, FILE_LIMIT, Place, Set, Value, read};
use larder_glue::settings::{DISABLED, Origin, PORTABLE, Setting, project};

/// What the files say.
#[derive(Debug, Default)]
pub(crate) struct All {
    user: Option<Read>,
    pub(crate) project: Option<Read>,
}

/// What one file says.
#[derive(Debug)]
pub(crate) struct Read {
    pub(crate) file: PathBuf,
    all: Vec<Set>,
    complaints: Vec<Complaint>,
}

impl Read {
    fn of(file: PathBuf, bytes: Result<Vec<u8>, String>, place: Place) -> Self {
        let (all, complaints) = match bytes {
            Ok(bytes) => read(&bytes, place),
            Err(sentence) => (Vec::new(), vec![Complaint { line: 1, sentence }]),
        };
        Self { file, all, complaints }
    }

    fn of_user(file: PathBuf) -> Option<Self> {
        let bytes = private::read_own(&file, FILE_LIMIT).map_err(|error| error.to_string()).transpose()?;
        Some(Self::of(file, bytes, Place::User))
    }

    fn of_project(cwd: &Path) -> Option<Self> {
        let (file, bytes) = project::find(cwd, std::env::home_dir().as_deref())?;
        Some(Self::of(file, bytes.map_err(|error| error.to_string()), Place::Project))
    }
}

impl All {
    /// Of the user, and of the project that the working folder lies in.
    pub(crate) fn read(folders: &Folders) -> Self {
        let cwd = std::env::current_dir().ok();
        Self {
            user: Read::of_user(folders.settings_file()),
            project: cwd.and_then(|cwd| Read::of_project(&cwd)),
        }
    }

    /// What the files make of `setting`, and which of them.
    pub(crate) fn of(&self, setting: &Setting) -> Option<(&Set, Origin)> {
        let places = [(&self.project, Origin::Project), (&self.user, Origin::File)];
        places.into_iter().find_map(|(read, origin)| {
            let set = read.as_ref()?.all.iter().find(|set| set.setting.name == setting.name)?;
            Some((set, origin))
        })
    }

    /// What in the files is ignored, a sentence each, with file and line.
    pub(crate) fn complaints(&self) -> Vec<String> {
        let reads = [&self.project, &self.user].into_iter().flatten();
        reads
            .flat_map(|read| {
                read.complaints.iter().map(|complaint| format!("{}: {complaint}", read.file.display()))
            })
            .collect()
    }

    /// What `LARDER_PORTABLE` would have to be: a folder is absolute. `None` where nobody has set it.
    fn portable(&self) -> Option<Vec<u8>> {
        use std::os::unix::ffi::OsStringExt as _;
        let (set, origin) = self.of(&PORTABLE)?;
        let Value::Text(text) = &set.value else { return None };
        if !text.starts_with('.') {
            return Some(text.clone().into_bytes());
        }
        let read = if origin == Origin::Project { &self.project } else { &self.user };
        let folder = read.as_ref()?.file.parent()?.join(text);
        // Without the dots: the root is held against the names of folders.
        let mut plain = PathBuf::new();
        for part in folder.components() {
            match part {
                std::path::Component::ParentDir => drop(plain.pop()),
                std::path::Component::CurDir => {}
                other => plain.push(other),
            }
        }
        Some(plain.into_os_string().into_vec())
    }
}

/// What this process goes by; the files are read once.
#[derive(Debug)]
pub(crate) struct Own {
    /// Every tool runs without the cache.
    pub(crate) disabled: bool,
    /// As `LARDER_PORTABLE` has it.
    pub(crate) portable: Option<Vec<u8>>,
    /// What in a file is ignored, in one line.
    pub(crate) complaint: Option<String>,
}

pub(crate) fn own(folders: &Folders) -> &'static Own {
    static OWN: OnceLock<Own> = OnceLock::new();
    OWN.get_or_init(|| {
        let all = All::read(folders);
        let complaints = all.complaints();
        let first = complaints.first().map(|complaint| complaint.lines().next().unwrap_or_default());
        Own {
            disabled: all.of(&DISABLED).is_some_and(|(set, _)| set.value == Value::Flag(true)),
            portable: all.portable(),
            complaint: first.map(|first| match complaints.len() {
                1 => first.to_owned(),
                many => format!("{first} (and {} more: larder config list)", many - 1),
            }),
        }
    })
}
