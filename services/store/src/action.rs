//! Action results and their stored form.

use larder_service::Digest;

use crate::StoreError;
use crate::bytes::{DecodeError, Fields};

/// Most outputs of one action.
pub const MAX_OUTPUTS: usize = 256;

/// Most bytes kept of each of the two streams of one action.
pub const MAX_STREAM_BYTES: usize = 4 << 20;

const VERSION: u8 = 1;

/// What a tool did, kept under the key that names everything it depended on.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct ActionResult {
    /// The files it wrote.
    pub outputs: Vec<OutputBlob>,
    /// What it wrote to standard output.
    pub stdout: Vec<u8>,
    /// What it wrote to standard error.
    pub stderr: Vec<u8>,
    /// How it ended.
    pub exit_code: i32,
    /// How long it ran, microseconds.
    pub tool_us: u64,
    /// When the result was stored, Unix time in milliseconds.
    pub created_unix_ms: u64,
}

/// One file that a tool wrote.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OutputBlob {
    /// Its role in the action, for example "object" or "depfile"; at most 255 bytes.
    pub name: String,
    /// Its content.
    pub digest: Digest,
    /// Its mode bits.
    pub mode: u32,
}

impl ActionResult {
    /// The stored form, little-endian: version; exit code, tool time, creation time; both streams with their lengths;
    /// the outputs' count and each one's name, digest and mode.
    ///
    /// # Errors
    /// [`StoreError::TooLarge`] names the limit that is exceeded.
    pub(crate) fn encode(&self) -> Result<Vec<u8>, StoreError> {
        let mut bytes =
            Vec::with_capacity(64 + self.stdout.len() + self.stderr.len() + 80 * self.outputs.len());
        bytes.push(VERSION);
        bytes.extend(self.exit_code.to_le_bytes());
        bytes.extend(self.tool_us.to_le_bytes());
        bytes.extend(self.created_unix_ms.to_le_bytes());
        for (what, stream) in [("standard output", &self.stdout), ("standard error", &self.stderr)] {
            limit(what, stream.len(), MAX_STREAM_BYTES)?;
            bytes.extend((stream.len() as u32).to_le_bytes());
            bytes.extend(stream);
        }
        limit("the list of outputs", self.outputs.len(), MAX_OUTPUTS)?;
        bytes.extend((self.outputs.len() as u16).to_le_bytes());
        for output in &self.outputs {
            limit("an output's name", output.name.len(), u8::MAX.into())?;
            bytes.push(output.name.len() as u8);
            bytes.extend(output.name.as_bytes());
            bytes.extend(output.digest.hash);
            bytes.extend(output.digest.size.to_le_bytes());
            bytes.extend(output.mode.to_le_bytes());
        }
        Ok(bytes)
    }

    pub(crate) fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let mut fields = Fields(bytes);
        fields.version(VERSION)?;
        let exit_code = fields.i32()?;
        let tool_us = fields.u64()?;
        let created_unix_ms = fields.u64()?;
        let stdout = stream(&mut fields)?;
        let stderr = stream(&mut fields)?;
        let count = usize::from(fields.u16()?);
        if count > MAX_OUTPUTS {
            return Err(DecodeError("too many outputs"));
        }
        let outputs = (0..count).map(|_| output(&mut fields)).collect::<Result<_, _>>()?;
        fields.end()?;
        Ok(Self { outputs, stdout, stderr, exit_code, tool_us, created_unix_ms })
    }
}

fn stream(fields: &mut Fields<'_>) -> Result<Vec<u8>, DecodeError> {
    let length = usize::try_from(fields.u32()?).unwrap_or(usize::MAX);
    if length > MAX_STREAM_BYTES {
        return Err(DecodeError("a stream is too long"));
    }
    Ok(fields.take(length)?.to_vec())
}

fn output(fields: &mut Fields<'_>) -> Result<OutputBlob, DecodeError> {
    let length = usize::from(fields.u8()?);
    let name = str::from_utf8(fields.take(length)?).map_err(|_| DecodeError("a name is not UTF-8"))?;
    let digest = Digest { hash: fields.array()?, size: fields.u64()? };
    Ok(OutputBlob { name: name.to_owned(), digest, mode: fields.u32()? })
}

fn limit(what: &str, size: usize, limit: usize) -> Result<(), StoreError> {
    if size <= limit {
        return Ok(());
    }
    Err(StoreError::TooLarge { what: what.to_owned(), size: size as u64, limit: limit as u64 })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn example() -> ActionResult {
        let output =
            |name: &str, mode| OutputBlob { name: name.into(), digest: Digest::of(name.as_bytes()), mode };
        ActionResult {
            outputs: vec![output("object", 0o644), output("depfile", 0o600)],
            stdout: b"out".to_vec(),
            stderr: b"warning: \xff\n".to_vec(),
            exit_code: -2,
            tool_us: 123_456,
            created_unix_ms: 1_700_000_000_123,
        }
    }

    #[test]
    fn the_stored_form_is_the_one_of_version_1() {
        let golden = include_bytes!("../golden/action.v1.bin");
        assert_eq!(example().encode().unwrap(), golden);
        assert_eq!(ActionResult::decode(golden), Ok(example()));
    }

    #[test]
    fn every_cut_and_any_addition_is_refused() {
        let bytes = example().encode().unwrap();
        for length in 0..bytes.len() {
            assert!(ActionResult::decode(&bytes[..length]).is_err(), "cut to {length}");
        }
        assert!(ActionResult::decode(&[&bytes[..], &[0]].concat()).is_err());
        assert!(ActionResult::decode(&[&[VERSION + 1], &bytes[1..]].concat()).is_err());
    }

    #[test]
    fn what_exceeds_a_limit_is_not_encoded() {
        let output = example().outputs[0].clone();
        let long_name = OutputBlob { name: "n".repeat(256), ..output.clone() };
        for result in [
            ActionResult { stdout: vec![0; MAX_STREAM_BYTES + 1], ..example() },
            ActionResult { stderr: vec![0; MAX_STREAM_BYTES + 1], ..example() },
            ActionResult { outputs: vec![output; MAX_OUTPUTS + 1], ..example() },
            ActionResult { outputs: vec![long_name], ..example() },
        ] {
            assert!(matches!(result.encode(), Err(StoreError::TooLarge { .. })));
        }
    }

    #[test]
    fn what_is_at_every_limit_reads_back_and_fits_a_record() {
        let name = "n".repeat(usize::from(u8::MAX));
        let digest = Digest { hash: [7; 32], size: u64::MAX };
        let stream = vec![0; MAX_STREAM_BYTES];
        let result = ActionResult {
            outputs: vec![OutputBlob { name, digest, mode: u32::MAX }; MAX_OUTPUTS],
            stdout: stream.clone(),
            stderr: stream,
            ..example()
        };
        let bytes = result.encode().unwrap();
        assert!(bytes.len() <= crate::MAX_RECORD_BYTES);
        assert!(ActionResult::decode(&bytes) == Ok(result));
    }

    proptest! {
        #[test]
        fn arbitrary_bytes_never_panic_and_what_decodes_encodes_back(
            mut bytes in prop::collection::vec(any::<u8>(), 0..300),
            versioned: bool,
        ) {
            if versioned && !bytes.is_empty() {
                bytes[0] = VERSION;
            }
            if let Ok(result) = ActionResult::decode(&bytes) {
                prop_assert_eq!(result.encode().unwrap(), bytes);
            }
        }

        #[test]
        fn every_result_reads_back(
            names in prop::collection::vec("[a-zé]{1,12}", 0..5),
            stdout: Vec<u8>, stderr: Vec<u8>, exit_code: i32, tool_us: u64, created_unix_ms: u64, mode: u32,
        ) {
            let outputs = names
                .into_iter()
                .map(|name| OutputBlob { digest: Digest::of(name.as_bytes()), name, mode })
                .collect();
            let result = ActionResult { outputs, stdout, stderr, exit_code, tool_us, created_unix_ms };
            prop_assert_eq!(ActionResult::decode(&result.encode().unwrap()), Ok(result));
        }
    }
}
