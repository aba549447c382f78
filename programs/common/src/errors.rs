//! The one numbered table of errors, shared by all programs [numbers §11]. A number is never reused and a name never changes its number.
//! The first thirteen are names that GridTokenX clients already know; some of them are raised only by later instructions.

use pinocchio::error::ProgramError;

macro_rules! errors {
    ($($name:ident = $code:literal, $message:literal;)*) => {
        /// Why an instruction was refused. `as u32` is the number that a client sees.
        #[derive(Clone, Copy, PartialEq, Eq, Debug)]
        #[repr(u32)]
        pub enum GtxError { $($name = $code),* }

        impl GtxError {
            /// Every error, in order of its number.
            pub const ALL: &'static [GtxError] = &[$(GtxError::$name),*];
        }

        /// The log line of an error in Anchor's form, which `AnchorError.parse` of its TypeScript client reads.
        pub fn log_line(code: u32) -> Option<&'static str> {
            match code {
                $($code => Some(concat!(
                    "AnchorError occurred. Error Code: ", stringify!($name), ". Error Number: ", stringify!($code),
                    ". Error Message: ", $message, "."
                )),)*
                _ => None,
            }
        }
    };
}

errors! {
    InsufficientSurplus = 6000, "The metered export does not cover this amount";
    UnauthorizedMeter = 6001, "The meter is not registered for this";
    DuplicateMint = 6002, "This energy has been minted before";
    ExcessiveAmount = 6003, "The amount is above what is allowed";
    InvalidAuthority = 6004, "The signer has not the authority for this";
    StaleVersion = 6005, "The page has another version than the instruction was built on";
    WindowNotNewer = 6006, "The window is not newer than the slot's";
    WindowInFuture = 6007, "The window is not over by the chain's clock";
    WrongNetwork = 6008, "The message was signed for another network";
    SelfTrade = 6009, "Both seats of the fill have one owner";
    BelowFloor = 6010, "The number or price is below its floor";
    AboveCeiling = 6011, "The price is above its ceiling";
    Paused = 6012, "This is paused";
    MissingAccount = 6013, "An account is missing";
    AccountNotSigner = 6014, "The account has not signed";
    AccountNotWritable = 6015, "The account is not writable";
    AccountOwnerMismatch = 6016, "The account has another owner program";
    AccountTypeMismatch = 6017, "The account is of another type or size";
    AccountKeyMismatch = 6018, "The account has another address or belongs to another record";
    AccountsNotDistinct = 6019, "Two accounts that must differ are the same";
    AccountAlreadyInitialized = 6020, "The account exists already";
    UnknownInstruction = 6021, "The program has no such instruction";
    MalformedInstruction = 6022, "The instruction data is malformed";
    ArithmeticOverflow = 6023, "A number left its range";
    NotUpgradeAuthority = 6024, "Only the program's upgrade authority may initialise it";
    ZoneMismatch = 6025, "The record belongs to another zone";
    InvalidAttestorSet = 6026, "Attestors must be 1 to 7 distinct keys and the threshold reachable and at least 2";
    AttestorSetLocked = 6027, "The attestor set was changed less than 96 windows ago";
    InvalidRole = 6028, "The role is unknown or not allowed here";
    UserNotActive = 6029, "The user is not registered as active";
    PointTaken = 6030, "The connection point has a live meter already";
    EnrolmentWindowOutOfRange = 6031, "The enrolment's window is in the future or more than 96 windows past";
    SmallOrderKey = 6032, "The device key has small order";
    SignatureMissing = 6033, "The instruction before this one is not an Ed25519 verification";
    SignatureMalformed = 6034, "The Ed25519 verification does not hold exactly one signature inside itself";
    SignatureMessageMismatch = 6035, "The verified message is not the one that this instruction needs";
    MalformedMessage = 6036, "The signed payload is malformed or of another kind";
    MeterHasNoSlot = 6037, "Only meters of role point have a slot";
    MeterNotActive = 6038, "The meter is not active";
    ThresholdNotMet = 6039, "Too few attestors of the zone have signed";
    UnknownAttestor = 6040, "A signer is not an attestor of the zone";
    SlotClosed = 6041, "The slot was closed and is never used again";
    SlotDisputed = 6042, "The slot is frozen by a dispute";
    SlotNotFrozen = 6043, "The slot is neither suspended nor disputed";
    QualityNotAttestable = 6044, "The statement is stale, unsynchronised or after a discontinuity";
    RegisterBelowBaseline = 6045, "The register is below the meter's baseline";
    TotalsFell = 6046, "The totals are below the slot's";
    StatementTooEarly = 6047, "A gateway-signed statement waits until the slot is 96 windows behind";
    KeyRotatedRecently = 6048, "The meter's key was changed less than 96 windows ago";
    NoContradiction = 6049, "The statement does not contradict the slot";
    NotAnAnswer = 6050, "The statement does not answer the dispute";
    DisputeOpen = 6051, "The dispute has no verdict yet";
    DisputeDecided = 6052, "The dispute has its verdict already";
    DisputeNotAccepted = 6053, "The utility has not named the accepted totals yet";
    InvalidStatus = 6054, "The status is unknown or does not follow from the present one";
    NotDeviceSigned = 6055, "Only what a device signed itself is evidence";
    BeforeFirstWindow = 6056, "The window is before the meter's first valid one";
    KeyEpochMismatch = 6057, "The message names another key epoch than the next one";
    KeyUnchanged = 6058, "The new key is one of the meter's present keys";
    MeterNotPending = 6059, "The meter does not wait for confirmation";
    CapacityExceeded = 6060, "The confirmed export limits would exceed the capacity of the zone";
    LimitOutOfRange = 6061, "A limit, register step, tariff class or capacity is out of range";
    KeyIsZero = 6062, "A key must not be zero";
    NoAttestorSetAnnounced = 6063, "No attestor set is announced";
    AttestorSetTooEarly = 6064, "An announced attestor set comes into force after 96 windows";
    SlotNotMoved = 6065, "The slot still stands on a statement of the previous key";
    CarriedTotals = 6066, "A slot that was never active must start without carried totals";
    AlreadyCounted = 6067, "The enrolment reaches back into windows whose energy is counted already";
    UnexpectedAccount = 6068, "The instruction takes fewer accounts";
}

impl From<GtxError> for ProgramError {
    #[inline(always)]
    fn from(error: GtxError) -> Self {
        ProgramError::Custom(error as u32)
    }
}

/// Writes the error's log line, if the error is one of ours; returns the error unchanged.
#[cold]
#[inline(never)]
pub fn logged(error: ProgramError) -> ProgramError {
    if let ProgramError::Custom(code) = error
        && let Some(line) = log_line(code)
    {
        crate::sys::log(line);
    }
    error
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_dense_from_6000_and_each_has_a_line() {
        for (index, error) in GtxError::ALL.iter().enumerate() {
            assert_eq!(*error as u32, 6000 + index as u32);
            let line = log_line(*error as u32).unwrap();
            assert!(line.contains(&std::format!("Error Code: {error:?}. Error Number: {}. ", *error as u32)));
        }
        assert_eq!(log_line(5999), None);
        assert_eq!(log_line(6000 + GtxError::ALL.len() as u32), None);
    }
}
