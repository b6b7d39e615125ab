//! Protobuf's wire format (protobuf.dev "Encoding"): tags, varints, lengths and groups, read with a cursor
//! and written to a vector.
//!
//! Nothing here knows of fields or JSON. What comes from outside is never trusted: every read can fail,
//! none allocates.

#![expect(clippy::inline_always, reason = "cursors stay in registers only where reads are inlined")]

/// How a value is laid out on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum WireType {
    Varint = 0,
    Fixed64 = 1,
    Length = 2,
    GroupStart = 3,
    GroupEnd = 4,
    Fixed32 = 5,
}

impl WireType {
    #[inline]
    const fn from_bits(bits: u32) -> Option<Self> {
        match bits & 7 {
            0 => Some(Self::Varint),
            1 => Some(Self::Fixed64),
            2 => Some(Self::Length),
            3 => Some(Self::GroupStart),
            4 => Some(Self::GroupEnd),
            5 => Some(Self::Fixed32),
            _ => None,
        }
    }
}

/// What is wrong with wire bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Broken {
    Truncated,
    Overlong,
    Tag,
    Group,
    Depth,
    Utf8,
}

impl Broken {
    pub(super) const fn description(self) -> &'static str {
        match self {
            Self::Truncated => "the message ends within a value",
            Self::Overlong => "a varint is longer than ten bytes or greater than 64 bits",
            Self::Tag => "a tag has no field number or an unknown wire type",
            Self::Group => "a group starts or ends where none can",
            Self::Depth => "the message is nested too deeply",
            Self::Utf8 => "a string is not valid UTF-8",
        }
    }
}

/// Groups of unknown fields may nest as deep as this; it is protobuf's own default.
const MAX_GROUP_DEPTH: usize = 100;
/// The most bytes of a varint.
const MAX_VARINT: usize = 10;

/// A tag as read: a field number and a wire type, in the bits that they have on the wire. Whether it is
/// one at all is asked where it belongs to no known field, when its value is stepped over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Head(u32);

impl Head {
    /// The tag of a field number, which has at most 29 bits.
    pub(super) const fn new(number: u32, wire_type: WireType) -> Self {
        Self((number << 3) | wire_type as u32)
    }

    #[inline]
    pub(super) const fn number(self) -> u32 {
        self.0 >> 3
    }

    /// Whether a value of this wire type follows.
    #[inline]
    pub(super) const fn is(self, wire_type: WireType) -> bool {
        self.0 & 7 == wire_type as u32
    }
}

/// What is left to read of a message. It fits two registers, so that it goes from call to call by value.
#[derive(Clone, Copy, Debug)]
pub(super) struct Cursor<'w> {
    rest: &'w [u8],
}

impl<'w> Cursor<'w> {
    pub(super) const fn new(wire: &'w [u8]) -> Self {
        Self { rest: wire }
    }

    /// What is behind a place.
    pub(super) fn at(wire: &'w [u8], pos: usize) -> Self {
        Self { rest: wire.get(pos..).unwrap_or_default() }
    }

    #[inline]
    pub(super) const fn at_end(&self) -> bool {
        self.rest.is_empty()
    }

    /// The place in the input that this is a part of.
    #[inline]
    pub(super) fn pos(&self, wire: &[u8]) -> usize {
        self.rest.as_ptr().addr().wrapping_sub(wire.as_ptr().addr())
    }

    /// The bytes from here to another place of the same message.
    pub(super) fn until(&self, end: Self) -> &'w [u8] {
        self.rest.get(..self.rest.len().saturating_sub(end.rest.len())).unwrap_or_default()
    }

    /// The bytes from here to the end of the message.
    #[inline]
    pub(super) const fn rest(&self) -> &'w [u8] {
        self.rest
    }

    #[inline(always)]
    pub(super) fn varint(&mut self) -> Result<u64, Broken> {
        match *self.rest {
            [byte, ref rest @ ..] if byte < 0x80 => {
                self.rest = rest;
                Ok(byte.into())
            }
            [low, high, ref rest @ ..] if high < 0x80 => {
                self.rest = rest;
                Ok(u64::from(low & 0x7f) | (u64::from(high) << 7))
            }
            _ => {
                let (value, rest) = long_varint(self.rest)?;
                self.rest = rest;
                Ok(value)
            }
        }
    }

    #[inline(always)]
    pub(super) fn head(&mut self) -> Result<Head, Broken> {
        u32::try_from(self.varint()?).map(Head).map_err(|_| Broken::Tag)
    }

    /// Steps over the next tag when it is this one.
    #[inline(always)]
    pub(super) fn follows(&mut self, head: Head) -> bool {
        let mut ahead = *self;
        let same = ahead.head() == Ok(head);
        if same {
            *self = ahead;
        }
        same
    }

    #[inline]
    pub(super) fn fixed32(&mut self) -> Result<[u8; 4], Broken> {
        self.chunk()
    }

    #[inline]
    pub(super) fn fixed64(&mut self) -> Result<[u8; 8], Broken> {
        self.chunk()
    }

    #[inline(always)]
    fn chunk<const N: usize>(&mut self) -> Result<[u8; N], Broken> {
        let (chunk, rest) = self.rest.split_first_chunk().ok_or(Broken::Truncated)?;
        self.rest = rest;
        Ok(*chunk)
    }

    /// What is behind a length, as a message of its own; this cursor steps over it.
    #[inline(always)]
    pub(super) fn delimited(&mut self) -> Result<Self, Broken> {
        let length = usize::try_from(self.varint()?).map_err(|_| Broken::Truncated)?;
        let (inner, rest) = self.rest.split_at_checked(length).ok_or(Broken::Truncated)?;
        self.rest = rest;
        Ok(Self { rest: inner })
    }

    /// What is between the group's start, which was read, and its end; this cursor steps over both.
    pub(super) fn group(&mut self, number: u32) -> Result<Self, Broken> {
        let start = *self;
        let end = self.skip_group(number, 0)?;
        Ok(Self { rest: start.until(end) })
    }

    /// The place behind the value whose tag was read.
    pub(super) fn behind(mut self, head: Head) -> Result<Self, Broken> {
        self.skip_nested(head, 0).map(|()| self)
    }

    fn skip_nested(&mut self, head: Head, depth: usize) -> Result<(), Broken> {
        match WireType::from_bits(head.0).filter(|_| head.number() > 0) {
            Some(WireType::Varint) => self.varint().map(drop),
            Some(WireType::Fixed64) => self.fixed64().map(drop),
            Some(WireType::Fixed32) => self.fixed32().map(drop),
            Some(WireType::Length) => self.delimited().map(drop),
            Some(WireType::GroupStart) => self.skip_group(head.number(), depth).map(drop),
            Some(WireType::GroupEnd) => Err(Broken::Group),
            None => Err(Broken::Tag),
        }
    }

    /// Steps over a group and gives the place of its end tag.
    fn skip_group(&mut self, number: u32, depth: usize) -> Result<Self, Broken> {
        if depth >= MAX_GROUP_DEPTH {
            return Err(Broken::Depth);
        }
        while !self.at_end() {
            let end = *self;
            let head = self.head()?;
            if head == Head::new(number, WireType::GroupEnd) {
                return Ok(end);
            }
            self.skip_nested(head, depth + 1)?;
        }
        Err(Broken::Truncated)
    }
}

/// A varint of any length, and what is behind it.
#[expect(clippy::unreadable_literal, reason = "masks read best as runs of digits")]
fn long_varint(bytes: &[u8]) -> Result<(u64, &[u8]), Broken> {
    let word = bytes.first_chunk().map_or(0x8080808080808080, |chunk| u64::from_le_bytes(*chunk));
    let ends = !word & 0x8080808080808080;
    if ends == 0 {
        return longest_varint(bytes);
    }
    // Eight groups of seven bits to one of 56, by doubling.
    let groups = word & (ends ^ (ends - 1)) & 0x7f7f7f7f7f7f7f7f;
    let groups = (groups & 0x007f007f007f007f) | ((groups & 0x7f007f007f007f00) >> 1);
    let groups = (groups & 0x00003fff00003fff) | ((groups & 0x3fff00003fff0000) >> 2);
    let value = (groups & 0x000000000fffffff) | ((groups & 0x0fffffff00000000) >> 4);
    let len = (ends.trailing_zeros() / 8 + 1) as usize;
    Ok((value, bytes.get(len..).unwrap_or_default()))
}

/// A varint byte by byte: one of more than eight bytes, or near the end of the input.
fn longest_varint(bytes: &[u8]) -> Result<(u64, &[u8]), Broken> {
    let mut value = 0;
    for (index, &byte) in bytes.iter().take(MAX_VARINT).enumerate() {
        if index == MAX_VARINT - 1 && byte > 1 {
            return Err(Broken::Overlong);
        }
        value |= u64::from(byte & 0x7f) << (7 * index);
        if byte < 0x80 {
            return Ok((value, bytes.get(index + 1..).unwrap_or_default()));
        }
    }
    Err(Broken::Truncated)
}

/// An encoded tag, ready to be put in front of a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Tag {
    bytes: u64,
    len: u8,
}

impl Tag {
    /// No tag at all: for the elements of packed fields.
    pub(super) const NONE: Self = Self { bytes: 0, len: 0 };

    /// The tag of a field number, which has at most 29 bits.
    pub(super) const fn new(number: u32, wire_type: WireType) -> Self {
        let (bytes, len) = spread(((number as u64) << 3) | wire_type as u64);
        #[expect(clippy::cast_possible_truncation, reason = "32 bits spread over five bytes")]
        Self { bytes: bytes as u64, len: len as u8 }
    }
}

/// Appends the lowest `len` bytes of a word, at most 16. A store of fixed size that is then cut is
/// several times cheaper than a copy of variable size.
#[inline]
pub(super) fn put(out: &mut Vec<u8>, word: u128, len: usize) {
    let end = out.len() + len;
    out.extend_from_slice(&word.to_le_bytes());
    out.truncate(end);
}

/// How many bytes a varint takes.
#[inline]
pub(super) const fn varint_len(value: u64) -> usize {
    ((70 - (value | 1).leading_zeros()) / 7) as usize
}

/// The bytes of a varint, and how many they are.
#[inline]
#[expect(clippy::unreadable_literal, reason = "masks read best as runs of digits")]
const fn spread(value: u64) -> (u128, usize) {
    if value < 0x80 {
        return (value as u128, 1);
    }
    let len = varint_len(value);
    // 56 bits to eight groups of seven, by halves.
    let low = value & 0x00ff_ffff_ffff_ffff;
    let low = (low & 0x000000000fffffff) | ((low & 0x00fffffff0000000) << 4);
    let low = (low & 0x00003fff00003fff) | ((low & 0x0fffc0000fffc000) << 2);
    let low = (low & 0x007f007f007f007f) | ((low & 0x3f803f803f803f80) << 1);
    let high = ((value >> 56) & 0x7f) | ((value >> 63) << 8);
    let continued = 0x8080_8080_8080_8080_8080_u128 & ((1 << (8 * (len - 1))) - 1);
    (low as u128 | ((high as u128) << 64) | continued, len)
}

/// Appends the lowest `len` bytes of a word, at most 8.
#[inline]
fn put_few(out: &mut Vec<u8>, word: u64, len: usize) {
    let end = out.len() + len;
    out.extend_from_slice(&word.to_le_bytes());
    out.truncate(end);
}

/// Appends a tag and a varint: a value, or the length of what follows.
#[inline]
pub(super) fn put_varint(out: &mut Vec<u8>, tag: Tag, value: u64) {
    if value < 1 << 14 && tag.len <= 2 {
        // Two groups of seven bits; the first goes on where there is a second.
        let (low, high) = (value & 0x7f, value >> 7);
        let goes_on = u64::from(high > 0);
        let word = low | (goes_on << 7) | (high << 8);
        let len = usize::from(tag.len) + 1 + usize::from(high > 0);
        return put_few(out, tag.bytes | (word << (8 * tag.len)), len);
    }
    put_long_varint(out, tag, value);
}

fn put_long_varint(out: &mut Vec<u8>, tag: Tag, value: u64) {
    let (word, len) = spread(value);
    let tag_len = usize::from(tag.len);
    put(out, u128::from(tag.bytes) | (word << (8 * tag_len)), tag_len + len);
}

/// Appends a tag alone.
#[inline]
pub(super) fn put_tag(out: &mut Vec<u8>, tag: Tag) {
    put(out, u128::from(tag.bytes), usize::from(tag.len));
}

/// Appends a tag and four bytes.
#[inline]
pub(super) fn put_fixed32(out: &mut Vec<u8>, tag: Tag, value: u32) {
    let tag_len = usize::from(tag.len);
    put(out, u128::from(tag.bytes) | (u128::from(value) << (8 * tag_len)), tag_len + 4);
}

/// Appends a tag and eight bytes.
#[inline]
pub(super) fn put_fixed64(out: &mut Vec<u8>, tag: Tag, value: u64) {
    let tag_len = usize::from(tag.len);
    put(out, u128::from(tag.bytes) | (u128::from(value) << (8 * tag_len)), tag_len + 8);
}

/// Appends `source[start..end]`. Given the bytes around, a short copy needs no loop, and most strings are short.
#[inline]
pub(super) fn put_slice(out: &mut Vec<u8>, source: &[u8], start: usize, end: usize) {
    match end - start {
        ..=32 => put_chunk::<32>(out, source, start, end),
        33..=64 => put_chunk::<64>(out, source, start, end),
        _ => out.extend_from_slice(source.get(start..end).unwrap_or_default()),
    }
}

/// Appends `source[start..end]`, at most `N` bytes, in one copy of fixed size where the source has so many.
#[inline]
fn put_chunk<const N: usize>(out: &mut Vec<u8>, source: &[u8], start: usize, end: usize) {
    match source.get(start..).and_then(<[u8]>::first_chunk::<N>) {
        Some(chunk) => {
            let len = out.len() + (end - start);
            out.extend_from_slice(chunk);
            out.truncate(len);
        }
        None => out.extend_from_slice(source.get(start..end).unwrap_or_default()),
    }
}

/// Appends a tag, a length and `source[start..end]`: most are short enough for one store.
#[inline]
pub(super) fn put_bytes(out: &mut Vec<u8>, tag: Tag, source: &[u8], start: usize, end: usize) {
    let length = end - start;
    let head = usize::from(tag.len) + 1;
    let chunk = source.get(start..).and_then(<[u8]>::first_chunk::<16>);
    if let Some(chunk) = chunk.filter(|_| head + length <= 16) {
        let word = u128::from(tag.bytes) | ((length as u128) << (8 * (head - 1)));
        put(out, word | (u128::from_le_bytes(*chunk) << (8 * head)), head + length);
        return;
    }
    put_varint(out, tag, length as u64);
    put_slice(out, source, start, end);
}

/// A length that is written before it is known: room for it, corrected when it is.
#[derive(Clone, Copy, Debug)]
pub(super) struct Reserved {
    start: usize,
    room: usize,
}

impl Reserved {
    /// Where the tag before the room starts.
    pub(super) fn tag_start(self, tag: Tag) -> usize {
        self.start - self.room - usize::from(tag.len)
    }
}

/// Appends a tag and room for a length of `room` bytes (1 to 5).
#[inline]
pub(super) fn reserve_length(out: &mut Vec<u8>, tag: Tag, room: usize) -> Reserved {
    put(out, u128::from(tag.bytes), usize::from(tag.len) + room);
    Reserved { start: out.len(), room }
}

/// Fills in the length of all that was appended since; gives how many bytes it took.
#[inline]
pub(super) fn fill_length(out: &mut Vec<u8>, reserved: Reserved) -> usize {
    let length = (out.len() - reserved.start) as u64;
    if length < 0x80 && reserved.room == 1 {
        if let (Some(slot), [byte, ..]) = (out.get_mut(reserved.start - 1), length.to_le_bytes()) {
            *slot = byte;
        }
        return 1;
    }
    fill_long_length(out, reserved, length)
}

fn fill_long_length(out: &mut Vec<u8>, reserved: Reserved, length: u64) -> usize {
    let (word, need) = spread(length);
    if need != reserved.room {
        shift(out, reserved, need);
    }
    let place = reserved.start - reserved.room;
    for (slot, byte) in out.iter_mut().skip(place).take(need).zip(word.to_le_bytes()) {
        *slot = byte;
    }
    need
}

/// Moves what was appended, so that the length before it has `need` bytes.
#[cold]
fn shift(out: &mut Vec<u8>, reserved: Reserved, need: usize) {
    let end = out.len();
    let target = reserved.start - reserved.room + need;
    if need > reserved.room {
        out.resize(end + (need - reserved.room), 0);
    }
    out.copy_within(reserved.start..end, target);
    out.truncate(target + (end - reserved.start));
}

#[cfg(test)]
mod tests;
