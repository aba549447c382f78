//! The numbered table of errors that all programs share [numbers §11]. A number is never reused, and a name never changes its
//! number. GridTokenX clients already know the first thirteen names. Only later instructions raise some of them.

use pinocchio::error::ProgramError;

macro_rules! errors {
    ($($name:ident = $code:literal, $message:literal;)*) => {
        /// The reason why a program refused an instruction. `as u32` is the number that a client reads.
        #[derive(Clone, Copy, PartialEq, Eq, Debug)]
        #[repr(u32)]
        pub enum GtxError { $($name = $code),* }

        impl GtxError {
            /// Every error, in order of its number.
            pub const ALL: &'static [GtxError] = &[$(GtxError::$name),*];
        }

        /// Returns the log line of an error in Anchor's form, which `AnchorError.parse` of its TypeScript client reads. None
        /// for another program's error.
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
    InsufficientSurplus = 6000, "Metered export does not cover the amount";
    UnauthorizedMeter = 6001, "Meter or key is not registered for this";
    DuplicateMint = 6002, "Energy was minted before";
    ExcessiveAmount = 6003, "Amount exceeds the limit";
    InvalidAuthority = 6004, "Signer is not authorized";
    StaleVersion = 6005, "Page version does not match the instruction";
    WindowNotNewer = 6006, "Window is not newer than the slot's window";
    WindowInFuture = 6007, "Window has not ended on the chain's clock";
    WrongNetwork = 6008, "Message was signed for another network";
    SelfTrade = 6009, "Both sides of the trade have the same owner";
    BelowFloor = 6010, "Price or number is below the minimum";
    AboveCeiling = 6011, "Price is above the maximum";
    Paused = 6012, "Program is paused";
    MissingAccount = 6013, "Account is missing";
    AccountNotSigner = 6014, "Account did not sign";
    AccountNotWritable = 6015, "Account is not writable";
    AccountOwnerMismatch = 6016, "Account is owned by another program";
    AccountTypeMismatch = 6017, "Account has the wrong type or size";
    AccountKeyMismatch = 6018, "Account has the wrong address or belongs to another record";
    AccountsNotDistinct = 6019, "Accounts must be different";
    AccountAlreadyInitialized = 6020, "Account already exists";
    UnknownInstruction = 6021, "Unknown instruction";
    MalformedInstruction = 6022, "Instruction data is malformed";
    ArithmeticOverflow = 6023, "Number is out of range";
    NotUpgradeAuthority = 6024, "Only the program's upgrade authority may initialize it";
    ZoneMismatch = 6025, "Record belongs to another zone";
    InvalidAttestorSet = 6026, "Attestor set must have 1 to 7 distinct keys and a reachable threshold of at least 2";
    AttestorSetLocked = 6027, "Attestor set was changed less than 96 windows ago";
    InvalidRole = 6028, "Role is unknown or not allowed here";
    UserNotActive = 6029, "User is not active";
    PointTaken = 6030, "Connection point already has an active meter";
    EnrolmentWindowOutOfRange = 6031, "Enrolment window is in the future or more than 96 windows old";
    SmallOrderKey = 6032, "Device key has small order";
    SignatureMissing = 6033, "Previous instruction is not an Ed25519 verification";
    SignatureMalformed = 6034, "Ed25519 verification does not contain exactly one signature";
    SignatureMessageMismatch = 6035, "Verified message does not match the instruction";
    MalformedMessage = 6036, "Signed payload is malformed or has the wrong kind";
    MeterHasNoSlot = 6037, "Meter has no slot";
    MeterNotActive = 6038, "Meter is not active";
    ThresholdNotMet = 6039, "Too few attestors signed";
    UnknownAttestor = 6040, "Signer is not an attestor of the zone";
    SlotClosed = 6041, "Slot is closed";
    SlotDisputed = 6042, "Slot is disputed";
    SlotNotFrozen = 6043, "Slot is neither suspended nor disputed";
    QualityNotAttestable = 6044, "Statement is stale, unsynchronized or after a discontinuity";
    RegisterBelowBaseline = 6045, "Register is below the meter's baseline";
    TotalsFell = 6046, "Totals are below the slot's totals";
    StatementTooEarly = 6047, "Gateway-signed statement must wait until the slot is 96 windows behind";
    KeyRotatedRecently = 6048, "Meter key was changed less than 96 windows ago";
    NoContradiction = 6049, "Statement does not contradict the slot";
    NotAnAnswer = 6050, "Statement does not answer the dispute";
    DisputeOpen = 6051, "Dispute has no verdict yet";
    DisputeDecided = 6052, "Dispute already has a verdict";
    DisputeNotAccepted = 6053, "Utility has not accepted the verdict yet";
    InvalidStatus = 6054, "Status is unknown or cannot follow the current status";
    NotDeviceSigned = 6055, "Statement is not signed by the device";
    BeforeFirstWindow = 6056, "Window is before the meter's first valid window";
    KeyEpochMismatch = 6057, "Key epoch is not the next one";
    KeyUnchanged = 6058, "New key is already a key of the meter";
    MeterNotPending = 6059, "Meter is not waiting for confirmation";
    CapacityExceeded = 6060, "Confirmed export limits would exceed the zone's capacity";
    LimitOutOfRange = 6061, "Limit, register step, tariff class or capacity is out of range";
    KeyIsZero = 6062, "Key must not be zero";
    NoAttestorSetAnnounced = 6063, "No attestor set is announced";
    AttestorSetTooEarly = 6064, "Announced attestor set must wait 96 windows";
    SlotNotMoved = 6065, "Slot still depends on a statement of the previous key";
    CarriedTotals = 6066, "New slot must start without carried totals";
    AlreadyCounted = 6067, "Enrolment overlaps windows that are already counted";
    UnexpectedAccount = 6068, "Instruction has too many accounts";
}

impl From<GtxError> for ProgramError {
    #[inline(always)]
    fn from(error: GtxError) -> Self {
        ProgramError::Custom(error as u32)
    }
}

/// Writes the error's log line if the error is in the table. Returns the error unchanged.
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
