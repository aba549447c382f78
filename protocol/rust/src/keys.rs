//! Keys that must never be enrolled.

/// y of the points of order 1, 2, 4 and 8, and of their non-canonical forms, sign bit clear.
const SMALL_ORDER: [[u8; 32]; 7] = [
    with_ends(0, 0, 0),
    with_ends(1, 0, 0),
    [
        0x26, 0xe8, 0x95, 0x8f, 0xc2, 0xb2, 0x27, 0xb0, 0x45, 0xc3, 0xf4, 0x89, 0xf2, 0xef, 0x98, 0xf0, 0xd5, 0xdf,
        0xac, 0x05, 0xd3, 0xc6, 0x33, 0x39, 0xb1, 0x38, 0x02, 0x88, 0x6d, 0x53, 0xfc, 0x05,
    ],
    [
        0xc7, 0x17, 0x6a, 0x70, 0x3d, 0x4d, 0xd8, 0x4f, 0xba, 0x3c, 0x0b, 0x76, 0x0d, 0x10, 0x67, 0x0f, 0x2a, 0x20,
        0x53, 0xfa, 0x2c, 0x39, 0xcc, 0xc6, 0x4e, 0xc7, 0xfd, 0x77, 0x92, 0xac, 0x03, 0x7a,
    ],
    with_ends(0xec, 0xff, 0x7f), // p - 1
    with_ends(0xed, 0xff, 0x7f), // p, that is 0
    with_ends(0xee, 0xff, 0x7f), // p + 1, that is 1
];

const fn with_ends(low: u8, middle: u8, high: u8) -> [u8; 32] {
    let [mut first, mut last] = [[middle; 16]; 2];
    first[0] = low;
    last[15] = high;
    let mut out = [0; 32];
    let mut i = 0;
    #[allow(clippy::arithmetic_side_effects, clippy::indexing_slicing)] // evaluated by the compiler
    while i < 16 {
        out[i] = first[i];
        out[i + 16] = last[i];
        i += 1;
    }
    out
}

/// Returns true for a point of small order in any encoding. Such a key "verifies" signatures that nobody made.
pub fn is_small_order(key: &[u8; 32]) -> bool {
    let mut y = *key;
    if let Some(last) = y.last_mut() {
        *last &= 0x7f;
    }
    SMALL_ORDER.contains(&y)
}
