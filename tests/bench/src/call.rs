//! The call that is served: a C file with 86 headers, as a build of today compiles it.

use std::fs;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use larder_compile::benching::Introduced;
use larder_proto::v1::{EnvVar, Lookup};

use crate::Result;

/// How many headers the source brings in, one after the other.
pub const HEADERS: usize = 86;

/// Size of the object, bytes: it is handed over as a blob, where smaller ones and the list of headers travel in the reply.
const OBJECT_BYTES: usize = 100_000;

/// How many files the compiler is made of beside its driver, and where it looks in vain for more: as with Debian's GCC.
const PARTS: usize = 16;
const OWN_FOLDERS: usize = 12;

/// What the compiler is told.
pub const ARGS: [&str; 16] = [
    "-O2",
    "-g",
    "-Wall",
    "-Wextra",
    "-fPIC",
    "-DNDEBUG",
    "-DVERSION=\"1.2.3\"",
    "-Iinclude",
    "-Igenerated",
    "-MD",
    "-MF",
    "build/main.c.d",
    "-c",
    "src/main.c",
    "-o",
    "build/main.c.o",
];

/// What a compiler of Rust is told by Cargo.
pub const RUSTC: [&str; 24] = [
    "--crate-name",
    "example",
    "--edition=2024",
    "src/lib.rs",
    "--error-format=json",
    "--json=diagnostic-rendered-ansi,artifacts,future-incompat",
    "--crate-type",
    "lib",
    "--emit=dep-info,metadata,link",
    "-C",
    "embed-bitcode=no",
    "-C",
    "debuginfo=2",
    "--cfg",
    "feature=\"default\"",
    "--check-cfg",
    "cfg(feature, values(\"default\", \"std\"))",
    "-C",
    "metadata=0123456789abcdef",
    "-C",
    "extra-filename=-0123456789abcdef",
    "--out-dir=target/debug/deps",
    "-Ldependency=target/debug/deps",
    "--extern=memchr=target/debug/deps/libmemchr-0123456789abcdef.rmeta",
];

/// Variables that a toolchain reads, and one that it does not.
pub const ENVIRONMENT: [(&str, &str); 3] = [("LANG", "C.UTF-8"), ("LC_ALL", "C"), ("TERM", "xterm-256color")];

/// Where everything lies below `root`, made on first use.
pub struct Place {
    /// Where the compiler runs.
    pub work: PathBuf,
    /// The folder on the search path that has the compiler.
    pub bin: PathBuf,
    /// The compiler: an empty program, since nothing ever runs it.
    pub tool: PathBuf,
    /// What else the compiler is made of.
    pub compiler: Introduced,
}

impl Place {
    /// Writes sources and compiler below `root`.
    ///
    /// # Errors
    /// When one cannot be written.
    pub fn lay_out(root: &Path) -> Result<Self> {
        let (work, bin) = (root.join("work"), root.join("bin"));
        for folder in ["include/lib", "generated", "src", "build"].map(|name| work.join(name)) {
            fs::create_dir_all(folder)?;
        }
        let own = root.join("lib/gcc");
        for folder in [&bin, &own.join("include")] {
            fs::create_dir_all(folder)?;
        }
        fs::write(work.join("src/main.c"), "#include \"lib/h00.h\"\nint main(void) { return 0; }\n")?;
        for number in 0..HEADERS {
            let next = number + 1;
            let include =
                if next < HEADERS { format!("#include <lib/h{next:02}.h>\n") } else { String::new() };
            let text = format!(
                "#ifndef H{number:02}\n#define H{number:02}\n{include}extern int h{number:02};\n#endif\n"
            );
            fs::write(work.join(header(number)), text)?;
        }
        let tool = bin.join("gcc");
        fs::write(&tool, "")?;
        fs::set_permissions(&tool, fs::Permissions::from_mode(0o755))?;
        let files: Vec<PathBuf> = (0..PARTS).map(|number| own.join(format!("part{number:02}"))).collect();
        for file in &files {
            fs::write(file, "")?;
        }
        let own_folders = (0..OWN_FOLDERS).map(|number| root.join(format!("lib/other{number:02}"))).collect();
        let searched =
            ["include", "include-fixed"].map(|name| own.join(name).into_os_string().into_encoded_bytes());
        let compiler = Introduced { files, own_folders, searched: searched.to_vec() };
        Ok(Self { work, bin, tool, compiler })
    }

    /// Writes what the compiler makes of the source.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn compile(&self) -> Result<()> {
        let headers: String = (0..HEADERS).map(|number| format!(" \\\n {}", header(number))).collect();
        fs::write(self.work.join("build/main.c.d"), format!("build/main.c.o: src/main.c{headers}\n"))?;
        Ok(fs::write(self.work.join("build/main.c.o"), vec![7; OBJECT_BYTES])?)
    }

    /// What a client tells of the call.
    #[must_use]
    pub fn lookup(&self) -> Lookup {
        let path = ("PATH", self.bin.as_os_str().as_bytes());
        let variables = ENVIRONMENT.iter().map(|(name, value)| (*name, value.as_bytes())).chain([path]);
        let mut env: Vec<EnvVar> = variables
            .filter(|(name, _)| larder_proto::compile_env::is_carried(name.as_bytes()))
            .map(|(name, value)| EnvVar { name: name.into(), value: value.into() })
            .collect();
        env.sort_by(|a, b| a.name.cmp(&b.name));
        let (mount_namespace, root_device, root_inode) = crate::daemon::VIEW;
        Lookup {
            cwd: self.work.as_os_str().as_bytes().to_vec(),
            tool: self.tool.as_os_str().as_bytes().to_vec(),
            tool_name: b"gcc".to_vec(),
            args: bytes(&ARGS),
            env,
            mount_namespace,
            root_device,
            root_inode,
            parent_pid: std::process::id(),
            ..Lookup::default()
        }
    }
}

/// Arguments as the daemon has them.
#[must_use]
pub fn bytes(args: &[&str]) -> Vec<Vec<u8>> {
    args.iter().map(|arg| arg.as_bytes().to_vec()).collect()
}

fn header(number: usize) -> String {
    format!("include/lib/h{number:02}.h")
}
