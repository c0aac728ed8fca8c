//! HR's words for a language, reduced to the codes that 360Learning takes.
//!
//! Source of the list and of the order of reduction: the OpenAPI description of 360Learning's API
//! v2 (`UserDTO.lang`, 38 values).

const CODES: [&str; 38] = [
    "bg", "cs", "da", "de", "el", "en", "es", "fi", "fr", "hr", "ht_HT", "hu", "id", "it", "ja",
    "kar_MM", "ko", "lt", "mh_MH", "nl", "nl_BE", "no", "pl", "pt", "ro", "ru", "rw_RW", "sk",
    "sl", "so_SO", "sv", "sw_KE", "th", "ti_ET", "tr", "uk", "zh", "vi",
];

/// The target's code for a language tag: `en-GB` is `en`, `nl-BE` is `nl_BE`, `nb` is `no`.
pub fn code(tag: &str) -> Option<&'static str> {
    let tag = tag.trim().replace('-', "_");
    let exact = |wanted: &str| CODES.into_iter().find(|code| code.eq_ignore_ascii_case(wanted));
    let primary = tag.split('_').next().unwrap_or_default();
    exact(&tag)
        .or_else(|| exact(primary))
        .or_else(|| ["nb", "nn"].iter().any(|n| n.eq_ignore_ascii_case(primary)).then_some("no"))
}

#[cfg(test)]
mod tests {
    use super::code;

    #[test]
    fn tags_are_reduced_to_the_codes_of_the_target() {
        for (tag, expected) in [
            ("en", Some("en")),
            ("en-GB", Some("en")),
            ("pt_BR", Some("pt")),
            ("zh-CN", Some("zh")),
            ("NL-be", Some("nl_BE")),
            ("nb-NO", Some("no")),
            ("ht", None),
            ("English", None),
            ("", None),
        ] {
            assert_eq!(code(tag), expected, "{tag}");
        }
    }
}
