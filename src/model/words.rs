//! Numbers as people read them: with separators, and with the right word behind them.

/// `1,204`.
pub fn number(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// `1 delivery`, `1,204 deliveries`.
pub fn count(count: u64, one: &str, many: &str) -> String {
    format!("{} {}", number(count), if count == 1 { one } else { many })
}

/// The same for how many things there are in memory.
pub fn count_of(things: usize, one: &str, many: &str) -> String {
    count(u64::try_from(things).unwrap_or(u64::MAX), one, many)
}

/// `1 person`, `1,204 people`.
pub fn people(people: u64) -> String {
    count(people, "person", "people")
}

#[cfg(test)]
mod tests {
    use super::{count_of, number, people};

    #[test]
    fn one_is_not_many() {
        assert_eq!([0, 999, 1000, 1_234_567].map(number), ["0", "999", "1,000", "1,234,567"]);
        assert_eq!([0, 1, 2].map(people), ["0 people", "1 person", "2 people"]);
        assert_eq!(count_of(1, "delivery", "deliveries"), "1 delivery");
    }
}
