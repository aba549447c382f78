//! System calls: the only unsafe code of the shared crate. Each call passes slices, whose {pointer, length} layout the runtime
//! reads.
#![allow(unsafe_code)]

/// Returns SHA-256 over the concatenation of `parts`.
#[inline(always)]
pub fn sha256(parts: &[&[u8]]) -> [u8; 32] {
    #[cfg(target_os = "solana")]
    {
        let mut out = core::mem::MaybeUninit::<[u8; 32]>::uninit();
        // SAFETY: the runtime reads `parts.len()` slices and writes exactly 32 bytes.
        unsafe {
            pinocchio::syscalls::sol_sha256(
                parts.as_ptr() as *const u8,
                parts.len() as u64,
                out.as_mut_ptr() as *mut u8,
            );
            out.assume_init()
        }
    }
    #[cfg(not(target_os = "solana"))]
    {
        let mut hash = sha2_const_stable::Sha256::new();
        for part in parts {
            hash = hash.update(part);
        }
        hash.finalize()
    }
}

/// Writes one log line.
pub fn log(line: &str) {
    #[cfg(target_os = "solana")]
    // SAFETY: a valid string and its length.
    unsafe {
        pinocchio::syscalls::sol_log_(line.as_ptr(), line.len() as u64)
    };
    #[cfg(not(target_os = "solana"))]
    let _ = line;
}

/// Writes one "Program data:" log entry.
pub fn log_data(bytes: &[u8]) {
    #[cfg(target_os = "solana")]
    // SAFETY: one valid slice.
    unsafe {
        let parts = [bytes];
        pinocchio::syscalls::sol_log_data(parts.as_ptr() as *const u8, 1)
    };
    #[cfg(not(target_os = "solana"))]
    let _ = bytes;
}
