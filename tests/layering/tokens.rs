//! Rust source as a list of words and signs: as much of a lexer as telling paths from comments and text needs.

/// A word (raw ones without their `r#`), a `::`, or another sign.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Token {
    Word(String),
    Colons,
    Sign(char),
}

/// A token and its line, from 1.
#[derive(Clone, Debug)]
pub(crate) struct Spot {
    pub(crate) token: Token,
    pub(crate) line: usize,
}

/// The tokens of `text`, without comments, text, numbers and lifetimes.
pub(crate) fn tokens(text: &str) -> Vec<Spot> {
    let mut lexer = Lexer { rest: text, line: 1, found: Vec::new() };
    while lexer.step() {}
    lexer.found
}

struct Lexer<'a> {
    rest: &'a str,
    line: usize,
    found: Vec<Spot>,
}

impl Lexer<'_> {
    fn skip(&mut self, bytes: usize) {
        let (gone, rest) = self.rest.split_at(bytes);
        self.line += gone.matches('\n').count();
        self.rest = rest;
    }

    fn push(&mut self, token: Token, bytes: usize) {
        self.found.push(Spot { token, line: self.line });
        self.skip(bytes);
    }

    /// Takes one token or skips one thing that is none; false at the end.
    fn step(&mut self) -> bool {
        let Some(first) = self.rest.chars().next() else { return false };
        if self.rest.starts_with("//") {
            self.skip(self.rest.find('\n').unwrap_or(self.rest.len()));
        } else if self.rest.starts_with("/*") {
            self.skip(comment_length(self.rest));
        } else if let Some(length) = raw_text_length(self.rest) {
            self.skip(length);
        } else if first == '"' {
            self.skip(quoted_length(self.rest, '"'));
        } else if first == '\'' {
            self.skip(quote_or_lifetime_length(self.rest));
        } else if let Some(rest) = self.rest.strip_prefix("r#").filter(|rest| rest.starts_with(is_word)) {
            let length = word_length(rest);
            self.push(Token::Word(rest[..length].to_owned()), length + 2);
        } else if is_word(first) {
            let length = word_length(self.rest);
            self.push(Token::Word(self.rest[..length].to_owned()), length);
        } else if self.rest.starts_with("::") {
            self.push(Token::Colons, 2);
        } else if first.is_whitespace() {
            self.skip(first.len_utf8());
        } else {
            self.push(Token::Sign(first), first.len_utf8());
        }
        true
    }
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

fn word_length(text: &str) -> usize {
    text.find(|c| !is_word(c)).unwrap_or(text.len())
}

/// The length of the block comment at the start of `text`; they nest.
fn comment_length(text: &str) -> usize {
    let (mut depth, mut at) = (0, 0);
    while at < text.len() {
        let rest = &text.as_bytes()[at..];
        let step = match rest {
            [b'/', b'*', ..] => {
                depth += 1;
                2
            }
            [b'*', b'/', ..] => {
                depth -= 1;
                2
            }
            _ => 1,
        };
        at += step;
        if depth == 0 {
            return at;
        }
    }
    text.len()
}

/// The length of the text between two `quote`s at the start of `text`, with its escapes.
fn quoted_length(text: &str, quote: char) -> usize {
    let mut escaped = false;
    for (at, c) in text.char_indices().skip(1) {
        if c == quote && !escaped {
            return at + c.len_utf8();
        }
        escaped = c == '\\' && !escaped;
    }
    text.len()
}

/// The length of the raw text (`r"…"`, `br#"…"#`) at the start of `text`, if there is one.
fn raw_text_length(text: &str) -> Option<usize> {
    let after = ["r", "br", "cr"].into_iter().find_map(|prefix| text.strip_prefix(prefix))?;
    let hashes = after.len() - after.trim_start_matches('#').len();
    let inner = after[hashes..].strip_prefix('"')?;
    let end = format!("\"{}", "#".repeat(hashes));
    let length = inner.find(&end).map_or(inner.len(), |at| at + end.len());
    Some(text.len() - inner.len() + length)
}

/// `'a'` and `'\''` are characters, `'a` is a lifetime.
fn quote_or_lifetime_length(text: &str) -> usize {
    let mut chars = text.chars().skip(1);
    match (chars.next(), chars.next()) {
        (Some('\\'), _) | (Some(_), Some('\'')) => quoted_length(text, '\''),
        _ => 1,
    }
}
