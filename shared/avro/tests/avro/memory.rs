//! Measures the peak memory of a thread.

#![allow(unsafe_code)]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

thread_local! {
    static HELD: Cell<usize> = const { Cell::new(0) };
    static PEAK: Cell<usize> = const { Cell::new(0) };
}

#[global_allocator]
static ALLOCATOR: PeakAllocator = PeakAllocator;

struct PeakAllocator;

fn allocated(size: usize) {
    let held = HELD.get().wrapping_add(size);
    HELD.set(held);
    // The count wraps around if this thread frees memory of another thread. That is not a peak.
    if held < usize::MAX / 2 {
        PEAK.set(PEAK.get().max(held));
    }
}

fn freed(size: usize) {
    HELD.set(HELD.get().wrapping_sub(size));
}

// SAFETY: every call is forwarded unchanged to the system's allocator; counting allocates nothing.
unsafe impl GlobalAlloc for PeakAllocator {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        allocated(layout.size());
        // SAFETY: the caller upholds the contract.
        unsafe { System.alloc(layout) }
    }

    // Not the default, which would write to the memory.
    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        allocated(layout.size());
        // SAFETY: as above.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        freed(layout.size());
        // SAFETY: as above.
        unsafe { System.dealloc(at, layout) }
    }

    unsafe fn realloc(&self, at: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        freed(layout.size());
        allocated(size);
        // SAFETY: as above.
        unsafe { System.realloc(at, layout, size) }
    }
}

/// Runs `work`, and panics if this thread allocates more than `bytes` bytes at the same time.
pub(crate) fn within<T>(bytes: usize, work: impl FnOnce() -> T) -> T {
    HELD.set(0);
    PEAK.set(0);
    let result = work();
    let peak = PEAK.get();
    assert!(peak <= bytes, "{peak} bytes allocated, more than {bytes}");
    result
}

#[test]
fn measures_the_peak_memory() {
    let result = std::panic::catch_unwind(|| within(1_000, || vec![0_u8; 1_001].len()));
    assert!(result.is_err());
    assert_eq!(within(1_000_000, || vec![0_u8; 1_001].len()), 1_001);
}
