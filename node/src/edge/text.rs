//! Texts that people write and read.

use super::Problem;

/// Checks a text of one line: not blank, without control characters, and not too long.
///
/// # Errors
/// A malformed field of this name.
pub fn check_line(field: &str, text: &str, characters_max: usize) -> Result<(), Problem> {
    if text.trim().is_empty() || text.chars().nth(characters_max).is_some() {
        let why = format!("has 1 to {characters_max} characters and is not blank");
        return Err(Problem::field(field, why));
    }
    // One of them, NUL, is a character that not every database keeps.
    if text.chars().any(char::is_control) {
        return Err(Problem::field(field, "has no control characters"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_neither_blank_nor_endless() {
        let longest = "é".repeat(200);
        for text in ["m", "Blue Mug", "머그", &longest] {
            assert_eq!(check_line("name", text, 200), Ok(()), "{text}");
        }
        let long = "é".repeat(201);
        for text in ["", " ", "\u{a0}", "a\0b", "two\nlines", &long] {
            let problem = check_line("name", text, 200).expect_err(text);
            assert_eq!(problem.code(), "VALIDATION_ERROR");
        }
    }
}
