//! How long a prompt takes to play.

use std::time::Duration;

/// A file whose length nobody knows here.
const FILE: Duration = Duration::from_secs(1);
/// What plays until it is stopped.
const ENDLESS: Duration = Duration::from_secs(24 * 3600);

/// The length of `tone_stream://`, `silence_stream://` or of a file.
pub(super) fn length(media: &str) -> Duration {
    // Several files play one after the other.
    if let Some(list) = media.strip_prefix("file_string://") {
        return list.split('!').map(length).sum();
    }
    // Options of the player stand before it, `{loops=2}...`.
    let media = match media.split_once('}') {
        Some((options, rest)) if options.starts_with('{') => rest,
        _ => media,
    };
    if let Some(ms) = media.strip_prefix("silence_stream://") {
        return match ms
            .split(',')
            .next()
            .and_then(|ms| ms.trim().parse::<i64>().ok())
        {
            Some(ms) if ms >= 0 => Duration::from_millis(ms.unsigned_abs()),
            _ => ENDLESS,
        };
    }
    if let Some(tones) = media.strip_prefix("tone_stream://") {
        return tone_length(tones);
    }
    if media.starts_with("local_stream://") {
        return ENDLESS;
    }
    FILE
}

/// `%(on ms,off ms,hertz...)` any number of times, then `;loops=N`, -1 for ever.
fn tone_length(tones: &str) -> Duration {
    let mut loops = 1_i64;
    for option in tones.split(';').skip(1) {
        if let Some(count) = option.trim().strip_prefix("loops=") {
            loops = count.trim().parse().unwrap_or(1);
        }
    }
    if loops < 0 {
        return ENDLESS;
    }
    let once: u64 = tones
        .split("%(")
        .skip(1)
        .filter_map(|tone| tone.split(')').next())
        .map(|inside| {
            let times = inside.split(',').take(2);
            times
                .filter_map(|ms| ms.trim().parse::<u64>().ok())
                .sum::<u64>()
        })
        .sum();
    Duration::from_millis(once.saturating_mul(loops.unsigned_abs()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_of_the_recorded_prompts() {
        let ms = |media| length(media).as_millis();
        assert_eq!(ms("tone_stream://%(400,0,440)"), 400);
        assert_eq!(ms("tone_stream://%(400,100,440);loops=2"), 1000);
        assert_eq!(ms("tone_stream://%(200,50,350)%(100,0,440)"), 350);
        assert_eq!(ms("silence_stream://1500,1400"), 1500);
        assert_eq!(ms("file_string://a.wav!silence_stream://500"), 1500);
        assert_eq!(ms("/sounds/hello.wav"), 1000);
        assert_eq!(length("silence_stream://-1"), ENDLESS);
        assert_eq!(length("tone_stream://%(1,1,440);loops=-1"), ENDLESS);
    }
}
