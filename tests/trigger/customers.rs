//! Customers by their contract (contracts/events.md).
