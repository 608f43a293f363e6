//! Sizes as people write them.

/// A size that cannot be understood.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "failed to read {text:?} as a size\nhint: write bytes, or a number with K, M, G, T (thousands) or Ki, Mi, Gi, Ti (1024), for example 10GiB"
)]
pub struct SizeError {
    text: String,
}

/// Bytes that `text` names: `1048576`, `500M`, `500MB`, `10GiB`, `1.5 Ti`. Case does not matter.
///
/// # Errors
/// When it is not a number with one of the units, is zero, or is too large to count.
pub fn parse(text: &str) -> Result<u64, SizeError> {
    let error = || SizeError { text: text.chars().take(40).collect() };
    let lower = text.trim().to_ascii_lowercase();
    let split = lower.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(lower.len());
    let (number, unit) = lower.split_at(split);
    let factor = factor(unit.trim()).ok_or_else(error)?;
    let bytes = scaled(number, factor).ok_or_else(error)?;
    if bytes == 0 { Err(error()) } else { Ok(bytes) }
}

fn factor(unit: &str) -> Option<u64> {
    let unit = unit.strip_suffix('b').unwrap_or(unit);
    let (letter, base) = match unit.strip_suffix('i') {
        Some(letter) => (letter, 1024_u64),
        None => (unit, 1000),
    };
    let power = match letter {
        "" if base == 1000 => 0,
        "k" => 1,
        "m" => 2,
        "g" => 3,
        "t" => 4,
        _ => return None,
    };
    Some(base.pow(power))
}

/// `number` times `factor`, exactly, rounded down; the number may have up to nine decimals.
fn scaled(number: &str, factor: u64) -> Option<u64> {
    let (whole, decimals) = number.split_once('.').unwrap_or((number, "0"));
    if whole.is_empty() || decimals.is_empty() || decimals.len() > 9 {
        return None;
    }
    let whole = whole.parse::<u64>().ok()?.checked_mul(factor)?;
    let scale = 10_u128.pow(u32::try_from(decimals.len()).ok()?);
    let part = u128::from(decimals.parse::<u64>().ok()?) * u128::from(factor) / scale;
    whole.checked_add(u64::try_from(part).ok()?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn both_families_of_units_are_understood() {
        for (text, bytes) in [
            ("1", 1),
            ("7B", 7),
            ("500M", 500_000_000),
            ("500mb", 500_000_000),
            ("10GiB", 10 << 30),
            ("10 Gi", 10 << 30),
            ("1.5k", 1500),
            ("0.5Ki", 512),
            ("2T", 2_000_000_000_000),
        ] {
            assert_eq!(parse(text), Ok(bytes), "{text}");
        }
    }

    #[test]
    fn what_is_no_size_is_refused_with_an_example() {
        for text in ["", "G", "10X", "-1", "1..5G", "0", "0G", "1iB", "99999999999T", "1 0", "ten", "0.0001B"]
        {
            let error = parse(text).expect_err(text);
            assert!(error.to_string().contains("10GiB"), "{error}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused(text in ".{0,60}") {
            let _ = parse(&text);
        }
    }
}
