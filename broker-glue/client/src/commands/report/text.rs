//! Any report, as lines that a person reads and `grep` finds: what is empty or zero is left out.

use std::fmt::Write as _;

use serde_json::{Map, Value};

use crate::commands::render;

pub(super) fn of(report: &Value) -> String {
    let mut text = String::new();
    match report {
        Value::Object(fields) => object(&mut text, fields, 0),
        other => text = format!("{}\n", scalar("", other)),
    }
    if text.is_empty() { "nothing\n".to_owned() } else { text }
}

/// A field to a line; lists below their name, an element to a line.
fn object(text: &mut String, fields: &Map<String, Value>, depth: usize) {
    let indent = "  ".repeat(depth);
    for (name, value) in fields.iter().filter(|(name, value)| says_something(name, value)) {
        let title = name.trim_end_matches("_unix_ms").trim_end_matches("_us").replace('_', " ");
        match value {
            Value::Object(below) => {
                let _ = writeln!(text, "{indent}{title}:");
                object(text, below, depth + 1);
            }
            Value::Array(elements) => {
                let _ = writeln!(text, "{indent}{title}:");
                for element in elements.iter().filter(|element| says_something("", element)) {
                    let _ = writeln!(text, "{indent}  {}", line(element));
                }
            }
            other => {
                let _ = writeln!(text, "{indent}{title:<16}{}", scalar(name, other));
            }
        }
    }
}

fn line(element: &Value) -> String {
    match element {
        Value::Object(fields) => {
            let said = fields.iter().filter(|(name, value)| says_something(name, value));
            let parts: Vec<String> = said.map(|(name, value)| part(name, value)).collect();
            parts.join("  ")
        }
        other => scalar("", other),
    }
}

fn part(name: &str, value: &Value) -> String {
    match value {
        Value::Object(_) => format!("{name}=({})", line(value)),
        Value::Array(elements) => {
            format!("{name}=[{}]", elements.iter().map(line).collect::<Vec<_>>().join(", "))
        }
        other => format!("{name}={}", scalar(name, other)),
    }
}

fn says_something(name: &str, value: &Value) -> bool {
    match value {
        Value::Null => false,
        Value::Bool(is) => *is,
        Value::Number(number) => name != "schema_version" && number.as_u64() != Some(0),
        Value::String(text) => !text.is_empty(),
        Value::Array(elements) => !elements.is_empty(),
        Value::Object(fields) => fields.iter().any(|(name, value)| says_something(name, value)),
    }
}

/// A value in the unit that the field's name ends in.
fn scalar(name: &str, value: &Value) -> String {
    let Some(number) = value.as_u64() else {
        let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        return text.chars().map(|c| if c.is_control() { '?' } else { c }).collect();
    };
    match name {
        _ if name.ends_with("_unix_ms") => render::time(number),
        _ if name.ends_with("_us") => render::duration(number),
        _ if name == "size" || name.ends_with("bytes") => render::bytes(number),
        "day" => render::date(u32::try_from(number).unwrap_or(u32::MAX)),
        _ => number.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_says_nothing_is_left_out_and_the_rest_is_in_fitting_units() {
        let report = json!({
            "schema_version": 1, "verdict": "good\n", "paused": false, "today": { "day": 20782, "hits": 0 },
            "largest": [{ "digest": "0a", "size": 2048, "last_use_unix_ms": 1_764_028_800_000_u64 }],
            "log": ["a", "b"], "counts": { "tool_us": 1500 }, "names": [],
        });
        let expected = "counts:\n  tool            1.5 ms\nlargest:\n  digest=0a  last_use_unix_ms=2025-11-25T00:00:00Z  size=2.00 KiB\nlog:\n  a\n  b\ntoday:\n  day             2026-11-25\nverdict         good?\n";
        assert_eq!(of(&report), expected);
        assert_eq!(of(&json!({ "schema_version": 1, "builds": [] })), "nothing\n");
        assert!(of(&json!({ "at_unix_ms": u64::MAX, "day": u64::MAX })).contains("9999"));
    }
}
