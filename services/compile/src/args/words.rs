//! A command line, option by option.

use larder_service::Reason;

use super::table::{self, Form, Use};
use super::{Family, Refusal};

/// Most arguments of one call.
const MAX_ARGS: usize = 16_384;

/// Most bytes of all arguments together.
const MAX_BYTES: usize = 2 * 1024 * 1024;

/// One option with its value, or one file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Word<'a> {
    /// As it stands on the command line: one argument or two.
    pub(crate) args: &'a [Vec<u8>],
    pub(crate) what: What<'a>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum What<'a> {
    /// A file to compile.
    File(&'a [u8]),
    /// An option, and its value if it has one.
    Option(Use, Option<&'a [u8]>),
}

impl Word<'_> {
    /// The option's name as a person knows it, for messages: never its value.
    fn name(args: &[Vec<u8>]) -> String {
        let arg = args.first().map_or(&b""[..], Vec::as_slice);
        let end = arg.iter().position(|byte| matches!(byte, b'=' | b',')).unwrap_or(arg.len());
        String::from_utf8_lossy(&arg[..end.min(64)]).into_owned()
    }

    /// The refusal of this word.
    pub(crate) fn refused(&self, reason: Reason) -> Refusal {
        Refusal { reason, detail: Self::name(self.args) }
    }
}

/// Takes `args` apart; the first word that no rule fits is the refusal.
pub(super) fn words(family: Family, args: &[Vec<u8>]) -> Result<Vec<Word<'_>>, Refusal> {
    if args.len() > MAX_ARGS || args.iter().map(Vec::len).sum::<usize>() > MAX_BYTES {
        let detail = format!("more than {MAX_ARGS} arguments, or {MAX_BYTES} bytes");
        return Err(Refusal { reason: Reason::OptionUncacheable, detail });
    }
    let mut words = Vec::with_capacity(args.len());
    let mut rest = args;
    while !rest.is_empty() {
        let (word, length) = next(family, rest)?;
        words.push(word);
        rest = &rest[length..];
    }
    Ok(words)
}

/// The word at the start of `rest`, and how many arguments it takes.
pub(crate) fn next(family: Family, rest: &[Vec<u8>]) -> Result<(Word<'_>, usize), Refusal> {
    let arg = rest.first().map_or(&b""[..], Vec::as_slice);
    let one = |what| Word { args: &rest[..1], what };
    let refused = |reason| Err(Refusal { reason, detail: Word::name(rest) });
    match arg {
        b"-" => return refused(Reason::SourceFromStdin),
        [b'@', ..] => return refused(Reason::ResponseFile),
        [b'-', ..] => {}
        file => return Ok((one(What::File(file)), 1)),
    }
    let Some(row) = table::row_of(family, arg) else {
        return match table::group_of(arg) {
            Some(what) => Ok((one(What::Option(what, None)), 1)),
            None => refused(Reason::OptionUnknown),
        };
    };
    let attached = &arg[row.name.len()..];
    let separate = match row.form {
        Form::Alone => return Ok((one(What::Option(row.what, None)), 1)),
        Form::Joined => false,
        Form::Separate => true,
        Form::Either => attached.is_empty(),
    };
    if !separate {
        return Ok((one(What::Option(row.what, Some(attached))), 1));
    }
    match rest.get(1) {
        Some(value) => Ok((Word { args: &rest[..2], what: What::Option(row.what, Some(value)) }, 2)),
        None => refused(Reason::OptionMalformed),
    }
}
