//! `phone`: a phone number in the form of E.164, +441632960001.
//!
//! Only the numbering plans are taken from the library: its own reading cuts the prefix of calls at
//! home from numbers that say their country (seen in 0.3.10: `+7 800 ...` loses its 8).

use minijinja::Value;

use super::{Given, Stop};

#[cfg(not(feature = "phone"))]
pub(super) fn body(_: &Given<'_>, _: Option<&str>) -> Result<Value, Stop> {
    Err("this program was built without the numbering plans: build it with the cargo feature phone"
        .into())
}

#[cfg(feature = "phone")]
pub(super) fn body(given: &Given<'_>, text: Option<&str>) -> Result<Value, Stop> {
    plans::body(given, text)
}

#[cfg(feature = "phone")]
mod plans {
    //! With the numbering plans.

    use minijinja::Value;
    use phonenumber::Metadata;
    use phonenumber::metadata::DATABASE;

    use super::super::{Given, Stop, country, tidy};

    /// The longest that anybody writes a phone number, in bytes.
    const LONGEST: usize = 64;

    pub(super) fn body(given: &Given<'_>, text: Option<&str>) -> Result<Value, Stop> {
        given.at_most(1)?;
        let plan = match given.text(0)?.map(tidy).filter(|country| !country.is_empty()) {
            None => None,
            Some(said) => Some(plan(&said).ok_or(
                "its country is none with phone numbers; it is named by a code such as 'GB'",
            )?),
        };
        match text.map(tidy).filter(|text| !text.is_empty()) {
            None => Ok(Value::from(())),
            Some(text) => phone(&text, plan).map(Value::from).map_err(Stop::from),
        }
    }

    pub(super) fn plan(country: &str) -> Option<&'static Metadata> {
        DATABASE.by_id(country::code(country)?)
    }

    pub(super) fn phone(text: &str, plan: Option<&Metadata>) -> Result<String, &'static str> {
        if text.len() > LONGEST {
            return Err("this is too long for a phone number");
        }
        let (digits, says_country) = digits(text)?;
        if digits.len() < 4 {
            return Err("this is too short for a phone number");
        }
        let found = if says_country {
            international(&digits)
        } else {
            let abroad = plan.and_then(|plan| without_exit(plan, &digits));
            abroad
                .or_else(|| digits.strip_prefix("00"))
                .and_then(international)
                .or_else(|| national(plan?, &digits))
        };
        match found {
            Some(number) => Ok(number),
            None if plan.is_none() && !says_country => {
                Err("its country is not known, and it does not begin with +")
            }
            None => Err("no such number can exist in its country"),
        }
    }

    /// The digits, and whether there is a + before them. An extension is not part of the number.
    fn digits(text: &str) -> Result<(String, bool), &'static str> {
        let text = text.to_ascii_lowercase();
        let text = text.strip_prefix("tel:").unwrap_or(&text).trim();
        let end = ["ext", "x", "#", ";"].iter().filter_map(|mark| text.find(mark)).min();
        let mut digits = String::with_capacity(text.len());
        let mut plus = false;
        for c in text[..end.unwrap_or(text.len())].chars() {
            match c {
                '0'..='9' => digits.push(c),
                '+' if digits.is_empty() && !plus => plus = true,
                ' ' | '-' | '.' | '/' | '(' | ')' | '\u{2010}'..='\u{2015}' => {}
                _ => return Err("a phone number has digits only, and a + at its beginning"),
            }
        }
        Ok((digits, plus))
    }

    /// A number that begins with a country's code. The prefix of calls at home is cut only where the
    /// number does not exist with it: `+44 (0)20 ...`.
    fn international(digits: &str) -> Option<String> {
        let readings = |length: usize| {
            let (text, rest) = digits.split_at_checked(length)?;
            let code = text.parse().ok()?;
            if exists(code, rest) {
                return Some(format!("+{digits}"));
            }
            let plans = DATABASE.by_code(&code)?;
            let rest = plans.iter().find_map(|plan| rest.strip_prefix(plan.national_prefix()?))?;
            exists(code, rest).then(|| format!("+{code}{rest}"))
        };
        (1..=3).find_map(readings)
    }

    /// A number as it is written at home: with the prefix of calls at home, without it, or with the
    /// country's code and no +.
    fn national(plan: &Metadata, digits: &str) -> Option<String> {
        let code = plan.country_code();
        let bare = without_prefix(plan, digits);
        [bare.as_deref(), Some(digits), digits.strip_prefix(&code.to_string())]
            .into_iter()
            .flatten()
            .find(|number| exists(code, number))
            .map(|number| format!("+{code}{number}"))
    }

    /// Some countries change what follows the prefix: a mobile number of Argentina gets a 9.
    fn without_prefix(plan: &Metadata, digits: &str) -> Option<String> {
        let Some(pattern) = plan.national_prefix_for_parsing() else {
            return digits.strip_prefix(plan.national_prefix()?).map(str::to_owned);
        };
        let found = pattern.captures(digits)?;
        let (whole, last) = (found.get(0)?, found.get(found.len() - 1));
        match (plan.national_prefix_transform_rule(), last) {
            _ if whole.start() != 0 => None,
            (Some(rule), Some(_)) => Some(pattern.replace(digits, rule).into_owned()),
            _ => Some(digits[whole.end()..].to_owned()),
        }
    }

    /// What follows the prefix of calls abroad.
    fn without_exit<'d>(plan: &Metadata, digits: &'d str) -> Option<&'d str> {
        let found = plan.international_prefix()?.find(digits)?;
        (found.start() == 0).then(|| &digits[found.end()..])
    }

    /// Whether a country with this code has such numbers: what is dialled in Italy may be in the
    /// Vatican.
    fn exists(code: u16, number: &str) -> bool {
        DATABASE.by_code(&code).is_some_and(|plans| plans.iter().any(|plan| has(plan, number)))
    }

    fn has(plan: &Metadata, number: &str) -> bool {
        let kinds = plan.descriptors();
        let kinds_of_numbers = [
            kinds.fixed_line(),
            kinds.mobile(),
            kinds.toll_free(),
            kinds.premium_rate(),
            kinds.shared_cost(),
            kinds.personal_number(),
            kinds.voip(),
            kinds.pager(),
            kinds.uan(),
            kinds.voicemail(),
        ];
        kinds.general().is_match(number)
            && kinds_of_numbers.into_iter().flatten().any(|kind| kind.is_match(number))
    }
}

#[cfg(all(test, feature = "phone"))]
mod tests {
    use super::plans::{phone, plan};

    #[test]
    fn numbers_of_many_countries_are_read() {
        for (country, typed, expected) in [
            ("GB", "020 7946 0958", "+442079460958"),
            ("GB", "+44 (0)20 7946 0958", "+442079460958"),
            ("GB", "0044 20 7946 0958", "+442079460958"),
            ("GB", "tel:+44-20-7946-0958;ext=12", "+442079460958"),
            ("GB", "020 7946 0958 ext. 12", "+442079460958"),
            ("FR", "01 42 68 53 00", "+33142685300"),
            ("GB", "+33 1 42 68 53 00", "+33142685300"),
            ("US", "(212) 555-0123 x4", "+12125550123"),
            ("US", "011 44 20 7946 0958", "+442079460958"),
            ("IT", "06 6982 1234", "+390669821234"),
            ("GB", "+39 06 6982 1234", "+390669821234"),
            ("GB", "0039 06 6982 1234", "+390669821234"),
            ("DE", "030/123456", "+4930123456"),
            ("HU", "06 1 234 5678", "+3612345678"),
            ("RU", "8 (495) 123-45-67", "+74951234567"),
            ("RU", "+7 800 555 35 35", "+78005553535"),
            ("BR", "(11) 91234-5678", "+5511912345678"),
            ("ES", "612 34 56 78", "+34612345678"),
            ("AR", "011 15 2345-6789", "+5491123456789"),
            ("US", "1 212 555 0123", "+12125550123"),
            ("AU", "0011 44 20 7946 0958", "+442079460958"),
            ("CH", "044 668 18 00", "+41446681800"),
            ("GB", "44 20 7946 0958", "+442079460958"),
            ("KZ", "8 (727) 250-12-34", "+77272501234"),
        ] {
            assert_eq!(phone(typed, plan(country)).as_deref(), Ok(expected), "{typed}");
        }
        for refused in ["12", "call me", "020 7946 09581234", "+999 1234567", "+", "", "1+2", "٠٢٠"]
        {
            assert!(phone(refused, plan("GB")).is_err(), "{refused}");
        }
        assert!(phone("020 7946 0958", None).is_err(), "its country is not known");
    }
}
