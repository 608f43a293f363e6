//! What the go command asks of its cache program.

use std::io::Read;

use larder_client::go::request::{Command, Garbage, Put, Reader, Request};

/// Gives a few bytes at a time, as a pipe may.
struct Drip<'a>(&'a [u8]);

impl Read for Drip<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let count = self.0.len().min(buffer.len()).min(7);
        buffer[..count].copy_from_slice(&self.0[..count]);
        self.0 = &self.0[count..];
        Ok(count)
    }
}

/// However the input is cut into pieces, the same is read: requests, bodies, and where sense ends.
pub fn check(bytes: &[u8]) {
    assert_eq!(read(bytes), read(Drip(bytes)));
}

fn read(input: impl Read) -> (Vec<(Request, Vec<u8>)>, bool) {
    let mut reader = Reader::new(input);
    let mut all = Vec::new();
    loop {
        match one(&mut reader) {
            Ok(Some(request)) => all.push(request),
            Ok(None) => return (all, true),
            Err(_) => return (all, false),
        }
    }
}

fn one(reader: &mut Reader<impl Read>) -> Result<Option<(Request, Vec<u8>)>, Garbage> {
    let Some(request) = reader.request()? else { return Ok(None) };
    assert!(i64::try_from(request.id).is_ok() || u64::try_from(request.id).is_ok(), "of more than 64 bits");
    let mut body = Vec::new();
    match &request.command {
        Command::Put(Put { size: 1.., .. }) | Command::Unfit { body: true, .. } => {
            reader.body(|piece| {
                assert!(!piece.is_empty());
                body.extend_from_slice(piece);
            })?;
        }
        _ => {}
    }
    Ok(Some((request, body)))
}
