//! Compression: a second thread compresses lines into chunks while the first one validates further events.
//!
//! Only bodies that are too large to share a message use it. Each of them gets one thread while it is read,
//! which costs less than one per cent of the time that it saves.

use std::io;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::{Scope, ScopedJoinHandle};

use rollcall_shared::queue::chunk::{Chunk, ChunkWriter};

/// Maximum number of blocks of lines that wait to be compressed. It limits the memory between the two
/// threads.
const MAX_WAITING: usize = 8;

/// Whole lines.
struct Block {
    lines: Vec<u8>,
    events: u32,
}

/// Compresses the blocks of one body, in order.
pub(crate) struct Compressor<'scope> {
    blocks: SyncSender<Block>,
    thread: ScopedJoinHandle<'scope, io::Result<Vec<Chunk>>>,
}

impl<'scope> Compressor<'scope> {
    /// Starts the thread.
    pub(crate) fn start<'env>(scope: &'scope Scope<'scope, 'env>) -> Self {
        let (blocks, waiting) = sync_channel(MAX_WAITING);
        Self { blocks, thread: scope.spawn(|| compress(waiting)) }
    }

    /// Passes whole lines to the thread; waits if too many blocks are waiting.
    pub(crate) fn push(&self, lines: Vec<u8>, events: u32) {
        // If the thread has ended, `finish` returns the reason.
        let _ = self.blocks.send(Block { lines, events });
    }

    /// The chunks of all lines.
    ///
    /// # Errors
    /// Only if the compressor has no memory.
    pub(crate) fn finish(self) -> io::Result<Vec<Chunk>> {
        drop(self.blocks);
        self.thread.join().unwrap_or_else(|_| Err(io::Error::other("the compressor panicked")))
    }
}

fn compress(waiting: Receiver<Block>) -> io::Result<Vec<Chunk>> {
    let mut chunks = Vec::new();
    let mut writer = ChunkWriter::new()?;
    for block in waiting {
        writer.push(&block.lines, block.events)?;
        if writer.is_full() {
            chunks.push(writer.finish()?);
        }
    }
    if !writer.is_empty() {
        chunks.push(writer.finish()?);
    }
    Ok(chunks)
}
