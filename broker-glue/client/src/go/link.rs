//! The connection to the daemon: had, used, lost, and had again.
//!
//! One thread of its own connects and receives; the thread that reads the go command's requests sends. Whatever the
//! daemon does, each request is answered: a get with a miss, a put with a file of this adapter's own.

use std::collections::{HashMap, HashSet};
use std::os::unix::ffi::OsStrExt as _;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use larder_glue::wire::{Received, SILENCE_LIMIT, WireReceiver, WireSender};
use larder_proto::v1::{
    GoClose, GoFound, GoGet, GoKnown, GoOutput, GoPut, GoReply, GoUse, go_reply, go_request,
};
use larder_proto::{LARDER_VERSION, lane};
use prost::Message as _;

use super::ahead::{self, Ahead};
use super::answer::{Answers, Output};
use super::body::Whole;
use super::connect::{self, Failure, Opened};
use super::private::Private;
use super::request::Name;

/// How long nothing is tried after the daemon could not be had, or was silent.
const PAUSE: Duration = Duration::from_secs(10);

/// Most requests that wait for the daemon; each put among them has a file open.
const MOST_PENDING: usize = 256;

/// What both threads share.
pub(super) struct Link {
    pub(super) answers: Answers,
    pub(super) own: Private,
    inner: Mutex<Inner>,
    changed: Condvar,
    /// Only the thread that reads requests sends.
    sender: Mutex<Option<WireSender>>,
}

struct Inner {
    state: State,
    pending: HashMap<u64, Pending>,
    /// Requests that are being answered, and pending no more.
    answering: usize,
    ahead: Ahead,
    /// Used answers that the daemon has not been told of.
    used: Vec<GoUse>,
    /// When each action was asked for in vain.
    missed: HashMap<Name, Instant>,
    /// What the go command was handed, to be pinned again by another daemon.
    held: HashSet<(Name, u64)>,
    kept_back: u64,
}

enum State {
    /// The thread is to connect, or is at it.
    Connecting,
    Up(Arc<Up>),
    /// `None`: there is nothing to be tried ever.
    Down(Option<Instant>),
}

struct Up {
    blobs: PathBuf,
    staging: PathBuf,
}

struct Pending {
    id: i128,
    since: Instant,
    what: What,
}

enum What {
    Get(Name),
    Put(Whole),
    Close,
}

impl Link {
    /// Begins to connect.
    pub(super) fn start(answers: Answers) -> Arc<Self> {
        let link = Arc::new(Self {
            answers,
            own: Private::default(),
            inner: Mutex::new(Inner {
                state: State::Connecting,
                pending: HashMap::new(),
                answering: 0,
                ahead: Ahead::new(),
                used: Vec::new(),
                missed: HashMap::new(),
                held: HashSet::new(),
                kept_back: 0,
            }),
            changed: Condvar::new(),
            sender: Mutex::new(None),
        });
        let thread = Arc::clone(&link);
        let spawned = std::thread::Builder::new().name("daemon".to_owned()).spawn(move || {
            // It ends only by a panic, and the go command must get its answers all the same.
            let _ = catch_unwind(AssertUnwindSafe(|| thread.live()));
            thread.fall(None);
        });
        if spawned.is_err() {
            link.lock().state = State::Down(None);
        }
        link
    }

    /// Answers a get, now or when the daemon has.
    pub(super) fn get(&self, id: i128, action: &Name) {
        let up = self.up();
        let mut inner = self.lock();
        if let Some(up) = &up
            && let Some(known) = inner.ahead.answer(action)
        {
            match known {
                None => {
                    inner.miss(action);
                    inner.used.push(GoUse { action: action.to_vec(), miss: true });
                    drop(inner);
                    return self.answers.miss(id);
                }
                Some(known) => {
                    let path = up.path(&known);
                    if ahead::is_there(&path, &known) {
                        inner.used.push(GoUse { action: action.to_vec(), miss: false });
                        let output = inner.hold(&known);
                        drop(inner);
                        return self.hit(id, &known, &output, &path);
                    }
                }
            }
        }
        let get = GoGet { action: action.to_vec(), ahead: inner.ahead.wanted(), used: inner.take_used() };
        drop(inner);
        let pending = Pending { id, since: Instant::now(), what: What::Get(*action) };
        self.ask(up.is_some(), go_request::Request::Get(get), pending);
    }

    /// Where bodies go; `None` while there is no daemon.
    pub(super) fn staging(&self) -> Option<PathBuf> {
        self.up().map(|up| up.staging.clone())
    }

    /// Answers a put, now or when the daemon has.
    pub(super) fn put(&self, id: i128, whole: Whole) {
        let put = whole.put;
        let staged = self.up().and_then(|_| whole.staged());
        let tool_us = {
            let mut inner = self.lock();
            inner.ahead.forget(&put.action);
            inner.missed.remove(&put.action)
        };
        let message = go_request::Request::Put(GoPut {
            action: put.action.to_vec(),
            output: put.output.to_vec(),
            size: put.size,
            staged: staged.clone().unwrap_or_default().into_bytes(),
            tool_us: tool_us.map_or(0, |since| u64::try_from(since.elapsed().as_micros()).unwrap_or(0)),
        });
        let pending = Pending { id, since: Instant::now(), what: What::Put(whole) };
        self.ask(staged.is_some(), message, pending);
    }

    /// Waits until every request is answered.
    pub(super) fn settle(&self) {
        let inner = self.lock();
        drop(self.wait_while(inner, |inner| !inner.pending.is_empty() || inner.answering > 0));
    }

    /// Tells the daemon what it has not been told, if there is one.
    pub(super) fn finish(&self) {
        let close = {
            let mut inner = self.lock();
            if !matches!(inner.state, State::Up(_)) {
                return;
            }
            GoClose { used: inner.take_used(), kept_back: inner.kept_back }
        };
        self.ask(
            true,
            go_request::Request::Close(close),
            Pending { id: 0, since: Instant::now(), what: What::Close },
        );
        self.settle();
    }

    /// Sends `request`, or answers `pending` without the daemon.
    fn ask(&self, wanted: bool, request: go_request::Request, pending: Pending) {
        let mut inner = self.wait_while(self.lock(), |inner| inner.pending.len() >= MOST_PENDING);
        let mut sender = self.sender.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(wire) = sender.as_mut().filter(|_| wanted && matches!(inner.state, State::Up(_))) else {
            drop(sender);
            drop(inner);
            return self.without(pending);
        };
        let wire_id = wire.next_id();
        inner.pending.insert(wire_id, pending);
        // The other thread must go on taking replies while this one waits for room.
        drop(inner);
        if wire.send(lane::GO, connect::message(request)).is_err() {
            // The other thread finds out, and answers what is pending.
            wire.hang_up();
        }
    }

    /// The daemon's folders, once it is known whether it can be had.
    fn up(&self) -> Option<Arc<Up>> {
        let mut inner = self.lock();
        if matches!(inner.state, State::Down(Some(retry)) if retry <= Instant::now()) {
            inner.state = State::Connecting;
            self.changed.notify_all();
        }
        let inner = self.wait_while(inner, |inner| matches!(inner.state, State::Connecting));
        match &inner.state {
            State::Up(up) => Some(Arc::clone(up)),
            _ => None,
        }
    }

    /// Connects whenever that is wanted, and receives.
    fn live(&self) {
        loop {
            drop(self.wait_while(self.lock(), |inner| !matches!(inner.state, State::Connecting)));
            let held = {
                let inner = self.lock();
                let told = |(output, size): &(Name, u64)| GoOutput { output: output.to_vec(), size: *size };
                inner.held.iter().map(told).collect()
            };
            let retry = match connect::open(held) {
                Ok(opened) => {
                    let receiver = self.rise(opened);
                    Some(self.receive(receiver))
                }
                Err(Failure::Never) => None,
                Err(Failure::Now(sentence)) => {
                    connect::complain(&sentence);
                    Some(Instant::now() + PAUSE)
                }
            };
            self.fall(retry);
        }
    }

    fn rise(&self, opened: Opened) -> WireReceiver {
        let Opened { sender, receiver, blobs, staging } = opened;
        *self.sender.lock().unwrap_or_else(PoisonError::into_inner) = Some(sender);
        self.lock().state = State::Up(Arc::new(Up { blobs, staging }));
        self.changed.notify_all();
        receiver
    }

    fn fall(&self, retry: Option<Instant>) {
        let pending: Vec<_> = {
            let mut inner = self.lock();
            inner.state = State::Down(retry);
            inner.ahead.clear();
            inner.answering = inner.pending.len();
            inner.pending.drain().map(|(_, pending)| pending).collect()
        };
        for pending in pending {
            self.without(pending);
        }
        self.lock().answering = 0;
        *self.sender.lock().unwrap_or_else(PoisonError::into_inner) = None;
        self.changed.notify_all();
    }

    /// Takes replies until the connection is lost; when to try again.
    fn receive(&self, mut receiver: WireReceiver) -> Instant {
        loop {
            match receiver.receive() {
                Ok(Received::Reply(wire_id, payload)) => {
                    let pending = {
                        let mut inner = self.lock();
                        inner.answering = 1;
                        inner.pending.remove(&wire_id)
                    };
                    if let Some(pending) = pending {
                        self.answered(pending, &payload);
                    }
                    self.lock().answering = 0;
                    self.changed.notify_all();
                }
                Ok(Received::Life) => {}
                Ok(Received::Nothing) => {
                    let silent = |pending: &Pending| pending.since.elapsed() >= SILENCE_LIMIT;
                    if self.lock().pending.values().any(silent) {
                        return Instant::now() + PAUSE;
                    }
                }
                Err(_) => return Instant::now(),
            }
        }
    }

    fn answered(&self, pending: Pending, payload: &[u8]) {
        let reply = match GoReply::decode(payload) {
            Ok(reply) if reply.daemon_version == LARDER_VERSION => reply.reply,
            _ => None,
        };
        let Pending { id, since, what } = pending;
        match (what, reply) {
            (What::Get(action), Some(go_reply::Reply::Found(found))) => self.found(id, &action, found),
            (What::Put(whole), Some(go_reply::Reply::Stored(stored))) => {
                let path = self.path_of(&stored.path);
                match path.filter(|path| path.metadata().is_ok_and(|file| file.len() == whole.put.size)) {
                    Some(path) => {
                        self.lock().held.insert((whole.put.output, whole.put.size));
                        self.answers.stored(id, &path);
                    }
                    None => self.without(Pending { id, since, what: What::Put(whole) }),
                }
            }
            (what, _) => self.without(Pending { id, since, what }),
        }
    }

    fn found(&self, id: i128, action: &Name, found: GoFound) {
        let mut inner = self.lock();
        inner.ahead.keep(found.ahead);
        let known = found.known.and_then(|known| Some((inner.path(&known)?, known)));
        match known.filter(|(path, known)| ahead::is_there(path, known)) {
            Some((path, known)) => {
                let output = inner.hold(&known);
                drop(inner);
                self.hit(id, &known, &output, &path);
            }
            None => {
                inner.miss(action);
                drop(inner);
                self.answers.miss(id);
            }
        }
    }

    fn hit(&self, id: i128, known: &GoKnown, output: &Name, path: &std::path::Path) {
        let GoKnown { size, put_unix_ms, .. } = *known;
        self.answers.hit(id, &Output { output, size, put_unix_ms, path });
    }

    /// Answers a request without the daemon.
    fn without(&self, pending: Pending) {
        match pending.what {
            What::Get(action) => {
                self.lock().miss(&action);
                self.answers.miss(pending.id);
            }
            What::Put(whole) => {
                self.lock().kept_back += 1;
                match whole.keep_back(&self.own) {
                    Ok(path) => self.answers.stored(pending.id, &path),
                    // No disk has room for it.
                    Err(error) => {
                        self.answers.refused(pending.id, &format!("failed to keep the body: {error}"));
                    }
                }
            }
            What::Close => {}
        }
    }

    fn path_of(&self, path: &[u8]) -> Option<PathBuf> {
        match &self.lock().state {
            State::Up(up) => Some(up.blobs.join(std::ffi::OsStr::from_bytes(path))),
            _ => None,
        }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wait_while<'a>(
        &self,
        inner: MutexGuard<'a, Inner>,
        wait: impl Fn(&mut Inner) -> bool,
    ) -> MutexGuard<'a, Inner> {
        self.changed.wait_while(inner, wait).unwrap_or_else(PoisonError::into_inner)
    }
}

impl Up {
    fn path(&self, known: &GoKnown) -> PathBuf {
        self.blobs.join(std::ffi::OsStr::from_bytes(&known.path))
    }
}

impl Inner {
    fn path(&self, known: &GoKnown) -> Option<PathBuf> {
        match &self.state {
            State::Up(up) => Some(up.path(known)),
            _ => None,
        }
    }

    fn hold(&mut self, known: &GoKnown) -> Name {
        let output = Name::try_from(known.output.as_slice()).unwrap_or_default();
        self.held.insert((output, known.size));
        output
    }

    fn miss(&mut self, action: &Name) {
        self.missed.insert(*action, Instant::now());
    }

    fn take_used(&mut self) -> Vec<GoUse> {
        std::mem::take(&mut self.used)
    }
}
