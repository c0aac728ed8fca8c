//! Names for invented people, places and trades. All of them are made up.

use super::lists::SITES;

/// Given names.
const FIRST: [&str; 72] = [
    "Nadia",
    "Owen",
    "Zoë",
    "Łukasz",
    "Amara",
    "Jürgen",
    "Priya",
    "Søren",
    "Chloé",
    "Mateo",
    "Yuki",
    "Ifeoma",
    "Björn",
    "Leïla",
    "Tomasz",
    "Núria",
    "Kwame",
    "Aoife",
    "Émile",
    "Fatima",
    "Marek",
    "Sinéad",
    "Hugo",
    "Ayşe",
    "Niamh",
    "Gökhan",
    "Ines",
    "Oluwaseun",
    "Freya",
    "Rafael",
    "Mei",
    "Stanisław",
    "Hanna",
    "Joaquín",
    "Sofia",
    "Anders",
    "Zuzana",
    "Idris",
    "Camille",
    "Thaddeus",
    "Rosa",
    "Vikram",
    "Elif",
    "Bastien",
    "Greta",
    "Kofi",
    "Maëlle",
    "Dmitri",
    "Saoirse",
    "Paolo",
    "Linh",
    "Wilhelmina",
    "Tariq",
    "Bronwyn",
    "Ernesto",
    "Žofie",
    "Günther",
    "Adaeze",
    "Luca",
    "Ottilie",
    "Farid",
    "Marguerite",
    "Håkon",
    "Xiomara",
    "Callum",
    "Renée",
    "Abebe",
    "Tess",
    "Ravi",
    "Marisol",
    "Jonas",
    "Delphine",
];

/// Family names.
const LAST: [&str; 72] = [
    "Brisk",
    "Tarrant",
    "Müller",
    "O'Neill",
    "Nguyễn",
    "Åkesson",
    "de la Cruz",
    "Okafor",
    "Lacroix",
    "Kowalczyk",
    "Straße",
    "Ferreira",
    "Haddad",
    "Bjørnstad",
    "Whitlock",
    "Çelik",
    "Novák",
    "Ashworth-Lee",
    "Dubois",
    "Yamada",
    "van der Meer",
    "Osei",
    "Lindqvist",
    "Moreau",
    "Patel",
    "Hollis",
    "García",
    "Sjöberg",
    "Fournier",
    "Adeyemi",
    "Krüger",
    "McAllister",
    "Rossi",
    "Łaszcz",
    "Barnett",
    "Zhang",
    "Petrov",
    "Quigley",
    "Weiß",
    "Abdi",
    "Fontaine",
    "Halloran",
    "Iyer",
    "Jansen",
    "Keller",
    "Lopes",
    "Mbeki",
    "Nilsson",
    "Öztürk",
    "Pryce",
    "Quintero",
    "Rahman",
    "Schäfer",
    "Thistle",
    "Ueda",
    "Vasquez",
    "Winterbourne",
    "Ximenes",
    "Yardley",
    "Zieliński",
    "Beaumont",
    "Castellan",
    "Drummond",
    "Eriksen",
    "Falk",
    "Gautier",
    "Hirsch",
    "Ingram",
    "Jagger-Ruiz",
    "Køhler",
    "Lemaire",
    "Marchetti",
];

/// A given name.
pub(super) fn first(rng: &mut fastrand::Rng) -> &'static str {
    FIRST[rng.usize(..FIRST.len())]
}

/// A family name.
pub(super) fn last(rng: &mut fastrand::Rng) -> &'static str {
    LAST[rng.usize(..LAST.len())]
}

/// The place of a site in [`SITES`], by how many people work there.
pub(super) fn site(rng: &mut fastrand::Rng) -> usize {
    let draw = rng.u32(..100);
    let mut sum = 0;
    SITES
        .iter()
        .position(|site| {
            sum += site.share;
            draw < sum
        })
        .unwrap_or(0)
}

/// Lower-case letters and digits only, the way addresses are made from names: `Łukasz` is `lukasz`.
pub(super) fn plain(name: &str) -> String {
    let mut out = String::with_capacity(name.len());
    for letter in name.chars().flat_map(char::to_lowercase) {
        match letter {
            'a'..='z' | '0'..='9' => out.push(letter),
            'à' | 'á' | 'â' | 'ã' | 'å' => out.push('a'),
            'ä' | 'æ' => out.push_str("ae"),
            'ç' | 'č' => out.push('c'),
            'è' | 'é' | 'ê' | 'ë' | 'ễ' => out.push('e'),
            'ğ' => out.push('g'),
            'ì' | 'í' | 'î' | 'ï' | 'ı' => out.push('i'),
            'ł' => out.push('l'),
            'ñ' | 'ń' => out.push('n'),
            'ò' | 'ó' | 'ô' | 'õ' => out.push('o'),
            'ö' | 'ø' => out.push_str("oe"),
            'ß' => out.push_str("ss"),
            'ş' | 'š' => out.push('s'),
            'ù' | 'ú' | 'û' => out.push('u'),
            'ü' => out.push_str("ue"),
            'ž' | 'ż' | 'ź' => out.push('z'),
            _ => {}
        }
    }
    out
}
