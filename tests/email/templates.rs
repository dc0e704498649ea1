//! Templates: which one is taken, what it knows, and what is said of a bad one.
