//! Passwords: which are refused, and their argon2id hashes. The functions here are pure but for
//! the salt; hashing takes tens of milliseconds and 19 MiB, so only `hashing` calls it.

use argon2::{Argon2, PasswordHasher, PasswordVerifier};

/// Fewest characters of a password.
pub const PASSWORD_MIN: usize = 8;
/// Most characters of a password; far over what people use, and a bound nonetheless.
pub const PASSWORD_MAX: usize = 1024;

/// Passwords that are tried first by whoever guesses; one a line, lower case.
const COMMON: &str = include_str!("common_passwords.txt");

/// Why a password is refused; the text is for the one who chose it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Weak {
    /// Nothing.
    #[error("This field may not be blank.")]
    Blank,
    /// Under [`PASSWORD_MIN`].
    #[error("This password is too short. It must contain at least 8 characters.")]
    Short,
    /// Over [`PASSWORD_MAX`].
    #[error("Ensure this field has no more than 1024 characters.")]
    Long,
    /// Among the first that are guessed.
    #[error("This password is too common.")]
    Common,
    /// The user's own name or address.
    #[error("The password is too similar to the username or the email address.")]
    OwnName,
    /// Holds U+0000.
    #[error("Null characters are not allowed.")]
    Nul,
}

/// Whether `password` will do for a user with these names. No rule on its composition: length
/// is what helps.
///
/// # Errors
/// What is wrong with it.
pub fn check(password: &str, own_names: &[&str]) -> Result<(), Weak> {
    let length = password.chars().count();
    if length == 0 {
        return Err(Weak::Blank);
    }
    if length < PASSWORD_MIN {
        return Err(Weak::Short);
    }
    if length > PASSWORD_MAX {
        return Err(Weak::Long);
    }
    if password.contains('\0') {
        return Err(Weak::Nul);
    }
    let folded = password.to_lowercase();
    if COMMON.lines().any(|common| common == folded) {
        return Err(Weak::Common);
    }
    let own = own_names.iter().map(|name| name.to_lowercase());
    for name in own.filter(|name| !name.is_empty()) {
        let local = name.split_once('@').map_or("", |(local, _)| local);
        if folded == name || folded == local {
            return Err(Weak::OwnName);
        }
    }
    Ok(())
}

/// The PHC string of a password: argon2id, m = 19 MiB, t = 2, p = 1, a salt of its own.
///
/// # Errors
/// When the system gives no random bytes or no memory.
pub fn hash(password: &str) -> Result<String, argon2::password_hash::Error> {
    // The library's defaults are these numbers; a test holds them.
    Ok(Argon2::default().hash_password(password.as_bytes())?.to_string())
}

/// Whether `password` is the one behind a PHC string; a string that is none matches nothing.
#[must_use]
pub fn matches(password: &str, phc: &str) -> bool {
    Argon2::default().verify_password(password.as_bytes(), phc).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weak_passwords_are_refused_and_long_ones_are_not() {
        for (password, why) in [
            ("", Weak::Blank),
            ("short", Weak::Short),
            ("1234567", Weak::Short),
            ("12345678", Weak::Common),
            ("Password1", Weak::Common),
            ("QWERTYUIOP", Weak::Common),
            ("11111111", Weak::Common),
            ("alice.liddell", Weak::OwnName),
            ("Alice.Liddell@wonder.land", Weak::OwnName),
            ("white rabbit\0", Weak::Nul),
        ] {
            let own = ["alice.liddell", "alice.liddell@wonder.land"];
            assert_eq!(check(password, &own), Err(why), "{password:?}");
        }
        for password in
            ["down the rabbit hole", "žluťoučký", "        8", &"long enough ".repeat(8)]
        {
            assert_eq!(check(password, &["alice", ""]), Ok(()), "{password:?}");
        }
        assert_eq!(check(&"ab".repeat(513), &[]), Err(Weak::Long));
    }

    #[test]
    fn every_common_password_is_one_that_could_otherwise_be_chosen() {
        for line in COMMON.lines() {
            assert!(line.chars().count() >= PASSWORD_MIN, "{line} is too short to be listed");
            assert_eq!(line, line.to_lowercase());
        }
    }

    #[test]
    fn a_hash_is_argon2id_with_the_settled_costs_and_matches_its_password_alone() {
        let phc = hash("down the rabbit hole").unwrap_or_default();
        assert!(phc.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{phc}");
        assert!(matches("down the rabbit hole", &phc));
        assert!(!matches("down the rabbit hole ", &phc));
        assert!(!matches("", "not a hash"));
        assert_ne!(hash("down the rabbit hole").unwrap_or_default(), phc, "each has its salt");
    }
}
