//! The stack of a validation.

use std::cell::Cell;

use crate::reason::Reason;

/// The maximum nesting of arrays, maps and records that occur in several places, in one datum.
///
/// Readers of the data have their own limits: 64 in `serde_avro_fast`, the size of the thread's stack in Java.
pub const MAX_DEPTH: usize = 256;

/// One level of nesting: a called record, or a block of an array or map.
#[derive(Clone, Copy, Debug)]
pub(super) struct Frame {
    /// The address of the call, or of the array's or map's instruction.
    pub(super) at: u32,
    /// The items that remain in this block, the current one included; 0 for a call.
    pub(super) remaining: u64,
    /// The offset at which this block ends, if the block states its size.
    pub(super) end: Option<usize>,
    /// The index of the item, from 0.
    pub(super) index: u64,
    /// The offsets at which the entry's key begins and ends, in a map.
    pub(super) key: (usize, usize),
}

/// The frames of one validation. Their memory is taken from the thread at the first push, and returned on drop.
#[derive(Debug)]
pub(super) struct Stack {
    pub(super) frames: Vec<Frame>,
    taken: bool,
}

impl Stack {
    pub(super) fn new() -> Self {
        Self {
            frames: Vec::new(),
            taken: false,
        }
    }

    #[inline]
    pub(super) fn push(&mut self, frame: Frame) -> Result<(), Reason> {
        if !self.taken {
            self.frames = STACK.take();
            self.taken = true;
        }
        if self.frames.len() >= MAX_DEPTH {
            return Err(Reason::Depth(MAX_DEPTH));
        }
        self.frames.push(frame);
        Ok(())
    }
}

impl Drop for Stack {
    #[inline]
    fn drop(&mut self) {
        if self.taken {
            self.frames.clear();
            STACK.set(std::mem::take(&mut self.frames));
        }
    }
}

thread_local! {
    /// The memory of the thread's last stack.
    static STACK: Cell<Vec<Frame>> = const { Cell::new(Vec::new()) };
}
