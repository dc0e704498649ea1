//! Pages: `page` and `limit`.

use super::error::{Error, Problem};
use crate::http::contract::Request;

/// The largest `limit`.
pub(super) const MAX_LIMIT: usize = 100;

/// The `limit` where none is asked for.
pub(super) const LIMIT: usize = 20;

/// The last record that a page can have: `page` times `limit` is at most this, and totals stop there.
pub(super) const LAST: usize = 10_000;

/// A page that is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Paging {
    /// From 1.
    pub(super) page: usize,
    /// 1 to [`MAX_LIMIT`].
    pub(super) limit: usize,
}

impl Default for Paging {
    fn default() -> Self {
        Self { page: 1, limit: LIMIT }
    }
}

impl Paging {
    /// What the query asks for, or all that is wrong with it.
    pub(super) fn of(request: &Request) -> Result<Self, Error> {
        let mut problems = Vec::new();
        let limit = number(request, "limit", MAX_LIMIT, LIMIT, &mut problems);
        let page = number(request, "page", LAST, 1, &mut problems);
        if problems.is_empty() && page * limit > LAST {
            problems.push(Problem::of("page", format!("page times limit must be at most {LAST}")));
        }
        if problems.is_empty() { Ok(Self { page, limit }) } else { Err(Error::Invalid(problems)) }
    }

    /// The records of this page, of all that there are.
    pub(super) fn cut<T>(self, all: &[T]) -> &[T] {
        let all = &all[..all.len().min(LAST)];
        let from = all.len().min((self.page - 1) * self.limit);
        &all[from..all.len().min(from + self.limit)]
    }
}

/// A whole number from 1 to `most`.
fn number(request: &Request, name: &str, most: usize, default: usize, problems: &mut Vec<Problem>) -> usize {
    let Some(text) = request.query_value(name) else { return default };
    let digits = text.bytes().all(|b| b.is_ascii_digit());
    let number = if digits { text.parse().ok() } else { None };
    number.filter(|number| (1..=most).contains(number)).unwrap_or_else(|| {
        problems.push(Problem::of(name, format!("must be a whole number from 1 to {most}")));
        default
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_is_cut_out_and_ends_at_the_last_record() {
        let all: Vec<_> = (0..LAST + 50).collect();
        let cut = |page, limit| Paging { page, limit }.cut(&all).to_vec();
        assert_eq!(cut(1, 2), [0, 1]);
        assert_eq!(cut(100, 100).last(), Some(&(LAST - 1)));
        assert_eq!(cut(101, 100), [0; 0]);
        assert_eq!(Paging { page: 2, limit: 3 }.cut(&[0, 1, 2, 3]), [3]);
        assert_eq!(Paging { page: 3, limit: 3 }.cut(&[0, 1, 2, 3]), [0; 0]);
    }
}
