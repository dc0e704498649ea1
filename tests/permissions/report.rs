//! What is said of a matrix that is not as it should be.

use std::fmt::Write as _;

use crate::door::Door;
use crate::objects::Owner;
use crate::outcome::Outcome;
use crate::served::Target;

/// One route at one door.
pub(crate) struct Row {
    name: String,
    pub(crate) cells: Vec<Cell>,
}

/// One credential, and whose thing it was shown for.
pub(crate) struct Cell {
    pub(crate) kind: String,
    pub(crate) scopes: String,
    /// `None` where the route names nothing that is anybody's.
    pub(crate) owner: Option<Owner>,
    pub(crate) expected: Outcome,
    pub(crate) status: u16,
    /// What is wrong with it.
    pub(crate) fault: Option<String>,
}

impl Row {
    pub(crate) fn new(door: Door, target: &Target, cells: Vec<Cell>) -> Self {
        let Target { contract, mount, route, .. } = target;
        let (door, method) = (door.name(), route.method.as_hyper());
        let name = format!("{door:10} {contract}/{:20} {method} {mount}{}", route.label, route.path);
        Self { name, cells }
    }

    /// All of it, a line for each cell.
    fn whole(&self) -> String {
        let mut text = format!("{}\n", self.name);
        for Cell { kind, scopes, owner, expected, status, fault } in &self.cells {
            let owner = owner.map_or("-", Owner::name);
            let expected = format!("{expected:?}");
            let fault = fault.as_ref().map_or(String::new(), |fault| format!("   <== {fault}"));
            let _ = writeln!(text, "    {kind:30} {scopes:44} {owner:10} {expected:40} {status}{fault}");
        }
        text
    }

    /// All of it in a line, a sign for each cell, in groups of one kind of credential.
    fn compact(&self) -> String {
        let groups = self.cells.chunk_by(|a, b| a.kind == b.kind);
        let sign = |cell: &Cell| if cell.fault.is_some() { '!' } else { cell.expected.sign() };
        let groups: Vec<String> = groups.map(|group| group.iter().map(sign).collect()).collect();
        format!("{:90} {}\n", self.name, groups.join(" "))
    }
}

const LEGEND: &str = "+ let in, 0 no credential (401), 1 a bad one (401), c another contract (403), s another scope \
                      (403), ! wrong";

/// Fails if a cell is wrong, and shows its row and the matrix.
pub(crate) fn report(rows: &[Row]) {
    let wrong: Vec<_> = rows.iter().filter(|row| row.cells.iter().any(|cell| cell.fault.is_some())).collect();
    if wrong.is_empty() {
        return;
    }
    let whole: String = wrong.iter().map(|row| row.whole()).collect();
    let compact: String = rows.iter().map(Row::compact).collect();
    let faults = wrong.iter().flat_map(|row| &row.cells).filter(|cell| cell.fault.is_some()).count();
    panic!("{faults} cells are wrong:\n{whole}\nThe matrix ({LEGEND}):\n{compact}");
}
