//! The stored form of a manifest.
//!
//! One version byte; then tables of strings and of files, which the entries share; then the entries. Numbers are
//! LEB128, lists start with their length, rising lists hold differences. Nothing may follow the last entry.

use std::collections::HashMap;

use larder_service::{Digest, Key};

use super::{Absences, Entry, Fact, Group, Input, MAX_ENTRIES, Manifest, Names, Present};

/// Version of the form.
pub(crate) const VERSION: u8 = 3;

/// Most bytes of one manifest.
pub(crate) const MAX_BYTES: usize = 8 * 1024 * 1024;

/// Most bytes of one path.
const MAX_PATH: u64 = 16 * 1024;

/// Largest number.
const MAX_NUMBER: u64 = u64::MAX >> 1;

/// Bytes that are no manifest of this version.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("failed to read a manifest: {0}")]
pub(crate) struct CodecError(&'static str);

/// Writes `manifest`, leaving out the oldest entries where [`decode`] would not read it otherwise. `None` when it
/// would not read the newest by itself.
pub(crate) fn encode(manifest: &Manifest) -> Option<Vec<u8>> {
    let readable = manifest.entries.iter().take(MAX_ENTRIES).take_while(|entry| is_readable(entry)).count();
    (1..=readable)
        .rev()
        .map(|count| Encoder::default().manifest(&manifest.entries[..count]))
        .find(|bytes| bytes.len() <= MAX_BYTES)
}

/// Whether `entry` is within the limits that it has by itself.
fn is_readable(entry: &Entry) -> bool {
    let Absences { names, shared, groups } = &entry.absent;
    let is_path = |path: &Vec<u8>| path.len() as u64 <= MAX_PATH;
    let is_group = |group: &Group| {
        let (Names::AllBut(indices) | Names::Only(indices)) = &group.names;
        let known = indices.last().is_none_or(|last| (*last as usize) < names.len());
        is_path(&group.folder) && known && indices.is_sorted_by(|one, next| one < next)
    };
    entry.inputs.iter().all(|input| is_path(&input.path) && input.digest.size <= MAX_NUMBER)
        && entry.present.iter().all(|present| is_path(&present.path))
        && entry
            .facts
            .iter()
            .all(|fact| is_path(&fact.name) && fact.digest.is_none_or(|digest| digest.size <= MAX_NUMBER))
        && names.iter().all(is_path)
        && *shared <= names.len()
        && groups.iter().all(is_group)
}

#[derive(Default)]
struct Encoder<'a> {
    strings: Vec<&'a [u8]>,
    string_places: HashMap<&'a [u8], u64>,
    files: Vec<(u64, Digest, Option<Digest>)>,
    file_places: HashMap<&'a Input, u64>,
    entries: Vec<u8>,
}

impl<'a> Encoder<'a> {
    fn manifest(mut self, entries: &'a [Entry]) -> Vec<u8> {
        for entry in entries {
            self.entry(entry);
        }
        let mut out = vec![VERSION];
        number(&mut out, self.strings.len() as u64);
        for string in &self.strings {
            number(&mut out, string.len() as u64);
            out.extend_from_slice(string);
        }
        number(&mut out, self.files.len() as u64);
        for (path, digest, code) in &self.files {
            number(&mut out, *path * 2 + u64::from(code.is_some()));
            for digest in std::iter::once(digest).chain(code) {
                number(&mut out, digest.size);
                out.extend_from_slice(&digest.hash);
            }
        }
        number(&mut out, entries.len() as u64);
        out.extend_from_slice(&self.entries);
        out
    }

    fn entry(&mut self, entry: &'a Entry) {
        let mut out = std::mem::take(&mut self.entries);
        number(&mut out, entry.inputs.len() as u64);
        for input in &entry.inputs {
            number(&mut out, self.file(input));
        }
        number(&mut out, entry.present.len() as u64);
        for present in &entry.present {
            number(&mut out, self.string(&present.path) * 2 + u64::from(present.folder));
        }
        number(&mut out, entry.facts.len() as u64);
        for fact in &entry.facts {
            number(&mut out, self.string(&fact.name) * 2 + u64::from(fact.digest.is_some()));
            if let Some(digest) = &fact.digest {
                number(&mut out, digest.size);
                out.extend_from_slice(&digest.hash);
            }
        }
        number(&mut out, entry.absent.names.len() as u64);
        for name in &entry.absent.names {
            number(&mut out, self.string(name));
        }
        number(&mut out, entry.absent.shared as u64);
        number(&mut out, entry.absent.groups.len() as u64);
        for group in &entry.absent.groups {
            let (kind, names) = match &group.names {
                Names::AllBut(names) => (0, names),
                Names::Only(names) => (1, names),
            };
            number(&mut out, self.string(&group.folder) * 2 + kind);
            number(&mut out, names.len() as u64);
            let mut next = 0;
            for name in names {
                number(&mut out, u64::from(*name) - next);
                next = u64::from(*name) + 1;
            }
        }
        out.extend_from_slice(&entry.action.0);
        self.entries = out;
    }

    fn string(&mut self, string: &'a [u8]) -> u64 {
        let strings = &mut self.strings;
        *self.string_places.entry(string).or_insert_with(|| {
            strings.push(string);
            strings.len() as u64 - 1
        })
    }

    fn file(&mut self, input: &'a Input) -> u64 {
        if let Some(place) = self.file_places.get(input) {
            return *place;
        }
        let path = self.string(&input.path);
        self.files.push((path, input.digest, input.code));
        let place = self.files.len() as u64 - 1;
        self.file_places.insert(input, place);
        place
    }
}

/// Reads what [`encode`] writes.
pub(crate) fn decode(bytes: &[u8]) -> Result<Manifest, CodecError> {
    if bytes.len() > MAX_BYTES {
        return Err(CodecError("it is too large"));
    }
    let mut reader = Reader(bytes);
    if reader.take(1)? != [VERSION] {
        return Err(CodecError("it is of another version"));
    }
    let strings = reader.list(|reader| {
        let length = reader.number()?;
        if length > MAX_PATH {
            return Err(CodecError("a path is too long"));
        }
        reader.take(length as usize)
    })?;
    let files = reader.list(|reader| {
        let number = reader.number()?;
        let path = at(&strings, number / 2)?.to_vec();
        let digest = reader.digest()?;
        let code = if number % 2 == 1 { Some(reader.digest()?) } else { None };
        Ok(Input { path, digest, code })
    })?;
    let entries = reader.list(|reader| reader.entry(&strings, &files))?;
    if entries.len() > MAX_ENTRIES {
        return Err(CodecError("it has too many entries"));
    }
    if !reader.0.is_empty() {
        return Err(CodecError("something follows its end"));
    }
    Ok(Manifest { entries })
}

struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn take(&mut self, length: usize) -> Result<&'a [u8], CodecError> {
        let (head, tail) = self.0.split_at_checked(length).ok_or(CodecError("it ends too early"))?;
        self.0 = tail;
        Ok(head)
    }

    fn hash(&mut self) -> Result<[u8; 32], CodecError> {
        self.take(32)?.try_into().map_err(|_| CodecError("it ends too early"))
    }

    fn digest(&mut self) -> Result<Digest, CodecError> {
        let size = self.number()?;
        Ok(Digest { hash: self.hash()?, size })
    }

    fn number(&mut self) -> Result<u64, CodecError> {
        let mut value = 0;
        for shift in (0..63).step_by(7) {
            let byte = self.take(1)?[0];
            value |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Ok(value);
            }
        }
        Err(CodecError("a number is too large"))
    }

    /// A list whose items take at least one byte each.
    fn list<T>(
        &mut self,
        mut item: impl FnMut(&mut Self) -> Result<T, CodecError>,
    ) -> Result<Vec<T>, CodecError> {
        let length = self.number()?;
        if length > self.0.len() as u64 {
            return Err(CodecError("a list is longer than what is left"));
        }
        (0..length).map(|_| item(self)).collect()
    }

    fn of<'t, T>(&mut self, table: &'t [T]) -> Result<&'t T, CodecError> {
        let place = self.number()?;
        at(table, place)
    }

    fn entry(&mut self, strings: &[&[u8]], files: &[Input]) -> Result<Entry, CodecError> {
        let inputs = self.list(|reader| reader.of(files).cloned())?;
        let present = self.list(|reader| {
            let number = reader.number()?;
            Ok(Present { path: at(strings, number / 2)?.to_vec(), folder: number % 2 == 1 })
        })?;
        let facts = self.list(|reader| {
            let number = reader.number()?;
            let name = at(strings, number / 2)?.to_vec();
            let digest = if number % 2 == 1 { Some(reader.digest()?) } else { None };
            Ok(Fact { name, digest })
        })?;
        let names = self.list(|reader| Ok(reader.of(strings)?.to_vec()))?;
        let shared = self.number()?;
        if shared > names.len() as u64 {
            return Err(CodecError("more names are shared than there are"));
        }
        let groups = self.list(|reader| {
            let number = reader.number()?;
            let folder = at(strings, number / 2)?.to_vec();
            let mut next = 0_u64;
            let indices = reader.list(|reader| {
                let index = next.saturating_add(reader.number()?);
                next = index.saturating_add(1);
                at(&names, index)?;
                u32::try_from(index).map_err(|_| CodecError("an index is too large"))
            })?;
            let names = if number % 2 == 0 { Names::AllBut(indices) } else { Names::Only(indices) };
            Ok(Group { folder, names })
        })?;
        let absent = Absences { names, shared: shared as usize, groups };
        Ok(Entry { inputs, present, facts, absent, action: Key(self.hash()?) })
    }
}

fn at<T>(table: &[T], place: u64) -> Result<&T, CodecError> {
    usize::try_from(place)
        .ok()
        .and_then(|place| table.get(place))
        .ok_or(CodecError("a reference leads nowhere"))
}

fn number(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push((value & 0x7f) as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

#[cfg(test)]
mod tests {
    use super::*;
    use larder_service::Hasher;
    use proptest::prelude::*;

    fn small() -> Manifest {
        let input = |path: &str, text: &str| Input {
            path: path.into(),
            digest: Digest::of(text.as_bytes()),
            code: path.len().is_multiple_of(2).then(|| Digest::of(path.as_bytes())),
        };
        let entry = |text: &str| {
            let mut action = Hasher::key("test");
            action.field("text", text.as_bytes());
            Entry {
                inputs: vec![input("a.c", "#include \"a.h\""), input("inc/a.h", text)],
                present: vec![Present { path: b"/usr/include/linux".into(), folder: true }],
                facts: vec![
                    Fact { name: b"SET".into(), digest: Some(Digest::of(b"value")) },
                    Fact { name: b"UNSET".into(), digest: None },
                ],
                absent: Absences {
                    names: vec![b"a.h".into(), b"sys/b.h".into(), b"a.h.gch".into()],
                    shared: 2,
                    groups: vec![
                        Group { folder: b"inc".into(), names: Names::AllBut(vec![0]) },
                        Group { folder: b"inc".into(), names: Names::Only(vec![0, 2]) },
                    ],
                },
                action: action.finish_key(),
            }
        };
        Manifest { entries: vec![entry("int one;"), entry("int two;")] }
    }

    #[test]
    fn the_stored_form_is_the_golden_one() {
        let golden = include_bytes!("../../tests/golden/manifest-v3.bin");
        assert_eq!(encode(&small()).unwrap(), golden, "a change of the form needs a new version");
        assert_eq!(decode(golden).unwrap(), small());
    }

    #[test]
    fn every_shortened_or_lengthened_manifest_is_refused() {
        let bytes = encode(&small()).unwrap();
        for length in 0..bytes.len() {
            assert!(decode(&bytes[..length]).is_err(), "{length} bytes were taken for a manifest");
        }
        assert!(decode(&[bytes.as_slice(), &[0]].concat()).is_err());
        assert_eq!(decode(&[VERSION - 1]), Err(CodecError("it is of another version")));
    }

    #[test]
    fn what_would_not_be_read_is_not_written() {
        type Change = fn(&mut Entry);
        let within: [Change; 5] = [
            |entry| entry.inputs[0].path = vec![b'a'; MAX_PATH as usize],
            |entry| entry.inputs[0].digest.size = MAX_NUMBER,
            |entry| entry.absent.shared = 3,
            |entry| entry.absent.groups[0].names = Names::Only(vec![]),
            |entry| entry.absent.groups[0].names = Names::AllBut(vec![0, 1, 2]),
        ];
        let beyond: [Change; 12] = [
            |entry| entry.facts[0].name = vec![b'a'; MAX_PATH as usize + 1],
            |entry| entry.facts[0].digest = Some(Digest { hash: [0; 32], size: MAX_NUMBER + 1 }),
            |entry| entry.inputs[1].path = vec![b'a'; MAX_PATH as usize + 1],
            |entry| entry.present[0].path = vec![b'a'; MAX_PATH as usize + 1],
            |entry| entry.absent.names[2] = vec![b'a'; MAX_PATH as usize + 1],
            |entry| entry.absent.groups[1].folder = vec![b'a'; MAX_PATH as usize + 1],
            |entry| entry.inputs[0].digest.size = MAX_NUMBER + 1,
            |entry| entry.absent.shared = 4,
            |entry| entry.absent.groups[0].names = Names::Only(vec![3]),
            |entry| entry.absent.groups[0].names = Names::AllBut(vec![1, 0]),
            |entry| entry.absent.groups[0].names = Names::AllBut(vec![1, 1]),
            |entry| {
                let name = |number: usize| format!("{number:0>16000}").into_bytes();
                entry.absent.names.extend((0..=MAX_BYTES / 16_000).map(name));
            },
        ];
        let changed = |place: usize, change: &Change| {
            let mut manifest = small();
            change(&mut manifest.entries[place]);
            manifest
        };
        for change in &within {
            let manifest = changed(0, change);
            assert_eq!(decode(&encode(&manifest).unwrap()), Ok(manifest));
        }
        for (number, change) in beyond.iter().enumerate() {
            assert_eq!(encode(&changed(0, change)), None, "change {number} of the newest");
            let mut first = small();
            first.entries.truncate(1);
            assert_eq!(
                decode(&encode(&changed(1, change)).unwrap()),
                Ok(first),
                "change {number} of the oldest"
            );
        }
        let mut many = small();
        many.entries = (0..=MAX_ENTRIES).map(|_| many.entries[0].clone()).collect();
        assert_eq!(decode(&encode(&many).unwrap()).unwrap().entries.len(), MAX_ENTRIES);
        assert_eq!(encode(&Manifest::default()), None);
    }

    #[test]
    fn ninety_headers_and_a_second_version_of_one_stay_small() {
        let folders =
            ["/usr/include", "/usr/include/x86_64-linux-gnu", "/usr/local/include", "src", "include"];
        let input = |number: usize, text: &str| Input {
            path: format!("/usr/include/x86_64-linux-gnu/bits/some_header_{number}.h").into_bytes(),
            digest: Digest::of(text.as_bytes()),
            code: None,
        };
        let names: Vec<Vec<u8>> = (0..200).map(|n| format!("bits/some_header_{n}.h").into_bytes()).collect();
        let group = |folder: &&str| Group { folder: (*folder).into(), names: Names::AllBut(vec![3, 70]) };
        let absent = Absences { names, shared: 200, groups: folders.iter().map(group).collect() };
        let entry = |text: &str| Entry {
            inputs: (0..90).map(|number| input(number, if number == 7 { text } else { "" })).collect(),
            present: Vec::new(),
            facts: Vec::new(),
            absent: absent.clone(),
            action: Key(Digest::of(text.as_bytes()).hash),
        };
        let one = encode(&Manifest { entries: vec![entry("a")] }).unwrap().len();
        let two = encode(&Manifest { entries: vec![entry("b"), entry("a")] }).unwrap().len();
        assert!(one < 20_000, "one entry takes {one} bytes");
        assert!(two - one < 800, "another version of a header takes {} bytes", two - one);
    }

    fn entries() -> impl Strategy<Value = Vec<Entry>> {
        let path = || prop::collection::vec(any::<u8>(), 0..12);
        let digest = || (any::<[u8; 32]>(), 0..u64::MAX >> 1).prop_map(|(hash, size)| Digest { hash, size });
        let input = (path(), digest(), prop::option::of(digest())).prop_map(|(path, digest, code)| Input {
            path,
            digest,
            code,
        });
        let present = (path(), any::<bool>()).prop_map(|(path, folder)| Present { path, folder });
        let fact = (path(), prop::option::of(digest())).prop_map(|(name, digest)| Fact { name, digest });
        let groups = prop::collection::vec((path(), any::<bool>(), any::<u8>()), 0..4);
        let absent = (prop::collection::vec(path(), 0..8), groups).prop_map(|(names, groups)| {
            let group = |(folder, all_but, bits): (Vec<u8>, bool, u8)| {
                let indices = (0..names.len() as u32).filter(|index| bits & (1 << index) != 0).collect();
                let names = if all_but { Names::AllBut(indices) } else { Names::Only(indices) };
                Group { folder, names }
            };
            let groups = groups.into_iter().map(group).collect();
            Absences { shared: names.len() / 2, names, groups }
        });
        let entry = (
            prop::collection::vec(input, 0..5),
            prop::collection::vec(present, 0..3),
            prop::collection::vec(fact, 0..3),
            absent,
            any::<[u8; 32]>(),
        )
            .prop_map(|(inputs, present, facts, absent, action)| Entry {
                inputs,
                present,
                facts,
                absent,
                action: Key(action),
            });
        prop::collection::vec(entry, 1..=MAX_ENTRIES)
    }

    proptest! {
        #[test]
        fn what_is_written_reads_back(entries in entries()) {
            let manifest = Manifest { entries };
            prop_assert_eq!(decode(&encode(&manifest).unwrap()).unwrap(), manifest);
        }

        #[test]
        fn arbitrary_bytes_do_no_harm(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
            let _ = decode(&bytes);
            let _ = decode(&[&[VERSION], bytes.as_slice()].concat());
        }

        #[test]
        fn damage_does_no_harm(place in any::<prop::sample::Index>(), byte in any::<u8>()) {
            let mut bytes = encode(&small()).unwrap();
            let place = place.index(bytes.len());
            bytes[place] = byte;
            if let Ok(manifest) = decode(&bytes) {
                for entry in &manifest.entries {
                    entry.absent.each(|_, _| ());
                }
            }
        }
    }
}
