//! The words, texts and signs of an expression, with their places: as much of its grammar as is
//! needed to point at things. What is told from it is told of expressions that compile.

use std::ops::Range;

/// A piece of an expression.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Token {
    /// A name or a keyword.
    Word(Range<usize>),
    /// A text, quotes included.
    Text(Range<usize>),
    /// A number.
    Number(Range<usize>),
    /// One other character, and its place.
    Sign(usize, char),
}

impl Token {
    /// Where it stands, in bytes.
    pub fn range(&self) -> Range<usize> {
        match self {
            Self::Word(range) | Self::Text(range) | Self::Number(range) => range.clone(),
            Self::Sign(at, sign) => *at..at + sign.len_utf8(),
        }
    }

    /// Whether it is this sign.
    pub fn is_sign(&self, sign: char) -> bool {
        matches!(self, Self::Sign(_, found) if *found == sign)
    }

    /// Whether it opens a bracket.
    pub fn opens(&self) -> bool {
        matches!(self, Self::Sign(_, '(' | '[' | '{'))
    }

    /// Whether it closes a bracket.
    pub fn closes(&self) -> bool {
        matches!(self, Self::Sign(_, ')' | ']' | '}'))
    }
}

/// The pieces of an expression; white space is left out.
pub fn tokens(text: &str) -> Vec<Token> {
    let mut tokens = Vec::new();
    let mut chars = text.char_indices().peekable();
    while let Some((at, c)) = chars.next() {
        match c {
            '\'' | '"' => {
                let mut end = text.len();
                while let Some((at, inner)) = chars.next() {
                    if inner == '\\' {
                        chars.next();
                    } else if inner == c {
                        end = at + 1;
                        break;
                    }
                }
                tokens.push(Token::Text(at..end));
            }
            _ if c.is_alphanumeric() || c == '_' => {
                let mut end = at + c.len_utf8();
                while let Some((at, c)) = chars.next_if(|(_, c)| c.is_alphanumeric() || *c == '_') {
                    end = at + c.len_utf8();
                }
                let is_number = c.is_ascii_digit();
                tokens.push(if is_number { Token::Number(at..end) } else { Token::Word(at..end) });
            }
            _ if c.is_whitespace() => {}
            _ => tokens.push(Token::Sign(at, c)),
        }
    }
    tokens
}

/// The tokens from an opening bracket to its closing one; empty when none opens at this place.
pub fn brackets(tokens: &[Token], from: usize) -> Range<usize> {
    if !tokens.get(from).is_some_and(Token::opens) {
        return from..from;
    }
    let mut depth = 0_usize;
    for (at, token) in tokens.iter().enumerate().skip(from) {
        if token.opens() {
            depth += 1;
        } else if token.closes() {
            depth -= 1;
        }
        if depth == 0 {
            return from..at + 1;
        }
    }
    from..from
}

/// Words that are no names.
pub const KEYWORDS: [&str; 7] = ["and", "else", "if", "in", "is", "not", "or"];

/// What is joined by `~`: each operand's place. The language would write `none` for an empty one.
pub fn joined_by_tilde(text: &str) -> Vec<Range<usize>> {
    let tokens = tokens(text);
    let mut operands: Vec<Range<usize>> = Vec::new();
    for at in (0..tokens.len()).filter(|at| tokens[*at].is_sign('~')) {
        let mut depth = 0_usize;
        let mut first = at;
        while first > 0 {
            let token = &tokens[first - 1];
            if depth == 0 && (token.opens() || ends_operand(text, &tokens, first - 1)) {
                break;
            }
            depth = if token.closes() {
                depth + 1
            } else if token.opens() {
                depth - 1
            } else {
                depth
            };
            first -= 1;
        }
        let mut last = at + 1;
        while last < tokens.len() {
            let token = &tokens[last];
            if depth == 0 && (token.closes() || ends_operand(text, &tokens, last)) {
                break;
            }
            depth = if token.opens() {
                depth + 1
            } else if token.closes() {
                depth - 1
            } else {
                depth
            };
            last += 1;
        }
        for operand in [first..at, at + 1..last] {
            if let (Some(first), Some(last)) =
                (tokens.get(operand.start), tokens.get(operand.end - 1))
                && !operand.is_empty()
            {
                let operand = first.range().start..last.range().end;
                if !operands.contains(&operand) {
                    operands.push(operand);
                }
            }
        }
    }
    operands
}

/// Whether a token binds more loosely than `~`, or is one itself.
fn ends_operand(text: &str, tokens: &[Token], at: usize) -> bool {
    let word = |at: Option<usize>| match at.and_then(|at| tokens.get(at)) {
        Some(Token::Word(range)) => &text[range.clone()],
        _ => "",
    };
    match &tokens[at] {
        Token::Sign(_, '~' | '+' | ',' | ':' | '=' | '<' | '>' | '!') => true,
        // A minus behind a sign or a keyword belongs to what follows.
        Token::Sign(_, '-') => {
            at > 0 && {
                let before = &tokens[at - 1];
                before.closes()
                    || !(matches!(before, Token::Sign(..))
                        || KEYWORDS.contains(&word(Some(at - 1))))
            }
        }
        Token::Word(_) => match word(Some(at)) {
            "if" | "else" | "and" | "or" => true,
            "not" => word(at.checked_sub(1)) != "is",
            "in" => {
                let before = word(at.checked_sub(1));
                before != "is" && !(before == "not" && word(at.checked_sub(2)) == "is")
            }
            _ => false,
        },
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_tilde_joins_is_found() {
        for (text, expected) in [
            ("a ~ b", &["a", "b"][..]),
            ("a.b ~ ' ~ ' ~ c|upper", &["a.b", "' ~ '", "c|upper"]),
            (
                "'x' if a ~ b == 'y' else -c ~ [d, e ~ f][0]",
                &["a", "b", "-c", "[d, e ~ f][0]", "e", "f"],
            ),
            ("(a ~ b)|tidy + 1 - c ~ 2 * d", &["a", "b", "c", "2 * d"]),
            (
                "first_of(a ~ -1, b) is not none and c ~ d is in ['x']",
                &["a", "-1", "c", "d is in ['x']"],
            ),
            ("not a ~ b in c", &["a", "b"]),
            ("a", &[]),
        ] {
            let found: Vec<&str> =
                joined_by_tilde(text).into_iter().map(|range| &text[range]).collect();
            assert_eq!(found, expected, "{text}");
        }
    }
}
