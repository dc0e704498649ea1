//! Values for people: secrets masked.

use super::tree::{Content, Node};
use crate::base::masking::{Personal, masked};

/// What stands for a secret.
const HIDDEN: &str = "***";

/// How many digits of a hash are shown: enough to tell two apart.
const DIGITS: usize = 8;

impl Node {
    /// The value on one line: text as it is where it stands alone, in quotes within an array.
    pub(super) fn shown(&self) -> String {
        match &self.content {
            Content::Text(text) => masked_text(text),
            _ => self.quoted(),
        }
    }

    fn quoted(&self) -> String {
        match &self.content {
            Content::Text(text) => format!("{:?}", masked_text(text)),
            Content::Open(_) => HIDDEN.to_owned(),
            Content::Number(number) => number.to_string(),
            Content::Bool(value) => value.to_string(),
            Content::Array(items) => {
                let items: Vec<_> = items.iter().map(Self::quoted).collect();
                format!("[{}]", items.join(", "))
            }
            Content::Table(table) => {
                let fields: Vec<_> = table.iter().map(|(key, node)| format!("{key} = {}", node.quoted())).collect();
                if fields.is_empty() { "{}".to_owned() } else { format!("{{ {} }}", fields.join(", ")) }
            }
        }
    }
}

/// Without what may be a secret: the query of a URL and who logs in there, all but the beginning of a hash.
pub(super) fn masked_text(text: &str) -> String {
    if let Some((algorithm, digits)) = text.rsplit_once(':').filter(|(start, _)| start.starts_with("sha256")) {
        let beginning: String = digits.chars().take(DIGITS).collect();
        return format!("{algorithm}:{beginning}…");
    }
    masked(text, Personal::Show).into_owned()
}
