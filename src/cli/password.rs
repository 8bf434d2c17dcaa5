//! Asks for a password: on a terminal, unseen and twice, or as the first line of stdin.

use std::io::{self, BufRead, IsTerminal};

use anyhow::{Context, bail, ensure};

/// Longest line that is read as a password, bytes.
const LINE_MAX: u64 = 4096;

/// A password from whoever runs the command.
pub(super) fn ask(from_stdin: bool) -> anyhow::Result<String> {
    if from_stdin {
        return first_line(io::stdin().lock());
    }
    if !io::stdin().is_terminal() {
        bail!(
            "there is no terminal to ask for a password on: give --password-stdin and pipe it in"
        );
    }
    let password = rpassword::prompt_password("Password: ").context("reading the password")?;
    let again = rpassword::prompt_password("The same again: ").context("reading the password")?;
    ensure!(password == again, "the two passwords differ: try again");
    Ok(password)
}

/// The first line without its end.
fn first_line(input: impl BufRead) -> anyhow::Result<String> {
    let mut line = String::new();
    input.take(LINE_MAX).read_line(&mut line).context("reading the password from stdin")?;
    let password = line.strip_suffix('\n').unwrap_or(&line);
    let password = password.strip_suffix('\r').unwrap_or(password);
    ensure!(!password.is_empty(), "stdin holds no password: its first line is empty");
    Ok(password.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_line_is_the_password_as_it_is() {
        for (input, password) in
            [("down the hole", "down the hole"), (" a b \r\nmore", " a b "), ("a\n", "a")]
        {
            assert_eq!(first_line(input.as_bytes()).ok().as_deref(), Some(password));
        }
        assert!(first_line(&b""[..]).is_err());
        assert!(first_line(&b"\nlate"[..]).is_err());
    }
}
