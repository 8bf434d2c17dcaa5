//! Names of users and rooms: read once at the edge into a type that is right from then on.
//! Rules: CONTRACT section 3 (*What `{x}` names*) and DESIGN (*The data*).

use std::fmt;

use serde::Serialize;
use unicase::UniCase;
use unicode_normalization::UnicodeNormalization;
use uuid::Uuid;

/// Longest user name, in characters.
pub const USER_NAME_MAX: usize = 150;
/// Longest room name, in characters.
pub const ROOM_NAME_MAX: usize = 100;

/// Why a name is refused; the text is for the one who chose it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// Nothing, or only white space.
    #[error("This field may not be blank.")]
    Blank,
    /// Over [`USER_NAME_MAX`].
    #[error("Ensure this field has no more than 150 characters.")]
    UserNameTooLong,
    /// Over [`ROOM_NAME_MAX`].
    #[error("Ensure this field has no more than 100 characters.")]
    RoomNameTooLong,
    /// Characters outside `[\w.+-]`.
    #[error("Enter a valid username. It may contain letters, numbers and . + - _ only.")]
    UserNameCharacters,
    /// A slash, a control character or another one that can't be seen.
    #[error("Enter a valid name: printable characters, without a slash.")]
    RoomNameCharacters,
    /// Reads as an id, which always wins over a name.
    #[error("A name may not have the shape of a UUID.")]
    LooksLikeAnId,
}

/// A user's name: 1 to 150 of letters, digits, `_`, `.`, `+`, `-`, and never shaped like a UUID.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct UserName(String);

impl UserName {
    /// Checks a name; it is kept as written, in NFC.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn parse(text: &str) -> Result<Self, NameError> {
        let name: String = text.trim().nfc().collect();
        if name.is_empty() {
            return Err(NameError::Blank);
        }
        if name.chars().count() > USER_NAME_MAX {
            return Err(NameError::UserNameTooLong);
        }
        if !name.chars().all(|c| c.is_alphanumeric() || "_.+-".contains(c)) {
            return Err(NameError::UserNameCharacters);
        }
        if Uuid::try_parse(&name).is_ok() {
            return Err(NameError::LooksLikeAnId);
        }
        Ok(Self(name))
    }

    /// As written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// What must be unique: see [`user_key`].
    #[must_use]
    pub fn key(&self) -> String {
        user_key(&self.0)
    }
}

impl fmt::Display for UserName {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.0)
    }
}

/// The key under which a user name is unique and found: NFKC, case folded. Any text has one.
#[must_use]
pub fn user_key(name: &str) -> String {
    let compatible: String = name.trim().nfkc().collect();
    UniCase::unicode(compatible).to_folded_case().nfkc().collect()
}

/// A room's name: 1 to 100 printable characters without a slash, in NFC, never shaped like a UUID.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct RoomName(String);

impl RoomName {
    /// Checks a name and brings it to NFC; white space at both ends goes.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn parse(text: &str) -> Result<Self, NameError> {
        let name: String = text.trim().nfc().collect();
        if name.is_empty() {
            return Err(NameError::Blank);
        }
        if name.chars().count() > ROOM_NAME_MAX {
            return Err(NameError::RoomNameTooLong);
        }
        if !name.chars().all(is_printable) {
            return Err(NameError::RoomNameCharacters);
        }
        if Uuid::try_parse(&name).is_ok() {
            return Err(NameError::LooksLikeAnId);
        }
        Ok(Self(name))
    }

    /// As written, in NFC.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for RoomName {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.0)
    }
}

/// What one can see and type in a URL: no control characters, no line or paragraph separators,
/// no byte order mark, and no slash. Joiners and direction marks stay: emoji and right-to-left
/// names need them.
#[must_use]
pub fn is_printable(c: char) -> bool {
    !c.is_control() && !matches!(c, '/' | '\u{2028}' | '\u{2029}' | '\u{FEFF}' | '\u{FFFD}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn user_names_admit_word_characters_and_dot_plus_minus() {
        for good in ["alice", "a_b", "A.b+c-d", "Łukasz", "李雷", "x1"] {
            assert_eq!(UserName::parse(good).map(|n| n.to_string()).as_deref(), Ok(good));
        }
        for (bad, why) in [
            ("", NameError::Blank),
            ("  ", NameError::Blank),
            ("a b", NameError::UserNameCharacters),
            ("a/b", NameError::UserNameCharacters),
            ("a\0b", NameError::UserNameCharacters),
            ("<script>", NameError::UserNameCharacters),
            ("0192f7a0-0000-7000-8000-000000000000", NameError::LooksLikeAnId),
            ("0192f7a000007000800000000000000a", NameError::LooksLikeAnId),
        ] {
            assert_eq!(UserName::parse(bad), Err(why), "{bad:?}");
        }
        assert!(UserName::parse(&"a".repeat(150)).is_ok());
        assert_eq!(UserName::parse(&"a".repeat(151)), Err(NameError::UserNameTooLong));
    }

    #[test]
    fn user_names_that_look_alike_share_a_key() {
        assert_eq!(user_key("Alice"), user_key("aLICE"));
        assert_eq!(user_key("ﬁn"), user_key("FIN"));
        assert_eq!(user_key("Straße"), user_key("STRASSE"));
        assert_ne!(user_key("alice"), user_key("alicia"));
    }

    #[test]
    fn room_names_admit_what_one_can_see() {
        for good in ["global", "café", "🦀 crabs", "שלום", "a b", "50%"] {
            assert!(RoomName::parse(good).is_ok(), "{good}");
        }
        assert_eq!(RoomName::parse("cafe\u{301}").map(|n| n.to_string()).as_deref(), Ok("café"));
        for bad in
            ["", " ", "a/b", "a\nb", "a\0b", "\u{2028}", "0192f7a0-0000-7000-8000-000000000000"]
        {
            assert!(RoomName::parse(bad).is_err(), "{bad:?}");
        }
        assert!(RoomName::parse(&"é".repeat(100)).is_ok());
        assert!(RoomName::parse(&"é".repeat(101)).is_err());
    }
}
