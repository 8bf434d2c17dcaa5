//! Reads which crates and which layers a file names: in `use`, and in paths inside the code.
//! Text, comments and string literals do not count.

/// The source without comments, string and character literals.
pub fn code(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        let skipped = if rest.starts_with("//") {
            rest.find('\n').unwrap_or(rest.len())
        } else if rest.starts_with("/*") {
            rest.find("*/").map_or(rest.len(), |end| end + 2)
        } else if c == '"' {
            quoted(rest)
        } else if let Some(end) = raw(rest, &out) {
            end
        } else if c == '\'' {
            character(rest)
        } else {
            0
        };
        if skipped == 0 {
            out.push(c);
            rest = &rest[c.len_utf8()..];
        } else {
            out.push(' ');
            rest = &rest[skipped..];
        }
    }
    out
}

/// Length of the literal that begins here.
fn quoted(text: &str) -> usize {
    let mut escaped = false;
    for (at, c) in text.char_indices().skip(1) {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => return at + 1,
            _ => {}
        }
    }
    text.len()
}

/// Length of the raw literal that begins here, unless this `r` ends a word.
fn raw(text: &str, before: &str) -> Option<usize> {
    if before.ends_with(|c: char| c.is_alphanumeric() || c == '_') {
        return None;
    }
    let hashes = text.strip_prefix('r')?;
    let depth = hashes.len() - hashes.trim_start_matches('#').len();
    let body = hashes[depth..].strip_prefix('"')?;
    let close = format!("\"{}", "#".repeat(depth));
    let end = body.find(&close)?;
    Some(1 + depth + 1 + end + close.len())
}

/// Length of the character literal that begins here; 0 for a lifetime.
fn character(text: &str) -> usize {
    let mut chars = text.char_indices().skip(1);
    match (chars.next(), chars.next()) {
        (Some((_, '\\')), Some(_)) => chars.find(|(_, c)| *c == '\'').map_or(0, |(at, _)| at + 1),
        (Some(_), Some((at, '\''))) => at + 1,
        _ => 0,
    }
}

/// Every path in the source as its segments, groups in braces taken apart: `use a::{b, c::d}` is
/// `a::b` and `a::c::d`.
pub fn paths(text: &str) -> Vec<Vec<String>> {
    let code = code(text);
    let mut found = Vec::new();
    let mut rest = code.as_str();
    while let Some(start) = rest.find(|c: char| c.is_alphabetic() || c == '_') {
        rest = &rest[start..];
        rest = path(rest, &mut Vec::new(), &mut found);
    }
    found
}

/// Reads a path at the front of `text`; gives what comes after it.
fn path<'a>(text: &'a str, before: &mut Vec<String>, found: &mut Vec<Vec<String>>) -> &'a str {
    let end = text.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(text.len());
    before.push(text[..end].to_owned());
    let mut rest = &text[end..];
    match rest.trim_start().strip_prefix("::") {
        Some(next) if next.trim_start().starts_with(|c: char| c.is_alphabetic() || c == '_') => {
            rest = path(next.trim_start(), before, found);
        }
        Some(next) if next.trim_start().starts_with('{') => {
            rest = group(&next.trim_start()[1..], before, found);
        }
        _ => found.push(before.clone()),
    }
    before.pop();
    rest
}

fn group<'a>(text: &'a str, before: &mut Vec<String>, found: &mut Vec<Vec<String>>) -> &'a str {
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        match c {
            '}' => return &rest[1..],
            _ if c.is_alphabetic() || c == '_' => rest = path(rest, before, found),
            _ => rest = &rest[c.len_utf8()..],
        }
    }
    rest
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Vec<String> {
        paths(text).into_iter().filter(|path| path.len() > 1).map(|path| path.join("::")).collect()
    }

    #[test]
    fn paths_are_found_in_uses_and_in_code() {
        assert_eq!(
            read("use crate::{store::Store, rooms::{self, Act}};\nfn f() { crate::http::go(); }"),
            ["crate::store::Store", "crate::rooms::self", "crate::rooms::Act", "crate::http::go"]
        );
        assert_eq!(read("use crate::a::\n    b;"), ["crate::a::b"]);
    }

    #[test]
    fn comments_and_literals_do_not_count() {
        let text = "//! crate::a::b\nlet x = \"crate::c \\\" d\"; let y = r#\"crate::\"e\"#; 'a';\n\
                    let z = '\"'; let q = '\\''; fn f<'a>(x: &'a str) { g::h }";
        assert_eq!(read(text), ["g::h"]);
    }
}
