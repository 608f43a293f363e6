//! Reads what callgrind writes, as its manual has the format.

use std::collections::HashMap;

use anyhow::Context as _;

/// Functions that are others, or do with fewer instructions, where the processor has more to offer.
const OF_THE_PROCESSOR: [&str; 3] = ["sha2::", "memchr::", "crc32fast::"];

/// What gives memory.
const ALLOCATORS: [&str; 4] = ["malloc", "calloc", "realloc", "posix_memalign"];

/// What a program has done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Counts {
    /// Instructions of the program itself. Not those of the C library, nor of what goes by the processor: both are others on
    /// another machine.
    pub(super) instructions: u64,
    /// The instructions that were left out.
    pub(super) elsewhere: u64,
    /// How often the program has asked for memory.
    pub(super) allocations: u64,
    /// How often it, or a library of its, has called the kernel.
    pub(super) system_calls: u64,
}

impl Counts {
    /// What was done beyond `before`.
    pub(super) fn since(self, before: Self) -> Self {
        self.with(before, u64::saturating_sub)
    }

    /// The share of one of `many`.
    pub(super) fn each_of(self, many: u64) -> Self {
        self.with(Self::default(), |count, _| (count + many / 2) / many)
    }

    fn with(self, other: Self, what: impl Fn(u64, u64) -> u64) -> Self {
        Self {
            instructions: what(self.instructions, other.instructions),
            elsewhere: what(self.elsewhere, other.elsewhere),
            allocations: what(self.allocations, other.allocations),
            system_calls: what(self.system_calls, other.system_calls),
        }
    }
}

/// Names that are written once, with a number, and are that number from then on.
#[derive(Default)]
struct Names<'a>(HashMap<&'a str, &'a str>);

impl<'a> Names<'a> {
    /// The name that `spelled` stands for: `(7) name`, or `(7)`.
    fn of(&mut self, spelled: &'a str) -> &'a str {
        match spelled.split_once(' ') {
            Some((number, name)) => {
                self.0.insert(number, name);
                name
            }
            None => self.0.get(spelled).copied().unwrap_or(spelled),
        }
    }
}

/// What `text` says of the program that was run as `program`.
pub(super) fn read(text: &str, program: &str) -> anyhow::Result<Counts> {
    let events = text.lines().find_map(|line| line.strip_prefix("events:"));
    let events: Vec<_> = events.context("callgrind names no events")?.split_whitespace().collect();
    let column = |event: &str| {
        let place = events.iter().position(|known| *known == event);
        place.with_context(|| format!("callgrind has not counted {event}"))
    };
    // The first column is the place in the source.
    let (instructions, calls) = (1 + column("Ir")?, 1 + column("sysCount")?);
    let (mut objects, mut functions) = (Names::default(), Names::default());
    let (mut object, mut function, mut called) = ("", "", "");
    let mut counts = Counts::default();
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        let Some((word, value)) = line.split_once('=') else {
            if line.starts_with(|c: char| c.is_ascii_digit() || "+-*".contains(c)) {
                // What is zero at the end of a line is left out.
                let columns: Vec<_> = line.split(' ').collect();
                let at =
                    |column: usize| columns.get(column).and_then(|count| count.parse().ok()).unwrap_or(0);
                let own =
                    object == program && !OF_THE_PROCESSOR.iter().any(|start| function.starts_with(start));
                *(if own { &mut counts.instructions } else { &mut counts.elsewhere }) += at(instructions);
                counts.system_calls += at(calls);
            }
            continue;
        };
        match word {
            "ob" => object = objects.of(value),
            "fn" => function = functions.of(value),
            "cob" => drop(objects.of(value)),
            "cfn" => called = functions.of(value),
            "calls" => {
                if object == program && ALLOCATORS.contains(&called) {
                    let times = value.split(' ').next().and_then(|times| times.parse::<u64>().ok());
                    counts.allocations += times.unwrap_or(0);
                }
                // What that cost stands where it was spent, too.
                lines.next();
            }
            _ => {}
        }
    }
    Ok(counts)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "version: 1
events: Ir sysCount sysTime

ob=(1) /p/hits
fl=(1) ???
fn=(1) larder::hit
0 100
cob=(2) /lib/libc.so.6
cfi=(2) malloc.c
cfn=(2) malloc
calls=3 0
0 60
+2 40 2 5
cfn=(3) sha2::sha256::compress256
calls=1 0
* 1000

fn=(3)
0 1000

ob=(2)
fl=(2)
fn=(2)
7 60 1

totals: 1200 3 5
";

    #[test]
    fn what_the_program_does_itself_is_told_from_libraries_and_the_processors_own() {
        let counts = read(TEXT, "/p/hits").expect("callgrind's format");
        let expected = Counts { instructions: 140, elsewhere: 1060, allocations: 3, system_calls: 3 };
        assert_eq!(counts, expected);
        assert_eq!(read(TEXT, "/p/other").expect("the same").instructions, 0);
        assert!(read("", "/p/hits").is_err());
    }

    #[test]
    fn the_start_of_a_program_falls_out() {
        let many = Counts { instructions: 1_250, elsewhere: 30, allocations: 9, system_calls: 10 };
        let few = Counts { instructions: 250, elsewhere: 30, allocations: 4, system_calls: 1 };
        let each = many.since(few).each_of(2);
        assert_eq!((each.instructions, each.elsewhere, each.allocations, each.system_calls), (500, 0, 3, 5));
    }
}
