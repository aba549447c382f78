//! Compares the entry point with a second reader on random bytes of the loader's format, for programs of 16, 40 and 64
//! accounts. The second reader uses slices alone.
#![allow(unsafe_code)] // the entry point takes a pointer
#![allow(clippy::indexing_slicing, clippy::arithmetic_side_effects, clippy::unwrap_used)] // a test that panics fails

use core::mem::MaybeUninit;

use pinocchio::{
    AccountView,
    account::{MAX_PERMITTED_DATA_INCREASE, NOT_BORROWED},
    entrypoint::deserialize,
};

/// Numbers that are the same in every run.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % bound
    }

    fn fill(&mut self, bytes: &mut [u8]) {
        bytes.chunks_mut(3).for_each(|chunk| chunk.copy_from_slice(&self.below(1 << 24).to_le_bytes()[..chunk.len()]));
    }
}

/// An account as the second reader finds it. `place` is the offset of its head in the input.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Found {
    place: usize,
    signer: bool,
    writable: bool,
    executable: bool,
    address: [u8; 32],
    owner: [u8; 32],
    lamports: u64,
    data: Vec<u8>,
}

/// Input in words, aligned as in the runtime.
struct Input {
    words: Vec<u64>,
    len: usize,
}

const DATA_SIZES: [usize; 10] = [0, 1, 7, 8, 9, 96, 120, 360, 8_288, 14_400];

impl Input {
    /// Builds `count` accounts and instruction data of any length. About every third account repeats an earlier one.
    fn random(random: &mut Random, count: usize) -> Self {
        let mut bytes = (count as u64).to_le_bytes().to_vec();
        for index in 0..count {
            if index > 0 && random.below(3) == 0 {
                bytes.push(random.below(index) as u8);
                bytes.extend([0; 7]);
                continue;
            }
            let size = DATA_SIZES[random.below(DATA_SIZES.len())];
            bytes.push(NOT_BORROWED);
            bytes.extend((0..3).map(|_| random.below(2) as u8));
            bytes.extend([0; 4]);
            let mut rest = vec![0; 72];
            random.fill(&mut rest);
            bytes.extend(rest);
            bytes.extend((size as u64).to_le_bytes());
            let mut data = vec![0; size];
            random.fill(&mut data);
            bytes.extend(data);
            bytes.extend(vec![0; MAX_PERMITTED_DATA_INCREASE]);
            bytes.resize(bytes.len().next_multiple_of(8), 0);
            bytes.extend([0xff; 8]); // the rent epoch
        }
        let mut data = vec![0; random.below(1_233)];
        random.fill(&mut data);
        bytes.extend((data.len() as u64).to_le_bytes());
        bytes.extend(data);
        let mut program = [0; 32];
        random.fill(&mut program);
        bytes.extend(program);
        let len = bytes.len();
        bytes.resize(len.next_multiple_of(8), 0);
        Self { words: bytes.chunks_exact(8).map(|word| number(word, 0)).collect(), len }
    }

    fn bytes(&self) -> &[u8] {
        &bytemuck::cast_slice(&self.words)[..self.len]
    }

    fn pointer(&mut self) -> *mut u8 {
        self.words.as_mut_ptr().cast()
    }
}

fn number(bytes: &[u8], at: usize) -> u64 {
    u64::from_le_bytes(bytes[at..at + 8].try_into().unwrap())
}

/// Returns all accounts, the instruction data and the program's address.
fn read(bytes: &[u8]) -> (Vec<Found>, &[u8], &[u8]) {
    let (count, mut at, mut found) = (number(bytes, 0), 8, Vec::<Found>::new());
    for _ in 0..count {
        if bytes[at] != 0xff {
            found.push(found[usize::from(bytes[at])].clone());
            at += 8;
            continue;
        }
        let size = number(bytes, at + 80) as usize;
        found.push(Found {
            place: at,
            signer: bytes[at + 1] != 0,
            writable: bytes[at + 2] != 0,
            executable: bytes[at + 3] != 0,
            address: bytes[at + 8..at + 40].try_into().unwrap(),
            owner: bytes[at + 40..at + 72].try_into().unwrap(),
            lamports: number(bytes, at + 72),
            data: bytes[at + 88..at + 88 + size].to_vec(),
        });
        at = (at + 88 + size + 10_240).next_multiple_of(8) + 8;
    }
    let end = at + 8 + number(bytes, at) as usize;
    (found, &bytes[at + 8..end], &bytes[end..end + 32])
}

fn seen(view: &AccountView, start: *const u8) -> Found {
    Found {
        place: view.account_ptr() as usize - start as usize,
        signer: view.is_signer(),
        writable: view.is_writable(),
        executable: view.executable(),
        address: *view.address().as_array(),
        owner: *view.owner().as_array(),
        lamports: view.lamports(),
        data: view.try_borrow().unwrap().to_vec(),
    }
}

/// Compares both readers for an entry point that takes `MOST` accounts and reads one more.
fn compare<const LIMIT: usize>(random: &mut Random, count: usize) {
    let mut input = Input::random(random, count);
    let bytes = input.bytes().to_vec();
    let (accounts, data, program) = read(&bytes);
    let start = input.pointer();
    let mut views = [const { MaybeUninit::<AccountView>::uninit() }; LIMIT];
    // SAFETY: the input has the loader's format and outlives the views.
    let (program_found, found, data_found) = unsafe { deserialize::<LIMIT>(start, &mut views) };
    assert_eq!(found, count.min(LIMIT), "{count} accounts");
    assert_eq!((data_found, program_found.as_array().as_slice()), (data, program), "{count} accounts");
    for (index, (view, account)) in views[..found].iter().zip(&accounts).enumerate() {
        // SAFETY: as many views as `found` says were written.
        assert_eq!(seen(unsafe { view.assume_init_ref() }, start), *account, "account {index} of {count}");
    }
}

#[test]
fn reads_what_the_loader_wrote_and_leaves_out_what_is_beyond_the_limit() {
    let mut random = Random(1);
    for count in (0..=70).chain([128, 254]) {
        compare::<17>(&mut random, count);
        compare::<41>(&mut random, count);
        compare::<65>(&mut random, count);
    }
}
