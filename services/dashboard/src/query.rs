//! The parameters of a request.

/// The values of `names` in `query`, in their order; each at most once, and nothing else.
///
/// # Errors
/// With a sentence that names the parameters there are.
pub(crate) fn values<'q, const N: usize>(
    query: Option<&'q str>,
    names: [&str; N],
) -> Result<[Option<&'q str>; N], String> {
    let mut values = [None; N];
    for pair in query.unwrap_or_default().split('&').filter(|pair| !pair.is_empty()) {
        let known = pair
            .split_once('=')
            .and_then(|(name, value)| Some((names.iter().position(|known| *known == name)?, value)));
        match known {
            Some((at, value)) if values[at].is_none() => values[at] = Some(value),
            _ if N == 0 => return Err("failed to read the query: there are no parameters".to_owned()),
            _ => return Err(format!("failed to read the query: there is only {}, once", names.join(", "))),
        }
    }
    Ok(values)
}

/// A whole number from 0 to `most`; `default` where there is none.
///
/// # Errors
/// With a sentence that names `name` and its range.
pub(crate) fn number(name: &str, value: Option<&str>, default: usize, most: usize) -> Result<usize, String> {
    let Some(value) = value else { return Ok(default) };
    let number = value.parse().ok().filter(|number| *number <= most);
    number.ok_or_else(|| format!("failed to read {name}: it is a number from 0 to {most}"))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn parameters_are_known_and_bounded() {
        assert_eq!(values(None, ["records"]), Ok([None]));
        assert_eq!(values(Some("records=7"), ["records"]), Ok([Some("7")]));
        for wrong in ["records", "other=1", "%ff", "records=1&records=2"] {
            assert!(values(Some(wrong), ["records"]).is_err(), "{wrong}");
        }
        assert_eq!(number("records", Some("1000"), 0, 1000), Ok(1000));
        for wrong in ["", "-1", "1001", "x", "99999999999999999999"] {
            assert!(number("records", Some(wrong), 0, 1000).is_err(), "{wrong}");
        }
    }

    proptest! {
        #[test]
        fn any_query_is_read_or_refused(query in ".{0,60}") {
            let _ = values(Some(&query), ["records", "limit"]);
            let _ = values(Some(&query), []);
        }
    }
}
