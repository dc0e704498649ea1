//! The program `tidings`: all of it is in the library.

fn main() {}
