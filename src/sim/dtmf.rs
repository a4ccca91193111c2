//! Digits that somebody types.

use super::core::Core;
use super::headers::Detail;
use super::leg::Channel;

const DTMF: (&str, &str, u32) = ("switch_channel.c", "switch_channel_dequeue_dtmf", 643);

impl Core {
    /// One DTMF event a digit; `*` stops a prompt, as `playback_terminators` has it (capture fact 24).
    pub(super) fn press(&self, channel: &Channel, digits: &str) {
        for digit in digits.chars() {
            if !channel.is_up() {
                return;
            }
            let digit = digit.to_string();
            let extra = [
                ("DTMF-Digit", &*digit),
                ("DTMF-Duration", "960"),
                ("DTMF-Source", "RTP"),
            ];
            self.fire_detail("DTMF", DTMF, channel, Detail::Basic, &extra);
            let playing = channel.variable("current_application").as_deref() == Some("playback");
            if digit == "*" && playing {
                channel.leg().broken = true;
                channel.poke();
            }
        }
    }
}
