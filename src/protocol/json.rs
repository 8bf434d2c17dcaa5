//! What JSON from outside must hold to before it is parsed.

/// Deepest nesting of objects and arrays that is read (SECURITY, *Abuse*).
pub const MAX_DEPTH: usize = 16;

/// Whether brackets nest deeper than [`MAX_DEPTH`]. Brackets inside strings don't count; text
/// that is no JSON gets some answer, and the parser's error later.
#[must_use]
pub fn is_too_deep(text: &[u8]) -> bool {
    let (mut depth, mut in_string, mut escaped) = (0_usize, false, false);
    for byte in text {
        match (in_string, byte) {
            (true, _) if escaped => escaped = false,
            (true, b'\\') => escaped = true,
            (_, b'"') => in_string = !in_string,
            (false, b'[' | b'{') => {
                depth += 1;
                if depth > MAX_DEPTH {
                    return true;
                }
            }
            (false, b']' | b'}') => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn depth_counts_brackets_outside_strings() {
        let nested = |n: usize| format!("{}{}", "[".repeat(n), "]".repeat(n));
        assert!(!is_too_deep(nested(16).as_bytes()));
        assert!(is_too_deep(nested(17).as_bytes()));
        assert!(!is_too_deep(format!(r#""\"{}""#, "[".repeat(99)).as_bytes()));
        assert!(!is_too_deep("[],".repeat(50).as_bytes()));
    }
}
