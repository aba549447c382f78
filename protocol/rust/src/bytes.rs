//! Reads and writes at constant offsets. An offset outside the array does not compile.

/// Returns `N` bytes at `AT` of a payload.
#[inline(always)]
pub(crate) fn get<const AT: usize, const N: usize>(bytes: &[u8; 96]) -> [u8; N] {
    const { assert!(AT + N <= 96) };
    let mut out = [0; N];
    let mut source = bytes.iter().skip(AT);
    for byte in &mut out {
        *byte = source.next().copied().unwrap_or(0);
    }
    out
}

/// Writes `value` at `AT`.
#[inline(always)]
pub(crate) fn put<const AT: usize, const N: usize>(bytes: &mut [u8; 96], value: [u8; N]) {
    const { assert!(AT + N <= 96) };
    for (target, byte) in bytes.iter_mut().skip(AT).zip(value) {
        *target = byte;
    }
}
