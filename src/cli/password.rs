//! Passwords from the terminal, unseen, or from standard input. Never from the arguments, which every user can see.

use super::Failure;
use crate::config::Secret;
use std::io::{self, BufRead, IsTerminal};

/// Where a password comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Source {
    /// Typed twice.
    Terminal,
    /// The first line.
    Stdin,
}

/// The longest password in bytes that a client can log in with (RFC 7613 leaves it open; SASL messages do not).
const LONGEST: usize = 1023;

/// Gets a new password.
pub(super) fn new_password(source: Source) -> Result<Secret, Failure> {
    let password = match source {
        Source::Stdin => first_line(io::stdin().lock())?,
        Source::Terminal => typed_twice()?,
    };
    checked(&password)
}

fn typed_twice() -> Result<String, Failure> {
    if !io::stdin().is_terminal() {
        return Err(Failure::Usage("expected --password-stdin where nobody can be asked for a password".to_owned()));
    }
    let password = rpassword::prompt_password("Password: ")?;
    if rpassword::prompt_password("Again: ")? != password {
        return Err(Failure::Failed("that was not the same twice".to_owned()));
    }
    Ok(password)
}

fn first_line(input: impl BufRead) -> Result<String, Failure> {
    let mut line = String::new();
    input.take(LONGEST as u64 + 3).read_line(&mut line)?;
    let line = line.strip_suffix('\n').unwrap_or(&line);
    Ok(line.strip_suffix('\r').unwrap_or(line).to_owned())
}

fn checked(password: &str) -> Result<Secret, Failure> {
    match password.len() {
        0 => Err(Failure::Usage("expected a password, found nothing".to_owned())),
        1..=LONGEST => Ok(Secret::new(password)),
        _ => Err(Failure::Usage(format!("expected a password of at most {LONGEST} bytes"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_line_is_the_password_with_its_blanks() {
        for (input, password) in
            [("secret\n", "secret"), ("secret", "secret"), (" a b \r\nmore\n", " a b "), ("\n", "")]
        {
            assert_eq!(first_line(input.as_bytes()).unwrap(), password, "{input:?}");
        }
    }

    #[test]
    fn a_password_is_neither_empty_nor_endless() {
        assert!(checked("").is_err());
        assert_eq!(checked("x").unwrap().expose(), "x");
        let longest = "x".repeat(LONGEST);
        assert!(checked(&first_line(format!("{longest}\n").as_bytes()).unwrap()).is_ok());
        assert!(checked(&first_line(format!("{longest}x\n").as_bytes()).unwrap()).is_err());
    }
}
