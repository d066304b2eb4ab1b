//! How much memory a thread takes at most while it does something.

#![allow(unsafe_code)]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

thread_local! {
    static HELD: Cell<usize> = const { Cell::new(0) };
    static PEAK: Cell<usize> = const { Cell::new(0) };
}

#[global_allocator]
static ALLOCATOR: Watched = Watched;

struct Watched;

fn took(size: usize) {
    let held = HELD.get().wrapping_add(size);
    HELD.set(held);
    // What another thread took and this one gave back wraps around; it is no peak.
    if held < usize::MAX / 2 {
        PEAK.set(PEAK.get().max(held));
    }
}

fn gave_back(size: usize) {
    HELD.set(HELD.get().wrapping_sub(size));
}

// SAFETY: every call goes to the system's allocator as it came; counting takes no memory.
unsafe impl GlobalAlloc for Watched {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        took(layout.size());
        // SAFETY: the caller's promises are passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        gave_back(layout.size());
        // SAFETY: as above.
        unsafe { System.dealloc(at, layout) }
    }

    unsafe fn realloc(&self, at: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        gave_back(layout.size());
        took(size);
        // SAFETY: as above.
        unsafe { System.realloc(at, layout, size) }
    }
}

/// Does it, and fails if this thread held more than so many bytes more at any time.
pub(crate) fn within<T>(bytes: usize, work: impl FnOnce() -> T) -> T {
    HELD.set(0);
    PEAK.set(0);
    let result = work();
    let peak = PEAK.get();
    assert!(peak <= bytes, "took {peak} bytes, more than {bytes}");
    result
}

#[test]
fn memory_is_really_watched() {
    let seen = std::panic::catch_unwind(|| within(1_000, || vec![0_u8; 1_001].len()));
    assert!(seen.is_err());
    assert_eq!(within(1_000_000, || vec![0_u8; 1_001].len()), 1_001);
}
