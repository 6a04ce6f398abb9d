//! Where one value of MessagePack ends, found without building it.

/// Walks over one value without building it; where that fails, says at which byte and why.
///
/// `rmpv` takes the one byte that MessagePack never uses for a nil, and does not say where the
/// bytes end too early.
pub(super) fn value(bytes: &[u8]) -> Result<(), (usize, &'static str)> {
    const SHORT: &str = "the bytes end too early";
    let mut at = 0;
    let mut values_left: u64 = 1;
    while values_left > 0 {
        values_left -= 1;
        let marker = *bytes.get(at).ok_or((at, SHORT))?;
        // How many bytes the length has (or the length itself), what comes besides so many bytes,
        // and how many values each counted thing is.
        let (length, more, values_each) = match marker {
            0xc1 => return Err((at, "the byte 0xc1 is never used")),
            0x80..=0x8f => (Err(marker & 0x0f), 0, 2),
            0x90..=0x9f => (Err(marker & 0x0f), 0, 1),
            0xa0..=0xbf => (Err(marker & 0x1f), 0, 0),
            0xc4..=0xc6 => (Ok(1 << (marker - 0xc4)), 0, 0),
            0xc7..=0xc9 => (Ok(1 << (marker - 0xc7)), 1, 0),
            0xca | 0xcb => (Err(4 << (marker - 0xca)), 0, 0),
            0xcc..=0xcf => (Err(1 << (marker - 0xcc)), 0, 0),
            0xd0..=0xd3 => (Err(1 << (marker - 0xd0)), 0, 0),
            0xd4..=0xd8 => (Err(1 << (marker - 0xd4)), 1, 0),
            0xd9..=0xdb => (Ok(1 << (marker - 0xd9)), 0, 0),
            0xdc | 0xdd => (Ok(2 << (marker - 0xdc)), 0, 1),
            0xde | 0xdf => (Ok(2 << (marker - 0xde)), 0, 2),
            0x00..=0x7f | 0xc0 | 0xc2 | 0xc3 | 0xe0..=0xff => (Err(0), 0, 0),
        };
        at += 1;
        let length = match length {
            Err(fixed) => u64::from(fixed),
            Ok(digits) => {
                let written = bytes.get(at..at + digits).ok_or((bytes.len(), SHORT))?;
                at += digits;
                written
                    .iter()
                    .fold(0, |length, digit| length << 8 | u64::from(*digit))
            }
        };
        values_left += length * values_each;
        let bytes_here = more + if values_each == 0 { length } else { 0 };
        // At most four digits were read, so that this neither overflows nor leaves a 64 bit index.
        at += usize::try_from(bytes_here).map_err(|_| (at, SHORT))?;
        if at > bytes.len() {
            return Err((bytes.len(), SHORT));
        }
    }
    Ok(())
}
