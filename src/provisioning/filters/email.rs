//! `email`: a mail address in the one form in which addresses are compared.

use minijinja::Value;

use super::{Given, Stop, tidy};

pub(super) fn body(given: &Given<'_>, text: Option<&str>) -> Result<Value, Stop> {
    given.at_most(0)?;
    match text.map(tidy).filter(|text| !text.is_empty()) {
        None => Ok(Value::from(())),
        Some(text) => email(&text).map(Value::from).map_err(Stop::from),
    }
}

/// Whether a text is an address as the target takes it, and why not.
///
/// # Errors
/// In words that hold no value.
pub fn check(text: &str) -> Result<(), &'static str> {
    if email(text)? == text.to_lowercase() {
        Ok(())
    } else {
        Err("more than a mail address stands there; the filter email takes it off")
    }
}

/// In small letters throughout: no mail system in use tells `Ann@` from `ann@`, and two accounts
/// for one mailbox would be the price of keeping them apart.
fn email(text: &str) -> Result<String, &'static str> {
    let bare = match text.split_at_checked("mailto:".len()) {
        Some((scheme, rest)) if scheme.eq_ignore_ascii_case("mailto:") => rest.trim_start(),
        _ => text,
    };
    let bare = bare.strip_prefix('<').and_then(|bare| bare.strip_suffix('>')).unwrap_or(bare);
    let address = bare.to_lowercase();
    let (local, domain) = address.split_once('@').ok_or("a mail address has an @")?;
    if domain.contains('@') {
        return Err("a mail address has only one @");
    }
    let dots = |part: &str| part.split('.').any(str::is_empty);
    let strange = |c: char| !c.is_alphanumeric() && !"!#$%&'*+-/=?^_`{|}~.".contains(c);
    if local.is_empty() || local.len() > 64 || dots(local) || local.contains(strange) {
        return Err("what stands before the @ is not that of a mail address");
    }
    let label = |label: &str| {
        (1..=63).contains(&label.len())
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label.chars().all(|c| c.is_alphanumeric() || c == '-')
    };
    if !domain.contains('.') || domain.len() > 189 || !domain.split('.').all(label) {
        return Err("what stands after the @ is not a domain such as example.com");
    }
    Ok(address)
}

#[cfg(test)]
mod tests {
    use super::{check, email};

    #[test]
    fn addresses_are_told_from_what_is_none() {
        for (typed, expected) in [
            ("Ann.Lee@Example.COM", "ann.lee@example.com"),
            ("MAILTO:ann@example.com", "ann@example.com"),
            ("<ann@example.com>", "ann@example.com"),
            ("o'neil+lms@example.co.uk", "o'neil+lms@example.co.uk"),
            ("jürgen@müller.example", "jürgen@müller.example"),
        ] {
            assert_eq!(email(typed).as_deref(), Ok(expected), "{typed}");
        }
        for refused in [
            "ann",
            "@example.com",
            "ann@",
            "ann@example",
            "ann@@example.com",
            "a b@example.com",
            "ann@example..com",
            ".ann@example.com",
            "ann@-example.com",
            "ann@example.com, b@c.de",
            "ann@example.com;",
            "Ann <ann@example.com>",
            "mailto:",
            "\"a\"@example.com",
        ] {
            assert!(email(refused).is_err(), "{refused}");
            assert!(check(refused).is_err(), "{refused}");
        }
        assert_eq!(check("Ann@Example.com"), Ok(()));
        for more in ["mailto:ann@example.com", "<ann@example.com>"] {
            assert!(check(more).is_err(), "{more}");
        }
    }
}
