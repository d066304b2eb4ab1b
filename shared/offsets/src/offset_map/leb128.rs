//! Unsigned LEB128 numbers of at most 63 bits.

/// Appends a number. Negative numbers are encoded as 0.
pub(super) fn put(bytes: &mut Vec<u8>, value: i64) {
    // Differences of offsets in ascending order are not negative.
    let mut value = value.max(0) as u64;
    while value >= 0x80 {
        bytes.push(value as u8 | 0x80);
        value >>= 7;
    }
    bytes.push(value as u8);
}

/// Removes a number from the start of the bytes. `None` if the bytes end or the number exceeds 63 bits.
pub(super) fn take(bytes: &mut &[u8]) -> Option<i64> {
    let mut value = 0u64;
    for shift in (0..63).step_by(7) {
        let (first, rest) = bytes.split_first()?;
        *bytes = rest;
        value |= u64::from(first & 0x7f) << shift;
        if first & 0x80 == 0 {
            return i64::try_from(value).ok();
        }
    }
    None
}
