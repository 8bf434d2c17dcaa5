//! One line of the log: text from outside made harmless. Pure; called by `log`.

use std::fmt::Write;

/// Longest text of one line, in characters; what is longer is cut.
const LINE_MAX: usize = 8 * 1024;
/// What stands in place of what nobody may read.
const MASK: &str = "***";

/// `text` as part of one line: no line breaks or other control characters, no query strings, no
/// tokens, and not endless.
#[must_use]
pub fn harmless(text: &str) -> String {
    let mut line = String::with_capacity(text.len());
    let mut words = 0;
    for word in text.split_inclusive(is_edge) {
        words += word.chars().count();
        if words > LINE_MAX {
            line.push('…');
            break;
        }
        let (word, edge) = match word.char_indices().next_back() {
            Some((at, last)) if is_edge(last) => (&word[..at], Some(last)),
            _ => (word, None),
        };
        add_word(&mut line, word);
        if let Some(edge) = edge {
            add_char(&mut line, edge);
        }
    }
    line
}

/// Where words end, as far as queries and tokens go.
fn is_edge(c: char) -> bool {
    c.is_whitespace() || c.is_control() || matches!(c, '"' | '\'' | '<' | '>' | ',' | ';' | ')')
}

fn add_word(line: &mut String, word: &str) {
    let (kept, query) = match word.split_once('?') {
        Some((path, query)) if query.contains('=') => (path, "?…"),
        _ => (word, ""),
    };
    let mut rest = kept;
    while let Some((before, token)) = split_token(rest) {
        before.chars().for_each(|c| add_char(line, c));
        line.push_str(MASK);
        rest = token;
    }
    rest.chars().for_each(|c| add_char(line, c));
    line.push_str(query);
}

/// What stands before and after the first thing that has the shape of a JWT.
fn split_token(word: &str) -> Option<(&str, &str)> {
    let start = word.find("eyJ")?;
    let of_token = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    let rest = &word[start..];
    let length = rest.find(|c| !of_token(c)).unwrap_or(rest.len());
    let token = rest[..length].matches('.').count() >= 2 || length > 100;
    token.then(|| (&word[..start], &rest[length..]))
}

fn add_char(line: &mut String, c: char) {
    if c.is_control() || matches!(c, '\u{2028}' | '\u{2029}' | '\u{202A}'..='\u{202E}') {
        let _ = write!(line, "{}", c.escape_default());
    } else {
        line.push(c);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_stays_one_line_and_tells_no_secret() {
        for (text, shown) in [
            ("room global opened", "room global opened"),
            ("is it there?", "is it there?"),
            ("a\nb\r\tc\0", "a\\nb\\r\\tc\\u{0}"),
            ("\u{1b}[31mred", "\\u{1b}[31mred"),
            ("\u{2028}\u{202e}", "\\u{2028}\\u{202e}"),
            ("GET /ws/chat/x/?token=hush HTTP/1.1", "GET /ws/chat/x/?… HTTP/1.1"),
            ("uri: \"/a?b=c\", next", "uri: \"/a?…\", next"),
            ("Bearer eyJhbGciOi.eyJzdWIi.c2ln!", "Bearer ***!"),
            ("access_token=eyJh.eyJz.x-_Y; a=b", "access_token=***; a=b"),
            ("eyJ is how they begin", "eyJ is how they begin"),
            ("שלום 🦀", "שלום 🦀"),
        ] {
            assert_eq!(harmless(text), shown);
        }
        let long = harmless(&"word ".repeat(10_000));
        assert!(long.chars().count() <= LINE_MAX + 1 && long.ends_with('…'));
        assert!(harmless(&"w".repeat(100_000)).chars().count() <= LINE_MAX + 1);
    }
}
