//! Progress, for whoever watches.

/// Is told how far the work is. Commands show a bar.
pub trait Progress: Send + Sync {
    /// The rows that the work is about, as far as is known now.
    fn expect(&self, rows: u64);
    /// So many more of them are done.
    fn advance(&self, rows: u64);
    /// A day or a partition is done.
    fn say(&self, message: &str);

    /// So many days are due and not archived yet.
    fn wait_for_days(&self, _days: u64) {}
    /// Files with so many rows and bytes are in the archive, and count.
    fn archived(&self, _rows: u64, _bytes: u64) {}
}

/// Shows nothing.
#[derive(Debug, Clone, Copy)]
pub struct Silent;

impl Progress for Silent {
    fn expect(&self, _: u64) {}

    fn advance(&self, _: u64) {}

    fn say(&self, _: &str) {}
}
