//! Every way in which a compile cache could hand out a stale or wrong object, provoked with each driver.
//!
//! Each call is compared with the tool run alone, and the daemon's own word says whether it was a hit.

mod assembly;
mod comments;
mod compiler;
mod corners;
mod crowd;
mod embed;
mod environment;
mod failures;
mod headers;
mod links;
mod outputs;
mod reasons;
mod spelling;
mod time;
mod unlisted;

use std::cell::{Cell, RefCell};
use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use larder_proto::v1::{ControlReply, ControlRequest, StatsRequest, control_reply, control_request};
use larder_tests::{Sandbox, same_as_alone_as};
use prost::Message as _;

/// Makes a test of each scenario with each driver: `headers::a_scenario::gcc` and so on.
macro_rules! with_each_driver {
    ($($scenario:ident)+) => { $(
        mod $scenario {
            use crate::provoked::Bench;

            #[test]
            fn gcc() {
                super::$scenario(&Bench::new("gcc"));
            }

            #[test]
            fn gxx() {
                super::$scenario(&Bench::new("g++"));
            }

            #[test]
            fn clang() {
                super::$scenario(&Bench::new("clang"));
            }

            #[test]
            fn clangxx() {
                super::$scenario(&Bench::new("clang++"));
            }
        }
    )+ };
}
use with_each_driver;

/// A larder of its own and one driver.
struct Bench {
    sandbox: Sandbox,
    driver: &'static str,
    /// The source that most scenarios compile.
    source: &'static str,
    /// How often it was begun anew; each time no call is one that was made before.
    part: Cell<u32>,
    /// Each call is a new daemon's first.
    new_daemons: Cell<bool>,
    endpoint: RefCell<String>,
}

impl Bench {
    fn new(driver: &'static str) -> Self {
        let source = if driver.ends_with("++") { "x.cc" } else { "x.c" };
        let sandbox = Sandbox::new();
        // A daemon that is still loading its state would let the first call pass by.
        sandbox.run(&["start"]);
        let endpoint = RefCell::new(sandbox.endpoint());
        let (part, new_daemons) = (Cell::new(0), Cell::new(false));
        Self { sandbox, driver, source, part, new_daemons, endpoint }
    }

    /// Empties the work folder. Starting a larder and showing it a compiler takes longer than most scenarios.
    fn begin_anew(&self) {
        for entry in std::fs::read_dir(self.sandbox.work()).expect("our own folder").flatten() {
            let is_folder = entry.file_type().is_ok_and(|kind| kind.is_dir());
            let removed = if is_folder {
                std::fs::remove_dir_all(entry.path())
            } else {
                std::fs::remove_file(entry.path())
            };
            removed.expect("our own");
        }
        self.part.set(self.part.get() + 1);
    }

    fn is_clang(&self) -> bool {
        self.driver.starts_with("clang")
    }

    fn is_cxx(&self) -> bool {
        self.driver.ends_with("++")
    }

    /// One of two by the driver's family.
    fn by_family<T>(&self, gcc: T, clang: T) -> T {
        if self.is_clang() { clang } else { gcc }
    }

    fn write(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        self.sandbox.write_settled(name, content)
    }

    /// Writes the source.
    fn code(&self, text: &str) {
        self.write(self.source, text);
    }

    fn path(&self, name: &str) -> PathBuf {
        self.sandbox.work().join(name)
    }

    fn folder(&self, name: &str) {
        std::fs::create_dir_all(self.path(name)).expect("our own folder");
    }

    fn remove(&self, name: &str) {
        let path = self.path(name);
        if path.is_dir() && !path.is_symlink() {
            std::fs::remove_dir_all(path).expect("our own folder");
        } else {
            std::fs::remove_file(path).expect("our own file");
        }
        self.sandbox.settle();
    }

    fn set_mode(&self, name: &str, mode: u32) {
        std::fs::set_permissions(self.path(name), Permissions::from_mode(mode)).expect("our own file");
    }

    /// Makes `name` a link to `target`, whatever it was.
    fn link(&self, target: impl AsRef<Path>, name: &str) {
        let path = self.path(name);
        let _ = std::fs::remove_file(&path);
        std::os::unix::fs::symlink(target, path).expect("our own folder");
        self.sandbox.settle();
    }

    /// Compiles the source to `x.o`, with `options`.
    fn compile(&self, options: &[&str], reason: &str) -> Output {
        self.call(&[options, &["-c", self.source, "-o", "x.o"]].concat(), reason)
    }

    /// Calls the driver, and demands that larder counts the call under `reason`.
    fn call(&self, args: &[&str], reason: &str) -> Output {
        self.call_as(args, reason, |command| command)
    }

    /// The same with variables.
    fn call_with(&self, env: &[(&str, &str)], args: &[&str], reason: &str) -> Output {
        self.call_as(args, reason, |mut command| {
            command.envs(env.iter().copied());
            command
        })
    }

    /// The same in another shape.
    fn call_as(&self, args: &[&str], reason: &str, shape: impl Fn(Command) -> Command) -> Output {
        let part = format!("-DPART={}", self.part.get());
        let part = if self.part.get() > 0 { &[part.as_str()][..] } else { &[] };
        let argv = [&[self.driver], part, args].concat();
        if self.new_daemons.get() {
            self.sandbox.run(&["stop"]);
            self.sandbox.run(&["start"]);
            self.endpoint.replace(self.sandbox.endpoint());
        }
        let output = same_as_alone_as(&self.sandbox, &argv, shape);
        let (told, detail) = self.last_record();
        assert_eq!(
            told,
            reason,
            "{argv:?}: {detail}; it printed {}",
            String::from_utf8_lossy(&output.stderr)
        );
        output
    }

    /// Reason and detail of the latest request, asked for directly: a process for each answer would take as long as
    /// many a call.
    fn last_record(&self) -> (String, String) {
        let stream = UnixStream::connect(&*self.endpoint.borrow()).expect("the daemon listens");
        let mut wire = larder_glue::wire::Wire::new(stream.into()).expect("our own daemon");
        let request = ControlRequest {
            protocol: larder_proto::PROTOCOL_VERSION,
            client_version: larder_proto::LARDER_VERSION.to_owned(),
            request: Some(control_request::Request::Stats(StatsRequest { records: 1 })),
        };
        let reply = wire.request(larder_proto::lane::CONTROL, request.encode_to_vec()).expect("a reply");
        match ControlReply::decode(reply.as_slice()).expect("a message").reply {
            Some(control_reply::Reply::Stats(mut stats)) => {
                let record = stats.records.pop().expect("there was a request");
                (record.reason, record.detail)
            }
            other => panic!("no statistics: {other:?}"),
        }
    }

    /// Compiles the source twice: to be stored, and from the cache.
    fn stores(&self, options: &[&str]) {
        self.compile(options, "first_seen");
        self.compile(options, "direct_hit");
    }
}
