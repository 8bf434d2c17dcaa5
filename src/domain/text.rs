//! A message's text: bounded and free of NUL, which PostgreSQL can't store.

use serde::Serialize;

/// Longest text of a message, in bytes of UTF-8 (SECURITY, *Abuse*).
pub const MESSAGE_MAX_BYTES: usize = 8 * 1024;

/// Why a text is refused; the words are for the one who wrote it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TextError {
    /// Nothing, or only white space.
    #[error("This field may not be blank.")]
    Blank,
    /// Over [`MESSAGE_MAX_BYTES`].
    #[error("Ensure this field has no more than 8192 bytes.")]
    TooLong,
    /// Holds U+0000.
    #[error("Null characters are not allowed.")]
    Nul,
}

/// The text of a message, as sent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct MessageText(String);

impl MessageText {
    /// Checks a text that must say something. It is kept as it came.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn parse(text: impl Into<String>) -> Result<Self, TextError> {
        let text = Self::parse_or_blank(text)?;
        if text.0.trim().is_empty() { Err(TextError::Blank) } else { Ok(text) }
    }

    /// The same, but blank is fine: guests relay blank texts to one another.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn parse_or_blank(text: impl Into<String>) -> Result<Self, TextError> {
        let text = text.into();
        if text.len() > MESSAGE_MAX_BYTES {
            Err(TextError::TooLong)
        } else if text.contains('\0') {
            Err(TextError::Nul)
        } else {
            Ok(Self(text))
        }
    }

    /// The text, taken out.
    #[must_use]
    pub fn into_string(self) -> String {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_says_something_within_its_bound() {
        assert!(MessageText::parse(" hi ").is_ok_and(|text| text.into_string() == " hi "));
        assert_eq!(MessageText::parse(" \n"), Err(TextError::Blank));
        assert!(MessageText::parse_or_blank("").is_ok());
        assert_eq!(MessageText::parse("a\0"), Err(TextError::Nul));
        assert!(MessageText::parse("é".repeat(4096)).is_ok());
        assert_eq!(MessageText::parse("é".repeat(4096) + "a"), Err(TextError::TooLong));
    }
}
