//! Hangup causes: FreeSWITCH's names and numbers, and the SIP answer each gives an unanswered caller.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A text or number that FreeSWITCH does not know as a cause. FreeSWITCH would make
/// `NORMAL_CLEARING` of it without a word, so it is refused here.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no hangup cause; expected a name such as USER_BUSY or its number")]
pub struct UnknownCause(pub String);

macro_rules! causes {
    ($($name:ident $text:literal $number:literal $sip:literal)*) => {
        /// Why a leg ended, in FreeSWITCH's words.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum HangupCause { $($name,)* }

        impl HangupCause {
            /// Every cause, in the order of their numbers.
            pub const ALL: &'static [HangupCause] = &[$(HangupCause::$name,)*];

            /// The name on the wire, `USER_BUSY`.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(HangupCause::$name => $text,)* }
            }

            /// FreeSWITCH's number: Q.850 up to 127, its own above.
            #[must_use]
            pub const fn number(self) -> u16 {
                match self { $(HangupCause::$name => $number,)* }
            }

            /// The SIP status that an unanswered caller gets when its leg is hung up with this
            /// cause (mod_sofia's table; causes it does not list answer 480).
            #[must_use]
            pub const fn sip_status(self) -> u16 {
                match self { $(HangupCause::$name => $sip,)* }
            }

            fn from_name(name: &str) -> Option<HangupCause> {
                match name { $($text => Some(HangupCause::$name),)* _ => None }
            }
        }
    };
}

causes! {
    None "NONE" 0 480
    UnallocatedNumber "UNALLOCATED_NUMBER" 1 404
    NoRouteTransitNet "NO_ROUTE_TRANSIT_NET" 2 404
    NoRouteDestination "NO_ROUTE_DESTINATION" 3 404
    ChannelUnacceptable "CHANNEL_UNACCEPTABLE" 6 480
    CallAwardedDelivered "CALL_AWARDED_DELIVERED" 7 480
    NormalClearing "NORMAL_CLEARING" 16 480
    UserBusy "USER_BUSY" 17 486
    NoUserResponse "NO_USER_RESPONSE" 18 408
    NoAnswer "NO_ANSWER" 19 480
    SubscriberAbsent "SUBSCRIBER_ABSENT" 20 480
    CallRejected "CALL_REJECTED" 21 603
    NumberChanged "NUMBER_CHANGED" 22 410
    RedirectionToNewDestination "REDIRECTION_TO_NEW_DESTINATION" 23 410
    ExchangeRoutingError "EXCHANGE_ROUTING_ERROR" 25 483
    DestinationOutOfOrder "DESTINATION_OUT_OF_ORDER" 27 502
    InvalidNumberFormat "INVALID_NUMBER_FORMAT" 28 484
    FacilityRejected "FACILITY_REJECTED" 29 501
    ResponseToStatusEnquiry "RESPONSE_TO_STATUS_ENQUIRY" 30 480
    NormalUnspecified "NORMAL_UNSPECIFIED" 31 480
    NormalCircuitCongestion "NORMAL_CIRCUIT_CONGESTION" 34 503
    NetworkOutOfOrder "NETWORK_OUT_OF_ORDER" 38 503
    NormalTemporaryFailure "NORMAL_TEMPORARY_FAILURE" 41 503
    SwitchCongestion "SWITCH_CONGESTION" 42 503
    AccessInfoDiscarded "ACCESS_INFO_DISCARDED" 43 480
    RequestedChanUnavail "REQUESTED_CHAN_UNAVAIL" 44 503
    PreEmpted "PRE_EMPTED" 45 480
    FacilityNotSubscribed "FACILITY_NOT_SUBSCRIBED" 50 480
    OutgoingCallBarred "OUTGOING_CALL_BARRED" 52 403
    IncomingCallBarred "INCOMING_CALL_BARRED" 54 403
    BearercapabilityNotauth "BEARERCAPABILITY_NOTAUTH" 57 403
    BearercapabilityNotavail "BEARERCAPABILITY_NOTAVAIL" 58 503
    ServiceUnavailable "SERVICE_UNAVAILABLE" 63 480
    BearercapabilityNotimpl "BEARERCAPABILITY_NOTIMPL" 65 488
    ChanNotImplemented "CHAN_NOT_IMPLEMENTED" 66 480
    FacilityNotImplemented "FACILITY_NOT_IMPLEMENTED" 69 501
    ServiceNotImplemented "SERVICE_NOT_IMPLEMENTED" 79 501
    InvalidCallReference "INVALID_CALL_REFERENCE" 81 480
    IncompatibleDestination "INCOMPATIBLE_DESTINATION" 88 488
    InvalidMsgUnspecified "INVALID_MSG_UNSPECIFIED" 95 480
    MandatoryIeMissing "MANDATORY_IE_MISSING" 96 480
    MessageTypeNonexist "MESSAGE_TYPE_NONEXIST" 97 480
    WrongMessage "WRONG_MESSAGE" 98 480
    IeNonexist "IE_NONEXIST" 99 480
    InvalidIeContents "INVALID_IE_CONTENTS" 100 480
    WrongCallState "WRONG_CALL_STATE" 101 480
    RecoveryOnTimerExpire "RECOVERY_ON_TIMER_EXPIRE" 102 504
    MandatoryIeLengthError "MANDATORY_IE_LENGTH_ERROR" 103 480
    ProtocolError "PROTOCOL_ERROR" 111 480
    Interworking "INTERWORKING" 127 480
    Success "SUCCESS" 142 480
    OriginatorCancel "ORIGINATOR_CANCEL" 487 487
    Crash "CRASH" 700 480
    SystemShutdown "SYSTEM_SHUTDOWN" 701 480
    LoseRace "LOSE_RACE" 702 480
    ManagerRequest "MANAGER_REQUEST" 703 480
    BlindTransfer "BLIND_TRANSFER" 800 480
    AttendedTransfer "ATTENDED_TRANSFER" 801 480
    AllottedTimeout "ALLOTTED_TIMEOUT" 802 480
    UserChallenge "USER_CHALLENGE" 803 480
    MediaTimeout "MEDIA_TIMEOUT" 804 480
    PickedOff "PICKED_OFF" 805 480
    UserNotRegistered "USER_NOT_REGISTERED" 806 480
    ProgressTimeout "PROGRESS_TIMEOUT" 807 480
    InvalidGateway "INVALID_GATEWAY" 808 484
    GatewayDown "GATEWAY_DOWN" 809 503
    InvalidUrl "INVALID_URL" 810 484
    InvalidProfile "INVALID_PROFILE" 811 502
    NoPickup "NO_PICKUP" 812 480
    SrtpReadError "SRTP_READ_ERROR" 813 480
    Bowout "BOWOUT" 814 480
    BusyEverywhere "BUSY_EVERYWHERE" 815 600
    Decline "DECLINE" 816 603
    DoesNotExistAnywhere "DOES_NOT_EXIST_ANYWHERE" 817 604
    NotAcceptable "NOT_ACCEPTABLE" 818 606
    Unwanted "UNWANTED" 819 607
    NoIdentity "NO_IDENTITY" 820 428
    BadIdentityInfo "BAD_IDENTITY_INFO" 821 429
    UnsupportedCertificate "UNSUPPORTED_CERTIFICATE" 822 437
    InvalidIdentity "INVALID_IDENTITY" 823 438
    StaleDate "STALE_DATE" 824 403
    RejectAll "REJECT_ALL" 825 603
}

impl HangupCause {
    /// The causes of an expired ring timer. FreeSWITCH has its own names for a leg's timers
    /// (`leg_timeout`, `leg_progress_timeout`); a flow means all of them by NO_ANSWER.
    #[must_use]
    pub const fn is_ring_timeout(self) -> bool {
        matches!(
            self,
            HangupCause::NoAnswer | HangupCause::AllottedTimeout | HangupCause::ProgressTimeout
        )
    }
}

impl FromStr for HangupCause {
    type Err = UnknownCause;

    /// Names in any case, or numbers.
    fn from_str(text: &str) -> Result<Self, UnknownCause> {
        let trimmed = text.trim();
        let by_number = || {
            let number: u16 = trimmed.parse().ok()?;
            Self::ALL.iter().copied().find(|c| c.number() == number)
        };
        Self::from_name(trimmed)
            .or_else(|| Self::from_name(&trimmed.to_ascii_uppercase()))
            .or_else(by_number)
            .ok_or_else(|| UnknownCause(text.to_owned()))
    }
}

impl fmt::Display for HangupCause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Serialize for HangupCause {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for HangupCause {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_numbers_round_trip() {
        for cause in HangupCause::ALL {
            assert_eq!(cause.as_str().parse(), Ok(*cause));
            assert_eq!(cause.number().to_string().parse(), Ok(*cause));
            assert_eq!(cause.as_str().to_lowercase().parse(), Ok(*cause));
        }
    }

    #[test]
    fn a_spelling_mistake_is_refused() {
        assert!("USER_BUZY".parse::<HangupCause>().is_err());
        assert!("".parse::<HangupCause>().is_err());
        assert!("17x".parse::<HangupCause>().is_err());
    }
}
