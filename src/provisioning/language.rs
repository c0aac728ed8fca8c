//! HR's words for a language, reduced to the codes that 360Learning takes.
//!
//! Source of the list and of the order of reduction: the OpenAPI description of 360Learning's API
//! v2 (`UserDTO.lang`, 38 values). Beyond it, a language that the target has for one country only
//! gets that code (`sw` is `sw_KE`), and names of languages are understood: in English, French,
//! German, Spanish, Italian, Portuguese, Dutch and the language itself, as CLDR 48 has them (Unicode
//! License v3), and by their codes of three letters (ISO 639-2).

use std::collections::HashMap;
use std::sync::LazyLock;

use super::filters::{country, spelling};

/// The target's codes, each with the other words for it.
const LANGUAGES: [(&str, &str); 38] = [
    ("bg", "bul|Bulgarian|bulgare|Bulgarisch|búlgaro|bulgaro|Bulgaars|български"),
    ("cs", "ces|cze|Czech|tchèque|Tschechisch|checo|ceco|tcheco|Tsjechisch|čeština"),
    ("da", "dan|Danish|danois|Dänisch|danés|danese|dinamarquês|Deens|dansk"),
    ("de", "deu|ger|German|allemand|Deutsch|alemán|tedesco|alemão|Duits"),
    ("el", "ell|gre|Greek|grec|Griechisch|griego|greco|grego|Grieks|Ελληνικά"),
    (
        "en",
        "eng|English|anglais|Englisch|inglés|inglese|inglês|Engels|British English|American English",
    ),
    ("es", "spa|Spanish|espagnol|Spanisch|español|spagnolo|espanhol|Spaans|castellano|Castilian"),
    ("fi", "fin|Finnish|finnois|Finnisch|finés|finlandese|finlandês|Fins|suomi"),
    ("fr", "fra|fre|French|français|Französisch|francés|francese|francês|Frans"),
    ("hr", "hrv|Croatian|croate|Kroatisch|croata|croato|hrvatski"),
    (
        "ht_HT",
        "hat|Haitian Creole|créole haïtien|Haiti-Kreolisch|criollo haitiano|creolo haitiano|haitiano|Haïtiaans Creools|Haitian|kreyòl ayisyen|kreyòl",
    ),
    ("hu", "hun|Hungarian|hongrois|Ungarisch|húngaro|ungherese|Hongaars|magyar"),
    (
        "id",
        "ind|Indonesian|indonésien|Indonesisch|indonesio|indonesiano|indonésio|Indonesia|Bahasa Indonesia",
    ),
    ("it", "ita|Italian|italien|Italienisch|italiano|Italiaans"),
    ("ja", "jpn|Japanese|japonais|Japanisch|japonés|giapponese|japonês|Japans|日本語"),
    ("kar_MM", "kar|Karen|S'gaw Karen"),
    ("ko", "kor|Korean|coréen|Koreanisch|coreano|Koreaans|한국어"),
    ("lt", "lit|Lithuanian|lituanien|Litauisch|lituano|Litouws|lietuvių"),
    (
        "mh_MH",
        "mah|Marshallese|marshallais|Marschallesisch|marshalés|marshalês|Marshallees|Kajin M̧ajeļ",
    ),
    ("nl", "nld|dut|Dutch|néerlandais|Niederländisch|neerlandés|olandese|holandês|Nederlands"),
    ("nl_BE", "Flemish|flamand|Flämisch|flamenco|fiammingo|flamengo|Vlaams|Belgian Dutch"),
    (
        "no",
        "nor|nob|nno|Norwegian|norvégien|Norwegisch|noruego|norvegese|norueguês|Noors|norsk|nb|nn|norsk bokmål|bokmål|nynorsk|norsk nynorsk",
    ),
    ("pl", "pol|Polish|polonais|Polnisch|polaco|polacco|polonês|Pools|polski"),
    (
        "pt",
        "por|Portuguese|portugais|Portugiesisch|portugués|portoghese|português|Portugees|Brazilian Portuguese|português brasileiro",
    ),
    ("ro", "ron|rum|Romanian|roumain|Rumänisch|rumano|rumeno|romeno|Roemeens|română|Moldovan"),
    ("ru", "rus|Russian|russe|Russisch|ruso|russo|русский"),
    ("rw_RW", "kin|Kinyarwanda|quiniaruanda|Ikinyarwanda"),
    ("sk", "slk|slo|Slovak|slovaque|Slowakisch|eslovaco|slovacco|Slowaaks|slovenčina"),
    ("sl", "slv|Slovenian|slovène|Slowenisch|esloveno|sloveno|Sloveens|slovenščina|Slovene"),
    ("so_SO", "som|Somali|somalí|somalo|Somalisch|Soomaali"),
    ("sv", "swe|Swedish|suédois|Schwedisch|sueco|svedese|Zweeds|svenska"),
    ("sw_KE", "swa|Swahili|Suaheli|suajili|suaíli|Kiswahili"),
    ("th", "tha|Thai|thaï|Thailändisch|tailandés|thailandese|tailandês|ไทย"),
    ("ti_ET", "tir|Tigrinya|tigrigna|tigriña|tigrino|tigrínia|ትግርኛ"),
    ("tr", "tur|Turkish|turc|Türkisch|turco|Turks|Türkçe"),
    ("uk", "ukr|Ukrainian|ukrainien|Ukrainisch|ucraniano|ucraino|Oekraïens|українська"),
    (
        "zh",
        "zho|chi|cmn|Chinese|chinois|Chinesisch|chino|cinese|chinês|Chinees|中文|Mandarin|Simplified Chinese|Traditional Chinese|简体中文|繁體中文|汉语|中文(简体)",
    ),
    ("vi", "vie|Vietnamese|vietnamien|Vietnamesisch|vietnamita|Vietnamees|Tiếng Việt"),
];

static NAMES: LazyLock<HashMap<String, &'static str>> = LazyLock::new(|| {
    LANGUAGES
        .iter()
        .flat_map(|(code, names)| names.split('|').map(move |name| (spelling::key(name), *code)))
        .collect()
});

/// The target's code for a language, from a tag or a name: `en-GB` is `en`, `nl-BE` is `nl_BE`, `nb`
/// is `no`, `Deutsch` is `de`, `Dutch (Belgium)` is `nl_BE`.
pub fn code(said: &str) -> Option<&'static str> {
    let said = said.trim();
    tag(said).or_else(|| name(said))
}

fn tag(tag: &str) -> Option<&'static str> {
    let tag = tag.replace('-', "_");
    let codes = || LANGUAGES.iter().map(|(code, _)| *code);
    let exact = |wanted: &str| codes().find(|code| code.eq_ignore_ascii_case(wanted));
    let language = |tag: &str| tag.split('_').next().unwrap_or_default().to_ascii_lowercase();
    let primary = language(&tag);
    exact(&tag)
        .or_else(|| exact(&primary))
        .or_else(|| ["nb", "nn"].contains(&primary.as_str()).then_some("no"))
        .or_else(|| codes().find(|code| language(code) == primary))
}

/// By name, with what stands behind it in brackets or after a dash: `English (UK)`.
fn name(said: &str) -> Option<&'static str> {
    if let Some(code) = NAMES.get(&spelling::key(said)) {
        return Some(code);
    }
    let (language, region) = said.split_once('(').or_else(|| said.split_once(" - "))?;
    let code = *NAMES.get(&spelling::key(language))?;
    Some(if code == "nl" && country::code(region) == Some("BE") { "nl_BE" } else { code })
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::{LANGUAGES, code, spelling};

    #[test]
    fn tags_are_reduced_to_the_codes_of_the_target() {
        for (tag, expected) in [
            ("en", Some("en")),
            ("en-GB", Some("en")),
            ("pt_BR", Some("pt")),
            ("zh-CN", Some("zh")),
            ("NL-be", Some("nl_BE")),
            ("nb-NO", Some("no")),
            ("ht", Some("ht_HT")),
            ("sw-TZ", Some("sw_KE")),
            ("ar", None),
            ("", None),
        ] {
            assert_eq!(code(tag), expected, "{tag}");
        }
    }

    #[test]
    fn names_are_reduced_too() {
        for (name, expected) in [
            ("English", Some("en")),
            ("ENGLISH (UK)", Some("en")),
            ("English - United States", Some("en")),
            ("Français", Some("fr")),
            ("francais", Some("fr")),
            ("German", Some("de")),
            ("deutsch", Some("de")),
            ("ger", Some("de")),
            ("Dutch (Belgium)", Some("nl_BE")),
            ("Nederlands (België)", Some("nl_BE")),
            ("Dutch (Netherlands)", Some("nl")),
            ("Vlaams", Some("nl_BE")),
            ("Chinese (Simplified)", Some("zh")),
            ("日本語", Some("ja")),
            ("Русский", Some("ru")),
            ("English, French", None),
            ("Klingon", None),
        ] {
            assert_eq!(code(name), expected, "{name}");
        }
    }

    #[test]
    fn no_word_means_two_languages() {
        let mut owners = HashMap::new();
        for (language, names) in LANGUAGES {
            assert_eq!(code(language), Some(language));
            for name in names.split('|') {
                let other = owners.insert(spelling::key(name), language);
                assert!(
                    other.is_none_or(|other| other == language),
                    "{name}: {language}, {other:?}"
                );
                assert_eq!(code(name), Some(language), "{name}");
            }
        }
    }
}
