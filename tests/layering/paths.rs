//! The paths that a source names, resolved: what `crate::…`, `super::…` and foreign crates stand for.

use super::tokens::{Spot, Token, tokens};

/// A path in a source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Named {
    /// Its segments: from the crate's root where `inside`, else beginning with a crate or something local. A last
    /// segment `*` names everything there.
    pub(crate) segments: Vec<String>,
    /// Whether it is one of this crate's own.
    pub(crate) inside: bool,
    /// Whether it stands in a `use` or an `extern crate`: then even one lone word is a path.
    pub(crate) imported: bool,
    /// Its line, from 1.
    pub(crate) line: usize,
}

/// The paths in `text`, which is the module `module` (segments from the root).
pub(crate) fn paths(module: &[String], text: &str) -> Vec<Named> {
    let tokens = tokens(text);
    let mut walk =
        Walk { tokens: &tokens, at: 0, module: module.to_vec(), open: Vec::new(), importing: false, found: Vec::new() };
    while walk.at < tokens.len() {
        walk.step();
    }
    walk.found
}

struct Walk<'a> {
    tokens: &'a [Spot],
    at: usize,
    /// The module that the present token is in.
    module: Vec<String>,
    /// For each open brace, whether it is that of a module.
    open: Vec<bool>,
    importing: bool,
    found: Vec<Named>,
}

impl Walk<'_> {
    fn token(&self, ahead: usize) -> Option<&Token> {
        self.tokens.get(self.at + ahead).map(|spot| &spot.token)
    }

    fn word(&self, ahead: usize) -> Option<&str> {
        match self.token(ahead) {
            Some(Token::Word(word)) => Some(word),
            _ => None,
        }
    }

    fn step(&mut self) {
        match self.token(0) {
            Some(Token::Sign('{')) => self.open_brace(false),
            Some(Token::Sign('}')) => self.close_brace(),
            Some(Token::Word(word)) if word == "mod" && self.token(2) == Some(&Token::Sign('{')) => {
                let name = self.word(1).unwrap_or_default().to_owned();
                self.module.push(name);
                self.at += 2;
                self.open_brace(true);
            }
            Some(Token::Word(word)) if word == "use" => self.import(1),
            Some(Token::Word(word)) if word == "extern" && self.word(1) == Some("crate") => self.import(2),
            Some(Token::Word(_) | Token::Colons) => self.tree(&[]),
            _ => self.at += 1,
        }
    }

    fn import(&mut self, words: usize) {
        self.at += words;
        self.importing = true;
        if self.at < self.tokens.len() {
            self.tree(&[]);
        }
        self.importing = false;
    }

    fn open_brace(&mut self, of_module: bool) {
        self.open.push(of_module);
        self.at += 1;
    }

    fn close_brace(&mut self) {
        if self.open.pop() == Some(true) {
            self.module.pop();
        }
        self.at += 1;
    }

    /// A path, or the tree of paths of a `use`, that begins here; `above` are the segments before its brace.
    fn tree(&mut self, above: &[String]) {
        let mut segments = above.to_vec();
        let line = self.tokens[self.at].line;
        if self.token(0) == Some(&Token::Colons) {
            self.at += 1;
        }
        loop {
            match self.token(0) {
                Some(Token::Word(word)) => segments.push(word.clone()),
                Some(Token::Sign('*')) if !segments.is_empty() => segments.push("*".to_owned()),
                Some(Token::Sign('{')) if self.at > 0 && self.is_group() => return self.group(&segments),
                _ => break,
            }
            self.at += 1;
            if self.token(0) != Some(&Token::Colons) {
                break;
            }
            self.at += 1;
        }
        let renamed = self.word(0) == Some("as") && segments == ["crate"];
        self.name(if renamed { vec!["crate".to_owned(), "as".to_owned()] } else { segments }, line);
    }

    /// Whether the brace here is that of a `use`: it follows `::` or `use` itself.
    fn is_group(&self) -> bool {
        match &self.tokens[self.at - 1].token {
            Token::Colons => true,
            Token::Word(word) => word == "use",
            Token::Sign(sign) => matches!(sign, '{' | ','),
        }
    }

    fn group(&mut self, above: &[String]) {
        self.at += 1;
        while let Some(token) = self.token(0) {
            match token {
                Token::Sign('}') => {
                    self.at += 1;
                    return;
                }
                Token::Word(word) if word == "as" => self.at += 2,
                Token::Word(_) | Token::Colons | Token::Sign('*' | '{') => self.tree(above),
                Token::Sign(_) => self.at += 1,
            }
        }
    }

    fn name(&mut self, segments: Vec<String>, line: usize) {
        let Some(first) = segments.first() else {
            self.at += 1;
            return;
        };
        let inside = matches!(first.as_str(), "crate" | "super" | "self");
        let segments = if inside { self.resolve(&segments) } else { segments };
        self.found.push(Named { segments, inside, imported: self.importing, line });
    }

    /// The segments from the root.
    fn resolve(&self, segments: &[String]) -> Vec<String> {
        let mut resolved = self.module.clone();
        for segment in segments {
            match segment.as_str() {
                "crate" => resolved.clear(),
                "self" => {}
                "super" => {
                    resolved.pop();
                }
                other => resolved.push(other.to_owned()),
            }
        }
        resolved
    }
}
